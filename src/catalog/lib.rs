//! The titles of a library and what is known about them before anything is decoded.
//!
//! in: a catalog file and the declaration of its columns ([`CatalogSpec`]), or paths of whatever
//! holds titles ([`mod@open`]); out: a [`Catalog`]: titles in the file's order, a closed genre vocabulary, and the
//! problems found on the way ([`Problem`]). [`split`] divides titles for training.

mod clean;
mod content;
mod decided;
mod decode;
mod delimited;
mod error;
pub mod export;
pub mod feedback;
mod folders;
mod format;
mod genres;
mod ids;
pub mod import;
mod jsonl;
pub mod leaks;
mod library;
mod lines;
mod load;
mod media_kind;
pub mod nfo;
pub mod open;
mod paths;
mod problem;
mod row;
pub mod source;
mod spec;
pub mod split;
mod subtitles;
mod summary;
mod title;
mod trailer_names;
pub mod vocabularies;
mod xml;

pub use content::digest;
pub use decode::decode as decode_text;
pub use error::CatalogError;
pub use format::Format;
pub use ids::FilmIds;
pub use load::{load, load_numbered};
pub use open::{Hints, Opened, Seen, TitlePlace, open};
pub use paths::from_paths;
pub use problem::{Problem, ProblemKind, Severity};
use row::Row;
pub use spec::{CatalogSpec, Columns, GenreSpec, MetadataColumns, Need, Separator, VocabularySpec};
pub use split::Folds;
pub use subtitles::subtitles_of;
pub use summary::{Availability, CatalogSummary, GenreSupport, check};
pub use title::{Catalog, Record, RecordSchema, Title, Vocabulary};
