//! What costs a row, and what does not.

use std::fs;

use super::*;
use crate::GenreSpec;

#[test]
fn a_table_without_ids_is_numbered_by_its_rows_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.csv", "title,plot\nA,One.\n\nB\nC,Three.\n"),
        ("a.jsonl", "{\"title\": \"A\"}\n{\n{\"title\": \"C\"}\n"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let spec = CatalogSpec::new(&path);
        assert!(matches!(load(&spec), Err(CatalogError::NoColumn { .. })), "{name}");
        let (catalog, problems) = load_numbered(&spec).unwrap();
        let found: Vec<_> =
            catalog.titles.iter().map(|t| (t.id.as_str(), t.name.as_str())).collect();
        assert_eq!(found, [("1", "A"), ("3", "C")], "{name}: a broken row counts");
        let note = problems.iter().find(|p| p.severity == Severity::Note).unwrap();
        assert!(note.message.contains("numbered") && note.hint.contains("--id-column"));
    }
    // A column that was named must be there.
    let mut spec = CatalogSpec::new(folder.path().join("a.csv"));
    spec.columns.id = Some("key".to_owned());
    assert!(load_numbered(&spec).is_err());
}

#[test]
fn a_nul_byte_costs_a_row_and_many_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(&path, "id,plot\na,\"at\0 night, in a city that never sleeps\"\nb,Two.\n").unwrap();
    let (catalog, problems) = load(&CatalogSpec::new(&path)).unwrap();
    assert_eq!(catalog.titles.len(), 1);
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    assert_eq!((problem.severity, problem.line), (Severity::Error, Some(2)));
    let wide: Vec<u8> = "id,plot\na,One.\n".bytes().flat_map(|byte| [byte, 0]).collect();
    fs::write(&path, wide).unwrap();
    assert!(matches!(load(&CatalogSpec::new(&path)), Err(CatalogError::Format { .. })));
}

#[test]
fn a_name_of_ones_own_vocabulary_may_hold_a_slash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(&path, "id,genres\na,War/Drama\nb,Crime/Law; N/A\nc,N/A\n").unwrap();
    fs::write(folder.path().join("own.txt"), "War\nDrama\nCrime/Law\n").unwrap();
    let mut spec = CatalogSpec::new(&path);
    let genres = |spec: &CatalogSpec| {
        let (catalog, _) = load(spec).unwrap();
        let labelled: Vec<_> = catalog.titles.iter().map(|title| title.labelled).collect();
        assert_eq!(labelled, [true, true, false]);
        catalog.vocabulary.names().to_vec()
    };
    assert_eq!(genres(&spec), ["Crime", "Drama", "Law", "War"]);
    spec.genres.vocabulary =
        toml::from_str::<GenreSpec>("vocabulary = \"own.txt\"").unwrap().vocabulary;
    assert_eq!(genres(&spec), ["War", "Drama", "Crime/Law"]);
}
