//! Why a title got a genre, in words: for formats that have one place for text.

use std::fmt::Write as _;

use crate::tag::{GenreScore, TitleTags};

/// `probability 0.713 (threshold 0.38); log-odds: base -0.90, plot +1.30; frames at 12.4 s`.
pub(in crate::tag) fn in_words(score: &GenreScore, tags: &TitleTags) -> String {
    let mut parts = vec![format!("base {:+.2}", score.base)];
    parts.extend(score.contributions.iter().map(|(name, value)| format!("{name} {value:+.2}")));
    let mut words = format!(
        "probability {:.3} (threshold {:.2}); log-odds: {}",
        score.probability,
        score.threshold,
        parts.join(", ")
    );
    for (modality, moments) in &tags.moments {
        let times: Vec<_> =
            moments.iter().map(|moment| format!("{:.1} s", moment.time_secs)).collect();
        // Writing to a String cannot fail.
        let _ = write!(words, "; {modality} at {}", times.join(", "));
    }
    words
}

/// `cinetag 0.1.0, model movies@9f86d081884c7d65, 2026-01-31T12:00:00Z`.
pub(super) fn provenance(tags: &TitleTags) -> String {
    let time = tags.tagged_at.map_or_else(String::new, |time| format!(", {time}"));
    format!("cinetag {}, model {}{time}", tags.version, tags.model)
}

/// The number that single precision stands for in text: 0.7 stays 0.7, and does not become
/// 0.699999988079071 where a format knows double precision only.
pub(super) fn double(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// The scores that are tags, most probable first.
pub(super) fn decided(tags: &TitleTags) -> impl Iterator<Item = &GenreScore> {
    tags.scores.iter().filter(|score| score.decision)
}
