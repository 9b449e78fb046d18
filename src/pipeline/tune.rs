//! `cinetag tune`: settings of the head, searched on inner folds only.

use std::{collections::BTreeMap, path::Path, path::PathBuf};

use base::{Hinted, Interrupt, Progress, json, nearest, publish_bytes};
use catalog::split::Folds;
use dataset::Dataset;
use eval::Headline;
use learn::{
    LearnConfig, TrainedModel,
    heads::FitContext,
    study::{
        CellStore, Filling, Scored, Variant, View, run_grid,
        search::{SearchSpec, Trial, applied, best},
    },
};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{
    Context, Lock, Pipeline, PipelineError, RunOptions, StageKind, ablate,
    document::{self, Document},
    folder,
    stages::split,
    table::Table,
};

const TRIALS: &str = "tuning.json";
const TUNED: &str = "tuned.toml";

/// What a search found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tuning {
    /// The fold that no trial looked at.
    pub outer_fold: u32,
    /// Titles of the inner folds.
    pub num_inner: usize,
    /// Titles of the outer fold.
    pub num_outer: usize,
    /// In the order of trying; scored by the mean of macro F1 and mAP over the inner folds.
    pub trials: Vec<Trial>,
    /// The best of them.
    pub best: Trial,
    /// Setting → share of the variance of the scores that goes with it.
    pub what_mattered: BTreeMap<String, f64>,
    /// The pipeline's own settings on the outer fold.
    pub before: Headline<f64>,
    /// The best settings on the outer fold.
    pub after: Headline<f64>,
}

