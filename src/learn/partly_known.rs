//! What every trained model makes of labels that nobody knows, on the small library of
//! [`laws`](crate::laws).

use base::{Interrupt, Seed};
use dataset::Dataset;
use rand::RngExt;

use crate::{
    TrainedModel,
    config::Base,
    heads::classical::{Design, MultiLabel, Targets},
    laws::{NUM_TITLES, all, config, configs, fit, whole_library},
};

/// The genre whose labels are hidden.
const GENRE: usize = 0;

/// What of the genre's labels is hidden: of four titles that have it three, of the others none.
fn is_hidden(data: &Dataset, title: usize) -> bool {
    data.labels_of(title)[GENRE] && !title.is_multiple_of(4)
}

/// The library with these labels not known, and the same with each of them a no.
fn hidden(data: &Dataset) -> (Dataset, Dataset) {
    let genres = data.num_genres();
    let mut weights = vec![1.0; data.labels.len()];
    let mut taken_for_no = data.clone();
    for title in (0..NUM_TITLES).filter(|&title| is_hidden(data, title)) {
        weights[title * genres + GENRE] = 0.0;
        taken_for_no.labels[title * genres + GENRE] = false;
    }
    (data.clone().with_label_weights(&weights), taken_for_no)
}

/// Mean probability of the genre among the titles that have it, though the label is hidden.
fn probability_of_hidden(model: &TrainedModel, data: &Dataset) -> f32 {
    let prediction = model.predict(data, &all()).unwrap();
    let hidden: Vec<usize> = all().into_iter().filter(|&title| is_hidden(data, title)).collect();
    let at = |title: &usize| prediction.probability[title * data.num_genres() + GENRE];
    hidden.iter().map(at).sum::<f32>() / hidden.len() as f32
}

#[test]
fn what_nobody_knows_is_no_no() {
    let data = whole_library(true);
    let (unknown, taken_for_no) = hidden(&data);
    for (name, config) in configs() {
        let known = probability_of_hidden(&fit(&unknown, &config, 1).unwrap(), &data);
        let wrong = probability_of_hidden(&fit(&taken_for_no, &config, 1).unwrap(), &data);
        assert!(known > wrong + 0.2, "{name}: {known} where it is unknown, {wrong} as a no");
    }
}

#[test]
fn labels_that_are_all_known_and_weigh_the_same_change_nothing() {
    let data = whole_library(true);
    let weighed = data.clone().with_label_weights(&vec![1.0; data.labels.len()]);
    assert!(!weighed.is_weighed());
    assert_eq!(weighed.digest(), data.digest());
    let (unknown, taken_for_no) = hidden(&data);
    assert!(unknown.is_weighed() && unknown.labels == taken_for_no.labels);
    assert_ne!(unknown.digest(), taken_for_no.digest(), "a cached fit would be taken for another");
}

/// Points on a circle, the genre on one side of it. Every third row stands where the one before it
/// does, and nobody knows its label.
#[test]
fn a_learner_does_not_see_rows_whose_label_nobody_knows() {
    let is_known = |row: &usize| row % 3 != 1;
    let mut rng = Seed(4).rng("angles");
    let mut angles: Vec<f32> = Vec::new();
    for row in 0..120 {
        let angle = if is_known(&row) { rng.random_range(0.0..6.28) } else { angles[row - 1] };
        angles.push(angle);
    }
    let points = |rows: &[usize]| {
        let points = rows.iter().flat_map(|&row| [angles[row].cos(), angles[row].sin()]);
        Design::dense(rows.len(), points.collect())
    };
    let (all, known): (Vec<usize>, Vec<usize>) =
        ((0..120).collect(), (0..120).filter(is_known).collect());
    let label = |row: &usize| is_known(row) && angles[*row].sin() > 0.3;
    let weight = |row: &usize| f32::from(u8::from(is_known(row)));
    let targets = |rows: &[usize], weights| Targets {
        labels: vec![rows.iter().map(label).collect()],
        pos_weight: vec![1.5],
        weights,
    };
    let weights = vec![all.iter().map(weight).collect()];
    for base in Base::ALL {
        let config = config(base.name());
        let scores = |rows: &[usize], targets: Targets| {
            let (x, interrupt) = (points(rows), Interrupt::default());
            let fitted = MultiLabel::fit(base, &x, &targets, &config, Seed(1), &interrupt);
            fitted.unwrap().score(&points(&known))
        };
        let partly = scores(&all, targets(&all, Some(weights.clone())));
        let without = scores(&known, targets(&known, None));
        for (partly, without) in partly.iter().zip(without) {
            assert!((partly - without).abs() < 2e-3, "{base:?}: {partly} {without}");
        }
    }
}
