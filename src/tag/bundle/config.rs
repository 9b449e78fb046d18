//! What `bundle.json` says.

use std::collections::BTreeMap;

use base::Digest;
use catalog::{CatalogSpec, Vocabulary};
use extract::MadeBy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::PriorConfig;

/// `bundle.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundleConfig {
    /// Version of the layout.
    pub format: u32,
    /// Version of the program that wrote it.
    pub cinetag: String,
    /// The pipeline's name.
    pub name: String,
    /// The genres, in the order of the scores.
    pub genres: Vocabulary,
    /// The modalities, in the order of the model.
    pub modalities: Vec<BundleModality>,
    /// How the training catalog's columns are called; the default for catalogs to tag.
    pub catalog: CatalogSpec,
    /// What it was trained on.
    pub trained_on: TrainedOn,
    /// What whoever uses it must know.
    pub notes: Vec<String>,
    /// Terms and limits.
    #[serde(default)]
    pub about: About,
    /// Digests of the model's files, by name.
    pub files: BTreeMap<String, Digest>,
    /// Digests of weights outside the bundle that its modalities name by a path, by that path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, Digest>,
    /// The bundle that it begins with, in its folder `prior`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<PriorConfig>,
}

/// Under which terms a bundle may be used and what it is good for. Empty where its maker said
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct About {
    /// Under which terms it may be used, in a sentence or two.
    pub terms: String,
    /// Whose data it was trained on, as their terms want it said.
    pub attribution: String,
    /// What the data are, in a sentence or two.
    pub data: String,
    /// What it is meant for.
    pub intended_use: String,
    /// What it does not know or cannot do, a sentence each.
    pub limits: Vec<String>,
}

/// A modality of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundleModality {
    /// Its name.
    pub name: String,
    /// Its settings, as in the pipeline.
    pub settings: Value,
    /// What must be the same when tagging.
    pub made_by: MadeBy,
    /// The modality in whose place it is put: the head was not fitted on this one
    /// (`learn.borrowed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrowed_from: Option<String>,
    /// Of a record's columns so many are stated by 99 in 100 of the titles trained on. A title
    /// that states fewer is tagged without the record: what was learned of whole rows says little
    /// about a year alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_stated: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What a bundle was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedOn {
    /// File name of the catalog.
    pub catalog: String,
    /// Its content.
    pub catalog_sha256: Digest,
    /// Labelled titles.
    pub num_titles: usize,
    /// The run's seed.
    pub seed: u64,
    /// Its modalities' settings and the head's, for the card.
    pub learn: Value,
    /// Whether pinned titles were kept aside ([`eval::pinned`]), to judge bundles on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned_aside: bool,
}
