//! Files of answers, read into logs and written from them.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::{CatalogSpec, GenreSpec, load};

const FILMS: &str =
    "id,title,genres,imdb_id\na,Heat,Crime|Drama,tt0113277\nb,Alien,,\nc,Alien,War,\n";

fn catalog_of(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("films.csv"), text).unwrap();
    folder
}

fn now() -> Timestamp {
    "2026-11-29T21:04:11Z".parse().unwrap()
}

fn planned(folder: &tempfile::TempDir, name: &str, text: &str) -> Plan {
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    let target = Target::open(&folder.path().join("films.csv"), None).unwrap();
    plan(&target, &file, "mara", now()).unwrap()
}

/// Title, genres, not, unknown, whether it is labelled.
type Label = (String, Vec<String>, Vec<String>, Vec<String>, bool);

fn labels(folder: &tempfile::TempDir) -> Vec<Label> {
    let genres = GenreSpec { min_support: 0, ..GenreSpec::default() };
    let spec = CatalogSpec { genres, ..CatalogSpec::new(folder.path().join("films.csv")) };
    let catalog = load(&spec).unwrap().0;
    let names = |genres: &[base::GenreId]| {
        genres.iter().map(|&id| catalog.vocabulary.name(id).to_owned()).collect()
    };
    let label = |title: &Title| {
        let [has, not, open] =
            [&title.genres, &title.not_genres, &title.unknown_genres].map(|g| names(g));
        (title.id.to_string(), has, not, open, title.labelled)
    };
    catalog.titles.iter().map(label).collect()
}

#[test]
fn a_file_is_taken_once_and_what_is_wrong_with_it_is_told_by_line() {
    let folder = catalog_of(FILMS);
    let text = "title,genre,answer,at\na,Crime,no,\nHeat,Drama,1,\nb,Horor,added,\nAllien,War,yes,\n\
                Alien,War,yes,\nc,War,perhaps,\nc,,yes,\nc,War,unsure,yesterday\nc,War,no,\nc,War,Unsure,\n";
    let plan = planned(&folder, "said.csv", text);
    let told: Vec<_> = plan
        .problems
        .iter()
        .map(|problem| (problem.line.unwrap(), problem.kind, problem.severity))
        .collect();
    let bad = |line, kind| (line, kind, Severity::Error);
    assert_eq!(
        told,
        [
            bad(5, ProblemKind::UnknownTitle),
            bad(6, ProblemKind::UnknownTitle),
            bad(7, ProblemKind::BadAnswer),
            bad(8, ProblemKind::BadAnswer),
            bad(9, ProblemKind::BadAnswer),
        ]
    );
    let hints = [0, 1].map(|number| plan.problems[number].hint.as_str());
    assert!(hints[0].contains("\"Alien\"") && hints[1].contains("several"), "{hints:?}");
    assert_eq!((plan.num_answers(), plan.num_titles(), plan.rows_left_out()), (4, 3, 5));
    assert!(!folder.path().join(FOLDER).exists(), "a plan writes nothing");
    plan.write().unwrap();
    let again = planned(&folder, "said.csv", text);
    assert_eq!((again.num_answers(), again.num_known, again.num_overruled), (0, 4, 0));
    // The later row of the file holds; an earlier word than the log's does not.
    let early =
        planned(&folder, "early.csv", "title,genre,answer,at\nc,War,no,2020-01-01T00:00:00Z\n");
    assert_eq!((early.num_answers(), early.num_overruled), (0, 1));
    let of = |name: &str| labels(&folder).into_iter().find(|label| label.0 == name).unwrap();
    assert_eq!((of("a").1, of("c").4), (vec!["Drama".to_owned()], false));
}

