//! What all that was said comes to.
//!
//! in: events by time and id; out: of each title what holds. Of each title and genre the later word
//! holds, whoever said it. An event that another takes back says nothing. A title that somebody called
//! complete has none of the genres that nobody answered about.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{Answer, Event};

/// The last word about a title and a genre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The genre, as it was written last.
    pub genre: String,
    /// What.
    pub answer: Answer,
    /// Who.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// What was decided about a title.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// By genre in small letters: the last word.
    pub answers: BTreeMap<String, Said>,
    /// Whether it has none of the other genres.
    pub complete: bool,
    /// What sites know it by.
    pub ids: BTreeMap<String, String>,
}

impl Decided {
    /// The last word about a genre, letter case aside.
    #[must_use]
    pub fn get(&self, genre: &str) -> Option<&Said> {
        self.answers.get(&key(genre))
    }

    /// Whether nothing was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty() && !self.complete
    }
}

/// Two people's last words about a title and a genre, which differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The title.
    pub title: String,
    /// One word a person, the one that holds last.
    pub words: Vec<Said>,
}

/// What was decided, by title.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decisions {
    titles: BTreeMap<String, Decided>,
    conflicts: Vec<Conflict>,
}

impl Decisions {
    /// What was decided about a title.
    #[must_use]
    pub fn get(&self, title: &str) -> Option<&Decided> {
        self.titles.get(title)
    }

    /// Titles about which anything was decided, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Decided)> {
        self.titles.iter().map(|(title, decided)| (title.as_str(), decided))
    }

    /// Whether nothing was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }

    /// Where two people's last words differ; the later one holds.
    #[must_use]
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }
}

/// A genre's name as it is compared.
fn key(genre: &str) -> String {
    genre.trim().to_lowercase()
}

/// What events in their order come to.
pub(super) fn fold(events: &[Event]) -> Decisions {
    let mut decisions = Decisions::default();
    // By title, genre and person.
    let mut words: BTreeMap<(&str, String), Vec<Said>> = BTreeMap::new();
    for (event, _) in events.iter().zip(standing(events)).filter(|(_, stands)| *stands) {
        let said = &event.words;
        if said.answers.is_empty() && !said.complete {
            continue;
        }
        let decided = decisions.titles.entry(said.title.clone()).or_default();
        decided.complete |= said.complete;
        decided.ids.extend(said.ids.clone());
        for (genre, &answer) in &said.answers {
            let (who, at) = (said.who.clone(), said.at);
            let word = Said { genre: genre.trim().to_owned(), answer, who, at };
            decided.answers.insert(key(genre), word.clone());
            let all = words.entry((said.title.as_str(), key(genre))).or_default();
            all.retain(|earlier| earlier.who != word.who);
            all.push(word);
        }
    }
    let differ =
        |words: &[Said]| words.windows(2).any(|two| two[0].answer.has() != two[1].answer.has());
    let conflicts = words.into_iter().filter(|(_, words)| differ(words));
    let conflict = |((title, _), words): ((&str, String), Vec<Said>)| Conflict {
        title: title.to_owned(),
        words,
    };
    decisions.conflicts = conflicts.map(conflict).collect();
    decisions
}

/// `[events]`: whether each stands, that is, whether nothing that stands takes it back. Clocks differ, so
/// what takes back may seem to be the earlier one. Events that take one another back in a ring, which
/// nobody can write, do not stand.
fn standing(events: &[Event]) -> Vec<bool> {
    let at: HashMap<&str, usize> =
        events.iter().enumerate().map(|(idx, event)| (event.event.as_str(), idx)).collect();
    let target = |event: &Event| at.get(event.words.undoes.as_deref()?).copied();
    let targets: Vec<Option<usize>> = events.iter().map(target).collect();
    let mut num_open = vec![0_usize; events.len()];
    targets.iter().flatten().for_each(|&target| num_open[target] += 1);
    let mut ready: Vec<usize> = (0..events.len()).filter(|&idx| num_open[idx] == 0).collect();
    let mut is_undone = vec![false; events.len()];
    let mut stands = vec![false; events.len()];
    while let Some(idx) = ready.pop() {
        stands[idx] = !is_undone[idx];
        let Some(target) = targets[idx] else { continue };
        is_undone[target] |= stands[idx];
        num_open[target] -= 1;
        if num_open[target] == 0 {
            ready.push(target);
        }
    }
    stands
}
