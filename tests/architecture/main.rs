//! The shape of the house: what ARCHITECTURE.md promises, read off the sources.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // it is a test

mod knots;
mod learn_floors;
mod licences;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Rooms with their floors; a room's `Cargo.toml` names rooms of lower floors only, for its tests, too.
const FLOORS: &[(&str, u32)] = &[
    ("base", 0),
    ("kernels", 0),
    ("curation", 1),
    ("catalog", 2),
    ("eval", 2),
    ("media", 2),
    ("nn", 2),
    ("store", 2),
    ("dataset", 3),
    ("demo", 3),
    ("encode", 3),
    ("extract", 4),
    ("learn", 4),
    ("report", 5),
    ("tag", 5),
    ("adapt", 6),
    ("write", 6),
    ("pipeline", 7),
    ("cli", 8),
];

/// Heavy crates and the rooms that may need them.
const HOMES: &[(&str, &[&str])] = &[
    ("ffmpeg-next", &["media"]),
    ("symphonia", &["media"]),
    ("image", &["media"]),
    ("fast_image_resize", &["media"]),
    ("landlock", &["media"]),
    ("seccompiler", &["media"]),
    ("nix", &["media"]),
    ("hdf5", &["store"]),
    ("half", &["store"]),
    ("kernels", &["demo", "encode", "learn", "media", "nn"]),
    ("candle-core", &["dataset", "kernels", "nn", "learn"]),
    ("candle-nn", &["kernels", "nn", "learn"]),
    ("candle-transformers", &["nn"]),
    ("postcard", &["learn"]),
    ("faer", &["learn"]),
    ("tokenizers", &["nn"]),
    ("tpe", &["learn"]),
    ("gemm", &["kernels", "nn"]),
    ("ureq", &["nn"]),
    ("rustfft", &["encode"]),
    ("ebur128", &["encode"]),
    ("realfft", &["encode"]),
    ("csv", &["catalog", "report", "write"]),
    ("parquet", &["catalog", "write"]),
    ("tar", &["catalog"]),
    ("whatlang", &["catalog"]),
    ("quick-xml", &["catalog", "write"]),
    ("encoding_rs", &["catalog", "write"]),
    ("rust_xlsxwriter", &["write"]),
    ("diffy", &["write"]),
    ("glob", &["cli"]),
    ("include_dir", &["tag"]),
    ("minijinja", &["report"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
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
    ("curation/journal.rs", "appends to a journal of its own"),
    ("curation/reviews/write.rs", "appends to a file that it made itself a moment ago"),
    ("write/sidecar/undo.rs", "sets the time of what it has just written"),
];

#[derive(Clone)]
struct Source {
    path: PathBuf,
    room: String,
    /// Without comments and without what is compiled for tests alone.
    code: String,
}

/// The names that a room's `Cargo.toml` lists, for its code and for its tests.
fn needs(room: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut found = Vec::new();
    collect_needs(&text.parse().unwrap(), &mut found);
    found
}

fn collect_needs(manifest: &toml::Table, found: &mut Vec<String>) {
    for (name, value) in manifest {
        let Some(value) = value.as_table() else { continue };
        match name.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                found.extend(value.keys().cloned());
            }
            "target" => {
                let systems = value.values().filter_map(toml::Value::as_table);
                systems.for_each(|system| collect_needs(system, found));
            }
            _ => {}
        }
    }
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
            let room = relative.iter().next().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            Source { path: relative, room, code: code_of(&text) }
        })
        .collect()
}

/// The text without its comments and without the items under `#[cfg(test)]`, wherever they stand. What
/// is laid out by rustfmt ends where its indentation ends.
fn code_of(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let Some(first) = lines.find(|line| !line.trim_start().starts_with("#[")) else { break };
        if !first.ends_with([';', '}', ',']) {
            let ends = ["}", "};", "});", "},", ");"].map(|end| format!("{indent}{end}"));
            lines.find(|line| ends.iter().any(|end| end == line));
        }
    }
    kept.join("\n")
}

