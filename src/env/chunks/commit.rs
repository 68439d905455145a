//! Calls that change something: each waits in the queue for a transaction, which it may share.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::content::Content;
use super::database::is_lost;
use super::directory::Stored;
use super::layout::CHUNK_SIZE;
use super::plan::{Needed, Op, Planner};
use super::request::Request;
use super::session::Session;
use crate::base::{Driven, Work};
use crate::env::Io;
use crate::error::{Error, Result};

/// Calls that write more than this together share no transaction, in bytes.
const BATCH_SIZE_MAX: usize = 1 << 20;

impl Session {
    /// Does `op` in the next transaction.
    pub(super) fn submit(self: &Rc<Session>, op: Op) -> Io<u64> {
        if let Err(error) = self.check() {
            return Io::ready(Err(error));
        }
        let request = Rc::new(Request::new(op));
        self.queue.borrow_mut().push_back(request.clone());
        let session = self.clone();
        Io::pending(poll_fn(move |cx| {
            loop {
                if let Some(result) = request.result.take() {
                    return Poll::Ready(result);
                }
                if !session.is_open.get() {
                    return Poll::Ready(Err(Error::Closed));
                }
                match session.driver.poll(cx, &session) {
                    Driven::Finished => {}
                    Driven::Idle => return Poll::Ready(Err(Error::Closed)),
                    Driven::Pending if request.result.borrow().is_some() => {}
                    Driven::Pending => return Poll::Pending,
                }
            }
        }))
    }

    /// Whether a sync would change nothing.
    pub(super) fn is_flushed(&self) -> bool {
        let state = self.state.borrow();
        self.queue.borrow().is_empty() && !self.driver.is_busy() && !state.is_dirty && state.doubt.is_none()
    }

    pub(super) fn next_work(session: &Rc<Session>) -> Option<Work> {
        if session.queue.borrow().is_empty() {
            return None;
        }
        let session = session.clone();
        Some(Box::pin(async move {
            while let Some(batch) = session.take_batch() {
                session.commit(batch).await;
            }
        }))
    }

    /// Takes calls from the queue that share a transaction.
    fn take_batch(&self) -> Option<Vec<Rc<Request>>> {
        let mut queue = self.queue.borrow_mut();
        let mut batch = vec![queue.pop_front()?];
        let mut weight = batch.first().map_or(0, |request| request.op.weight());
        let is_alone = |request: &Rc<Request>| matches!(request.op, Op::Truncate { .. });
        while let Some(next) = queue.front() {
            weight = weight.saturating_add(next.op.weight());
            if weight > BATCH_SIZE_MAX || is_alone(next) || batch.iter().any(is_alone) {
                break;
            }
            batch.extend(queue.pop_front());
        }
        Some(batch)
    }

    async fn commit(&self, batch: Vec<Rc<Request>>) {
        match self.try_commit(&batch).await {
            Ok(answers) => batch.iter().zip(answers).for_each(|(request, answer)| request.finish(answer)),
            Err(error) if batch.len() == 1 || self.end.borrow().is_some() || is_lost(&error) => {
                batch.iter().for_each(|request| request.finish(Err(error.clone())));
            }
            // One of them is the reason, such as a full quota: the others need not fail.
            Err(_) => {
                for request in batch {
                    let done = self.try_commit(std::slice::from_ref(&request)).await;
                    request.finish(done.and_then(|mut answers| answers.pop().unwrap_or(Err(Error::Closed))));
                }
            }
        }
    }

    async fn try_commit(&self, batch: &[Rc<Request>]) -> Result<Vec<Result<u64>>> {
        self.check()?;
        self.settle().await?;
        let known = self.learn(batch).await?;
        let (answers, plan) = {
            let state = self.state.borrow();
            let open = self.open_files.borrow();
            let is_open = |file: u64| open.contains(&file);
            let planner = Planner::new(state.head, state.directory.clone(), &is_open, &known);
            planner.plan(batch.iter().map(|request| &request.op), state.is_dirty)
        };
        if let Some(plan) = plan {
            let plan = Rc::new(plan);
            self.state.borrow_mut().running = Some(plan.clone());
            let written = self.write(plan).await;
            self.state.borrow_mut().running = None;
            written?;
        }
        Ok(answers)
    }

    /// Reads the ends of files that calls change.
    async fn learn(&self, batch: &[Rc<Request>]) -> Result<Vec<(Needed, Vec<u8>)>> {
        let needed: Vec<(Needed, Rc<Stored>)> = {
            let state = self.state.borrow();
            let needs = batch.iter().filter_map(|request| request.op.needs(&state.directory));
            needs.filter_map(|needed| Some((needed, state.directory.file(needed.file)?.clone()))).collect()
        };
        let mut known = Vec::new();
        for (needed, stored) in needed {
            let kept = usize::try_from(needed.size % CHUNK_SIZE).unwrap_or_default();
            let offset = needed.size.saturating_sub(needed.size % CHUNK_SIZE);
            let content = Content { file: needed.file, name: stored.name.as_str().into(), size: stored.size };
            let tail = self.read(&content, offset, kept).await?;
            if needed.size == stored.size {
                self.state.borrow_mut().directory.learn_tail(needed.file, needed.size, tail.clone());
            }
            known.push((needed, tail));
        }
        Ok(known)
    }
}