/// Searches the space in `space_file` and writes `tuning.json` and the pipeline with the best
/// settings, `tuned.toml`, into the run folder; gives the search and the path of the pipeline.
///
/// Trials are cross-validated on the folds other than `outer_fold`; that one is looked at twice,
/// at the end: by the settings as they were and by the best ones.
///
/// # Errors
/// A file that is no space, features that were never extracted, whatever training says.
pub fn tune(
    pipeline: &Pipeline,
    space_file: &Path,
    outer_fold: u32,
    run: &RunOptions,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<(Tuning, PathBuf), PipelineError> {
    let spec = read(space_file, pipeline)?;
    check_outer_fold(pipeline, outer_fold)?;
    let only_split = RunOptions { only: Some("split".to_owned()), ..run.clone() };
    super::run(pipeline, &only_split, progress, interrupt, |_| {})?;
    let lock = Lock::read(&pipeline.run.folder)?;
    let mut outputs = folder::outputs(pipeline, run, &lock);
    outputs.reads(space_file);
    let _claim = outputs.claim_folder(&pipeline.run.folder, [TRIALS, TUNED], &[])?;
    let context = Context::new(pipeline, &only_split, progress, interrupt);
    let table = Table::read(&context)?;
    let folds = Folds::load(&context.file(split::FILE), context.catalog()?)?;
    can_be_held_out(outer_fold, folds.num_folds)?;
    let inner: Vec<Option<u32>> =
        folds.fold_of.iter().map(|fold| fold.filter(|&fold| fold != outer_fold)).collect();
    let store = CellStore::new(&context.file(ablate::CELLS));
    let trials = spec.search(pipeline.run.seed.derive("tune"), |asked| {
        let variants: Vec<Variant> = asked
            .iter()
            .map(|(settings, budget)| {
                let mut config = applied(&pipeline.learn, settings)?;
                config.fusion.epochs =
                    ((config.fusion.epochs as f64 * budget).ceil() as usize).max(1);
                Ok(Variant {
                    modalities: (0..table.data.modalities.len()).collect(),
                    config,
                    filling: Filling::Mask,
                    views: vec![View::Whole],
                })
            })
            .collect::<Result<_, learn::LearnError>>()?;
        let fit = context.fit_context();
        let found = run_grid(&table.data, &inner, &table.groups, &variants, 1, &store, &fit)?;
        let scored = found.scored.iter().map(|seeds| &seeds[0][0]);
        Ok(scored.map(|scored| objective(&table.data, &found.titles, scored)).collect())
    })?;
    let Some(best) = best(&trials).cloned() else {
        let place = space_file.display().to_string();
        return Err(refuse(&place, "no trial has a score".to_owned(), "look at the catalog"));
    };
    let outer = |learn: &LearnConfig| -> Result<Headline<f64>, PipelineError> {
        let (train, test) = (folds.rows_outside(outer_fold), folds.rows_in(outer_fold));
        let others: Vec<u32> = train.iter().filter_map(|&title| folds.fold_of[title]).collect();
        let fit = FitContext { inner_folds: &others, ..context.fit_context() };
        let model = TrainedModel::fit(&table.data, &train, &table.groups, learn, &fit)?;
        let prediction = model.predict(&table.data, &test)?;
        let shape = (test.len(), table.data.num_genres());
        let at = |t: usize, g: usize| t * shape.1 + g;
        let scored = Scored {
            probabilities: Array2::from_shape_fn(shape, |(t, g)| {
                f64::from(prediction.probability[at(t, g)])
            }),
            decisions: Array2::from_shape_fn(shape, |(t, g)| prediction.decision[at(t, g)]),
        };
        Ok(headline(&table.data, &test, &scored))
    };
    let tuned = applied(&pipeline.learn, &best.settings)?;
    let tuning = Tuning {
        outer_fold,
        num_inner: inner.iter().flatten().count(),
        num_outer: folds.rows_in(outer_fold).len(),
        what_mattered: spec.what_mattered(&trials),
        trials,
        best,
        before: outer(&pipeline.learn)?,
        after: outer(&tuned)?,
    };
    let path = context.file(TRIALS);
    publish_bytes(&path, json::pretty(&tuning).as_bytes()).map_err(PipelineError::file(&path))?;
    let path = context.file(TUNED);
    let text = Pipeline { learn: tuned, ..pipeline.clone() }.to_toml();
    publish_bytes(&path, text.as_bytes()).map_err(PipelineError::file(&path))?;
    Ok((tuning, path))
}

fn headline(data: &Dataset, titles: &[usize], scored: &Scored) -> Headline<f64> {
    let labels = data.labels_matrix(titles);
    Headline::compute(scored.probabilities.view(), scored.decisions.view(), labels.view())
}

fn objective(data: &Dataset, titles: &[usize], scored: &Scored) -> f64 {
    let figures = headline(data, titles, scored);
    f64::midpoint(figures.macro_f1, figures.map)
}

/// Reads a space and checks it against the settings that it changes.
fn read(path: &Path, pipeline: &Pipeline) -> Result<SearchSpec, PipelineError> {
    let text = document::text_of(path, "give a TOML file with a [space] table")?;
    let document = Document::parse(path, &text, &[])?;
    let spec: SearchSpec = document.typed()?;
    spec.check(&pipeline.learn).map_err(|(name, error)| {
        let path: Vec<&str> = std::iter::once("space").chain(name).collect();
        let message = error.to_string();
        let meant = nearest::meant(&message).map(|near| format!("did you mean `{near}`?"));
        document.refuse(&path, message.clone(), meant.or_else(|| error.hint()))
    })?;
    Ok(spec)
}

/// As far as the pipeline says how many folds there will be.
fn check_outer_fold(pipeline: &Pipeline, outer_fold: u32) -> Result<(), PipelineError> {
    let split = pipeline.stages.iter().find_map(|stage| match &stage.kind {
        StageKind::Split(split) => Some(split),
        _ => None,
    });
    match split {
        None => Err(refuse(
            "tune",
            "the pipeline divides its titles into no folds".to_owned(),
            "add a stage of kind \"split\"",
        )),
        Some(split) if split.by == split::By::Stratified => {
            can_be_held_out(outer_fold, split.folds)
        }
        Some(_) => Ok(()),
    }
}

fn can_be_held_out(outer_fold: u32, num_folds: u32) -> Result<(), PipelineError> {
    if outer_fold < num_folds && num_folds >= 3 {
        return Ok(());
    }
    Err(refuse(
        &format!("--outer-fold {outer_fold}"),
        format!("fold {outer_fold} cannot be held out of {num_folds} folds"),
        "tuning needs three folds or more, and one of them, counted from 0",
    ))
}

fn refuse(place: &str, message: String, hint: &str) -> PipelineError {
    PipelineError::Spec { place: place.to_owned(), message, hint: Some(hint.to_owned()) }
}
