//! The opened modalities of a pipeline or a bundle, and the table that heads see.

use std::{collections::BTreeMap, sync::Arc};

use base::{Digest, digest::canonical_json};
use catalog::{Title, Vocabulary};
use dataset::{Content, Dataset, ModalityTable, SentenceStates};
use encode::{
    EncodeError, Encoder, EncoderContext, Instance, Opened, RecordReader, SourceKind, registry,
};
use serde_json::{Value, json};
use store::{EncoderStore, FeatureStore, Index, Ragged, SourceDigests, TimedText};

use super::{ExtractError, OpenEncoder};

/// The setting of modalities that listen, which the context overrides.
const HEAR: &str = "hear";

/// Modalities made ready, in the registry's order: encoders first, then what is read off the
/// catalog.
#[derive(Default)]
pub struct OpenModalities {
    encoders: Vec<OpenEncoder>,
    records: Vec<(Instance, Box<dyn RecordReader>)>,
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
        let instances = registry::instances(settings)?;
        let ids = registry::weights(&instances);
        Self::open_all(instances, context).map_err(|error| error.naming_all(&ids))
    }

    fn open_all(instances: Vec<Instance>, context: &EncoderContext) -> Result<Self, EncodeError> {
        let mut opened = Self::default();
        let mut readers = Vec::new();
        for mut instance in instances {
            if let (Some(hear), true) =
                (context.hear, instance.modality.defaults().get(HEAR).is_some())
            {
                instance.settings[HEAR] = json!(hear);
            }
            match instance.modality.open(&instance.settings, context)? {
                Opened::Encoder(encoder) => {
                    opened.encoders.push(OpenEncoder::new(instance, Arc::from(encoder)));
                }
                Opened::Text { listener, reader, settings } => {
                    let listener = OpenEncoder::new(instance, Arc::from(listener));
                    readers.push((opened.encoders.len(), reader, settings));
                    opened.encoders.push(listener);
                }
                Opened::Records(reader) => opened.records.push((instance, reader)),
            }
        }
        // From the last on, so that the places of those before stay.
        for (idx, reader, settings) in readers.into_iter().rev() {
            let encoder = opened.reader(reader, &settings, context)?;
            let open = OpenEncoder::reading(&opened.encoders[idx], idx, encoder);
            for later in &mut opened.encoders[idx + 1..] {
                later.reads = later.reads.map(|idx| idx + 1);
            }
            opened.encoders.insert(idx + 1, open);
        }
        Ok(opened)
    }

    /// An encoder that reads texts: one that is open already with these settings, or a new one.
    fn reader(
        &self,
        reader: &str,
        settings: &Value,
        context: &EncoderContext,
    ) -> Result<Arc<dyn Encoder>, EncodeError> {
        let refuse = |message: &str| EncodeError::Settings {
            modality: reader.to_owned(),
            message: message.to_owned(),
        };
        let modality = registry::find(reader).ok_or_else(|| refuse("is not known"))?;
        let whole = |given: &Value| {
            let mut whole = modality.defaults();
            for (key, value) in given.as_object().into_iter().flatten() {
                whole[key] = value.clone();
            }
            canonical_json(&whole)
        };
        let is_same = |open: &&OpenEncoder| {
            open.instance.modality.name() == reader
                && open.reads.is_none()
                && whole(&open.instance.settings) == whole(settings)
        };
        if let Some(open) = self.encoders.iter().find(is_same) {
            return Ok(Arc::clone(&open.encoder));
        }
        match modality.open(settings, context)? {
            Opened::Encoder(encoder) => Ok(Arc::from(encoder)),
            Opened::Text { .. } | Opened::Records(_) => Err(refuse("reads no text")),
        }
    }

    /// Has modalities look only at titles in which they count: `unless` names, by their name, those
    /// beside which nothing of theirs is added.
    pub fn spare(&mut self, unless: &BTreeMap<String, Vec<String>>) {
        let all: Vec<Instance> = self.encoders.iter().map(|open| open.instance.clone()).collect();
        for open in &mut self.encoders {
            let Some(names) = unless.get(open.name()) else { continue };
            open.unless = all.iter().filter(|other| names.contains(&other.name)).cloned().collect();
        }
    }

    /// Those whose features are cached, one that reads another's text right behind it.
    #[must_use]
    pub fn encoders(&self) -> &[OpenEncoder] {
        &self.encoders
    }

    /// The encoders whose rows the table has, in its order: not those whose text another reads.
    fn columns(&self) -> impl Iterator<Item = &OpenEncoder> {
        let is_read = |idx: usize| self.encoders.iter().any(|open| open.reads == Some(idx));
        self.encoders
            .iter()
            .enumerate()
            .filter(move |(idx, _)| !is_read(*idx))
            .map(|(_, open)| open)
    }

    /// The one that looks at a title's sources for a column of the table: itself, or the one whose
    /// text it reads.
    fn eyes_of<'a>(&'a self, column: &'a OpenEncoder) -> &'a OpenEncoder {
        column.reads.map_or(column, |idx| &self.encoders[idx])
    }

    /// Names in the order of the table: encoders, then records, each in the registry's order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let encoders = self.columns().map(OpenEncoder::name);
        encoders.chain(self.records.iter().map(|(instance, _)| instance.name.as_str())).collect()
    }

    /// The encoders that read a title's own texts, with their places in the table.
    pub fn readers(&self) -> impl Iterator<Item = (usize, &OpenEncoder)> {
        self.columns().enumerate().filter(|(_, open)| open.encoder.wants().is_empty())
    }

    /// Name → what made its numbers: an encoder's fingerprint, that of one that reads a text after
    /// that of the one which gives it; or a record's columns.
    #[must_use]
    pub fn description(&self) -> Value {
        let mut description = serde_json::Map::new();
        for open in self.columns() {
            let own = open.identity.fingerprint.as_str();
            let made_by = match open.reads {
                None => own.to_owned(),
                Some(idx) => format!("{} {own}", self.encoders[idx].identity.fingerprint),
            };
            description.insert(open.name().to_owned(), json!(made_by));
        }
        for (instance, reader) in &self.records {
            description.insert(instance.name.clone(), reader.description());
        }
        Value::Object(description)
    }

    /// What each modality sees of a title, in words: equal words give equal tags.
    pub fn seen(&self, title: &Title, digests: &SourceDigests) -> Vec<String> {
        let encoders = self.columns().map(|open| {
            let keys = open.keys(&self.encoders, title, digests);
            keys.iter().map(Digest::to_string).collect::<Vec<_>>().join(" ")
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
    ) -> Result<Dataset, ExtractError> {
        let mut modalities = Vec::new();
        for open in self.columns() {
            let eyes = self.eyes_of(open);
            let rows_of = Part::open(open, store)?;
            let heard = open.reads.map(|_| Part::open(eyes, store)).transpose()?;
            let seen_by = heard.as_ref().unwrap_or(&rows_of);
            let mut keys = Keys::default();
            let mut num_unknown = 0;
            for title in titles {
                let sources = eyes.source_keys(title, digests).into_iter().map(|source| source.key);
                let mut is_unknown = false;
                for source in sources {
                    let key = if open.reads.is_some() { eyes.key_of_text(&source) } else { source };
                    let is_here = rows_of.index.contains(&key);
                    is_unknown |= !is_here
                        && rows_of.index.failure(&key).is_none()
                        && seen_by.index.failure(&source).is_none();
                    keys.push(source, key);
                }
                keys.end_title();
                num_unknown += usize::from(is_unknown);
            }
            if num_unknown > 0 {
                let modality = open.name().to_owned();
                return Err(ExtractError::NotExtracted { modality, num_titles: num_unknown });
            }
            let rows = keys.by_title(rows_of.store.read_with(&rows_of.index, &keys.rows)?);
            let (name, content) = (open.name(), Content::Rows(rows));
            let words = if open.reads.is_some() {
                let texts = seen_by.store.read_texts(&seen_by.index, &keys.sources)?;
                Some(
                    keys.texts_by_title(&texts).map(|text| text.map(|text| text.words())).collect(),
                )
            } else if open.encoder.wants().is_empty() {
                Some(titles.iter().map(|title| text_of(open, title)).collect())
            } else {
                None
            };
            let Some(words) = words else {
                modalities.push(ModalityTable::new(name, content).into());
                continue;
            };
            let mut table = ModalityTable::text(name, content, words);
            if let Some(network) = open.encoder.sentence_network() {
                let made_by = open.identity.fingerprint.clone();
                table = table.with_sentences(SentenceStates::new(network, made_by));
            }
            modalities.push(table.into());
        }
        for (instance, reader) in &self.records {
            let rows = titles.iter().map(|title| reader.record(title)).collect();
            let content = Content::Records { schema: reader.schema(), rows };
            modalities.push(ModalityTable::new(&instance.name, content).into());
        }
        Ok(Dataset {
            titles: titles.iter().map(|title| title.id.clone()).collect(),
            genres: vocabulary.names().to_vec(),
            labels: vec![false; titles.len() * vocabulary.len()],
            modalities,
        })
    }

    /// `[titles]`: what is said in each, with times; `None` where nothing is known of it. By name
    /// of the modality that heard or read it.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn transcripts(
        &self,
        titles: &[Title],
        store: &FeatureStore,
        digests: &SourceDigests,
    ) -> Result<BTreeMap<String, Vec<Option<TimedText>>>, ExtractError> {
        let mut transcripts = BTreeMap::new();
        for open in self.columns().filter(|open| open.reads.is_some()) {
            let listener = self.eyes_of(open);
            let part = Part::open(listener, store)?;
            let mut keys = Keys::default();
            for title in titles {
                for source in listener.source_keys(title, digests) {
                    keys.push(source.key, source.key);
                }
                keys.end_title();
            }
            let texts = part.store.read_texts(&part.index, &keys.sources)?;
            transcripts.insert(open.name().to_owned(), keys.texts_by_title(&texts).collect());
        }
        Ok(transcripts)
    }

    /// `[titles]`: why the `column`-th modality of the table has nothing of a title: the reason code
    /// that the store holds, and the decoder's words. `None` where nothing failed, as of records.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn failures(
        &self,
        column: usize,
        titles: &[Title],
        store: &FeatureStore,
        digests: &SourceDigests,
    ) -> Result<Vec<Option<String>>, ExtractError> {
        let Some(open) = self.columns().nth(column) else {
            return Ok(vec![None; titles.len()]);
        };
        let eyes = self.eyes_of(open);
        let rows_of = Part::open(open, store)?;
        let heard = open.reads.map(|_| Part::open(eyes, store)).transpose()?;
        let seen_by = heard.as_ref().unwrap_or(&rows_of);
        let failure = |title: &Title| {
            eyes.source_keys(title, digests).into_iter().find_map(|source| {
                let text = eyes.key_of_text(&source.key);
                let row = seen_by.index.failure(&source.key).or(rows_of.index.failure(&text))?;
                let colon = if row.detail.is_empty() { "" } else { ": " };
                Some(format!("{}{colon}{}", row.code, row.detail))
            })
        };
        Ok(titles.iter().map(failure).collect())
    }
}

