//! `cinetag ablate`: a pipeline's head on subsets of its modalities, from cached features.

use std::{path::PathBuf, time::Instant};

use base::{Hinted, Interrupt, Progress, nearest};
use catalog::split::Folds;
use eval::Groups;
use learn::{
    LearnConfig, heads,
    study::{CellStore, Filling, GridResult, Scored, Variant, View, all_subsets, quick, run_grid},
};
use report::{
    Provenance, StageDuration,
    ablation::{
        self, AblationEvidence, AblationReport, DroppedEvidence, SystemEvidence, ViewEvidence,
    },
};

use super::{
    Context, Lock, Pipeline, PipelineError, RunOptions, StageKind, folder,
    stages::{self, split},
    table::Table,
};

/// Folder of the cells in the run folder.
pub(super) const CELLS: &str = "cells";

/// What is varied.
#[derive(Clone, Debug)]
pub struct AblateOptions {
    /// Instead of all subsets: the full set, and the full set without each of these.
    pub without: Vec<String>,
    /// Heads; the first is the reference. The pipeline's own where empty.
    pub heads: Vec<String>,
    /// Seeds that every figure is a mean over.
    pub num_seeds: usize,
    /// Two members and fewer passes in every fit.
    pub quick: bool,
    /// Resamples and draws behind intervals and tests.
    pub num_resamples: usize,
    /// Compare masks against zeros with inputs dropped this often.
    pub dropped: Option<f64>,
}

/// What an ablation made.
#[derive(Debug)]
pub struct Ablation {
    /// Its figures.
    pub report: AblationReport,
    /// Its files, the page first.
    pub files: Vec<PathBuf>,
    /// Cells that were trained now.
    pub num_computed: usize,
    /// All cells.
    pub num_cells: usize,
}

