//! `kind = "demo"`: renders the synthetic demo library.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base::output::make_project_folder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Context, Outcome, Stage};
use crate::{Lock, PipelineError};

/// Where it goes and how large it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Folder of the library.
    pub folder: PathBuf,
    /// Number of titles.
    pub titles: usize,
}

impl Stage for Settings {
    fn inputs(&self, context: &Context<'_>) -> Result<BTreeMap<String, Value>, PipelineError> {
        Ok(BTreeMap::from([
            ("recipe".to_owned(), json!(demo::recipe_digest())),
            ("seed".to_owned(), json!(context.pipeline.run.seed)),
        ]))
    }

    fn check(&self, _context: &Context<'_>, _lock: &Lock) -> Result<(), PipelineError> {
        Ok(make_project_folder(&self.folder)?)
    }

    fn rewrites(&self, _context: &Context<'_>, file: &Path) -> bool {
        std::path::absolute(&self.folder).is_ok_and(|folder| file.starts_with(folder))
    }

    fn run(&self, context: &Context<'_>, _lock: &Lock) -> Result<Outcome, PipelineError> {
        let library = demo::render(
            &self.folder,
            self.titles,
            context.pipeline.run.seed,
            context.progress,
            context.interrupt,
        )?;
        Ok(Outcome {
            summary: format!(
                "{} synthetic titles in {}",
                library.num_titles,
                self.folder.display()
            ),
            outputs: vec![library.catalog],
            skipped: 0,
        })
    }
}
