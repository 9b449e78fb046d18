//! What a learner of one genre is to tell apart.

/// Labels of training rows and what rows weigh.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// `[rows]`
    pub labels: &'a [bool],
    /// What a row with the label weighs; one without weighs 1.
    pub pos_weight: f32,
    /// `[rows]`: by how much more; 0 of a row of which it is not known whether it has the label.
    /// `None`: all are known and weigh the same.
    pub weights: Option<&'a [f32]>,
}

impl<'a> From<(&'a [bool], f32)> for Problem<'a> {
    fn from((labels, pos_weight): (&'a [bool], f32)) -> Self {
        Self { labels, pos_weight, weights: None }
    }
}

impl Problem<'_> {
    /// What a row weighs.
    #[must_use]
    pub fn weight(&self, row: usize) -> f32 {
        let own = if self.labels[row] { self.pos_weight } else { 1.0 };
        self.weights.map_or(own, |weights| own * weights[row])
    }

    /// `[rows]`
    #[must_use]
    pub fn row_weights(&self) -> Vec<f32> {
        (0..self.labels.len()).map(|row| self.weight(row)).collect()
    }

    /// The rows of which it is known whether they have the label.
    #[must_use]
    pub fn known(&self) -> Vec<usize> {
        let is_known = |row: &usize| self.weights.is_none_or(|weights| weights[*row] > 0.0);
        (0..self.labels.len()).filter(is_known).collect()
    }

    /// Whether all known rows weigh 1.
    #[must_use]
    #[allow(clippy::float_cmp)] // what was set, not computed
    pub fn is_even(&self) -> bool {
        let is_even = |weight: &f32| *weight == 0.0 || *weight == 1.0;
        self.pos_weight == 1.0 && self.weights.is_none_or(|weights| weights.iter().all(is_even))
    }
}
