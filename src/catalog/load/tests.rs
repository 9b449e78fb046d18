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

#[test]
fn genres_that_cinetag_gave_in_a_file_of_tags_are_no_labels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tags.jsonl");
    let line =
        |id: &str, more: &str| format!("{{\"id\": \"{id}\", \"genres\": [\"War\"]{more}}}\n");
    let ours = ", \"scores\": [{\"genre\": \"War\"}], \"model\": \"m@1\", \"version\": \"0\"";
    fs::write(&path, line("a", ours) + &line("b", ours)).unwrap();
    let (catalog, problems) = load(&CatalogSpec::new(&path)).unwrap();
    assert!(catalog.titles.iter().all(|title| !title.labelled && title.genres.is_empty()));
    let note = problems.iter().find(|p| p.severity == Severity::Note).unwrap();
    assert!(note.message.contains("of 2 titles were given by cinetag"), "{}", note.message);
    fs::write(&path, line("a", ", \"model\": \"of the camera\"")).unwrap();
    let (catalog, problems) = load(&CatalogSpec::new(&path)).unwrap();
    assert!(catalog.titles[0].labelled && problems.is_empty());
}

#[test]
fn what_a_title_has_not_and_what_is_not_known_of_it_are_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(
        &path,
        "id,genres,not_genres,unknown_genres\na,War|Drama,Horror|War,\nb,Horror,,Drama\nc,,Drama,War\n",
    )
    .unwrap();
    let (catalog, _) = load(&CatalogSpec::new(&path)).unwrap();
    assert_eq!(catalog.vocabulary.names(), ["Drama", "Horror", "War"]);
    assert!(catalog.is_partly_known());
    assert_eq!(catalog.to_learn_from(), [0, 1, 2]);
    // A genre that is stated is a yes, whatever else is said of it; of an unlabelled title the no alone.
    assert_eq!(catalog.label_weights(), [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
    assert_eq!(catalog.labels(), [true, false, true, false, true, false, false, false, false]);
}
