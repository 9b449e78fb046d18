//! What is found, a line each: as JSON, and as a table.

use std::{error::Error, fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One finding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Of which part.
    pub part: String,
    /// What was looked at.
    pub what: String,
    /// `f32`, `f16` or `bf16`, where it has one.
    pub precision: String,
    /// Items at once, where they are counted.
    pub batch: usize,
    /// The number; `None` where there is none, or none that is finite.
    pub value: Option<f64>,
    /// What it counts.
    pub unit: String,
    /// What it must not exceed; of rates, PyTorch's.
    pub against: Option<f64>,
    /// Whether it holds; `None` where there is nothing to hold it against.
    pub holds: Option<bool>,
    /// Words on it.
    pub note: String,
}

impl Row {
    /// A number that must not exceed a limit.
    pub fn within(part: &str, what: &str, value: f64, limit: f64, unit: &str) -> Self {
        let holds = Some(value <= limit); // not where it is NaN
        Self { against: Some(limit), holds, ..Self::number(part, what, value, unit) }
    }

    /// A number with nothing to hold it against.
    pub fn number(part: &str, what: &str, value: f64, unit: &str) -> Self {
        let value = value.is_finite().then_some(value);
        let [part, what, unit] = [part, what, unit].map(str::to_owned);
        Self { part, what, value, unit, ..Self::default() }
    }

    /// Something that did not come to its end.
    pub fn broken(part: &str, what: &str, note: impl Into<String>) -> Self {
        Self { holds: Some(false), note: note.into(), ..Self::number(part, what, f64::NAN, "") }
    }

    /// As a line.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An error with its causes.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string().lines().next().unwrap_or_default().to_owned();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {}", error.to_string().lines().next().unwrap_or_default());
        cause = error.source();
    }
    text
}

/// Puts PyTorch's rates beside ours of the same network, precision and batch; whatever else it
/// said becomes a row.
pub fn lay_beside(rows: &mut Vec<Row>, torch: Vec<Row>) {
    for theirs in torch {
        let key =
            |row: &Row| (row.what.clone(), row.unit.clone(), row.precision.clone(), row.batch);
        match rows.iter_mut().find(|row| row.part == "rates" && key(row) == key(&theirs)) {
            Some(ours) if theirs.value.is_some() => {
                ours.against = theirs.value;
                ours.holds = ours.value.zip(theirs.value).map(|(ours, theirs)| ours >= theirs);
            }
            _ => rows.push(theirs),
        }
    }
}

/// Whether all is right: that PyTorch is faster is no fault, and nor is that it is not there.
pub fn is_right(rows: &[Row]) -> bool {
    let is_fault = |row: &Row| row.holds == Some(false) && row.part != "pytorch";
    !rows.iter().any(|row| is_fault(row) && (row.part != "rates" || row.value.is_none()))
}

/// Everything as one object.
pub fn report(machine: &Value, wall: Duration, rows: &[Row]) -> Value {
    let count = |holds| rows.iter().filter(|row| row.holds == holds).count();
    json!({
        "machine": machine,
        "secs": wall.as_secs(),
        "right": is_right(rows),
        "hold": count(Some(true)),
        "do_not_hold": count(Some(false)),
        "rows": rows,
    })
}

/// Everything for people.
pub fn table(rows: &[Row]) -> String {
    let mut table = String::new();
    for row in rows {
        let holds = match row.holds {
            Some(true) => "holds",
            Some(false) => "DOES NOT",
            None => "-",
        };
        let batch = if row.batch > 0 { format!("×{}", row.batch) } else { String::new() };
        let (value, against) = (number(row.value), number(row.against));
        let line = format!(
            "{holds:<8} {:<9} {:<24} {:<4} {batch:<6} {value:>9} {against:>9} {} {}",
            row.part, row.what, row.precision, row.unit, row.note
        );
        let _ = writeln!(table, "{}", line.trim_end());
    }
    let _ = write!(
        table,
        "(numbers: found, then what they must not exceed; of rates, then PyTorch's in the same run)\n{}",
        if is_right(rows) { "all that must hold holds" } else { "NOT ALL THAT MUST HOLD HOLDS" }
    );
    table
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value == 0.0 || (0.01..1e6).contains(&value) => {
            format!("{value:.*}", if value < 10.0 { 2 } else { 0 })
        }
        Some(value) => format!("{value:.1e}"),
    }
}
