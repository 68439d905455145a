//! Traces a look-up: logs, then tables.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::logs::{self, Log, Searched};
use super::path::{Path, landed};
use super::requests::{RequestEnv, Requests, Shared};
use super::step::{Answer, LookupStep, Outcome, Trace};
use crate::base::{
    FileName, FileNumber, InternalKeyComparator, KeyOrder, LookupKey, SequenceNumber, UserComparator, ValueType,
    append_internal_key, sort_by,
};
use crate::error::Error;
use crate::events::LiveCounters;
use crate::inspect::manifest::State;
use crate::inspect::rule::Rule;
use crate::options::Options;
use crate::table::{BlockCache, BlockObserver, BlockRead, DamagePolicy, TableCache, TableOptions};
use crate::version::{Found, NewFile, Version, VersionEdit, version_of};

/// Tables kept open: a look-up needs few.
const OPEN_TABLES_MAX: usize = 64;

const READ: BlockRead =
    BlockRead { policy: DamagePolicy::STOP, fill_cache: false, fill_sought: false, use_cache: false, read_ahead: 0 };

/// Looks one key up in the files of a database, which the caller reads.
///
/// It requests bytes of a file by its place among the files, and ends with a [`Trace`].
pub struct Tracer {
    shared: Shared,
    work: Option<Pin<Box<dyn Future<Output = Trace>>>>,
    trace: Option<Trace>,
}

/// What is looked up, and where.
struct Question {
    shared: Shared,
    key: Vec<u8>,
    at: Option<u64>,
    doubt: Option<String>,
    state: State,
    /// Of the manifest; bytewise without one.
    order: InternalKeyComparator,
    version: Option<Version>,
    logs: Vec<Log>,
    places: BTreeMap<FileNumber, usize>,
}

impl Tracer {
    /// Looks up `key` as of sequence number `at` (`None`: now) in these files: names and sizes.
    ///
    /// `state` is the last version of the manifest, encoded as one edit. `doubt` tells why it cannot
    /// be relied on, so that the answer is unknown in any case.
    pub fn new(
        files: Vec<(String, u64)>,
        state: &[u8],
        doubt: Option<String>,
        key: Vec<u8>,
        at: Option<u64>,
    ) -> Tracer {
        let question = Question::new(files, state, doubt, key, at);
        let shared = question.shared.clone();
        let mut tracer = Tracer { shared, work: Some(Box::pin(question.ask())), trace: None };
        tracer.poll();
        tracer
    }

    /// Looks up `key` in one table, whose keys are in the order of this comparator (empty: bytewise).
    ///
    /// Its range is not known: it is asked for every key, as a table of level 0 that covers it.
    pub fn of_table(name: &str, size: u64, comparator: &[u8], key: Vec<u8>, at: Option<u64>) -> Tracer {
        let number = match FileName::parse(name) {
            Some(named @ FileName::Table(number)) if named.is_spelled(name) => Some(number),
            _ => None,
        };
        let (name, number) = match number {
            Some(number) => (name.to_owned(), number),
            None => (FileName::Table(FileNumber(1)).to_string(), FileNumber(1)),
        };
        let bound = |sequence, value_type| {
            let mut bound = Vec::new();
            append_internal_key(&mut bound, &key, sequence, value_type);
            bound
        };
        let (smallest, largest) =
            (bound(SequenceNumber::MAX, ValueType::Value), bound(SequenceNumber::truncated(0), ValueType::Deletion));
        let comparator =
            if comparator.is_empty() { UserComparator::Bytewise.name().into() } else { comparator.to_vec() };
        let edit = VersionEdit {
            comparator: Some(comparator),
            last_sequence: Some(SequenceNumber::MAX),
            new_files: vec![(0, NewFile { number, size, smallest, largest })],
            ..VersionEdit::default()
        };
        Tracer::new(vec![(name, size)], &edit.encode(), None, key, at)
    }

