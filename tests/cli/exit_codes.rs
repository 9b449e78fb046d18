//! What every command ends with, by the table in the README; that a failure is told in spite of
//! `-q`; and that `--log-format json` is JSON line by line.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{cinetag, subcommands, text};

/// Inputs of every kind that need no weights: a table of films, pipelines, a space to search.
pub(super) fn inputs(folder: &Path) {
    let file = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let mut films = "id,title,year,language,genres\n".to_owned();
    for n in 0..36 {
        let (language, genre) = [("en", "Drama"), ("fr", "Comedy"), ("de", "War")][n % 3];
        let both = if n % 5 == 0 { "|Crime" } else { "" };
        writeln!(films, "t{n},Film {n},{},{language},{genre}{both}", 1960 + n).unwrap();
    }
    fs::create_dir(folder.join("store")).unwrap();
    file("films.csv", &films);
    file("rows.csv", &format!("{films}t1,Again,1999,en,Drama\n"));
    file("said.csv", "title,genre,answer\nt1,War,no\nt2,Crime,unsure\n");
    file("odd-said.csv", "title,genre,answer\nt1,War,no\nnobody,War,no\nt2,War,perhaps\n");
    file("cells.csv", &format!("{films}t99,Too few\n"));
    let mut plots = "id,title,plot,genres\n".to_owned();
    for n in 0..12 {
        writeln!(plots, "t{n},Film {n},A man hunts {n} killers.,{}", ["Drama", "War"][n % 2])
            .unwrap();
    }
    file("plots.csv", &plots);
    let pipeline = |name: &str, catalog: &str, rest: &str| {
        let run =
            format!("[run]\nname = \"{name}\"\nfolder = \"runs/{name}\"\nstore = \"store\"\n");
        let learn = "[learn]\nhead = \"logistic-regression\"\nmembers = 2\n";
        file(
            &format!("{name}.toml"),
            &format!("{run}[catalog]\npath = \"{catalog}\"\n{learn}{rest}"),
        );
    };
    let stage =
        |kind: &str, more: &str| format!("[[stage]]\nname = \"{kind}\"\nkind = \"{kind}\"\n{more}");
    let folds = stage("split", "folds = 3\n");
    let columns =
        "[modality.metadata]\nnumbers = [\"year\"]\ncategories = [\"language\"]\npeople = []\n";
    let needs = "needs = [\"extract\", \"split\"]\n";
    let whole = [
        columns.to_owned(),
        stage("extract", ""),
        folds.clone(),
        stage("evaluate", &format!("{needs}resamples = 20\n")),
        stage("train", needs),
        stage("report", "needs = [\"evaluate\"]\n"),
    ];
    pipeline("whole", "films.csv", &whole.concat());
    pipeline("rows", "rows.csv", &folds);
    pipeline("absent", "nowhere.csv", &folds);
    pipeline("untrained", "films.csv", &whole.concat());
    let plot = format!("[modality.plot]\n{}{folds}{}", stage("extract", ""), stage("train", ""));
    pipeline("weights", "plots.csv", &plot);
    pipeline("typo", "films.csv", &folds.replace("\"split\"\nfolds", "\"spilt\"\nfolds"));
    file("space.toml", "trials = 2\n[space]\nc = { low = 1.0, high = 4.0 }\n");
    file("odd-space.toml", "trials = 2\n[space]\n\nhiden = [1, 2]\n");
}

