use std::{collections::BTreeMap, fmt};

use base::{DeviceChoice, Hinted, Interrupt, NoProgress, Seed, TitleId};
use catalog::{CatalogSpec, Vocabulary};
use dataset::{Content, Dataset, ModalityTable};
use eval::{Groups, Outcome, PinnedTest, gate, significance::Said};
use jiff::Timestamp;
use learn::{LearnConfig, TrainedModel, heads::FitContext};
use ndarray::Array2;
use serde_json::json;
use store::Ragged;

use super::*;
use crate::{About, Bundle, BundleModality, TrainedOn};

/// A small bundle with these words in its notes, so that each is another version.
fn bundle(folder: &Path, note: &str) -> PathBuf {
    let mut rows = Ragged::new(2);
    let has = |title: usize| title.is_multiple_of(2);
    for title in 0..40 {
        rows.push(&[if has(title) { 1.0 } else { -1.0 }, (title % 7) as f32], &[]);
    }
    let data = Dataset {
        titles: (0..40).map(|title| TitleId::new(&title.to_string())).collect(),
        genres: vec!["Drama".to_owned()],
        labels: (0..40).map(has).collect(),
        label_weights: None,
        modalities: vec![ModalityTable::new("numbers", Content::Rows(rows)).into()],
    };
    let config = LearnConfig {
        head: "logistic-regression".to_owned(),
        members: 2,
        ..LearnConfig::default()
    };
    let context = FitContext {
        device: DeviceChoice::Cpu,
        seed: Seed(1),
        inner_folds: &[],
        progress: &NoProgress,
        interrupt: &Interrupt::default(),
        parts: None,
    };
    let all: Vec<usize> = (0..40).collect();
    let model = TrainedModel::fit(&data, &all, &all, &config, &context).unwrap();
    let about = BundleConfig {
        format: 0,
        cinetag: String::new(),
        name: "small".to_owned(),
        genres: Vocabulary::new(data.genres.clone()),
        modalities: vec![BundleModality {
            name: "numbers".to_owned(),
            settings: json!({}),
            made_by: extract::MadeBy::Encoder("0123456789abcdef".to_owned()),
            borrowed_from: None,
            min_stated: 0,
        }],
        catalog: CatalogSpec::new("films.csv"),
        trained_on: TrainedOn {
            catalog: "films.csv".to_owned(),
            catalog_sha256: Digest::of_bytes(b"films"),
            num_titles: 40,
            seed: 1,
            learn: json!({ "head": "logistic-regression" }),
            pinned_aside: false,
        },
        notes: vec![note.to_owned()],
        about: About::default(),
        files: BTreeMap::new(),
        models: BTreeMap::new(),
        prior: None,
    };
    let bundle = folder.join(note);
    Bundle::write(&bundle, about, &model, "card").unwrap();
    bundle
}

