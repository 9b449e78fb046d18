//! The floors inside `learn`: a module imports from lower floors only, so no circle can stand between
//! modules either.

use std::{collections::BTreeMap, path::Path};

use super::{Source, sources};

/// Its modules, from the ground up; those of one floor do not know each other.
const FLOORS: &[&[&str]] = &[
    &["error"],
    &["bounds", "finite", "labels", "math"],
    &["loss", "transform"],
    &["config"],
    &["heads"],
    &["spec"],
    &["train"],
    &["borrowed"],
    &["model"],
    &["study"],
];

/// Compiled for tests alone.
const OF_TESTS: &[&str] = &["beside_prior", "fine_tuning", "laws", "partly_known"];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// Of `learn`'s files with their modules: paths below the module, and the code.
fn files() -> Vec<(Vec<String>, Source)> {
    let own = sources().into_iter().filter(|source| source.room == "learn");
    own.map(|source| {
        let path = source.path.strip_prefix("learn").unwrap().with_extension("");
        let mut place: Vec<String> =
            path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        place.retain(|part| part != "mod" && part != "lib");
        (place, source)
    })
    .filter(|(place, _)| {
        // Files of tests, behind `#[cfg(test)]` in their folder's module.
        let [first, .., last] = place.as_slice() else { return place.len() < 2 };
        last != "tests" && !OF_TESTS.contains(&first.as_str())
    })
    .filter(|(place, _)| place.first().is_none_or(|name| !OF_TESTS.contains(&name.as_str())))
    .collect()
}

/// The paths that code names, nested ones spread out, that begin with `crate` or `super`.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate", "super"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            let begins = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':');
            if begins && code[at + start.len()..].starts_with("::") {
                spread(&code[at..], &mut Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one path or tree of paths and returns what stands behind it.
fn spread<'a>(text: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text.trim_start();
    let depth = prefix.len();
    loop {
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner.trim_start();
            while !rest.starts_with('}') && !rest.is_empty() {
                rest = spread(rest, prefix, found).trim_start();
                rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            }
            rest = rest.strip_prefix('}').unwrap_or(rest);
            break;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end.max(usize::from(rest.starts_with('*'))));
        if name.is_empty() {
            return &rest[rest.chars().next().map_or(0, char::len_utf8)..];
        }
        prefix.push(name.to_owned());
        rest = behind;
        if let Some(next) = rest.strip_prefix("::") {
            rest = next;
        } else {
            found.push(prefix.clone());
            let renamed = rest.strip_prefix(" as ").unwrap_or(rest);
            rest = renamed.trim_start_matches(|c: char| {
                renamed.len() < rest.len() && (c.is_alphanumeric() || c == '_')
            });
            break;
        }
    }
    prefix.truncate(depth);
    rest
}

/// The module of a path, seen from a file at `place`: what the root re-exports is looked up.
fn module_of(path: &[String], place: &[String], root: &BTreeMap<String, String>) -> Option<String> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    let from_root = if path[0] == "crate" {
        path[1..].to_vec()
    } else {
        let kept = place.len().saturating_sub(ups);
        [&place[..kept], &path[ups..]].concat()
    };
    let first = from_root.first()?;
    Some(root.get(first).unwrap_or(first).clone())
}

/// What `lib.rs` re-exports: name by name its module.
fn re_exports(code: &str) -> BTreeMap<String, String> {
    let mut found = Vec::new();
    for line in code.split(';').filter_map(|item| item.trim().strip_prefix("pub use ")) {
        spread(line, &mut Vec::new(), &mut found);
    }
    let names = found.into_iter().filter(|path| path.len() > 1);
    names.map(|path| (path[path.len() - 1].clone(), path[0].clone())).collect()
}

/// Imports that do not run down, and how many were looked at.
fn wrong(files: &[(Vec<String>, Source)]) -> (Vec<String>, usize) {
    let root = files.iter().find(|(place, _)| place.is_empty()).expect("learn has a lib.rs");
    let root = re_exports(&root.1.code);
    let (mut wrong, mut num_arrows) = (Vec::new(), 0);
    for (place, source) in files {
        let Some(own) = place.first() else { continue };
        let Some(above) = floor(own) else {
            wrong.push(format!("{} has no floor", source.path.display()));
            continue;
        };
        for path in paths(&source.code) {
            let Some(module) = module_of(&path, place, &root) else { continue };
            if module == *own {
                continue;
            }
            num_arrows += 1;
            if floor(&module).is_none_or(|below| below >= above) {
                let path = path.join("::");
                wrong.push(format!("{} imports {path} of `{module}`", source.path.display()));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    (wrong, num_arrows)
}

#[test]
fn modules_of_learn_import_from_lower_floors_only() {
    let (wrong, num_arrows) = wrong(&files());
    assert!(num_arrows > 80, "only {num_arrows} imports seen: the test looks past them");
    assert!(wrong.is_empty(), "imports that run up or between neighbours:\n{}", wrong.join("\n"));
}

#[test]
fn the_head_of_learn_lists_its_floors_in_their_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/learn/lib.rs");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, _) = text.split_once("\npub ").unwrap();
    let mut last = 0;
    for module in FLOORS.iter().flat_map(|modules| *modules) {
        let place = head.find(&format!("`{module}`"));
        assert!(place.is_some(), "src/learn/lib.rs does not speak of `{module}` in its head");
    }
    for modules in FLOORS {
        let places = modules.iter().filter_map(|module| head.find(&format!("`{module}`")));
        let place = places.max().unwrap_or(0);
        assert!(place >= last, "src/learn/lib.rs lists {modules:?} out of order");
        last = place;
    }
}

#[test]
fn imports_are_read_however_they_are_written() {
    let file = |path: &str, code: &str| {
        let place: Vec<String> = path.split('/').map(str::to_owned).collect();
        let path = Path::new("learn").join(path).with_extension("rs");
        (place, Source { path, room: "learn".to_owned(), code: code.to_owned() })
    };
    let root = (
        Vec::new(),
        Source {
            path: "learn/lib.rs".into(),
            room: "learn".to_owned(),
            code: "pub mod model;\npub use model::{ModelPrediction, TrainedModel};".to_owned(),
        },
    );
    for (code, is_wrong) in [
        ("use crate::transform::tfidf;", false),
        ("use crate::{\n    loss::{Loss, LossKind as L},\n    config,\n};", false),
        ("use crate::{\n    loss::{self, Loss},\n    transform::{a, train::b},\n};", false),
        ("use super::super::config::X;", false),
        ("use super::inputs::X;", false),
        ("use crate::train::jobs;", true),
        ("use crate::{config::X, loss as l, train::{jobs, plan}};", true),
        ("use crate::{config::{X as Y, Z}, TrainedModel};", true),
        ("use super::super::study::*;", true),
        ("fn f() { let _ = crate::borrowed::fit(); }", true),
        ("pub(crate) use crate::model::Decisions;", true),
        ("fn f(x: &crate::spec::ModelSpec) {}", true),
    ] {
        let (wrong, _) = wrong(&[root.clone(), file("heads/views", code)]);
        assert_eq!(!wrong.is_empty(), is_wrong, "{code}: {wrong:?}");
    }
    let (wrong, _) = wrong(&[root, file("unknown", "")]);
    assert_eq!(wrong, ["learn/unknown.rs has no floor"]);
}