/// Code, command.
const CASES: &[(i32, &str)] = &[
    (0, "run whole.toml"),
    (0, "run whole.toml --dry-run"),
    (0, "extract whole.toml"),
    (0, "train whole.toml"),
    (0, "evaluate whole.toml"),
    (0, "explain whole.toml t1"),
    (0, "ablate whole.toml --seeds 1 --resamples 20"),
    (0, "tune whole.toml --space space.toml"),
    (0, "compare runs/whole runs/whole --resamples 20"),
    (0, "tag films.csv --bundle runs/whole/bundle --store store"),
    (0, "bundle add own runs/whole/bundle"),
    (0, "bundle list"),
    (0, "bundle list own --history"),
    (0, "learn films.csv --prior runs/whole/bundle --store store"),
    (0, "learn films.csv --prior none --store store --out learned --no-figures"),
    (0, "learn films.csv --prior runs/whole/bundle --store store --as mine --no-figures"),
    (0, "refit mine"),
    (0, "catalog check films.csv"),
    (0, "catalog import kaggle films.csv --out imported"),
    (0, "catalog export films.csv --out exported --folds 3"),
    (0, "catalog sources"),
    (0, "feedback import said.csv --to films.csv --dry-run"),
    (0, "feedback import said.csv --to films.csv --who mara"),
    (0, "feedback export films.csv"),
    (0, "feedback export films.csv -o answers.jsonl --format jsonl"),
    (0, "models list"),
    (0, "models verify"),
    (0, "store ls --store store"),
    (0, "store verify --store store"),
    (0, "store failures --store store"),
    (0, "modalities"),
    (1, "run weights.toml"),
    (1, "extract weights.toml"),
    (1, "train weights.toml"),
    (1, "ablate weights.toml --seeds 1"),
    (1, "explain untrained.toml t1"),
    (1, "tag plots.csv --store store"),
    (1, "bundle add own nowhere"),
    (1, "models verify whisper-base"),
    (1, "models pull whisper-base --offline"),
    (1, "doctor --device metal"),
    (2, "run typo.toml"),
    (2, "run typo.toml --dry-run"),
    (2, "run absent.toml"),
    (2, "run absent.toml --dry-run"),
    (2, "run whole.toml --set learn.head=stakcing"),
    (2, "run whole.toml --force trian"),
    (2, "extract typo.toml"),
    (2, "extract whole.toml --retry-failed --reason tiemout"),
    (2, "train whole.toml --precision 2"),
    (2, "train typo.toml"),
    (2, "evaluate rows.toml"),
    (2, "explain whole.toml nobody"),
    (2, "ablate whole.toml --heads stakcing"),
    (2, "ablate whole.toml --without psoter"),
    (2, "tune whole.toml --space odd-space.toml"),
    (2, "tune whole.toml --space nowhere.toml"),
    (2, "tune whole.toml --space space.toml --outer-fold 3"),
    (2, "compare runs/whole runs/nowhere"),
    (2, "tag nowhere.csv"),
    (2, "tag films.csv --bundle plots-opne"),
    (2, "tag films.csv --id-column nmae"),
    (2, "tag films.csv --format jsnol"),
    (2, "tag undo last ."),
    (2, "tag films.csv --bundle own"),
    (2, "bundle list nobody"),
    (2, "bundle add own/er runs/whole/bundle"),
    (2, "bundle judge own 0000 --on films.csv"),
    (2, "bundle promote own 0000"),
    (2, "bundle promote own 0000 --report nowhere.json"),
    (2, "bundle rollback own"),
    (2, "learn nowhere.csv"),
    (2, "learn films.csv --prior plots-opne"),
    (2, "refit nobody"),
    (2, "refit own"),
    (2, "catalog check nowhere.csv"),
    (2, "catalog check rows.csv"),
    (2, "catalog import kagle films.csv --out imported"),
    (2, "catalog export nowhere.csv --out exported"),
    (2, "feedback import nowhere.csv --to films.csv"),
    (2, "feedback import films.csv --to nowhere.csv"),
    (2, "feedback export nowhere.csv"),
    (2, "models pull whisper-bas"),
    (2, "models verify whisper-bas"),
    (2, "store ls --store nowhere"),
    (2, "store verify --store nowhere"),
    (2, "store failures --store store --reason tiemout"),
    (2, "dance"),
    // Also where every stage is fresh: the row is still left out.
    (3, "run rows.toml"),
    (3, "tag rows.csv --bundle runs/whole/bundle --store store"),
    (3, "tag cells.csv --bundle runs/whole/bundle --store store"),
    (3, "catalog import kaggle cells.csv --out partly"),
    (3, "catalog export rows.csv --out exported --folds 3"),
    (3, "feedback import odd-said.csv --to films.csv"),
];

