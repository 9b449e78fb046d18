//! The whole way on the demo library, with the real program, networks and files.
//!
//! Needs the pretrained weights (`cinetag models pull`). Without them the tests say so and
//! pass, but fail where `CI` is set.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // it is a test

mod archive;
mod examples;
mod shipped;
mod speech;
mod together;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::Duration,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_cinetag");

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cinetag(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    // The moment that is written with tags: equal runs are to give equal files.
    command.env("SOURCE_DATE_EPOCH", "1700000000");
    command.args(args).current_dir(repository());
    command
}

fn run(args: &[&str]) -> Output {
    let output = cinetag(args).output().unwrap();
    assert!(
        output.status.success(),
        "cinetag {args:?} gave {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// What `pipelines/demo.toml` needs.
const WEIGHTS: &[&str] =
    &["all-minilm-l6-v2", "efficientnet-lite0", "whisper-tiny.en", "fireredvad-aed"];

fn weights_are_here(names: &[&str]) -> bool {
    let verify = cinetag(&["models", "verify"]).args(names).output().unwrap();
    if verify.status.success() {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "pretrained weights are not here: run `cinetag models pull`"
    );
    println!("pretrained weights are not here (`cinetag models pull`): not tested");
    false
}

/// The demo pipeline in a small, in folders of its own below `folder`.
struct Demo {
    folder: PathBuf,
    overrides: Vec<String>,
}

impl Demo {
    fn new(folder: &Path, library: &Path, titles: usize) -> Self {
        // What a path leads through is there: cinetag makes no folders on the way.
        fs::create_dir_all(folder).unwrap();
        let overrides = vec![
            format!("run.folder={}", folder.join("run").display()),
            format!("run.store={}", folder.join("store").display()),
            format!("catalog.path={}", library.join("movies.csv").display()),
            format!("stage.library.folder={}", library.display()),
            format!("stage.library.titles={titles}"),
            "stage.folds.folds=2".to_owned(),
            "stage.evaluation.alone=branch".to_owned(),
            "stage.evaluation.resamples=20".to_owned(),
            "modality.frames.max_frames=4".to_owned(),
            "learn.members=2".to_owned(),
            "learn.epochs=4".to_owned(),
            "extract.shard_titles=2".to_owned(),
        ];
        Self { folder: folder.to_owned(), overrides }
    }

    fn args<'a>(&'a self, command: &'a str) -> Vec<&'a str> {
        let mut args = vec![command, "pipelines/demo.toml"];
        for one in &self.overrides {
            args.extend(["--set", one]);
        }
        args
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join("run").join(name)).unwrap()
    }
}

#[test]
fn the_demo_runs_once_and_equal_after_kills() {
    if !weights_are_here(WEIGHTS) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let library = scratch.path().join("library");
    let whole = Demo::new(&scratch.path().join("whole"), &library, 12);
    let first = run(&whole.args("run"));
    let said = String::from_utf8_lossy(&first.stderr);
    assert!(said.contains("12 synthetic titles"), "{said}");
    assert!(!said.contains("nothing to be done"), "{said}");
    for name in ["report.html", "metrics.json", "tags.csv", "bundle/README.md"] {
        assert!(!whole.file(name).is_empty(), "{name}");
    }
    let tags = String::from_utf8(whole.file("tags.jsonl")).unwrap();
    assert!(tags.lines().count() >= 1);

    // A second run does nothing and says so; so does a dry run.
    let lock = whole.file("lock.json");
    let second = run(&whole.args("run"));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("nothing to be done"), "{said}");
    assert_eq!(whole.file("lock.json"), lock);
    let mut dry = whole.args("run");
    dry.push("--dry-run");
    let plan = String::from_utf8(run(&dry).stdout).unwrap();
    assert!(plan.lines().all(|line| line.ends_with("fresh")), "{plan}");

    // Another seed makes the head anew, but not the features.
    let mut other = whole.args("run");
    other.extend(["--set", "learn.epochs=5", "--dry-run"]);
    let plan = String::from_utf8(run(&other).stdout).unwrap();
    let line = |name: &str| plan.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("features").ends_with("fresh"), "{plan}");
    assert!(line("evaluation").contains("learn settings"), "{plan}");

    // Where no weights are the store is enough: the same again, elsewhere.
    let mut bare = Demo::new(&scratch.path().join("bare"), &library, 12);
    let nowhere = format!("run.weights={}", scratch.path().join("no-weights").display());
    let store = format!("run.store={}", scratch.path().join("whole/store").display());
    bare.overrides.extend([nowhere, store]);
    run(&bare.args("run"));
    for name in ["tags.jsonl", "tags.csv", "metrics.json", "evaluation.json", "bundle/bundle.json"]
    {
        assert_eq!(bare.file(name), whole.file(name), "{name} differs without weights");
    }

    // For machines: a line for each title.
    let logged = Demo::new(&scratch.path().join("logged"), &library, 12);
    let mut args = logged.args("extract");
    args.extend(["--log-format", "json"]);
    let said = String::from_utf8(run(&args).stderr).unwrap();
    let lines: Vec<serde_json::Value> = said
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["fields"]["message"] == "title")
        .collect();
    assert_eq!(lines.len(), 12, "{said}");
    for line in lines {
        let outcome = line["fields"]["outcome"].as_str().unwrap();
        assert!(outcome.contains("poster=") && line["fields"]["secs"].is_number(), "{line}");
    }

    // Killed at several moments of the extraction, then run to its end.
    let killed = Demo::new(&scratch.path().join("killed"), &library, 12);
    for millis in [350, 900, 1700] {
        let mut child = cinetag(&killed.args("run"))
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Not a wait for something to happen: the moment of the kill is the test.
        thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run(&killed.args("run"));
    let store = killed.folder.join("store");
    run(&["store", "verify", "--store", &store.display().to_string()]);
    for name in ["tags.jsonl", "tags.csv", "metrics.json", "evaluation.json", "features.json"] {
        assert_eq!(killed.file(name), whole.file(name), "{name} differs after kills");
    }
}

