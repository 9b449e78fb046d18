//! Tags films with genres from their trailers, posters, plots and metadata.
//!
//! The rooms, lowest floor first; a room imports from lower floors only (a test sees to it).
//! `ARCHITECTURE.md` walks through them.

pub use base;

pub use catalog;
pub use eval;
pub use media;
pub use nn;
pub use store;

pub use dataset;
pub use demo;
pub use encode;

pub use extract;
pub use learn;

pub use report;
pub use tag;

pub use write;

pub use pipeline;

pub use cli;
