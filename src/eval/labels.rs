//! What is known of titles' genres: yes, no, or nothing.
//!
//! A label weighs 1 unless something else is said. One that weighs 0 is not known: whatever is
//! fitted or measured passes over it, as if the title were not there for this genre. Weights are
//! those of titles that came by unequal chances: the reciprocal of the chance (Horvitz and Thompson
//! 1952, "A generalization of sampling without replacement from a finite universe").

use ndarray::{ArrayView1, ArrayView2, Axis};

/// Labels `[titles, genres]`.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    has: ArrayView2<'a, bool>,
    weights: Option<ArrayView2<'a, f32>>,
}

impl<'a> From<ArrayView2<'a, bool>> for Labels<'a> {
    /// All are known and weigh 1.
    fn from(has: ArrayView2<'a, bool>) -> Self {
        Self { has, weights: None }
    }
}

/// One genre's known titles.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// `[known titles]`
    pub scores: Vec<f64>,
    /// `[known titles]`
    pub labels: Vec<bool>,
    /// `[known titles]`; `None`: each weighs 1.
    pub weights: Option<Vec<f64>>,
}

impl Column {
    /// Titles that are all known and weigh the same.
    ///
    /// # Panics
    /// The lengths differ.
    #[must_use]
    pub fn even(scores: &[f64], labels: &[bool]) -> Self {
        assert_eq!(scores.len(), labels.len(), "one score for each label");
        Self { scores: scores.to_vec(), labels: labels.to_vec(), weights: None }
    }

    /// What the title at a place of the column weighs.
    #[must_use]
    pub fn weight(&self, at: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[at])
    }

    /// Weight of the titles that have the genre.
    #[must_use]
    pub fn positives(&self) -> f64 {
        let those = self.labels.iter().enumerate().filter(|(_, label)| **label);
        those.map(|(at, _)| self.weight(at)).sum()
    }

    /// What one weighs on average; 1 where there is none.
    #[must_use]
    pub fn mean_weight(&self) -> f64 {
        self.weights.as_ref().map_or(1.0, |own| own.iter().sum::<f64>() / own.len() as f64)
    }

    /// Weight of all.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.weights.as_ref().map_or(self.labels.len() as f64, |weights| weights.iter().sum())
    }
}

impl<'a> Labels<'a> {
    /// Labels with what each weighs; 0: not known.
    ///
    /// # Panics
    /// The shapes differ.
    #[must_use]
    pub fn weighing(has: ArrayView2<'a, bool>, weights: Option<ArrayView2<'a, f32>>) -> Self {
        if let Some(weights) = weights {
            assert_eq!(has.dim(), weights.dim(), "one weight for each label");
        }
        Self { has, weights }
    }

    /// `(titles, genres)`
    #[must_use]
    pub fn dim(&self) -> (usize, usize) {
        self.has.dim()
    }

    /// What a label weighs; 0: not known.
    #[must_use]
    pub fn weight(&self, title: usize, genre: usize) -> f64 {
        self.weights.map_or(1.0, |weights| f64::from(weights[[title, genre]]))
    }

    /// Whether a title is known to have a genre.
    #[must_use]
    pub fn has(&self, title: usize, genre: usize) -> bool {
        self.has[[title, genre]] && self.weight(title, genre) > 0.0
    }

    /// Whether some labels weigh something else than 1.
    #[must_use]
    pub fn is_weighed(&self) -> bool {
        self.weights.is_some()
    }

    /// Whether any genre of a title is known.
    #[must_use]
    pub fn knows(&self, title: usize) -> bool {
        self.weights.is_none_or(|weights| weights.row(title).iter().any(|&weight| weight > 0.0))
    }

    /// Genre by genre, with their scores `[titles, genres]`.
    ///
    /// # Panics
    /// The shapes differ.
    pub fn columns<'s>(
        self,
        scores: ArrayView2<'s, f64>,
    ) -> impl Iterator<Item = Column> + use<'a, 's> {
        assert_eq!(scores.dim(), self.dim(), "one score for each label");
        (0..scores.ncols()).map(move |genre| {
            let cells = scores.column(genre).into_iter().zip(self.has.column(genre));
            known(cells, self.weights.map(|weights| weights.index_axis_move(Axis(1), genre)))
        })
    }

    /// Title by title, with their scores `[titles, genres]`.
    ///
    /// # Panics
    /// The shapes differ.
    pub fn rows<'s>(
        self,
        scores: ArrayView2<'s, f64>,
    ) -> impl Iterator<Item = Column> + use<'a, 's> {
        assert_eq!(scores.dim(), self.dim(), "one score for each label");
        (0..scores.nrows()).map(move |title| {
            let cells = scores.row(title).into_iter().zip(self.has.row(title));
            known(cells, self.weights.map(|weights| weights.index_axis_move(Axis(0), title)))
        })
    }

    /// All cells in one.
    ///
    /// # Panics
    /// The shapes differ.
    #[must_use]
    pub fn pooled(self, scores: ArrayView2<'_, f64>) -> Column {
        assert_eq!(scores.dim(), self.dim(), "one score for each label");
        let cells = scores.iter().zip(self.has.iter());
        let weights: Option<Vec<f32>> =
            self.weights.map(|weights| weights.iter().copied().collect());
        known(cells, weights.as_ref().map(|weights| ArrayView1::from(weights.as_slice())))
    }
}

fn known<'b>(
    cells: impl Iterator<Item = (&'b f64, &'b bool)>,
    weights: Option<ArrayView1<'_, f32>>,
) -> Column {
    let Some(weights) = weights else {
        let (scores, labels) = cells.map(|(&score, &label)| (score, label)).unzip();
        return Column { scores, labels, weights: None };
    };
    let mut column = Column { scores: Vec::new(), labels: Vec::new(), weights: None };
    let mut own = Vec::new();
    for ((&score, &label), &weight) in cells.zip(weights).filter(|(_, weight)| **weight > 0.0) {
        column.scores.push(score);
        column.labels.push(label);
        own.push(f64::from(weight));
    }
    #[allow(clippy::float_cmp)] // what was set, not computed
    if own.iter().any(|&weight| weight != 1.0) {
        column.weights = Some(own);
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn what_is_not_known_is_not_there() {
        let has = array![[true, true], [false, true], [true, false]];
        let weights = array![[1.0, 0.0], [1.0, 2.0], [1.0, 1.0]];
        let scores = array![[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]];
        let labels = Labels::weighing(has.view(), Some(weights.view()));
        let columns: Vec<Column> = labels.columns(scores.view()).collect();
        assert_eq!(columns[0].weights, None, "nothing is left out, and all weigh 1");
        assert_eq!(columns[1].scores, [0.4, 0.6]);
        assert_eq!(columns[1].weights, Some(vec![2.0, 1.0]));
        assert_eq!((columns[1].positives(), columns[1].total()), (2.0, 3.0));
        let first = labels.rows(scores.view()).next().unwrap();
        assert_eq!((first.scores, first.labels), (vec![0.1], vec![true]));
        assert_eq!(labels.pooled(scores.view()).scores.len(), 5);
        assert!(!labels.has(0, 1) && labels.has(1, 1));
        let all = Labels::from(has.view()).pooled(scores.view());
        assert_eq!((all.total(), all.positives()), (6.0, 4.0));
    }
}
