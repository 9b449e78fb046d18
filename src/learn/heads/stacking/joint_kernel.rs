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

use dataset::Dataset;
use serde::{Deserialize, Serialize};

use super::{StackSettings, experts::among, remembered::Remembered};
use crate::{
    LearnConfig,
    heads::classical::{KernelMachine, Problem, targets},
};

/// What two titles are apart by a modality that one of them lacks.
const APART: f32 = 2.0;

/// Fitted on titles that have any modality.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct JointKernel {
    gamma: f32,
    /// `[genres]`
    machines: Vec<KernelMachine>,
}

impl JointKernel {
    /// Fits on the remembered titles `train`; `views` `[modalities]` are of these.
    pub(super) fn fit(
        config: &LearnConfig,
        data: &Dataset,
        train: &[usize],
        views: &[&Remembered],
    ) -> Self {
        let StackSettings { kernel_c, kernel_gamma, .. } = config.stack;
        let num = train.len();
        let mut distances = vec![0.0_f32; num * num];
        for view in views {
            let has: Vec<bool> = (0..num).map(|title| view.has(title)).collect();
            let cosines = view.cosines_among();
            let rows = distances.chunks_exact_mut(num.max(1)).zip(cosines.chunks_exact(num.max(1)));
            for ((row, cosines), &own) in rows.zip(&has) {
                for ((distance, &cosine), &other) in row.iter_mut().zip(cosines).zip(&has) {
                    *distance += apart(cosine, own, other);
                }
            }
        }
        let gamma = kernel_gamma as f32 / views.len().max(1) as f32;
        for d in &mut distances {
            *d = (-gamma * *d).exp();
        }
        let targets = targets(data, train, config);
        let problems: Vec<Problem<'_>> =
            (0..data.num_genres()).map(|genre| targets.problem(genre)).collect();
        let machines = KernelMachine::ridge(&distances, &problems, kernel_c);
        Self { gamma, machines }
    }

    /// Whether its parts belong together and to so many remembered titles.
    pub(super) fn fits(&self, genres: usize, num_titles: usize) -> bool {
        self.machines.len() == genres && self.machines.iter().all(|own| own.fits(num_titles))
    }

    /// `[subsets][titles, genres]`: through each subset of the modalities but the empty one, a
    /// number whose bits they are; NaN for a title that lacks any of these. `views` `[modalities]`,
    /// `cosines` `[modalities][titles, remembered titles]`, `has` `[modalities][titles]`.
    pub(super) fn scores(
        &self,
        views: &[&Remembered],
        cosines: Vec<Vec<f32>>,
        has: &[Vec<bool>],
    ) -> Vec<Vec<f32>> {
        let num = views.first().map_or(0, |view| view.num_titles());
        let (genres, num_titles) = (self.machines.len(), has.first().map_or(0, Vec::len));
        // What each modality leaves of the likeness, where it is seen and where it is hidden.
        let leaves = |apart: f32| (-self.gamma * apart).exp();
        let seen: Vec<Vec<f32>> = views
            .iter()
            .zip(cosines)
            .zip(has)
            .map(|((view, mut cosines), has)| {
                for (row, &has) in cosines.chunks_exact_mut(num.max(1)).zip(has) {
                    for (other, cosine) in row.iter_mut().enumerate() {
                        *cosine = leaves(apart(*cosine, has, view.has(other)));
                    }
                }
                cosines
            })
            .collect();
        let hidden: Vec<Vec<f32>> = views
            .iter()
            .map(|view| (0..num).map(|other| leaves(apart(0.0, false, view.has(other)))).collect())
            .collect();
        let machines: Vec<&KernelMachine> = self.machines.iter().collect();
        let of_subset = |subset: usize| {
            let shown = |m: usize| subset >> m & 1 == 1;
            let who: Vec<usize> = (0..num_titles)
                .filter(|&at| (0..has.len()).all(|m| !shown(m) || has[m][at]))
                .collect();
            let mut kernel = vec![1.0_f32; who.len() * num];
            for (row, &at) in kernel.chunks_exact_mut(num.max(1)).zip(&who) {
                for m in 0..views.len() {
                    let left =
                        if shown(m) { &seen[m][at * num..(at + 1) * num] } else { &hidden[m][..] };
                    row.iter_mut().zip(left).for_each(|(likeness, left)| *likeness *= left);
                }
            }
            let own = KernelMachine::scores(&machines, &kernel, who.len());
            among(num_titles, genres, &who, &own)
        };
        (1..1_usize << views.len()).map(of_subset).collect()
    }
}

/// How far apart a modality holds two titles that have it or not.
fn apart(cosine: f32, has: bool, other_has: bool) -> f32 {
    match (has, other_has) {
        (true, true) => (2.0 - 2.0 * cosine).max(0.0),
        (false, false) => 0.0,
        _ => APART,
    }
}
