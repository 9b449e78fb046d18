//! Training titles that are looked at again: their features, brought to length 1.
//!
//! A row of features is kept in a byte a number, rounded before anything is fitted on it, so that a
//! model that was saved and opened says the same to the last bit.

use dataset::{Content, ModalityTable};
use serde::{Deserialize, Serialize};

use crate::{LearnError, heads::classical::Design, transform::TabularTransform};

/// More training titles than this are not compared with each other: of more, so many that stand
/// evenly among them. A kernel over all of them takes 400 MB.
const MAX_TITLES: usize = 10_000;

/// Those of `titles` that are remembered.
pub(super) fn some_of(titles: &[usize]) -> Vec<usize> {
    let num = titles.len();
    if num <= MAX_TITLES {
        return titles.to_vec();
    }
    (0..MAX_TITLES).map(|k| titles[k * num / MAX_TITLES]).collect()
}

/// How a title's content becomes numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Input {
    /// As the encoder gives them; of several rows the mean.
    Features { dim: usize },
    /// Scaled numbers, and indicators of values.
    Records(TabularTransform),
}

/// One modality of the remembered titles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    input: Input,
    /// `[titles]`: whether they have the modality.
    has: Vec<bool>,
    /// `[titles, dim]`, of length 1; zeros of who lacks the modality.
    rows: Rows,
}

impl Remembered {
    /// Of these training titles.
    pub(super) fn fit(
        table: &ModalityTable,
        train: &[usize],
        min_support: usize,
    ) -> Result<Self, LearnError> {
        let input = match &table.content {
            Content::Rows(ragged) => Input::Features { dim: ragged.dim },
            Content::Records { schema, rows } => {
                Input::Records(TabularTransform::fit(schema, rows, train, min_support))
            }
        };
        let rows = unit_rows(&input, table, train)?;
        let has = train.iter().map(|&title| table.present(title)).collect();
        Ok(Self { input, has, rows: Rows::rounded(rows) })
    }

    /// Number of titles.
    pub(super) fn num_titles(&self) -> usize {
        self.has.len()
    }

    /// Whether a remembered title has the modality.
    pub(super) fn has(&self, title: usize) -> bool {
        self.has[title]
    }

    /// Whether its parts belong together.
    pub(super) fn fits(&self) -> bool {
        let dim = match &self.input {
            Input::Features { dim } => *dim,
            Input::Records(tabular) => tabular.dim(),
        };
        self.rows.fits(self.has.len(), dim)
    }

    /// `[titles, remembered titles]`: the cosine of the angle between them; 0 where one of the two
    /// lacks the modality.
    pub(super) fn cosines(
        &self,
        table: &ModalityTable,
        titles: &[usize],
    ) -> Result<Vec<f32>, LearnError> {
        let own = unit_rows(&self.input, table, titles)?;
        Ok(own.products(&self.rows.design()))
    }

    /// `[remembered titles, remembered titles]`
    pub(super) fn cosines_among(&self) -> Vec<f32> {
        self.rows.design().products_among()
    }
}

/// `[titles, dim]`, of length 1; zeros of who lacks the modality.
fn unit_rows(input: &Input, table: &ModalityTable, titles: &[usize]) -> Result<Design, LearnError> {
    let mut design = match (input, &table.content) {
        (Input::Features { dim }, Content::Rows(ragged)) if ragged.dim == *dim => {
            let mut dense = vec![0.0_f32; titles.len() * dim];
            for (own, &title) in dense.chunks_exact_mut((*dim).max(1)).zip(titles) {
                for row in ragged.rows(title).chunks_exact((*dim).max(1)) {
                    own.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                }
            }
            Design::dense(titles.len(), dense)
        }
        (Input::Records(tabular), Content::Records { schema, rows }) => {
            tabular.check_schema(schema)?;
            let apply = |&title: &usize| {
                rows[title].as_ref().map(|record| tabular.apply(record)).unwrap_or_default()
            };
            Design::sparse(tabular.dim(), &titles.iter().map(apply).collect::<Vec<_>>())
        }
        _ => {
            return Err(LearnError::Data {
                message: format!(
                    "modality {}: its features are not what the model was fitted on",
                    table.name
                ),
                hint: Some("use the encoder that the model was fitted with".to_owned()),
            });
        }
    };
    design.scale_rows(|square| if square > 0.0 { square.sqrt().recip() } else { 0.0 });
    Ok(design)
}

/// Rows of length 1 or 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Rows {
    /// `[rows, dim]`: of each row its largest number's size, in 127ths of which the others are.
    Dense {
        dim: usize,
        largest: Vec<f32>,
        bytes: Vec<i8>,
    },
    Sparse(Design),
}

impl Rows {
    fn rounded(rows: Design) -> Self {
        let dim = rows.dense_dim();
        if dim == 0 {
            return Self::Sparse(rows);
        }
        let (mut largest, mut bytes) = (Vec::new(), Vec::with_capacity(rows.dense_rows().len()));
        for row in rows.dense_rows().chunks_exact(dim) {
            let most = row.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let scale = if most > 0.0 { 127.0 / most } else { 0.0 };
            largest.push(most);
            bytes.extend(row.iter().map(|x| (x * scale).round() as i8));
        }
        Self::Dense { dim, largest, bytes }
    }

    fn fits(&self, num_rows: usize, own_dim: usize) -> bool {
        match self {
            Self::Dense { dim, largest, bytes } => {
                *dim == own_dim
                    && largest.len() == num_rows
                    && num_rows.checked_mul(*dim) == Some(bytes.len())
            }
            Self::Sparse(rows) => rows.num_rows() == num_rows && rows.fits(own_dim),
        }
    }

    fn design(&self) -> Design {
        match self {
            Self::Dense { dim, largest, bytes } => {
                let rows = bytes.chunks_exact(*dim).zip(largest);
                let values = |(row, most): (&'_ [i8], &f32)| {
                    let step = most / 127.0;
                    row.iter().map(|&byte| f32::from(byte) * step).collect::<Vec<f32>>()
                };
                Design::dense(largest.len(), rows.flat_map(values).collect())
            }
            Self::Sparse(rows) => rows.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_rows_point_where_they_did() {
        let rows = Design::dense(3, vec![0.6, -0.8, 0.0, 0.0, 1.0, 0.001]);
        let rounded = Rows::rounded(rows.clone()).design();
        for (own, exact) in rounded.dense_rows().iter().zip(rows.dense_rows()) {
            assert!((own - exact).abs() <= 0.5 / 127.0, "{own} {exact}");
        }
        assert_eq!(rounded.dense_rows()[1], -0.8, "the largest is exact");
    }

    #[test]
    fn of_many_titles_some_are_remembered_evenly() {
        let titles: Vec<usize> = (0..25_000).map(|t| 2 * t).collect();
        let some = some_of(&titles);
        assert_eq!((some.len(), some[0], some[1], some[9_999]), (10_000, 0, 4, 49_994));
        assert_eq!(some_of(&titles[..7]), titles[..7]);
    }
}
