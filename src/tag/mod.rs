//! Model bundles and the tags they give.
//!
//! in: a bundle (what `cinetag train` wrote) and titles; out: per title and genre a
//! probability, a decision, what each modality contributed, and which moments of the
//! trailer spoke.

mod bundle;
mod card;
mod error;
mod explain;
mod modalities;
mod predict;
mod titles;
mod write;

pub use bundle::{Bundle, BundleConfig, BundleModality, TrainedOn};
pub use card::model_card;
pub use error::TagError;
pub use explain::{Explanation, WordEffect, explain};
pub use modalities::OpenModalities;
pub use predict::{GenreScore, Moment, Tagger, TitleTags};
pub use titles::{TagSummary, tag_titles};
pub use write::{TagFormat, TagWriter};
