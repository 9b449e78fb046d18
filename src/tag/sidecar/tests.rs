//! Round trips on NFO files of the kinds that media managers write, and the laws of sidecars.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base::Digest;
use catalog::nfo::{self, Nfo};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    TagSink,
    format::{Tagged, registry},
    testing::{tags_of, title_of},
};

const KODI: &[u8] = include_bytes!("samples/kodi.nfo");
const JELLYFIN: &[u8] = include_bytes!("samples/jellyfin.nfo");
const TINY_MEDIA_MANAGER: &[u8] = include_bytes!("samples/tinymediamanager.nfo");
const RADARR: &[u8] = include_bytes!("samples/radarr.nfo");
const LATIN1: &[u8] = include_bytes!("samples/latin1.nfo");
const SAMPLES: [&[u8]; 5] = [KODI, JELLYFIN, TINY_MEDIA_MANAGER, RADARR, LATIN1];

fn utf16(text: &str, big_endian: bool, mark: bool) -> Vec<u8> {
    let marked = if mark { format!("\u{feff}{text}") } else { text.to_owned() };
    let bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    marked.encode_utf16().flat_map(bytes).collect()
}

/// All samples, and the first in every encoding.
fn samples() -> Vec<Vec<u8>> {
    let text = std::str::from_utf8(KODI).unwrap();
    let utf16_text = text.replace("UTF-8", "UTF-16");
    let mut samples: Vec<Vec<u8>> = SAMPLES.iter().map(|bytes| bytes.to_vec()).collect();
    for (big_endian, mark) in [(false, true), (true, true), (false, false), (true, false)] {
        samples.push(utf16(&utf16_text, big_endian, mark));
    }
    samples.push(b"<movie/>".to_vec());
    samples.push(b"<movie><title>One line</title></movie>".to_vec());
    samples.push(b"<movie></movie>\n".to_vec());
    samples
}

fn write(genres: &[&str], existing: Existing<'_>) -> (Vec<u8>, Vec<String>, Vec<String>) {
    match update_nfo(&tags_of(genres), existing) {
        Update::Write { bytes, given, removed } => (bytes, given, removed),
        Update::Leave { reason } => panic!("left alone: {reason}"),
    }
}

fn of(bytes: &[u8]) -> Existing<'_> {
    Existing { bytes: Some(bytes), ..Existing::default() }
}

/// What a reader of such files makes of it.
fn read(bytes: &[u8]) -> Nfo {
    nfo::read(xml_text::decode(bytes).as_bytes()).unwrap()
}

fn genres_in(bytes: &[u8]) -> Vec<String> {
    read(bytes).genres
}

/// Whether `small` is `large` with some ranges taken out.
fn is_subsequence(small: &[u8], large: &[u8]) -> bool {
    let mut rest = large.iter();
    small.iter().all(|byte| rest.any(|other| other == byte))
}

#[test]
fn genres_come_in_and_go_out_again_and_leave_every_byte() {
    for original in samples() {
        let (tagged, given, removed) = write(&["Thriller", "Sci-Fi"], of(&original));
        assert_eq!(given, ["Thriller", "Sci-Fi"]);
        assert!(removed.is_empty());
        assert!(is_subsequence(&original, &tagged) || original == b"<movie/>");
        let genres = genres_in(&tagged);
        assert!(genres.ends_with(&given), "{genres:?}");
        let before = read(&original);
        let after = read(&tagged);
        let others = Nfo { genres: before.genres.clone(), ..after };
        assert_eq!(others, before, "nothing but the genres reads differently");

        // Given again: the same bytes. Given no more: the bytes before.
        let again = Existing { given: &given, ..of(&tagged) };
        assert_eq!(write(&["Thriller", "Sci-Fi"], again).0, tagged);
        let (back, given, _) = write(&[], again);
        assert!(given.is_empty());
        let has_lines = original != b"<movie/>" && original != b"<movie></movie>\n";
        if has_lines {
            assert_eq!(back, original, "{}", String::from_utf8_lossy(&back));
        } else {
            assert!(genres_in(&back).is_empty());
        }
    }
}

