//! How often the tests find a difference where there is none: one head trained twice on the same
//! folds with two seeds, that is with other inner folds.

use cinetag::{
    base::{DeviceChoice, Interrupt, NoProgress, Seed, TitleId},
    dataset::{Content, Dataset, ModalityTable},
    eval::{
        BootstrapConfig, Headline,
        bootstrap::headline_differences,
        headline::HeadlineTable,
        methods::method_differences,
        significance::{Said, randomisation_test},
    },
    learn::{LearnConfig, heads::FitContext, study::cross_validate},
    store::Ragged,
};
use ndarray::Array2;
use rand::{RngExt, seq::SliceRandom};
use rayon::prelude::*;

use super::sample::{PREVALENCE, header, normal};

/// The tests, in the order of the counts.
const TESTS: [&str; 3] = ["randomisation", "bootstrap", "methods"];
/// A difference is found where p is not above this.
const LEVEL: f64 = 0.05;
/// Numbers that speak of the genres, of each of two modalities.
const DIMS: [usize; 2] = [24, 12];
const NUM_FOLDS: u32 = 5;

/// What is trained on what.
#[derive(Clone, Copy)]
struct Setting {
    head: &'static str,
    num_titles: usize,
    /// Labels are dealt out anew: features know nothing of them.
    shuffled: bool,
}

/// `[TESTS]`: of `num_pairs` pairs, those in which each figure was found to differ.
fn found(setting: Setting, num_pairs: usize, seed: Seed) -> [Headline<usize>; TESTS.len()] {
    let all: Vec<[Headline<f64>; TESTS.len()]> = (0..num_pairs)
        .into_par_iter()
        .map(|k| p_values(setting, seed.derive(&format!("pair {k}"))))
        .collect();
    std::array::from_fn(|test| {
        Headline::from_fn(|k| all.iter().filter(|p| *p[test].entries()[k].1 <= LEVEL).count())
    })
}

fn p_values(setting: Setting, seed: Seed) -> [Headline<f64>; TESTS.len()] {
    let data = library(setting, seed);
    let mut folds: Vec<u32> = (0..setting.num_titles).map(|t| t as u32 % NUM_FOLDS).collect();
    folds.shuffle(&mut seed.rng("folds"));
    let labels =
        Array2::from_shape_vec((setting.num_titles, data.num_genres()), data.labels.clone())
            .unwrap();
    let [a, b] = ["first", "second"].map(|name| scored(setting, &data, &folds, seed.derive(name)));
    let [first, second] = [&a, &b]
        .map(|(scores, decisions)| [Said { scores: scores.view(), decisions: decisions.view() }]);
    let config = BootstrapConfig::new(seed);
    let tables = [&a, &b].map(|(scores, decisions)| {
        HeadlineTable::new(scores.view(), decisions.view(), labels.view())
    });
    [
        randomisation_test(&first, &second, labels.view(), &config),
        headline_differences(&tables[0], &tables[1], &config).map_values(|d| d.p_value),
        method_differences(&first, &second, labels.view(), &folds, config.level)
            .unwrap()
            .map_values(|d| d.p_value),
    ]
}

/// Held-out scores and decisions of one cross-validation.
fn scored(
    setting: Setting,
    data: &Dataset,
    folds: &[u32],
    seed: Seed,
) -> (Array2<f64>, Array2<bool>) {
    let config = LearnConfig { head: setting.head.to_owned(), ..LearnConfig::default() };
    let context = FitContext {
        device: DeviceChoice::Cpu,
        seed,
        inner_folds: &[],
        progress: &NoProgress,
        interrupt: &Interrupt::default(),
        parts: None,
    };
    let folds: Vec<Option<u32>> = folds.iter().copied().map(Some).collect();
    let groups: Vec<usize> = (0..folds.len()).collect();
    let outcome = cross_validate(data, &folds, &groups, &config, &context).unwrap();
    let shape = (folds.len(), data.num_genres());
    let scores = outcome.prediction.probability.iter().map(|&p| f64::from(p)).collect();
    (
        Array2::from_shape_vec(shape, scores).unwrap(),
        Array2::from_shape_vec(shape, outcome.prediction.decision).unwrap(),
    )
}

/// Titles with two modalities of plain numbers.
fn library(setting: Setting, seed: Seed) -> Dataset {
    let mut rng = seed.rng("library");
    let genres = PREVALENCE.len();
    let mut rows: Vec<Vec<bool>> = (0..setting.num_titles)
        .map(|_| PREVALENCE.iter().map(|&share| rng.random_bool(share)).collect())
        .collect();
    let mut modalities = Vec::new();
    for (m, dim) in DIMS.into_iter().enumerate() {
        let directions = Array2::from_shape_fn((genres, dim), |_| 0.5 * normal(&mut rng));
        let mut features = Ragged::new(dim);
        for labels in &rows {
            let row: Vec<f32> = (0..dim)
                .map(|d| {
                    let named = (0..genres).filter(|&g| labels[g]).map(|g| directions[[g, d]]);
                    (named.sum::<f64>() + normal(&mut rng)) as f32
                })
                .collect();
            features.push(&row, &[]);
        }
        let name = format!("modality-{m}");
        modalities.push(ModalityTable::new(&name, Content::Rows(features)).into());
    }
    if setting.shuffled {
        rows.shuffle(&mut seed.rng("shuffle"));
    }
    Dataset {
        titles: (0..setting.num_titles).map(|t| TitleId::new(&format!("t{t}"))).collect(),
        genres: (0..genres).map(|g| format!("genre {g}")).collect(),
        labels: rows.concat(),
        label_weights: None,
        modalities,
    }
}

/// Prints the table of all settings.
pub(super) fn print(num_pairs: usize, seed: Seed) {
    println!(
        "Per cent of {num_pairs} pairs of two seeds with p at most {}.\n\n| head | titles | labels | test |{}|",
        LEVEL,
        header()
    );
    println!("| --- | ---: | --- | --- |{}", " ---: |".repeat(6));
    for shuffled in [true, false] {
        let setting = Setting { head: "logistic-regression", num_titles: 250, shuffled };
        let counts = found(setting, num_pairs, seed.derive(&format!("nulls {shuffled}")));
        for (test, counts) in TESTS.iter().zip(counts) {
            let percent = |count: usize| 100.0 * count as f64 / num_pairs as f64;
            let cells =
                counts.entries().map(|(_, &count)| format!(" {:.1} |", percent(count))).concat();
            let labels = if shuffled { "shuffled" } else { "as they are" };
            println!("| {} | {} | {labels} | {test} |{cells}", setting.head, setting.num_titles);
        }
    }
}
