//! Why a title got a genre, in words: for formats that have one place for text.

use std::fmt::Write as _;

use tag::{GenreScore, Said, TitleTags};

/// `probability 0.713 (threshold 0.38); log-odds: base -0.90, plot +1.30; frames at 12.4 s; said:
/// 0:42 “detective” (+0.61); from speech alone`.
pub(crate) fn in_words(score: &GenreScore, tags: &TitleTags) -> String {
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
    let said: Vec<String> =
        tags.said.iter().filter(|said| said.genre == score.genre).map(spoken).collect();
    if !said.is_empty() {
        let _ = write!(words, "; said: {}", said.join(", "));
    }
    if tags.from_speech_alone {
        words.push_str("; from speech alone");
    }
    words
}

/// `0:42 “detective” (+0.61)`.
fn spoken(said: &Said) -> String {
    let time = said.time_secs.map_or_else(String::new, |secs| format!("{} ", clock(secs)));
    format!("{time}“{}” ({:+.2})", said.word, said.log_odds)
}

/// `1:02:03`, or `0:42`.
pub(crate) fn clock(secs: f32) -> String {
    let secs = secs.max(0.0) as u64;
    match secs / 3600 {
        0 => format!("{}:{:02}", secs / 60, secs % 60),
        hours => format!("{hours}:{:02}:{:02}", secs / 60 % 60, secs % 60),
    }
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
