//! Ctrl-C as a value: long work looks at it between items and leaves a state to go on from.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A flag that is raised once and seen everywhere; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

/// The user asked to stop; what was finished is kept.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; what was computed is kept")]
pub struct Interrupted;

impl Interrupt {
    /// Raises the flag.
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Was it raised?
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// # Errors
    /// [`Interrupted`] once the flag is raised.
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.is_raised() { Err(Interrupted) } else { Ok(()) }
    }
}
