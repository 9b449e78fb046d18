use base::Digest;
use ndarray::{Array2, Axis};
use rand::RngExt;

use super::*;
use crate::calibration::sigmoid;

/// Titles of three genres, the last of 8 %.
const SHARES: [f64; 3] = [0.4, 0.2, 0.08];

/// Probabilities and decisions, `[titles, genres]`.
#[derive(Clone)]
struct Bundle(Array2<f64>, Array2<bool>);

impl Bundle {
    fn said(&self) -> Said<'_> {
        Said { scores: self.0.view(), decisions: self.1.view() }
    }
}

fn labels(num_titles: usize) -> Array2<bool> {
    let mut rng = Seed(1).rng("labels");
    Array2::from_shape_fn((num_titles, SHARES.len()), |(_, g)| rng.random_bool(SHARES[g]))
}

/// Calibrated probabilities: what is seen of a title is a normal deviate that lies `knows` higher where
/// the label is set, and the probability what Bayes makes of it.
fn bundle(labels: &Array2<bool>, knows: f64, name: &str) -> Bundle {
    let mut rng = Seed(2).rng(name);
    let scores = Array2::from_shape_fn(labels.dim(), |(t, g)| {
        let middle = if labels[[t, g]] { knows / 2.0 } else { -knows / 2.0 };
        let seen = middle + normal_quantile(rng.random_range(1e-9..1.0));
        sigmoid((SHARES[g] / (1.0 - SHARES[g])).ln() + knows * seen)
    });
    decided(scores)
}

fn decided(scores: Array2<f64>) -> Bundle {
    let decisions = scores.mapv(|score| score >= 0.4);
    Bundle(scores, decisions)
}

fn names() -> Vec<String> {
    ["Drama", "Comedy", "War"].map(str::to_owned).to_vec()
}

fn judged_in(old: &Bundle, new: &Bundle, labels: &Array2<bool>, groups: Groups) -> Verdict {
    let genres = names();
    let test = PinnedTest {
        labels: labels.view(),
        groups,
        genres: &genres,
        digest: Digest::of_bytes(b"ids"),
    };
    let config = GateConfig { num_resamples: 399, ..GateConfig::new(Seed(3)) };
    judge(old.said(), new.said(), &test, &config)
}

fn judged(old: &Bundle, new: &Bundle, labels: &Array2<bool>) -> Verdict {
    judged_in(old, new, labels, Groups::default())
}

#[track_caller]
fn assert_refused_for(verdict: &Verdict, words: &[&str]) {
    assert_eq!(verdict.outcome, Outcome::Refuse, "{verdict:?}");
    for words in words {
        assert!(
            verdict.reasons.iter().any(|reason| reason.contains(words)),
            "{words}: {verdict:?}"
        );
    }
}

