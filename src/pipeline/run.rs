//! Running the stages that are not fresh.

use std::{path::PathBuf, time::Instant};

use base::{Interrupt, Progress};
use extract::Retry;

use super::{
    LockedStage, Output, Pipeline, PipelineError, Why,
    folder::RunFolder,
    plan,
    stages::{Context, Outcome},
};

/// What the command line asks beyond the pipeline file.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Known failures to try again.
    pub retry: Retry,
    /// Only stages of this kind, and what they need.
    pub only: Option<String>,
    /// Stages that run although they are fresh.
    pub force: Vec<String>,
    /// Whether files that others made or changed may be replaced.
    pub overwrite: bool,
    /// The file that the pipeline was read from, which is never replaced.
    pub pipeline_file: Option<PathBuf>,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct RunSummary {
    /// In the pipeline's order; those passed over by `only` are not in it.
    pub stages: Vec<StageSummary>,
    /// Rows of the catalog that could not be used.
    pub rows_left_out: usize,
}

/// What one stage did.
#[derive(Debug)]
pub struct StageSummary {
    /// Its name.
    pub name: String,
    /// Why it ran; `None`: it was fresh.
    pub why: Option<Why>,
    /// What it did, or did when it ran.
    pub summary: String,
    /// Titles that were skipped, now or when it ran, for a reason that wants a look.
    pub skipped: usize,
    /// Seconds in this run.
    pub seconds: f64,
}

impl RunSummary {
    /// Whether nothing had to be done.
    #[must_use]
    pub fn all_fresh(&self) -> bool {
        self.stages.iter().all(|stage| stage.why.is_none())
    }

    /// Titles skipped, over all stages, and rows that could not be used.
    #[must_use]
    pub fn num_skipped(&self) -> usize {
        self.rows_left_out + self.stages.iter().map(|stage| stage.skipped).sum::<usize>()
    }
}

/// Runs the stages of a pipeline that are not fresh.
///
/// `on_stage` is told of each stage when it is done or found fresh.
///
/// # Errors
/// Something would be replaced that this program did not make as it is: nothing is run then. Else
/// the first stage that fails ends the run; what the stages before it made stays, and is fresh for
/// the next run.
pub fn run(
    pipeline: &Pipeline,
    options: &RunOptions,
    progress: &dyn Progress,
    interrupt: &Interrupt,
    mut on_stage: impl FnMut(&StageSummary),
) -> Result<RunSummary, PipelineError> {
    let folder = &pipeline.run.folder;
    let mut run = RunFolder::open(pipeline, options)?;
    let context = Context::new(pipeline, options, progress, interrupt);
    for stage in wanted(pipeline, options) {
        context.check(stage, &run.lock, &run.outputs)?;
    }
    let RunFolder { lock, outputs: made, .. } = &mut run;
    let mut summary = RunSummary::default();
    for stage in wanted(pipeline, options) {
        interrupt.check()?;
        let key = plan::key(stage, &context, lock)?;
        let why = if options.force.contains(&stage.name) {
            Some(Why::Forced)
        } else {
            plan::why(stage, &key, &context, lock)?
        };
        let started = Instant::now();
        let Some(why) = why else {
            let known = &lock.stages[&stage.name];
            let fresh = StageSummary {
                name: stage.name.clone(),
                why: None,
                summary: known.summary.clone(),
                skipped: known.skipped,
                seconds: started.elapsed().as_secs_f64(),
            };
            on_stage(&fresh);
            summary.stages.push(fresh);
            continue;
        };
        tracing::info!(stage = stage.name, %why, "running");
        // What it begins to replace is no longer what the lock says: killed before its end, it
        // would find its own files changed.
        if lock.stages.remove(&stage.name).is_some() {
            lock.write(folder)?;
        }
        let Outcome { outputs, summary: text, skipped } = context.run(stage, lock)?;
        let seconds = started.elapsed().as_secs_f64();
        let outputs =
            outputs.iter().map(|path| Output::of(folder, path)).collect::<Result<Vec<_>, _>>()?;
        made.made(outputs.iter().map(|output| (output.sha256, folder.join(&output.path))));
        // A stage may read what it makes itself (the demo library is the catalog).
        let key = plan::key(stage, &context, lock)?;
        env!("CARGO_PKG_VERSION").clone_into(&mut lock.cinetag);
        lock.stages.insert(
            stage.name.clone(),
            LockedStage {
                key: key.digest,
                because: key.because,
                outputs,
                summary: text.clone(),
                skipped,
                seconds,
                finished: jiff::Timestamp::now(),
            },
        );
        lock.rows_left_out = context.rows_left_out().unwrap_or(lock.rows_left_out);
        lock.write(folder)?;
        let done = StageSummary {
            name: stage.name.clone(),
            why: Some(why),
            summary: text,
            skipped,
            seconds,
        };
        on_stage(&done);
        summary.stages.push(done);
    }
    summary.rows_left_out = context.rows_left_out().unwrap_or(lock.rows_left_out);
    Ok(summary)
}

/// The stages to look at: all, or those of one kind with what they need.
fn wanted<'p>(pipeline: &'p Pipeline, options: &RunOptions) -> Vec<&'p super::StageSpec> {
    let Some(kind) = &options.only else { return pipeline.stages.iter().collect() };
    let mut names: Vec<&str> = Vec::new();
    for stage in pipeline.stages.iter().rev() {
        if stage.kind.name() == kind || names.contains(&stage.name.as_str()) {
            names.push(&stage.name);
            names.extend(stage.needs.iter().map(String::as_str));
        }
    }
    pipeline.stages.iter().filter(|stage| names.contains(&stage.name.as_str())).collect()
}
