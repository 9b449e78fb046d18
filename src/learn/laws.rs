//! Laws that every trained model keeps, tried on a small library with a planted signal.
//!
//! One file, though long: the library and the laws belong together, since each law is tried on every kind of model.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use base::{DeviceChoice, Fingerprint, Interrupt, NoProgress, Seed, TitleId};
use catalog::{Record, RecordSchema};
use dataset::{Content, Dataset, ModalityTable, SentenceStates};
use eval::ranking::mean_average_precision;
use ndarray::Array2;
use nn::{Device, ModelSource, SentenceBert, WeightCache};
use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use store::Ragged;

use super::{
    LearnConfig, LearnError, ModelPrediction, TrainedModel,
    config::{
        ClassWeights, ClassicalSettings, FineTuning, FusionSettings, LabelScheme, LossKind,
        Pooling, Resampling, SequenceSettings, TextView,
    },
    heads::{FitContext, classical::TreeSettings, registry, sequence::SequenceKind},
    study::cross_validate,
    transform::{TfIdfSettings, Word2vecSettings},
};

pub(super) const NUM_TITLES: usize = 240;
const NUM_GENRES: usize = 3;
/// The words that speak of the genres: whole tokens of the tiny network, which knows no filler.
const SIGNALS: [&str; NUM_GENRES] = ["love", "war", "ghost"];
/// The only title that has no modality.
const BLANK_TITLE: usize = 7;

/// Every head of the registry, every network over words, the last layers of a sentence network, and
/// what heads share: views of words, label schemes, losses, weights and resampling. All small, by
/// name.
pub(super) fn configs() -> Vec<(String, LearnConfig)> {
    let mut configs: Vec<(String, LearnConfig)> =
        registry().iter().map(|kind| (kind.name.to_owned(), config(kind.name))).collect();
    for kind in [
        SequenceKind::Lstm,
        SequenceKind::Gru,
        SequenceKind::Cnn,
        SequenceKind::CnnRnn,
        SequenceKind::Transformer,
    ] {
        let sequence = SequenceSettings { kind, embedding: 8, ..SequenceSettings::default() };
        let text_views = vec![TextView::Sequence];
        let config = LearnConfig { text_views, sequence, ..config("late-fusion") };
        configs.push((format!("{kind:?}"), config));
    }
    for head in ["late-fusion", "early-fusion"] {
        let text_views = vec![TextView::FineTuned];
        let fine_tuned = FineTuning { learning_rate: 2e-3, ..FineTuning::default() };
        let config = LearnConfig { text_views, fine_tuned, ..config(head) };
        configs.push((format!("fine-tuned, {head}"), config));
    }
    let mut add = |name: &str, config: LearnConfig| configs.push((name.to_owned(), config));
    let text_views = vec![TextView::Word2vec];
    add("word vectors", LearnConfig { text_views, members: 4, ..config("stacking") });
    let labels = LabelScheme::ClassifierChain;
    add("a chain", config("stacking").with(|c| c.classical.labels = labels));
    let (labels, resampling) = (LabelScheme::ChainEnsemble, Resampling::Undersampling);
    let chains = config("nearest-neighbours").with(|c| {
        (c.classical.labels, c.classical.chains, c.imbalance.resampling) = (labels, 2, resampling);
    });
    add("chains", chains);
    let resampling = Resampling::Mlsmote;
    add("MLSMOTE", config("logistic-regression").with(|c| c.imbalance.resampling = resampling));
    let (loss, class_weights) = (LossKind::Focal, ClassWeights::EffectiveNumber);
    let resampling = Resampling::Oversampling;
    let focal = config("late-fusion").with(|c| {
        (c.fusion.loss, c.imbalance.class_weights) = (loss, class_weights);
        c.imbalance.resampling = resampling;
    });
    add("focal", focal);
    let (loss, pooling, ema) = (LossKind::Asymmetric, Pooling::Mean, 0.9);
    let asymmetric = config("gated-fusion").with(|c| {
        (c.fusion.pooling, c.fusion.loss, c.fusion.ema) = (pooling, loss, ema);
    });
    add("asymmetric", asymmetric);
    configs
}

