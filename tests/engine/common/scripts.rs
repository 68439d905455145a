//! The six scripts with a crash or fault at every call.

use varve::env::MemoryEnv;
use varve::{Options, UserComparator};

use super::world::{History, Session, Step, small_options};

/// Steps that prepare a database without faults, and steps that run with faults.
pub struct Script {
    pub name: &'static str,
    setup: Vec<Step>,
    pub steps: Vec<Step>,
}

/// A script with its prepared database.
pub struct Prepared {
    pub script: Script,
    memory: MemoryEnv,
    history: History,
    pub options: Options,
    /// The number of calls of the whole script.
    pub calls: u64,
}

impl Prepared {
    pub fn new(script: Script) -> Result<Prepared, String> {
        let options = Options { comparator: UserComparator::Bytewise, ..small_options() };
        let mut session = Session::new(MemoryEnv::new(), options.clone(), History::new(), 0);
        for step in &script.setup {
            session.step(step)?.map_err(|e| format!("set-up of {}: {step:?}: {e}", script.name))?;
        }
        session.db = None;
        let mut prepared =
            Prepared { script, memory: session.memory.clone(), history: session.history.clone(), options, calls: 0 };
        let mut whole = prepared.session(0);
        for step in &prepared.script.steps {
            whole.step(step)?.map_err(|e| format!("{} without faults: {step:?}: {e}", prepared.script.name))?;
        }
        prepared.calls = whole.env.calls();
        Ok(prepared)
    }

    pub fn session(&self, seed: u64) -> Session {
        Session::new(self.memory.snapshot(), self.options.clone(), self.history.clone(), seed)
    }
}

pub fn prepare_all() -> Result<Vec<Prepared>, String> {
    scripts().into_iter().map(Prepared::new).collect()
}

pub fn scripts() -> Vec<Script> {
    vec![create(), fill_and_flush(), compaction(), rotation(), reopening(), repairing()]
}

const OPEN: Step = Step::Open { reuse_logs: false };
const REUSE: Step = Step::Open { reuse_logs: true };

fn put(key: usize) -> Step {
    Step::Write { first: key, count: 1, length: 100, sync: false }
}

fn put_sync(key: usize) -> Step {
    Step::Write { first: key, count: 1, length: 100, sync: true }
}

fn batch(first: usize, count: usize) -> Step {
    Step::Write { first, count, length: 60, sync: false }
}

fn delete(key: usize) -> Step {
    Step::Delete { key, sync: false }
}

fn create() -> Script {
    let steps = vec![OPEN, put(1), put_sync(2), put(3), Step::Scan, Step::Close];
    Script { name: "create", setup: vec![], steps }
}

fn fill_and_flush() -> Script {
    let mut steps = vec![OPEN];
    steps.extend((0..10).map(put));
    steps.extend([put_sync(3), batch(5, 10), delete(2), Step::Flush, put(4), put_sync(30), delete(30), put(31)]);
    steps.extend([Step::Scan, Step::Kill]);
    Script { name: "fill and flush", setup: vec![OPEN, put(1), put_sync(2), Step::Close], steps }
}

fn compaction() -> Script {
    let mut setup = vec![OPEN];
    for round in 0..3 {
        setup.extend((0..20).map(|i| put(i * 2 + round)));
        setup.extend([delete(round), Step::Flush]);
    }
    setup.push(Step::Close);
    let mut steps = vec![OPEN, batch(0, 12), delete(3), Step::Flush, batch(6, 12), Step::Compact, put_sync(1)];
    steps.extend([delete(5), put(7), Step::Flush]);
    steps.extend((0..4).map(|_| Step::Slice(2 << 10)));
    steps.extend([Step::Compact, Step::Scan, put(8), Step::Kill]);
    Script { name: "compaction", setup, steps }
}

fn rotation() -> Script {
    let mut steps = vec![OPEN];
    for round in 0..6 {
        steps.push(batch(round * 3, 24));
        steps.push(put(round));
        steps.push(batch(round * 5, 30));
        steps.push(if round % 2 == 1 { put_sync(100 + round) } else { delete(round + 1) });
    }
    steps.extend([Step::Sync, batch(40, 60), put(9), Step::Scan, Step::Kill]);
    Script { name: "log rotation", setup: vec![], steps }
}

fn reopening() -> Script {
    let mut steps = vec![OPEN, put(1), Step::Kill, OPEN, put(2), put_sync(3), Step::Kill];
    steps.extend([REUSE, batch(0, 50), batch(20, 50), put(4), Step::Kill]);
    steps.extend([REUSE, put(5), put_sync(6), Step::Scan, batch(0, 50), put(7), Step::Kill]);
    steps.extend([OPEN, Step::Scan, put(8), Step::Flush, Step::Close, REUSE, put_sync(9), Step::Close, OPEN]);
    Script { name: "reopening", setup: vec![OPEN, put_sync(1), Step::Close], steps }
}

fn repairing() -> Script {
    let mut setup = vec![OPEN];
    setup.extend((0..30).map(put));
    setup.extend([
        Step::Flush,
        delete(3),
        batch(10, 10),
        put_sync(5),
        put(6),
        Step::Sync,
        Step::Kill,
        Step::LoseCurrent,
    ]);
    let steps = vec![Step::Repair, OPEN, Step::Scan, put_sync(7), Step::Close, OPEN, Step::Scan];
    Script { name: "repair", setup, steps }
}
