//! Whole runs over a small library.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base::Digest;
use curation::reviews::{self, Answer, Session, Words};
use jiff::Timestamp;

use super::*;
use crate::{
    TagSink,
    format::{
        FilmIds, NewNfo, Tagged,
        nfo::tests::{KODI, RADARR, genres_in, samples},
        registry,
    },
    testing::{tags_of, title_of},
};

#[test]
fn a_new_file_is_made_only_where_it_was_asked_for() {
    let tree = Tree::new(None);
    let run = |new_nfo, imdb: Option<&str>| {
        let header = RunHeader {
            began: Timestamp::from_second(1_000_000_000).unwrap(),
            cinetag: "0".to_owned(),
            model: "m@1".to_owned(),
            format: "nfo".to_owned(),
            bundle: None,
        };
        let ids = FilmIds { imdb: imdb.map(str::to_owned), tmdb: None };
        let places = vec![Place { target: "Film (1995)/movie.nfo".into(), origin: None, ids }];
        let writer = SidecarWriter::new(tree.root(), registry::SIDECAR, places, header, None);
        let mut writer = writer.unwrap().making(new_nfo);
        let inputs = Digest::of_bytes(b"a");
        if writer.wants(0, &inputs) {
            let (title, tags) = (title_of("film"), tags_of(&["Drama"]));
            writer.write(0, Tagged { title: &title, tags: &tags }, inputs).unwrap();
        }
        let report = writer.finish();
        (report.num_new, report.num_changed, report.num_not_made)
    };
    assert_eq!(run(NewNfo::WithId, None), (0, 0, 1));
    assert_eq!(run(NewNfo::Never, Some("tt9900001")), (0, 0, 1));
    assert!(!tree.nfo().exists() && !tree.root().join(FOLDER).exists());
    assert_eq!(run(NewNfo::WithId, Some("tt9900001")), (1, 0, 0));
    fs::write(tree.nfo(), RADARR).unwrap();
    fs::remove_dir_all(tree.root().join(FOLDER)).unwrap();
    assert_eq!(run(NewNfo::Never, None), (0, 1, 0), "one that is there is another matter");
}

/// A library of one film, tagged by `run`s.
struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    fn new(nfo: Option<&[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("Film (1995)")).unwrap();
        let tree = Self { folder };
        if let Some(nfo) = nfo {
            fs::write(tree.nfo(), nfo).unwrap();
        }
        tree
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn nfo(&self) -> PathBuf {
        self.root().join("Film (1995)/movie.nfo")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.nfo()).unwrap()
    }

    /// A run with inputs of this name.
    fn run(&self, genres: &[&str], inputs: &str) -> SidecarReport {
        self.run_in(self.root(), genres, inputs, registry::SIDECAR)
    }

    fn run_in(
        &self,
        tree: &Path,
        genres: &[&str],
        inputs: &str,
        format: &'static dyn crate::format::TagFormat,
    ) -> SidecarReport {
        let header = RunHeader {
            began: Timestamp::from_second(1_000_000_000).unwrap(),
            cinetag: "0".to_owned(),
            model: "m@1".to_owned(),
            format: format.name().to_owned(),
            bundle: None,
        };
        let target = PathBuf::from("Film (1995)/movie").with_extension(format.extension());
        let origin = (tree != self.root()).then(|| self.root().join(&target));
        let places = vec![Place { target, origin, ids: FilmIds::default() }];
        let mut writer = SidecarWriter::new(tree, format, places, header, None).unwrap();
        let inputs = Digest::of_bytes(inputs.as_bytes());
        if writer.wants(0, &inputs) {
            let (title, tags) = (title_of("film"), tags_of(genres));
            writer.write(0, Tagged { title: &title, tags: &tags }, inputs).unwrap();
        }
        writer.finish()
    }
}

