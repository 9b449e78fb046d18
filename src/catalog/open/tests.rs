//! Folders made by the tests, and what is seen in them.

use std::slice::from_ref;

use base::Hinted;

use super::*;
use crate::Title;

fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn seen(folder: &tempfile::TempDir) -> Opened {
    open(&[folder.path().to_owned()], &Hints::default()).unwrap()
}

fn ids(titles: &[Title]) -> Vec<&str> {
    titles.iter().map(|title| title.id.as_str()).collect()
}

#[test]
fn films_are_read_with_their_sidecars_places() {
    let folder = folder_of(&[
        (
            "a/Heat (1995)/movie.nfo",
            "<movie><title>Heat!</title><plot>Two men.</plot>\
             <director>A</director><director>B</director><genre>Crime</genre></movie>",
        ),
        ("a/Heat (1995)/poster.jpg", ""),
        ("a/Heat (1995)/trailer.mp4", ""),
        ("b/Alien (1979)/Alien (1979).mkv", ""),
        ("b/Alien (1979)/Alien (1979)-trailer.mp4", ""),
        ("c/Show/tvshow.nfo", "<tvshow><title>Show</title></tvshow>"),
        ("d/Broken (2001)/movie.nfo", "<movie><title>x</movie>"),
    ]);
    let root = folder.path();
    let found = seen(&folder);
    assert_eq!((found.seen, &found.root, &found.file), (Seen::Library, &root.to_owned(), &None));
    let [heat, alien, broken] = &found.catalog.titles[..] else { panic!("{found:?}") };
    assert_eq!(
        (heat.id.as_str(), heat.name.as_str(), heat.year),
        ("a/Heat (1995)", "Heat!", Some(1995))
    );
    assert_eq!((heat.plot.as_deref(), heat.fields["director"].as_str()), (Some("Two men."), "A|B"));
    assert!(heat.poster.is_some() && heat.first_trailer().is_some());
    assert!(alien.first_trailer().is_some() && alien.plot.is_none(), "the film is no trailer");
    assert_eq!(broken.name, "Broken");
    let [of_nfo, of_show] = &found.problems[..] else { panic!("{:?}", found.problems) };
    assert_eq!((of_nfo.kind, of_show.kind), (ProblemKind::BadSidecar, ProblemKind::LeftOut));
    assert_eq!(found.rows_left_out(), 0);
    let nfos =
        ["a/Heat (1995)/movie.nfo", "b/Alien (1979)/Alien (1979).nfo", "d/Broken (2001)/movie.nfo"];
    let places: Vec<_> = found.places.iter().map(|place| place.nfos.clone()).collect();
    assert_eq!(places, nfos.map(|nfo| vec![root.join(nfo)]));
}

