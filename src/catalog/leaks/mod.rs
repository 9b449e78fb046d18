//! What makes held-out figures too good: the same film on both sides of a split, and plots that
//! say the genre outright.
//!
//! in: titles, their folds; out: what was found, titles by index
//! source: the traps of published work on genres; Broder 1997, "On the resemblance and
//! containment of documents" (shingles)

mod duplicates;
mod naming;

pub use duplicates::{NearDuplicate, TornGroup, near_duplicates, torn_groups};
pub use naming::{GenreWords, names_own_genre, sentences};
