//! Whose a genre is: what the program gave, and what people made of it.
//!
//! in: `.cinetag/` at the root of a tree, in which every run that writes sidecars keeps its journal;
//! out: of each sidecar the genres that the program gave and those that somebody took out
//! ([`Memory`]), and what people answered about titles ([`reviews`]). Genres that the program gave are
//! never labels.
//!
//! A library may come from elsewhere with such a folder in it: nothing in it is trusted.

mod beneath;
mod error;
pub mod journal;
mod memory;
pub mod reviews;

pub use beneath::{files_ending_in, is_outside, make_folders, read, resolve, unfit};
pub use error::CurationError;
pub use journal::{FOLDER, Known, RunHeader};
pub use memory::{Change, Memory, changes};