/// A home with three versions of `my`, none of them current.
fn home() -> (tempfile::TempDir, Versions, [Version; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let versions = Versions::of(&home, "my").unwrap();
    let added =
        ["one", "two", "three"].map(|note| versions.add(&bundle(folder.path(), note)).unwrap());
    (folder, versions, added)
}

fn approved() -> Grounds {
    Grounds { judged: None, approved_by: Some("mara".to_owned()) }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

/// The gate's report on two versions of which the new one has these decisions on titles that all have
/// the genre.
fn judged(from: &Version, to: &Version, decided: bool) -> Judged {
    let labels = Array2::from_shape_fn((200, 1), |(title, _)| title % 2 == 0);
    let right = labels.mapv(|label| if label { 0.9 } else { 0.1 });
    let decisions = labels.mapv(|label| label && decided);
    let genres = vec!["Drama".to_owned()];
    let digest = Digest::of_bytes(b"ids");
    let test =
        PinnedTest { labels: labels.view(), groups: Groups::default(), genres: &genres, digest };
    let old = Said { scores: right.view(), decisions: labels.view() };
    let new = Said { scores: right.view(), decisions: decisions.view() };
    let config = gate::GateConfig { num_resamples: 99, ..gate::GateConfig::new(Seed(1)) };
    let verdict = gate::judge(old, new, &test, &config);
    Judged { from: from.clone(), to: to.clone(), verdict }
}

#[track_caller]
fn refused<T: fmt::Debug>(result: Result<T, TagError>, kind: ErrorKind, words: &str) {
    let error = result.unwrap_err();
    assert!(error.kind() == kind && error.to_string().contains(words), "{error}");
    assert!(error.hint().is_some(), "no hint: {error}");
}

#[test]
fn a_bundle_goes_in_once_and_whole_and_is_found_by_its_name() {
    let (folder, versions, added) = home();
    let home = folder.path().join("home");
    assert_eq!(versions.list().unwrap().len(), 3);
    assert_eq!(versions.add(&folder.path().join("two")).unwrap(), added[1], "it is there");
    assert_eq!(versions.list().unwrap().len(), 3);
    assert_eq!(Versions::names(&home).unwrap(), ["my"]);
    refused(resolve(&home, "my"), ErrorKind::Usage, "no version of my is current");
    assert_eq!(resolve(&home, "other").unwrap(), None);
    assert_eq!(resolve(&home, "../home/my").unwrap(), None);
    let by_digits = resolve(&home, &format!("my@{}", &added[2].as_str()[..6])).unwrap().unwrap();
    let loaded = Bundle::load(&by_digits, DeviceChoice::Cpu).unwrap();
    assert_eq!(Version::of(&loaded.digest), added[2]);
    assert_eq!(fs::read(by_digits.join("README.md")).unwrap(), b"card");
    refused(versions.find("abc"), ErrorKind::Usage, "0 versions of my begin with");
    refused(Versions::of(&home, "a@b"), ErrorKind::Usage, "is no name");
    refused(Versions::of(&home, "../my"), ErrorKind::Usage, "is no name");
    // What is no bundle leaves nothing.
    fs::write(folder.path().join("one/model/model.json"), "{}").unwrap();
    let other = Versions::of(&home, "other").unwrap();
    assert!(other.add(&folder.path().join("one")).is_err());
    assert!(!home.join("other").exists());
    refused(
        other.promote(&added[0], &approved(), now()),
        ErrorKind::Usage,
        "no bundle called other",
    );
}

#[test]
fn a_version_becomes_current_on_the_gates_report_or_on_somebodys_word() {
    let (_folder, versions, [one, two, three]) = home();
    let promote = |version: &Version, judged: Option<Judged>, who: Option<&str>| {
        let grounds = Grounds { judged, approved_by: who.map(str::to_owned) };
        versions.promote(version, &grounds, now())
    };
    refused(promote(&one, None, None), ErrorKind::Input, "could be compared with");
    assert_eq!(promote(&one, None, Some("mara")).unwrap(), None);
    refused(promote(&two, None, None), ErrorKind::Input, "nothing says that");
    // A report on others, or on these the other way round, says nothing.
    for (from, to) in [(&three, &two), (&two, &one), (&one, &three)] {
        let stale = Some(judged(from, to, true));
        refused(promote(&two, stale, Some("mara")), ErrorKind::Input, "the report is on");
    }
    let worse = || Some(judged(&one, &two, false));
    refused(promote(&two, worse(), None), ErrorKind::Input, "micro F1 is worse");
    assert_eq!(versions.current().unwrap().unwrap(), one);
    assert_eq!(promote(&two, Some(judged(&one, &two, true)), None).unwrap(), Some(one.clone()));
    assert_eq!(promote(&two, None, None).unwrap(), Some(two.clone()), "it is current");
    promote(&three, Some(judged(&two, &three, false)), Some("mara")).unwrap();
    let history = versions.history().unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|event| (event.who.as_deref(), event.verdict.as_ref().map(|v| v.outcome)))
        .collect();
    let expected = [
        (Some("mara"), None),
        (None, Some(Outcome::Promote)),
        (Some("mara"), Some(Outcome::Refuse)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn rollback_goes_back_step_by_step() {
    let (folder, versions, [one, two, three]) = home();
    let home = folder.path().join("home");
    for version in [&one, &two, &three] {
        versions.promote(version, &approved(), now()).unwrap();
    }
    assert_eq!(versions.rollback("mara", now()).unwrap(), (three.clone(), two.clone()));
    assert_eq!(resolve(&home, "my").unwrap(), Some(versions.folder_of(&two)));
    assert_eq!(versions.rollback("mara", now()).unwrap(), (two, one.clone()));
    refused(versions.rollback("mara", now()), ErrorKind::Usage, "no other version");
    versions.promote(&three, &approved(), now()).unwrap();
    // A version that somebody changed does not become current again.
    fs::write(versions.folder_of(&one).join("bundle.json"), "{}").unwrap();
    refused(versions.rollback("mara", now()), ErrorKind::Damaged, "is not what was published");
    assert_eq!(versions.current().unwrap(), Some(three));
}

/// What a process that was killed between any two steps leaves behind.
#[test]
fn a_kill_between_any_two_steps_leaves_the_former_version() {
    let (folder, versions, [one, two, three]) = home();
    let home = folder.path().join("home");
    versions.promote(&one, &approved(), now()).unwrap();
    versions.promote(&two, &approved(), now()).unwrap();
    let at = |name: &str| home.join("my").join(name);
    let before = fs::read(at(CURRENT)).unwrap();
    // After the history, before `current`: and after a part of a line of the history.
    versions.promote(&three, &approved(), now()).unwrap();
    fs::write(at(CURRENT), &before).unwrap();
    let mut history = fs::read(at(HISTORY)).unwrap();
    history.extend(b"{\"at\":\"2023-11-14T2");
    fs::write(at(HISTORY), history).unwrap();
    // Drafts of all kinds, one of them a half-copied bundle.
    fs::create_dir(at("versions/.tmp-abc")).unwrap();
    fs::write(at("versions/.tmp-abc/bundle.json"), "{\"form").unwrap();
    fs::write(at(".tmp-xyz"), "0123").unwrap();
    fs::write(at(".lock"), "").unwrap();
    assert_eq!(resolve(&home, "my").unwrap(), Some(versions.folder_of(&two)));
    assert_eq!(versions.list().unwrap().len(), 3);
    assert_eq!(versions.history().unwrap().len(), 3);
    assert_eq!(versions.rollback("mara", now()).unwrap(), (two, one), "not what never was");
    versions.promote(&three, &approved(), now()).unwrap();
    assert_eq!(versions.history().unwrap().len(), 5);
    versions.add(&folder.path().join("one")).unwrap();
    assert!(!at("versions/.tmp-abc").exists(), "what was begun is cleared away");
}

#[test]
fn nobody_changes_anything_while_somebody_does() {
    let (folder, versions, [one, two, _]) = home();
    versions.promote(&one, &approved(), now()).unwrap();
    let lock = versions.lock().unwrap();
    refused(versions.promote(&two, &approved(), now()), ErrorKind::Busy, "another process");
    refused(versions.rollback("mara", now()), ErrorKind::Busy, "another process");
    refused(versions.add(&folder.path().join("one")), ErrorKind::Busy, "another process");
    assert_eq!(versions.current().unwrap(), Some(one), "reading needs no lock");
    drop(lock);
    versions.promote(&two, &approved(), now()).unwrap();
}

#[test]
fn what_somebody_wrote_into_the_files_is_told() {
    let (folder, versions, [one, ..]) = home();
    let home = folder.path().join("home");
    versions.promote(&one, &approved(), now()).unwrap();
    fs::write(home.join("my/current"), "nonsense\n").unwrap();
    refused(resolve(&home, "my"), ErrorKind::Damaged, "not a version");
    fs::write(home.join("my/current"), format!("{one}\n")).unwrap();
    fs::write(home.join("my/history.jsonl"), "{}\n").unwrap();
    refused(versions.history(), ErrorKind::Damaged, "history.jsonl:1");
}
