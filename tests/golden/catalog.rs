//! Catalogs as they come: a well-kept one in two formats, one with every kind of problem, and
//! real ones.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cinetag::{
    base::{DeviceChoice, Hinted, Seed},
    catalog::{
        self, CatalogSpec, CatalogSummary, Folds, Severity, Title, VocabularySpec,
        split::stratified_group_folds,
    },
    encode::{EncoderContext, Modality, Opened, metadata::Metadata},
};
use serde_json::json;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data/catalog").join(name)
}

/// A folder of the data for development; `None`, with a word about it, where it is not there.
pub(super) fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CINETAG_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if !folder.is_dir() {
        println!("left out: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

fn nasty(folder: &Path) -> CatalogSpec {
    fs::copy(data("nasty.csv"), folder.join("nasty.csv")).unwrap();
    fs::create_dir(folder.join("posters")).unwrap();
    for file in ["posters/here.jpg", "here.mp4"] {
        fs::write(folder.join(file), "").unwrap();
    }
    toml::from_str(&format!(
        r#"
        path = "{}"
        poster_dir = "posters"
        columns = {{ id = "imdb_id", title = "name", plot = "overview", group = "series", fold = "part" }}
        metadata = {{ numbers = ["runtime"] }}
        genres = {{ vocabulary = ["Drama", "Comedy", "Western"], exclude = ["Short"], min_support = 2 }}
        "#,
        folder.join("nasty.csv").display()
    ))
    .unwrap()
}

#[test]
fn every_problem_is_told_with_place_value_and_mend() {
    let folder = tempfile::tempdir().unwrap();
    let spec = nasty(folder.path());
    let (catalog, problems) = catalog::load(&spec).unwrap();
    let prefix = format!("{}/", folder.path().display());
    let told: Vec<_> =
        problems.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect();
    let expected = fs::read_to_string(data("nasty.problems.txt")).unwrap();
    assert_eq!(told.join("\n") + "\n", expected);

    let kept: Vec<_> = catalog.titles.iter().map(|t| (t.id.as_str(), t.line)).collect();
    let expected = [
        ("tt1", 2),
        ("tt2", 4),
        ("tt5", 10),
        ("tt7", 12),
        ("tt8", 13),
        ("tt9", 14),
        ("tt10", 15),
        ("tt12", 17),
        ("tt13", 18),
        ("tt14", 19),
        ("tt16", 21),
    ];
    assert_eq!(kept, expected);
    assert_eq!(catalog.vocabulary.names(), ["Drama", "Comedy"], "Western has one title");

    let title = |id: &str| catalog.titles.iter().find(|t| t.id.as_str() == id).unwrap();
    assert_eq!(title("tt1").plot.as_deref(), Some("A plot\r\nof \"two\" lines"));
    assert!(title("tt1").poster.as_ref().unwrap().ends_with("posters/here.jpg"));
    assert!(title("tt2").poster.as_ref().unwrap().ends_with("posters/gone.jpg"), "kept");
    assert_eq!((title("tt2").year, title("tt2").fold), (None, None));
    assert_eq!(title("tt5").name, "Am\u{fffd}lie");
    assert_eq!(title("tt9").first_trailer(), None);
    let labels = |id: &str| (title(id).labelled, title(id).genres.len());
    assert_eq!(labels("tt7"), (true, 1), "one genre is known, the other is not");
    assert_eq!(labels("tt8"), (false, 0), "a cell that cannot be read");
    assert_eq!(labels("tt10"), (false, 0), "an empty cell");
    assert_eq!(labels("tt12"), (false, 0), "nothing but an unknown genre");
    assert_eq!(labels("tt13"), (true, 0), "a known genre with too few titles");
    assert_eq!(labels("tt14"), (true, 1), "an excluded genre is no problem");
}

#[test]
fn the_summary_counts_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let summary = catalog::check(&nasty(folder.path())).unwrap();
    assert_eq!((summary.num_titles, summary.num_labelled), (11, 8));
    assert_eq!(summary.num_without_genre, 1);
    let posters = (summary.posters.present, summary.posters.file_missing, summary.posters.absent);
    assert_eq!(posters, (1, 1, 9));
    assert_eq!((summary.trailers.present, summary.plots.present), (1, 3));
    assert_eq!(summary.fields["runtime"], 2);
    assert_eq!(summary.label_cardinality, 8.0 / 8.0);
    assert_eq!(summary.label_density, 0.5);
    assert_eq!(summary.num_groups, 10);
    assert_eq!(summary.folds.into_iter().collect::<Vec<_>>(), [(0, 1), (1, 2), (2, 1)]);
    assert!(summary.problems.iter().any(|p| p.severity == Severity::Error));
    let text = catalog::check(&nasty_again(folder.path())).unwrap().to_string();
    for part in ["11 titles, 8 with genres", "2 genres, 1.00 a title", "Drama", "hint: "] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

fn nasty_again(folder: &Path) -> CatalogSpec {
    fs::remove_dir_all(folder.join("posters")).unwrap();
    nasty(folder)
}

fn told(title: &Title) -> String {
    let mut title = title.clone();
    title.line = 0;
    format!("{title:?}")
}

#[test]
fn csv_and_jsonl_of_one_library_are_one_catalog() {
    let load = |name: &str| catalog::load(&CatalogSpec::new(data(name))).unwrap();
    let (csv, problems) = load("plain.csv");
    assert!(problems.is_empty(), "{problems:?}");
    let (jsonl, problems) = load("plain.jsonl");
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(csv.vocabulary, jsonl.vocabulary);
    assert_eq!(csv.titles.len(), 3);
    for (ours, theirs) in csv.titles.iter().zip(&jsonl.titles) {
        assert_eq!(told(ours), told(theirs));
    }
    assert_eq!(csv.titles[0].fields["language"], "English|French");
    let genres: Vec<_> = csv.titles[0].genres.iter().map(|genre| genre.0).collect();
    assert_eq!(genres, [0, 1], "ascending, though the cell names them the other way round");
    assert_eq!(csv.labels(), [true, true, true, false, false, false]);
    assert_eq!(csv.group_idxs(), [0, 0, 1]);
}

#[test]
fn what_cannot_be_read_at_all_is_an_error_with_a_mend() {
    let folder = tempfile::tempdir().unwrap();
    let error_of = |name: &str, bytes: &[u8], settings: &str| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let spec: CatalogSpec = toml::from_str(&format!("path = {path:?}\n{settings}")).unwrap();
        let error = catalog::load(&spec).unwrap_err();
        (error.to_string(), error.hint().unwrap())
    };
    let cases: &[(&str, &[u8], &str, &str, &str)] = &[
        ("a.csv", b"imdb_id,title\n1,x\n", "", "no column `id`", "catalog.columns.id"),
        ("a.csv", b"id;title\n1;x\n", "", "no column `id`", "';'"),
        (
            "a.csv",
            b"id,overview\n1,x\n",
            "columns = { plot = \"overvew\" }",
            "`overvew`",
            "\"overview\"",
        ),
        (
            "a.csv",
            b"id,lang\n1,x\n",
            "metadata = { numbers = [\"runtime\"] }",
            "`runtime`",
            "metadata",
        ),
        ("a.jsonl", b"{\"name\": 1}\n", "", "no column `id`", "catalog.columns.id"),
        ("a.csv", b"id,title\n", "", "no title", "header"),
        ("a.csv", b"", "", "no title", "header"),
        ("a.csv", b"id,title\n1\n", "", "line 2: 1 cells", "quote"),
        ("a.csv", b"\xff\xfei\0d\0", "", "UTF-16", "UTF-8"),
        ("a.csv", b"\xfe\xff\x4e\x2d\x65\x87", "", "UTF-16", "UTF-8"),
        ("a.csv", b"\xff\xfe\x2d\x4e\x87\x65", "", "UTF-16", "UTF-8"),
        ("a.xlsx", b"PK", "", "ending", "catalog.format"),
        ("a.csv", b"id\n1\n", "delimiter = \"\\\"\"", "delimiter", "\\t"),
        ("a.csv", b"id,\"title\n1\n", "", "the header, line 1", "quote"),
        ("a.csv", b"id\n1\n", "genres = { vocabulary = [] }", "genres.vocabulary", "name"),
        ("a.csv", b"id\n1\n", "genres = { vocabulary = \"no.txt\" }", "no.txt", "path"),
    ];
    for (name, bytes, settings, message, hint) in cases {
        let (error, mend) = error_of(name, bytes, settings);
        assert!(error.contains(message), "{error:?} lacks {message:?}");
        assert!(mend.contains(hint), "{mend:?} lacks {hint:?}");
    }
    let absent = catalog::load(&CatalogSpec::new("no/such.csv")).unwrap_err();
    assert!(absent.to_string().contains("no/such.csv") && absent.hint().is_some());
}

fn movies(folder: &Path) -> CatalogSpec {
    toml::from_str(&format!(
        r#"
        path = "{}"
        poster_dir = "posters"
        columns = {{ id = "imdb_id", group = "group", fold = "fold" }}
        metadata = {{ numbers = ["runtime_min"], categories = ["language", "country", "mpaa"], people = ["director", "writer", "actors"] }}
        genres = {{ separator = "|", min_support = 60 }}
        "#,
        folder.join("movies.csv").display()
    ))
    .unwrap()
}

/// Largest and mean distance of a genre's share in a fold from its share in all, in per cent of
/// the latter.
fn unevenness(catalog: &catalog::Catalog, folds: &Folds) -> (f64, f64) {
    let (labels, num_genres) = (catalog.labels(), catalog.vocabulary.len());
    let share = |rows: &[usize], genre: usize| {
        let having = rows.iter().filter(|&&row| labels[row * num_genres + genre]).count();
        having as f64 / rows.len() as f64
    };
    let all: Vec<usize> = (0..catalog.titles.len()).collect();
    let mut distances = Vec::new();
    for fold in 0..folds.num_folds {
        let rows = folds.rows_in(fold);
        for genre in 0..num_genres {
            let whole = share(&all, genre);
            distances.push(100.0 * (share(&rows, genre) - whole).abs() / whole);
        }
    }
    let largest = distances.iter().copied().fold(0.0, f64::max);
    (largest, distances.iter().sum::<f64>() / distances.len() as f64)
}

#[test]
fn the_real_library_is_read_whole() {
    let Some(folder) = shared("movies") else { return };
    let spec = movies(&folder);
    let (catalog, problems) = catalog::load(&spec).unwrap();
    let summary = CatalogSummary::new(&spec.path, &catalog, problems);
    println!("{summary}");
    assert_eq!((summary.num_titles, summary.num_labelled), (4890, 4890));
    assert_eq!(summary.genres.len(), 20);
    let drama = summary.genres.iter().find(|g| g.name == "Drama").unwrap();
    assert_eq!(drama.num_titles, 2470);
    assert_eq!((summary.posters.present, summary.posters.file_missing), (4732, 0));
    assert_eq!((summary.plots.present, summary.plots.absent), (4290, 600));
    assert_eq!(summary.num_groups, 4618);
    assert_eq!(summary.folds.into_values().collect::<Vec<_>>(), [999, 932, 942, 1023, 994]);
    let rare: Vec<_> = summary.problems.iter().filter_map(|p| p.value.as_deref()).collect();
    assert_eq!(rare, ["News", "Reality-TV", "Short", "Western"], "{:?}", summary.problems);

    let given = Folds::from_catalog(&catalog).unwrap();
    let made = stratified_group_folds(&catalog, 5, Seed(7)).unwrap();
    let (given_worst, given_mean) = unevenness(&catalog, &given);
    let (made_worst, made_mean) = unevenness(&catalog, &made);
    println!("genre shares per fold off by (worst, mean) per cent:");
    println!(
        "the catalog's folds {given_worst:.1}, {given_mean:.1}; ours {made_worst:.1}, {made_mean:.1}"
    );
    assert!(made_mean * 4.0 < given_mean && made_worst * 2.0 < given_worst);

    let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
    let Opened::Records(reader) = Metadata.open(&json!({}), &context).unwrap() else { panic!() };
    let records: Vec<_> = catalog.titles.iter().map(|title| reader.record(title)).collect();
    let first = records[0].as_ref().unwrap();
    assert_eq!(first.numbers, [Some(1983.0), Some(91.0)]);
    let people: Vec<_> = first.categories[3..].iter().flatten().map(String::as_str).collect();
    let expected = [
        "Michael Chapman",
        "Pat Jordan",
        "Michael Kane",
        "Tom Cruise",
        "Craig T. Nelson",
        "Lea Thompson",
        "Charles Cioffi",
    ];
    assert_eq!(people, expected);
    let with_runtime = records.iter().flatten().filter(|r| r.numbers[1].is_some()).count();
    assert_eq!(with_runtime, 4856, "34 have none");
}

#[test]
fn the_open_films_are_read_whole() {
    let Some(folder) = shared("demo_open") else { return };
    let mut spec = CatalogSpec::new(folder.join("movies.csv"));
    spec.poster_dir = Some("posters".into());
    spec.trailer_dir = Some("trailers".into());
    spec.genres.vocabulary = Some(VocabularySpec::Source("imdb".into()));
    spec.genres.exclude = vec!["Short".to_owned()];
    let (catalog, problems) = catalog::load(&spec).unwrap();
    assert!(problems.iter().all(|p| p.severity == Severity::Note), "{problems:?}");
    let names = [
        "Action",
        "Adventure",
        "Animation",
        "Comedy",
        "Drama",
        "Family",
        "Fantasy",
        "Romance",
        "Sci-Fi",
    ];
    assert_eq!(catalog.vocabulary.names(), names);
    assert_eq!(catalog.titles.len(), 3);
    for title in &catalog.titles {
        assert!(
            title.first_trailer().unwrap().is_file() && title.poster.as_ref().unwrap().is_file()
        );
        assert!(title.labelled && title.year.is_some() && title.fields.contains_key("licence"));
    }
    let (found, _) = catalog::from_paths(&[folder]).unwrap();
    let found: Vec<_> = found.titles.iter().map(|t| (t.id.as_str(), t.poster.is_some())).collect();
    assert_eq!(found, [("big_buck_bunny", true), ("sintel", true), ("tears_of_steel", true)]);
}
