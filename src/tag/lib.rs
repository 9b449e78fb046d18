//! Model bundles and the tags they give.
//!
//! in: a bundle (what `cinetag train` wrote) and titles; out: per title and genre a
//! probability, a decision, what each modality contributed, and which moments of the
//! trailer spoke.

mod bundle;
mod card;
mod choice;
mod error;
mod explain;
mod known;
mod predict;
mod prior;
mod said;
mod shipped;
mod stated;
mod versions;

pub use bundle::{About, Beside, Bundle, BundleConfig, BundleModality, TrainedOn};
pub use card::model_card;
pub use choice::Choice;
pub use error::TagError;
pub use explain::{Explanation, WordEffect, explain};
pub use known::KnownTitles;
pub use predict::{GenreScore, Moment, Tagger, TitleTags};
pub use prior::{PRIOR, Prior, PriorConfig};
pub use said::{Said, tokens};
pub use shipped::{SHIPPED, ShippedBundle};
pub use stated::min_stated;
pub use versions::{Event, Grounds, Judged, NotAVersion, Version, Versions, Way, resolve};