pub(super) fn config(head: &str) -> LearnConfig {
    LearnConfig {
        head: head.to_owned(),
        text_views: vec![TextView::Embedding, TextView::TfIdf],
        tfidf: TfIdfSettings { ngrams: 1, min_texts: 3, ..TfIdfSettings::default() },
        word2vec: Word2vecSettings { dim: 8, epochs: 20, ..Word2vecSettings::default() },
        trees: TreeSettings { trees: 12, rounds: 12, ..TreeSettings::default() },
        classical: ClassicalSettings { neighbours: 15, ..ClassicalSettings::default() },
        fusion: FusionSettings {
            hidden: 16,
            queries: 2,
            dropout: 0.1,
            learning_rate: 5e-3,
            epochs: 25,
            batch_titles: 64,
            ..FusionSettings::default()
        },
        members: 2,
        ..LearnConfig::default()
    }
}

/// A tiny network of two layers; see `scripts/golden/text_networks.py`.
pub(super) fn network(family: &str) -> Arc<SentenceBert> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/data/text_networks");
    let cache = WeightCache::open(Some(folder.into())).unwrap();
    let files = cache.resolve(&ModelSource::Path(Path::new(folder).join(family))).unwrap();
    Arc::new(SentenceBert::load(&files, &Device::Cpu).unwrap())
}

pub(super) fn bert() -> SentenceStates {
    states_of(network("bert"), "bert")
}

/// States of a network that is loaded, by an encoder of this name.
pub(super) fn states_of(network: Arc<SentenceBert>, encoder: &str) -> SentenceStates {
    SentenceStates::new(Arc::new(network.into()), Fingerprint::of(&encoder.into()))
}

/// A dozen words, of which one for each genre that it shows speaks of it.
fn plot(shown: &[bool], rng: &mut ChaCha8Rng) -> String {
    let mut words: Vec<String> =
        (0..12).map(|_| format!("filler{}", rng.random_range(0..40))).collect();
    let signals = shown.iter().enumerate().filter(|&(_, &shown)| shown);
    words.extend(signals.map(|(genre, _)| SIGNALS[genre].to_owned()));
    words.shuffle(rng);
    words.join(" ")
}

/// [`library`] with nothing missing.
pub(super) fn whole_library(planted: bool) -> Dataset {
    library_with(planted, 1.0)
}

/// Three modalities: a text with one row a title; one to four rows of which one carries the
/// signal; records.
/// A third of the titles misses each. With `planted` false, features know nothing of the labels.
pub(super) fn library(planted: bool) -> Dataset {
    library_with(planted, 0.67)
}

