//! JSON of a source: objects one after the other, in a list, or in `results`; gzipped or not.

use std::{path::Path, sync::Arc};

use serde_json::{Deserializer, Map, Value};

use super::{Intake, gz};
use crate::{CatalogError, ProblemKind, jsonl::item};

pub(super) type Object = Map<String, Value>;

/// Every object of a file. What is no JSON ends the reading with a problem.
pub(super) fn for_each(
    path: &Path,
    intake: &mut Intake<'_>,
    mut each: impl FnMut(Object, &Arc<Path>, &mut Intake<'_>),
) -> Result<(), CatalogError> {
    let failed = |source| CatalogError::File { path: path.to_owned(), action: "read", source };
    let shared: Arc<Path> = path.into();
    let reader = gz::open(path).map_err(failed)?;
    for value in Deserializer::from_reader(reader).into_iter::<Value>() {
        let values = match value {
            Ok(Value::Array(values)) => values,
            Ok(Value::Object(mut object)) => match object.remove("results") {
                Some(Value::Array(values)) => values,
                _ => vec![Value::Object(object)],
            },
            Ok(other) => vec![other],
            Err(error) if error.is_io() => return Err(failed(error.into())),
            Err(error) => {
                let line = error.line() as u64;
                let message = format!("no JSON from here on ({error})");
                intake.warn(
                    ProblemKind::MalformedRow,
                    (path, line),
                    message,
                    "mend the file there, or download it again",
                );
                break;
            }
        };
        for value in values {
            match value {
                Value::Object(object) => each(object, &shared, intake),
                other => intake.warn(
                    ProblemKind::MalformedRow,
                    (path, 0),
                    format!("{:.60} is no object", other.to_string()),
                    "a title is a JSON object",
                ),
            }
        }
    }
    Ok(())
}

/// A value as text: numbers and booleans too; `None` where it is null, blank, a list or an
/// object.
pub(super) fn text(object: &Object, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::Array(_) | Value::Object(_) => None,
        value => item(value.clone()),
    }
}

/// A number other than 0, which stands for unknown.
pub(super) fn nonzero(object: &Object, key: &str) -> Option<String> {
    text(object, key).filter(|text| text.parse::<f64>().is_ok_and(|number| number != 0.0))
}

/// The texts of a list; of objects, the value of the first of these keys that they have. A
/// single text is a list of one.
pub(super) fn names(value: Option<&Value>, keys: &[&str]) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::Object(object) => keys.iter().find_map(|key| text(object, key)),
        Value::Array(_) => None,
        other => item(other.clone()),
    };
    match value {
        Some(Value::Array(values)) => values.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}
