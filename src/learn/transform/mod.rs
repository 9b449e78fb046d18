//! Transforms that are fitted: on the training titles of a fold and on nothing else.

pub mod resampling;
pub mod scaling;
pub mod tabular;
pub mod tfidf;
pub mod word2vec;
pub mod word_ids;
pub mod word_vectors;

pub use scaling::Scaling;
pub use tabular::{SparseRow, TabularTransform};
pub use tfidf::{TfIdf, TfIdfSettings};
pub use word_ids::WordIds;
pub use word_vectors::WordVectors;
pub use word2vec::Word2vecSettings;
