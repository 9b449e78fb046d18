//! `kind = "split"`: divides the titles into folds, written down with their digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Context, Outcome, Stage};
use crate::{
    catalog::split::{Folds, stratified_group_folds},
    pipeline::{Lock, PipelineError},
};

/// File of the folds in the run folder.
pub(super) const FILE: &str = "folds.json";

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
        let folds = match self.by {
            By::Catalog => Folds::from_catalog(catalog)?,
            By::Stratified => {
                stratified_group_folds(catalog, self.folds, context.pipeline.run.seed)?
            }
        };
        let path = context.file(FILE);
        folds.save(catalog, &path)?;
        Ok(Outcome {
            summary: format!(
                "{} folds over {} titles, digest {}",
                folds.num_folds,
                folds.fold_of.iter().flatten().count(),
                folds.digest(catalog).short()
            ),
            outputs: vec![path],
            skipped: 0,
        })
    }
}