#[test]
fn a_row_may_say_all_of_a_title_and_an_event_of_the_log_is_a_row() {
    let folder = catalog_of(FILMS);
    let rows = "{\"id\":\"a\",\"genres\":[\"Crime\"],\"not_genres\":\"Drama|War\",\"complete\":true}\n\
                {\"event\":\"1\",\"at\":\"2026-01-01T00:00:00Z\",\"who\":\"ben\",\"source\":\"page\",\
                \"title\":\"b\",\"answers\":{\"War\":\"yes\",\"Drama\":\"unsure\"},\"complete\":false,\
                \"prev\":null}\n\
                {\"event\":\"2\",\"at\":\"2026-01-01T00:00:00Z\",\"title\":\"b\",\"answers\":{},\"complete\":false,\"undoes\":\"1\"}\n\
                {\"title\":\"Drma\",\"imdb_id\":\"tt0113277\",\"genre\":\"Drma\",\"answer\":\"no\"}\nno row\n";
    let plan = planned(&folder, "said.jsonl", rows);
    let told: Vec<_> = plan.problems.iter().map(|p| (p.line.unwrap(), p.kind)).collect();
    let kinds = [ProblemKind::BadAnswer, ProblemKind::OddGenre, ProblemKind::MalformedRow];
    assert_eq!(told, [(3, kinds[0]), (4, kinds[1]), (5, kinds[2])]);
    assert_eq!((plan.num_answers(), plan.num_titles()), (7, 2));
    plan.write().unwrap();
    let strings = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let [a, b, _] = &labels(&folder)[..] else { panic!() };
    assert_eq!((&a.1, a.4), (&strings(&["Crime"]), true));
    assert_eq!((&b.1, &b.3, b.4), (&strings(&["War"]), &strings(&["Crime"]), true));
}

#[test]
fn what_has_no_ids_or_no_answers_is_refused() {
    let folder = catalog_of("title,genres\nHeat,Crime\n");
    let path = folder.path().join("films.csv");
    let message = Target::open(&path, None).unwrap_err().to_string();
    assert!(message.contains("have no ids"), "{message}");
    let target = Target::open(&path, Some("title")).unwrap();
    for (name, text) in
        [("x.csv", "title,mood\nHeat,good\n"), ("x.csv", "answer\nyes\n"), ("x.txt", "")]
    {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        assert!(plan(&target, &file, "", now()).is_err(), "{name} {text}");
    }
    let trailer = folder.path().join("trailer.mp4");
    fs::write(&trailer, "").unwrap();
    assert!(Target::open(&trailer, None).is_err(), "it is no catalog");
}

#[test]
fn a_librarys_answers_lie_at_its_root_and_in_a_tree_that_was_tagged_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("x/Heat (1995)")).unwrap();
    fs::create_dir(root.join(FOLDER)).unwrap();
    fs::write(root.join("x/Heat (1995)/movie.nfo"), "<movie><genre>War</genre></movie>").unwrap();
    let file = root.join("said.csv");
    fs::write(&file, "title,genre,answer\nx/Heat (1995),War,no\n").unwrap();
    let target = Target::open(&root.join("x"), None).unwrap();
    plan(&target, &file, "", now()).unwrap().write().unwrap();
    assert!(curation::reviews::is_there(&root) && !root.join("x").join(FOLDER).exists());
    let (bytes, problems, num_rows) = export(&target, Form::Csv).unwrap();
    assert_eq!((problems.len(), num_rows), (0, 1));
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("\nx/Heat (1995),War,no,,2026-11-29T21:04:11Z,,,\n"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_and_imported_elsewhere_gives_the_same_labels(
        said in prop::collection::vec((0..3_usize, 0..4_usize, 0..4_usize, prop::bool::weighted(0.2)), 0..12),
        is_csv: bool,
    ) {
        let (one, other) = (catalog_of(FILMS), catalog_of(FILMS));
        let mut session = Session::new(one.path());
        for (title, genre, answer, complete) in said {
            let answer = [Answer::Yes, Answer::No, Answer::Unsure, Answer::Added][answer];
            let genre = ["Crime", "=War, or\n\"peace\"", "Drama", "'Noir"][genre].to_owned();
            let words = Words::new(now(), Source::Page, ["a", "b", "c"][title]);
            session.append(Words { answers: [(genre, answer)].into(), complete, ..words }).unwrap();
        }
        let target = Target::open(&one.path().join("films.csv"), None).unwrap();
        let form = if is_csv { Form::Csv } else { Form::Jsonl };
        let (bytes, problems, _) = export(&target, form).unwrap();
        prop_assert!(problems.is_empty());
        let name = if is_csv { "said.csv" } else { "said.jsonl" };
        let text = String::from_utf8(bytes).unwrap();
        let plan = planned(&other, name, &text);
        prop_assert!(plan.problems.iter().all(|p| p.kind == ProblemKind::OddGenre), "{:?}", plan.problems);
        plan.write().unwrap();
        prop_assert_eq!(labels(&one), labels(&other));
        let again = planned(&other, name, &text);
        prop_assert_eq!(again.num_answers(), 0);
        let back = planned(&one, name, &text);
        prop_assert_eq!(back.num_answers(), 0);
    }
}