#[test]
fn every_nfo_of_a_film_is_its_own_and_new_ones_lie_where_they_are_looked_for() {
    let nfo = |name: &str| format!("<movie><title>{name}</title><plot>{name}.</plot></movie>");
    let folder = folder_of(&[
        ("A (1999)/A (1999) - 1080p.mkv", ""),
        ("A (1999)/A (1999) - 1080p.nfo", "<movie><title>broken"),
        ("A (1999)/A (1999) - 4K.mkv", ""),
        ("A (1999)/A (1999) - 4K.nfo", &nfo("Four")),
        ("A (1999)/movie.nfo", &nfo("Movie")),
        ("A (1999)/poster.jpg", ""),
        ("B (2000)/VIDEO_TS/VIDEO_TS.nfo", &nfo("Disc")),
        ("C (2001) [tmdbid-603]/VIDEO_TS/VIDEO_TS.IFO", ""),
        ("D (2002) [imdbid-tt9900001]/bdmv/index.bdmv", ""),
        ("E (2003)/E (2003).mkv", ""),
        ("E (2003)/E (2003) - Uncut.mkv", ""),
    ]);
    let found = seen(&folder);
    let titles = &found.catalog.titles;
    let names: Vec<&str> = titles.iter().map(|title| title.name.as_str()).collect();
    assert_eq!(names, ["Four", "Disc", "C", "D", "E"]);
    assert_eq!(titles[0].id.as_str(), "A (1999)");
    assert!(titles[0].poster.is_some() && titles[1].plot.is_some());
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    let places = found.places.iter();
    let nfos: Vec<Vec<PathBuf>> = places.map(|place| place.nfos.clone()).collect();
    let expected = [
        &["A (1999)/A (1999) - 1080p.nfo", "A (1999)/A (1999) - 4K.nfo", "A (1999)/movie.nfo"][..],
        &["B (2000)/VIDEO_TS/VIDEO_TS.nfo"],
        &["C (2001) [tmdbid-603]/VIDEO_TS/VIDEO_TS.nfo"],
        &["D (2002) [imdbid-tt9900001]/D (2002) [imdbid-tt9900001].nfo"],
        &["E (2003)/movie.nfo"],
    ];
    let absolute = |nfos: &&[&str]| nfos.iter().map(|nfo| folder.path().join(nfo)).collect();
    let expected: Vec<Vec<PathBuf>> = expected.iter().map(absolute).collect();
    assert_eq!(nfos, expected);
    let ids = |idx: usize| &found.places[idx].ids;
    assert_eq!((ids(2).tmdb.as_deref(), ids(3).imdb.as_deref()), (Some("603"), Some("tt9900001")));
}

#[test]
fn videos_alone_are_no_library() {
    let seen = |files: &[&str]| {
        let files: Vec<_> = files.iter().map(|&file| (file, "")).collect();
        let found = seen(&folder_of(&files));
        (found.seen, found.catalog.titles)
    };
    let is_library = |files: &[&str]| seen(files).0 == Seen::Library;
    assert!(!is_library(&["one.mp4", "two.mp4"]));
    assert!(!is_library(&["one.mp4", "two_trailer.mp4"]), "both may be trailers");
    assert!(!is_library(&["trailers/one.mp4", "trailers/two.mp4"]));
    assert!(is_library(&["one.mp4", "one.trailer.mp4", "two.mp4"]));
    assert!(is_library(&["one/film.mp4", "two (2001)/trailer.mp4"]));
    let several = ["A (2001)/A (2001).mkv", "A (2001)/Trailers/1.mp4", "A (2001)/trailer.mp4"];
    let (seen, titles) = seen(&several);
    assert_eq!((seen, titles[0].trailers.len()), (Seen::Library, 2));
}

#[test]
fn a_library_is_read_like_the_one_that_a_model_was_trained_on() {
    let folder = folder_of(&[
        (
            "A (1999)/movie.nfo",
            "<movie><title>A</title><plot>P.</plot><tagline>T.</tagline><set>S</set>\
             <director>D</director></movie>",
        ),
        ("A (1999)/A (1999).srt", "1\n00:00:01,000 --> 00:00:02,000\nWho is there?\n"),
        ("A (1999)/A (1999).mkv", ""),
    ]);
    let read = |trained: &[CatalogSpec]| {
        let hints = Hints { trained, ..Hints::default() };
        let mut found = open(&[folder.path().to_owned()], &hints).unwrap();
        found.catalog.titles.remove(0)
    };
    let table = CatalogSpec::new("films.csv");
    let title = read(from_ref(&table));
    assert_eq!((title.plot.as_deref(), title.group.as_deref()), (Some("P."), Some("S")));
    assert!(!title.fields.contains_key("dialogue"), "nobody was taught by it");
    let mut library = CatalogSpec { format: Format::Source("library"), ..table.clone() };
    library.columns.plot = Some("tagline".to_owned());
    library.columns.group = Some(String::new());
    library.needs = vec![crate::Need::Genres];
    let title = read(&[table.clone(), library]);
    assert_eq!((title.plot.as_deref(), title.group), (Some("T."), None), "all of it as declared");
    assert_eq!(title.fields["dialogue"], "Who is there?");
    let mut imported = table;
    imported.columns.id = Some("imdb_id".to_owned());
    imported.columns.transcript = Some("dialogue".to_owned());
    imported.columns.plot = Some("summary".to_owned());
    let title = read(&[imported]);
    assert_eq!((title.id.as_str(), title.plot.as_deref()), ("A (1999)", Some("P.")));
    assert_eq!(title.transcript.as_deref(), Some("Who is there?"));
}

