//! What a row of a file says: an answer in a row, or all about a title.

use std::{collections::BTreeMap, path::Path};

use curation::reviews::unfit;

use super::{Answer, Problem, ProblemKind, Severity, Source, Timestamp, Words, nearest};
use crate::{Row, genres::genres_of, problem::shown, spec::Separator, vocabularies};

/// An answer; without genre: that the title has none but those that were answered about.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) genre: Option<String>,
    pub(super) answer: Option<Answer>,
    pub(super) who: String,
    pub(super) at: Timestamp,
    pub(super) line: u64,
}

/// Reads the rows of a file.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Path,
    /// Who answered where no row says it, and when.
    pub(super) who: &'a str,
    pub(super) now: Timestamp,
}

impl Reader<'_> {
    /// The answers of a row; a row that cannot be understood is left out as a whole.
    pub(super) fn answers(&self, row: &Row, problems: &mut Vec<Problem>) -> Vec<Given> {
        match self.read(row) {
            Ok(answers) => answers,
            Err((field, value, message, hint)) => {
                let message = format!("{message}; the row is left out");
                let kind = ProblemKind::BadAnswer;
                let problem = Problem::warning(kind, (self.file, row.line), message, hint);
                let (field, value) = (Some(field.to_owned()), Some(shown(&value)));
                problems.push(Problem { severity: Severity::Error, field, value, ..problem });
                Vec::new()
            }
        }
    }

    fn read(&self, row: &Row) -> Result<Vec<Given>, Fault> {
        let text = |column: &str| row.get(column).map(|cell| cell.clone().into_text());
        if let Some(id) = text("undoes") {
            let message = "it takes back another event, which has another id here".to_owned();
            let hint = "take what holds in the end: `cinetag feedback export`";
            return Err(("undoes", id, message, hint));
        }
        let at = text("at").map_or(Ok(self.now), |at| at.parse().map_err(|_| bad_at(at)))?;
        let who = text("who").unwrap_or_else(|| self.who.to_owned());
        let given = |genre: Option<String>, answer| {
            let who = who.clone();
            Given { genre, answer, who, at, line: row.line }
        };
        let mut answers = Vec::new();
        for (genre, answer) in answers_of(row)? {
            answers.push(given(Some(genre), Some(answer)));
        }
        if text("complete").map_or(Ok(false), |text| is_yes(&text))? {
            answers.push(given(None, None));
        }
        let all = answers.iter().filter_map(|given| Some((given.genre.clone()?, given.answer?)));
        let all: BTreeMap<String, Answer> = all.collect();
        let words = Words { answers: all, who, ..Words::new(at, Source::Import, "title") };
        if let Some(why) = unfit(&words) {
            return Err(("genre", String::new(), why.to_owned(), "write genres' names"));
        }
        Ok(answers)
    }

    /// A title that is not there.
    pub(super) fn unknown_title(&self, row: &Row, name: &str, near: Option<&str>) -> Problem {
        let message = match name {
            "" => "the row names no title; it is left out".to_owned(),
            name => format!("there is no title {:?}; the row is left out", shown(name)),
        };
        let hint = match near {
            Some(near) if near == name => {
                "several titles are called so: write the id of the one that is meant".to_owned()
            }
            Some(near) => format!("write {near:?} if that is meant"),
            None => "write its id, as the catalog has it or as `cinetag tag` names it".to_owned(),
        };
        let problem =
            Problem::warning(ProblemKind::UnknownTitle, (self.file, row.line), message, &hint);
        let (field, value) = (Some("title".to_owned()), Some(shown(name)));
        Problem { severity: Severity::Error, field, value, ..problem }
    }

    /// Word of a genre that may be another one, mistyped.
    pub(super) fn near_miss(&self, given: &Given, vocabulary: &[String]) -> Option<Problem> {
        let genre = given.genre.as_ref()?;
        if vocabulary.iter().any(|known| known.to_lowercase() == genre.to_lowercase()) {
            return None;
        }
        let near = nearest(genre, vocabulary.iter().map(String::as_str))?;
        let message =
            format!("genre {:?} is none of those that are here; it is a new one", shown(genre));
        let hint = format!("write `{near}` if that is meant");
        let place = (self.file, given.line);
        Some(Problem::warning(ProblemKind::OddGenre, place, message, &hint))
    }
}

/// Column, what stands there, what is wrong, the mend.
type Fault = (&'static str, String, String, &'static str);

const ANSWERS: &str = "write yes, no, unsure or added (or 1, 0, true, false)";

fn bad_at(text: String) -> Fault {
    let message = format!("`at` must be a moment, got {:?}", shown(&text));
    ("at", text, message, "write it like 2026-11-29T21:04:11Z, or leave the cell empty")
}

fn answer_of(column: &'static str, text: &str) -> Result<Answer, Fault> {
    Answer::of_name(text).ok_or_else(|| {
        let message = format!("`{column}` {:?} is no answer", shown(text));
        (column, text.to_owned(), message, ANSWERS)
    })
}

fn is_yes(text: &str) -> Result<bool, Fault> {
    Ok(answer_of("complete", text)?.has() == Some(true))
}

/// The answers of a row: one in its cells, lists of genres, an event's.
fn answers_of(row: &Row) -> Result<BTreeMap<String, Answer>, Fault> {
    let text = |column: &str| row.get(column).map(|cell| cell.clone().into_text());
    let mut answers = BTreeMap::new();
    match (text("genre"), text("answer")) {
        (Some(genre), Some(answer)) => drop(answers.insert(genre, answer_of("answer", &answer)?)),
        (Some(genre), None) => {
            let message = format!("genre {:?} has no answer", shown(&genre));
            return Err(("answer", String::new(), message, ANSWERS));
        }
        (None, Some(answer)) => {
            let message = "the answer names no genre".to_owned();
            return Err(("genre", answer, message, "write the genre's name"));
        }
        (None, None) => {}
    }
    let lists =
        [("unknown_genres", Answer::Unsure), ("not_genres", Answer::No), ("genres", Answer::Yes)];
    for (column, answer) in lists {
        let Some(cell) = row.get(column) else { continue };
        let names = genres_of(cell.content.clone(), Separator::Auto, vocabularies::has);
        let names = names.map_err(|why| {
            let hint = "write [\"Drama\", \"Comedy\"] with double quotes, or Drama|Comedy";
            (column, cell.clone().into_text(), format!("`{column}` {why}"), hint)
        })?;
        answers.extend(names.into_iter().map(|name| (name, answer)));
    }
    if let Some(event) = text("answers") {
        let said: BTreeMap<String, Answer> = serde_json::from_str(&event).map_err(|error| {
            ("answers", event.clone(), format!("`answers` cannot be read ({error})"), ANSWERS)
        })?;
        answers.extend(said);
    }
    if answers.is_empty() && text("complete").is_none() {
        let message = "the row says nothing".to_owned();
        return Err(("answer", String::new(), message, ANSWERS));
    }
    Ok(answers)
}
