//! What became current when, on whose word, and what was so before.

use eval::Verdict;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Version;

/// How a version became current.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// It was promoted.
    Promote,
    /// It was so before, and the one after it was taken back.
    Rollback,
}

/// A line of `history.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// On whose word; nobody's where the gate alone promoted it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub who: Option<String>,
    /// What was current.
    pub from: Option<Version>,
    /// What is to be current.
    pub to: Version,
    /// How it came.
    pub way: Way,
    /// What the gate says, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<Verdict>,
}

/// What a rollback of `current` leads to, by the history; `None` where there is nothing before it.
///
/// An event took effect if what came after it began where it ended; others are those of processes that were
/// killed. Promotions are stacked up, rollbacks taken off.
pub(super) fn before(history: &[Event], current: Option<&Version>) -> Option<Version> {
    let mut stack: Vec<Version> = Vec::new();
    for (k, event) in history.iter().enumerate() {
        let then = history.get(k + 1).map_or(current, |next| next.from.as_ref());
        if then != Some(&event.to) {
            continue;
        }
        match event.way {
            Way::Promote => stack.extend(event.from.clone()),
            Way::Rollback => {
                stack.pop();
            }
        }
    }
    stack.pop().filter(|before| Some(before) != current)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(digit: char) -> Version {
        digit.to_string().repeat(16).parse().unwrap()
    }

    /// `a` to `b` by promotion, `b<a` by rollback to `a`; `.` is nothing.
    fn history(events: &[&str]) -> Vec<Event> {
        let event = |text: &&str| {
            let letters: Vec<char> = text.chars().collect();
            let way = if letters[1] == '<' { Way::Rollback } else { Way::Promote };
            let from = Some(letters[0]).filter(|&letter| letter != '.').map(version);
            Event {
                at: Timestamp::default(),
                who: None,
                from,
                to: version(letters[2]),
                way,
                verdict: None,
            }
        };
        events.iter().map(event).collect()
    }

    #[test]
    fn what_was_current_before_is_read_off_the_history() {
        let found = |events: &[&str], current: char| {
            before(&history(events), Some(&version(current))).map(|v| v.as_str()[..1].to_owned())
        };
        let is = |letter: &str| Some(letter.to_owned());
        assert_eq!(found(&[".>a"], 'a'), None);
        assert_eq!(found(&[".>a", "a>b"], 'b'), is("a"));
        assert_eq!(found(&[".>a", "a>b", "b>c"], 'c'), is("b"));
        // Back again goes back further.
        assert_eq!(found(&[".>a", "a>b", "b>c", "c<b"], 'b'), is("a"));
        assert_eq!(found(&[".>a", "a>b", "b>c", "c<b", "b<a"], 'a'), None);
        assert_eq!(found(&[".>a", "a>b", "b<a", "a>c"], 'c'), is("a"));
        // Killed before it took effect: at the end, and in between.
        assert_eq!(found(&[".>a", "a>b", "b>c"], 'b'), is("a"));
        assert_eq!(found(&[".>a", "a>b", "b>c", "b>d"], 'd'), is("b"));
        assert_eq!(found(&[".>a", "a>b", "b<a", "b>c"], 'c'), is("b"));
        assert_eq!(found(&[], 'a'), None);
    }
}