#[test]
fn a_bundle_tags_films_and_refuses_other_encoders() {
    if !weights_are_here(WEIGHTS) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let library = scratch.path().join("library");
    let demo = Demo::new(&scratch.path().join("demo"), &library, 10);
    run(&demo.args("train"));
    let bundle = demo.folder.join("run/bundle").display().to_string();
    let store = scratch.path().join("tags-store").display().to_string();

    let out = scratch.path().join("tags.jsonl").display().to_string();
    let trailers = library.join("trailers").display().to_string();
    run(&["tag", &trailers, "--bundle", &bundle, "--store", &store, "--out", &out]);
    let first = fs::read(&out).unwrap();
    run(&["tag", &trailers, "--bundle", &bundle, "--store", &store, "--out", &out]);
    assert_eq!(fs::read(&out).unwrap(), first, "the same titles get the same tags");
    for line in String::from_utf8(first).unwrap().lines() {
        let tags: serde_json::Value = serde_json::from_str(line).unwrap();
        for score in tags["scores"].as_array().unwrap() {
            let parts = score["contributions"].as_object().unwrap().values();
            let sum: f64 = parts.map(|part| part.as_f64().unwrap()).sum();
            let logit = sum + score["base"].as_f64().unwrap();
            let probability = score["probability"].as_f64().unwrap();
            assert!((1.0 / (1.0 + (-logit).exp()) - probability).abs() < 1e-5, "{line}");
        }
    }

    // The three open films go through every stage, sound included.
    let films = std::env::var_os("CINETAG_SHARED_DATA")
        .map_or_else(|| repository().join("../shared/data"), PathBuf::from)
        .join("demo_open/movies.csv");
    if films.exists() {
        let films = films.display().to_string();
        let output = run(&["tag", &films, "--bundle", &bundle, "--store", &store]);
        let lines = String::from_utf8(output.stdout).unwrap();
        assert_eq!(lines.lines().count(), 3);
        for line in lines.lines() {
            let tags: serde_json::Value = serde_json::from_str(line).unwrap();
            // Hardly anything is said in these trailers.
            let missing = tags.get("missing").and_then(|missing| missing.as_object());
            let missing: Vec<&String> = missing.into_iter().flat_map(|m| m.keys()).collect();
            assert!(
                missing.is_empty() || missing == ["speech"],
                "every other modality of {} is there: {line}",
                tags["id"]
            );
            assert_eq!(tags["moments"].as_object().unwrap().len(), 2, "{line}");
        }
    } else {
        println!("no shared data: the open films were not tagged");
    }

    // A bundle that names another encoder is refused with a mend.
    let config = demo.folder.join("run/bundle/bundle.json");
    let text = fs::read_to_string(&config).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fingerprint = parsed["modalities"][0]["made_by"].as_str().unwrap();
    fs::write(&config, text.replace(fingerprint, "0123456789abcdef")).unwrap();
    let refused = cinetag(&["tag", &trailers, "--bundle", &bundle]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("0123456789abcdef") && said.contains("hint:"), "{said}");
}

