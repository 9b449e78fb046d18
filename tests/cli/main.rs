//! The command line as its users see it: every help text, and what wrong use is told.
//!
//! `docs/cli.md` and `tests/cli/errors.txt` are made by these tests; with `CINETAG_UPDATE=1`
//! they are written anew, without they are compared.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // it is a test

mod bundles;
mod exit_codes;
mod learn;
mod without_weights;

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
};

fn cinetag(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cinetag"))
        .args(args)
        .current_dir(folder)
        // Wide enough that no terminal wraps it otherwise.
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .env("CINETAG_WEIGHTS", folder.join("no-weights"))
        .env("CINETAG_BUNDLES", folder.join("bundles"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn compare(path: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("CINETAG_UPDATE").is_some() {
        fs::write(&path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let first = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{} is not what the program says (first difference: {first:?});\n\
         look whether that is meant, then: CINETAG_UPDATE=1 cargo test --release --test cli",
        path.display()
    );
}

/// The subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    list.lines()
        .take_while(|line| !line.trim().is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn describe(words: &[String], folder: &Path, out: &mut String) {
    let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
    args.push("--help");
    let output = cinetag(&args, folder);
    assert!(output.status.success(), "cinetag {args:?}");
    let help = text(&output.stdout);
    assert!(help.lines().next().is_some_and(|about| !about.is_empty()), "{words:?} says nothing");
    let name = std::iter::once("cinetag").chain(words.iter().map(String::as_str));
    let name = name.collect::<Vec<_>>().join(" ");
    let level = "#".repeat(words.len().min(2) + 1);
    let body: Vec<_> = help.lines().map(str::trim_end).collect();
    writeln!(out, "\n{level} {name}\n\n```text\n{}\n```", body.join("\n").trim_end()).unwrap();
    for subcommand in subcommands(&help) {
        describe(&[words, &[subcommand]].concat(), folder, out);
    }
}

#[test]
fn the_reference_is_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut reference = String::from(
        "<!-- Made by `CINETAG_UPDATE=1 cargo test --release --test cli`; compared by `scripts/check`. -->\n",
    );
    describe(&[], folder.path(), &mut reference);
    for command in [
        "run",
        "extract",
        "ablate",
        "compare",
        "tune",
        "tag",
        "explain",
        "bundle promote",
        "catalog check",
        "models pull",
        "store verify",
    ] {
        assert!(reference.contains(&format!("# cinetag {command}\n")), "{command} is missing");
    }
    assert!(!reference.contains("decode-worker"), "a hidden command is shown");
    compare("docs/cli.md", &reference);
}

#[test]
fn the_program_says_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let said = text(&cinetag(&["--version"], folder.path()).stdout);
    assert_eq!(said.trim(), concat!("cinetag ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_setting_of_every_modality_is_listed_and_can_be_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let listing = text(&cinetag(&["modalities"], folder.path()).stdout);
    let table: toml::Table = listing.parse().expect("it is TOML");
    for modality in cinetag::encode::registry::MODALITIES {
        let pasted = &table["modality"][modality.name()];
        for (key, value) in modality.defaults().as_object().unwrap() {
            match pasted.get(key) {
                None => {
                    let is_told = listing.contains(&format!("# {key} = "));
                    assert!(value.is_null() && is_told, "{key}");
                }
                Some(pasted) => {
                    assert_eq!(&serde_json::to_value(pasted).unwrap(), value, "{key}");
                }
            }
        }
    }
}

/// Each must end with its code, name what is wrong, and say the mend.
#[test]
fn wrong_use_is_told_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("films.csv", "id,title,plot,genres\na,A,One.,Drama\na,B,Two.,Drama|Comedy\n");
    file("odd.csv", "id,title\n1,A\n");
    let pipeline = |name: &str, body: &str| {
        file(name, &format!("[run]\nname = \"t\"\nfolder = \"runs/t\"\n{body}"));
    };
    pipeline(
        "plain.toml",
        "[catalog]\npath = \"films.csv\"\n[modality.plot]\n[[stage]]\nname = \"features\"\nkind = \"extract\"\n",
    );
    pipeline(
        "kind.toml",
        "[catalog]\npath = \"films.csv\"\n[[stage]]\nname = \"x\"\nkind = \"dance\"\n",
    );
    pipeline("key.toml", "[catalog]\npath = \"films.csv\"\ndelimitre = \";\"\n");
    pipeline(
        "modality.toml",
        "[catalog]\npath = \"films.csv\"\n[modality.smell]\n[[stage]]\nname = \"features\"\nkind = \"extract\"\n",
    );
    pipeline(
        "setting.toml",
        "[catalog]\npath = \"films.csv\"\n[modality.audio]\nhop_length = 0\n[[stage]]\nname = \"features\"\nkind = \"extract\"\n",
    );
    pipeline(
        "column.toml",
        "[catalog]\npath = \"odd.csv\"\n[catalog.columns]\nplot = \"summary\"\n[modality.plot]\n[[stage]]\nname = \"features\"\nkind = \"extract\"\n",
    );
    file("broken.toml", "[run\n");

    let cases: &[&[&str]] = &[
        &[],
        &["dance"],
        &["run"],
        &["run", "nowhere.toml"],
        &["run", "broken.toml"],
        &["run", "kind.toml"],
        &["run", "key.toml"],
        &["run", "modality.toml"],
        &["run", "setting.toml"],
        &["run", "column.toml"],
        &["run", "plain.toml", "--set", "run.name"],
        &["run", "plain.toml", "--set", "run.nonsense=1"],
        &["run", "plain.toml", "--set", "catalog.path=nowhere.csv"],
        &["run", "plain.toml", "--set", "run.device=gpu"],
        &["run", "plain.toml", "--set", "modality.smell={}"],
        &["run", "plain.toml", "--set", "stage.nothing.titles=3"],
        &["run", "plain.toml", "--set", "stage.features.needs=[\"tags\"]"],
        &["run", "plain.toml", "--force", "model"],
        &["run", "plain.toml", "--device", "gpu"],
        &["run", "plain.toml"],
        &["train", "plain.toml"],
        &["extract", "plain.toml", "--reason", "timeout"],
        &["catalog", "check", "plain.toml"],
        &["catalog", "check", "nowhere.csv"],
        &["catalog", "check", "films.csv"],
        &["catalog", "sources"],
        &["catalog", "import", "imbd", "nowhere", "--out", "out"],
        &["catalog", "import", "imdb", "nowhere", "--out", "out"],
        &["catalog", "import", "imdb", ".", "--out", "out"],
        &["catalog", "import", "kaggle", "odd.csv", "--with", "imdb", "--out", "out"],
        &["catalog", "import", "kaggle", "odd.csv", "--out", "out"],
        &["tag", "nowhere", "--bundle", "nowhere"],
        &["tag", "odd.csv", "--precision", "nine"],
        &["tag", "odd.csv", "--precision", "0.99"],
        &["tag", "odd.csv", "--new-nfo", "always"],
        &["tag", "odd.csv", "--in-place", "--new-nfo", "sometimes"],
        &["catalog", "export", "odd.csv", "--out", "data-set"],
        &["bundle", "list", "films"],
        &["bundle", "add", "films", "nowhere"],
        &["bundle", "add", "films@1", "nowhere"],
        &["bundle", "promote", "films", "9f86"],
        &["bundle", "rollback", "films"],
        &["models", "pull", "gpt-9"],
        &["models", "verify", "all-minilm-l6-v2"],
        &["store", "ls", "--store", "nowhere"],
        &["store", "verify", "--store", "nowhere"],
    ];
    let mut found = String::from(
        "Made by `CINETAG_UPDATE=1 cargo test --release --test cli`; compared by `scripts/check`.\n",
    );
    let root = folder.path().display().to_string();
    for args in cases {
        let output = cinetag(args, folder.path());
        let code = output.status.code().unwrap();
        writeln!(found, "\n$ cinetag {}\nexit code {code}", args.join(" ")).unwrap();
        for (name, bytes) in [("out", &output.stdout), ("err", &output.stderr)] {
            for line in text(bytes).replace(&root, "FOLDER").lines() {
                writeln!(found, "{name}: {}", line.trim_end()).unwrap();
            }
        }
    }
    compare("tests/cli/errors.txt", &found);
}
