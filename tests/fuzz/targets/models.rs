//! Bundles: `bundle.json`, `model.json` and the heads, one seed for each kind of head.

use std::{collections::BTreeMap, fs, path::Path};

use cinetag::{
    base::{DeviceChoice, Digest, Interrupt, NoProgress, Seed, TitleId},
    catalog::{CatalogSpec, Record, RecordSchema, Vocabulary},
    dataset::{Content, Dataset, ModalityTable},
    learn::{
        LearnConfig, TrainedModel,
        config::{LabelScheme, SequenceSettings, TextView},
        heads::{FitContext, registry, sequence::SequenceKind},
    },
    store::Ragged,
    tag::{About, Bundle, BundleConfig, BundleModality, TrainedOn},
};
use serde_json::{Value, json};

use super::Target;
use crate::{files, mutate::Form};

const NUM_TITLES: usize = 36;
const GENRES: [&str; 2] = ["Drama", "War"];

/// A text, rows and records of a few titles; each lacks one of them now and then.
fn data() -> Dataset {
    let (mut single, mut several) = (Ragged::new(3), Ragged::new(2));
    let (mut words, mut rows, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for title in 0..NUM_TITLES {
        let own = [title % 2 == 0, title % 3 == 0];
        labels.extend(own);
        let number = |n: usize| ((title * 7 + n * 3) % 11) as f32 / 11.0 + f32::from(own[n % 2]);
        let has = |m: usize| title == 0 || title % 5 != m;
        single.push(&if has(0) { vec![number(0), number(1), number(2)] } else { Vec::new() }, &[]);
        let text = format!(
            "love {} war {}",
            ["a", "peace"][title % 2],
            ["b", "ghost"][usize::from(own[1])]
        );
        words.push(has(0).then_some(text));
        let both: Vec<f32> = (0..2 + 2 * (title % 2)).map(number).collect();
        several.push(if has(1) { &both } else { &[] }, &[]);
        let names = vec![format!("maker {}", title % 3)];
        let record = Record {
            numbers: vec![(title % 4 != 0).then_some(title as f64)],
            categories: vec![names],
        };
        rows.push(has(2).then_some(record));
    }
    let schema = RecordSchema { numbers: vec!["year".into()], categories: vec!["maker".into()] };
    Dataset {
        titles: (0..NUM_TITLES).map(|title| TitleId::new(&title.to_string())).collect(),
        genres: GENRES.map(str::to_owned).to_vec(),
        labels,
        label_weights: None,
        modalities: vec![
            ModalityTable::text("plot", Content::Rows(single), words).into(),
            ModalityTable::new("poster", Content::Rows(several)).into(),
            ModalityTable::new("metadata", Content::Records { schema, rows }).into(),
        ],
    }
}

fn config(head: &str, text_views: Vec<TextView>) -> LearnConfig {
    let mut config =
        LearnConfig { head: head.to_owned(), text_views, members: 2, ..LearnConfig::default() };
    config.classical.neighbours = 3;
    config.fusion.hidden = 4;
    config.fusion.queries = 2;
    config.fusion.epochs = 1;
    config.fusion.batch_titles = 16;
    config.tfidf.min_texts = 1;
    config.word2vec.dim = 4;
    config.word2vec.min_count = 1;
    config.word2vec.epochs = 1;
    config.trees.trees = 2;
    config.trees.rounds = 2;
    config
}

/// Every head, and every network over words.
fn configs() -> Vec<LearnConfig> {
    let words = || vec![TextView::Embedding, TextView::TfIdf];
    let mut all: Vec<LearnConfig> =
        registry().iter().map(|kind| config(kind.name, words())).collect();
    for kind in
        [SequenceKind::Lstm, SequenceKind::Cnn, SequenceKind::CnnRnn, SequenceKind::Transformer]
    {
        let sequence = SequenceSettings { kind, embedding: 4, min_texts: 1, max_words: 8 };
        all.push(LearnConfig { sequence, ..config("late-fusion", vec![TextView::Sequence]) });
    }
    all.push(config("stacking", vec![TextView::Word2vec]));
    let labels = LabelScheme::ChainEnsemble;
    all.push(
        config("nearest-neighbours", words())
            .with(|c| (c.classical.labels, c.classical.chains) = (labels, 2)),
    );
    all.push(config("logistic-regression", words()).with(|c| c.decisions.abstain = true));
    all
}

fn bundle(config: &LearnConfig) -> Vec<u8> {
    let (data, interrupt) = (data(), Interrupt::default());
    let context = FitContext {
        device: DeviceChoice::Cpu,
        seed: Seed(1),
        inner_folds: &[],
        progress: &NoProgress,
        interrupt: &interrupt,
        parts: None,
    };
    let all: Vec<usize> = (0..NUM_TITLES).collect();
    let model = TrainedModel::fit(&data, &all, &all, config, &context).expect("a model");
    let modality = |table: &ModalityTable| BundleModality {
        name: table.name.clone(),
        settings: json!({}),
        made_by: cinetag::extract::MadeBy::Encoder("0123456789abcdef".to_owned()),
        borrowed_from: None,
        min_stated: 0,
    };
    let about = BundleConfig {
        format: 0,
        cinetag: String::new(),
        name: "small".to_owned(),
        genres: Vocabulary::new(GENRES.map(str::to_owned).to_vec()),
        modalities: data.modalities.iter().map(|table| modality(table)).collect(),
        catalog: CatalogSpec::new("films.csv"),
        trained_on: TrainedOn {
            catalog: "films.csv".to_owned(),
            catalog_sha256: Digest::of_bytes(b"x"),
            num_titles: NUM_TITLES,
            seed: 1,
            learn: Value::Null,
            pinned_aside: false,
        },
        notes: Vec::new(),
        about: About::default(),
        files: BTreeMap::new(),
        models: BTreeMap::new(),
        prior: None,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("bundle");
    Bundle::write(&place, about, &model, "card").expect("a bundle");
    files::pack(&files::read(&place))
}

/// Digests that fit: who makes a bundle states them as he likes.
fn put_right(folder: &Path) {
    let path = folder.join("bundle.json");
    let Ok(text) = fs::read(&path) else { return };
    let Ok(Value::Object(mut tree)) = serde_json::from_slice(&text) else { return };
    if let Some(Value::Object(stated)) = tree.get_mut("files") {
        for (name, digest) in stated {
            if let Ok(bytes) = fs::read(folder.join("model").join(name)) {
                *digest = json!(Digest::of_bytes(&bytes).to_string());
            }
        }
        let _ = fs::write(&path, serde_json::to_vec(&tree).unwrap_or_default());
    }
}

pub static BUNDLE: Target = Target {
    name: "bundle",
    form: Form::Files,
    tokens: &[
        b"genres",
        b"modalities",
        b"num_members",
        b"fused",
        b"platt",
        b"thresholds",
        b"partial",
        b"head",
        b"stacking",
        b"late-fusion",
        b"random-forest",
        b"kernel-svm",
        b"../../x",
        b"/dev/zero",
        b"model",
        b"NaN",
        b"null",
        b"\xff\xff\xff\xff\x0f",
        b"\x80\x80\x80\x80\x10",
    ],
    seeds: || configs().iter().map(bundle).collect(),
    run: |input, folder| {
        files::write(folder, &files::unpack(input));
        put_right(folder);
        if let Ok(bundle) = Bundle::load(folder, DeviceChoice::Cpu) {
            let data = data();
            let rows: Vec<usize> = (0..8).collect();
            std::hint::black_box(bundle.model.predict(&data, &rows).is_ok());
        }
        Ok(())
    },
};
