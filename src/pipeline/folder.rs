//! The run folder: made, or known for one by its lock, and kept to one run at a time.
//!
//! What stages made in it is known by the lock's digests. What is there under their names and is
//! something else is a person's, and is not replaced unless that is asked for.

use std::{
    fs::{self, File},
    path::Path,
};

use base::{Digest, OutputError, Outputs, file, output::make_project_folder, publish_bytes};
use rustix::fs::{FlockOperation, flock};

use super::{Lock, Pipeline, PipelineError, RunOptions, lock};

/// Its copy of the pipeline, with every default written out.
const PIPELINE: &str = "pipeline.toml";
/// Held while a run is at work.
const RUNNING: &str = ".running";

/// The folder, open for a run.
pub(super) struct RunFolder {
    pub(super) lock: Lock,
    /// What may be written besides what the stages keep for themselves.
    pub(super) outputs: Outputs,
    /// Keeps a second run out for as long as it is open.
    _guard: File,
}

impl RunFolder {
    /// Opens the pipeline's folder and writes the pipeline into it.
    ///
    /// # Errors
    /// It holds other things and no run; the pipeline in it was changed by somebody, or is the one
    /// that is read; another run is at work.
    pub(super) fn open(pipeline: &Pipeline, options: &RunOptions) -> Result<Self, PipelineError> {
        let folder = &pipeline.run.folder;
        make_project_folder(folder)?;
        if !options.overwrite {
            check_is_run(folder)?;
        }
        // It may lie in the run folder.
        make_project_folder(&pipeline.run.store)?;
        let guard = guard(folder)?;
        let mut lock = Lock::read(folder)?;
        let mut outputs = outputs(pipeline, options, &lock);
        write_pipeline(pipeline, &mut lock, &mut outputs)?;
        Ok(Self { lock, outputs, _guard: guard })
    }
}

/// The outputs of a run: not its pipeline file and not its catalog, and what the lock knows may be
/// replaced.
pub(super) fn outputs(pipeline: &Pipeline, options: &RunOptions, lock: &Lock) -> Outputs {
    let mut outputs = Outputs::new(options.overwrite);
    let inputs = options.pipeline_file.iter().chain([&pipeline.catalog.path]);
    inputs.filter(|path| !path.is_dir()).for_each(|path| outputs.reads(path));
    let made = lock.stages.values().flat_map(|stage| &stage.outputs);
    made.map(|output| output.sha256).chain(lock.pipeline).for_each(|made| outputs.knows(made));
    outputs
}

/// A folder with anything in it and without a sign of a run is somebody's.
fn check_is_run(folder: &Path) -> Result<(), PipelineError> {
    if [lock::FILE, RUNNING].iter().any(|name| folder.join(name).exists()) {
        return Ok(());
    }
    let mut entries = fs::read_dir(folder).map_err(PipelineError::file(folder))?;
    match entries.next() {
        None => Ok(()),
        Some(entry) => {
            let found = entry.map_err(PipelineError::file(folder))?.file_name();
            let (folder, found) = (folder.to_owned(), found.to_string_lossy().into_owned());
            Err(OutputError::NoRun { folder, found }.into())
        }
    }
}

fn guard(folder: &Path) -> Result<File, PipelineError> {
    let path = folder.join(RUNNING);
    let file = File::create(&path).map_err(PipelineError::file(path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| PipelineError::Busy { folder: folder.to_owned() })?;
    Ok(file)
}

fn write_pipeline(
    pipeline: &Pipeline,
    lock: &mut Lock,
    outputs: &mut Outputs,
) -> Result<(), PipelineError> {
    let folder = &pipeline.run.folder;
    let path = folder.join(PIPELINE);
    let text = pipeline.to_toml();
    let digest = Digest::of_bytes(text.as_bytes());
    let there = file::read(&path).ok();
    if there.as_deref() != Some(text.as_bytes()) {
        // Locks of earlier versions do not say which pipeline the run had.
        if let (Some(there), None, false) = (&there, lock.pipeline, lock.stages.is_empty()) {
            outputs.knows(Digest::of_bytes(there));
        }
        outputs.claim(&path)?;
        publish_bytes(&path, text.as_bytes()).map_err(PipelineError::file(&path))?;
    }
    if lock.pipeline != Some(digest) {
        lock.pipeline = Some(digest);
        lock.write(folder)?;
    }
    Ok(())
}