/// Trains every variant on the pipeline's folds, measures, and writes the report. Cells that an
/// earlier run finished are taken as they are.
///
/// # Errors
/// An unknown modality or head, features that were never extracted, no split stage, whatever
/// training says, files that cannot be written.
pub fn ablate(
    pipeline: &Pipeline,
    options: &AblateOptions,
    run: &RunOptions,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Ablation, PipelineError> {
    check(pipeline, options)?;
    // The folds are those of the pipeline, made now if need be.
    let only_split = RunOptions { only: Some("split".to_owned()), ..run.clone() };
    super::run(pipeline, &only_split, progress, interrupt, |_| {})?;
    let lock = Lock::read(&pipeline.run.folder)?;
    let mut outputs = folder::outputs(pipeline, run, &lock);
    let _claim = outputs.claim_folder(&pipeline.run.folder, ablation::FILES, &[])?;
    let context = Context::new(pipeline, &only_split, progress, interrupt);
    let catalog = context.catalog()?;
    let table = Table::read(&context)?;
    let folds = Folds::load(&context.file(split::FILE), catalog)?;
    let study = Design::new(&table, &pipeline.learn, options)?;

    let started = Instant::now();
    let store = CellStore::new(&context.file(CELLS));
    let variants: Vec<Variant> = study.variants.iter().map(|(_, v)| v.clone()).collect();
    let found = run_grid(
        &table.data,
        &folds.fold_of,
        &table.groups,
        &variants,
        options.num_seeds,
        &store,
        &context.fit_context(),
    )?;
    let trained = started.elapsed().as_secs_f64();
    progress.begin("intervals and tests", None);
    let provenance = Provenance {
        catalog: pipeline.catalog.path.file_name().unwrap_or_default().to_string_lossy().into(),
        split: format!("{} folds, groups kept whole", folds.num_folds),
        split_digest: folds.digest(catalog).to_string(),
        seed: Some(pipeline.run.seed),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: vec![
            ("about".to_owned(), pipeline.run.about.clone()),
            (
                "training".to_owned(),
                if options.quick {
                    "quick: 2 members, at most 30 epochs, patience 5".to_owned()
                } else {
                    format!("{} members, as in the pipeline", pipeline.learn.members)
                },
            ),
        ],
    };
    let mut evidence = study.evidence(&context, &table, provenance, &found, options);
    evidence.folds = found.titles.iter().filter_map(|&title| folds.fold_of[title]).collect();
    let mut report = evidence.assemble();
    progress.end();
    report.circumstances = stages::report::circumstances(&context);
    report.circumstances.stages = vec![
        StageDuration {
            name: format!("Training {} of {} cells", found.num_computed, found.num_cells),
            seconds: Some(trained),
        },
        StageDuration {
            name: "Intervals and tests".to_owned(),
            seconds: Some(started.elapsed().as_secs_f64() - trained),
        },
    ];
    let files = ablation::write(context.folder(), &report)?;
    let (num_computed, num_cells) = (found.num_computed, found.num_cells);
    Ok(Ablation { report, files, num_computed, num_cells })
}

/// Checks what is asked for, before anything is computed.
fn check(pipeline: &Pipeline, options: &AblateOptions) -> Result<(), PipelineError> {
    let there: Vec<&str> = pipeline.modality.keys().map(String::as_str).collect();
    if let Some(name) = options.without.iter().find(|name| !there.contains(&name.as_str())) {
        return Err(usage(
            format!("--without {name}: the pipeline has no such modality"),
            nearest::mend(name, there),
        ));
    }
    for head in &options.heads {
        let learn = LearnConfig { head: head.clone(), ..pipeline.learn.clone() };
        if let Err(error) = learn.validate() {
            return Err(PipelineError::Spec {
                place: format!("--heads {head}"),
                message: error.to_string(),
                hint: error.hint(),
            });
        }
    }
    if !pipeline.stages.iter().any(|stage| matches!(stage.kind, StageKind::Split(_))) {
        return Err(usage(
            "the pipeline divides its titles into no folds".to_owned(),
            "add a stage of kind \"split\"".to_owned(),
        ));
    }
    Ok(())
}

/// Variants with their names.
struct Design {
    /// The reference first; the one fed zeros last, where there is one.
    variants: Vec<(String, Variant)>,
    /// Subsets that the reference is scored on: the first views.
    views: Vec<Vec<usize>>,
    has_zeros: bool,
}

impl Design {
    fn new(
        table: &Table,
        learn: &LearnConfig,
        options: &AblateOptions,
    ) -> Result<Self, PipelineError> {
        let names: Vec<&str> = table.data.modalities.iter().map(|m| m.name.as_str()).collect();
        let all: Vec<usize> = (0..names.len()).collect();
        let mut subsets = all_subsets(names.len());
        if !options.without.is_empty() {
            subsets = vec![all.clone()];
            for name in &options.without {
                let Some(m) = names.iter().position(|known| known == name) else {
                    return Err(usage(
                        format!("--without {name}: it gives the head nothing to see"),
                        format!("the head sees {}", names.join(", ")),
                    ));
                };
                subsets.push(all.iter().copied().filter(|&other| other != m).collect());
            }
        }
        let heads =
            if options.heads.is_empty() { vec![learn.head.clone()] } else { options.heads.clone() };
        let base = if options.quick { quick(learn) } else { learn.clone() };
        let views = all_subsets(names.len());
        let mut variants: Vec<(String, Variant)> = Vec::new();
        for head in &heads {
            heads::find(head)?;
            for subset in subsets.iter().filter(|subset| !subset.is_empty()) {
                let subset_name = subset.iter().map(|&m| names[m]).collect::<Vec<_>>().join(" + ");
                let name =
                    if heads.len() > 1 { format!("{head}: {subset_name}") } else { subset_name };
                let config = LearnConfig { head: head.clone(), ..base.clone() };
                let mut variant = Variant {
                    modalities: subset.clone(),
                    config,
                    filling: Filling::Mask,
                    views: vec![View::Whole],
                };
                if variants.is_empty() {
                    variant.views = views.iter().cloned().map(View::Only).collect();
                    variant.views.extend(options.dropped.map(View::Dropped));
                }
                variants.push((name, variant));
            }
        }
        if let Some(frac) = options.dropped {
            let reference = &variants[0].1;
            let zeros = Variant {
                config: reference.config.clone().with(|c| c.fusion.modality_dropout = 0.0),
                filling: Filling::Zeros,
                views: vec![View::Dropped(frac)],
                ..reference.clone()
            };
            variants.push(("zeros".to_owned(), zeros));
        }
        Ok(Self { variants, views, has_zeros: options.dropped.is_some() })
    }

    fn evidence(
        &self,
        context: &Context<'_>,
        table: &Table,
        provenance: Provenance,
        found: &GridResult,
        options: &AblateOptions,
    ) -> AblationEvidence {
        let data = &table.data;
        let view = |variant: usize, view: usize| -> Vec<Scored> {
            found.scored[variant].iter().map(|seed| seed[view].clone()).collect()
        };
        let num_systems = self.variants.len() - usize::from(self.has_zeros);
        AblationEvidence {
            title: context.pipeline.run.name.clone(),
            notes: notes(context.pipeline),
            modalities: data.modalities.iter().map(|m| m.name.clone()).collect(),
            genres: data.genres.clone(),
            provenance,
            labels: data.labels_matrix(&found.titles),
            groups: Groups::new(&table.groups).select(&found.titles),
            num_folds: found.num_cells / (self.variants.len() * options.num_seeds).max(1),
            systems: self.variants[..num_systems]
                .iter()
                .enumerate()
                .map(|(k, (name, variant))| SystemEvidence {
                    name: name.clone(),
                    head: variant.config.head.clone(),
                    modalities: variant.modalities.clone(),
                    scored: view(k, 0),
                })
                .collect(),
            views: self
                .views
                .iter()
                .enumerate()
                .map(|(k, present)| ViewEvidence { present: present.clone(), scored: view(0, k) })
                .collect(),
            dropped: options.dropped.map(|frac| DroppedEvidence {
                frac,
                aware: view(0, self.views.len()),
                zeros: view(num_systems, 0),
            }),
            num_resamples: options.num_resamples,
            seed: Some(context.pipeline.run.seed.derive("ablation")),
            ..AblationEvidence::default()
        }
    }
}

/// What the pipeline's report tells its readers first.
fn notes(pipeline: &Pipeline) -> Vec<String> {
    let of_reports = pipeline.stages.iter().filter_map(|stage| match &stage.kind {
        StageKind::Report(report) => Some(report.notes.clone()),
        _ => None,
    });
    of_reports.flatten().collect()
}

fn usage(message: String, hint: String) -> PipelineError {
    PipelineError::Spec { place: "ablate".to_owned(), message, hint: Some(hint) }
}
