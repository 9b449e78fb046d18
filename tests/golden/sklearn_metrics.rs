//! `eval` against scikit-learn: `scripts/golden/sklearn_metrics.py` wrote the numbers.

use cinetag::eval::{
    Headline, Isotonic, Labels, Metrics,
    calibration::{Platt, brier_score, reliability_bins},
    ranking,
};
use ndarray::Array2;
use serde_json::Value;

const TOLERANCE: f64 = 1e-12;

fn golden() -> Value {
    serde_json::from_str(include_str!("data/sklearn_metrics.json")).expect("golden data is JSON")
}

fn cases(golden: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let cases = golden["cases"].as_object().expect("cases by name");
    assert_eq!(cases.len(), 5);
    cases.iter()
}

fn table<T: serde::de::DeserializeOwned>(value: &Value) -> Array2<T> {
    let rows: Vec<Vec<T>> = serde_json::from_value(value.clone()).expect("a table");
    let shape = (rows.len(), rows[0].len());
    Array2::from_shape_vec(shape, rows.into_iter().flatten().collect()).expect("rectangular")
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).expect("numbers")
}

/// Compares two JSON trees: same keys, same lengths, numbers within the tolerance.
fn compare(place: &str, ours: &Value, theirs: &Value) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = |map: &serde_json::Map<String, Value>| {
                let mut keys: Vec<_> = map.keys().cloned().collect();
                keys.sort();
                keys
            };
            assert_eq!(keys(a), keys(b), "{place}");
            a.iter().for_each(|(k, v)| compare(&format!("{place}.{k}"), v, &b[k]));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            for (k, (x, y)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}[{k}]"), x, y);
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            let gap = (a.as_f64().unwrap_or(f64::NAN) - b.as_f64().unwrap_or(f64::NAN)).abs();
            assert!(gap <= TOLERANCE, "{place}: ours {a}, scikit-learn's {b}");
        }
        _ => assert_eq!(ours, theirs, "{place}"),
    }
}

#[test]
fn every_metric_equals_scikit_learn() {
    for (name, case) in cases(&golden()) {
        let (scores, decisions, labels) = (
            table::<f64>(&case["scores"]),
            table::<bool>(&case["decisions"]),
            table::<bool>(&case["labels"]),
        );
        let metrics = Metrics::compute(scores.view(), decisions.view(), labels.view());
        let ours = serde_json::to_value(&metrics).expect("metrics are JSON");
        compare(name, &ours, &case["metrics"]);
        let quick = Headline::compute(scores.view(), decisions.view(), labels.view());
        for ((figure, a), (_, b)) in quick.entries().iter().zip(metrics.headline().entries()) {
            assert!((*a - b).abs() <= TOLERANCE, "{name} {figure}: {a} {b}");
        }
    }
}

#[test]
fn of_labels_that_are_partly_known_every_figure_equals_scikit_learns_on_the_known_ones() {
    let golden = golden();
    let partly_known = golden["partly_known"].as_object().expect("cases by name");
    assert_eq!(partly_known.len(), 3);
    for (name, partly) in partly_known {
        let case = &golden["cases"][name];
        let (scores, decisions) =
            (table::<f64>(&case["scores"]), table::<bool>(&case["decisions"]));
        let (has, weights) = (table::<bool>(&case["labels"]), table::<f32>(&partly["weights"]));
        let labels = Labels::weighing(has.view(), Some(weights.view()));
        let metrics = Metrics::compute(scores.view(), decisions.view(), labels);
        let ours = serde_json::to_value(&metrics).expect("metrics are JSON");
        compare(name, &ours, &partly["metrics"]);
        let quick = Headline::compute(scores.view(), decisions.view(), labels);
        for ((figure, a), (_, b)) in quick.entries().iter().zip(metrics.headline().entries()) {
            assert!((*a - b).abs() <= TOLERANCE, "{name} {figure}: {a} {b}");
        }
        if partly["platt"].is_null() {
            continue;
        }
        let logits = table::<f64>(&case["logits"]);
        for (g, column) in labels.columns(logits.view()).enumerate() {
            let (ours, exact) = (Platt::fit_to(&column), &partly["platt"][g]);
            for (ours, exact) in [(ours.a, &exact["a"]), (ours.b, &exact["b"])] {
                let exact = exact.as_f64().expect("a number");
                assert!((ours - exact).abs() < 1e-7, "{name}, genre {g}: {ours} {exact}");
            }
            let (curve, theirs) = (Isotonic::fit_to(&column), &partly["isotonic"][g]);
            let ours: Vec<f64> = numbers(&theirs["at"]).iter().map(|&z| curve.apply(z)).collect();
            compare(&format!("{name}, genre {g}"), &ours.into(), &theirs["probability"]);
        }
    }
}

