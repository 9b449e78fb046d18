//! A TOML file with the place of every key, so that what is wrong with a setting is told with its
//! line, and with the name that was probably meant.
//!
//! in: a file and values set from the command line; out: typed settings, or a
//! [`PipelineError::Spec`] with its place. A value of the command line has for its place the words
//! that set it.

use std::{ops::Range, path::Path};

use base::{file, nearest};
use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer, Error, ValueDeserializer},
};

use super::{Override, PipelineError};

/// A value with its place.
pub(super) type Placed<'t> = Spanned<DeValue<'t>>;

/// A file as it was parsed, with what was set since.
pub(super) struct Document<'t> {
    place: String,
    text: &'t str,
    root: Spanned<DeTable<'t>>,
    /// What was set; the place of the k-th is `text.len() + 1 + k`.
    set: Vec<&'t Override>,
}

/// A file's text; `hint` says what to give instead where it cannot be read.
///
/// # Errors
/// It cannot be read.
pub(super) fn text_of(path: &Path, hint: &str) -> Result<String, PipelineError> {
    file::read_to_string(path).map_err(|e| PipelineError::Spec {
        place: path.display().to_string(),
        message: format!("cannot be read: {e}"),
        hint: Some(hint.to_owned()),
    })
}

impl<'t> Document<'t> {
    /// Parses the text of a file, and sets values in their order.
    ///
    /// # Errors
    /// It is no TOML; a value's key leads through something that is no table, or names a stage
    /// that is not there.
    pub(super) fn parse(
        path: &Path,
        text: &'t str,
        overrides: &'t [Override],
    ) -> Result<Self, PipelineError> {
        let place = path.display().to_string();
        let empty = Spanned::new(0..0, DeTable::new());
        let mut document = Self { place, text, root: empty, set: Vec::new() };
        document.root = DeTable::parse(text).map_err(|error| document.refusal(&error))?;
        for one in overrides {
            document.set(one)?;
        }
        Ok(document)
    }

    fn set(&mut self, one: &'t Override) -> Result<(), PipelineError> {
        let at = self.text.len() + 1 + self.set.len();
        self.set.push(one);
        let value = one.value().ok_or_else(|| Misplaced::new("no value")).and_then(|value| {
            let value = placed(value, &(at..at + 1));
            put(self.root.get_mut(), &one.key, value)?;
            // What is set stands in the place of what the file says by the setting's other name.
            if let Some(("learn", path)) = one.key.split_first().map(|(a, b)| (a.as_str(), b)) {
                let other = learn::config::other_place(path).unwrap_or_default();
                forget(self.root.get_mut(), "learn", &other);
            }
            Ok(())
        });
        value.map_err(|Misplaced { message, near }| PipelineError::Spec {
            place: format!("--set {}", one.text),
            message,
            hint: Some(near.map_or_else(
                || {
                    "keys are those of the pipeline file, such as catalog.path, \
                     learn.epochs or stage.NAME.SETTING"
                        .to_owned()
                },
                |near| format!("did you mean `{near}`?"),
            )),
        })
    }

    /// The whole as typed settings.
    ///
    /// # Errors
    /// A key that is unknown or missing, or a value of another type.
    pub(super) fn typed<T: DeserializeOwned>(&self) -> Result<T, PipelineError> {
        T::deserialize(Deserializer::from(self.root.clone())).map_err(|e| self.refusal(&e))
    }

