//! The titles of a library and what is known about them before anything is decoded.
//!
//! in: a catalog file and the declaration of its columns ([`CatalogSpec`]);
//! out: a [`Catalog`]: titles in the file's order, a closed genre vocabulary, and the
//! problems found on the way.

mod title;

pub use title::{Catalog, Record, RecordSchema, Title, Vocabulary};
