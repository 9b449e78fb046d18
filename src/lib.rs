//! Tags films with genres from their trailers, posters, plots and metadata.
//!
//! Each folder of `src/` is a crate; here they stand under one name, lowest floor first.
//! `ARCHITECTURE.md` walks through them, `examples/` has programs.
//!
//! ```no_run
//! use cinetag::{
//!     base::DeviceChoice,
//!     catalog::{self, Hints},
//!     encode::EncoderContext,
//!     extract::{ExtractSettings, Session},
//!     media::worker,
//!     store::FeatureStore,
//!     tag::{ShippedBundle, Tagger},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! worker::serve_if_asked(); // films are decoded in processes of this same program
//! let titles = catalog::open(&["films".into()], &Hints::default())?.catalog.titles;
//! let shipped = ShippedBundle::for_titles(&titles)?.ok_or("no bundle fits")?;
//! let bundle = shipped.load(DeviceChoice::Auto)?;
//! let modalities = bundle.open_modalities(&EncoderContext::default())?;
//! let store = FeatureStore::open("feature_store".as_ref());
//! let session = Session::new(modalities.into(), &store, &ExtractSettings::default());
//! for title in &titles {
//!     let tags = Tagger::new(&bundle).tag(std::slice::from_ref(title), session.look(title)?)?;
//!     println!("{}: {:?}", title.name, tags[0].genres);
//! }
//! # Ok(())
//! # }
//! ```

pub use base;

pub use catalog;
pub use curation;
pub use eval;
pub use media;
pub use nn;
pub use store;

pub use dataset;
pub use demo;
pub use encode;

pub use extract;
pub use learn;

pub use report;
pub use tag;

pub use adapt;
pub use write;

pub use pipeline;

pub use cli;
