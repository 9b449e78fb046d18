//! `cinetag explain`: a title of the catalog under the bundle of the run.

use base::{Interrupt, Progress, nearest};
use catalog::Title;
use encode::EncoderContext;
use tag::{Bundle, Explanation, explain as explain_title};

use super::{Context, Pipeline, PipelineError, RunOptions, StageKind};

/// Explains the title with this id or, where none has it, this name (letter case aside).
///
/// # Errors
/// No such title, or several of the name; no bundle; features that were never extracted.
pub fn explain(
    pipeline: &Pipeline,
    wanted: &str,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Explanation, PipelineError> {
    let options = RunOptions::default();
    let context = Context::new(pipeline, &options, progress, interrupt);
    let title = find(&context.catalog()?.titles, wanted)?;
    let bundle_folder = bundle_folder(&context)?;
    let device = pipeline.run.device;
    let bundle = Bundle::load(&bundle_folder, device)?;
    let modalities = bundle.open_modalities(&EncoderContext {
        device,
        weights_dir: pipeline.run.weights.clone(),
        ..EncoderContext::default()
    })?;
    let store = context.store();
    let digests = store.sources()?;
    Ok(explain_title(title, &bundle, &modalities, store, &digests)?)
}

/// Where the pipeline's train stage puts its bundle.
fn bundle_folder(context: &Context<'_>) -> Result<std::path::PathBuf, PipelineError> {
    let mut kinds = context.pipeline.stages.iter().map(|stage| &stage.kind);
    kinds
        .find_map(|kind| match kind {
            StageKind::Train(train) => Some(context.folder().join(&train.bundle)),
            _ => None,
        })
        .ok_or_else(|| PipelineError::Missing {
            stage: "explain".to_owned(),
            message: "the pipeline trains no bundle".to_owned(),
            hint: "add a stage of kind \"train\"".to_owned(),
        })
}

fn find<'t>(titles: &'t [Title], wanted: &str) -> Result<&'t Title, PipelineError> {
    if let Some(title) = titles.iter().find(|title| title.id.as_str() == wanted) {
        return Ok(title);
    }
    let name = wanted.to_lowercase();
    let of_name: Vec<&Title> =
        titles.iter().filter(|title| title.name.to_lowercase() == name).collect();
    match of_name[..] {
        [title] => Ok(title),
        [] => {
            let known = titles.iter().flat_map(|title| [title.name.as_str(), title.id.as_str()]);
            let near = nearest::nearest(wanted, known);
            Err(refuse(
                format!("there is no title {wanted:?} in the catalog"),
                near.map_or_else(
                    || "give its id or its full name as the catalog has it".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ),
            ))
        }
        _ => {
            let ids: Vec<&str> = of_name.iter().map(|title| title.id.as_str()).collect();
            Err(refuse(
                format!("{} titles are called {wanted:?}", of_name.len()),
                format!("give one of their ids: {}", ids.join(", ")),
            ))
        }
    }
}

fn refuse(message: String, hint: String) -> PipelineError {
    PipelineError::Spec { place: "explain".to_owned(), message, hint: Some(hint) }
}
