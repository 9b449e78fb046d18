//! How a bundle of one's own was learned, so that it can be learned anew.

use std::{io, path::PathBuf};

use base::{file, json, publish_bytes};
use serde::{Deserialize, Serialize};
use tag::Versions;

use super::Failure;

const FILE: &str = "learn.json";

/// `HOME/NAME/learn.json`. It names places of this machine, and so lies beside the versions, not in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// The library or catalog.
    pub(super) path: PathBuf,
    /// The bundle to begin with, as `--prior` had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) prior: Option<String>,
    /// The catalog's column of ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id_column: Option<String>,
    /// What is drawn is drawn from it.
    pub(super) seed: u64,
    /// Where features are kept.
    pub(super) store: PathBuf,
}

impl Recipe {
    /// Reads that of a bundle.
    pub(super) fn read(versions: &Versions) -> Result<Self, Failure> {
        let path = versions.folder().join(FILE);
        let refuse = |why: String| {
            Failure::usage(
                format!("{}: {why}", path.display()),
                format!(
                    "`cinetag learn PATH --as {}` learns it and remembers how",
                    versions.name()
                ),
            )
        };
        let bytes = file::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                refuse("it is not known how this bundle was learned".to_owned())
            }
            _ => refuse(error.to_string()),
        })?;
        serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))
    }

    /// Writes it beside the versions, as a whole file.
    pub(super) fn write(&self, versions: &Versions) -> Result<(), Failure> {
        let path = versions.folder().join(FILE);
        Ok(publish_bytes(&path, json::pretty(self).as_bytes())?)
    }
}