fn library_with(planted: bool, present_frac: f64) -> Dataset {
    let mut rng = Seed(11).rng("library");
    let mut speech = Seed(11).rng("words");
    let mut single = Ragged::new(6);
    let mut several = Ragged::new(5);
    let mut words = Vec::new();
    let mut records = Vec::new();
    let mut labels = Vec::new();
    for title in 0..NUM_TITLES {
        let own: Vec<bool> =
            (0..NUM_GENRES).map(|genre| rng.random_bool([0.5, 0.3, 0.2][genre])).collect();
        let shown: Vec<bool> = if planted {
            own.clone()
        } else {
            (0..NUM_GENRES).map(|_| rng.random_bool(0.5)).collect()
        };
        labels.extend(own);
        let mut present: Vec<bool> = (0..3).map(|_| rng.random_bool(present_frac)).collect();
        if !present.contains(&true) {
            present[title % 3] = true;
        }
        if title == BLANK_TITLE && present_frac < 1.0 {
            present.fill(false);
        }
        let mut row = |dim: usize, signal: f32| -> Vec<f32> {
            (0..dim)
                .map(|d| {
                    let noise = rng.random_range(-1.0_f32..1.0);
                    noise + if d < NUM_GENRES && shown[d] { signal } else { 0.0 }
                })
                .collect()
        };
        let first = row(6, 1.5);
        single.push(if present[0] { &first } else { &[] }, &[]);
        words.push(present[0].then(|| plot(&shown, &mut speech)));
        let num_rows = 1 + title % 4;
        let rows: Vec<f32> = (0..num_rows)
            .flat_map(|r| row(5, if r == title % num_rows { 3.0 } else { 0.0 }))
            .collect();
        several.push(if present[1] { &rows } else { &[] }, &[]);
        let words: Vec<String> =
            (0..NUM_GENRES).filter(|&g| shown[g]).map(|g| format!("maker {g}")).collect();
        let year = if title % 5 == 0 { None } else { Some(1950.0 + title as f64 / 4.0) };
        records.push(present[2].then(|| Record { numbers: vec![year], categories: vec![words] }));
    }
    let schema = RecordSchema { numbers: vec!["year".into()], categories: vec!["maker".into()] };
    Dataset {
        titles: (0..NUM_TITLES).map(|t| TitleId::new(&format!("t{t}"))).collect(),
        genres: (0..NUM_GENRES).map(|g| format!("genre {g}")).collect(),
        labels,
        label_weights: None,
        modalities: vec![
            ModalityTable::text("single", Content::Rows(single), words)
                .with_sentences(bert())
                .into(),
            ModalityTable::new("several", Content::Rows(several)).into(),
            ModalityTable::new("records", Content::Records { schema, rows: records }).into(),
        ],
    }
}

pub(super) fn context(interrupt: &Interrupt, seed: u64) -> FitContext<'_> {
    FitContext {
        device: DeviceChoice::Cpu,
        seed: Seed(seed),
        inner_folds: &[],
        progress: &NoProgress,
        interrupt,
        parts: None,
    }
}

pub(super) fn groups() -> Vec<usize> {
    (0..NUM_TITLES).map(|title| title / 2).collect()
}

pub(super) fn fit(
    data: &Dataset,
    config: &LearnConfig,
    seed: u64,
) -> Result<TrainedModel, LearnError> {
    let train: Vec<usize> = (0..NUM_TITLES).filter(|title| title % 6 != 0).collect();
    TrainedModel::fit(data, &train, &groups(), config, &context(&Interrupt::default(), seed))
}

pub(super) fn all() -> Vec<usize> {
    (0..NUM_TITLES).collect()
}

fn assert_same(a: &ModelPrediction, b: &ModelPrediction, what: &str) {
    let near = |a: &[f32], b: &[f32], name: &str| {
        assert_eq!(a.len(), b.len(), "{what}: {name}");
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-5 || (a.is_nan() && b.is_nan()), "{what}: {name}: {a} {b}");
        }
    };
    near(&a.logit, &b.logit, "logit");
    near(&a.contributions, &b.contributions, "contributions");
    near(&a.unimodal, &b.unimodal, "unimodal");
    near(&a.attention.concat().concat(), &b.attention.concat().concat(), "attention");
}

