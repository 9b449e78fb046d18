//! What a head's branch is fed: a modality's rows scaled, or its records as numbers, as fitted
//! on the training titles.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::learn::{
    LearnError,
    dataset::{Content, Dataset, ModalityTable},
    transform::{Scaling, SparseRow, TabularTransform},
};

/// A modality's fitted transform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BranchInput {
    /// Frozen features.
    Rows(Scaling),
    /// Metadata.
    Records(TabularTransform),
}

/// A modality of one data set, ready to be gathered from.
#[derive(Debug)]
pub struct PreparedInput<'a> {
    input: &'a BranchInput,
    table: &'a ModalityTable,
    /// `[titles]`, for records alone: transformed once instead of once per epoch.
    sparse: Vec<Option<SparseRow>>,
}

/// Rows of several titles, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gathered {
    /// `[rows, dim]`
    pub data: Vec<f32>,
    /// `[titles]`: rows of each, at least 1.
    pub counts: Vec<usize>,
}

/// Sets a share of the inputs to 0 and scales up the others.
pub struct InputDropout<'a> {
    /// Inputs whose random byte is below are dropped.
    threshold: u8,
    rng: &'a mut ChaCha8Rng,
}

impl<'a> InputDropout<'a> {
    /// Drops this share, to the next 1/256.
    pub fn new(dropped_frac: f64, rng: &'a mut ChaCha8Rng) -> Self {
        Self { threshold: (dropped_frac * 256.0).round().clamp(0.0, 255.0) as u8, rng }
    }

    /// Applies it to `values`.
    pub fn apply(&mut self, values: &mut [f32]) {
        if self.threshold == 0 {
            return;
        }
        let scale = 256.0 / (256.0 - f32::from(self.threshold));
        let mut bytes = [0_u8; 512];
        for chunk in values.chunks_mut(bytes.len()) {
            let bytes = &mut bytes[..chunk.len()];
            self.rng.fill_bytes(bytes);
            for (value, &byte) in chunk.iter_mut().zip(bytes.iter()) {
                *value *= if byte < self.threshold { 0.0 } else { scale };
            }
        }
    }
}

impl BranchInput {
    /// Fits on the training titles.
    #[must_use]
    pub fn fit(table: &ModalityTable, train: &[usize], min_support: usize) -> Self {
        match &table.content {
            Content::Rows(ragged) => Self::Rows(Scaling::fit(ragged, train)),
            Content::Records { schema, rows } => {
                Self::Records(TabularTransform::fit(schema, rows, train, min_support))
            }
        }
    }

    /// Length of a row that goes into the branch.
    #[must_use]
    pub fn dim(&self) -> usize {
        match self {
            Self::Rows(scaling) => scaling.dim(),
            Self::Records(tabular) => tabular.dim(),
        }
    }

    /// Makes a modality's table ready, if it is what this was fitted on.
    ///
    /// # Errors
    /// Rows of another length, other columns, or rows where records are expected.
    pub fn prepare<'a>(
        &'a self,
        table: &'a ModalityTable,
        titles: &[usize],
    ) -> Result<PreparedInput<'a>, LearnError> {
        let mut sparse = Vec::new();
        match (self, &table.content) {
            (Self::Rows(scaling), Content::Rows(ragged)) if ragged.dim == scaling.dim() => {}
            (Self::Rows(scaling), Content::Rows(ragged)) => {
                return Err(LearnError::Data {
                    message: format!(
                        "modality {}: the features have {} numbers a row, but the model was \
                         fitted on {}",
                        table.name,
                        ragged.dim,
                        scaling.dim()
                    ),
                    hint: Some("use the encoder that the model was fitted with".to_owned()),
                });
            }
            (Self::Records(tabular), Content::Records { schema, rows }) => {
                tabular.check_schema(schema)?;
                sparse.resize(rows.len(), None);
                for &title in titles {
                    sparse[title] = rows[title].as_ref().map(|record| tabular.apply(record));
                }
            }
            _ => {
                return Err(LearnError::Data {
                    message: format!(
                        "modality {}: the model was fitted on the other kind of content \
                         (features of an encoder against metadata records)",
                        table.name
                    ),
                    hint: None,
                });
            }
        }
        Ok(PreparedInput { input: self, table, sparse })
    }
}

impl PreparedInput<'_> {
    /// Rows of these titles, each of which has the modality; `dropout` in training alone.
    pub fn gather(&self, titles: &[usize], mut dropout: Option<InputDropout<'_>>) -> Gathered {
        let mut gathered = Gathered::default();
        let dim = self.input.dim();
        for &title in titles {
            debug_assert!(self.table.present(title));
            match (self.input, &self.table.content) {
                (BranchInput::Rows(scaling), Content::Rows(ragged)) => {
                    let start = gathered.data.len();
                    for row in ragged.rows(title).chunks_exact(dim) {
                        scaling.push(row, &mut gathered.data);
                    }
                    if let Some(dropout) = &mut dropout {
                        dropout.apply(&mut gathered.data[start..]);
                    }
                    gathered.counts.push(ragged.num_rows(title));
                }
                _ => {
                    let start = gathered.data.len();
                    gathered.data.resize(start + dim, 0.0);
                    let row = &mut gathered.data[start..];
                    let features = self.sparse[title].as_deref().unwrap_or_default();
                    let mut values: Vec<f32> = features.iter().map(|&(_, v)| v).collect();
                    if let Some(dropout) = &mut dropout {
                        dropout.apply(&mut values);
                    }
                    for (&(idx, _), value) in features.iter().zip(values) {
                        row[idx as usize] = value;
                    }
                    gathered.counts.push(1);
                }
            }
        }
        gathered
    }

    /// Mean squared length of the rows of these titles: what the first layer's initial
    /// weights are scaled by. 1 where there is none.
    #[must_use]
    pub fn mean_square_norm(&self, titles: &[usize]) -> f64 {
        let mut sum = 0.0;
        let mut num_rows = 0_usize;
        for &title in titles {
            if !self.table.present(title) {
                continue;
            }
            let gathered = self.gather(&[title], None);
            sum += gathered.data.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            num_rows += gathered.counts[0];
        }
        if num_rows == 0 || sum == 0.0 { 1.0 } else { sum / num_rows as f64 }
    }
}

/// Are the modalities of `data` these, in this order?
///
/// # Errors
/// Others, or in another order.
pub fn check_modalities(data: &Dataset, expected: &[String]) -> Result<(), LearnError> {
    if data.modalities.iter().map(|table| &table.name).eq(expected) {
        return Ok(());
    }
    let found: Vec<&String> = data.modalities.iter().map(|table| &table.name).collect();
    Err(LearnError::Data {
        message: format!("the modalities are {found:?}, but the model was fitted on {expected:?}"),
        hint: Some("keep a modality that no title has: it counts as missing".to_owned()),
    })
}