#[test]
fn files_of_any_name_are_found_whatever_a_cell_would_make_of_it() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = folder_of(&[("a [REC] | b (2001) /trailer.mp4", "")]);
    let odd = folder.path().join(OsStr::from_bytes(b"B\xf6se (2002)"));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("trailer.mp4"), "").unwrap();
    let found = seen(&folder);
    assert_eq!(ids(&found.catalog.titles)[1], "a [REC] | b (2001) ");
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let mut trailers = found.catalog.titles.iter().flat_map(|title| &title.trailers);
    assert!(trailers.all(|trailer| trailer.is_file()));
}

#[test]
fn what_is_reached_twice_comes_once() {
    let nfo = "<movie><title>A</title></movie>";
    let folder = folder_of(&[("x/A (1999)/movie.nfo", nfo), ("x/B (2000)/movie.nfo", nfo)]);
    let paths = ["x", "x/B (2000)"].map(|name| folder.path().join(name));
    let found = open(&paths, &Hints::default()).unwrap();
    assert_eq!((found.catalog.titles.len(), found.rows_left_out()), (2, 0));
}

#[test]
fn titles_of_a_catalog_have_sidecars_that_file_systems_take() {
    let nfo = |id: &str| {
        let title = Title::new(base::TitleId::new(id));
        TitlePlace::of_title(&title, Path::new("films")).nfos
    };
    for (id, name) in [("tt1", "tt1"), ("a/b:c", "a_b_c"), ("..", "_"), ("Ä?", "Ä_")] {
        assert_eq!(nfo(id), [Path::new("films").join(format!("{name}.nfo"))]);
    }
}

#[test]
fn a_column_of_ids_is_named_or_rows_are_numbered() {
    let folder = folder_of(&[
        ("films.csv", "key,title,summary\nx,A,One.\ny,B,Two.\n"),
        ("films.jsonl", "{\"title\": \"A\"}\n{\"title\": \"B\", \"summary\": \"Two.\"}\n"),
    ]);
    let mut trained = CatalogSpec::new("trained.csv");
    trained.columns.plot = Some("summary".to_owned());
    trained.columns.id = Some("imdb_id".to_owned());
    let read = |name: &str, id_column| {
        let trained = from_ref(&trained);
        let hints = Hints { trained, id_column, ..Hints::default() };
        open(&[folder.path().join(name)], &hints)
    };
    let found = read("films.csv", Some("key")).unwrap();
    assert_eq!(ids(&found.catalog.titles), ["x", "y"]);
    let plot = found.catalog.titles[0].plot.as_deref();
    assert_eq!(plot, Some("One."), "other columns are the bundle's");
    for name in ["films.csv", "films.jsonl"] {
        let found = read(name, None).unwrap();
        assert_eq!(ids(&found.catalog.titles), ["1", "2"], "{name}");
        assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    }
    let error = read("films.csv", Some("kye")).unwrap_err();
    assert!(error.hint().unwrap().contains("\"key\""), "{:?}", error.hint());
}

#[test]
fn a_folders_catalog_is_the_one_table_with_media_that_are_there() {
    let tags = "id,title,genre,probability,threshold,decision\na,A,Drama,1,1,true\n";
    let files = [
        ("films.csv", "id,trailer\na,a.mp4\nb,none.mp4\n"),
        ("gone.jsonl", "{\"id\": \"a\", \"poster\": \"none.jpg\"}\n"),
        ("tags.csv", tags),
        ("trailers/a.mp4", ""),
    ];
    let folder = folder_of(&files);
    let found = seen(&folder);
    assert_eq!(found.seen, Seen::CatalogInside);
    assert_eq!(found.file.as_deref(), Some(&*folder.path().join("films.csv")));
    assert_eq!(ids(&found.catalog.titles), ["a", "b"]);
    let spec = declare(folder.path()).unwrap();
    assert_eq!((spec.path, spec.format), (folder.path().join("films.csv"), Format::Auto));

    let hints = Hints { id_column: Some("ide"), ..Hints::default() };
    assert!(open(&[folder.path().to_owned()], &hints).unwrap_err().to_string().contains("`ide`"));
    fs::write(folder.path().join("more.tsv"), "id\tposter\nc\ttrailers/a.mp4\n").unwrap();
    assert_eq!(seen(&folder).seen, Seen::Media, "which of two is not known");
    assert_eq!(declare(folder.path()).unwrap().format, Format::Source("trailers"));
}