fn text_of(open: &OpenEncoder, title: &Title) -> Option<String> {
    open.sources(title).into_iter().find_map(|source| match source {
        SourceKind::Text(text) => Some(text),
        SourceKind::File(_) => None,
    })
}

/// An encoder's part of the store at one moment.
struct Part {
    store: Arc<EncoderStore>,
    index: Arc<Index>,
}

impl Part {
    fn open(open: &OpenEncoder, store: &FeatureStore) -> Result<Self, ExtractError> {
        let store = store.encoder(&open.identity)?;
        let index = store.index()?;
        Ok(Self { store, index })
    }
}

/// Keys of several sources a title.
#[derive(Default)]
struct Keys {
    /// Of the sources.
    sources: Vec<Digest>,
    /// Of the rows that are made of them.
    rows: Vec<Digest>,
    /// `[titles]`: where each title's keys end.
    ends: Vec<usize>,
}

impl Keys {
    fn push(&mut self, source: Digest, rows: Digest) {
        self.sources.push(source);
        self.rows.push(rows);
    }

    fn end_title(&mut self) {
        self.ends.push(self.sources.len());
    }

    /// `[titles]`: the range of each title's keys.
    fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start..*end)
    }

    /// Rows by key as rows by title.
    fn by_title(&self, by_key: Ragged) -> Ragged {
        let ends = self.ends.iter().map(|end| by_key.offsets[*end]);
        let offsets = std::iter::once(0).chain(ends).collect();
        Ragged { offsets, ..by_key }
    }

    /// `[titles]`: the texts of a title's sources, one after another.
    fn texts_by_title<'a>(
        &'a self,
        texts: &'a [Option<TimedText>],
    ) -> impl Iterator<Item = Option<TimedText>> + 'a {
        self.ranges().map(|range| {
            let mut texts = texts[range].iter().flatten();
            let mut first = texts.next()?.clone();
            for text in texts {
                first.segments.extend(text.segments.iter().cloned());
            }
            Some(first)
        })
    }
}
