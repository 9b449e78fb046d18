//! Whether a device computes what the processor does, and how fast: `docs/cuda.md`.
//!
//! Each part is a process of its own with an end to its time, so that one that crashes, hangs or
//! leaves the device unusable costs its own lines only. A part prints a [`Row`] a line; so does
//! `scripts/time_device.py`, which has PyTorch do the same.

pub mod collect;
pub mod films;
pub mod networks;
pub mod parity;
pub mod rates;
pub mod row;
pub mod training;

use std::path::PathBuf;

use cinetag::base::DeviceChoice;

pub use row::Row;

/// Whatever ends a part.
pub type Fail = Box<dyn std::error::Error>;

/// What a part is given, and where its rows go.
pub type Part = fn(&Setup, &mut dyn FnMut(Row)) -> Result<(), Fail>;

/// All parts, in the order in which they matter: a lease may end at any time.
pub const PARTS: [(&str, Part); 5] = [
    ("parity", parity::run),
    ("training", training::run),
    ("tag", films::tag),
    ("rates", rates::run),
    ("decoding", films::decoding),
];

/// What is checked, and with what.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The device that is held against the processor.
    pub device: DeviceChoice,
    /// Holds `weights/` (a cache), `networks/` (tiny ones) and `library/` (films); each may lack.
    pub data: PathBuf,
    /// What the check writes.
    pub out: PathBuf,
    /// `cinetag`, or this program, which is cinetag too.
    pub program: PathBuf,
    /// Titles of the training set.
    pub titles: usize,
    /// A measurement takes at least so long, and its batches are raised until one takes as long.
    pub secs: f64,
}
