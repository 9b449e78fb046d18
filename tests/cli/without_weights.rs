//! On a machine without pretrained weights: whatever only reads features from a store works, and
//! what must look at something says which weights to get.

use std::{fmt::Write as _, fs, path::Path};

use cinetag::{
    base::{DeviceChoice, Digest, TitleId},
    encode::{EncoderContext, Opened, registry},
    store::{EncoderIdentity, FeatureRow, FeatureStore, digest_of_text},
};
use serde_json::json;
use tempfile::TempDir;

use super::{cinetag, text};

const NUM_TITLES: usize = 36;
const GENRES: [&str; 3] = ["Drama", "Comedy", "War"];

fn plot(n: usize) -> String {
    format!("Somebody walks {n} miles and thinks of home.")
}

fn poster(n: usize) -> String {
    format!("The picture of film {n}.")
}

/// A table of films, whose posters are no pictures: nobody can have looked at them here.
fn inputs(folder: &Path) {
    let file = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    fs::create_dir(folder.join("posters")).unwrap();
    let header = "id,title,plot,poster,genres\n";
    let mut films = header.to_owned();
    for n in 0..NUM_TITLES {
        file(&format!("posters/{n}.jpg"), &poster(n));
        let genre = GENRES[n % 3];
        writeln!(films, "t{n},Film {n},{},posters/{n}.jpg,{genre}", plot(n)).unwrap();
    }
    file("films.csv", &films);
    file("space.toml", "trials = 2\n[space]\nc = { low = 1.0, high = 4.0 }\n");
    file("posters/new.jpg", "A new picture.");
    file("both.csv", &format!("{header}b,B,,posters/new.jpg,\na,A,A new plot.,,\n"));
    let stage =
        |kind: &str, more: &str| format!("[[stage]]\nname = \"{kind}\"\nkind = \"{kind}\"\n{more}");
    let needs = "needs = [\"extract\", \"split\"]\n";
    let whole = [
        "[run]\nname = \"whole\"\nfolder = \"runs/whole\"\nstore = \"store\"\n".to_owned(),
        "[catalog]\npath = \"films.csv\"\n[modality.poster]\n[modality.plot]\n".to_owned(),
        "[learn]\nhead = \"logistic-regression\"\nmembers = 2\n".to_owned(),
        stage("extract", ""),
        stage("split", "folds = 3\n"),
        stage("evaluate", &format!("{needs}resamples = 20\n")),
        stage("train", needs),
        stage("report", "needs = [\"evaluate\"]\n"),
    ];
    file("whole.toml", &whole.concat());
}

/// What the encoder of a modality would have left in a store, were there pictures and networks.
fn fill(folder: &Path, modality: &str, key: impl Fn(usize) -> Digest) {
    let context = EncoderContext {
        device: DeviceChoice::Cpu,
        weights_dir: Some(folder.join("no-weights")),
        ..EncoderContext::default()
    };
    let opened = registry::find(modality).unwrap().open(&json!({}), &context).unwrap();
    let Opened::Encoder(encoder) = opened else { panic!("{modality} is encoded") };
    let identity: &EncoderIdentity = encoder.identity();
    let row = |n: usize| {
        let number = |i: usize| if i % 3 == n % 3 { 0.5 } else { ((n * 7 + i) % 5) as f32 * 0.1 };
        FeatureRow {
            key: key(n),
            title: TitleId::new(&format!("t{n}")),
            data: (0..identity.dim).map(number).collect(),
            time_secs: Vec::new(),
            partial: None,
            text: None,
        }
    };
    let rows: Vec<FeatureRow> = (0..NUM_TITLES).map(row).collect();
    let store = FeatureStore::open(&folder.join("store"));
    store.encoder(identity).unwrap().publish(&rows).unwrap();
}

/// A folder with films, all of which somebody has looked at.
fn looked_at() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fill(folder.path(), "plot", |n| digest_of_text(&plot(n)));
    fill(folder.path(), "poster", |n| Digest::of_bytes(poster(n).as_bytes()));
    folder
}

/// What a command says.
fn ends(command: &str, folder: &Path, code: i32) -> String {
    let output = cinetag(&command.split(' ').collect::<Vec<_>>(), folder);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command}: {said}");
    said + &text(&output.stdout)
}

#[test]
fn features_of_a_store_are_all_that_most_commands_need() {
    let folder = looked_at();
    let folder = folder.path();
    ends("run whole.toml --dry-run", folder, 0);
    ends("extract whole.toml", folder, 0);
    ends("evaluate whole.toml", folder, 0);
    ends("train whole.toml", folder, 0);
    ends("run whole.toml", folder, 0);
    let plan = ends("run whole.toml --dry-run", folder, 0);
    assert!(plan.lines().all(|line| line.ends_with("fresh")), "{plan}");
    ends("ablate whole.toml --seeds 1 --resamples 20 --without poster", folder, 0);
    ends("tune whole.toml --space space.toml", folder, 0);
    let tag = "--bundle runs/whole/bundle --store store";
    let tags = ends(&format!("tag films.csv {tag}"), folder, 0);
    assert_eq!(tags.matches("\"scores\"").count(), NUM_TITLES, "{tags}");

    // What somebody must look at is refused, before anything is decoded, with all that is missing.
    let refused = |command: &str, models: &str| {
        let said = ends(command, folder, 1);
        assert!(said.contains("its encoder cannot be loaded"), "{said}");
        let hint = format!("hint: run `cinetag models pull {models}`\n");
        assert!(said.contains(&hint), "{command}: {said}");
    };
    refused(&format!("tag both.csv {tag}"), "efficientnet-lite2 all-minilm-l6-v2");
    refused("explain whole.toml t1", "all-minilm-l6-v2");
}

#[test]
fn a_network_that_is_trained_further_is_asked_for_when_it_is_needed() {
    let folder = looked_at();
    let folder = folder.path();
    let further = "--set learn.head=late-fusion --set learn.text_views=[\"fine-tuned\"]";
    ends(&format!("run whole.toml --dry-run {further}"), folder, 0);
    let said = ends(&format!("train whole.toml {further}"), folder, 1);
    assert!(said.contains("model all-minilm-l6-v2 is not in the cache"), "{said}");
    assert!(said.contains("hint: run `cinetag models pull all-minilm-l6-v2`\n"), "{said}");
}
