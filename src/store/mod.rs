//! Features on disk: HDF5 shards that are never changed once published.
//!
//! The format is specified in `feature_store/README.md`. All of HDF5 lives here.

mod row;

pub use row::{EncoderIdentity, FailureRow, FeatureRow, Ragged};