    /// The file, offset and size of the bytes to feed next; `None` at the end.
    pub fn wanted(&self) -> Option<(usize, u64, usize)> {
        let wanted = self.shared.borrow().wanted()?;
        Some((wanted.file, wanted.offset, wanted.length))
    }

    /// Takes these bytes, or as many as could be read.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        self.shared.borrow_mut().feed(Ok(bytes));
        self.poll();
    }

    /// The bytes cannot be read.
    pub fn fail(&mut self, reason: String) {
        self.shared.borrow_mut().feed(Err(reason));
        self.poll();
    }

    /// The result, at the end.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    fn poll(&mut self) {
        let Some(work) = &mut self.work else { return };
        if let Poll::Ready(trace) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            self.work = None;
            self.trace = Some(trace);
        }
    }
}

impl Question {
    fn new(files: Vec<(String, u64)>, state: &[u8], doubt: Option<String>, key: Vec<u8>, at: Option<u64>) -> Question {
        let (version, state, order, doubt) = match version(state) {
            Ok((version, state, order)) => (Some(version), state, order, doubt),
            Err(reason) => (None, State::default(), InternalKeyComparator::default(), Some(doubt.unwrap_or(reason))),
        };
        let (mut logs, mut places) = (Vec::new(), BTreeMap::new());
        let replayed = state.logs();
        for (file, (name, size)) in files.iter().enumerate() {
            match FileName::parse(name) {
                Some(named @ FileName::Log(number)) if named.is_spelled(name) => {
                    let is_live = replayed.is_some_and(|(from, previous)| number >= from || number == previous);
                    if is_live {
                        logs.push(Log { number, file, size: *size });
                    }
                }
                Some(named @ FileName::Table(number)) if named.is_spelled(name) => {
                    places.entry(number).or_insert(file);
                }
                _ => {}
            }
        }
        sort_by(&mut logs, |a, b| b.number.cmp(&a.number));
        let shared = Requests::new(files);
        Question { shared, key, at, doubt, state, order, version, logs, places }
    }

    async fn ask(self) -> Trace {
        let mut steps = Vec::new();
        let (mut answer, mut doubt, mut last) = (None, self.doubt.clone(), self.state.last_sequence().unwrap_or(0));
        // Opening reads all of them: damage in one changes what is replayed of the others.
        for log in &self.logs {
            match logs::search(&self.shared, &self.order, *log, &self.key, self.at).await {
                Ok(Searched { step, value, last: of_log, damage }) => {
                    last = last.max(of_log);
                    if let Some(damage) = &damage {
                        let name = FileName::Log(log.number).to_string();
                        doubt.get_or_insert([&*name, " is damaged ", &**damage].concat());
                    }
                    if answer.is_none() || damage.is_some() {
                        answer = answer.or(match step.outcome {
                            Outcome::Found => Some(Answer::Value(value.unwrap_or_default())),
                            Outcome::Deleted => Some(Answer::Deleted),
                            _ => None,
                        });
                        steps.push(step);
                    }
                }
                Err(error) => {
                    let reason = reason_of(&error);
                    let step = LookupStep::new(None, Some(log.number.0), Outcome::Unknown);
                    steps.push(LookupStep { file: Some(log.file), reason: Some(reason.clone()), ..step });
                    doubt.get_or_insert(reason);
                }
            }
        }
        let sequence = self.at.unwrap_or(last);
        let answer = match (answer, &self.version) {
            // Below damage the path could be another.
            _ if doubt.is_some() && !steps.is_empty() && self.has_damaged_log(&steps) => None,
            (Some(answer), _) => Some(answer),
            (None, Some(version)) => Some(self.tables(version, sequence, &mut steps).await),
            (None, None) => None,
        };
        let unknown = |doubt: Option<String>| Answer::Unknown(doubt.unwrap_or_default());
        let answer = match (answer, doubt) {
            (Some(Answer::Unknown(reason)), _) => Answer::Unknown(reason),
            (Some(answer), None) => answer,
            (_, doubt) => unknown(doubt),
        };
        Trace { steps, answer, sequence }
    }

