//! All modalities, in the order of fusion, stores and reports; and what a pipeline or a bundle makes
//! of them.

use std::collections::BTreeMap;

use catalog::Title;
use serde_json::Value;

use super::{
    audio, frames, metadata,
    modality::{EncodeError, Modality, SourceKind},
    plot, poster, speech,
};

/// Every modality there is.
pub const MODALITIES: &[&dyn Modality] = &[
    &frames::Frames,
    &audio::Audio,
    &speech::Speech,
    &poster::Poster,
    &plot::Plot,
    &metadata::Metadata,
];

/// The setting that says which modality an instance is of; without it, its name does.
const KIND: &str = "kind";

/// Finds a modality by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Modality> {
    MODALITIES.iter().copied().find(|modality| modality.name() == name)
}

/// All names, for messages.
#[must_use]
pub fn names() -> Vec<&'static str> {
    MODALITIES.iter().map(|modality| modality.name()).collect()
}

/// A modality as a pipeline uses it: `[modality.NAME]`, of which there may be several of one kind.
#[derive(Clone)]
pub struct Instance {
    /// Its name: in pipelines, tables, bundles and reports.
    pub name: String,
    /// What it is.
    pub modality: &'static dyn Modality,
    /// Its settings without the kind.
    pub settings: Value,
}

impl Instance {
    /// Where a title's content for it is.
    #[must_use]
    pub fn sources(&self, title: &Title) -> Vec<SourceKind> {
        self.modality.sources(title, &self.settings)
    }
}

/// The modalities that `settings` (name → its table) name, in the registry's order; those of one
/// kind by their names.
///
/// # Errors
/// A name that is no modality's and says no kind, or an unknown kind.
pub fn instances(settings: &BTreeMap<String, Value>) -> Result<Vec<Instance>, EncodeError> {
    let mut instances = Vec::with_capacity(settings.len());
    for (name, settings) in settings {
        let refuse = |message: String| EncodeError::Settings { modality: name.clone(), message };
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(refuse("a name is made of a-z 0-9 -".to_owned()));
        }
        let mut settings = settings.clone();
        let kind = settings.as_object_mut().and_then(|table| table.shift_remove(KIND));
        let kind = match &kind {
            None => name.as_str(),
            Some(kind) => kind
                .as_str()
                .ok_or_else(|| refuse(format!("`{KIND}` must be a name, got {kind}")))?,
        };
        let modality = find(kind).ok_or_else(|| {
            let known = names().join(", ");
            refuse(format!("is not known: there are {known}; `{KIND}` says which of them it is"))
        })?;
        instances.push(Instance { name: name.clone(), modality, settings });
    }
    let place = |kind: &str| MODALITIES.iter().position(|modality| modality.name() == kind);
    instances.sort_by_key(|instance| place(instance.modality.name()));
    Ok(instances)
}

/// Ids of the pretrained models that these need, each once.
#[must_use]
pub fn weights(instances: &[Instance]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for instance in instances {
        for id in instance.modality.weights(&instance.settings) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(settings: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(settings).unwrap()
    }

    #[test]
    fn instances_stand_in_the_registrys_order_and_by_their_names() {
        let settings = given(json!({
            "plot": {}, "frames-b": {"kind": "frames", "side": 1}, "audio": {}, "frames-a": {"kind": "frames"},
        }));
        let found = instances(&settings).unwrap();
        let names: Vec<&str> = found.iter().map(|instance| instance.name.as_str()).collect();
        assert_eq!(names, ["frames-a", "frames-b", "audio", "plot"]);
        assert_eq!(found[1].settings, json!({"side": 1}));
        assert_eq!(found[1].modality.name(), "frames");
    }

    #[test]
    fn what_is_no_modality_is_refused_by_name() {
        for (settings, words) in [
            (json!({"eyes": {}}), "modality eyes: is not known: there are frames, audio"),
            (json!({"eyes": {"kind": "sight"}}), "`kind` says which"),
            (json!({"eyes": {"kind": 1}}), "`kind` must be a name, got 1"),
            (json!({"Eyes": {"kind": "frames"}}), "a-z 0-9 -"),
        ] {
            let message = instances(&given(settings)).err().unwrap().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