#[test]
fn what_will_not_do_is_told_with_its_mend() {
    let folder = folder_of(&[("films.csv", "id,title\na,A\n"), ("one.mp4", "")]);
    let path = |name: &str| folder.path().join(name);
    let told = |paths: &[PathBuf], hints: &Hints<'_>| {
        let error = open(paths, hints).unwrap_err();
        assert!(error.kind() == base::ErrorKind::Usage && error.hint().is_some(), "{error}");
        error.to_string()
    };
    let usual = Hints::default();
    let only_library = Hints { only_library: true, ..usual };
    assert!(told(&[path("one.mp4"), path("films.csv")], &usual).contains("stands alone"));
    assert!(told(&[path("films.csv")], &only_library).contains("no media library"));
    assert!(told(&[folder.path().to_owned()], &only_library).contains("no media library"));
    assert!(told(&[path("none")], &usual).contains("cannot be read"));
    let real = Hints { real_paths: true, ..usual };
    assert!(told(&[path("none")], &real).contains("none: cannot be read ("));
}

#[test]
fn a_declaration_holds_for_files_and_sources() {
    let nfo = "<movie><title>A</title></movie>";
    let folder = folder_of(&[
        ("films.txt", "name;plot\na;P.\n"),
        ("library/A (1999)/movie.nfo", nfo),
        ("library/Show/tvshow.nfo", "<tvshow/>"),
    ]);
    let mut table = CatalogSpec { format: Format::Csv, ..CatalogSpec::new("trained.csv") };
    table.delimiter = Some(';');
    table.columns.id = Some("name".to_owned());
    let read = |spec: &CatalogSpec, name: &str| {
        let hints = Hints { declared: Some(spec), trained: from_ref(spec), ..Hints::default() };
        open(&[folder.path().join(name)], &hints).map(|found| found.catalog.titles)
    };
    assert_eq!(ids(&read(&table, "films.txt").unwrap()), ["a"]);
    assert_eq!(ids(&read(&table, "library").unwrap()), ["A (1999)"], "as seen");
    let library = CatalogSpec { format: Format::Source("library"), ..CatalogSpec::new("films") };
    assert_eq!(ids(&read(&library, "library").unwrap()), ["A (1999)", "Show"], "as declared");
    table.columns.plot = Some("summary".to_owned());
    assert!(read(&table, "films.txt").is_err(), "not read in another way");
}

#[test]
fn roots_are_the_libraries_or_what_was_written_to_before() {
    let nfo = "<movie/>";
    let folder = folder_of(&[("a/x/A/movie.nfo", nfo), ("b/B/movie.nfo", nfo), ("a/.mark/m", "")]);
    let path = |name: &str| folder.path().join(name);
    let roots = |names: &[&str]| {
        let hints = Hints { marker: Some(".mark"), ..Hints::default() };
        let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
        open(&paths, &hints).unwrap().roots
    };
    assert_eq!(roots(&["a/x"]), [path("a")]);
    assert_eq!(roots(&["a/x", "b/B"]), [path("a"), path("b")]);
    let found = open(&[path("a/x"), path("b")], &Hints::default()).unwrap();
    assert_eq!(ids(&found.catalog.titles), ["a/x/A", "b/B"]);
    assert_eq!((found.root, found.roots), (folder.path().to_owned(), vec![path("a/x"), path("b")]));
}
