//! `cinetag explain`: a title of the catalog under the bundle of the run.

use base::{Interrupt, Progress, nearest};
use catalog::Title;
use tag::{Explanation, explain as explain_title};

use super::{Context, Pipeline, PipelineError, RunOptions};

/// Explains the title with this id or, where none has it, this name (letter case aside).
///
/// # Errors
/// No such title, or several of the name; no bundle; it cannot be looked at.
pub fn explain(
    pipeline: &Pipeline,
    wanted: &str,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Explanation, PipelineError> {
    let options = RunOptions::default();
    let context = Context::new(pipeline, &options, progress, interrupt);
    let title = find(&context.catalog()?.titles, wanted)?;
    let (bundle, session) = context.bundle("explain")?;
    let (looked, _) = session.look_all(std::slice::from_ref(title), progress, interrupt)?;
    Ok(explain_title(title, &bundle, session.modalities(), looked)?)
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
