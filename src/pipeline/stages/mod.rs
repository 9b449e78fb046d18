//! The stages: each says what it depends on and calls the room that does the work.

pub mod demo;
pub mod evaluate;
pub mod extract;
pub mod report;
pub mod split;
pub mod tag;
pub mod train;

use std::{
    cell::{Cell, OnceCell},
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use ::extract::{OpenModalities, Session};
use ::tag::Bundle;
use base::{Interrupt, Outputs, Progress};
use catalog::{Catalog, CatalogError, Hints, Problem, Severity};
use encode::EncoderContext;
use learn::heads::{FitContext, FittedParts};
use serde_json::{Value, json};
use store::FeatureStore;

use super::{Lock, Pipeline, PipelineError, RunOptions, StageKind, StageSpec};

/// A kind of stage.
pub trait Stage {
    /// What its result depends on, in words → value, beyond upstream results and its own
    /// settings.
    ///
    /// # Errors
    /// An input cannot be read.
    fn inputs(&self, context: &Context<'_>) -> Result<BTreeMap<String, Value>, PipelineError>;

    /// Looks whether it may write where it would, before any stage runs.
    ///
    /// # Errors
    /// Something else is there.
    fn check(&self, _context: &Context<'_>, _lock: &Lock) -> Result<(), PipelineError> {
        Ok(())
    }

    /// Whether it would write over a file that it made in an earlier run: it does not where its
    /// settings name another place now, or where [`Stage::check`] looks at the file.
    fn rewrites(&self, _context: &Context<'_>, _file: &Path) -> bool {
        true
    }

    /// Does it.
    ///
    /// # Errors
    /// Whatever the room below says.
    fn run(&self, context: &Context<'_>, lock: &Lock) -> Result<Outcome, PipelineError>;

    /// What is wrong with results that lie outside the run folder's recorded outputs.
    ///
    /// # Errors
    /// They cannot be looked at.
    fn fault(&self, _context: &Context<'_>) -> Result<Option<String>, PipelineError> {
        Ok(None)
    }
}

/// What a stage made.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Files that must be there, unchanged, for the stage to be fresh.
    pub outputs: Vec<PathBuf>,
    /// In a sentence.
    pub summary: String,
    /// Titles that were skipped.
    pub skipped: usize,
}

/// What all stages of a run share; catalog and encoders are opened when first needed.
pub struct Context<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The command line's options.
    pub options: &'a RunOptions,
    /// Told of progress.
    pub progress: &'a dyn Progress,
    /// Looked at between items.
    pub interrupt: &'a Interrupt,
    catalog: OnceCell<Catalog>,
    modalities: OnceCell<Arc<OpenModalities>>,
    rows_left_out: Cell<Option<usize>>,
    /// What the fits of all stages have in common.
    parts: FittedParts,
    store: FeatureStore,
}

/// Problems of a catalog that are logged one by one.
const SHOWN_PROBLEMS: usize = 5;

impl<'a> Context<'a> {
    /// A context in which nothing is opened yet.
    #[must_use]
    pub fn new(
        pipeline: &'a Pipeline,
        options: &'a RunOptions,
        progress: &'a dyn Progress,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            pipeline,
            options,
            progress,
            interrupt,
            catalog: OnceCell::new(),
            modalities: OnceCell::new(),
            rows_left_out: Cell::new(None),
            parts: FittedParts::default(),
            store: FeatureStore::open(&pipeline.run.store),
        }
    }

    /// Rows of the catalogs read so far that could not be used; `None` where none was read.
    #[must_use]
    pub fn rows_left_out(&self) -> Option<usize> {
        self.rows_left_out.get()
    }

    /// The run folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.pipeline.run.folder
    }

    /// A file in the run folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The catalog; the first of its problems are logged, once.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn catalog(&self) -> Result<&Catalog, PipelineError> {
        if let Some(catalog) = self.catalog.get() {
            return Ok(catalog);
        }
        let (catalog, problems) = catalog::load(&self.pipeline.catalog)?;
        self.tell(&problems);
        Ok(self.catalog.get_or_init(|| catalog))
    }

    /// Opens what a path holds: a catalog that is laid out like the pipeline's, or whatever else
    /// titles are tagged of. The first of its problems are logged, once.
    fn open(&self, path: &Path) -> Result<Catalog, PipelineError> {
        let declared = &self.pipeline.catalog;
        let trained = std::slice::from_ref(declared);
        let hints = Hints { trained, declared: Some(declared), ..Hints::default() };
        let opened = catalog::open(&[path.to_owned()], &hints)?;
        self.tell(&opened.problems);
        Ok(opened.catalog)
    }

    /// Logs the first problems of a catalog: what costs a row as an error, though it ends no run.
    fn tell(&self, problems: &[Problem]) {
        let costs_row = |problem: &&Problem| problem.severity == Severity::Error;
        let num_rows = problems.iter().filter(costs_row).count();
        self.rows_left_out.set(Some(self.rows_left_out.get().unwrap_or(0) + num_rows));
        for problem in problems.iter().take(SHOWN_PROBLEMS) {
            match problem.severity {
                Severity::Error => tracing::error!("{problem}"),
                Severity::Warning | Severity::Note => tracing::warn!("{problem}"),
            }
        }
        if problems.len() > SHOWN_PROBLEMS {
            tracing::warn!(
                "{} more; `cinetag catalog check` lists all",
                problems.len() - SHOWN_PROBLEMS
            );
        }
    }

    /// The modalities of the pipeline, opened.
    ///
    /// # Errors
    /// Weights or device are not there.
    pub fn modalities(&self) -> Result<&Arc<OpenModalities>, PipelineError> {
        if let Some(modalities) = self.modalities.get() {
            return Ok(modalities);
        }
        let opened = OpenModalities::open(&self.pipeline.modality, &self.encoder_context())?;
        Ok(self.modalities.get_or_init(|| opened.into()))
    }

    fn encoder_context(&self) -> EncoderContext {
        EncoderContext {
            device: self.pipeline.run.device,
            weights_dir: self.pipeline.run.weights.clone(),
            ..EncoderContext::default()
        }
    }

    /// The bundle of the pipeline's train stage, with who looks at titles for it; `asks` is who asks.
    pub(crate) fn bundle(&self, asks: &str) -> Result<(Bundle, Session), PipelineError> {
        let mut kinds = self.pipeline.stages.iter().map(|stage| &stage.kind);
        let folder = kinds.find_map(|kind| match kind {
            StageKind::Train(train) => Some(self.folder().join(&train.bundle)),
            _ => None,
        });
        let folder = folder.ok_or_else(|| PipelineError::Missing {
            stage: asks.to_owned(),
            message: "the pipeline trains no bundle".to_owned(),
            hint: "add a stage of kind \"train\" before it, or use `cinetag tag`".to_owned(),
        })?;
        let bundle = Bundle::load(&folder, self.pipeline.run.device)?;
        let modalities = bundle.open_modalities(&self.encoder_context())?;
        let session = Session::new(modalities.into(), self.store(), &self.pipeline.extract);
        Ok((bundle, session))
    }

    /// The feature store.
    #[must_use]
    pub fn store(&self) -> &FeatureStore {
        &self.store
    }

    /// What fitting may use besides the data.
    pub(crate) fn fit_context(&self) -> FitContext<'_> {
        FitContext {
            device: self.pipeline.run.device,
            seed: self.pipeline.run.seed,
            inner_folds: &[],
            progress: self.progress,
            interrupt: self.interrupt,
            parts: Some(&self.parts),
        }
    }

    /// What the catalog's content depends on.
    pub(super) fn catalog_input(&self) -> Result<Value, PipelineError> {
        let path = &self.pipeline.catalog.path;
        let digest = catalog::digest(path).map_err(|source| CatalogError::File {
            path: path.clone(),
            action: "read",
            source,
        })?;
        Ok(json!({ "sha256": digest, "spec": to_json(&self.pipeline.catalog) }))
    }

    /// What fitting depends on besides features and folds.
    pub(super) fn learn_inputs(&self) -> Result<BTreeMap<String, Value>, PipelineError> {
        let mut inputs = BTreeMap::from([
            ("catalog".to_owned(), self.catalog_input()?),
            ("learn settings".to_owned(), to_json(&self.pipeline.learn)),
            ("seed".to_owned(), to_json(&self.pipeline.run.seed)),
            ("device".to_owned(), to_json(&self.pipeline.run.device)),
            ("modalities".to_owned(), self.modalities()?.description()),
        ]);
        if let Some(digest) = self.pipeline.learn.glove_digest()? {
            inputs.insert("word vectors".to_owned(), to_json(&digest));
        }
        Ok(inputs)
    }

    /// Everything a stage's result depends on, by name.
    pub(super) fn inputs(
        &self,
        stage: &StageSpec,
    ) -> Result<BTreeMap<String, Value>, PipelineError> {
        let mut inputs = behind(stage).inputs(self)?;
        inputs.insert("stage settings".to_owned(), to_json(&stage.kind));
        Ok(inputs)
    }

    /// What is wrong with a stage's results beyond its recorded outputs.
    pub(super) fn fault(&self, stage: &StageSpec) -> Result<Option<String>, PipelineError> {
        behind(stage).fault(self)
    }

    /// Whether a stage may write where it would: nobody changed what it made, and nothing else is
    /// there.
    pub(super) fn check(
        &self,
        stage: &StageSpec,
        lock: &Lock,
        outputs: &Outputs,
    ) -> Result<(), PipelineError> {
        let made = lock.stages.get(&stage.name).map_or(&[][..], |done| &done.outputs);
        made.iter()
            .map(|output| self.folder().join(&output.path))
            .filter(|file| behind(stage).rewrites(self, file))
            .try_for_each(|file| outputs.may_replace(&file))?;
        behind(stage).check(self, lock)
    }

    /// Runs a stage.
    pub(super) fn run(&self, stage: &StageSpec, lock: &Lock) -> Result<Outcome, PipelineError> {
        behind(stage).run(self, lock)
    }
}

fn behind(stage: &StageSpec) -> &dyn Stage {
    match &stage.kind {
        StageKind::Demo(stage) => stage,
        StageKind::Extract(stage) => stage,
        StageKind::Split(stage) => stage,
        StageKind::Evaluate(stage) => stage,
        StageKind::Train(stage) => stage,
        StageKind::Tag(stage) => stage,
        StageKind::Report(stage) => stage,
    }
}

/// A value as JSON, for keys.
pub(super) fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
