//! One's own bundles: kept, promoted on the gate's report or on somebody's word, taken back, and found by
//! `cinetag tag`.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use cinetag::{
    base::{Digest, Seed, json},
    eval::{GateConfig, Groups, PinnedTest, gate::judge, pinned::is_pinned, significance::Said},
    tag::{Judged, Version, Versions},
};
use ndarray::Array2;
use serde_json::Value;

use super::{cinetag, exit_codes::inputs, text};

pub(super) fn run(folder: &Path, words: &str) -> Output {
    let words: Vec<&str> = words.split(' ').collect();
    cinetag(&words, folder)
}

#[track_caller]
pub(super) fn done(folder: &Path, words: &str) -> String {
    let output = run(folder, words);
    assert!(output.status.success(), "{words}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What is said, by lines and by the hint.
#[track_caller]
pub(super) fn refused(folder: &Path, words: &str, code: i32, said: &[&str]) {
    let output = run(folder, words);
    let found = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words}: {found}");
    assert!(found.contains("hint:") && said.iter().all(|said| found.contains(said)), "{found}");
}

/// Two versions of `films`, none of them current.
fn two_versions(folder: &Path) -> [String; 2] {
    inputs(folder);
    [1, 2].map(|seed| {
        let set = format!("--set run.seed={seed} --set run.folder=runs/{seed}");
        done(folder, &format!("run whole.toml {set}"));
        let added = done(folder, &format!("bundle add films runs/{seed}/bundle"));
        added.trim().strip_prefix("films@").unwrap().to_owned()
    })
}

/// The gate's report on two versions; the new one finds the genre, or nothing.
fn report(folder: &Path, from: &str, to: &str, finds: bool) -> String {
    let labels = Array2::from_shape_fn((200, 1), |(title, _)| title % 2 == 0);
    let scores = labels.mapv(|label| if label { 0.9 } else { 0.1 });
    let found = labels.mapv(|label| label && finds);
    let genres = ["Drama".to_owned()];
    let (groups, digest) = (Groups::default(), Digest::of_bytes(b"ids"));
    let test = PinnedTest { labels: labels.view(), groups, genres: &genres, digest };
    let [old, new] =
        [&labels, &found].map(|tags| Said { scores: scores.view(), decisions: tags.view() });
    let verdict = judge(old, new, &test, &GateConfig::new(Seed(1)));
    let [from, to] = [from, to].map(|version| version.parse::<Version>().unwrap());
    let name = format!("report-{from}-{finds}.json");
    let judged = Judged { from, to, verdict };
    fs::write(folder.join(&name), json::pretty(&judged)).unwrap();
    name
}

fn current(folder: &Path) -> Option<String> {
    let lines = done(folder, "bundle list films --json");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let current = lines.iter().find(|line| line["current"] == true)?;
    assert!(current["titles"] == 36 && current["since"].is_string(), "{current}");
    current["version"].as_str().map(str::to_owned)
}

#[test]
fn a_bundle_goes_from_its_name_to_tags_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [one, two] = two_versions(folder);
    let tags =
        |bundle: &str| done(folder, &format!("tag films.csv --store store --bundle {bundle}"));
    refused(folder, "tag films.csv --bundle films", 2, &["no version of films is current"]);
    refused(folder, &format!("bundle promote films {one}"), 1, &["--approve WHO"]);
    done(folder, &format!("bundle promote films {one} --approve mara"));
    assert_eq!(current(folder).unwrap(), one);
    let model = |tags: &str| {
        let line: Value = serde_json::from_str(tags.lines().next().unwrap()).unwrap();
        line["model"].as_str().unwrap().to_owned()
    };
    assert_eq!(model(&tags("films")), model(&tags("runs/1/bundle")));
    assert!(model(&tags("films")).ends_with(&one));
    assert!(model(&tags(&format!("films@{}", &two[..6]))).ends_with(&two), "by its digits");

    // The gate: of these two, and not of what it does not promote.
    let worse = report(folder, &one, &two, false);
    let promote = format!("bundle promote films {two} --report");
    refused(folder, &format!("{promote} {worse}"), 1, &["(refuse)", "micro F1 is worse"]);
    let other = report(folder, &two, &one, true);
    refused(folder, &format!("{promote} {other}"), 1, &["the report is on"]);
    refused(folder, &format!("{promote} films.csv"), 2, &["is no report of the gate"]);
    assert_eq!(current(folder).unwrap(), one);
    let fine = report(folder, &one, &two, true);
    done(folder, &format!("{promote} {fine}"));
    assert!(model(&tags("films")).ends_with(&two));

    let history = done(folder, "bundle list films --history");
    assert!(history.contains("by mara") && history.contains("gate: promote"), "{history}");
    done(folder, "bundle rollback films --by mara");
    assert_eq!(current(folder).unwrap(), one);
    refused(folder, "bundle rollback films", 2, &["no other version"]);
    // A misspelt name is told among one's own.
    refused(folder, "tag films.csv --bundle flims", 2, &["did you mean `films`?"]);
}

