//! Laws of borrowed modalities, on the small library with a planted signal.

use std::collections::BTreeMap;

use base::{DeviceChoice, Interrupt};
use dataset::{Content, Dataset, ModalityTable};
use eval::thresholds::NEVER;
use store::Ragged;

use super::{BESIDE_BORROWED, Borrowing};
use crate::{
    LearnConfig, ModelPrediction, TrainedModel,
    laws::{NUM_TITLES, all, config, context, fit, groups, library},
    study::cross_validate,
};

/// The library with two modalities more: `heard`, of two texts in three titles, and `shown`,
/// pictures of two titles in three. `known` says whether they belong to their titles; else they
/// are those of other ones.
fn with_trailers(known: bool) -> Dataset {
    let source = crate::laws::whole_library(true);
    let some = library(true);
    let mut data = source.masked(|title, m| some.modalities[m].present(title));
    let (mut rows, mut frames, mut words) = (Ragged::new(6), Ragged::new(5), Vec::new());
    let (Content::Rows(plots), Content::Rows(posters)) =
        (&source.modalities[0].content, &source.modalities[1].content)
    else {
        panic!("rows")
    };
    for title in 0..NUM_TITLES {
        let of = if known { title } else { (title + 97) % NUM_TITLES };
        let (heard, seen) = (title % 3 != 0, title % 3 != 1);
        rows.push(if heard { plots.rows(of) } else { &[] }, &[]);
        // A title in ten says too little.
        let text = source.modalities[0].words(of);
        let text = if title % 10 == 0 { text.to_owned() } else { [text; 5].join(" ") };
        words.push(heard.then_some(text));
        let times: Vec<f32> = (0..posters.num_rows(of)).map(|row| row as f32).collect();
        if seen { frames.push(posters.rows(of), &times) } else { frames.push(&[], &[]) }
    }
    let speech = ModalityTable::text("heard", Content::Rows(rows), words);
    // Not at the end: places must not be taken for granted.
    data.modalities.insert(1, speech.into());
    data.modalities.push(ModalityTable::new("shown", Content::Rows(frames)).into());
    data
}

fn borrowing(head: &str) -> LearnConfig {
    let borrowed = [("heard", "single"), ("shown", "several")];
    let borrowed = borrowed.map(|(name, from)| (name.to_owned(), Borrowing::from(from)));
    LearnConfig { borrowed: BTreeMap::from(borrowed), ..config(head) }
}

/// Columns of a prediction that has more modalities.
fn own_parts(p: &ModelPrediction, of: &[f32]) -> Vec<f32> {
    let own = of.iter().enumerate().filter(|(at, _)| [0, 2, 3].contains(&(at % p.num_modalities)));
    own.map(|(_, part)| *part).collect()
}

#[test]
fn a_trailer_alone_is_tagged_by_what_is_said_and_shown_in_it() {
    for head in ["stacking", "late-fusion"] {
        let data = with_trailers(true);
        let model = fit(&data, &borrowing(head), 1).unwrap();
        assert_eq!(model.spec().modalities, ["single", "heard", "several", "records", "shown"]);
        let judged: Vec<usize> = model.spec().borrowed.iter().map(|b| b.num_titles).collect();
        assert!(judged.iter().all(|&num| num > 90 && num < 160), "{head}: {judged:?}");
        for (shown, name) in [(1, "heard"), (4, "shown")] {
            let alone = data.masked(|_, m| m == shown);
            let p = model.predict(&alone, &all()).unwrap();
            let (mut right, mut decided, mut with) = (0, 0, 0);
            for title in 0..NUM_TITLES {
                let long = shown == 4 || title % 10 != 0;
                let speaks = alone.modalities[shown].present(title) && long;
                assert_eq!(p.scored[title], speaks, "{head}: {name} of {title}");
                assert_eq!(p.seen_of(title)[shown], speaks);
                for (at, &label) in p.genres_of(title).zip(data.labels_of(title)) {
                    let parts = &p.contributions[at * 5..(at + 1) * 5];
                    let sum = parts.iter().fold(p.bias[at], |sum, part| sum + part);
                    assert_eq!(sum, p.logit[at], "{head}: parts sum to the whole");
                    for (m, part) in parts.iter().enumerate() {
                        assert!(m == shown || *part == 0.0, "{head}: only {name} has a part");
                    }
                    assert!(speaks || !p.decision[at], "{head}: nothing was heard or seen");
                    decided += usize::from(p.decision[at]);
                    right += usize::from(p.decision[at] && label);
                    with += usize::from(speaks && label);
                }
            }
            assert!(right * 10 >= decided * 7, "{head}, {name}: {right} of {decided} are right");
            assert!(right * 3 >= with, "{head}, {name}: {right} of {with} are found");
        }
    }
}

