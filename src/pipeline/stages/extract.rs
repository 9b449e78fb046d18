//! `kind = "extract"`: fills the feature store with what the catalog's titles lack.

use std::{collections::BTreeMap, fs, path::Path, time::UNIX_EPOCH};

use base::{DigestBuilder, file, json, publish_bytes};
use encode::SourceKind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Context, Outcome, Stage};
use crate::{Lock, PipelineError};

/// It has no settings of its own: `[modality.*]` and `[extract]` hold them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {}

impl Stage for Settings {
    fn inputs(&self, context: &Context<'_>) -> Result<BTreeMap<String, Value>, PipelineError> {
        let mut sources = DigestBuilder::new();
        let catalog = context.catalog()?;
        for open in context.modalities()?.encoders() {
            for title in &catalog.titles {
                let of_title = open.sources(title);
                if of_title.is_empty() {
                    sources = sources.part("none");
                }
                for source in of_title {
                    match source {
                        SourceKind::Text(text) => sources = sources.part(text),
                        SourceKind::File(path) => {
                            let state = state_of(&path);
                            sources = sources.part(path.as_os_str().as_encoded_bytes()).part(state);
                        }
                    }
                }
            }
        }
        let encoders: Vec<_> = context
            .modalities()?
            .encoders()
            .iter()
            .map(|open| json!([open.identity.name, open.identity.fingerprint]))
            .collect();
        Ok(BTreeMap::from([
            ("encoders".to_owned(), Value::from(encoders)),
            ("sources".to_owned(), json!(sources.finish())),
            ("store".to_owned(), json!(context.pipeline.run.store)),
            ("retry".to_owned(), json!(false)),
        ]))
    }

    fn fault(&self, context: &Context<'_>) -> Result<Option<String>, PipelineError> {
        // The features lie in the store, which other runs share: look whether they still do.
        let path = context.file("shards.json");
        let missing = file::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Vec<String>>(&bytes).ok())
            .map(|shards| {
                let store = context.store().folder().to_owned();
                shards.into_iter().find(|shard| !store.join(shard).exists())
            });
        Ok(match missing {
            None => Some(format!("{} cannot be read", path.display())),
            Some(Some(shard)) => Some(format!("the store lacks {shard}")),
            Some(None) if context.options.retry != extract::Retry::No => {
                Some("failures are to be tried again".to_owned())
            }
            Some(None) => None,
        })
    }

    fn run(&self, context: &Context<'_>, _lock: &Lock) -> Result<Outcome, PipelineError> {
        let catalog = context.catalog()?;
        let modalities = context.modalities()?;
        let store = context.store();
        let report = extract::extract(
            &catalog.titles,
            modalities,
            store,
            &context.pipeline.extract,
            &context.options.retry,
            context.progress,
            context.interrupt,
        )?;
        let digests = store.sources()?;
        let mut features = BTreeMap::new();
        let mut shards = Vec::new();
        for open in modalities.encoders() {
            let identity = &open.identity;
            let folder = store.encoder(identity)?;
            let index = folder.index()?;
            let mut status = DigestBuilder::new();
            for title in &catalog.titles {
                let keys = open.keys(modalities.encoders(), title, &digests);
                status = status.part(title.id.as_str());
                if keys.is_empty() {
                    status = status.part("absent");
                }
                for key in keys {
                    let state = if index.contains(&key) { "present" } else { "failed" };
                    status = status.part(state).part(key.as_bytes());
                }
            }
            let reads = if open.reads.is_some() { " (text)" } else { "" };
            features.insert(
                format!("{}{reads}", open.name()),
                json!({ "fingerprint": identity.fingerprint, "titles": status.finish() }),
            );
            let name = format!("{}-{}", identity.name, identity.fingerprint);
            shards.extend(folder.shards()?.iter().map(|s| format!("{name}/{s}")));
        }
        // By modality: the encoder and a digest over every title's state and key.
        let path = context.file("features.json");
        write_json(&path, &features)?;
        // Not an output: other runs may add shards to the same store.
        write_json(&context.file("shards.json"), &shards)?;
        let report_path = context.file("extract.json");
        write_json(&report_path, &report)?;
        Ok(Outcome {
            outputs: vec![path],
            skipped: report.encoders.iter().map(extract::EncoderReport::num_skipped).sum(),
            summary: report.to_string().trim_end().to_owned(),
        })
    }
}

/// A file's size and time of change, in words.
fn state_of(path: &Path) -> String {
    let state = fs::metadata(path).ok().map(|meta| {
        let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some((meta.len(), modified.as_nanos()))
    });
    format!("{state:?}")
}

/// Writes a value as JSON, whole or not at all.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), PipelineError> {
    publish_bytes(path, json::pretty(value).as_bytes()).map_err(PipelineError::file(path))
}
