//! `kind = "split"`: divides the titles into folds, written down with their digest.

use std::collections::BTreeMap;

use catalog::split::{Folds, stratified_group_folds};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Context, Outcome, Stage};
use crate::{Lock, Pipeline, PipelineError, StageKind};

/// File of the folds in the run folder.
pub(crate) const FILE: &str = "folds.json";

/// Where the folds come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The catalog's own column, or multi-label stratification with groups kept whole.
    #[serde(default)]
    pub by: By,
    /// Number of folds; for `by = "catalog"` the column decides.
    #[serde(default = "five")]
    pub folds: u32,
    /// How often the titles are divided anew, for repeated cross-validation; only for
    /// `by = "stratified"`.
    #[serde(default = "one")]
    pub repeats: u32,
}

fn one() -> u32 {
    1
}

/// The file of a repeat's folds in the run folder.
pub(super) fn file(repeat: u32) -> String {
    if repeat == 0 { FILE.to_owned() } else { format!("folds-{}.json", repeat + 1) }
}

/// How often the pipeline divides its titles.
pub(super) fn num_repeats(pipeline: &Pipeline) -> u32 {
    let mut kinds = pipeline.stages.iter().map(|stage| &stage.kind);
    kinds
        .find_map(|kind| match kind {
            StageKind::Split(settings) => Some(settings.repeats),
            _ => None,
        })
        .unwrap_or(1)
}

fn five() -> u32 {
    5
}

/// Who decides on the folds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The catalog's fold column.
    Catalog,
    /// Iterative stratification (Sechidis et al. 2011) over groups.
    #[default]
    Stratified,
}

impl Stage for Settings {
    fn inputs(&self, context: &Context<'_>) -> Result<BTreeMap<String, Value>, PipelineError> {
        Ok(BTreeMap::from([
            ("catalog".to_owned(), context.catalog_input()?),
            ("seed".to_owned(), json!(context.pipeline.run.seed)),
        ]))
    }

    fn run(&self, context: &Context<'_>, _lock: &Lock) -> Result<Outcome, PipelineError> {
        let catalog = context.catalog()?;
        let seed = context.pipeline.run.seed;
        let mut outcome = Outcome::default();
        let mut lines = Vec::new();
        for repeat in 0..self.repeats.max(1) {
            let folds = match (self.by, repeat) {
                (By::Catalog, _) => Folds::from_catalog(catalog)?,
                (By::Stratified, 0) => stratified_group_folds(catalog, self.folds, seed)?,
                (By::Stratified, _) => {
                    let seed = seed.derive(&format!("repeat {repeat}"));
                    stratified_group_folds(catalog, self.folds, seed)?
                }
            };
            let path = context.file(&file(repeat));
            folds.save(catalog, &path)?;
            outcome.outputs.push(path);
            lines.push(format!(
                "{} folds over {} titles, digest {}",
                folds.num_folds,
                folds.fold_of.iter().flatten().count(),
                folds.digest(catalog).short()
            ));
        }
        outcome.summary = lines.join("\n");
        Ok(outcome)
    }
}
