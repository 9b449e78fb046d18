//! Every kind of source: a sample in its form, with invented content, and the catalog that an
//! import makes of it. `CINETAG_UPDATE=1` writes the golden catalogs anew.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use cinetag::{
    base::Hinted,
    catalog::{
        self, CatalogSpec, Format,
        import::{CATALOG_FILE, Decisions, Origin, PARQUET_FILE, import},
        source::{self, SOURCES},
    },
};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data/sources")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// A kind's sample in a folder of its own; what is no text is made of what is.
fn sample(kind: &str, folder: &Path) -> PathBuf {
    let path = folder.join(kind);
    match kind {
        "webdataset" => {
            fs::create_dir_all(&path).unwrap();
            let mut shard = tar::Builder::new(File::create(path.join("films-0.tar")).unwrap());
            let lock =
                r#"{"title": "The Quiet Lock", "year": 1995, "genres": ["Drama", "Thriller"]}"#;
            for (name, content) in [
                ("0001.json", lock),
                ("0001.jpg", "not a picture"),
                ("0001.mp4", "not a film"),
                ("a/0002.txt", "A robot counts the snow."),
                ("a/0002.json", "[1]"),
                ("README", "of no sample"),
            ] {
                let mut header = tar::Header::new_gnu();
                header.set_size(content.len() as u64);
                header.set_mode(0o644);
                header.set_cksum();
                shard.append_data(&mut header, name, content.as_bytes()).unwrap();
            }
            shard.finish().unwrap();
        }
        "parquet" => {
            let out = folder.join("before");
            run("tmdb", &sample("tmdb", folder), &out);
            return out.join(PARQUET_FILE);
        }
        _ => copy(&data().join(kind), &path),
    }
    if kind == "kaggle" { path.join("films.csv") } else { path }
}

fn origin(kind: &str, path: &Path) -> Origin {
    Origin { source: source::find(kind).unwrap(), path: path.to_owned() }
}

fn run(kind: &str, path: &Path, out: &Path) -> Decisions {
    import(&origin(kind, path), &[], out).unwrap_or_else(|e| panic!("{kind}: {e}"))
}

/// Titles, and what was decided about them, without the folders of this run.
fn told(decisions: &Decisions, folder: &Path, out: &Path) -> String {
    let mut text = fs::read_to_string(out.join(CATALOG_FILE)).unwrap();
    for note in &decisions.input.notes {
        let _ = writeln!(text, "# {note}");
    }
    for (reason, left_out) in &decisions.input.left_out {
        let _ =
            writeln!(text, "# left out: {} {reason}: {:?}", left_out.num_titles, left_out.examples);
    }
    for problem in &decisions.input.problems {
        let _ = writeln!(text, "# {}", problem.to_string().replace('\n', " "));
    }
    let real = |path: &Path| fs::canonicalize(path).unwrap().display().to_string();
    text.replace(&real(out), "OUT").replace(&real(folder), "SAMPLE")
}

#[test]
fn every_kind_gives_its_golden_catalog() {
    assert!(SOURCES.len() >= 11);
    for source in SOURCES {
        let kind = source.name();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let path = sample(kind, folder.path());
        let decisions = run(kind, &path, &out);
        let found = told(&decisions, folder.path(), &out);
        let golden = data().join(format!("{kind}.golden"));
        if std::env::var_os("CINETAG_UPDATE").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(&golden).unwrap_or_default(), "{kind}");
        assert!(!source.about().is_empty() && !source.terms().is_empty());
        // What the decisions say of the catalog is what a pipeline finds in it.
        let mut summary = catalog::check(&CatalogSpec::new(out.join(CATALOG_FILE))).unwrap();
        let said = decisions.catalog.unwrap();
        summary.fields.clone_from(&said.fields);
        assert_eq!(said, summary, "{kind}");
    }
}

#[test]
fn a_pipeline_reads_every_kind_directly() {
    for source in SOURCES {
        let folder = tempfile::tempdir().unwrap();
        let path = sample(source.name(), folder.path());
        let text = format!("path = {path:?}\nformat = {:?}", source.name());
        let spec: CatalogSpec = toml::from_str(&text).unwrap();
        assert_eq!(spec.format, Format::Source(source.name()));
        let (direct, _) = catalog::load(&spec).unwrap();
        let out = folder.path().join("out");
        let imported = run(source.name(), &path, &out);
        assert_eq!(direct.titles.len(), imported.num_titles, "{}", source.name());
        let again = catalog::load(&CatalogSpec::new(out.join(CATALOG_FILE))).unwrap().0;
        for (direct, imported) in direct.titles.iter().zip(&again.titles) {
            assert_eq!(direct.id, imported.id);
            assert_eq!(direct.year, imported.year, "{}", direct.id);
            assert_eq!(direct.genres, imported.genres, "{}", direct.id);
        }
    }
}

