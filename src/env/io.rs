//! The result of a call of a storage.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Error, Result};

/// The result of a call of a storage: ready at once, or later.
pub enum Io<T> {
    /// Ready (`None` once it has been taken).
    Ready(Option<Result<T>>),
    /// Must be awaited.
    Pending(Pin<Box<dyn Future<Output = Result<T>>>>),
}

impl<T> Io<T> {
    /// A result that is ready.
    #[inline]
    pub fn ready(result: Result<T>) -> Io<T> {
        Io::Ready(Some(result))
    }

    /// A result that must be awaited.
    pub fn pending(future: impl Future<Output = Result<T>> + 'static) -> Io<T> {
        Io::Pending(Box::pin(future))
    }

    /// The same result, transformed by `then` when it is ready.
    pub fn map<U>(self, then: impl FnOnce(Result<T>) -> Result<U> + 'static) -> Io<U>
    where
        T: 'static,
    {
        match self {
            Io::Ready(result) => Io::ready(then(result.unwrap_or(Err(Error::Closed)))),
            Io::Pending(future) => Io::pending(async move { then(future.await) }),
        }
    }
}

impl<T> Unpin for Io<T> {}

impl<T> Future for Io<T> {
    type Output = Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        match &mut *self {
            Io::Ready(result) => Poll::Ready(result.take().unwrap_or(Err(Error::Closed))),
            Io::Pending(future) => future.as_mut().poll(cx),
        }
    }
}

impl<T> fmt::Debug for Io<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Io::Ready(_)) { "Io::Ready" } else { "Io::Pending" })
    }
}
