//! Tags films with genres from their trailers, posters, plots and metadata.
//!
//! The rooms, lowest floor first; a room imports from lower floors only (a test sees to it).
//! `ARCHITECTURE.md` walks through them.

pub mod base;

pub mod catalog;
pub mod eval;
pub mod media;
pub mod nn;
pub mod store;

pub mod demo;
pub mod encode;

pub mod extract;
pub mod learn;

pub mod report;
pub mod tag;

pub mod pipeline;

pub mod cli;
