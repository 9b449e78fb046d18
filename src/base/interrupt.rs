//! Ctrl-C as a value: long work looks at it between items and leaves a state to go on from.

use std::sync::{
    Arc, LazyLock,
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
    /// The one that Ctrl-C and SIGTERM raise. Long reads of single files look at it; whatever goes
    /// from item to item is given its own, as a value.
    #[must_use]
    pub fn of_process() -> &'static Self {
        static OF_PROCESS: LazyLock<Interrupt> = LazyLock::new(Interrupt::default);
        &OF_PROCESS
    }

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
