//! Whether anything is fitted outside the fold.
//!
//! in: a way to fit and score; out: how much it says otherwise of its training titles when
//! everything about the held-out ones is changed. Whatever is fitted inside the fold says the
//! same to the last bit.

use dataset::{Content, Dataset, ModalityTable};
use store::Ragged;

use crate::LearnError;

/// The largest change of a score of a training title when labels and content of all titles that
/// are not in `train` are replaced by something else; 0 where nothing outside was looked at.
/// `fit_and_score` is given the data and the training titles and scores these.
///
/// # Errors
/// That of `fit_and_score`.
pub fn change_from_outside(
    data: &Dataset,
    train: &[usize],
    fit_and_score: impl Fn(&Dataset, &[usize]) -> Result<Vec<f32>, LearnError>,
) -> Result<f32, LearnError> {
    let is = fit_and_score(data, train)?;
    let would_be = fit_and_score(&changed_outside(data, train), train)?;
    let pairs = is.iter().zip(&would_be);
    let differences =
        pairs.map(|(a, b)| if a.to_bits() == b.to_bits() { 0.0 } else { (a - b).abs() });
    // NaN on one side alone is a change as well.
    Ok(differences.fold(0.0, |most: f32, d| most.max(if d.is_nan() { f32::INFINITY } else { d })))
}

/// The data with every held-out title turned into another: labels inverted, rows moved far away,
/// records taken from a training title.
fn changed_outside(data: &Dataset, train: &[usize]) -> Dataset {
    let mut inside = vec![false; data.num_titles()];
    for &title in train {
        inside[title] = true;
    }
    let mut changed = data.clone();
    let genres = data.num_genres();
    for (at, label) in changed.labels.iter_mut().enumerate() {
        *label ^= !inside[at / genres.max(1)];
    }
    changed.modalities =
        data.modalities.iter().map(|table| changed_table(table, &inside).into()).collect();
    changed
}

fn changed_table(table: &ModalityTable, inside: &[bool]) -> ModalityTable {
    let content = match &table.content {
        Content::Rows(ragged) => {
            let mut changed = Ragged::new(ragged.dim);
            for (title, &inside) in inside.iter().enumerate() {
                let far: Vec<f32> = ragged.rows(title).iter().map(|x| 100.0 - 3.0 * x).collect();
                let rows = if inside { ragged.rows(title) } else { &far };
                changed.push(rows, ragged.times(title));
            }
            Content::Rows(changed)
        }
        Content::Records { schema, rows } => {
            let mut given = rows.iter().zip(inside).filter(|(_, inside)| **inside).cycle();
            let rows = rows.iter().zip(inside).map(|(row, &inside)| {
                if inside { row.clone() } else { given.next().and_then(|(row, _)| row.clone()) }
            });
            Content::Records { schema: schema.clone(), rows: rows.collect() }
        }
    };
    let texts = table.texts.as_ref().map(|texts| {
        let texts = texts.iter().zip(inside);
        let other = |text: &String| format!("changed {}", text.to_uppercase());
        texts
            .map(|(text, &inside)| if inside { text.clone() } else { text.as_ref().map(other) })
            .collect()
    });
    ModalityTable { name: table.name.clone(), content, texts, sentences: table.sentences.clone() }
}
