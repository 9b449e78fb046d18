//! A bundle of one's own: learned from what people decided about the titles of a library, beginning with
//! what another bundle says of them.
//!
//! in: a catalog whose genres are people's ([`Curated`] counts them), what modalities see of its titles,
//! and the bundle to begin with; out: a [`Material`] to learn from, [`Figures`] of what comes of it beside
//! that bundle, the titles to label next ([`doubtful`]), and the bundle ([`Lesson::bundle`]).
//!
//! How much is added to the word of the first bundle grows with the titles by itself: all that is learned
//! is a correction of its log-odds, and each weight is held near zero ([`learn::config::PriorSettings`]).

mod curated;
mod error;
mod figures;
mod genres;
mod lesson;
mod material;
mod next;

pub use curated::{Curated, GenreCount};
pub use error::AdaptError;
pub use figures::Figures;
pub use genres::{Genre, common_genres};
pub use lesson::{Lesson, PINNED_FROM};
pub use material::Material;
pub use next::doubtful;