#[test]
fn new_genres_stand_beside_the_old_as_the_file_is_written() {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (kodi, ..) = write(&["Thriller"], of(KODI));
    assert!(
        text(&kodi).contains("    <genre>Mystery</genre>\n    <genre>Thriller</genre>\n    <tag>")
    );
    assert!(text(&kodi).contains("    <cinetag version="));
    let (tmm, ..) = write(&["Thriller"], of(TINY_MEDIA_MANAGER));
    assert!(text(&tmm).contains("<genre>Documentary</genre>\r\n  <genre>Thriller</genre>\r\n"));
    assert!(!text(&tmm).replace("\r\n", "").contains('\n'), "all line ends are the file's");
    let (radarr, ..) = write(&["Thriller"], of(RADARR));
    assert!(text(&radarr).ends_with("</movie>\nhttps://www.themoviedb.org/movie/900004?language=en&x=1\nhttps://www.imdb.com/title/tt9900004"));
    // What the encoding cannot hold is written as a reference.
    let (latin1, ..) = write(&["Комедия"], of(LATIN1));
    assert!(latin1.is_ascii() || latin1.windows(5).any(|w| w == b"Caf\xe9 "));
    assert_eq!(genres_in(&latin1), ["Комедия"]);
    let (line, ..) = write(&["A&B"], of(b"<movie><title>One line</title></movie>"));
    assert!(
        text(&line).starts_with("<movie><title>One line</title><genre>A&amp;B</genre><cinetag ")
    );
}

#[test]
fn what_people_decided_stays() {
    // Their genre is theirs, also where the model agrees, in whatever spelling.
    let (bytes, given, _) = write(&["drama", "Thriller"], of(KODI));
    assert_eq!(given, ["Thriller"]);
    assert_eq!(genres_in(&bytes), ["Drama", "Mystery", "Thriller"]);
    // Several in one element, as older versions wrote them.
    let old = b"<movie><genre>Drama / Sci-Fi</genre></movie>";
    assert_eq!(write(&["Sci-Fi", "Drama"], of(old)).1, Vec::<String>::new());

    // A genre of ours that somebody took out does not come back, also much later.
    let edited =
        String::from_utf8(bytes.clone()).unwrap().replace("    <genre>Thriller</genre>\n", "");
    let existing = Existing { given: &given, ..of(edited.as_bytes()) };
    let (kept, given, removed) = write(&["Thriller", "Horror"], existing);
    assert_eq!(
        (given.as_slice(), removed.as_slice()),
        (&["Horror".to_owned()][..], &["Thriller".to_owned()][..])
    );
    let existing = Existing { given: &given, removed: &removed, ..of(&kept) };
    let (_, given, removed) = write(&["Thriller"], existing);
    assert!(given.is_empty() && removed == ["Thriller"]);
    // Without any memory the file itself says what was given.
    let (_, given, removed) = write(&["Thriller", "Horror"], of(edited.as_bytes()));
    assert_eq!((given, removed), (vec!["Horror".to_owned()], vec!["Thriller".to_owned()]));

    // A file that was ours and is gone stays gone.
    let gone = Existing { given: &["Drama".to_owned()], ..Existing::default() };
    assert!(matches!(update_nfo(&tags_of(&["Drama"]), gone), Update::Leave { .. }));
}

#[test]
fn what_is_locked_or_not_understood_is_left_alone() {
    let reason = |text: &[u8]| match update_nfo(&tags_of(&["Drama"]), of(text)) {
        Update::Leave { reason } => reason,
        Update::Write { bytes, .. } => panic!("written: {}", String::from_utf8_lossy(&bytes)),
    };
    for (text, part) in [
        (&b"<movie><lockdata>True</lockdata></movie>"[..], "lockdata"),
        (b"<movie><lockedfields>Cast|Genres</lockedfields></movie>", "lockedfields"),
        (b"<movie><title>x</movie>", "well-formed"),
        (b"<movie><title>x</title>", "too early"),
        (b"https://www.themoviedb.org/movie/1", "no XML"),
        (b"", "no XML"),
        (b"<movie></movie><movie></movie>", "something else"),
        (b"<rss></rss>", "<rss>"),
        (b"<?xml version='1.0' encoding='x-none'?><movie/>", "x-none"),
        (b"<?xml version='1.0' encoding='ISO-2022-JP'?><movie/>", "ISO-2022-JP"),
        (b"<\0m\0o", "middle"),
    ] {
        assert!(reason(text).contains(part), "{}: {}", String::from_utf8_lossy(text), reason(text));
    }
}