#[test]
fn studies_run_on_cached_features_and_go_on_where_they_stopped() {
    if !weights_are_here(WEIGHTS) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let library = scratch.path().join("library");
    let mut demo = Demo::new(&scratch.path().join("demo"), &library, 15);
    demo.overrides.push("stage.folds.folds=3".to_owned());
    run(&demo.args("train"));

    // Three systems, one seed, three folds, and the same head fed zeros.
    let mut ablate = demo.args("ablate");
    ablate.extend(["--seeds", "1", "--resamples", "20", "--quick", "--dropped", "0.5"]);
    ablate.extend(["--without", "poster", "--without", "metadata"]);
    let first = run(&ablate);
    let said = String::from_utf8_lossy(&first.stderr);
    assert!(said.contains("12 of 12 cells trained now"), "{said}");
    assert!(String::from_utf8(first.stdout).unwrap().trim().ends_with("ablation.html"));
    let figures = demo.file("ablation.json");
    let again = run(&ablate);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("0 of 12 cells trained now"), "{said}");
    assert_eq!(demo.file("ablation.json"), figures);
    let systems = String::from_utf8(demo.file("ablation-systems.csv")).unwrap();
    assert_eq!(systems.lines().count(), 1 + 3, "{systems}");

    // A run is as good as itself, and is not compared with one on other folds.
    let own = demo.folder.join("run").display().to_string();
    let same = run(&["compare", &own, &own, "--resamples", "20", "--json"]);
    let same: serde_json::Value = serde_json::from_slice(&same.stdout).unwrap();
    assert_eq!(same["runs"][1]["gain"]["map"]["randomisation_p"], 1.0);
    let mut other = Demo::new(&scratch.path().join("other"), &library, 15);
    other.overrides.push(format!("run.store={}", demo.folder.join("store").display()));
    run(&other.args("evaluate"));
    let other = other.folder.join("run").display().to_string();
    let refused = cinetag(&["compare", &own, &other]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert_eq!(said.matches("on split ").count(), 2, "{said}");

    // Contributions sum to the log-odds; the words are the plot's.
    let catalog = fs::read_to_string(library.join("movies.csv")).unwrap();
    let id = catalog.lines().nth(1).unwrap().split(',').next().unwrap();
    let mut explain = demo.args("explain");
    explain.extend([id, "--json"]);
    let why: serde_json::Value = serde_json::from_slice(&run(&explain).stdout).unwrap();
    for score in why["scores"].as_array().unwrap() {
        let parts = score["contributions"].as_object().unwrap().values();
        let sum: f64 = parts.map(|part| part.as_f64().unwrap()).sum();
        let logit = sum + score["base"].as_f64().unwrap();
        let probability = score["probability"].as_f64().unwrap();
        assert!((1.0 / (1.0 + (-logit).exp()) - probability).abs() < 1e-5, "{score}");
    }
    for words in why["words"].as_object().unwrap().values() {
        let word = words[0]["word"].as_str().unwrap();
        assert!(catalog.contains(word), "{word}");
    }
    assert!(!why["words"].as_object().unwrap().is_empty(), "{why}");

    // A search writes a pipeline that runs.
    let space = scratch.path().join("space.toml");
    let text = "method = \"random\"\ntrials = 2\n[space]\nhidden = [8, 16]\n";
    fs::write(&space, text).unwrap();
    let space = space.display().to_string();
    let mut tune = demo.args("tune");
    tune.extend(["--space", &space]);
    let tuned = String::from_utf8(run(&tune).stdout).unwrap();
    let plan = run(&["run", tuned.trim(), "--dry-run"]);
    assert!(String::from_utf8(plan.stdout).unwrap().contains("evaluation"));
}

#[test]
fn a_network_finds_the_shots_between_two_looks_at_a_film() {
    if !weights_are_here(&[WEIGHTS, &["transnetv2"]].concat()) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let demo = Demo::new(scratch.path(), &scratch.path().join("library"), 2);
    let mut args = demo.args("extract");
    let by_network = ["modality.frames.sampling=shots", "modality.frames.detector=transnetv2"];
    args.extend(by_network.iter().flat_map(|set| ["--set", set]));
    args.extend(["--log-format", "json"]);
    let said = String::from_utf8(run(&args).stderr).unwrap();
    let outcomes: Vec<&str> =
        said.lines().filter_map(|line| line.split_once("\"outcome\":\"")).map(|(_, o)| o).collect();
    assert_eq!(outcomes.len(), 2, "{said}");
    // One of the two has no trailer.
    let with_frames = outcomes.iter().filter(|outcome| outcome.starts_with("frames=computed"));
    assert_eq!(with_frames.count(), 1, "{said}");
}

