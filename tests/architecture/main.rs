//! The shape of the house: what ARCHITECTURE.md promises, read off the sources.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // it is a test

mod licences;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Rooms with their floors; a room imports from lower floors only.
const FLOORS: &[(&str, u32)] = &[
    ("base", 0),
    ("kernels", 0),
    ("catalog", 1),
    ("eval", 1),
    ("media", 1),
    ("nn", 1),
    ("store", 1),
    ("demo", 2),
    ("encode", 2),
    ("extract", 3),
    ("learn", 3),
    ("report", 4),
    ("tag", 4),
    ("serve", 5),
    ("pipeline", 6),
    ("cli", 7),
];

/// Heavy crates and the rooms that may name them.
const HOMES: &[(&str, &[&str])] = &[
    ("ffmpeg_next", &["media"]),
    ("symphonia", &["media"]),
    ("image", &["media"]),
    ("fast_image_resize", &["media"]),
    ("landlock", &["media"]),
    ("seccompiler", &["media"]),
    ("nix", &["media"]),
    ("hdf5", &["store"]),
    ("kernels", &["demo", "encode", "learn", "media", "nn"]),
    ("candle_core", &["kernels", "nn", "learn"]),
    ("candle_nn", &["kernels", "nn", "learn"]),
    ("candle_transformers", &["nn"]),
    ("postcard", &["learn"]),
    ("faer", &["learn"]),
    ("tokenizers", &["nn"]),
    ("tpe", &["learn"]),
    ("gemm", &["nn"]),
    ("ureq", &["nn"]),
    ("rustfft", &["encode"]),
    ("ebur128", &["encode"]),
    ("realfft", &["encode"]),
    ("csv", &["catalog", "report", "tag"]),
    ("parquet", &["catalog", "tag"]),
    ("tar", &["catalog"]),
    ("whatlang", &["catalog"]),
    ("quick_xml", &["catalog", "tag"]),
    ("encoding_rs", &["catalog", "tag"]),
    ("rust_xlsxwriter", &["tag"]),
    ("diffy", &["tag"]),
    ("glob", &["cli"]),
    ("include_dir", &["tag"]),
    ("plotters", &["report"]),
    ("minijinja", &["report"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("anyhow", &["cli"]),
];

/// Readers of what others wrote, and what is written for others: in their formats and columns some words are also names of
/// modalities.
const FOREIGN_WORDS: &[&str] = &[
    "catalog/clean",
    "catalog/export",
    "catalog/import",
    "catalog/library",
    "catalog/nfo.rs",
    "catalog/source",
    "nn/audio_events.rs",
];

/// What opens a path without looking at what stands there, and may then wait for ever.
const BLIND_OPENERS: &[&str] = &[
    "File::open(",
    "File::options(",
    "OpenOptions::new(",
    "fs::read(",
    "fs::read_to_string(",
    "fs::copy(",
    "safetensors::load(",
    "Tokenizer::from_file(",
    "Reader::from_path(",
];

/// Files that may use them, and why.
const MAY_OPEN_BLINDLY: &[(&str, &str)] = &[
    ("base/replace.rs", "writes over what it has seen to be an ordinary file"),
    ("base/file.rs", "the one way itself"),
    ("base/publish.rs", "syncs drafts and folders of its own"),
    ("base/output/ledger.rs", "appends to a list of its own in the user's state folder"),
    ("media/worker/faults.rs", "a test has it try what its sandbox forbids"),
    ("nn/weights/download.rs", "goes on writing its own part file"),
    ("store/sources.rs", "appends to a log of its own"),
    ("tag/sidecar", "holds folders by handles of its own"),
];

struct Source {
    path: PathBuf,
    room: String,
    /// Without comments and without the unit tests at its end.
    code: String,
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let mut entries: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                found.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&src).unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let text = &text[..begin_of_tests(&text)];
            let code: Vec<_> =
                text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let room = relative.iter().next().unwrap().to_string_lossy().into_owned();
            Source { path: relative, room, code: code.join("\n") }
        })
        .collect()
}

