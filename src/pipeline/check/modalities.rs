//! The settings of modalities: kinds, values, columns, pretrained models.

use base::{Hinted, nearest};
use encode::{EncodeError, Instance, registry};
use nn::weights::Manifest;

use super::named;
use crate::{Pipeline, PipelineError, document::Document};

/// Checks the settings of all modalities, without weights.
pub(super) fn check(pipeline: &Pipeline, document: &Document<'_>) -> Result<(), PipelineError> {
    let instances = registry::instances(&pipeline.modality).map_err(|error| {
        let EncodeError::Settings { modality, .. } = &error else { return error.into() };
        let kind = pipeline.modality[modality].get("kind").and_then(serde_json::Value::as_str);
        let near = nearest::nearest(kind.unwrap_or(modality), registry::names());
        let hint = near.map_or_else(
            || "`cinetag modalities` says what each is".to_owned(),
            |near| format!("did you mean `{near}`? `cinetag modalities` says what each is"),
        );
        let path = ["modality", modality, "kind"];
        document.refuse(&path, error.to_string(), Some(hint))
    })?;
    let manifest = Manifest::built_in();
    for instance in &instances {
        let name = instance.name.as_str();
        let above = ["modality", name];
        instance.modality.check(&instance.settings).map_err(|error| match &error {
            EncodeError::Settings { message, .. } => {
                let told = named(document, &above, message, error.hint());
                told.saying(format!("modality {name}: {message}"))
            }
            EncodeError::Load { .. } => error.into(),
        })?;
        columns(pipeline, instance, document)?;
        models(instance, &manifest, document)?;
    }
    Ok(())
}

/// Columns that are named must be among those that the catalog keeps.
fn columns(
    pipeline: &Pipeline,
    instance: &Instance,
    document: &Document<'_>,
) -> Result<(), PipelineError> {
    let name = instance.name.as_str();
    let kept: Vec<&str> = pipeline.catalog.metadata.iter().collect();
    for (setting, column) in instance.modality.columns(&instance.settings) {
        // Where the catalog names no columns, it keeps all.
        if kept.is_empty() || kept.contains(&column.as_str()) {
            continue;
        }
        let path = ["modality", name, &setting];
        let message = format!(
            "modality {name}: `{setting}` names the column `{column}`, which the catalog does \
             not keep"
        );
        let near = nearest::nearest(&column, kept.iter().copied());
        let hint = near.map_or_else(
            || "name it in [catalog.metadata], too".to_owned(),
            |near| format!("did you mean `{near}`? Else name it in [catalog.metadata], too"),
        );
        return Err(document.refuse(&path, message, Some(hint)));
    }
    Ok(())
}

/// Models that are named by an id must be known.
fn models(
    instance: &Instance,
    manifest: &Manifest,
    document: &Document<'_>,
) -> Result<(), PipelineError> {
    let name = instance.name.as_str();
    for id in instance.modality.weights(&instance.settings) {
        let Err(error) = manifest.model(&id) else { continue };
        let settings = instance.settings.as_object().into_iter().flatten();
        let key = settings.filter(|(_, value)| value.as_str() == Some(&id)).map(|(key, _)| key);
        let path: Vec<&str> =
            ["modality", name].into_iter().chain(key.map(String::as_str).next()).collect();
        return Err(document.refuse(&path, format!("modality {name}: {error}"), error.hint()));
    }
    Ok(())
}