#[test]
fn every_command_ends_as_the_table_says_and_tells_why() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let mut wrong = Vec::new();
    for (code, command) in CASES {
        let words: Vec<&str> = command.split(' ').collect();
        for flags in [&[][..], &["-q"], &["--log-format", "json"], &["-q", "--log-format=json"]] {
            let output = cinetag(&[&words, flags].concat(), folder.path());
            let (found, said) = (output.status.code().unwrap(), text(&output.stderr));
            let is_quiet = flags.contains(&"-q");
            let mut amiss = |what: &str| {
                wrong.push(format!(
                    "{command} {}: {what}, exit code {found}\n{said}",
                    flags.join(" ")
                ));
            };
            if found != *code {
                amiss(&format!("expected {code}"));
            } else if found != 0 && said.trim().is_empty() {
                amiss("nothing is said");
            } else if found == 0 && is_quiet && !said.is_empty() {
                amiss("words though nothing failed");
            } else if flags.len() > usize::from(is_quiet) {
                let lines: Result<Vec<Value>, _> = said.lines().map(serde_json::from_str).collect();
                match lines {
                    Err(error) => amiss(&format!("no JSON line by line: {error}")),
                    Ok(lines) => {
                        let is_line = |line: &Value| line["fields"]["message"].is_string();
                        let is_error = |line: &Value| line["level"] == "ERROR";
                        if !lines.iter().all(is_line) || (found != 0) != lines.iter().any(is_error)
                        {
                            amiss("lines of another kind");
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The commands by their help; none may be missing in the table.
#[test]
fn no_command_is_without_a_line_in_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let help =
        |words: &[&str]| text(&cinetag(&[words, &["--help"]].concat(), folder.path()).stdout);
    for name in subcommands(&help(&[])) {
        let inner = match name.as_str() {
            // Its own paths stand before its subcommand.
            "tag" => vec![String::new(), " undo".to_owned()],
            name => subcommands(&help(&[name])).iter().map(|inner| format!(" {inner}")).collect(),
        };
        let inner = if inner.is_empty() { vec![String::new()] } else { inner };
        for inner in inner {
            let command = format!("{name}{inner}");
            let is_there = CASES.iter().any(|(_, case)| case.starts_with(&command));
            assert!(is_there, "{command} has no line in the table of exit codes");
            // A flag that nobody knows, as the last word of all commands, is a usage error.
            let words: Vec<&str> = command.split(' ').chain(["--no-such-flag"]).collect();
            assert_eq!(cinetag(&words, folder.path()).status.code(), Some(2), "{command}");
        }
    }
}

/// Ctrl-C while a package index keeps the program waiting.
#[test]
fn who_interrupts_is_told_so_and_gets_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let index = format!("http://{}/simple", server.local_addr().unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_cinetag"))
        .args(["models", "pull", "whisper-base", "--index-url", &index, "--log-format", "json"])
        .env("CINETAG_WEIGHTS", folder.path().join("weights"))
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (mut waiting, _) = server.accept().unwrap();
    drop(server);
    let _ = waiting.read(&mut [0; 64]).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let mut said = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let message = line["fields"]["message"].as_str().unwrap().to_owned();
        if message.starts_with("finishing what is in hand") {
            // Only now that the program has heard it does the index go away.
            waiting.shutdown(std::net::Shutdown::Both).unwrap();
        }
        said.push(message);
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    assert!(said.iter().any(|message| message.starts_with("finishing")), "{said:?}");
}