#[test]
fn a_title_that_lacks_modalities_is_judged_by_what_titles_like_it_were_right_about() {
    let interrupt = Interrupt::default();
    let all: Vec<usize> = (0..NUM_TITLES).collect();
    let fit = |data: &Dataset, abstain: bool| {
        let config = config("late-fusion").with(|c| c.decisions.abstain = abstain);
        TrainedModel::fit(data, &all, &all, &config, &context(&interrupt, 3)).unwrap()
    };
    let planted = whole_library(true);
    let model = fit(&planted, true);
    assert_eq!(model.spec().partial.len(), 6, "every set of modalities but none and all");
    assert!(fit(&planted, false).spec().partial.is_empty());

    let first_alone = planted.masked(|_, m| m == 0);
    let prediction = model.predict(&first_alone, &all).unwrap();
    let decisions = model.spec().decisions_for(&[true, false, false]);
    assert_ne!(decisions, &model.spec().fused);
    let (mut right, mut decided) = (0, 0);
    for t in 0..NUM_TITLES {
        for g in 0..NUM_GENRES {
            let at = t * NUM_GENRES + g;
            let probability = f64::from(prediction.probability[at]);
            assert_eq!(prediction.decision[at], probability >= decisions.thresholds[g]);
            decided += usize::from(prediction.decision[at]);
            right += usize::from(prediction.decision[at] && planted.labels_of(t)[g]);
        }
        let parts = &prediction.contributions[prediction.parts_of(t)][..3];
        let sum: f32 = parts.iter().fold(prediction.bias[t * NUM_GENRES], |sum, part| sum + part);
        assert_eq!(sum, prediction.logit[t * NUM_GENRES], "parts still sum to the whole");
    }
    assert!(decided > 0 && right * 10 >= decided * 7, "{right} of {decided}");

    // What knows nothing says nothing, though every title has a nearest genre.
    let noise = whole_library(false);
    let model = fit(&noise, true);
    let prediction = model.predict(&noise.masked(|_, m| m == 0), &all).unwrap();
    let num_tags = prediction.decision.iter().filter(|&&decided| decided).count();
    assert!(num_tags * 20 <= NUM_TITLES, "{num_tags} guesses are presented as tags");
}

#[test]
fn contributions_sum_to_the_logit_and_what_is_missing_says_nothing() {
    for (name, config) in configs() {
        check_contributions(&name, &config);
    }
}