#[test]
fn what_is_no_source_is_an_error_with_a_mend() {
    for source in SOURCES {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let absent = import(&origin(source.name(), &folder.path().join("none")), &[], &out);
        let error = absent.err().unwrap_or_else(|| panic!("{} of nothing", source.name()));
        assert!(error.to_string().contains("none") && error.hint().is_some(), "{error}");
        let noise = folder.path().join("noise");
        fs::create_dir(&noise).unwrap();
        for name in ["a.json", "b.csv", "c.tar", "title.basics.tsv", "movies.csv"] {
            fs::write(noise.join(name), b"\x00\x01 nothing of this kind").unwrap();
        }
        let error = import(&origin(source.name(), &noise), &[], &out).err();
        let error = error.unwrap_or_else(|| panic!("{} of noise", source.name()));
        assert!(error.hint().is_some(), "{}: {error}", source.name());
        assert!(!out.join(CATALOG_FILE).exists(), "{}", source.name());
    }
}

#[test]
fn a_cut_dump_is_an_error_and_leaves_no_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let path = sample("imdb", folder.path());
    let text = fs::read(path.join("title.basics.tsv")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut encoder, &text).unwrap();
    let gz = encoder.finish().unwrap();
    let basics = path.join("title.basics.tsv.gz");
    fs::write(&basics, &gz).unwrap();
    fs::remove_file(path.join("title.basics.tsv")).unwrap();
    let out = folder.path().join("out");
    assert_eq!(run("imdb", &path, &out).num_titles, 4);
    let cut_out = folder.path().join("cut");
    fs::write(&basics, &gz[..gz.len() - 12]).unwrap();
    let error = import(&origin("imdb", &path), &[], &cut_out).err().unwrap();
    assert!(error.to_string().contains("title.basics") && error.hint().is_some(), "{error}");
    assert!(!cut_out.join(CATALOG_FILE).exists());
}

#[test]
fn sources_are_joined_by_id_then_by_name_year_and_people() {
    let folder = tempfile::tempdir().unwrap();
    let first = sample("library", folder.path());
    fs::rename(first.join("Loose/Boat.nfo"), folder.path().join("Boat.nfo")).unwrap();
    let others =
        ["imdb", "movielens", "tmdb"].map(|kind| origin(kind, &sample(kind, folder.path())));
    let out = folder.path().join("out");
    let decisions = import(&origin("library", &first), &others, &out).unwrap();
    let [imdb, movielens, tmdb] = &decisions.joins[..] else { panic!() };
    // The Quiet Lock by its id; Tin Winter is not in the dump, Boat nowhere.
    assert_eq!((imdb.by_id, imdb.by_title_year, imdb.unmatched), (1, 0, 2));
    // Tin Winter (2009) by name and year: the file says nothing of people.
    assert_eq!((movielens.by_id, movielens.by_title_year, movielens.num_doubtful), (1, 1, 1));
    assert!(movielens.doubtful[0].joined && movielens.doubtful[0].candidates == ["2"]);
    assert!((movielens.rate - 2.0 / 3.0).abs() < 1e-9);
    // MovieLens knows no director of Tin Winter either.
    assert_eq!((tmdb.by_id, tmdb.by_title_year), (1, 1));
    let titles = fs::read_to_string(out.join(CATALOG_FILE)).unwrap();
    let of = |id: &str| -> serde_json::Value {
        let line = titles.lines().find(|line| line.contains(id)).unwrap();
        serde_json::from_str(line).unwrap()
    };
    let lock = of("The Quiet Lock (1995)");
    assert_eq!(lock["genres"], serde_json::json!(["Drama", "Thriller"]));
    assert_eq!(lock["movielens_id"], "1");
    assert_eq!(lock["imdb_votes"], 1200);
    assert_eq!(lock["actors"], serde_json::json!(["First Player", "Second Player"]));
    assert_eq!(lock["dialogue"], "Who is there?");
    assert_eq!(of("Tin Winter (2009)")["genres"], serde_json::json!(["Action", "Sci-Fi"]));
}
