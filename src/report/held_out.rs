//! Held-out scores of every title, one JSON line each: what two runs are compared by.

use std::{collections::BTreeMap, path::Path};

use base::{file, json};
use eval::Groups;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::ReportError;

/// The file's name in the run folder.
pub const FILE: &str = "held-out.jsonl";

/// One title, scored by a model that never saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldOutTitle {
    /// As in the catalog.
    pub id: String,
    /// The fold in which it was held out.
    pub fold: u32,
    /// What it shares with other held-out titles, such as a franchise; absent where it is alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its genres.
    pub labels: Vec<String>,
    /// The genres decided on.
    pub decided: Vec<String>,
    /// Calibrated probability of every genre.
    pub probability: BTreeMap<String, f32>,
}

/// Held-out scores as tables over the titles of the file, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldOutTable {
    /// `[titles]`
    pub ids: Vec<String>,
    /// `[titles]`
    pub folds: Vec<u32>,
    /// Titles that belong together.
    pub groups: Groups,
    /// `[titles, genres]`
    pub probabilities: Array2<f64>,
    /// `[titles, genres]`
    pub decisions: Array2<bool>,
    /// `[titles, genres]`
    pub labels: Array2<bool>,
}

/// Titles as lines.
#[must_use]
pub fn lines(titles: &[HeldOutTitle]) -> String {
    let lines = titles.iter().map(|title| json::line(title) + "\n");
    lines.collect()
}

/// Reads `held-out.jsonl` of a run folder; columns in the order of `genres`.
///
/// # Errors
/// The file cannot be read, or a line is no title.
pub fn read(folder: &Path, genres: &[String]) -> Result<HeldOutTable, ReportError> {
    let path = folder.join(FILE);
    let text = file::read_to_string(&path).map_err(|source| ReportError::File {
        path: path.clone(),
        action: "read",
        source,
    })?;
    let titles: Vec<HeldOutTitle> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|source| ReportError::Json { path, source })?;
    let shape = (titles.len(), genres.len());
    Ok(HeldOutTable {
        ids: titles.iter().map(|title| title.id.clone()).collect(),
        folds: titles.iter().map(|title| title.fold).collect(),
        // A title without a group is one by its place.
        groups: Groups::new(
            titles.iter().enumerate().map(|(at, title)| title.group.as_deref().ok_or(at)),
        ),
        probabilities: Array2::from_shape_fn(shape, |(t, g)| {
            titles[t].probability.get(&genres[g]).map_or(f64::NAN, |&p| f64::from(p))
        }),
        decisions: Array2::from_shape_fn(shape, |(t, g)| titles[t].decided.contains(&genres[g])),
        labels: Array2::from_shape_fn(shape, |(t, g)| titles[t].labels.contains(&genres[g])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_and_files_without_them_too() {
        let folder = tempfile::tempdir().unwrap();
        let title = |id: &str, group: Option<&str>| HeldOutTitle {
            id: id.to_owned(),
            group: group.map(str::to_owned),
            ..HeldOutTitle::default()
        };
        let read_back = |titles: &[HeldOutTitle]| {
            std::fs::write(folder.path().join(FILE), lines(titles)).unwrap();
            read(folder.path(), &["War".to_owned()]).unwrap().groups
        };
        let grouped =
            read_back(&[title("a", Some("saga")), title("b", None), title("c", Some("saga"))]);
        assert_eq!((grouped.num_groups(3), grouped.of(2), grouped.of(1)), (2, 0, 1));
        let alone = [title("a", None), title("b", None)];
        assert!(!lines(&alone).contains("group"), "a file as before");
        assert_eq!(read_back(&alone).num_groups(2), 2);
    }
}
