//! Every setting of a pipeline, checked before anything is computed.
//!
//! What only the catalog's file or the weights can tell (columns, word vectors, how long a
//! network's windows may be) is told when they are opened, which is before anything is computed,
//! too.

mod modalities;
#[cfg(test)]
mod tests;

use base::{Hinted, nearest};
use catalog::CatalogError;

use super::{Pipeline, PipelineError, StageKind, document::Document, stages::split::By};

/// Checks all settings.
///
/// # Errors
/// The first that is wrong, with its line and the name that was probably meant.
pub(super) fn check(pipeline: &Pipeline, document: &Document<'_>) -> Result<(), PipelineError> {
    catalog(pipeline, document)?;
    modalities::check(pipeline, document)?;
    pipeline.extract.check().map_err(|message| named(document, &[], &message, None))?;
    learn(pipeline, document)?;
    stages(pipeline, document)
}

/// What is wrong with the setting that a message names in its backticks: by its whole path, or by
/// the rest of it below `above`.
fn named(
    document: &Document<'_>,
    above: &[&str],
    message: &str,
    hint: Option<String>,
) -> PipelineError {
    // Words between backticks; where a list of what there is follows, it names nothing that is.
    let said = message.split(", expected ").next().unwrap_or(message);
    let words = said.split('`').skip(1).step_by(2);
    let paths = words.map(|word| {
        let parts = word.split('.');
        if above.is_empty() {
            parts.collect()
        } else {
            above.iter().copied().chain(parts).collect()
        }
    });
    let longest = paths.max_by_key(|path: &Vec<&str>| document.depth(path));
    document.refuse(longest.as_deref().unwrap_or(above), message, hint)
}

fn catalog(pipeline: &Pipeline, document: &Document<'_>) -> Result<(), PipelineError> {
    pipeline.catalog.check().map_err(|error| match &error {
        CatalogError::Setting { .. } => named(document, &[], &error.to_string(), error.hint()),
        _ => error.into(),
    })
}

fn learn(pipeline: &Pipeline, document: &Document<'_>) -> Result<(), PipelineError> {
    let names: Vec<&str> = pipeline.modality.keys().map(String::as_str).collect();
    let checked = pipeline.learn.validate();
    checked.and_then(|()| pipeline.learn.check_borrowed(&names)).map_err(|error| {
        let has = |table: &str, name: &str| document.depth(&["learn", table, name]) == 3;
        let message = learn::config::as_written(&error.to_string(), has);
        named(document, &[], &message, error.hint())
    })
}

/// Refuses a setting that stands both in `[learn]` and in a table of its own, with the place of the
/// latter; what reads the settings knows no place.
///
/// # Errors
/// The first of them.
pub(super) fn learn_twice(document: &Document<'_>) -> Result<(), PipelineError> {
    let has = |path: &[&str]| document.depth(path) == path.len();
    for (table, names) in learn::config::TABLES {
        for name in *names {
            if has(&["learn", name]) && has(&["learn", table, name]) {
                let message = learn::config::twice(table, name);
                let hint = "take one of them out".to_owned();
                return Err(document.refuse(&["learn", table, name], message, Some(hint)));
            }
        }
    }
    Ok(())
}

fn stages(pipeline: &Pipeline, document: &Document<'_>) -> Result<(), PipelineError> {
    for (idx, stage) in pipeline.stages.iter().enumerate() {
        let number = format!("#{idx}");
        let refuse = |key: &str, message: String, hint: Option<String>| {
            Err(document.refuse(&["stage", &number, key], message, hint))
        };
        let name = &stage.name;
        let before: Vec<&str> = pipeline.stages[..idx].iter().map(|s| s.name.as_str()).collect();
        if before.contains(&name.as_str()) {
            return refuse("name", format!("two stages are called {name:?}"), None);
        }
        for need in &stage.needs {
            if before.contains(&need.as_str()) {
                continue;
            }
            let there = if before.is_empty() { "nothing".to_owned() } else { before.join(", ") };
            let message = format!(
                "stage {name} needs {need:?}, which does not stand before it; before it stands {there}"
            );
            let hint = nearest::nearest(need, before.iter().copied()).map_or_else(
                || "stages run in the order of the file".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            return refuse("needs", message, Some(hint));
        }
        match &stage.kind {
            StageKind::Demo(demo) if demo.titles == 0 => {
                return refuse("titles", format!("stage {name}: `titles` must be 1 or more"), None);
            }
            StageKind::Split(split) if split.by == By::Stratified && split.folds < 2 => {
                let got = split.folds;
                let message = format!("stage {name}: `folds` must be 2 or more, got {got}");
                return refuse("folds", message, None);
            }
            StageKind::Split(split) if split.by == By::Catalog && split.repeats != 1 => {
                let got = split.repeats;
                let message = format!("`repeats` must be 1 for the catalog's own folds, got {got}");
                let hint = "set `by = \"stratified\"` to divide the titles several times";
                return refuse("repeats", message, Some(hint.to_owned()));
            }
            StageKind::Tag(_)
                if !pipeline.stages.iter().any(|s| matches!(s.kind, StageKind::Train(_))) =>
            {
                let message = format!("stage {name}: the pipeline trains no bundle");
                let hint = "add a stage of kind \"train\" before it, or use `cinetag tag`";
                return refuse("kind", message, Some(hint.to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
}
