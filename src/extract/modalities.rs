//! The opened modalities of a pipeline or a bundle.

use std::{collections::BTreeMap, fmt, sync::Arc};

use base::{Digest, digest::canonical_json};
use catalog::Title;
use encode::{EncodeError, Encoder, EncoderContext, Instance, Opened, RecordReader, registry};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::SourceDigests;

use super::OpenEncoder;

/// The setting of modalities that listen, which the context overrides.
const HEAR: &str = "hear";

/// What made a modality's numbers. Where it is the same, so are they.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MadeBy {
    /// An encoder's fingerprint; of one that reads a text, after that of the encoder which gives it.
    Encoder(String),
    /// What a record reads off the catalog.
    Columns(Value),
}

impl fmt::Display for MadeBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base::json::line(self))
    }
}

/// Modalities made ready, in the registry's order: encoders first, then what is read off the
/// catalog.
#[derive(Default)]
pub struct OpenModalities {
    encoders: Vec<OpenEncoder>,
    records: Vec<(Instance, Box<dyn RecordReader>)>,
}

impl From<Vec<OpenEncoder>> for OpenModalities {
    /// Of these encoders alone; one that reads another's text stands right behind it.
    fn from(encoders: Vec<OpenEncoder>) -> Self {
        Self { encoders, records: Vec::new() }
    }
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

    /// The encoders whose rows the table has, in its order, with their places among all: not those
    /// whose text another reads.
    pub(super) fn columns(&self) -> impl Iterator<Item = (usize, &OpenEncoder)> {
        let is_read = |idx: usize| self.encoders.iter().any(|open| open.reads == Some(idx));
        self.encoders.iter().enumerate().filter(move |(idx, _)| !is_read(*idx))
    }

    /// What is read off the catalog.
    pub(super) fn records(&self) -> &[(Instance, Box<dyn RecordReader>)] {
        &self.records
    }

    /// Names in the order of the table: encoders, then records, each in the registry's order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let encoders = self.columns().map(|(_, open)| open.name());
        encoders.chain(self.records.iter().map(|(instance, _)| instance.name.as_str())).collect()
    }

    /// The encoders that read a title's own texts, with their places in the table.
    pub fn readers(&self) -> impl Iterator<Item = (usize, &OpenEncoder)> {
        let columns = self.columns().map(|(_, open)| open).enumerate();
        columns.filter(|(_, open)| open.encoder.wants().is_empty())
    }

    /// What made each modality's numbers, in the order of [`names`](Self::names).
    pub fn made_by(&self) -> impl Iterator<Item = (&str, MadeBy)> {
        let encoders = self.columns().map(|(_, open)| {
            let own = open.identity.fingerprint.as_str();
            let fingerprint = match open.reads {
                None => own.to_owned(),
                Some(idx) => format!("{} {own}", self.encoders[idx].identity.fingerprint),
            };
            (open.name(), MadeBy::Encoder(fingerprint))
        });
        let records = self.records.iter();
        encoders.chain(records.map(|(instance, reader)| {
            (instance.name.as_str(), MadeBy::Columns(reader.description()))
        }))
    }

    /// [`made_by`](Self::made_by) as JSON, by name.
    #[must_use]
    pub fn description(&self) -> Value {
        self.made_by().map(|(name, made_by)| (name.to_owned(), json!(made_by))).collect()
    }

    /// What each modality sees of a title, in words: equal words give equal tags.
    #[must_use]
    pub fn inputs(&self, title: &Title, digests: &SourceDigests) -> Vec<String> {
        let encoders = self.columns().map(|(_, open)| {
            let keys = open.keys(&self.encoders, title, digests);
            keys.iter().map(Digest::to_string).collect::<Vec<_>>().join(" ")
        });
        let records =
            self.records.iter().map(|(_, reader)| json!(reader.record(title)).to_string());
        encoders.chain(records).collect()
    }
}
