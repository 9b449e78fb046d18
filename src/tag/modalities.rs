//! The modalities of a run or a bundle, opened, and the table that heads see through them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::TagError;
use crate::{
    base::Digest,
    catalog::{Title, Vocabulary},
    encode::{EncodeError, EncoderContext, Modality, Opened, RecordReader, SourceKind, registry},
    extract::{OpenEncoder, source_key},
    learn::{
        dataset::{Content, Dataset, ModalityTable},
        sentence_states::SentenceStates,
    },
    store::{FeatureStore, SourceDigests},
};

/// The key of no source: no content is known that has it, so it reads as missing.
const NO_SOURCE: Digest = Digest::from_bytes([0; 32]);

/// Opened modalities, in the registry's order.
pub struct OpenModalities {
    encoders: Vec<OpenEncoder>,
    records: Vec<(&'static dyn Modality, Box<dyn RecordReader>)>,
}

impl OpenModalities {
    /// Opens the modalities named in `settings` (name → its table).
    ///
    /// # Errors
    /// Settings that are no settings; weights or device that are not there.
    pub fn open(
        settings: &BTreeMap<String, Value>,
        context: &EncoderContext,
    ) -> Result<Self, EncodeError> {
        let mut opened = Self { encoders: Vec::new(), records: Vec::new() };
        for &modality in registry::MODALITIES {
            let Some(settings) = settings.get(modality.name()) else { continue };
            match modality.open(settings, context)? {
                Opened::Encoder(encoder) => opened.encoders.push(OpenEncoder { modality, encoder }),
                Opened::Records(reader) => opened.records.push((modality, reader)),
            }
        }
        Ok(opened)
    }

    /// Those whose features are cached.
    #[must_use]
    pub fn encoders(&self) -> &[OpenEncoder] {
        &self.encoders
    }

    /// Names in the order of the table: encoders, then records, each in the registry's order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let encoders = self.encoders.iter().map(|open| open.modality.name());
        encoders.chain(self.records.iter().map(|(modality, _)| modality.name())).collect()
    }

    /// Name → what made its numbers: an encoder's fingerprint, or a record's columns.
    #[must_use]
    pub fn description(&self) -> Value {
        let mut description = serde_json::Map::new();
        for open in &self.encoders {
            let identity = open.encoder.identity();
            description.insert(identity.name.clone(), json!(identity.fingerprint));
        }
        for (modality, reader) in &self.records {
            description.insert(modality.name().to_owned(), reader.description());
        }
        Value::Object(description)
    }

    /// What each modality sees of a title, in words: equal words give equal tags.
    pub(super) fn seen(&self, title: &Title, digests: &SourceDigests) -> Vec<String> {
        let encoders = self.encoders.iter().map(|open| {
            source_key(open.modality, title, digests)
                .map_or_else(String::new, |source| source.key.to_string())
        });
        let records =
            self.records.iter().map(|(_, reader)| json!(reader.record(title)).to_string());
        encoders.chain(records).collect()
    }

    /// The table of these titles: features from the store, records from the titles. It has
    /// no labels: titles to tag may come with genres of another vocabulary.
    ///
    /// # Errors
    /// A title's source is in the store neither as features nor as a failure: it was never
    /// extracted; or the store is damaged.
    pub fn table(
        &self,
        titles: &[Title],
        vocabulary: &Vocabulary,
        store: &FeatureStore,
        digests: &SourceDigests,
    ) -> Result<Dataset, TagError> {
        let mut modalities = Vec::new();
        for open in &self.encoders {
            let folder = store.encoder(open.encoder.identity())?;
            let index = folder.index()?;
            let mut keys = Vec::with_capacity(titles.len());
            let mut num_unknown = 0;
            for title in titles {
                let source = source_key(open.modality, title, digests);
                let key = source.map(|source| source.key);
                let known = key.filter(|key| index.contains(key));
                let failed = key.is_some_and(|key| index.failure(&key).is_some());
                num_unknown += usize::from(key.is_some() && known.is_none() && !failed);
                keys.push(known.unwrap_or(NO_SOURCE));
            }
            if num_unknown > 0 {
                return Err(TagError::NotExtracted {
                    modality: open.modality.name().to_owned(),
                    num_titles: num_unknown,
                });
            }
            let rows = folder.read_with(&index, &keys)?;
            let (name, content) = (open.modality.name(), Content::Rows(rows));
            modalities.push(if open.encoder.wants().is_empty() {
                let words = titles.iter().map(|title| match open.modality.source(title) {
                    Some(SourceKind::Text(text)) => Some(text),
                    _ => None,
                });
                let table = ModalityTable::text(name, content, words.collect());
                match open.encoder.sentence_network() {
                    Some(network) => table.with_sentences(SentenceStates::new(
                        network,
                        open.encoder.identity().fingerprint.clone(),
                    )),
                    None => table,
                }
            } else {
                ModalityTable::new(name, content)
            });
        }
        for (modality, reader) in &self.records {
            let rows = titles.iter().map(|title| reader.record(title)).collect();
            let content = Content::Records { schema: reader.schema(), rows };
            modalities.push(ModalityTable::new(modality.name(), content));
        }
        Ok(Dataset {
            titles: titles.iter().map(|title| title.id.clone()).collect(),
            genres: vocabulary.names().to_vec(),
            labels: vec![false; titles.len() * vocabulary.len()],
            modalities,
        })
    }
}