    /// The value of a top-level key.
    pub(super) fn get(&self, key: &str) -> Option<&Placed<'t>> {
        self.root.get_ref().get(key)
    }

    /// What is wrong at a key, such as `["learn", "head"]`; in an array the next part is an
    /// element's `name`, or `#` and its number from 0. The place is that of the deepest part that
    /// is there. Without a hint the name that was meant is looked for in the message.
    pub(super) fn refuse(
        &self,
        path: &[&str],
        message: impl Into<String>,
        hint: Option<String>,
    ) -> PipelineError {
        self.refuse_at(self.span_of(path), message, hint)
    }

    /// What is wrong at a place, if it is known.
    pub(super) fn refuse_at(
        &self,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> PipelineError {
        let message = message.into();
        let meant = || nearest::meant(&message).map(|near| format!("did you mean `{near}`?"));
        PipelineError::Spec { place: self.place_of(span), hint: hint.or_else(meant), message }
    }

    /// What the parser or serde refuses.
    pub(super) fn refusal(&self, error: &Error) -> PipelineError {
        self.refuse_at(error.span(), error.message().trim(), None)
    }

    fn place_of(&self, span: Option<Range<usize>>) -> String {
        let file = &self.place;
        match span {
            None => file.clone(),
            Some(span) if span.start > self.text.len() => {
                let words = self.set.get(span.start - self.text.len() - 1);
                words.map_or_else(|| file.clone(), |one| format!("--set {}", one.text))
            }
            Some(span) => {
                let before = self.text.get(..span.start).unwrap_or_default();
                format!("{file}:{}", 1 + before.matches('\n').count())
            }
        }
    }

    /// How many parts of a path are there.
    pub(super) fn depth(&self, path: &[&str]) -> usize {
        (1..=path.len()).take_while(|&k| self.is_there(&path[..k])).count()
    }

    fn is_there(&self, path: &[&str]) -> bool {
        let Some((last, above)) = path.split_last() else { return true };
        let mut here = Some(self.root.get_ref());
        for part in above {
            here = here.and_then(|table| table.get(*part)?.get_ref().as_table());
        }
        here.is_some_and(|table| table.contains_key(*last))
    }

    fn span_of(&self, path: &[&str]) -> Option<Range<usize>> {
        let mut here: Option<&DeTable<'_>> = Some(self.root.get_ref());
        let mut found = None;
        let mut path = path.iter();
        while let (Some(table), Some(part)) = (here, path.next()) {
            let Some((key, value)) = table.get_key_value(*part) else { break };
            // What was set from the command line is at fault rather than the line it replaces.
            let is_set = value.span().start > self.text.len();
            found = Some(if is_set { value.span() } else { key.span() });
            here = match value.get_ref() {
                DeValue::Table(table) => Some(table),
                DeValue::Array(items) => path.next().and_then(|wanted| {
                    let of_number = wanted.strip_prefix('#').and_then(|at| at.parse().ok());
                    let of_name = || items.iter().position(|item| name_of(item) == Some(wanted));
                    let item = items.get(of_number.or_else(of_name)?)?;
                    found = Some(item.span());
                    item.get_ref().as_table()
                }),
                _ => None,
            };
        }
        found
    }
}

/// A key that leads nowhere.
struct Misplaced {
    message: String,
    /// What was meant, perhaps.
    near: Option<String>,
}

impl Misplaced {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), near: None }
    }
}

/// Puts a value where a key leads, with the tables on the way.
fn put<'t>(table: &mut DeTable<'t>, key: &'t [String], value: Placed<'t>) -> Result<(), Misplaced> {
    let Some((part, rest)) = key.split_first() else { return Err(Misplaced::new("empty key")) };
    let span = value.span();
    if !table.contains_key(part.as_str()) {
        let empty = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        table.insert(Spanned::new(span, part.as_str().into()), empty);
    }
    let Some(next) = table.get_mut(part.as_str()) else { return Ok(()) };
    if rest.is_empty() {
        *next = value;
        return Ok(());
    }
    match next.get_mut() {
        DeValue::Table(table) => put(table, rest, value),
        // [[stage]]: the next part of the key is the stage's name.
        DeValue::Array(items) => match rest.split_first() {
            Some((name, rest)) if !rest.is_empty() => {
                let near = nearest::nearest(name, items.iter().filter_map(name_of));
                let near = near.map(str::to_owned);
                let named = items.iter_mut().find(|item| name_of(item) == Some(name));
                if let Some(DeValue::Table(table)) = named.map(Spanned::get_mut) {
                    return put(table, rest, value);
                }
                Err(Misplaced { message: format!("there is no {part} called {name:?}"), near })
            }
            _ => Err(Misplaced::new(format!("which {part}?"))),
        },
        other => Err(Misplaced::new(format!("`{part}` is a {}, not a table", other.type_str()))),
    }
}

/// Takes out what stands at a path below a part of a table, if anything does.
fn forget(table: &mut DeTable<'_>, part: &str, path: &[&str]) {
    let Some((next, rest)) = path.split_first() else { return };
    if let Some(DeValue::Table(table)) = table.get_mut(part).map(Spanned::get_mut) {
        if rest.is_empty() {
            table.remove(*next);
        } else {
            forget(table, next, rest);
        }
    }
}

/// A value as typed settings.
///
/// # Errors
/// A key that is unknown or missing, or a value of another type; [`Document::refusal`] says where.
pub(super) fn typed<T: DeserializeOwned>(value: Placed<'_>) -> Result<T, Error> {
    T::deserialize(ValueDeserializer::from(value))
}

/// An array's table by its `name`.
fn name_of<'a>(item: &'a Placed<'_>) -> Option<&'a str> {
    item.get_ref().as_table()?.get("name")?.get_ref().as_str()
}

/// A value every part of which stands at one place.
fn placed<'t>(value: DeValue<'t>, span: &Range<usize>) -> Placed<'t> {
    let value = match value {
        DeValue::Table(table) => {
            let item = |(key, value): (Spanned<_>, Placed<'t>)| {
                (Spanned::new(span.clone(), key.into_inner()), placed(value.into_inner(), span))
            };
            DeValue::Table(table.into_iter().map(item).collect())
        }
        DeValue::Array(items) => {
            DeValue::Array(items.into_iter().map(|item| placed(item.into_inner(), span)).collect())
        }
        single => single,
    };
    Spanned::new(span.clone(), value)
}
