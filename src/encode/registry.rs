//! All modalities, in the order of fusion, stores and reports.

use super::{audio, frames, metadata, modality::Modality, plot, poster};

/// Every modality there is.
pub const MODALITIES: &[&dyn Modality] = &[
    &frames::Frames,
    &audio::Audio,
    &poster::Poster,
    &plot::Plot,
    &metadata::Metadata,
];

/// Finds a modality by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Modality> {
    MODALITIES.iter().copied().find(|modality| modality.name() == name)
}

/// All names, for messages.
#[must_use]
pub fn names() -> Vec<&'static str> {
    MODALITIES.iter().map(|modality| modality.name()).collect()
}
