//! What stacking makes of another model's word, on the small library of [`laws`](crate::laws).

use std::sync::Arc;

use dataset::{Content, Dataset, ModalityTable};
use eval::ranking::average_precision;
use store::Ragged;

use crate::{
    LearnConfig, ModelPrediction, TrainedModel,
    config::PriorSettings,
    heads::stacking,
    laws::{NUM_TITLES, all, config, fit, whole_library},
};

const PRIOR: &str = "prior";
/// A genre that the other model does not know.
const UNKNOWN: usize = 2;

/// The library with another model's word: log-odds of ±`sure` for each genre but [`UNKNOWN`]; missing of
/// titles that it `lacks`.
fn with_word(sure: f32, lacks: impl Fn(usize) -> bool) -> Dataset {
    let mut data = whole_library(true);
    let mut rows = Ragged::new(data.num_genres());
    for title in 0..NUM_TITLES {
        let word = |(genre, &has): (usize, &bool)| match genre {
            UNKNOWN => 0.0,
            // Not the same for all that have it.
            _ => (if has { sure } else { -sure }) + 0.1 * (title % 7) as f32,
        };
        let row: Vec<f32> = data.labels_of(title).iter().enumerate().map(word).collect();
        rows.push(if lacks(title) { &[] } else { &row }, &[]);
    }
    data.modalities.push(Arc::new(ModalityTable::new(PRIOR, Content::Rows(rows))));
    data
}

fn beside(prior: PriorSettings) -> LearnConfig {
    LearnConfig { prior: Some(prior), ..config(stacking::NAME) }
}

fn said(model: &TrainedModel, data: &Dataset) -> ModelPrediction {
    model.predict(data, &all()).unwrap()
}

/// A genre's average precision.
fn precision(said: &ModelPrediction, data: &Dataset, genre: usize) -> f64 {
    let scores: Vec<f64> =
        all().iter().map(|&t| f64::from(said.logit[t * said.num_genres + genre])).collect();
    let labels: Vec<bool> = all().iter().map(|&t| data.labels_of(t)[genre]).collect();
    average_precision(&scores, &labels).unwrap()
}

#[test]
fn without_reason_nothing_is_added_to_the_others_word() {
    let data = with_word(1.0, |_| false);
    let model =
        fit(&data, &beside(PriorSettings { c: 1e-9, ..PriorSettings::of(PRIOR) }), 1).unwrap();
    let found = said(&model, &data);
    let Content::Rows(word) = &data.modalities.last().unwrap().content else { panic!() };
    for title in all() {
        for genre in 0..UNKNOWN {
            let (own, theirs) = (found.logit[title * 3 + genre], word.rows(title)[genre]);
            assert!(
                (own - theirs).abs() < 0.01,
                "title {title}, genre {genre}: {own} for {theirs}"
            );
        }
    }
    let ap = precision(&found, &data, UNKNOWN);
    assert!(ap > 0.7, "what it does not know is learned as if it were not there: {ap}");
}

#[test]
fn who_is_wrong_is_corrected_by_enough_titles() {
    let data = with_word(-0.5, |_| false);
    let model =
        fit(&data, &beside(PriorSettings { c: 10.0, ..PriorSettings::of(PRIOR) }), 1).unwrap();
    let found = said(&model, &data);
    for genre in 0..UNKNOWN {
        let ap = precision(&found, &data, genre);
        assert!(ap > 0.9, "the other one says the opposite of genre {genre}: {ap}");
    }
}

#[test]
fn titles_that_it_says_nothing_of_are_judged_by_the_rest() {
    let data = with_word(1.0, |title| title % 2 == 0);
    let model = fit(&data, &beside(PriorSettings::of(PRIOR)), 1).unwrap();
    let found = said(&model, &data);
    assert!(found.scored.iter().all(|&scored| scored));
    let last = found.num_modalities - 1;
    for title in all() {
        let part = found.contributions[title * 3 * found.num_modalities + last];
        assert_eq!(part == 0.0, title % 2 == 0, "title {title}: {part}");
    }
}

#[test]
fn thresholds_are_pulled_toward_the_others() {
    let data = with_word(1.0, |_| false);
    let thresholds = vec![Some(0.9), None, Some(2.0)];
    let settings = |threshold_titles: f64| PriorSettings {
        thresholds: thresholds.clone(),
        threshold_titles,
        ..PriorSettings::of(PRIOR)
    };
    let of =
        |titles| fit(&data, &beside(settings(titles)), 1).unwrap().spec().fused.thresholds.clone();
    // As many as it is fitted on: five of six titles.
    let (own, pulled) = (of(0.0), of((NUM_TITLES / 6 * 5) as f64));
    let half = own[0].midpoint(0.9);
    assert!((pulled[0] - half).abs() < 1e-9, "{pulled:?} between {own:?} and 0.9");
    assert_eq!(pulled[1..], own[1..], "it does not know the one and never gives the other");
}

#[test]
fn a_model_beside_another_ones_word_is_kept_and_opened() {
    let data = with_word(1.0, |title| title % 5 == 0);
    let model = fit(&data, &beside(PriorSettings::of(PRIOR)), 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path()).unwrap();
    let opened = TrainedModel::load(folder.path(), base::DeviceChoice::Cpu).unwrap();
    let (again, first) = (said(&opened, &data), said(&model, &data));
    assert_eq!((again.logit, again.decision), (first.logit, first.decision));
    let other = whole_library(true);
    assert!(opened.predict(&other, &all()).is_err(), "its word is missing");
}