    fn has_damaged_log(&self, steps: &[LookupStep]) -> bool {
        steps.iter().any(|step| step.level.is_none() && step.outcome == Outcome::Unknown)
    }

    /// Asks the tables, by the engine's own search.
    async fn tables(&self, version: &Version, sequence: u64, steps: &mut Vec<LookupStep>) -> Answer {
        let tables = tables_of(&self.shared, &self.order);
        let mut path = Path::new(&self.order, &self.key, &self.places);
        let lookup = LookupKey::new(&self.key, SequenceNumber::truncated(sequence));
        let found = version.get(&tables, &self.order, &lookup, READ, &mut path, true).await;
        let mut taken = std::mem::take(&mut path.steps);
        if self.at.is_some() {
            for step in &mut taken {
                self.note_newer(&tables, version, step).await;
            }
        }
        let answer = match found {
            Ok((Found::Value(value), _)) => Answer::Value(value),
            Ok((Found::Deleted, _)) => Answer::Deleted,
            Ok((Found::Nothing, _)) => Answer::Absent,
            Err(error) => {
                let reason = reason_of(&error);
                if let Some(step) = taken.last_mut() {
                    step.outcome = Outcome::Unknown;
                    step.reason = Some(reason.clone());
                }
                Answer::Unknown(reason)
            }
        };
        steps.append(&mut taken);
        answer
    }

    /// A table without an entry that the snapshot sees may have newer ones.
    async fn note_newer(&self, tables: &TableCache, version: &Version, step: &mut LookupStep) {
        let meta = version.files().find(|(_, file)| Some(file.number.0) == step.number).map(|(_, file)| file);
        let Some(meta) =
            meta.filter(|_| matches!(step.outcome, Outcome::Absent | Outcome::PastEnd | Outcome::Filtered))
        else {
            return;
        };
        let newest = LookupKey::new(&self.key, SequenceNumber::MAX);
        let Ok(table) = tables.table(meta.number, meta.size).await else { return };
        let of_key = |key: &[u8], _: &[u8]| landed(&self.order, &self.key, key, 0);
        let found = table.get(newest.internal_key(), READ, &mut Ignored, of_key).await;
        if let Ok((_, Some(Some(newest)))) = found {
            step.outcome = Outcome::Newer;
            step.sequence = Some(newest.sequence);
        }
    }
}

struct Ignored;
impl BlockObserver for Ignored {}

/// The version that an encoded edit describes and the order of its keys, or why there is none to search.
fn version(state: &[u8]) -> Result<(Version, State, InternalKeyComparator), String> {
    let edit = VersionEdit::decode(state).map_err(|malformed| malformed.reason)?;
    let Some(name) = edit.comparator.as_deref() else {
        return Err("no manifest tells which tables are live".to_owned());
    };
    let Rule::Known(order) = Rule::named(name) else {
        let name = name.escape_ascii().to_string();
        return Err(["the keys are in the order of ", &*name, ", which is not known"].concat());
    };
    let version = version_of(&edit, &order)?;
    let mut state = State::default();
    state.apply(edit, true);
    Ok((version, state, order))
}

fn tables_of(shared: &Shared, order: &InternalKeyComparator) -> TableCache {
    let options = Options::default();
    let order = KeyOrder::Internal(order.clone());
    let table_options = Rc::new(TableOptions::new(order, options.filter_policy.clone(), &options));
    let (blocks, counters) = (Rc::new(BlockCache::new(0)), Rc::new(LiveCounters::default()));
    let env = Rc::new(RequestEnv(shared.clone()));
    TableCache::new(env, table_options, blocks, counters, options.table_cache_size, OPEN_TABLES_MAX)
}

/// An error in the words of the page.
fn reason_of(error: &Error) -> String {
    match error {
        Error::Corruption(corruption) => corruption.to_string(),
        Error::Io(io) if error.is_not_found() => [&*io.file, " is missing"].concat(),
        other => other.to_string(),
    }
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer").field("wanted", &self.wanted()).field("trace", &self.trace).finish_non_exhaustive()
    }
}
