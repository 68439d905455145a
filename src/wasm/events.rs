//! Passes events of the engine to a JavaScript function.

use std::cell::RefCell;

use js_sys::{Array, Function, Object};
use wasm_bindgen::JsValue;

use super::error::{number, set};
use crate::base::{FileNumber, table_file_name, to_u64};
use crate::events::{Event, Listener, StallCause};

/// Calls the function, if one is set.
#[derive(Default)]
pub(super) struct JsListener {
    function: RefCell<Option<Function>>,
}

impl JsListener {
    /// Sets or clears the function.
    pub(super) fn tell(&self, function: Option<Function>) {
        self.function.replace(function);
    }
}

impl Listener for JsListener {
    fn event(&self, event: &Event) {
        let function = self.function.borrow().clone();
        if let (Some(function), Some((name, info))) = (function, described(event)) {
            // Errors of a listener do not concern the engine.
            let _ = function.call2(&JsValue::UNDEFINED, &name.into(), &info);
        }
    }

    fn listens(&self) -> bool {
        self.function.borrow().is_some()
    }
}

/// Returns an event's name and its details.
fn described(event: &Event) -> Option<(&'static str, JsValue)> {
    let info = JsValue::from(Object::new());
    let phase = |ended: bool| set(&info, "phase", if ended { "end" } else { "begin" });
    let count = |name: &str, value: u64| set(&info, name, number(value));
    let name = match event {
        Event::FlushBegin { memtables, entries, bytes } => {
            phase(false);
            count("memtables", to_u64(*memtables));
            count("entries", *entries);
            count("bytes", *bytes);
            "flush"
        }
        Event::Flush { table, level, bytes, memtables, entries } => {
            phase(true);
            set(&info, "file", table.map_or(JsValue::NULL, |table| table_file_name(table).into()));
            count("level", to_u64(*level));
            count("memtables", to_u64(*memtables));
            count("entries", *entries);
            count("bytes", *bytes);
            "flush"
        }
        Event::CompactionBegin { level, output_level, inputs, bytes, trivial_move } => {
            phase(false);
            describe_compaction(&info, (*level, *output_level), inputs, *trivial_move);
            count("bytesRead", if *trivial_move { 0 } else { *bytes });
            "compaction"
        }
        Event::Compaction { level, output_level, inputs, outputs, bytes_read, bytes_written, trivial_move } => {
            phase(true);
            describe_compaction(&info, (*level, *output_level), inputs, *trivial_move);
            set(&info, "outputs", file_names(outputs));
            count("bytesRead", *bytes_read);
            count("bytesWritten", *bytes_written);
            "compaction"
        }
        Event::Stall { cause } | Event::StallEnd { cause } => {
            phase(matches!(event, Event::StallEnd { .. }));
            let cause = match cause {
                StallCause::Level0Slowdown => "level0-slowdown",
                StallCause::Level0Stop => "level0-stop",
                StallCause::MemtableFull => "memtable-full",
            };
            set(&info, "cause", cause);
            "stall"
        }
        Event::FileCreated { .. } | Event::FileRemoved { .. } | Event::BackgroundError { .. } => return None,
    };
    Some((name, info))
}

fn describe_compaction(
    info: &JsValue,
    (level, output_level): (usize, usize),
    inputs: &[FileNumber],
    trivial_move: bool,
) {
    set(info, "level", number(to_u64(level)));
    set(info, "outputLevel", number(to_u64(output_level)));
    set(info, "inputs", file_names(inputs));
    set(info, "trivialMove", trivial_move);
}

fn file_names(numbers: &[FileNumber]) -> Array {
    numbers.iter().map(|number| JsValue::from(table_file_name(*number))).collect()
}
