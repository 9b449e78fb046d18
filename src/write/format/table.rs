//! The columns that tables of tags have: one row a title and genre.

use super::Tagged;

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Text(String),
    /// A number of single precision.
    Single(f32),
    Double(f64),
    Yes(bool),
    Empty,
}

/// What the cells of a column are, unless they are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Single,
    Double,
    Yes,
}

/// The columns; each modality of the model has one for its contribution.
pub(super) fn columns(modalities: &[String]) -> Vec<(String, Kind)> {
    let first = [
        ("id", Kind::Text),
        ("title", Kind::Text),
        ("genre", Kind::Text),
        ("probability", Kind::Single),
        ("threshold", Kind::Double),
        ("decision", Kind::Yes),
    ];
    let contributions =
        modalities.iter().map(|name| (format!("contribution_{name}"), Kind::Single));
    let last = [
        ("base", Kind::Single),
        ("moments", Kind::Text),
        ("model", Kind::Text),
        ("version", Kind::Text),
        ("tagged_at", Kind::Text),
    ];
    let owned = |(name, kind): (&str, Kind)| (name.to_owned(), kind);
    first.map(owned).into_iter().chain(contributions).chain(last.map(owned)).collect()
}

/// The names of the columns.
pub(super) fn header(modalities: &[String]) -> Vec<String> {
    columns(modalities).into_iter().map(|(name, _)| name).collect()
}

/// A row for each genre that has a score.
pub(super) fn rows(tagged: Tagged<'_>, modalities: &[String]) -> Vec<Vec<Cell>> {
    let tags = tagged.tags;
    let moments: Vec<_> =
        tags.moments.values().flatten().map(|moment| format!("{:.2}", moment.time_secs)).collect();
    let moments = moments.join(" ");
    let tagged_at = tags.tagged_at.map_or_else(String::new, |time| time.to_string());
    tags.scores
        .iter()
        .map(|score| {
            let mut row = vec![
                Cell::Text(tags.id.to_string()),
                Cell::Text(tags.title.clone()),
                Cell::Text(score.genre.clone()),
                Cell::Single(score.probability),
                Cell::Double(score.threshold),
                Cell::Yes(score.decision),
            ];
            row.extend(modalities.iter().map(|name| {
                score.contributions.get(name).map_or(Cell::Empty, |&value| Cell::Single(value))
            }));
            row.push(Cell::Single(score.base));
            let texts = [&moments, &tags.model, &tags.version, &tagged_at];
            row.extend(texts.map(|text| Cell::Text(text.clone())));
            row
        })
        .collect()
}