/// The command lines of the README: indented lines that begin with the program's name.
fn readme_commands() -> Vec<Vec<String>> {
    let text = fs::read_to_string(repository().join("README.md")).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("    cinetag "))
        .map(|line| line.split(" #").next().unwrap().trim())
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// A library under the names that the README uses: `films.csv` and `trailers/` are the demo
/// library's, `films/movies.csv` has enough titles of each genre for `pipelines/movies.toml`.
fn lay_out_the_readmes_folder(folder: &Path, library: &Path) {
    std::os::unix::fs::symlink(repository().join("pipelines"), folder.join("pipelines")).unwrap();
    std::os::unix::fs::symlink(library.join("trailers"), folder.join("trailers")).unwrap();
    std::os::unix::fs::symlink(library.join("posters"), folder.join("posters")).unwrap();
    fs::copy(library.join("movies.csv"), folder.join("films.csv")).unwrap();

    let genres = ["Drama", "Comedy", "Western"];
    let words = [
        ["grief", "letters", "winter"],
        ["wedding", "pranks", "uncle"],
        ["saddle", "sheriff", "dust"],
    ];
    let mut catalog = String::from(
        "imdb_id,title,year,genres,plot,language,country,runtime_min,mpaa,director,writer,actors,group,fold\n",
    );
    for idx in 0..210 {
        let genre = idx % 3;
        let [a, b, c] = words[genre];
        writeln!(
            catalog,
            "x{idx},Film {idx},{},{},\"A story of {a} and {b}, number {idx}, and of {c}.\",English,USA,{},R,\
             Nobody {},Nobody Else,\"A. One, B. Two\",g{idx},{}",
            1980 + idx % 40,
            genres[genre],
            80 + idx % 50,
            idx % 7,
            idx % 5,
        )
        .unwrap();
    }
    fs::create_dir(folder.join("films")).unwrap();
    // A media library of the films that the demo's bundle knows.
    let mut demo = csv::Reader::from_path(library.join("movies.csv")).unwrap();
    for row in demo.deserialize::<std::collections::BTreeMap<String, String>>() {
        let row = row.unwrap();
        let film = folder.join(format!("films/{} ({})", row["title"], row["year"]));
        fs::create_dir_all(&film).unwrap();
        let nfo = format!(
            "<movie>\n  <plot><![CDATA[{}]]></plot>\n  <director>{}</director>\n</movie>\n",
            row["plot"], row["director"]
        );
        fs::write(film.join("movie.nfo"), nfo).unwrap();
    }
    fs::write(folder.join("films/movies.csv"), catalog).unwrap();
}

#[test]
fn the_commands_of_the_readme_run() {
    if !weights_are_here(&[WEIGHTS, &["efficientnet-lite2"]].concat()) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let library = scratch.path().join("library");
    let demo = Demo::new(&scratch.path().join("runs/demo"), &library, 10);
    // `Demo` keeps its run in a folder of its own below that.
    let bundle_at = format!("run.folder={}", scratch.path().join("runs/demo").display());
    let mut args = demo.args("train");
    args.extend(["--set", &bundle_at]);
    run(&args);
    lay_out_the_readmes_folder(scratch.path(), &library);

    let mut commands = readme_commands();
    assert!(commands.len() >= 5, "{commands:?}");
    // A bundle is made before it is used; the order is else the README's.
    commands.sort_by_key(|words| words[0] == "tag");
    for words in commands {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words[0] == "run" {
            // Small numbers, for the test's sake.
            for small in [
                "learn.members=2",
                "learn.epochs=2",
                "stage.evaluation.resamples=20",
                "stage.evaluation.alone=branch",
            ] {
                words.extend(["--set", small]);
            }
        }
        let output =
            Command::new(PROGRAM).args(&words).current_dir(scratch.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cinetag {}: {}\n{said}", words.join(" "), output.status);
    }
    let tags = fs::read_to_string(scratch.path().join("tags.csv")).unwrap();
    assert!(tags.lines().count() > 1, "{tags}");
}