/// Where the module of unit tests begins; one in a file of its own (`mod tests;`) is none.
fn begin_of_tests(text: &str) -> usize {
    let has_body = |at: &usize| {
        let mut lines = text[*at..].lines().filter(|line| !line.starts_with('#'));
        lines.next().is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let mut places = text.match_indices("#[cfg(test)]").map(|(at, _)| at);
    places.find(has_body).unwrap_or(text.len())
}

/// Names that follow `prefix` in the code, up to the end of the word.
fn words_after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(prefix).filter_map(move |(at, _)| {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let rest = &code[at + prefix.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        Some(&rest[..end])
    })
}

/// The rooms that a file names: `crate::room` and the members of `use crate::{…}`.
fn rooms_named(code: &str) -> Vec<String> {
    let mut rooms: Vec<String> = words_after(code, "crate::").map(str::to_owned).collect();
    for (at, _) in code.match_indices("crate::{") {
        let mut depth = 0;
        let mut word = String::new();
        let mut at_start = true;
        for c in code[at + "crate::".len()..].chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {
                    at_start = true;
                    word.clear();
                    continue;
                }
                c if depth == 1 && at_start && (c.is_alphanumeric() || c == '_') => {
                    word.push(c);
                    continue;
                }
                _ => {}
            }
            if !word.is_empty() {
                rooms.push(std::mem::take(&mut word));
                at_start = false;
            }
            if depth == 0 {
                break;
            }
        }
    }
    rooms
}

fn floor(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

#[test]
fn rooms_import_from_lower_floors_only() {
    let mut wrong = Vec::new();
    let mut num_imports = 0;
    for source in sources() {
        let Some(own) = floor(&source.room) else {
            let is_root = ["lib.rs", "main.rs"].contains(&source.room.as_str());
            assert!(is_root, "{} is in a room without a floor", source.path.display());
            continue;
        };
        for room in rooms_named(&source.code) {
            let Some(other) = floor(&room) else { continue };
            num_imports += 1;
            if room != source.room && other >= own {
                wrong.push(format!("{} imports {room}", source.path.display()));
            }
        }
    }
    assert!(num_imports > 50, "only {num_imports} imports seen: the test looks past them");
    assert!(wrong.is_empty(), "imports from the same floor or above:\n{}", wrong.join("\n"));
}

#[test]
fn heavy_crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, homes) in HOMES {
            if homes.contains(&source.room.as_str()) {
                continue;
            }
            let path = format!("{name}::");
            let named = words_after(&source.code, &path).next().is_some()
                || source.code.contains(&format!("use {name};"));
            // `crate::media::image::…` names a module of ours, not the crate.
            let ours = source.code.matches(&path).count()
                == source.code.matches(&format!("::{path}")).count();
            if named && !ours {
                wrong.push(format!("{} names {name}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "crates outside their room:\n{}", wrong.join("\n"));
}

#[test]
fn a_modality_is_named_in_its_own_folder_only() {
    let names = cinetag::encode::registry::names();
    assert!(names.len() >= 5, "{names:?}");
    let mut wrong = Vec::new();
    for source in sources() {
        for name in &names {
            if source.path.starts_with(Path::new("encode").join(name))
                || FOREIGN_WORDS.iter().any(|place| source.path.starts_with(place))
            {
                continue;
            }
            if source.code.contains(&format!("\"{name}\"")) {
                wrong.push(format!("{} spells \"{name}\"", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "modality names outside their folders:\n{}", wrong.join("\n"));
}

#[test]
fn files_are_opened_in_one_way() {
    let mut wrong = Vec::new();
    let mut num_right = 0;
    for source in sources() {
        num_right += source.code.matches("file::open(").count();
        num_right += source.code.matches("file::read(").count();
        let name = source.path.file_stem().unwrap().to_string_lossy();
        // Files of tests, behind `#[cfg(test)]` in their folder's module.
        let is_test = ["tests", "testing", "laws"].contains(&&*name);
        if is_test || MAY_OPEN_BLINDLY.iter().any(|(place, _)| source.path.starts_with(place)) {
            continue;
        }
        for opener in BLIND_OPENERS {
            if source.code.contains(opener) {
                wrong.push(format!("{} calls {opener}…)", source.path.display()));
            }
        }
    }
    assert!(
        num_right > 30,
        "only {num_right} files opened by `base::file`: the test looks past them"
    );
    assert!(
        wrong.is_empty(),
        "pipes and devices would be waited for; take `base::file` instead:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn device_features_stand_in_one_file() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.path != Path::new("nn/device.rs"))
        .filter(|source| {
            ["feature = \"cuda\"", "feature = \"metal\""].iter().any(|f| source.code.contains(f))
        })
        .map(|source| source.path)
        .collect();
    assert!(wrong.is_empty(), "device features outside nn/device.rs: {wrong:?}");
}

#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md"));
    let map = map.expect("ARCHITECTURE.md is there");
    for source in sources() {
        if let Some((room, _)) = FLOORS.iter().find(|(room, _)| *room == source.room) {
            assert!(map.contains(&format!("`{room}/`")), "ARCHITECTURE.md does not name `{room}/`");
        }
    }
}
