//! What goes into the network: titles to be scored together.

use candle_core::{DType, Device, Result, Tensor};

use crate::heads::inputs::Gathered;

/// One modality's part of a [`Batch`].
#[derive(Clone, Debug)]
pub struct BranchBatch {
    /// What goes in.
    pub inputs: Inputs,
    /// Rows of each title, at least 1.
    pub counts: Vec<usize>,
    /// Which titles of the batch these are, ascending.
    pub titles: Vec<usize>,
}

/// What goes into a branch.
#[derive(Clone, Debug)]
pub enum Inputs {
    /// `[rows, dim]`
    Rows(Tensor),
    /// `[titles that have it]` of `[tokens, dim]`: for the last layers of a sentence network.
    Tokens(Vec<Tensor>),
}

/// Titles to be scored together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// How many.
    pub num_titles: usize,
    /// One per modality; `None` where no title of the batch has it.
    pub branches: Vec<Option<BranchBatch>>,
}

impl BranchBatch {
    /// Puts gathered rows on the device.
    ///
    /// # Errors
    /// The device's error.
    pub fn new(
        gathered: Gathered,
        dim: usize,
        titles: Vec<usize>,
        device: &Device,
    ) -> Result<Self> {
        let num_rows = gathered.counts.iter().sum::<usize>();
        let inputs = if gathered.tokens.is_empty() {
            Inputs::Rows(Tensor::from_vec(gathered.data, (num_rows, dim), device)?)
        } else {
            Inputs::Tokens(gathered.tokens)
        };
        Ok(Self { inputs, counts: gathered.counts, titles })
    }

    /// `[titles that have it, dim]` as `[titles, dim]`, zeros for the others.
    pub(in crate::heads) fn spread(&self, rows: &Tensor, num_titles: usize) -> Result<Tensor> {
        let mut row_of_title = vec![self.titles.len() as u32; num_titles];
        for (row, &title) in self.titles.iter().enumerate() {
            row_of_title[title] = row as u32;
        }
        let zeros = Tensor::zeros((1, rows.dim(1)?), DType::F32, rows.device())?;
        let row_of_title = Tensor::from_vec(row_of_title, num_titles, rows.device())?;
        Tensor::cat(&[rows, &zeros], 0)?.index_select(&row_of_title, 0)
    }

    /// `[titles, 1]`: 1 for those that have it, 0 for the others.
    pub(in crate::heads) fn present(&self, num_titles: usize, device: &Device) -> Result<Tensor> {
        let mut present = vec![0.0_f32; num_titles];
        self.titles.iter().for_each(|&title| present[title] = 1.0);
        Tensor::from_vec(present, (num_titles, 1), device)
    }
}