fn check_contributions(head: &str, config: &LearnConfig) {
    let data = library(true);
    let model = fit(&data, config, 1).unwrap();
    let p = model.predict(&data, &all()).unwrap();
    for title in 0..NUM_TITLES {
        assert_eq!(p.scored[title], title != BLANK_TITLE);
        for at in p.genres_of(title) {
            let parts = &p.contributions[at * 3..(at + 1) * 3];
            let sum = parts.iter().fold(p.bias[at], |sum, part| sum + part);
            assert_eq!(sum, p.logit[at], "{head}");
            let probability = 1.0 / (1.0 + (-p.logit[at]).exp());
            assert!((probability - p.probability[at]).abs() < 1e-6);
            for (m, part) in parts.iter().enumerate() {
                let present = data.modalities[m].present(title);
                assert!(present || *part == 0.0, "{head}");
                assert_eq!(p.unimodal[at * 3 + m].is_nan(), !present, "{head}");
                assert!(present || !p.unimodal_decision[at * 3 + m]);
            }
        }
        for (m, table) in data.modalities.iter().enumerate() {
            let weights = &p.attention[title][m];
            let num_rows = match &table.content {
                Content::Rows(ragged) => ragged.num_rows(title),
                Content::Records { rows, .. } => usize::from(rows[title].is_some()),
            };
            assert_eq!(weights.len(), num_rows, "{head}");
            assert!(num_rows == 0 || (weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
    // With nothing to go by: the prevalences of training, and no decision.
    let blank = p.genres_of(BLANK_TITLE);
    assert!(p.decision[blank.clone()].iter().all(|&decided| !decided));
    assert!(p.probability[blank].windows(2).all(|pair| pair[0] > pair[1]), "{head}");
    for shares in model.fusion_weights().unwrap_or_default().chunks(3) {
        assert!(shares.iter().all(|&share| share >= 0.0));
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn a_titles_scores_depend_on_that_title_alone() {
    for (name, config) in configs() {
        check_independence(&name, &config);
    }
}

fn check_independence(head: &str, config: &LearnConfig) {
    let data = library(true);
    let model = fit(&data, config, 1).unwrap();
    let whole = model.predict(&data, &all()).unwrap();
    let backwards: Vec<usize> = (0..NUM_TITLES).rev().collect();
    let turned = model.predict(&data, &backwards).unwrap().select(&backwards);
    assert_same(&whole, &turned, &format!("{head}: another order"));
    for title in [0, 3, BLANK_TITLE, 100] {
        let alone = model.predict(&data, &[title]).unwrap();
        assert_same(&whole.select(&[title]), &alone, &format!("{head}: one by one"));
    }
    // The rows of others changed beyond recognition, in number too.
    let mut others = data.clone();
    if let Content::Rows(ragged) = &mut Arc::make_mut(&mut others.modalities[1]).content {
        let mut changed = Ragged::new(ragged.dim);
        for title in 0..NUM_TITLES {
            let rows = ragged.rows(title);
            if title == 100 {
                changed.push(rows, &[]);
            } else {
                changed.push(&vec![1e4; 5 * ragged.dim], &[]);
            }
        }
        *ragged = changed;
    }
    let changed = model.predict(&others, &all()).unwrap();
    assert_same(
        &whole.select(&[100]),
        &changed.select(&[100]),
        &format!("{head}: other titles changed"),
    );
}

#[test]
fn a_planted_signal_is_learned_and_noise_is_not() {
    let tries = configs().into_iter().flat_map(|head| {
        [(true, 0.85, 1.0), (false, 0.2, 0.5)].map(|outcome| (head.clone(), outcome))
    });
    for ((name, config), (planted, low, high)) in tries {
        let data = library(planted);
        let folds: Vec<Option<u32>> = groups().iter().map(|&g| Some((g % 3) as u32)).collect();
        let interrupt = Interrupt::default();
        let outcome =
            cross_validate(&data, &folds, &groups(), &config, &context(&interrupt, 3)).unwrap();
        assert_eq!(outcome.titles, all());
        let fold_of: Vec<Option<u32>> = outcome.fold_of.iter().map(|&f| Some(f)).collect();
        assert_eq!(fold_of, folds);
        let shape = (NUM_TITLES, NUM_GENRES);
        let scores = outcome.prediction.logit.iter().map(|&z| f64::from(z)).collect();
        let scores = Array2::from_shape_vec(shape, scores).unwrap();
        let labels = Array2::from_shape_vec(shape, data.labels.clone()).unwrap();
        let map = mean_average_precision(scores.view(), labels.view());
        // The mean prevalence is 1/3.
        assert!((low..=high).contains(&map), "{name}: planted {planted}: mAP {map}");
    }
}

/// A part of a logit is what a modality knows of the genre. What knows nothing may add noise to
/// single titles, but on titles held out it speaks no more for those that have the genre than for
/// those that do not.
#[test]
fn what_knows_nothing_of_a_genre_does_not_speak_for_it() {
    let (planted, noise) = (whole_library(true), whole_library(false));
    for known in 0..3 {
        let table = |m: usize| if m == known { &planted } else { &noise }.modalities[m].clone();
        let data = Dataset { modalities: (0..3).map(table).collect(), ..planted.clone() };
        let folds: Vec<Option<u32>> = groups().iter().map(|&g| Some((g % 3) as u32)).collect();
        let interrupt = Interrupt::default();
        for kind in registry() {
            let config = config(kind.name);
            let context = context(&interrupt, 3);
            let outcome = cross_validate(&data, &folds, &groups(), &config, &context).unwrap();
            // What a modality says more for titles with a genre than for those without.
            let speaks = |m: usize| -> f64 {
                let of_genre = |genre: usize| {
                    let mean = |with: bool| {
                        let parts = (0..NUM_TITLES)
                            .filter(|&title| data.labels_of(title)[genre] == with)
                            .map(|title| title * NUM_GENRES + genre)
                            .map(|at| f64::from(outcome.prediction.contributions[at * 3 + m]));
                        let parts: Vec<f64> = parts.collect();
                        parts.iter().sum::<f64>() / parts.len() as f64
                    };
                    mean(true) - mean(false)
                };
                (0..NUM_GENRES).map(of_genre).sum()
            };
            let own = speaks(known);
            assert!(own > 0.0, "{}: {own} of modality {known}", kind.name);
            for m in (0..3).filter(|&m| m != known) {
                let other = speaks(m).abs();
                assert!(other < own / 3.0, "{}: {other} beside {own} of {known}", kind.name);
            }
        }
    }
}

fn bytes_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            for (below, bytes) in bytes_below(&path) {
                files.insert(format!("{name}/{below}"), bytes);
            }
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn one_seed_gives_one_model_to_the_byte_and_it_opens_as_it_was() {
    for (name, config) in configs() {
        check_bytes(&name, &config.with(|c| c.fusion.epochs = 4));
    }
}

fn check_bytes(head: &str, config: &LearnConfig) {
    let data = library(true);
    let saved = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let model = fit(&data, config, seed).unwrap();
        model.save(folder.path()).unwrap();
        (model, folder)
    };
    let (model, folder) = saved(5);
    let files = bytes_below(folder.path());
    assert!(files == bytes_below(saved(5).1.path()), "{head}: the same seed gave other bytes");
    assert!(files != bytes_below(saved(6).1.path()), "{head}: another seed gave the same bytes");

    let opened = TrainedModel::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let before = model.predict(&data, &all()).unwrap();
    let after = opened.predict(&data, &all()).unwrap();
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&before.logit), bits(&after.logit), "{head}");
    assert_eq!(bits(&before.unimodal), bits(&after.unimodal));
    assert_eq!(before.decision, after.decision);

    // A damaged or foreign file is named.
    for (name, bytes) in &files {
        let path = folder.path().join(name);
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let refused = TrainedModel::load(folder.path(), DeviceChoice::Cpu).err();
        let refused = refused.unwrap_or_else(|| panic!("{head}: half of {name} was opened"));
        assert!(refused.to_string().contains(name), "{refused}");
        fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn an_interrupt_stops_training() {
    let interrupt = Interrupt::default();
    interrupt.raise();
    for (name, config) in configs() {
        let context = context(&interrupt, 1);
        let stopped = TrainedModel::fit(&library(true), &all(), &groups(), &config, &context);
        assert!(matches!(stopped.err(), Some(LearnError::Interrupted(_))), "{name}");
    }
}

#[test]
fn data_that_does_not_fit_is_refused_in_words() {
    for kind in registry() {
        check_refusals(&config(kind.name).with(|c| c.fusion.epochs = 1));
    }
}

fn check_refusals(config: &LearnConfig) {
    let data = library(true);
    let model = fit(&data, config, 1).unwrap();
    let refusal = |data: &Dataset| model.predict(data, &[0]).unwrap_err().to_string();
    assert!(refusal(&data.with_modalities(&[1, 0, 2])).contains("several"));
    let mut other_dim = data.clone();
    Arc::make_mut(&mut other_dim.modalities[0]).content = Content::Rows(Ragged {
        dim: 7,
        data: vec![0.0; 7],
        offsets: std::iter::once(0).chain(std::iter::repeat_n(1, NUM_TITLES)).collect(),
        time_secs: Vec::new(),
    });
    let message = refusal(&other_dim);
    assert!(message.contains("7 numbers a row") && message.contains('6'), "{message}");

    let too_few =
        TrainedModel::fit(&data, &[0, 1], &groups(), config, &context(&Interrupt::default(), 1));
    assert!(too_few.err().unwrap().to_string().contains("2 training titles in 1 groups"));
    let nothing = fit(&data.with_modalities(&[]), config, 1).err().unwrap().to_string();
    assert!(nothing.contains("no modality"), "{nothing}");

    let mut folds: Vec<Option<u32>> = groups().iter().map(|&g| Some((g % 3) as u32)).collect();
    folds[1] = Some(2);
    let interrupt = Interrupt::default();
    let torn = cross_validate(&data, &folds, &groups(), config, &context(&interrupt, 3));
    let message = torn.unwrap_err().to_string();
    assert!(message.contains("t0 and t1 are of one group but in folds 0 and 2"), "{message}");
}
