//! TF-IDF and the classical learners against scikit-learn on a part of the real films.
//!
//! reference: `scripts/golden/sklearn_heads.py`, scikit-learn 1.9

use cinetag::{
    base::Seed,
    eval::ranking::average_precision,
    learn::{
        heads::classical::{
            Binned, Design, KernelMachine, Likeness, Linear, Neighbours, TreeSettings, Trees,
            each_row,
        },
        transform::{TfIdf, TfIdfSettings},
    },
};
use serde::Deserialize;

use super::catalog::shared;

#[derive(Deserialize)]
struct Golden {
    train: usize,
    test: usize,
    genres: Vec<String>,
    tfidf: GoldenTfIdf,
    logistic: Vec<Vec<f64>>,
    linear_svm: Vec<Vec<f64>>,
    kernel_svm: Vec<Vec<f64>>,
    kernel_ridge: Vec<Vec<f64>>,
    neighbours: Vec<Vec<f64>>,
    forest: Vec<Vec<f64>>,
    tree_columns: usize,
}

#[derive(Deserialize)]
struct GoldenTfIdf {
    dim: usize,
    entries: usize,
    row_sums: Vec<f64>,
    column_sums: Vec<f64>,
}

struct Films {
    plots: Vec<String>,
    genres: Vec<Vec<String>>,
}

fn films(golden: &Golden) -> Option<Films> {
    let path = shared("movies")?.join("movies.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (plot, genres) = (column("plot"), column("genres"));
    let mut films = Films { plots: Vec::new(), genres: Vec::new() };
    for row in reader.records().map(Result::unwrap).filter(|row| !row[plot].trim().is_empty()) {
        films.plots.push(row[plot].to_owned());
        films.genres.push(row[genres].split('|').map(str::to_owned).collect());
        if films.plots.len() == golden.train + golden.test {
            return Some(films);
        }
    }
    panic!("movies.csv has only {} plots", films.plots.len());
}

/// Training rows and test rows.
fn designs(golden: &Golden, films: &Films, settings: &TfIdfSettings) -> (Design, Design) {
    let (train, test) = films.plots.split_at(golden.train);
    let fitted = TfIdf::fit(train.iter().map(String::as_str), settings);
    let design = |texts: &[String]| {
        Design::sparse(fitted.dim(), &fitted.apply(texts.iter().map(String::as_str)))
    };
    (design(train), design(test))
}

fn assert_near(ours: impl IntoIterator<Item = f64>, theirs: &[f64], tolerance: f64, what: &str) {
    let ours: Vec<f64> = ours.into_iter().collect();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let near = (ours - theirs).abs() <= tolerance;
        assert!(near, "{what}[{at}]: {ours} against {theirs}");
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("data/sklearn_heads.json")).unwrap()
}

#[test]
fn tfidf_is_scikit_learns() {
    let golden = golden();
    let Some(films) = films(&golden) else { return };
    let (x, probe) = designs(&golden, &films, &TfIdfSettings::default());
    let rows = 0..probe.num_rows();
    assert_eq!(x.dim(), golden.tfidf.dim);
    let num_entries: usize = (0..x.num_rows()).map(|row| x.entries(row).count()).sum();
    assert_eq!(num_entries, golden.tfidf.entries);
    let sum = |row: usize| probe.entries(row).map(|(_, v)| f64::from(v)).sum::<f64>();
    assert_near(rows.clone().map(sum), &golden.tfidf.row_sums, 1e-5, "TF-IDF rows");
    let mut columns = vec![0.0_f64; x.dim()];
    for row in rows.clone() {
        probe.entries(row).for_each(|(column, v)| columns[column] += f64::from(v));
    }
    columns.truncate(golden.tfidf.column_sums.len());
    assert_near(columns, &golden.tfidf.column_sums, 1e-5, "TF-IDF columns");
}

#[test]
fn classical_learners_score_as_scikit_learns() {
    let golden = golden();
    let Some(films) = films(&golden) else { return };
    let (x, probe) = designs(&golden, &films, &TfIdfSettings::default());
    let rows = 0..probe.num_rows();
    let words = TfIdfSettings { ngrams: 1, min_texts: 20, ..TfIdfSettings::default() };
    let (tree_x, tree_probe) = designs(&golden, &films, &words);
    assert_eq!(tree_x.dim(), golden.tree_columns);
    let binned = Binned::new(&tree_x);
    let rbf = Likeness::Rbf { gamma: 1.0 };
    let (kernel, kernel_probe) = (rbf.between(&x, &x), rbf.between(&probe, &x));
    let alike = Likeness::Cosine.between(&probe, &x);
    let weights = vec![1.0; golden.train];
    for (g, genre) in golden.genres.iter().enumerate() {
        let has: Vec<bool> = films.genres.iter().map(|own| own.contains(genre)).collect();
        let (labels, truth) = has.split_at(golden.train);

        let fitted = Linear::logistic(&x, labels, 1.0, 3.0);
        let scores = rows.clone().map(|row| f64::from(fitted.score(&probe, row)));
        assert_near(scores, &golden.logistic[g], 1e-3, "logistic regression");

        let fitted = Linear::support_vectors(&x, labels, &weights, 1.0, Seed(1));
        let scores = rows.clone().map(|row| f64::from(fitted.score(&probe, row)));
        assert_near(scores, &golden.linear_svm[g], 1e-3, "linear SVM");

        let fitted = KernelMachine::fit(&kernel, labels, &weights, 3.0);
        let scores = kernel_probe.chunks(golden.train).map(|row| f64::from(fitted.score(row)));
        assert_near(scores, &golden.kernel_svm[g], 5e-3, "kernel SVM");

        let [fitted] = &KernelMachine::ridge(&kernel, &[(labels, 1.0).into()], 3.0)[..] else {
            panic!()
        };
        let scores = kernel_probe.chunks(golden.train).map(|row| f64::from(fitted.score(row)));
        assert_near(scores, &golden.kernel_ridge[g], 1e-5, "kernel ridge regression");

        // Which of two equally near films is asked may differ: one neighbour of 30.
        let fitted = Neighbours::new(labels, &weights, 30);
        let shares = alike.chunks(golden.train).map(|row| f64::from(fitted.share(row)));
        assert_near(shares, &golden.neighbours[g], 1.01 / 30.0, "nearest neighbours");

        let settings = TreeSettings { trees: 100, min_leaf_titles: 2, ..TreeSettings::default() };
        let forest = Trees::forest(&binned, labels, &weights, &settings, Seed(1));
        let mut scores = Vec::new();
        each_row(&tree_probe, |_, values| scores.push(f64::from(forest.score(values))));
        let ours = average_precision(&scores, truth).unwrap();
        let theirs = &golden.forest[g];
        let mean = theirs.iter().sum::<f64>() / theirs.len() as f64;
        // Five of theirs, by seed alone, lie up to 0.04 from their mean.
        assert!((ours - mean).abs() < 0.06, "random forest, {genre}: {ours} against {theirs:?}");
    }
}