#[test]
fn what_says_the_same_or_better_is_promoted_and_the_report_says_why() {
    let labels = labels(600);
    let (old, better) = (bundle(&labels, 2.0, "a"), bundle(&labels, 2.6, "b"));
    let same = judged(&old, &old, &labels);
    assert_eq!((same.outcome, same.wanted), (Outcome::Promote, None), "{same:?}");
    assert_eq!(same.micro_f1.difference, 0.0);
    let found = judged(&old, &better, &labels);
    assert_eq!(found.outcome, Outcome::Promote, "{found:?}");
    assert!(found.micro_f1.at_least > 0.0 && found.reasons[0].contains("micro F1 has not fallen"));
    assert!(found.reasons[2].contains("none of 3 genres"), "{:?}", found.reasons);
    let metrics =
        |bundle: &Bundle| Metrics::compute(bundle.0.view(), bundle.1.view(), labels.view());
    assert_eq!((found.map.old, found.map.new), (metrics(&old).map, metrics(&better).map));
    assert_eq!((found.num_titles, found.num_groups), (600, 600));
    let text = base::json::line(&found);
    let read: Verdict = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (read.outcome, &read.reasons, read.test),
        (found.outcome, &found.reasons, found.test)
    );
    assert_eq!((&read.limits, read.genres.len()), (&found.limits, found.genres.len()));
    assert!(text.contains(r#""outcome":"promote""#), "{text}");
}

#[test]
fn what_is_worse_is_refused_and_named() {
    let labels = labels(600);
    let (old, worse) = (bundle(&labels, 2.6, "a"), bundle(&labels, 2.0, "b"));
    assert_refused_for(&judged(&old, &worse, &labels), &["micro F1 is worse", "mAP is worse"]);
}

/// Thresholds that lost positives leave the ranking as it was: mAP sees nothing.
#[test]
fn lost_positives_are_seen_though_the_ranking_is_the_same() {
    let labels = labels(600);
    let old = bundle(&labels, 2.5, "a");
    let shy = Bundle(old.0.clone(), old.0.mapv(|score| score >= 0.85));
    let found = judged(&old, &shy, &labels);
    assert_eq!(found.map.difference, 0.0);
    assert_refused_for(&found, &["micro F1 is worse", "tags per title", "War is worse: F1"]);
}

/// The other way round: the same tags, and a ranking below and above the threshold that knows nothing.
#[test]
fn a_ranking_that_got_lost_is_seen_though_the_tags_are_the_same() {
    let labels = labels(600);
    let old = bundle(&labels, 2.0, "a");
    let mut flat = old.clone();
    flat.0.zip_mut_with(&old.1, |score, &decided| *score = if decided { 0.62 } else { 0.08 });
    let found = judged(&old, &flat, &labels);
    assert_eq!(found.micro_f1.difference, 0.0);
    assert_refused_for(&found, &["mAP is worse", "average precision"]);
    assert!(found.reasons.iter().all(|reason| !reason.contains("F1")), "{found:?}");
}

#[test]
fn a_genre_that_is_worse_is_enough_and_one_too_rare_is_not_asked() {
    let labels = labels(800);
    let old = bundle(&labels, 2.5, "a");
    // All but one genre gain as much as the third loses.
    let mut new = bundle(&labels, 3.0, "b");
    new.0.column_mut(2).assign(&bundle(&labels, 1.0, "c").0.column(2));
    let new = decided(new.0);
    let found = judged(&old, &new, &labels);
    assert_refused_for(&found, &["War is worse"]);
    assert!(
        found.genres.iter().all(|genre| genre.genre == "War" || genre.f1_p > 0.05),
        "{found:?}"
    );
    let few = labels.slice(s![..300, ..]).to_owned();
    let part = |bundle: &Bundle| {
        Bundle(bundle.0.slice(s![..300, ..]).to_owned(), bundle.1.slice(s![..300, ..]).to_owned())
    };
    let found = judged(&part(&old), &part(&new), &few);
    assert_eq!(found.genres.len(), 2, "fewer than 30 of 300 have the third: {found:?}");
}

#[test]
fn probabilities_that_say_something_else_are_refused() {
    let labels = labels(600);
    let old = bundle(&labels, 2.0, "a");
    let bent = Bundle(old.0.mapv(|score| score.powi(3)), old.1.clone());
    let found = judged(&old, &bent, &labels);
    assert_eq!(found.reasons.len(), 1, "{found:?}");
    assert_refused_for(&found, &["expected calibration error"]);
    assert!(found.calibration_error.new > found.calibration_error.old + 0.01);
}

#[test]
fn few_titles_are_undecided_and_the_number_that_would_tell_is_said() {
    let labels = labels(150);
    let (old, other) = (bundle(&labels, 2.0, "a"), bundle(&labels, 2.0, "c"));
    let found = judged(&old, &other, &labels);
    assert_eq!(found.outcome, Outcome::Undecided, "{found:?}");
    let wanted = found.wanted.unwrap();
    assert!(wanted.more_titles >= 100, "{found:?}");
    assert!(found.reasons.last().unwrap().contains("more pinned titles would decide it"));
    // Equal bundles differ on no resample of however few titles.
    let few = labels.slice(s![..40, ..]).to_owned();
    let old = bundle(&few, 2.0, "a");
    let found = judged(&old, &old, &few);
    assert_eq!(found.outcome, Outcome::Undecided);
    assert_eq!(found.wanted.unwrap(), Wanted { more_titles: 60, towards: Outcome::Promote });
    let none = labels.slice(s![..0, ..]).to_owned();
    let nothing = bundle(&none, 2.0, "a");
    let found = judged(&nothing, &nothing, &none);
    assert_eq!((found.outcome, found.wanted.unwrap().more_titles), (Outcome::Undecided, 100));
}

#[test]
fn titles_of_one_group_know_less_than_as_many_alone() {
    let one = labels(150);
    let rows: Vec<usize> = (0..600).map(|t| t / 4).collect();
    let labels = one.select(Axis(0), &rows);
    let fourfold = |bundle: &Bundle| decided(bundle.0.select(Axis(0), &rows));
    let (old, new) = (fourfold(&bundle(&one, 2.0, "a")), fourfold(&bundle(&one, 2.0, "c")));
    let width = |groups: Groups| {
        let found = judged_in(&old, &new, &labels, groups).micro_f1;
        found.at_most - found.at_least
    };
    let (grouped, alone) = (width(Groups::new((0..600).map(|t| t / 4))), width(Groups::default()));
    assert!((grouped / alone - 2.0).abs() < 0.3, "{grouped} {alone}");
}

#[test]
fn how_many_more_titles_by_hand() {
    let labels = labels(300);
    let same = bundle(&labels, 2.0, "a");
    let mut verdict = judged(&same, &same, &labels);
    let change = |difference: f64, at_least: f64, at_most: f64| Change {
        old: 0.6,
        new: 0.6 + difference,
        difference,
        at_least,
        at_most,
    };
    // 300 (0.016 / 0.012)² = 533.3, so 233.3 more; mAP would be content with what there is.
    verdict.micro_f1 = change(0.002, -0.014, 0.018);
    let found = wanted(&verdict);
    assert_eq!(found, Wanted { more_titles: 240, towards: Outcome::Promote });
    // Farther below than it may fall: 300 (0.018 / 0.012)² = 675, and it is shown to be worse.
    verdict.micro_f1 = change(-0.012, -0.030, 0.006);
    assert_eq!(wanted(&verdict), Wanted { more_titles: 380, towards: Outcome::Refuse });
    assert_eq!((rounded_up(3.2), rounded_up(99.0), rounded_up(101.0)), (4, 99, 110));
}
