//! Labels of some titles of a data set, as figures want them.

use dataset::Dataset;
use eval::Labels;
use ndarray::Array2;

/// Labels `[titles, genres]` with what each weighs.
#[derive(Clone, Debug)]
pub struct KnownLabels {
    has: Array2<bool>,
    weights: Option<Array2<f32>>,
}

impl KnownLabels {
    /// Those of some titles.
    #[must_use]
    pub fn of(data: &Dataset, titles: &[usize]) -> Self {
        let (has, weights) = (data.labels_matrix(titles), data.label_weights_matrix(titles));
        Self { has, weights }
    }

    /// Of all genres.
    #[must_use]
    pub fn view(&self) -> Labels<'_> {
        Labels::weighing(self.has.view(), self.weights.as_ref().map(|weights| weights.view()))
    }

    /// Whether a title has a genre, for all of these titles and genres.
    #[must_use]
    pub fn has(&self) -> &Array2<bool> {
        &self.has
    }

    /// The same of some genres.
    #[must_use]
    pub fn of_genres(&self, genres: &[usize]) -> Self {
        let axis = ndarray::Axis(1);
        Self {
            has: self.has.select(axis, genres),
            weights: self.weights.as_ref().map(|weights| weights.select(axis, genres)),
        }
    }
}
