//! Kernel ridge regression over all modalities at once.
//!
//! Two titles are as far apart as their modalities are on average: by a modality that both have
//! 2 less twice the cosine of their features, by one that only one of the two has 2, by one that
//! neither has 0. `K = exp(-gamma · distance)`. So the expert sees what no sum over views can: plots
//! that mean something else beside such a poster and such people. Shown a part of a title's
//! modalities it takes the others for missing, and the stack's regression of that part says what
//! its answer is worth then.
//!
//! source: Saunders, Gammerman and Vovk 1998; Gönen and Alpaydın 2011, "Multiple kernel learning
//! algorithms" (the product of one kernel for each view)
//! reference: scikit-learn `KernelRidge(kernel="precomputed")`

use serde::{Deserialize, Serialize};

use super::{
    StackSettings,
    remembered::{Remembered, some_of},
};
use crate::learn::{
    LearnConfig, LearnError,
    dataset::Dataset,
    heads::classical::{KernelMachine, targets},
};

/// What two titles are apart by a modality that one of them lacks.
const APART: f32 = 2.0;

/// Fitted on titles that have any modality.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct JointKernel {
    views: Vec<Remembered>,
    gamma: f32,
    /// `[genres]`
    machines: Vec<KernelMachine>,
}

impl JointKernel {
    pub(super) fn fit(
        config: &LearnConfig,
        data: &Dataset,
        train: &[usize],
    ) -> Result<Self, LearnError> {
        let StackSettings { kernel_c, kernel_gamma, .. } = config.stack;
        let train = some_of(train);
        let fit = |m| Remembered::fit(data, m, &train, config.min_support);
        let views: Vec<Remembered> =
            (0..data.modalities.len()).map(fit).collect::<Result<_, _>>()?;
        let num = train.len();
        let mut distances = vec![0.0_f32; num * num];
        for view in &views {
            let has: Vec<bool> = (0..num).map(|title| view.has(title)).collect();
            add_distances(view, &view.cosines_among(), &has, &mut distances);
        }
        let gamma = kernel_gamma as f32 / views.len().max(1) as f32;
        for d in &mut distances {
            *d = (-gamma * *d).exp();
        }
        let targets = targets(data, &train, config);
        let problems: Vec<(&[bool], f32)> =
            targets.labels.iter().map(Vec::as_slice).zip(targets.pos_weight).collect();
        let machines = KernelMachine::ridge(&distances, &problems, kernel_c);
        Ok(Self { views, gamma, machines })
    }

    /// Whether its parts belong together, as those of one that was fitted do.
    pub(super) fn fits(&self, genres: usize, modalities: usize) -> bool {
        let num = self.views.first().map_or(0, Remembered::num_titles);
        self.views.len() == modalities
            && self.views.iter().enumerate().all(|(m, view)| {
                view.modality() == m && view.fits(modalities) && view.num_titles() == num
            })
            && self.machines.len() == genres
            && self.machines.iter().all(|machine| machine.fits(num))
    }

    /// `[subsets][titles, genres]`: through each subset of the modalities but the empty one, a
    /// number whose bits they are; NaN for a title that lacks any of these.
    pub(super) fn scores(
        &self,
        data: &Dataset,
        titles: &[usize],
    ) -> Result<Vec<Vec<f32>>, LearnError> {
        let (num, genres) =
            (self.views.first().map_or(0, Remembered::num_titles), self.machines.len());
        let has = |m: usize| -> Vec<bool> {
            titles.iter().map(|&title| data.modalities[m].present(title)).collect()
        };
        let has: Vec<Vec<bool>> = (0..self.views.len()).map(has).collect();
        // `[modalities][titles, remembered titles]`, seen and hidden.
        let apart = |view: &Remembered, shown: bool| -> Result<Vec<f32>, LearnError> {
            let mut distances = vec![0.0_f32; titles.len() * num];
            let (cosines, has) = if shown {
                (view.cosines(data, titles)?, has[view.modality()].clone())
            } else {
                (Vec::new(), vec![false; titles.len()])
            };
            add_distances(view, &cosines, &has, &mut distances);
            Ok(distances)
        };
        let seen: Vec<Vec<f32>> =
            self.views.iter().map(|view| apart(view, true)).collect::<Result<_, _>>()?;
        let hidden: Vec<Vec<f32>> = self
            .views
            .iter()
            .map(|view| (0..num).map(|title| if view.has(title) { APART } else { 0.0 }).collect())
            .collect();
        let machines: Vec<&KernelMachine> = self.machines.iter().collect();
        let of_subset = |subset: usize| {
            let shown = |m: usize| subset >> m & 1 == 1;
            let who: Vec<usize> = (0..titles.len())
                .filter(|&at| (0..has.len()).all(|m| !shown(m) || has[m][at]))
                .collect();
            let mut kernel = vec![0.0_f32; who.len() * num];
            for (row, &at) in kernel.chunks_exact_mut(num.max(1)).zip(&who) {
                for m in 0..self.views.len() {
                    let apart =
                        if shown(m) { &seen[m][at * num..(at + 1) * num] } else { &hidden[m][..] };
                    row.iter_mut().zip(apart).for_each(|(sum, d)| *sum += d);
                }
                for d in row {
                    *d = (-self.gamma * *d).exp();
                }
            }
            let own = KernelMachine::scores(&machines, &kernel, who.len());
            let mut scores = vec![f32::NAN; titles.len() * genres];
            for (&at, own) in who.iter().zip(own.chunks_exact(genres.max(1))) {
                scores[at * genres..(at + 1) * genres].copy_from_slice(own);
            }
            scores
        };
        Ok((1..1_usize << self.views.len()).map(of_subset).collect())
    }
}

/// Adds what titles `[titles]` that have a modality or not are apart from the remembered ones by
/// it; `cosines` and `distances` `[titles, remembered titles]`.
fn add_distances(view: &Remembered, cosines: &[f32], has: &[bool], distances: &mut [f32]) {
    let num = view.num_titles().max(1);
    for (title, (row, &has)) in distances.chunks_exact_mut(num).zip(has).enumerate() {
        for (other, distance) in row.iter_mut().enumerate() {
            *distance += match (has, view.has(other)) {
                (true, true) => (2.0 - 2.0 * cosines[title * num + other]).max(0.0),
                (false, false) => 0.0,
                _ => APART,
            };
        }
    }
}
