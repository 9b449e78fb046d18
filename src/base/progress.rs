//! Progress as told by the rooms; only the command line draws it.

/// Receives the progress of one piece of work at a time.
pub trait Progress: Sync {
    /// Work begins; `total` where the number of items is known.
    fn begin(&self, what: &str, total: Option<u64>);
    /// `num_items` more are done.
    fn advance(&self, num_items: u64);
    /// A word beside the bar (current rate, last failure).
    fn note(&self, text: &str);
    /// The work begun last is over.
    fn end(&self);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, _num_items: u64) {}
    fn note(&self, _text: &str) {}
    fn end(&self) {}
}
