use std::fs;

use base::Interrupt;
use dataset::{Content, Dataset};
use eval::Headline;
use ndarray::Array2;

use super::{
    CellStore, Filling, Variant, View, all_subsets, isolation::change_from_outside, run_grid,
};
use crate::{
    LearnConfig, LearnError, TrainedModel,
    config::TextView,
    heads,
    laws::{NUM_TITLES, config, context, groups, library},
    study::Scored,
    transform::Scaling,
};

fn folds() -> Vec<Option<u32>> {
    groups().iter().map(|&g| (g != 5).then_some((g % 3) as u32)).collect()
}

fn short() -> LearnConfig {
    config("late-fusion").with(|c| c.fusion.epochs = 3)
}

fn variant(modalities: Vec<usize>, config: LearnConfig, views: Vec<View>) -> Variant {
    Variant { modalities, config, filling: Filling::Mask, views }
}

fn figures(data: &Dataset, titles: &[usize], scored: &Scored) -> Headline<f64> {
    let labels = Array2::from_shape_fn((titles.len(), data.num_genres()), |(t, g)| {
        data.labels_of(titles[t])[g]
    });
    Headline::compute(scored.probabilities.view(), scored.decisions.view(), labels.view())
}

#[test]
fn a_study_that_was_stopped_goes_on_and_damaged_cells_are_made_again() {
    let data = library(true);
    let folder = tempfile::tempdir().unwrap();
    let store = CellStore::new(&folder.path().join("cells"));
    let views = all_subsets(2).into_iter().map(View::Only).collect();
    let variants =
        [variant(vec![0, 1], short(), views), variant(vec![1], short(), vec![View::Whole])];
    let interrupt = Interrupt::default();
    let run = || {
        run_grid(&data, &folds(), &groups(), &variants, 2, &store, &context(&interrupt, 3)).unwrap()
    };
    let whole = run();
    assert_eq!((whole.num_computed, whole.num_cells), (12, 12), "2 variants, 2 seeds, 3 folds");
    assert_eq!(whole.titles.len(), NUM_TITLES - 2, "titles without a fold take no part");
    assert_ne!(whole.scored[0][0], whole.scored[0][1], "another seed, other scores");
    assert_ne!(whole.scored[0][0][0], whole.scored[0][0][1], "another view, other scores");

    let again = run();
    assert_eq!((again.num_computed, &again.scored), (0, &whole.scored));

    let mut cells: Vec<_> =
        fs::read_dir(folder.path().join("cells")).unwrap().map(|e| e.unwrap().path()).collect();
    cells.sort();
    assert_eq!(cells.len(), 12);
    fs::remove_file(&cells[3]).unwrap();
    let bytes = fs::read(&cells[7]).unwrap();
    fs::write(&cells[7], &bytes[..bytes.len() / 2]).unwrap();
    fs::copy(&cells[1], &cells[9]).unwrap();
    let resumed = run();
    assert_eq!((resumed.num_computed, &resumed.scored), (3, &whole.scored));
}

#[test]
fn a_subset_of_the_modalities_is_scored_as_if_it_were_all_that_there_is() {
    let data = library(true);
    let folder = tempfile::tempdir().unwrap();
    let store = CellStore::new(folder.path());
    let views =
        vec![View::Whole, View::Only(vec![0, 1, 2]), View::Only(vec![0]), View::Dropped(1.0)];
    let config = config("late-fusion").with(|c| c.fusion.epochs = 12);
    let variants = [variant(vec![0, 1, 2], config, views)];
    let interrupt = Interrupt::default();
    let found = run_grid(&data, &folds(), &groups(), &variants, 1, &store, &context(&interrupt, 3))
        .unwrap();
    let scored = &found.scored[0][0];
    assert_eq!(scored[0], scored[1]);
    let map = |view: usize| figures(&data, &found.titles, &scored[view]).map;
    assert!(map(0) > map(2) + 0.05 && map(2) > map(3) + 0.05, "{} {} {}", map(0), map(2), map(3));
    assert!(scored[3].decisions.iter().all(|&decided| !decided), "nothing to go by");
}

#[test]
fn masks_beat_zeros_where_inputs_are_dropped() {
    let data = library(true);
    let folder = tempfile::tempdir().unwrap();
    let store = CellStore::new(folder.path());
    // Features alone: of a text that is not there even an empty one says that it is not.
    let config = LearnConfig { text_views: vec![TextView::Embedding], ..config("late-fusion") };
    let aware = variant(vec![0, 1, 2], config.clone(), vec![View::Dropped(0.5)]);
    let zeros = Variant {
        config: config.with(|c| c.fusion.modality_dropout = 0.0),
        filling: Filling::Zeros,
        ..aware.clone()
    };
    let interrupt = Interrupt::default();
    let found =
        run_grid(&data, &folds(), &groups(), &[aware, zeros], 1, &store, &context(&interrupt, 3))
            .unwrap();
    let map = |variant: usize| figures(&data, &found.titles, &found.scored[variant][0][0]).map;
    assert!(map(0) > map(1), "masks {}, zeros {}", map(0), map(1));
}

#[test]
fn no_head_looks_outside_the_fold_and_one_that_would_is_caught() {
    let data = library(true);
    let train: Vec<usize> = (0..NUM_TITLES).filter(|title| title % 3 != 0).collect();
    let interrupt = Interrupt::default();
    for kind in heads::registry() {
        let config = LearnConfig { head: kind.name.to_owned(), ..short() };
        let change = change_from_outside(&data, &train, |data, train| {
            let model =
                TrainedModel::fit(data, train, &groups(), &config, &context(&interrupt, 1))?;
            Ok(model.predict(data, train)?.probability)
        });
        assert_eq!(change.unwrap(), 0.0, "{} looks at held-out titles", kind.name);
    }

    // The usual slip: a scaler fitted on everything; and labels of everything.
    let scaled_on_all = |data: &Dataset, train: &[usize]| -> Result<Vec<f32>, LearnError> {
        let Content::Rows(ragged) = &data.modalities[0].content else { unreachable!() };
        let everything: Vec<usize> = (0..data.num_titles()).collect();
        let scaling = serde_json::to_value(Scaling::fit(ragged, &everything)).unwrap();
        let first = scaling.as_object().unwrap().values().find_map(|v| v.as_array()).unwrap()[0]
            .as_f64()
            .unwrap() as f32;
        Ok(train.iter().map(|_| first).collect())
    };
    assert!(change_from_outside(&data, &train, scaled_on_all).unwrap() > 0.0);
    let prevalence_of_all = |data: &Dataset, train: &[usize]| {
        let share = data.labels.iter().filter(|&&l| l).count() as f32 / data.labels.len() as f32;
        Ok(vec![share; train.len()])
    };
    assert!(change_from_outside(&data, &train, prevalence_of_all).unwrap() > 0.0);
    let honest = |_: &Dataset, train: &[usize]| Ok(vec![0.5; train.len()]);
    assert_eq!(change_from_outside(&data, &train, honest).unwrap(), 0.0);
}