#[test]
fn a_run_is_undone_byte_for_byte() {
    for original in samples() {
        let tree = Tree::new(Some(&original));
        let run = tree.run(&["Thriller"], "a").run.unwrap();
        assert_ne!(tree.bytes(), original);
        assert_eq!(last_run(tree.root(), Path::new("")).unwrap(), Some(run.clone()));
        let undone = undo(tree.root(), Path::new(""), &run, false).unwrap();
        assert_eq!((undone.restored.len(), undone.changed_since.len()), (1, 0));
        assert_eq!(tree.bytes(), original);
        assert_eq!(
            undo(tree.root(), Path::new(""), &run, false).unwrap().restored.len(),
            0,
            "once is enough"
        );
        assert_eq!(last_run(tree.root(), Path::new("")).unwrap(), None);
        // Undone is not taken out: it may be given again.
        assert_eq!(tree.run(&["Thriller"], "a").num_changed, 1);
    }
    let tree = Tree::new(None);
    let run = tree.run(&["Thriller"], "a").run.unwrap();
    undo(tree.root(), Path::new(""), &run, false).unwrap();
    assert!(!tree.nfo().exists(), "a new file goes again");
}

#[test]
fn undoing_leaves_what_was_changed_since() {
    let tree = Tree::new(Some(KODI));
    let run = tree.run(&["Thriller"], "a").run.unwrap();
    let edited = String::from_utf8(tree.bytes()).unwrap().replace("locks", "keys").into_bytes();
    fs::write(tree.nfo(), &edited).unwrap();
    let undone = undo(tree.root(), Path::new(""), &run, false).unwrap();
    assert_eq!((undone.restored.len(), undone.changed_since.len()), (0, 1));
    assert_eq!(tree.bytes(), edited);
    assert_eq!(undo(tree.root(), Path::new(""), &run, true).unwrap().restored.len(), 1);
    assert_eq!(tree.bytes(), KODI);
    let kept = tree.root().join(FOLDER).join("before").join(Digest::of_bytes(&edited).to_string());
    assert_eq!(fs::read(kept).unwrap(), edited, "even what was forced is not lost");
    let error = undo(tree.root(), Path::new(""), "20000101-000000", false).unwrap_err();
    assert!(base::Hinted::hint(&error).unwrap().contains(&run), "{error}");
}

#[test]
fn equal_inputs_are_not_looked_at_and_equal_tags_not_written() {
    let tree = Tree::new(Some(KODI));
    assert_eq!(tree.run(&["Thriller"], "a").num_changed, 1);
    let once = tree.bytes();
    let modified = || fs::metadata(tree.nfo()).unwrap().modified().unwrap();
    let time = modified();
    let second = tree.run(&["Horror"], "a");
    assert_eq!((second.num_unchanged, second.run), (1, None), "inputs decide, not the tags");
    let third = tree.run(&["Thriller"], "b");
    assert_eq!((third.num_same, third.num_changed), (1, 0));
    assert_eq!((tree.bytes(), modified()), (once, time));
    assert_eq!(tree.run(&["Horror"], "b").num_unchanged, 1, "it is remembered");
}

#[test]
fn a_human_edit_between_two_runs_survives() {
    let tree = Tree::new(Some(KODI));
    tree.run(&["Thriller", "Horror"], "a");
    let edit = |from: &str, to: &str| {
        let text = String::from_utf8(tree.bytes()).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(tree.nfo(), text.replace(from, to)).unwrap();
    };
    edit("    <genre>Horror</genre>\n", "");
    edit("<tag>locks</tag>", "<tag>locks</tag><!-- mine --><genre>Heist</genre>");
    tree.run(&["Horror", "War"], "b");
    assert_eq!(genres_in(&tree.bytes()), ["Drama", "Mystery", "Heist", "War"]);
    tree.run(&["Horror", "Heist"], "c");
    assert_eq!(genres_in(&tree.bytes()), ["Drama", "Mystery", "Heist"]);
    assert!(String::from_utf8(tree.bytes()).unwrap().contains("<!-- mine -->"));
}

#[test]
fn a_crash_between_a_write_and_its_line_is_seen() {
    let tree = Tree::new(Some(KODI));
    let run = tree.run(&["Thriller"], "a").run.unwrap();
    let journal = tree.root().join(FOLDER).join("runs").join(format!("{run}.jsonl"));
    let text = fs::read_to_string(&journal).unwrap();
    let cut = text.find("{\"event\":\"done\"").unwrap();
    // The line is missing, or half of it is there.
    for end in [cut, cut + 9] {
        fs::write(&journal, &text[..end]).unwrap();
        assert_eq!(tree.run(&["Horror"], "a").num_unchanged, 1, "it was written");
    }
    // The write itself is missing.
    fs::write(tree.nfo(), KODI).unwrap();
    fs::write(&journal, &text[..cut]).unwrap();
    assert_eq!(tree.run(&["Thriller"], "a").num_changed, 1, "it was not written");
}

