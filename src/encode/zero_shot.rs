//! How well a picture fits genres that are named in words, by CLIP.
//!
//! in: image embeddings, `[rows, dim]`; out: these with a logit for each label behind them: the
//! cosine between the picture and the label's prompts, times the model's own scale. Several
//! prompts of a label are embedded and averaged.
//! source: Radford et al. 2021 (arXiv:2103.00020), section 3.1.4.
//! reference: transformers `CLIPModel`, `logits_per_image`.

use nn::{ModelFiles, NnError, clip_text::ClipText, unit_length::to_unit_length};

use super::{modality::EncodeError, pretrained::load, settings::expect};

/// Where a prompt has its label.
const PLACE: &str = "{}";

/// Checks the labels of a pipeline and the prompts that they stand in.
///
/// # Errors
/// A label or prompt that is none.
pub(super) fn check(
    modality: &str,
    labels: &[String],
    prompts: &[String],
) -> Result<(), EncodeError> {
    if labels.is_empty() {
        return Ok(());
    }
    let distinct = |idx: usize| !labels[..idx].contains(&labels[idx]);
    for (idx, label) in labels.iter().enumerate() {
        expect(modality, !label.trim().is_empty() && distinct(idx), || {
            format!("`zero_shot` must name each genre once, got {label:?}")
        })?;
    }
    let is_prompt = |prompt: &String| prompt.matches(PLACE).count() == 1;
    expect(modality, !prompts.is_empty() && prompts.iter().all(is_prompt), || {
        format!("`prompts` must be texts with one {PLACE} for the genre, got {prompts:?}")
    })
}

/// Labels as directions among the image embeddings.
pub(super) struct ZeroShot {
    /// `[labels]` of `[dim]`, as long as the model's scale.
    labels: Vec<Vec<f32>>,
}

impl ZeroShot {
    /// The labels of a pipeline; `None` where there are none.
    ///
    /// # Errors
    /// A label or prompt that is none, or too long; a model that is no CLIP with both towers.
    pub(super) fn open(
        modality: &str,
        labels: &[String],
        prompts: &[String],
        files: &ModelFiles,
    ) -> Result<Option<Self>, EncodeError> {
        check(modality, labels, prompts)?;
        if labels.is_empty() {
            return Ok(None);
        }
        let tower = ClipText::load(files).map_err(|e| load(modality, e))?;
        let direction = |label: &String| {
            let mut sum: Vec<f32> = Vec::new();
            for prompt in prompts {
                let embedded = tower.embed(&prompt.replace(PLACE, label))?;
                sum.resize(embedded.len(), 0.0);
                sum.iter_mut().zip(&embedded).for_each(|(sum, x)| *sum += x);
            }
            to_unit_length(&mut sum);
            Ok(sum.iter().map(|x| x * tower.scale()).collect())
        };
        let labels = labels.iter().map(direction).collect::<Result<_, NnError>>();
        Ok(Some(Self { labels: labels.map_err(|e| load(modality, e))? }))
    }

    /// Numbers that a row gains.
    pub(super) fn num_labels(&self) -> usize {
        self.labels.len()
    }

    /// `[rows, dim + labels]` from `[rows, dim]`.
    pub(super) fn extend(&self, rows: &[f32], dim: usize) -> Vec<f32> {
        let extended = |row: &[f32]| {
            let mut direction = row.to_vec();
            to_unit_length(&mut direction);
            let logit =
                |label: &Vec<f32>| label.iter().zip(&direction).map(|(a, b)| a * b).sum::<f32>();
            let mut row = row.to_vec();
            row.extend(self.labels.iter().map(logit));
            row
        };
        rows.chunks_exact(dim).flat_map(extended).collect()
    }
}
