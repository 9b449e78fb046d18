//! The bundle that is learned.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use base::Digest;
use catalog::{Catalog, CatalogSpec};
use eval::pinned::is_pinned;
use extract::OpenModalities;
use learn::{TrainedModel, heads::FitContext};
use serde_json::Value;
use tag::{
    About, Beside, Bundle, BundleConfig, BundleModality, KnownTitles, TrainedOn, min_stated,
    model_card,
};

use super::{AdaptError, Figures, Material};

/// With fewer titles none is kept aside: a fifth of them would be too few for the gate anyway, and they
/// are missed where titles are few.
pub const PINNED_FROM: usize = 500;

/// What is learned, and what its bundle says of itself.
pub struct Lesson<'a> {
    /// The bundle's name.
    pub name: &'a str,
    /// The titles, with what is known of them.
    pub catalog: &'a Catalog,
    /// What they come from: the file's or folder's name, and the digest of its content.
    pub source: (String, Digest),
    /// How tables are read that are tagged with it.
    pub columns: CatalogSpec,
    /// What looked at the titles.
    pub modalities: &'a OpenModalities,
    /// The settings of these, by name.
    pub settings: &'a BTreeMap<String, Value>,
    /// What is learned from.
    pub material: &'a Material,
}

impl Lesson<'_> {
    /// The titles that the bundle is trained on, and whether pinned ones were kept aside.
    #[must_use]
    pub fn titles(&self) -> (Vec<usize>, bool) {
        let all = &self.material.train;
        if all.len() < PINNED_FROM {
            return (all.clone(), false);
        }
        let is_kept = |title: &usize| !is_pinned(self.catalog.titles[*title].group_name());
        (all.iter().copied().filter(is_kept).collect(), true)
    }

    /// Learns, and writes the bundle to a folder. Equal titles and features give the same bytes.
    ///
    /// # Errors
    /// The fit fails; the folder holds something that is no bundle; it cannot be written; Ctrl-C.
    pub fn bundle(
        &self,
        folder: &Path,
        figures: Option<&Figures>,
        context: &FitContext<'_>,
    ) -> Result<TrainedModel, AdaptError> {
        let Material { data, groups, config, prior, .. } = self.material;
        let (train, pinned_aside) = self.titles();
        let model = TrainedModel::fit(data, &train, groups, config, context)?;
        let about = prior.as_ref().map(|prior| &prior.bundle.config.about);
        let (catalog, catalog_sha256) = self.source.clone();
        let borrowed = |name: &str| config.borrowed.get(name).map(|own| own.from.clone());
        let config = BundleConfig {
            format: 0,
            cinetag: String::new(),
            name: self.name.to_owned(),
            genres: self.material.vocabulary(),
            modalities: self
                .modalities
                .made_by()
                .map(|(name, made_by)| BundleModality {
                    name: name.to_owned(),
                    settings: self.settings.get(name).cloned().unwrap_or_default(),
                    made_by,
                    borrowed_from: borrowed(name),
                    min_stated: min_stated(data, name, &train),
                })
                .collect(),
            catalog: self.columns.clone(),
            trained_on: TrainedOn {
                catalog,
                catalog_sha256,
                num_titles: train.len(),
                seed: context.seed.0,
                learn: serde_json::to_value(config).unwrap_or_default(),
                pinned_aside,
            },
            notes: Vec::new(),
            about: about.map(inherited).unwrap_or_default(),
            files: BTreeMap::new(),
            models: BTreeMap::new(),
            prior: None,
        };
        let figures = figures.map(table);
        let card = model_card(&config, &model, figures.as_deref());
        let known = KnownTitles::of(train.iter().map(|&title| &self.catalog.titles[title]));
        let beside = Beside { prior: prior.as_ref(), known: Some(&known) };
        Bundle::write_with(folder, config, &model, &card, beside)?;
        Ok(model)
    }
}

/// Whose terms hold still.
fn inherited(of: &About) -> About {
    let inherit = |what: &str, text: &str| match text {
        "" => String::new(),
        text => format!("{what} the bundle that it begins with: {text}"),
    };
    About {
        terms: inherit("As of", &of.terms),
        attribution: inherit("Of", &of.attribution),
        limits: of.limits.clone(),
        ..About::default()
    }
}

/// The card's figures.
fn table(figures: &Figures) -> String {
    let verdict = &figures.verdict;
    let mut table = format!(
        "{} titles, each held out once, groups whole.\n\n| | micro F1 | mAP |\n| --- | ---: | ---: |\n\
         | **the bundle** | {:.3} | {:.3} |\n",
        figures.num_titles, verdict.micro_f1.new, verdict.map.new
    );
    if figures.is_compared {
        let (micro_f1, map) = (&verdict.micro_f1, &verdict.map);
        // Writing to a String cannot fail.
        let _ = write!(
            table,
            "| what it begins with | {:.3} | {:.3} |\n\
             | difference (90 % interval) | {:+.3} ({:+.3} to {:+.3}) | {:+.3} ({:+.3} to {:+.3}) |\n",
            micro_f1.old,
            map.old,
            micro_f1.difference,
            micro_f1.at_least,
            micro_f1.at_most,
            map.difference,
            map.at_least,
            map.at_most,
        );
    }
    table
}