#[cfg(unix)]
#[test]
fn a_failed_write_leaves_the_old_file() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    // A folder in the place of the file cannot be replaced, not even by root.
    let tree = Tree::new(None);
    fs::create_dir(tree.nfo()).unwrap();
    let report = tree.run(&["Drama"], "a");
    assert_eq!((report.failed.len(), report.num_new), (1, 0));
    assert!(tree.nfo().is_dir());

    // A link stays one: the file behind it is written. Rights stay, too.
    let tree = Tree::new(None);
    let real = tree.root().join("real.nfo");
    fs::write(&real, KODI).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o664)).unwrap();
    symlink(&real, tree.nfo()).unwrap();
    tree.run(&["Thriller"], "a");
    assert!(fs::symlink_metadata(tree.nfo()).unwrap().is_symlink());
    assert_eq!(genres_in(&fs::read(&real).unwrap()), ["Drama", "Mystery", "Thriller"]);
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o664);
}

#[test]
fn a_parallel_tree_leaves_the_library_alone() {
    let tree = Tree::new(Some(KODI));
    let other = tempfile::tempdir().unwrap();
    let run =
        |genres: &[&str], inputs| tree.run_in(other.path(), genres, inputs, registry::SIDECAR);
    assert_eq!(run(&["Thriller"], "a").num_new, 1);
    assert_eq!(tree.bytes(), KODI);
    assert!(!tree.root().join(FOLDER).exists());
    let beside = other.path().join("Film (1995)/movie.nfo");
    assert_eq!(genres_in(&fs::read(&beside).unwrap()), ["Drama", "Mystery", "Thriller"]);
    assert_eq!(run(&["Thriller"], "a").num_unchanged, 1);
    assert_eq!(run(&["War"], "b").num_changed, 1);
}

#[test]
fn sidecars_of_other_formats_are_replaced_only_where_they_are_ours() {
    for format in registry::FORMATS.iter().copied() {
        let (title, tags) = (title_of("film"), tags_of(&["Drama"]));
        let tagged = Tagged { title: &title, tags: &tags };
        if format.document(tagged).unwrap().is_none() || format.name() == "nfo" {
            continue;
        }
        let tree = Tree::new(None);
        let path = tree.root().join("Film (1995)/movie").with_extension(format.extension());
        let run = |genres: &[&str], inputs| tree.run_in(tree.root(), genres, inputs, format);
        assert_eq!(run(&["Drama"], "a").num_new, 1, "{}", format.name());
        let first = fs::read(&path).unwrap();
        assert_eq!(run(&["Drama"], "b").num_same, 1);
        assert_eq!(run(&["War"], "c").num_changed, 1);
        assert_ne!(fs::read(&path).unwrap(), first);
        fs::write(&path, "somebody's").unwrap();
        let report = run(&["Drama"], "d");
        assert_eq!((report.left.len(), report.num_changed), (1, 0));
        assert_eq!(fs::read(&path).unwrap(), b"somebody's");
    }
}

/// What training sees of the tree's film, read as a library: its genres, those that it is known not
/// to have, and whether it is labelled.
fn labels_of(tree: &Tree) -> (Vec<String>, Vec<String>, bool) {
    labels_in(tree.root())
}

fn labels_in(library: &Path) -> (Vec<String>, Vec<String>, bool) {
    let spec = catalog::CatalogSpec {
        format: catalog::Format::Source("library"),
        genres: catalog::GenreSpec {
            vocabulary: Some(catalog::VocabularySpec::Names(
                ["Drama", "Mystery", "Thriller", "Horror", "War"].map(str::to_owned).to_vec(),
            )),
            min_support: 0,
            ..catalog::GenreSpec::default()
        },
        ..catalog::CatalogSpec::new(library)
    };
    let (catalog, _) = catalog::load(&spec).unwrap();
    let [title] = &catalog.titles[..] else { panic!("one film") };
    let names = |genres: &[base::GenreId]| {
        genres.iter().map(|&genre| catalog.vocabulary.name(genre).to_owned()).collect()
    };
    (names(&title.genres), names(&title.not_genres), title.labelled)
}

