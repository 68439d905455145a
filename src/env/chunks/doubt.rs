//! Transactions whose connection is lost: complete or not, the head tells.

use std::rc::Rc;

use super::database::{Written, is_lost, reconnect};
use super::layout::Head;
use super::plan::Plan;
use super::session::{ATTEMPTS_MAX, Session, gone};
use crate::error::{Error, Result};

impl Session {
    /// Writes a transaction; again, if its connection is lost before it is complete.
    pub(super) async fn write(&self, plan: Rc<Plan>) -> Result<()> {
        let mut failure = Error::Closed;
        for _ in 0..ATTEMPTS_MAX {
            match self.database.write(&plan.commit).await {
                Ok(Written::Done) => {
                    self.adopt(&plan);
                    return Ok(());
                }
                Ok(Written::Refused(found)) => {
                    let error = match Head::of(found) {
                        Ok(head) => Session::judge(&head, &self.head()).err().unwrap_or_else(fenced),
                        Err(error) => error,
                    };
                    return Err(self.ended(error));
                }
                Err(error) if is_lost(&error) => {
                    self.state.borrow_mut().doubt = Some(plan.clone());
                    if self.settle().await? {
                        return Ok(());
                    }
                    failure = error;
                }
                Err(error) => {
                    self.was_full.set(self.was_full.get() || matches!(error, Error::Full(_)));
                    return Err(error);
                }
            }
        }
        Err(failure)
    }

    /// Finds out whether the transaction in doubt is complete; false if there is none.
    pub(super) async fn settle(&self) -> Result<bool> {
        let Some(plan) = self.state.borrow().doubt.clone() else { return Ok(false) };
        let head = self.head_again().await?;
        if head == plan.head {
            self.adopt(&plan);
            return Ok(true);
        }
        Session::judge(&head, &self.head()).map_err(|error| self.ended(error))?;
        self.state.borrow_mut().doubt = None;
        Ok(false)
    }

    /// Connects again, and reads the head.
    async fn head_again(&self) -> Result<Head> {
        let loaded = match reconnect(&*self.database, None).await.map_err(gone) {
            Err(error @ Error::Evicted(_)) => return Err(self.ended(error)),
            loaded => loaded?,
        };
        Head::of(loaded.head).map_err(|error| self.ended(error))
    }

    /// The head after the last complete transaction.
    fn head(&self) -> Head {
        self.state.borrow().head
    }

    /// Checks that `head` is `own`, the one after the last complete transaction.
    fn judge(head: &Head, own: &Head) -> Result<()> {
        if head.database != own.database {
            return Err(Error::Evicted("the database was replaced by another one while it was open".to_owned()));
        }
        if head.epoch > own.epoch || head.commits > own.commits {
            return Err(fenced());
        }
        if head == own {
            return Ok(());
        }
        let (found, expected) = (head.commits, own.commits);
        let reason = format!("the browser went back to transaction {found}, {expected} were complete");
        Err(Error::corruption("the database", 0, reason))
    }

    /// After this, every call fails with `error`.
    fn ended(&self, error: Error) -> Error {
        self.end.replace(Some(error.clone()));
        error
    }

    /// The transaction is complete.
    fn adopt(&self, plan: &Plan) {
        let mut state = self.state.borrow_mut();
        state.head = plan.head;
        state.directory = plan.directory.clone();
        state.is_dirty = !plan.commit.is_strict;
        state.doubt = None;
        self.cache.borrow_mut().forget(&plan.cut);
    }

    /// After a connection was lost: connects again, and checks that the database is still the same.
    pub(super) async fn reconnect(&self) -> Result<()> {
        // More transactions may be complete by the time that the head has been read.
        let before = self.head();
        let head = self.head_again().await?;
        if head.database == before.database && head.epoch == before.epoch && head.commits >= before.commits {
            return Ok(());
        }
        Session::judge(&head, &before).map_err(|error| self.ended(error))
    }
}

fn fenced() -> Error {
    Error::Fenced("another page or worker has taken over the database".to_owned())
}