#[test]
fn who_has_no_trailer_is_judged_as_if_nothing_were_borrowed() {
    for head in ["stacking", "late-fusion"] {
        let data = with_trailers(true);
        let plain = data.with_modalities(&[0, 2, 3]);
        let lending = borrowing(head).with(|c| c.decisions.abstain = true);
        let without = LearnConfig { borrowed: BTreeMap::new(), ..lending.clone() };
        let (lending, without) = (fit(&data, &lending, 1), fit(&plain, &without, 1));
        let (lending, without) = (lending.unwrap(), without.unwrap());
        let bare = data.masked(|_, m| ![1, 4].contains(&m));
        let with = lending.predict(&bare, &all()).unwrap();
        let expected = without.predict(&plain, &all()).unwrap();
        assert_eq!(with.logit, expected.logit, "{head}");
        assert_eq!(with.decision, expected.decision, "{head}");
        assert_eq!(own_parts(&with, &with.contributions), expected.contributions, "{head}");
        assert_eq!(lending.spec().fused, without.spec().fused);
        assert_eq!(lending.spec().num_titles, 199, "the blank title has nothing to learn from");
        // Beside its own modalities a trailer moves scores and no threshold.
        let seen = [true, true, false, false, false];
        let own = without.spec().decisions_for(&[true, false, false]);
        assert_eq!(lending.spec().decisions_for(&seen), own);
    }
}

#[test]
fn what_is_heard_and_seen_wants_as_much_as_the_stricter_of_both() {
    let data = with_trailers(true);
    let model = fit(&data, &borrowing("stacking"), 1).unwrap();
    let thresholds = |seen: [bool; 5]| model.spec().decisions_for(&seen).thresholds.clone();
    let speech = thresholds([false, true, false, false, false]);
    let frames = thresholds([false, false, false, false, true]);
    let both = thresholds([false, true, false, false, true]);
    assert_ne!(both, model.spec().fused.thresholds, "they have thresholds of their own");
    for ((&speech, &frames), &both) in speech.iter().zip(&frames).zip(&both) {
        let voters = [speech, frames].into_iter().filter(|threshold| *threshold < NEVER);
        assert_eq!(both, voters.reduce(f64::max).unwrap_or(NEVER), "{speech} {frames}");
    }
    assert!(speech.iter().chain(&frames).any(|threshold| *threshold < NEVER), "somebody votes");
}

#[test]
fn what_is_no_better_than_chance_has_no_vote() {
    let data = with_trailers(false);
    let model = fit(&data, &borrowing("stacking"), 1).unwrap();
    let votes: Vec<&super::Vote> = model.spec().borrowed.iter().flat_map(|b| &b.votes).collect();
    assert!(votes.iter().all(|vote| vote.positives >= 10));
    let num_votes = votes.iter().filter(|vote| vote.has_vote).count();
    assert!(num_votes <= 1, "{votes:?}");
    let p = model.predict(&data.masked(|_, m| m == 1 || m == 4), &all()).unwrap();
    let num_tags = p.decision.iter().filter(|&&tag| tag).count();
    assert!(num_tags * 20 <= NUM_TITLES, "{num_tags} guesses are presented as tags");
}

