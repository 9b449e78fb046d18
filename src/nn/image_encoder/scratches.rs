//! Scratch memory that calls take and give back.

use std::sync::{Mutex, PoisonError};

/// As many scratches as threads were ever at work at once, so that memory is mapped once a thread.
pub(super) struct Scratches<S>(Mutex<Vec<S>>);

impl<S> Scratches<S> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Runs with a scratch of an earlier call, or a new one.
    pub(super) fn with<R>(&self, new: impl FnOnce() -> S, run: impl FnOnce(&mut S) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = lock().pop();
        let mut scratch = taken.unwrap_or_else(new);
        let result = run(&mut scratch);
        lock().push(scratch);
        result
    }
}