/// Killed as soon as the history has the switch, or as soon as it takes effect: what is current is whole, and
/// nothing is current that the history does not have.
#[test]
fn who_is_killed_while_a_version_becomes_current_leaves_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [one, two] = two_versions(folder);
    done(folder, &format!("bundle promote films {one} --approve mara"));
    let home = folder.join("bundles");
    let versions = Versions::of(&home, "films").unwrap();
    let mut num_former = 0;
    for round in 0..12 {
        let before = versions.current().unwrap().unwrap();
        let to = if before.as_str() == one { &two } else { &one };
        let history = versions.history().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_cinetag"))
            .args(["bundle", "promote", "films", to, "--approve", "mara", "--home"])
            .arg(&home)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let is_seen = || match round % 2 {
            0 => versions.history().unwrap() != history,
            _ => versions.current().unwrap().as_ref() != Some(&before),
        };
        while !is_seen() && child.try_wait().unwrap().is_none() {}
        child.kill().unwrap();
        child.wait().unwrap();
        let after = versions.current().unwrap().unwrap();
        assert!(after == before || after.as_str() == to, "{after}");
        num_former += usize::from(after == before);
        assert_eq!(current(folder).unwrap(), after.as_str());
        assert_eq!(versions.history().unwrap().len(), history.len() + 1);
    }
    println!("killed before it took effect: {num_former} of 12");
    // Whatever happened, the next ones come through.
    let to = if versions.current().unwrap().unwrap().as_str() == one { &two } else { &one };
    done(folder, &format!("bundle promote films {to} --approve mara"));
    let before = versions.current().unwrap().unwrap();
    done(folder, "bundle rollback films --by mara");
    assert_ne!(versions.current().unwrap().unwrap(), before);
}

/// Films like those trained on, with other ids.
fn kept_aside(folder: &Path, num: usize) -> String {
    let mut films = "id,title,year,language,genres\n".to_owned();
    for n in 0..num {
        let (language, genre) = [("en", "Drama"), ("fr", "Comedy"), ("de", "War")][n % 3];
        let both = if n % 5 == 0 { "|Crime" } else { "" };
        writeln!(films, "a{n},Other {n},{},{language},{genre}{both}", 1960 + n % 60).unwrap();
    }
    let name = format!("aside-{num}.csv");
    fs::write(folder.join(&name), films).unwrap();
    name
}

#[test]
fn a_version_is_judged_on_titles_that_were_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [one, two] = two_versions(folder);
    let (few, many) = (kept_aside(folder, 40), kept_aside(folder, 300));
    let judge = format!("bundle judge films {two} --store store --on");
    refused(folder, &format!("{judge} {few}"), 2, &["nothing to judge by"]);
    done(folder, &format!("bundle promote films {one} --approve mara"));
    refused(folder, &format!("{judge} films.csv"), 2, &["was trained on these titles"]);
    fs::write(folder.join("bare.csv"), "id,title,year\nb,Bare,1999\n").unwrap();
    refused(folder, &format!("{judge} bare.csv"), 2, &["no title states genres"]);

    let promote = format!("bundle promote films {two} --report gate.json");
    assert_eq!(done(folder, &format!("{judge} {few} --report gate.json")), "undecided\n");
    refused(folder, &promote, 1, &["(undecided)"]);
    assert_eq!(done(folder, &format!("{judge} {many} --report gate.json")), "promote\n");
    let report: Value =
        serde_json::from_slice(&fs::read(folder.join("gate.json")).unwrap()).unwrap();
    assert_eq!((&report["from"], &report["to"]), (&one.as_str().into(), &two.as_str().into()));
    assert_eq!(report["verdict"]["num_titles"], 300);
    done(folder, &promote);
    assert_eq!(current(folder).unwrap(), two);
}

#[test]
fn pinned_titles_of_the_same_catalog_are_judged_on_and_never_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    inputs(folder);
    let whole = fs::read_to_string(folder.join("whole.toml")).unwrap();
    let aside = whole.replace("kind = \"train\"\n", "kind = \"train\"\npinned_aside = true\n");
    assert_ne!(whole, aside);
    fs::write(folder.join("aside.toml"), aside).unwrap();
    let versions = [1, 2].map(|seed| {
        let set = format!("--set run.seed={seed} --set run.folder=runs/{seed}");
        done(folder, &format!("run aside.toml {set}"));
        done(folder, &format!("bundle add own runs/{seed}/bundle"))
    });
    let [one, two] = versions.map(|added| added.trim().strip_prefix("own@").unwrap().to_owned());
    done(folder, &format!("bundle promote own {one} --approve mara"));
    let judge = format!("bundle judge own {two} --store store --on films.csv --report gate.json");
    assert_eq!(done(folder, &judge), "undecided\n");
    let report: Value =
        serde_json::from_slice(&fs::read(folder.join("gate.json")).unwrap()).unwrap();
    let num_pinned = (0..36).filter(|n| is_pinned(&format!("t{n}"))).count();
    assert!(num_pinned > 0);
    assert_eq!(report["verdict"]["num_titles"], num_pinned);
    let line = done(folder, "bundle list own --json");
    let line: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    assert_eq!(line["titles"], 36 - num_pinned);
}
