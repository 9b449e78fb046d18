//! Borrowed modalities: a trailer's speech is read as if it were a plot, its pictures are looked
//! at as if they were posters.
//!
//! No view of the head is fitted on them. The head that was fitted on a catalog's own modalities
//! is asked what it would say if the transcript stood in the plot's place and nothing else were
//! there; what that departs from the head's prior is raw evidence. What the evidence is worth is
//! judged on titles that have the borrowed modality, each seen by members that saw neither it nor
//! its group: a slope and an offset for each genre, thresholds, and whether the genre has a vote
//! at all. Never on plots or posters.
//!
//! The evidence is added to the log-odds of what else is known (the prior where nothing is), so
//! the prior counts once and a borrowed modality's contribution is exact.

mod ask;
mod fit;
mod join;
#[cfg(test)]
mod tests;

pub use crate::{
    config::Borrowing,
    spec::{BorrowedModality, Vote},
};
pub(crate) use ask::{Answers, ask};
pub(crate) use fit::{BESIDE_BORROWED, Ensemble, fit};
pub(crate) use join::{lent, spread};