#[test]
fn a_new_file_of_a_known_film_lets_media_centres_look_it_up() {
    let ids = |imdb: Option<&str>, tmdb: Option<&str>| FilmIds {
        imdb: imdb.map(str::to_owned),
        tmdb: tmdb.map(str::to_owned),
    };
    for (ids, address) in [
        (ids(None, Some("603")), "https://www.themoviedb.org/movie/603"),
        (ids(Some("tt9900001"), None), "https://www.imdb.com/title/tt9900001/"),
        (ids(Some("tt9900001"), Some("603")), "https://www.themoviedb.org/movie/603"),
    ] {
        let (bytes, given, _) =
            write(&["Drama"], Existing { ids: Some(&ids), ..Existing::default() });
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.ends_with(&format!("</movie>\n{address}\n")), "{text}");
        let nfo = read(&bytes);
        assert_eq!(
            (nfo.title, nfo.year),
            (None, None),
            "a guess would stay where a name is looked up"
        );
        assert_eq!(
            (nfo.ids.get("imdb"), nfo.ids.get("tmdb")),
            (ids.imdb.as_ref(), ids.tmdb.as_ref())
        );
        assert_eq!(nfo.genres, given);
        assert_eq!(text.matches("default=\"true\"").count(), 1);
        // The file is changed like any other from then on.
        let (bytes, ..) = write(&["War"], Existing { given: &given, ..of(&bytes) });
        assert!(String::from_utf8(bytes).unwrap().ends_with(&format!("</movie>\n{address}\n")));
    }
    assert_eq!(NewNfo::ALL.map(|(_, new)| new.makes(&ids(None, None))), [false, true, false]);
    assert_eq!(
        NewNfo::ALL.map(|(_, new)| new.makes(&ids(Some("tt9900001"), None))),
        [true, true, false]
    );
    let mut title = title_of("tt9900001");
    assert_eq!(FilmIds::of_title(&title), ids(Some("tt9900001"), None));
    title.fields.insert("tmdb_id".into(), "603".into());
    title.fields.insert("imdb_id".into(), "tt1</x>".into());
    assert_eq!(FilmIds::of_title(&title), ids(Some("tt9900001"), Some("603")));
}

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

#[test]
fn a_new_file_says_title_and_year() {
    let (bytes, given, _) = write(&["Drama"], Existing::default());
    let nfo = read(&bytes);
    assert_eq!((nfo.title.as_deref(), nfo.year), (Some("A <Film> & more"), Some(1995)));
    assert_eq!((nfo.genres, given), (vec!["Drama".to_owned()], vec!["Drama".to_owned()]));
    assert!(matches!(update_nfo(&tags_of(&[]), Existing::default()), Update::Leave { .. }));
}

proptest! {
    /// Whatever stands in a file: giving tags twice gives the same bytes, no byte of the file
    /// is lost, and taking the tags back gives the file.
    #[test]
    fn any_file_keeps_its_bytes(
        parts in prop::collection::vec((
            prop::sample::select(vec!["title", "genre", "x:y", "outline", "actor", "cinetagged"]),
            "[a-zA-Zäöü &;\\n\\t'\"/|-]{0,20}",
            prop::sample::select(vec!["\n  ", "\r\n\t", "", " ", "\n<!-- <genre>no</genre> -->\n"]),
        ), 1..12),
        end in prop::sample::select(vec!["\n", "", "\nhttp://example.org/?a=1&b", "\r\n<!-- x -->"]),
        first in prop::sample::subsequence(vec!["Drama", "Sci-Fi", "Film-Noir", "War"], 0..4),
        second in prop::sample::subsequence(vec!["Drama", "Sci-Fi", "Film-Noir", "War"], 0..4),
    ) {
        let mut inside = String::new();
        for (name, text, space) in &parts {
            inside += &[space, "<", name, ">", text, "</", name, ">"].concat();
        }
        let original = format!("<movie>{inside}\n</movie>{end}").into_bytes();
        let (once, given, removed) = write(&first, of(&original));
        prop_assert!(removed.is_empty());
        prop_assert!(is_subsequence(&original, &once));
        let existing = Existing { given: &given, ..of(&once) };
        prop_assert_eq!(&write(&first, existing).0, &once);
        let (other, other_given, removed) = write(&second, existing);
        prop_assert!(removed.is_empty());
        prop_assert!(is_subsequence(&original, &other));
        let existing = Existing { given: &other_given, ..of(&other) };
        prop_assert_eq!(&write(&[], existing).0, &original);
    }

    #[test]
    fn arbitrary_bytes_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = update_nfo(&tags_of(&["Drama"]), of(&bytes));
    }
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
