//! `kind = "tag"`: tags titles with the bundle of a `train` stage.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base::Claim;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tag::Choice;
use write::{TableSink, TagJob, TagSink, format::registry, tag_titles};

use super::{Context, Outcome, Stage};
use crate::{Lock, PipelineError, folder};

/// Which titles, and where the tags go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Catalog (laid out like the pipeline's), media library or folder of trailers to tag; without
    /// it the titles of the pipeline's catalog that have no genres yet, or all of them where all
    /// have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Files of the tags, in the run folder; their endings say the formats.
    #[serde(default = "out")]
    pub out: Vec<PathBuf>,
}

fn out() -> Vec<PathBuf> {
    vec!["tags.jsonl".into(), "tags.csv".into()]
}

impl Stage for Settings {
    fn inputs(&self, context: &Context<'_>) -> Result<BTreeMap<String, Value>, PipelineError> {
        let mut inputs = BTreeMap::from([("catalog".to_owned(), context.catalog_input()?)]);
        if let Some(path) = &self.path {
            inputs.insert("titles to tag".to_owned(), json!(path));
        }
        Ok(inputs)
    }

    fn check(&self, context: &Context<'_>, lock: &Lock) -> Result<(), PipelineError> {
        self.claim(context, lock).map(|_| ())
    }

    fn rewrites(&self, _context: &Context<'_>, _file: &Path) -> bool {
        false
    }

    fn run(&self, context: &Context<'_>, lock: &Lock) -> Result<Outcome, PipelineError> {
        let (bundle, session) = context.bundle("tag")?;
        let titles = if let Some(path) = &self.path {
            context.open(path)?.titles
        } else {
            let all = &context.catalog()?.titles;
            let open: Vec<_> = all.iter().filter(|title| !title.labelled).cloned().collect();
            if open.is_empty() { all.clone() } else { open }
        };
        let job = TagJob {
            titles: &titles,
            bundle: &bundle,
            session: &session,
            choice: &Choice::default(),
            // Equal runs give equal files; when they were made is in the lock.
            tagged_at: None,
        };
        let claims = self.claim(context, lock)?;
        let outputs: Vec<PathBuf> = claims.iter().map(|claim| claim.path().to_owned()).collect();
        let mut files = Vec::with_capacity(claims.len());
        for (claim, path) in claims.into_iter().zip(&outputs) {
            files.push(claim.begin().map_err(PipelineError::file(path))?);
        }
        let mut sinks = Vec::with_capacity(files.len());
        for (file, path) in files.iter().zip(&outputs) {
            let format = registry::of_path(path).unwrap_or(registry::FORMATS[0]);
            sinks.push(TableSink::create(file.path(), format, &bundle)?.named(path));
        }
        let mut all: Vec<&mut dyn TagSink> = Vec::with_capacity(sinks.len());
        all.extend(sinks.iter_mut().map(|sink| sink as &mut dyn TagSink));
        let done = tag_titles(&job, &mut all, context.progress, context.interrupt)?;
        drop(all);
        for (sink, file) in sinks.into_iter().zip(files) {
            sink.finish()?;
            file.publish()?;
        }
        let summary = format!("{} tags for {} titles", done.num_tags, done.num_titles);
        Ok(Outcome { outputs, summary, skipped: done.num_skipped })
    }
}

impl Settings {
    fn claim(&self, context: &Context<'_>, lock: &Lock) -> Result<Vec<Claim>, PipelineError> {
        let mut outputs = folder::outputs(context.pipeline, context.options, lock);
        self.path.iter().filter(|path| !path.is_dir()).for_each(|path| outputs.reads(path));
        let files = self.out.iter().map(|name| context.folder().join(name));
        Ok(files.map(|file| outputs.claim(&file)).collect::<Result<_, _>>()?)
    }
}
