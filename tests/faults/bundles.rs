//! Bundles that somebody made to read files of this machine, to crash the program, or to have it
//! compute nonsense: each is refused in words, with the mend.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use cinetag::{
    base::{DeviceChoice, Digest, Hinted, Interrupt, NoProgress, Seed, TitleId},
    catalog::{CatalogSpec, Vocabulary},
    dataset::{Content, Dataset, ModalityTable},
    learn::{LearnConfig, TrainedModel, heads::FitContext},
    store::Ragged,
    tag::{About, Bundle, BundleConfig, BundleModality, TrainedOn},
};
use serde_json::{Value, json};

const NUM_TITLES: usize = 60;
const GENRES: [&str; 3] = ["Action", "Comedy", "Drama"];

/// A small bundle of four networks on plots, made anew in a folder.
fn made(folder: &Path) -> PathBuf {
    let mut rows = Ragged::new(4);
    let has = |title: usize, genre: usize| title.is_multiple_of(genre + 2);
    for title in 0..NUM_TITLES {
        let sign = |genre| if has(title, genre) { 1.0 } else { -1.0 };
        rows.push(&[sign(0), sign(1), sign(2), (title % 7) as f32], &[]);
    }
    let data = Dataset {
        titles: (0..NUM_TITLES).map(|title| TitleId::new(&title.to_string())).collect(),
        genres: GENRES.map(str::to_owned).to_vec(),
        labels: (0..NUM_TITLES)
            .flat_map(|title| (0..3).map(move |genre| has(title, genre)))
            .collect(),
        label_weights: None,
        modalities: vec![ModalityTable::new("plot", Content::Rows(rows)).into()],
    };
    let config = LearnConfig { head: "late-fusion".to_owned(), ..LearnConfig::default() }
        .with(|config| config.fusion.epochs = 2);
    let context = FitContext {
        device: DeviceChoice::Cpu,
        seed: Seed(1),
        inner_folds: &[],
        progress: &NoProgress,
        interrupt: &Interrupt::default(),
        parts: None,
    };
    let all: Vec<usize> = (0..NUM_TITLES).collect();
    let model = TrainedModel::fit(&data, &all, &all, &config, &context).unwrap();
    let about = BundleConfig {
        format: 0,
        cinetag: String::new(),
        name: "networks".to_owned(),
        genres: Vocabulary::new(data.genres.clone()),
        modalities: vec![BundleModality {
            name: "plot".to_owned(),
            settings: json!({}),
            made_by: cinetag::extract::MadeBy::Encoder("0123456789abcdef".to_owned()),
            borrowed_from: None,
            min_stated: 0,
        }],
        catalog: CatalogSpec::new("films.csv"),
        trained_on: TrainedOn {
            catalog: "films.csv".to_owned(),
            catalog_sha256: Digest::of_bytes(b"films"),
            num_titles: NUM_TITLES,
            seed: 1,
            learn: json!({ "head": "late-fusion" }),
            pinned_aside: false,
        },
        notes: Vec::new(),
        about: About::default(),
        files: BTreeMap::new(),
        models: BTreeMap::new(),
        prior: None,
    };
    let bundle = folder.join("bundle");
    Bundle::write(&bundle, about, &model, "card").unwrap();
    bundle
}

/// Changes a JSON file of a bundle; with the digest put right, as whoever makes a bundle can.
fn change(bundle: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let path = bundle.join(name);
    let mut tree: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut tree);
    fs::write(&path, tree.to_string()).unwrap();
    put_right(bundle, name);
}

fn put_right(bundle: &Path, name: &str) {
    let Some(own) = name.strip_prefix("model/") else { return };
    let digest = Digest::of_file(&bundle.join(name)).unwrap().to_string();
    change(bundle, "bundle.json", |config| config["files"][own] = json!(digest));
}

/// What is said of a bundle, with the hint, which is never missing.
fn refused(bundle: &Path) -> String {
    let Err(error) = Bundle::load(bundle, DeviceChoice::Cpu) else { panic!("it was opened") };
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let hint = error.hint().unwrap_or_else(|| panic!("no hint: {error}"));
    format!("{error}: {source}; {hint}")
}

#[track_caller]
fn assert_says(bundle: &Path, words: &[&str]) {
    let said = refused(bundle);
    for words in words {
        assert!(said.contains(words), "{words:?} is not in {said:?}");
    }
}

#[test]
fn a_bundle_that_is_what_it_says_is_opened_also_through_links_within() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = made(folder.path());
    Bundle::load(&bundle, DeviceChoice::Cpu).map(|_| ()).unwrap();
    fs::rename(bundle.join("model/member-0"), bundle.join("first")).unwrap();
    symlink("../first", bundle.join("model/member-0")).unwrap();
    symlink(&bundle, folder.path().join("link")).unwrap();
    Bundle::load(&folder.path().join("link"), DeviceChoice::Cpu).map(|_| ()).unwrap();
}

#[test]
fn stacking_of_an_earlier_version_is_refused_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = made(folder.path());
    for format in [1, 2] {
        change(&bundle, "bundle.json", |config| {
            config["format"] = json!(format);
            config["trained_on"]["learn"]["head"] = json!("stacking");
        });
        assert_says(&bundle, &["by an earlier version of cinetag", "`cinetag train PIPELINE`"]);
    }
    change(&bundle, "bundle.json", |config| config["format"] = json!(4));
    assert_says(&bundle, &["by a later version of cinetag (format 4)"]);
}

