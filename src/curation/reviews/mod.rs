//! What people decided about titles: one append-only log.
//!
//! `.cinetag/reviews/<session>.jsonl`, at the root of a library or beside a catalog's file: one JSON
//! object a line ([`Event`]), one file a session, so that any number of people and processes write
//! without locks, on a network share, too. in: answers ([`Words`]); out: what they come to
//! ([`Log::decisions`]).
//!
//! A library may come from elsewhere with such a log in it: nothing here is trusted. Folders and files that
//! are links are refused, sizes are bounded, and each line holds the digest of the line before, so that a
//! file that was cut or changed in the middle counts only as far as it is whole.

mod fold;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use base::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    fold::{Conflict, Decided, Decisions, Said},
    read::{Break, Log, digest, is_there, read},
    write::Session,
};

/// The folder of the log, in the program's own.
const REVIEWS: &str = "reviews";
const ENDING: &str = ".jsonl";

/// What somebody says of a title and a genre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It has the genre.
    Yes,
    /// It does not.
    No,
    /// That cannot be said: it is not known.
    Unsure,
    /// It has the genre, which nobody had proposed.
    Added,
}

impl Answer {
    /// Its name in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unsure => "unsure",
            Self::Added => "added",
        }
    }

    /// The answer of this name, letter case aside; 1, 0, true and false are yes and no.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name.trim().to_lowercase().as_str() {
            "yes" | "1" | "true" => Some(Self::Yes),
            "no" | "0" | "false" => Some(Self::No),
            "unsure" => Some(Self::Unsure),
            "added" => Some(Self::Added),
            _ => None,
        }
    }

    /// Whether the title has the genre; `None` where that is not known.
    #[must_use]
    pub fn has(self) -> Option<bool> {
        match self {
            Self::Yes | Self::Added => Some(true),
            Self::No => Some(false),
            Self::Unsure => None,
        }
    }
}

/// Where answers were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The review page.
    Page,
    /// The programming interface.
    Api,
    /// A sidecar that somebody edited.
    Nfo,
    /// A file that was imported.
    Import,
}

/// What was shown to whoever answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Bundle name and the start of its digest.
    pub model: String,
    /// How the title was chosen.
    #[serde(default)]
    pub policy: String,
    /// How probable it was that it was chosen, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
    /// By genre: probability and threshold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, [f64; 2]>,
}

/// What somebody says of a title.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Words {
    /// When.
    pub at: Timestamp,
    /// Who; empty where nobody was named.
    #[serde(default)]
    pub who: String,
    /// Where.
    pub source: Source,
    /// The title: in a library its path from the root, else its id in the catalog.
    pub title: String,
    /// Digest of all that its tags were made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// What sites know it by (`imdb`, `tmdb`), by which it is found again under another name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ids: BTreeMap<String, String>,
    /// By genre.
    #[serde(default)]
    pub answers: BTreeMap<String, Answer>,
    /// Whether it has none of the genres that nobody answered about.
    #[serde(default)]
    pub complete: bool,
    /// What was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// How long the answer took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// The event that is taken back. Taking back what took back brings the first one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
}

impl Words {
    /// Nothing said yet.
    #[must_use]
    pub fn new(at: Timestamp, source: Source, title: impl Into<String>) -> Self {
        Self {
            at,
            who: String::new(),
            source,
            title: title.into(),
            inputs: None,
            ids: BTreeMap::new(),
            answers: BTreeMap::new(),
            complete: false,
            shown: None,
            took_ms: None,
            undoes: None,
        }
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unique; ids that one process gives ascend.
    pub event: String,
    /// What was said.
    #[serde(flatten)]
    pub words: Words,
    /// Digest of the line before; none in a file's first line.
    #[serde(default)]
    pub prev: Option<Digest>,
}

/// Why an event is not to be believed, if so: it is larger than what anybody says.
#[must_use]
pub fn unfit(words: &Words) -> Option<&'static str> {
    const MAX_TITLE: usize = 4096;
    const MAX_NAME: usize = 200;
    const MAX_ANSWERS: usize = 1000;
    const MAX_IDS: usize = 16;
    let is_long = |text: &String| text.len() > MAX_NAME;
    let Words { title, answers, ids, .. } = words;
    if title.is_empty() || title.len() > MAX_TITLE || title.contains('\0') {
        return Some("the title has no name, or a longer one than any");
    }
    if answers.len() > MAX_ANSWERS
        || answers.keys().any(|name| is_long(name) || name.trim().is_empty())
    {
        return Some(
            "there are more answers than genres, or the genre has no name or a longer one than any",
        );
    }
    let is_odd = |(site, id): (&String, &String)| is_long(site) || is_long(id);
    if ids.len() > MAX_IDS || ids.iter().any(is_odd) {
        return Some("there are more or longer ids than sites give");
    }
    let others = [Some(&words.who), words.inputs.as_ref(), words.undoes.as_ref()];
    if others.into_iter().flatten().any(is_long) {
        return Some("a name is longer than any");
    }
    let is_shown_long = |shown: &Shown| {
        is_long(&shown.model) || is_long(&shown.policy) || shown.scores.len() > MAX_ANSWERS
    };
    words.shown.as_ref().is_some_and(is_shown_long).then_some("more was shown than there is")
}
