//! How tables came to be, moved and went, by the edits of a manifest.

use std::collections::BTreeSet;

use super::state::{EDIT_REASONS, Reason};
use crate::base::{FileNumber, to_u64};
use crate::inspect::span::{Fact, Span};
use crate::version::VersionEdit;

/// Tables of one edit that are listed.
const INPUTS_MAX: usize = 64;
/// Events that are kept until they are taken.
const EVENTS_MAX: usize = 100_000;

/// The tables whose events are wanted, and those so far.
#[derive(Debug)]
pub(super) struct History {
    watched: BTreeSet<FileNumber>,
    events: Vec<Span>,
}

/// What an edit does to tables that are watched.
pub(super) struct Touched {
    added: Vec<(usize, FileNumber)>,
    removed: Vec<(usize, FileNumber)>,
    inputs: Vec<FileNumber>,
}

impl History {
    pub(super) fn new(watched: BTreeSet<FileNumber>) -> History {
        History { watched, events: Vec::new() }
    }

    /// What `edit` does to these tables; `None` if nothing.
    pub(super) fn touched(&self, edit: &VersionEdit) -> Option<Touched> {
        let is_watched = |number: &FileNumber| self.watched.contains(number);
        let added: Vec<_> = edit.new_files.iter().map(|(level, table)| (*level, table.number)).collect();
        let touched = Touched {
            added: added.into_iter().filter(|(_, number)| is_watched(number)).collect(),
            removed: edit.deleted_files.iter().filter(|(_, number)| is_watched(number)).copied().collect(),
            inputs: edit.deleted_files.iter().map(|(_, number)| *number).take(INPUTS_MAX).collect(),
        };
        (!touched.added.is_empty() || !touched.removed.is_empty()).then_some(touched)
    }

    /// Notes the events of edit number `edit`, whose record is at these bytes.
    pub(super) fn note(&mut self, touched: &Touched, edit: u64, (offset, length): (u64, u64), reason: Reason) {
        let both = touched.added.iter().map(|one| (one, true)).chain(touched.removed.iter().map(|one| (one, false)));
        for ((level, number), is_added) in both {
            // A table that moves is added to its new level.
            let moves = !is_added && touched.added.iter().any(|(_, other)| other == number);
            if moves || self.events.len() >= EVENTS_MAX {
                continue;
            }
            let mut span = Span::new("event", offset, length);
            span.number("number", number.0);
            span.number("edit", edit);
            span.number("level", to_u64(*level));
            span.state("added", Fact::Flag(is_added));
            span.text("reason", EDIT_REASONS.get(usize::from(reason.kind)).copied().unwrap_or("other"));
            for input in touched.inputs.iter().filter(|input| is_added && *input != number) {
                let mut one = Span::new("input", offset, length);
                one.number("number", input.0);
                span.spans.push(one);
            }
            self.events.push(span);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.events)
    }
}
