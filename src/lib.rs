//! Tags films with genres from their trailers, posters, plots and metadata.
//!
//! The rooms, lowest floor first; a room imports from lower floors only (a test sees to it).
//! `ARCHITECTURE.md` walks through them.

pub mod base;
pub mod catalog;
pub mod encode;
pub mod learn;
pub mod media;
pub mod store;
