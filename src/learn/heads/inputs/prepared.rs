//! A modality's rows made ready: gathered for the branches of a network, side by side for classical
//! learners.

use candle_core::Tensor;
use dataset::{Content, ModalityTable};

use super::{BranchInput, InputDropout, Transform};
use crate::{heads::classical::Design, transform::SparseRow};

/// A modality of one data set, ready to be gathered from.
#[derive(Debug)]
pub struct PreparedInput<'a> {
    pub(super) input: &'a BranchInput,
    pub(super) table: &'a ModalityTable,
    /// `[titles]`, for records and words alone: transformed once instead of once per epoch.
    pub(super) sparse: Vec<Option<SparseRow>>,
    /// `[titles]` of `[tokens, dim]`, for the last layers of a sentence network alone.
    pub(super) tokens: Vec<Option<Tensor>>,
}

/// Rows of several titles, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// `[rows, dim]`
    pub data: Vec<f32>,
    /// `[titles]`: rows of each, at least 1.
    pub counts: Vec<usize>,
    /// `[titles]` of `[tokens, dim]` in the place of rows, for the last layers of a sentence
    /// network alone.
    pub tokens: Vec<Tensor>,
}

impl PreparedInput<'_> {
    /// Length of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.input.dim()
    }

    /// Rows of a title.
    #[must_use]
    pub fn num_rows(&self, title_idx: usize) -> usize {
        match (&self.input.transform, &self.table.content) {
            (Transform::Rows(_), Content::Rows(ragged)) => ragged.num_rows(title_idx),
            _ => usize::from(self.table.present(title_idx)),
        }
    }

    /// Whether a title has the modality.
    #[must_use]
    pub fn present(&self, title_idx: usize) -> bool {
        self.table.present(title_idx)
    }

    /// Rows of these titles, each of which has the modality; `dropout` in training alone.
    pub fn gather(&self, titles: &[usize], mut dropout: Option<InputDropout<'_>>) -> Gathered {
        let mut gathered = Gathered::default();
        let dim = self.input.dim();
        for &title in titles {
            debug_assert!(self.table.present(title));
            let start = gathered.data.len();
            if let (Transform::Rows(scaling), Content::Rows(ragged)) =
                (&self.input.transform, &self.table.content)
            {
                for row in ragged.rows(title).chunks_exact(dim) {
                    scaling.push(row, &mut gathered.data);
                }
                gathered.counts.push(ragged.num_rows(title));
                if let Some(dropout) = &mut dropout {
                    dropout.apply(&mut gathered.data[start..]);
                }
            } else if let Transform::Sentences(_) = &self.input.transform {
                let tokens = self.tokens[title].iter().cloned();
                gathered.counts.extend(tokens.clone().map(|states| states.dims()[0]));
                gathered.tokens.extend(tokens);
            } else if let Transform::Sequence(_) = &self.input.transform {
                let words = self.sparse[title].as_deref().unwrap_or_default();
                gathered.data.extend(words.iter().map(|&(_, id)| id));
                gathered.counts.push(words.len());
            } else {
                let features = self.sparse[title].as_deref().unwrap_or_default();
                let mut values: Vec<f32> = features.iter().map(|&(_, v)| v).collect();
                if let Some(dropout) = &mut dropout {
                    dropout.apply(&mut values);
                }
                gathered.data.resize(start + dim, 0.0);
                for (&(idx, _), value) in features.iter().zip(values) {
                    gathered.data[start + idx as usize] = value;
                }
                gathered.counts.push(1);
            }
            gathered.data[start..].iter_mut().for_each(|x| *x *= self.input.scale);
        }
        gathered
    }

    /// These titles as classical learners read them, each with one row: the mean of its rows
    /// where it has several, zeros where it has none.
    #[must_use]
    pub fn design(&self, titles: &[usize]) -> Design {
        let dim = self.input.dim();
        if let Transform::Rows(_) = &self.input.transform {
            let mut dense = vec![0.0; titles.len() * dim];
            for (own, &title) in dense.chunks_exact_mut(dim).zip(titles) {
                if self.table.present(title) {
                    let gathered = self.gather(&[title], None);
                    let share = 1.0 / gathered.counts[0] as f32;
                    for row in gathered.data.chunks_exact(dim) {
                        own.iter_mut().zip(row).for_each(|(own, x)| *own += share * x);
                    }
                }
            }
            return Design::dense(titles.len(), dense);
        }
        let rows: Vec<SparseRow> = titles
            .iter()
            .map(|&title| {
                let row = self.sparse[title].as_deref().unwrap_or_default();
                row.iter().map(|&(idx, value)| (idx, value * self.input.scale)).collect()
            })
            .collect();
        Design::sparse(dim, &rows)
    }

    /// Mean squared length of the rows of these titles: what the first layer's initial
    /// weights are scaled by. 1 where there is none.
    #[must_use]
    pub fn mean_square_norm(&self, titles: &[usize]) -> f64 {
        if let Transform::Sentences(sentences) = &self.input.transform {
            return sentences.layers.dim() as f64; // as they come out of the layers
        }
        let mean = self.mean_over_rows(titles, |x| x * x);
        if mean > 0.0 { mean } else { 1.0 }
    }

    /// The sum of `term` over a row, on average over the rows of these titles; 0 without any.
    pub(super) fn mean_over_rows(&self, titles: &[usize], term: impl Fn(f64) -> f64) -> f64 {
        let mut sum = 0.0;
        let mut num_rows = 0_usize;
        for &title in titles {
            if !self.table.present(title) {
                continue;
            }
            if let Some(features) = self.sparse.get(title).and_then(Option::as_deref) {
                let scaled = features.iter().map(|&(_, x)| term(f64::from(x * self.input.scale)));
                sum += scaled.sum::<f64>();
                num_rows += 1;
            } else {
                let gathered = self.gather(&[title], None);
                sum += gathered.data.iter().map(|&x| term(f64::from(x))).sum::<f64>();
                num_rows += gathered.counts[0];
            }
        }
        if num_rows == 0 { 0.0 } else { sum / num_rows as f64 }
    }
}
