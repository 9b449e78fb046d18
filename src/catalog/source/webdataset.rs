//! WebDataset shards: tar archives in which files of one key are one sample.
//!
//! source: WebDataset, "The WebDataset Format": members of one key stand next to each other,
//! the key is the path up to the first dot of the file's name, the rest is the kind:
//! `0001.mp4`, `0001.jpg`, `0001.txt` (the plot), `0001.json` (any columns).
//!
//! `path` is a shard (`.tar`, `.tar.gz`) or a folder of them. Media must be unpacked to be
//! decoded: an import does that into its folder; read directly, a shard gives texts alone.

use std::{
    collections::HashMap,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use serde_json::Value;

use super::{Intake, Row, Source, files_below, gz, json};
use crate::catalog::{
    CatalogError, ProblemKind,
    decode::decode,
    media_kind::{IMAGE, VIDEO},
};

/// A text member larger than this is none.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// WebDataset.
pub(super) struct WebDataset;

impl Source for WebDataset {
    fn name(&self) -> &'static str {
        "webdataset"
    }

    fn about(&self) -> &'static str {
        "WebDataset tar shards: key.mp4, key.jpg, key.txt, key.json"
    }

    fn terms(&self) -> &'static str {
        "whatever the shards' maker says"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let mut is_told = false;
        for shard in files_below(path, &["tar", "gz", "tgz"])? {
            let cut = |error: io::Error| CatalogError::Format {
                path: shard.clone(),
                message: format!("is no whole tar archive ({error})"),
                hint: "make or download the shard again".to_owned(),
            };
            let mut archive = tar::Archive::new(gz::open(&shard).map_err(cut)?);
            let mut sample = Sample::default();
            for member in archive.entries().map_err(cut)? {
                let mut member = member.map_err(cut)?;
                if !member.header().entry_type().is_file() {
                    continue;
                }
                let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
                let Some((key, kind)) = key_and_kind(&name) else { continue };
                if key != sample.key {
                    sample.finish(&shard, intake);
                    let shard = shard.file_stem().unwrap_or_default().to_string_lossy();
                    sample = Sample {
                        shard: shard.into_owned(),
                        key: key.to_owned(),
                        ..Sample::default()
                    };
                }
                let is_media = VIDEO.contains(&kind) || IMAGE.contains(&kind);
                if is_media && !intake.unpacks() {
                    if !is_told {
                        is_told = true;
                        intake.warn(
                            ProblemKind::MissingFile,
                            (&shard, 0),
                            "media in a tar archive cannot be decoded where they are",
                            "run `cinetag catalog import webdataset`, which unpacks them",
                        );
                    }
                    continue;
                }
                sample.add(kind, &mut member, intake).map_err(cut)?;
            }
            sample.finish(&shard, intake);
        }
        Ok(())
    }
}

/// `a/0001.seg.json` has the key `a/0001` and the kind `seg.json`.
fn key_and_kind(name: &str) -> Option<(&str, &str)> {
    let base = name.rfind('/').map_or(0, |at| at + 1);
    let dot = base + name[base..].find('.').filter(|&at| at > 0)?;
    Some((&name[..dot], &name[dot + 1..]))
}

#[derive(Default)]
struct Sample {
    /// The shard's name without extension: keys are unique in one only.
    shard: String,
    key: String,
    texts: HashMap<&'static str, String>,
    columns: json::Object,
}

impl Sample {
    fn add(
        &mut self,
        kind: &str,
        member: &mut impl Read,
        intake: &mut Intake<'_>,
    ) -> io::Result<()> {
        let column = match kind {
            _ if VIDEO.contains(&kind) => "trailer",
            _ if IMAGE.contains(&kind) => "poster",
            "txt" | "plot.txt" => "plot",
            "json" => {
                let mut bytes = Vec::new();
                member.take(MAX_TEXT_BYTES).read_to_end(&mut bytes)?;
                if let Ok(Value::Object(object)) = serde_json::from_slice(&bytes) {
                    self.columns = object;
                } else {
                    let name = format!("{}.json", self.key);
                    intake.decide(format!("member {name} is no JSON object and is not used"));
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        let text = if column == "plot" {
            let mut bytes = Vec::new();
            member.take(MAX_TEXT_BYTES).read_to_end(&mut bytes)?;
            decode(&bytes, None)
        } else {
            // A key is a name that others gave: nothing of it may lead out of the folder.
            let name = format!("{}-{}.{kind}", self.shard, self.key);
            let name = name.replace(['/', '\\', ':'], "_");
            intake.keep_media(&name, member)?.unwrap_or_default()
        };
        self.texts.insert(column, text);
        Ok(())
    }

    /// Hands the sample over, if it is one.
    fn finish(&mut self, shard: &Path, intake: &mut Intake<'_>) {
        if self.key.is_empty() {
            return;
        }
        let stated = |name: &str| json::text(&self.columns, name);
        let file: Arc<Path> = shard.into();
        let mut row = Row::at(file, 0).text("id", stated("id").unwrap_or_else(|| self.key.clone()));
        for column in ["trailer", "poster", "plot"] {
            row = row.maybe(column, self.texts.get(column));
        }
        for (name, value) in &self.columns {
            row = match value {
                _ if row.get(name).is_some() => row,
                // A path of where the shard was made names nothing here.
                _ if ["poster", "trailer"].contains(&name.as_str()) => row,
                Value::Array(_) => row.list(name, json::names(Some(value), &["name"])),
                _ => row.maybe(name, json::text(&self.columns, name)),
            };
        }
        intake.title(row);
        self.key.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_at_the_first_dot_of_the_name() {
        assert_eq!(key_and_kind("0001.mp4"), Some(("0001", "mp4")));
        assert_eq!(key_and_kind("a.b/0001.seg.json"), Some(("a.b/0001", "seg.json")));
        assert_eq!(key_and_kind("./x.jpg"), Some(("./x", "jpg")));
        assert_eq!(key_and_kind("README"), None);
        assert_eq!(key_and_kind("a/.hidden"), None);
    }
}