fn floor(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn rooms() -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms: Vec<String> = fs::read_dir(src)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    rooms.sort();
    rooms
}

#[test]
fn rooms_need_lower_floors_only() {
    let mut wrong = Vec::new();
    let mut num_arrows = 0;
    for room in rooms() {
        let own = floor(&room).unwrap_or_else(|| panic!("src/{room} has no floor"));
        for other in needs(&room) {
            let Some(below) = floor(&other) else { continue };
            num_arrows += 1;
            if below >= own {
                wrong.push(format!("src/{room}/Cargo.toml needs {other}"));
            }
        }
    }
    assert!(num_arrows > 30, "only {num_arrows} arrows seen: the test looks past them");
    assert!(wrong.is_empty(), "rooms of the same floor or above:\n{}", wrong.join("\n"));
}

#[test]
fn heavy_crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    let mut at_home = 0;
    for room in rooms() {
        for name in needs(&room) {
            let Some((_, homes)) = HOMES.iter().find(|(crate_, _)| *crate_ == name) else {
                continue;
            };
            if homes.contains(&room.as_str()) {
                at_home += 1;
            } else {
                wrong.push(format!("src/{room}/Cargo.toml needs {name}"));
            }
        }
    }
    assert_eq!(
        at_home,
        HOMES.iter().map(|(_, homes)| homes.len()).sum::<usize>(),
        "HOMES is too long"
    );
    assert!(wrong.is_empty(), "crates outside their room:\n{}", wrong.join("\n"));
}

#[test]
fn code_is_read_without_its_tests_and_nothing_else() {
    let text = "\
use a;
#[cfg(test)]
use b;
// comment
#[cfg(test)]
mod tests {
    fn c() {
        d();
    }
}

fn e() {
    f();
    #[cfg(test)]
    if g {
        h();
    }
    i();
}
";
    assert_eq!(code_of(text), "use a;\n\nfn e() {\n    f();\n    i();\n}");
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
fn unit_tests_of_every_room_are_built_unoptimised() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("scripts/unoptimised.toml")).unwrap();
    for room in rooms().into_iter().filter(|room| room != "kernels") {
        let line = format!("cinetag-{room}.opt-level = 0\n");
        assert!(text.contains(&line), "scripts/unoptimised.toml does not name {room}");
    }
}

/// The table of floors in the map: `| 4 | `report/` `tag/` |`.
#[test]
fn the_map_has_the_floors_that_are_held() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md"));
    let map = map.expect("ARCHITECTURE.md is there");
    let mut drawn: Vec<(String, u32)> = Vec::new();
    for line in map.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, floor, rooms, _] = cells[..] else { continue };
        let Ok(floor) = floor.parse::<u32>() else { continue };
        let names = rooms.split_whitespace().map(|room| room.trim_matches(['`', '/']).to_owned());
        drawn.extend(names.map(|room| (room, floor)));
    }
    let mut held: Vec<(String, u32)> =
        rooms().into_iter().map(|room| (room.clone(), floor(&room).unwrap())).collect();
    drawn.sort();
    held.sort();
    assert_eq!(drawn, held);
}

/// Lines after which a file says in its head why it is one.
const MANY_LINES: usize = 450;

#[test]
fn a_long_file_says_why_it_is_one() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut wrong, mut num_long) = (Vec::new(), 0);
    for source in sources() {
        let text = fs::read_to_string(src.join(&source.path)).unwrap();
        let num_lines = text.lines().count();
        if num_lines <= MANY_LINES {
            continue;
        }
        num_long += 1;
        let mut head = text.lines().take_while(|line| line.starts_with("//!"));
        if !head.any(|line| line.contains("One file, though long: ")) {
            wrong.push(format!("{} ({num_lines} lines)", source.path.display()));
        }
    }
    assert!(num_long > 5, "only {num_long} long files seen: the test looks past them");
    assert!(wrong.is_empty(), "part them, or say why not in the head:\n{}", wrong.join("\n"));
}
