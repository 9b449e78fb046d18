//! Features on disk: HDF5 shards that are never changed once published.
//!
//! in: [`FeatureRow`]s and [`FailureRow`]s of one encoder, keyed by the digest of the
//! source's content; out: [`Ragged`] features in the order of the keys asked for, and of rows
//! that are segments of a text the [`TimedText`].
//!
//! The format is specified in `feature_store/README.md`. All of HDF5 lives here, in
//! `shard.rs`. There is no lock and no manifest: the shards in a folder are the store, so
//! any number of processes may add shards to one folder. Nothing is ever appended to but
//! [`SourceDigests`], which is a cache and may be deleted at any time.
//!
//! HDF5 itself is safe to use from several threads at once: the bindings hold one lock of
//! the process around every call into the C library. Several threads gain nothing here.

mod encoder_store;
mod error;
mod failures;
mod feature_store;
mod index;
mod read;
mod row;
mod shard;
mod sources;
mod verify;

#[cfg(test)]
mod tests;

pub use encoder_store::{EncoderStore, Published, Summary};
pub use error::{Damage, StoreError};
pub use feature_store::{FORMAT_VERSION, FeatureStore};
pub use index::Index;
pub use row::{EncoderIdentity, FailureRow, FeatureRow, Ragged, TextSegment, TimedText};
pub use sources::{SourceDigests, digest_of_text};
pub use verify::{FileReport, VerifyReport};

/// Version of the HDF5 library in use, such as `1.10.8`.
#[must_use]
pub fn library_version() -> String {
    let (major, minor, micro) = hdf5::library_version();
    format!("{major}.{minor}.{micro}")
}