#[test]
fn a_trailer_counts_in_part_beside_what_else_is_known() {
    let data = with_trailers(true);
    let model = fit(&data, &borrowing("stacking"), 1).unwrap();
    let alone = |m: usize| model.predict(&data.masked(|_, o| o == m), &all()).unwrap();
    let (speech, frames) = (alone(1), alone(4));
    let both = model.predict(&data.masked(|_, m| m == 1 || m == 4), &all()).unwrap();
    let whole = model.predict(&data, &all()).unwrap();
    let mut num_both = 0;
    for title in (0..NUM_TITLES).filter(|&t| speech.scored[t] && frames.scored[t]) {
        num_both += 1;
        for at in both.genres_of(title) {
            for (m, own) in [(1, &speech), (4, &frames)] {
                let (part, full) = (both.contributions[at * 5 + m], own.contributions[at * 5 + m]);
                assert!((part - BESIDE_BORROWED as f32 * full).abs() < 1e-5, "{part} {full}");
                let beside = whole.contributions[at * 5 + m];
                let from = usize::from(m == 4) * 2;
                let has_from = data.modalities[from].present(title);
                let own = &model.spec().borrowed[usize::from(m == 4)];
                assert_eq!(own.from, data.modalities[from].name);
                let share = if has_from { own.beside_from } else { own.beside_others };
                let others = (0..4).any(|o| o != 1 && data.modalities[o].present(title));
                if others {
                    assert!((beside - share as f32 * full).abs() < 1e-5, "{beside} {full}");
                }
            }
            // The prior counts once.
            assert_eq!(both.bias[at], speech.bias[at]);
        }
    }
    assert!(num_both > 40);
}

#[test]
fn a_model_that_borrows_is_the_same_when_it_is_opened_again() {
    let data = with_trailers(true);
    let config = borrowing("stacking").with(|c| c.decisions.abstain = true);
    let model = fit(&data, &config, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path()).unwrap();
    let opened = TrainedModel::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let (a, b) = (model.predict(&data, &all()).unwrap(), opened.predict(&data, &all()).unwrap());
    assert_eq!((a.decision, a.seen), (b.decision, b.seen));
    // The last digit of a number may be lost in the text of model.json.
    assert!(a.logit.iter().zip(&b.logit).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn tables_that_cannot_stand_for_each_other_are_refused() {
    let data = with_trailers(true);
    let crossed = BTreeMap::from([("shown".to_owned(), Borrowing::from("single"))]);
    let config = LearnConfig { borrowed: crossed, ..config("stacking") };
    let error = fit(&data, &config, 1).err().unwrap().to_string();
    assert_eq!(
        error,
        "`learn.borrowed`: shown is rows of 5 numbers, but single is a text in 6 numbers"
    );
    let error = config.check_borrowed(&["single", "heard"]).unwrap_err().to_string();
    assert!(error.contains("wants \"shown\", but the modalities are single, heard"), "{error}");
    // Without its counterpart a modality is an ordinary one.
    let model = fit(&data.with_modalities(&[3, 4]), &borrowing("stacking"), 1).unwrap();
    assert!(model.spec().borrowed.is_empty());
}

#[test]
fn trailers_are_held_out_with_their_folds() {
    let data = with_trailers(true);
    let folds: Vec<Option<u32>> = (0..NUM_TITLES).map(|t| Some((t / 2 % 3) as u32)).collect();
    let interrupt = Interrupt::default();
    let run = |data: &Dataset| {
        let context = context(&interrupt, 2);
        cross_validate(data, &folds, &groups(), &borrowing("stacking"), &context).unwrap()
    };
    let is = run(&data);
    // Another transcript for the titles of fold 0: nothing that is said of them by the model of
    // their own fold may have been learned from it but through the transcript itself.
    let mut labels = data.clone();
    for title in (0..NUM_TITLES).filter(|&t| folds[t] == Some(0)) {
        for label in &mut labels.labels[title * 3..(title + 1) * 3] {
            *label = !*label;
        }
    }
    let would_be = run(&labels);
    for (t, &title) in is.titles.iter().enumerate() {
        let range = is.prediction.genres_of(t);
        let same = is.prediction.logit[range.clone()] == would_be.prediction.logit[range];
        assert!(same || folds[title] != Some(0), "{title}");
    }
}
