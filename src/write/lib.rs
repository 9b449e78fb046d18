//! Tags written down: many titles in one file, and sidecars beside the films.
//!
//! in: titles with their tags; out: files. [`mod@format`] lists the ways of writing them, [`sidecar`]
//! puts them into files that other programs and people write too, [`tag_titles`] takes many titles
//! through looking, prediction and writing, and [`judge`] asks two bundles about the same ones.

mod batch;
mod error;
pub mod format;
mod judge;
mod places;
pub mod sidecar;
mod sinks;
#[cfg(test)]
mod testing;
mod transcripts;
mod xml_text;

pub use batch::{TagJob, TagSummary, tag_titles};
pub use error::WriteError;
pub use judge::judge;
pub use places::places;
pub use sinks::{TableSink, TagSink};
pub use transcripts::TranscriptSink;