#[test]
fn precision_recall_curves_equal_scikit_learn() {
    for (name, case) in cases(&golden()) {
        let scores = table::<f64>(&case["scores"]).column(1).to_vec();
        let labels = table::<bool>(&case["labels"]).column(1).to_vec();
        let curve = serde_json::to_value(ranking::pr_curve(&scores, &labels)).expect("JSON");
        compare(name, &curve, &case["curve_of_genre_1"]);
    }
}

#[test]
fn reliability_and_brier_equal_scikit_learn() {
    for (name, case) in cases(&golden()) {
        let scores: Vec<f64> = table(&case["scores"]).iter().copied().collect();
        let labels: Vec<bool> = table(&case["labels"]).iter().copied().collect();
        let bins: Vec<_> =
            reliability_bins(&scores, &labels, 8).into_iter().filter(|bin| bin.count > 0).collect();
        let theirs = &case["reliability_8_bins"];
        let positive_frac: Vec<f64> = bins.iter().map(|bin| bin.positive_frac).collect();
        let mean_probability: Vec<f64> = bins.iter().map(|bin| bin.mean_probability).collect();
        compare(name, &positive_frac.into(), &theirs["positive_frac"]);
        compare(name, &mean_probability.into(), &theirs["mean_probability"]);
        compare(name, &brier_score(&scores, &labels).into(), &case["brier"]);
    }
}

#[test]
fn platt_scaling_finds_the_exact_optimum() {
    let golden = golden();
    let mut num_fits = 0;
    for (name, case) in cases(&golden).filter(|(_, case)| !case["platt"].is_null()) {
        let logits = table::<f64>(&case["logits"]);
        let labels = table::<bool>(&case["labels"]);
        for (g, theirs) in case["platt"].as_array().expect("one a genre").iter().enumerate() {
            let ours = Platt::fit(&logits.column(g).to_vec(), &labels.column(g).to_vec());
            let exact = numbers(&serde_json::json!([theirs["a"], theirs["b"]]));
            for (ours, exact) in [(ours.a, exact[0]), (ours.b, exact[1])] {
                assert!((ours - exact).abs() < 1e-7, "{name}, genre {g}: {ours} {exact}");
            }
            num_fits += 1;
        }
    }
    assert_eq!(num_fits, 11);
}

#[test]
fn isotonic_regression_equals_scikit_learn() {
    let golden = golden();
    let mut num_fits = 0;
    for (name, case) in cases(&golden).filter(|(_, case)| !case["isotonic"].is_null()) {
        let logits = table::<f64>(&case["logits"]);
        let labels = table::<bool>(&case["labels"]);
        for (g, theirs) in case["isotonic"].as_array().expect("one a genre").iter().enumerate() {
            let curve = Isotonic::fit(&logits.column(g).to_vec(), &labels.column(g).to_vec());
            let ours: Vec<f64> = numbers(&theirs["at"]).iter().map(|&z| curve.apply(z)).collect();
            compare(&format!("{name}, genre {g}"), &ours.into(), &theirs["probability"]);
            num_fits += 1;
        }
    }
    assert_eq!(num_fits, 11);
}
