//! Knots that were cut inside a room stay cut.

use super::sources;

/// Files of a room, and the modules of it that stand above them.
const ABOVE: &[(&str, &[&str])] = &[
    ("catalog/format.rs", &["row", "spec", "library", "paths", "source", "load", "open"]),
    ("catalog/row.rs", &["spec", "library", "paths", "source", "load", "open"]),
    ("catalog/spec.rs", &["row", "library", "paths", "source", "load", "open"]),
    ("catalog/library", &["spec", "source", "load", "open"]),
    ("catalog/paths.rs", &["spec", "source", "load", "open"]),
    ("catalog/source", &["spec", "load", "open"]),
    ("catalog/load", &["open"]),
];

/// Whether a module is named in a path.
fn names(code: &str, module: &str) -> bool {
    let path = format!("{module}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

#[test]
fn rows_know_no_declaration_and_declarations_no_source() {
    let (mut wrong, mut num_files) = (Vec::new(), 0);
    for source in sources() {
        let above = ABOVE.iter().filter(|(place, _)| source.path.starts_with(place));
        for module in above.flat_map(|(_, above)| *above) {
            num_files += 1;

            if names(&source.code, module) {
                wrong.push(format!("{} names {module}::", source.path.display()));
            }
        }
    }
    assert!(num_files > 50, "only {num_files} pairs seen: the test looks past them");
    assert!(wrong.is_empty(), "modules from above:\n{}", wrong.join("\n"));
    assert!(names("use super::{lines::Place, spec::Column};", "spec"));
    assert!(!names("use super::respec::X;", "spec"));
}