#[test]
fn names_of_files_do_not_lead_out_of_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    fs::write(&outside, "mine").unwrap();
    let digest = Digest::of_file(&outside).unwrap().to_string();
    for name in ["/dev/zero", "../../outside", outside.to_str().unwrap(), ".."] {
        let bundle = made(folder.path());
        change(&bundle, "bundle.json", |config| config["files"][name] = json!(digest));
        assert_says(&bundle, &[name, "lies outside of it", "whom you trust"]);
        fs::remove_dir_all(&bundle).unwrap();
    }
    for target in ["/dev/zero", outside.to_str().unwrap(), ".."] {
        let bundle = made(folder.path());
        let file = bundle.join("model/member-1/weights.safetensors");
        fs::remove_file(&file).unwrap();
        symlink(folder.path().join(target), &file).unwrap();
        assert_says(&bundle, &["weights.safetensors is a link out of it", "whom you trust"]);
        fs::remove_dir_all(&bundle).unwrap();
    }
    let bundle = made(folder.path());
    fs::rename(bundle.join("model"), folder.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", bundle.join("model")).unwrap();
    assert_says(&bundle, &["its model is a link out of it"]);
}

#[test]
fn weights_that_a_bundle_names_lie_in_it_or_have_their_digest_there() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = made(folder.path());
    let outside = folder.path().join("mine.safetensors");
    fs::write(&outside, "mine").unwrap();
    let name = |path: &str| {
        change(&bundle, "bundle.json", |config| {
            config["modalities"][0]["settings"] = json!({ "model": path });
        });
    };
    name(outside.to_str().unwrap());
    assert_says(&bundle, &["setting `model` names", "of which it names no digest"]);
    name("/dev/zero");
    assert_says(&bundle, &["which is no file of weights"]);
    fs::copy(&outside, bundle.join("own.safetensors")).unwrap();
    name(bundle.join("own.safetensors").to_str().unwrap());
    Bundle::load(&bundle, DeviceChoice::Cpu).map(|_| ()).unwrap();
    symlink(&outside, bundle.join("link.safetensors")).unwrap();
    name(bundle.join("link.safetensors").to_str().unwrap());
    assert_says(&bundle, &["of which it names no digest"]);
}

#[test]
fn genres_modalities_and_heads_are_those_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let try_out = |name: &str, damage: &dyn Fn(&mut Value), words: &[&str]| {
        let bundle = made(folder.path());
        change(&bundle, name, damage);
        assert_says(&bundle, words);
        fs::remove_dir_all(&bundle).unwrap();
    };
    let config = "bundle.json";
    try_out(config, &|tree| tree["genres"] = json!(["Action", "Drama"]), &["names 2 genres"]);
    try_out(config, &|tree| tree["modalities"] = json!([]), &["names 0 modalities"]);
    let head = "model/member-2/head.json";
    let broken = ["head.json", "as part of a model", "do not fit together", "train the bundle"];
    let pop = |list: &mut Value| drop(list.as_array_mut().unwrap().pop());
    let scaling = |tree: &mut Value| tree["views"][0]["input"]["transform"]["rows"].take();
    try_out(head, &|tree| pop(&mut tree["prior"]), &broken);
    try_out(
        head,
        &|tree| {
            let mut rows = scaling(tree);
            pop(&mut rows["inv_std"]);
            tree["views"][0]["input"]["transform"]["rows"] = rows;
        },
        &broken,
    );
    try_out(head, &|tree| tree["views"][0]["modality"] = json!(1), &broken);
    try_out(head, &|tree| tree["shape"]["hidden"] = json!(u64::MAX >> 1), &broken);
    try_out(
        head,
        &|tree| tree["shape"]["hidden"] = json!(31),
        &["weights.safetensors", "expected F32"],
    );
    try_out(head, &|tree| tree["views"][0]["input"]["scale"] = json!(1e300), &["it holds inf"]);
    try_out(
        head,
        &|tree| tree["modalities"] = json!(["poster"]),
        &["member-2", "other genres or modalities"],
    );
    let model = "model/model.json";
    try_out(
        model,
        &|tree| pop(&mut tree["fused"]["platt"]),
        &["model.json", "do not fit together"],
    );
    try_out(model, &|tree| tree["num_members"] = json!(u64::MAX), &["member-4"]);
    try_out(
        model,
        &|tree| tree["head"] = json!("none"),
        &["unknown head", "there are late-fusion"],
    );
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for number in [f32::NAN, f32::INFINITY] {
        let bundle = made(folder.path());
        let name = "model/member-3/weights.safetensors";
        let mut bytes = fs::read(bundle.join(name)).unwrap();
        let at = bytes.len() - 8;
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        fs::write(bundle.join(name), bytes).unwrap();
        put_right(&bundle, name);
        assert_says(&bundle, &["weights.safetensors", "numbers that are not finite", "train"]);
        fs::remove_dir_all(&bundle).unwrap();
    }
}