#[test]
fn a_genre_of_ours_is_no_label_and_each_edit_is_one() {
    let edit = |tree: &Tree, from: &str, to: &str| {
        let text = String::from_utf8(tree.bytes()).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(tree.nfo(), text.replace(from, to)).unwrap();
    };
    let strings = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let [drama, ours] = ["<genre>Drama</genre>", "    <genre>Thriller</genre>\n"];
    let tagged = || {
        let tree = Tree::new(Some(KODI));
        assert_eq!(labels_of(&tree), (strings(&["Drama", "Mystery"]), Vec::new(), true));
        tree.run(&["Thriller", "Horror"], "a");
        assert_eq!(labels_of(&tree), (strings(&["Drama", "Mystery"]), Vec::new(), true));
        tree
    };
    // Taken out: a no. Written by somebody: a yes.
    let tree = tagged();
    edit(&tree, ours, "");
    edit(&tree, drama, "<genre>Drama</genre><genre>War</genre>");
    let decided = (strings(&["Drama", "Mystery", "War"]), strings(&["Thriller"]), true);
    assert_eq!(labels_of(&tree), decided);
    // By the journal alone, where a media manager wrote the file anew.
    let text = String::from_utf8(tree.bytes()).unwrap();
    let (before, rest) = text.split_once("<cinetag").unwrap();
    let (_, after) = rest.split_once("</cinetag>").unwrap();
    fs::write(tree.nfo(), format!("{before}{after}")).unwrap();
    assert_eq!(labels_of(&tree), decided);
    assert_eq!(labels_in(tree.nfo().parent().unwrap()), decided, "the journal lies above");
    // By the file alone, where the journal is gone.
    fs::write(tree.nfo(), text).unwrap();
    fs::remove_dir_all(tree.root().join(FOLDER)).unwrap();
    assert_eq!(labels_of(&tree), decided);
    // A later run remembers it, and it is no less a no.
    let tree = tagged();
    edit(&tree, ours, "");
    tree.run(&["Thriller", "Horror", "War"], "b");
    let (_, not_genres, _) = labels_of(&tree);
    assert_eq!(not_genres, ["Thriller"]);
    // Put back by somebody: theirs.
    edit(&tree, drama, "<genre>Drama</genre><genre>Thriller</genre>");
    let (genres, not_genres, _) = labels_of(&tree);
    assert!(genres.contains(&"Thriller".to_owned()) && not_genres.is_empty(), "{genres:?}");
    // Locked: somebody stands for all of them.
    let tree = tagged();
    edit(&tree, drama, "<genre>Drama</genre><lockedfields>Genres</lockedfields>");
    let (genres, _, _) = labels_of(&tree);
    assert_eq!(genres, ["Drama", "Mystery", "Thriller", "Horror"]);
    // In the log: one of ours is right, another is wrong though it stands there, and so is one of theirs.
    let tree = tagged();
    let say = |genre: &str, answer| {
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        let words = Words::new(at, reviews::Source::Page, "Film (1995)");
        let answers = [(genre.to_owned(), answer)].into();
        Session::new(tree.root()).append(Words { answers, ..words }).unwrap();
    };
    say("Thriller", Answer::Yes);
    say("Horror", Answer::No);
    let decided = (strings(&["Drama", "Mystery", "Thriller"]), strings(&["Horror"]), true);
    assert_eq!(labels_of(&tree), decided);
    say("Drama", Answer::No);
    say("War", Answer::Added);
    let decided = (strings(&["Mystery", "Thriller", "War"]), strings(&["Drama", "Horror"]), true);
    assert_eq!(labels_of(&tree), decided);
}

#[test]
fn of_a_film_that_only_we_tagged_nothing_is_known_but_what_was_taken_out() {
    let tree = Tree::new(None);
    fs::write(tree.root().join("Film (1995)/Film (1995).mkv"), "").unwrap();
    tree.run(&["Thriller", "Horror"], "a");
    assert_eq!(labels_of(&tree), (Vec::new(), Vec::new(), false));
    let text = String::from_utf8(tree.bytes()).unwrap();
    fs::write(tree.nfo(), text.replace("<genre>Horror</genre>", "")).unwrap();
    assert_eq!(labels_of(&tree), (Vec::new(), vec!["Horror".to_owned()], false));
}
