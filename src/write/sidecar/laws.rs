//! The laws of tagging in place and undoing: nothing of anybody's is lost, whatever the tree is
//! like and whatever happens in between; and nothing that a journal says leads out of it.
//!
//! One file, though long: the laws share the library that is tagged, edited and undone.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    time::SystemTime,
};

use base::Digest;
use jiff::Timestamp;
use proptest::prelude::*;
use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::*;
use crate::{
    TagSink,
    format::{FilmIds, Tagged, registry},
    testing::{tags_of, title_of},
};

const NFO: &str = "<movie>\n  <title>X</title>\n  <genre>Drama</genre>\n</movie>\n";

/// All of a file that must come back: bytes, owner, rights, time, attribute, names.
#[derive(Clone, Debug, PartialEq)]
struct State {
    bytes: Vec<u8>,
    owner: (u32, u32, u32),
    modified: SystemTime,
    rating: Option<Vec<u8>>,
    names: u64,
    is_link: bool,
}

fn state(path: &Path) -> Option<State> {
    let (own, behind) = (fs::symlink_metadata(path).ok()?, fs::metadata(path).ok()?);
    let mut value = [0_u8; 64];
    let rating = getxattr(path, "user.rating", &mut value[..]).ok();
    Some(State {
        bytes: fs::read(path).ok()?,
        owner: (behind.uid(), behind.gid(), behind.mode()),
        modified: behind.modified().ok()?,
        rating: rating.map(|len| value[..len].to_vec()),
        names: behind.nlink(),
        is_link: own.is_symlink(),
    })
}

/// A film's folder, and what becomes of it between tagging and undoing.
#[derive(Clone, Debug)]
struct Film {
    has_nfo: bool,
    mode: u32,
    owner: u32,
    has_rating: bool,
    kind: Kind,
    then: Then,
}

impl Film {
    /// Whether the program may write there.
    fn is_ours(&self) -> bool {
        ![Kind::LinkedOut, Kind::FolderLinkedOut].contains(&self.kind)
    }

    /// Whether nothing of it is a link.
    fn is_itself(&self) -> bool {
        [Kind::Plain, Kind::Dvd, Kind::BluRay, Kind::Versions].contains(&self.kind)
    }

    fn is_renamed(&self) -> bool {
        self.then == Then::FolderRenamed && self.is_itself()
    }

    /// Its sidecars from its folder.
    fn names(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Dvd => &["VIDEO_TS/VIDEO_TS.nfo"],
            Kind::BluRay => &["BDMV/index.nfo"],
            Kind::Versions => &["film - 4K.nfo", "film.nfo", "movie.nfo"],
            _ if self.has_nfo => &["movie.nfo"],
            _ => &["film.nfo"],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    HardLinked,
    /// The NFO file is a link.
    LinkedWithin,
    LinkedOut,
    /// The film's folder is a link.
    FolderLinkedWithin,
    FolderLinkedOut,
    Dvd,
    BluRay,
    /// Two files of one film with a sidecar each, and `movie.nfo`.
    Versions,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Nothing,
    Edited,
    FolderRenamed,
    Deleted,
}

fn film() -> impl Strategy<Value = Film> {
    let kinds = [
        Kind::Plain,
        Kind::Plain,
        Kind::HardLinked,
        Kind::LinkedWithin,
        Kind::LinkedOut,
        Kind::FolderLinkedWithin,
        Kind::FolderLinkedOut,
        Kind::Dvd,
        Kind::BluRay,
        Kind::Versions,
    ];
    let thens = [Then::Nothing, Then::Nothing, Then::Edited, Then::FolderRenamed, Then::Deleted];
    (
        any::<bool>(),
        prop::sample::select(vec![0o644, 0o640, 0o664, 0o600]),
        prop::sample::select(vec![0_u32, 1234]),
        any::<bool>(),
        prop::sample::select(kinds.to_vec()),
        prop::sample::select(thens.to_vec()),
    )
        .prop_map(|(has_nfo, mode, owner, has_rating, kind, then)| {
            let may_lack_it =
                [Kind::Plain, Kind::FolderLinkedWithin, Kind::FolderLinkedOut].contains(&kind);
            let has_nfo = has_nfo || !may_lack_it;
            Film { has_nfo, mode, owner, has_rating, kind, then }
        })
}

/// A library on disk; the folder `elsewhere` lies outside of it.
struct Library {
    folder: tempfile::TempDir,
    films: Vec<Film>,
}

impl Library {
    fn new(films: &[Film]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = Self { folder, films: films.to_vec() };
        fs::create_dir_all(library.root().join(".kept")).unwrap();
        fs::create_dir(library.elsewhere()).unwrap();
        for (idx, film) in films.iter().enumerate() {
            library.make_folder(idx, film.kind);
            for (number, name) in film.names().iter().enumerate().filter(|_| film.has_nfo) {
                let real = library.real(idx, name);
                // Each its own, so that one that moved is found by what is in it.
                fs::write(&real, NFO.replace('X', &format!("Film {idx}.{number}"))).unwrap();
                fs::set_permissions(&real, fs::Permissions::from_mode(film.mode)).unwrap();
                if film.has_rating {
                    let _ = setxattr(&real, "user.rating", b"seven", XattrFlags::empty());
                }
                let _ = chown(&real, Some(film.owner), Some(film.owner));
                let time =
                    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 + idx as u64);
                fs::File::options().write(true).open(&real).unwrap().set_modified(time).unwrap();
                match film.kind {
                    Kind::HardLinked => {
                        let twin = library.elsewhere().join(format!("{idx}.twin"));
                        fs::hard_link(&real, twin).unwrap();
                    }
                    Kind::LinkedWithin | Kind::LinkedOut => {
                        symlink(&real, library.film(idx).join(name)).unwrap();
                    }
                    _ => {}
                }
            }
        }
        library
    }

    /// The film's folder with a film in it.
    fn make_folder(&self, idx: usize, kind: Kind) {
        let real = match kind {
            Kind::FolderLinkedWithin => self.root().join(format!(".kept/Film {idx}")),
            Kind::FolderLinkedOut => self.elsewhere().join(format!("Film {idx}")),
            _ => self.film(idx),
        };
        let files: &[&str] = match kind {
            Kind::Dvd => &["VIDEO_TS/VIDEO_TS.IFO", "VIDEO_TS/VTS_01_1.VOB"],
            Kind::BluRay => &["BDMV/index.bdmv", "BDMV/STREAM/00001.m2ts"],
            Kind::Versions => &["film.mkv", "film - 4K.mkv"],
            _ => &["film.mkv"],
        };
        for file in files.iter().chain(&["trailer.mp4"]) {
            let path = real.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        if real != self.film(idx) {
            symlink(&real, self.film(idx)).unwrap();
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("library")
    }

    fn elsewhere(&self) -> PathBuf {
        self.folder.path().join("elsewhere")
    }

    fn film(&self, idx: usize) -> PathBuf {
        self.root().join(format!("Film {idx}"))
    }

    fn nfos(&self, idx: usize) -> Vec<PathBuf> {
        self.films[idx].names().iter().map(|name| self.film(idx).join(name)).collect()
    }

    fn nfo(&self, idx: usize) -> PathBuf {
        self.nfos(idx).remove(0)
    }

    /// Where the bytes are.
    fn real(&self, idx: usize, name: &str) -> PathBuf {
        match self.films[idx].kind {
            Kind::LinkedWithin => self.root().join(format!(".kept/{idx}.nfo")),
            Kind::LinkedOut => self.elsewhere().join(format!("{idx}.nfo")),
            _ => self.film(idx).join(name),
        }
    }

    /// All sidecars' states, by film and sidecar.
    fn states(&self) -> Vec<Vec<Option<State>>> {
        (0..self.films.len()).map(|i| self.nfos(i).iter().map(|nfo| state(nfo)).collect()).collect()
    }

    /// Tags what is found in it.
    fn tag(&self, genres: &[&str], inputs: &str) -> SidecarReport {
        let root = self.root();
        tag_places(&root, self.places(&root), genres, inputs, &BTreeMap::new())
    }

    /// The places of what is found in it.
    fn places(&self, root: &Path) -> Vec<Place> {
        if self.films.is_empty() {
            return Vec::new();
        }
        let hints = catalog::Hints { only_library: true, ..catalog::Hints::default() };
        let found = catalog::open(&[root.to_owned()], &hints).unwrap();
        assert!(found.told().next().is_none(), "{:?}", found.problems);
        assert_eq!(found.places.len(), self.films.len(), "each is one film");
        let titles = found.places.iter();
        titles.flat_map(|title| crate::places(title, root, root, "nfo")).collect()
    }
}

fn tag(
    root: &Path,
    num_films: usize,
    genres: &[&str],
    inputs: &str,
    missing: &BTreeMap<String, String>,
) -> SidecarReport {
    let target = |idx| PathBuf::from(format!("Film {idx}/movie.nfo"));
    let place = |idx| Place { target: target(idx), origin: None, ids: FilmIds::default() };
    tag_places(root, (0..num_films).map(place).collect(), genres, inputs, missing)
}

fn tag_places(
    root: &Path,
    places: Vec<Place>,
    genres: &[&str],
    inputs: &str,
    missing: &BTreeMap<String, String>,
) -> SidecarReport {
    let header = RunHeader {
        began: Timestamp::from_second(1_000_000_000).unwrap(),
        cinetag: "0".to_owned(),
        model: "m@1".to_owned(),
        format: "nfo".to_owned(),
        bundle: None,
    };
    let num_places = places.len();
    let mut writer = SidecarWriter::new(root, registry::SIDECAR, places, header, None).unwrap();
    let inputs = Digest::of_bytes(inputs.as_bytes());
    let (title, mut tags) = (title_of("film"), tags_of(genres));
    tags.missing.clone_from(missing);
    for idx in 0..num_places {
        if writer.wants(idx, &inputs) {
            writer.write(idx, Tagged { title: &title, tags: &tags }, inputs).unwrap();
        }
    }
    writer.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the tree is like, undoing brings back bytes, owner, rights, times, attributes and
    /// links, or the file was changed by a person meanwhile and is untouched.
    #[test]
    fn undoing_brings_all_of_it_back(
        films in prop::collection::vec(film(), 1..5),
        others in prop::collection::vec(film(), 0..2),
        twice in any::<bool>(),
    ) {
        let (library, other) = (Library::new(&films), Library::new(&others));
        let before = library.states();
        other.tag(&["War"], "a");
        let of_other = other.states();
        let report = library.tag(&["Thriller"], "a");
        let num_out = films.iter().filter(|film| !film.is_ours()).count();
        prop_assert_eq!((report.left.len(), report.failed.len()), (num_out, 0), "links out are said");
        let mut runs: Vec<String> = report.run.into_iter().collect();
        if twice {
            runs.extend(library.tag(&["Horror", "War"], "b").run);
        }
        let tagged = library.states();
        for (idx, film) in films.iter().enumerate() {
            if !film.is_ours() {
                prop_assert_eq!(&tagged[idx], &before[idx], "a link out is not written through");
                continue;
            }
            for (tagged, before) in tagged[idx].iter().zip(&before[idx]) {
                let tagged = tagged.as_ref().unwrap();
                if let Some(before) = before {
                    prop_assert_ne!(&before.bytes, &tagged.bytes);
                    let (bytes, modified) = (tagged.bytes.clone(), tagged.modified);
                    let kept = State { bytes, modified, ..before.clone() };
                    prop_assert_eq!(tagged, &kept, "all but the bytes stays");
                }
            }
        }
        let mut after = before;
        for (idx, film) in films.iter().enumerate() {
            let nfo = library.nfo(idx);
            match film.then {
                Then::Edited if film.is_ours() => {
                    let text = fs::read_to_string(&nfo).unwrap();
                    fs::write(&nfo, text.replace("<movie>", "<movie><!-- mine -->")).unwrap();
                    after[idx][0] = state(&nfo);
                }
                Then::Deleted if film.is_itself() => {
                    fs::remove_file(&nfo).unwrap();
                    after[idx][0] = None;
                }
                _ if film.is_renamed() => {
                    fs::rename(library.film(idx), library.root().join(format!("Renamed {idx}"))).unwrap();
                }
                _ => {}
            }
        }
        for run in runs.iter().rev() {
            undo(&library.root(), Path::new(""), run, false).unwrap();
        }
        for (idx, film) in films.iter().enumerate() {
            let folder = if film.is_renamed() {
                prop_assert!(!library.film(idx).exists(), "no folder is made anew");
                library.root().join(format!("Renamed {idx}"))
            } else {
                library.film(idx)
            };
            for (name, after) in film.names().iter().zip(&after[idx]) {
                let found = state(&folder.join(name));
                // New files of the same tags are alike: which of them moved cannot be told.
                if film.is_renamed() && !film.has_nfo && found.is_some() {
                    continue;
                }
                prop_assert_eq!(&found, after, "{:?} {}", film, name);
            }
        }
        prop_assert_eq!(other.states(), of_other, "another library is not touched");
    }
}

#[test]
fn a_part_of_a_library_is_undone_alone() {
    let plain = Film {
        has_nfo: true,
        mode: 0o644,
        owner: 0,
        has_rating: false,
        kind: Kind::Plain,
        then: Then::Nothing,
    };
    let library = Library::new(&[plain.clone(), plain]);
    let run = library.tag(&["Thriller"], "a").run.unwrap();
    let root = library.root();
    let tagged = fs::read(library.nfo(1)).unwrap();
    assert_eq!(undo(&root, Path::new("Film 0"), &run, false).unwrap().restored.len(), 1);
    assert_eq!(fs::read(library.nfo(1)).unwrap(), tagged);
    assert_eq!(last_run(&root, Path::new("Film 0")).unwrap(), None);
    assert_eq!(last_run(&root, Path::new("")).unwrap(), Some(run));
}

#[test]
fn a_source_that_fails_for_a_moment_changes_no_tags() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("Film 0")).unwrap();
    let nfo = root.path().join("Film 0/movie.nfo");
    fs::write(&nfo, NFO).unwrap();
    let run = |genres: &[&str], inputs, reason: &str| {
        let missing = BTreeMap::from([("pictures".to_owned(), reason.to_owned())]);
        tag(root.path(), 1, genres, inputs, &missing)
    };
    run(&["Thriller", "War"], "a", "not given");
    let tagged = fs::read(&nfo).unwrap();
    for (inputs, reason) in
        [("b", "truncated: ends in the middle"), ("c", "empty"), ("d", "unreadable: x")]
    {
        let report = run(&["War"], inputs, reason);
        assert_eq!(fs::read(&nfo).unwrap(), tagged, "{reason}");
        let left = report.left.values().next().unwrap();
        assert!(left.contains("pictures") && left.contains(reason), "{left}");
    }
    // Nor is a genre given on less than was seen before.
    assert_eq!(run(&["Thriller", "War", "Horror"], "e", "truncated").left.len(), 1);
    assert_eq!(fs::read(&nfo).unwrap(), tagged);
    // What can be read and says nothing is another matter.
    assert_eq!(run(&["War"], "f", "only_black_frames").num_changed, 1);
}

/// A library with a journal that somebody else made: these lines after the header.
fn hostile(lines: &[String]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join(FOLDER).join("runs");
    fs::create_dir_all(&runs).unwrap();
    fs::create_dir(folder.path().join("Film 0")).unwrap();
    let header = "{\"event\":\"run\",\"began\":\"2020-01-01T00:00:00Z\",\"cinetag\":\"0\",\
                  \"model\":\"m@1\",\"format\":\"nfo\"}";
    let text = [&[header.to_owned()], lines].concat().join("\n") + "\n";
    fs::write(runs.join("20200101-000000.jsonl"), text).unwrap();
    folder
}

fn begin(path: &str, before: &str, after: &str) -> Vec<String> {
    let digest = |text: &str| match text {
        "" => "null".to_owned(),
        text => format!("\"{}\"", Digest::of_bytes(text.as_bytes())),
    };
    let (before, after, inputs) = (digest(before), digest(after), digest("x"));
    vec![
        format!(
            "{{\"event\":\"begin\",\"path\":\"{path}\",\"before\":{before},\"inputs\":{inputs},\
             \"after\":{after},\"given\":[]}}"
        ),
        format!("{{\"event\":\"done\",\"path\":\"{path}\"}}"),
    ]
}

#[test]
fn a_journal_leads_nowhere_but_to_sidecars_beneath_the_root() {
    let other = tempfile::tempdir().unwrap();
    let victim = other.path().join("movie.nfo");
    fs::write(&victim, "after").unwrap();
    let out = victim.display().to_string();
    let name = other.path().file_name().unwrap().to_string_lossy();
    for path in [out.clone(), format!("../{name}/movie.nfo"), "run.sh".into(), "/dev/zero".into()] {
        let library = hostile(&begin(&path, "before", "after"));
        let image = library.path().join(FOLDER).join("before");
        fs::create_dir(&image).unwrap();
        fs::write(image.join(Digest::of_bytes(b"before").to_string()), "before").unwrap();
        for force in [false, true] {
            let error = undo(library.path(), Path::new(""), "20200101-000000", force).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains("line 2"), "{path}: {cause}");
        }
        assert!(memory(library.path()).is_err(), "{path}");
        assert_eq!(fs::read(&victim).unwrap(), b"after");
    }
    // A line that was begun and not done is not looked at, either.
    let library = hostile(&begin("/dev/zero", "before", "after")[..1]);
    assert!(memory(library.path()).is_err());
    // Through a folder that is a link.
    let library = hostile(&begin("out/movie.nfo", "before", "after"));
    symlink(other.path(), library.path().join("out")).unwrap();
    let undone = undo(library.path(), Path::new(""), "20200101-000000", true).unwrap();
    assert_eq!((undone.restored.len(), undone.failed.len()), (0, 1));
    assert_eq!(fs::read(&victim).unwrap(), b"after");
}

#[test]
fn images_and_journals_are_no_links_and_hold_what_they_are_called() {
    let undone = |library: &tempfile::TempDir| {
        fs::write(library.path().join("Film 0/movie.nfo"), "after").unwrap();
        let undone = undo(library.path(), Path::new(""), "20200101-000000", true);
        assert_eq!(fs::read(library.path().join("Film 0/movie.nfo")).unwrap(), b"after");
        undone
    };
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "before").unwrap();
    let with_image = |make: &dyn Fn(&Path)| {
        let library = hostile(&begin("Film 0/movie.nfo", "before", "after"));
        let images = library.path().join(FOLDER).join("before");
        fs::create_dir(&images).unwrap();
        make(&images.join(Digest::of_bytes(b"before").to_string()));
        library
    };
    let link = with_image(&|image| symlink(secret.path(), image).unwrap());
    let other = with_image(&|image| fs::write(image, "other").unwrap());
    let none = with_image(&|_| {});
    for library in [&link, &other, &none] {
        assert_eq!(undone(library).unwrap().failed.len(), 1);
    }
    // The program's own folder as a link to another library's.
    let library = tempfile::tempdir().unwrap();
    fs::create_dir(library.path().join("Film 0")).unwrap();
    symlink(link.path().join(FOLDER), library.path().join(FOLDER)).unwrap();
    assert!(undone(&library).is_err());
    assert!(memory(library.path()).is_err());
    // A planted image does not stand for the bytes that are kept.
    let library = with_image(&|_| {});
    let nfo = library.path().join("Film 0/movie.nfo");
    let planted = library.path().join(FOLDER).join("before");
    symlink(secret.path(), planted.join(Digest::of_bytes(NFO.as_bytes()).to_string())).unwrap();
    fs::remove_dir_all(library.path().join(FOLDER).join("runs")).unwrap();
    fs::write(&nfo, NFO).unwrap();
    let run = tag(library.path(), 1, &["War"], "a", &BTreeMap::new()).run.unwrap();
    assert_eq!(undo(library.path(), Path::new(""), &run, false).unwrap().restored.len(), 1);
    assert_eq!(fs::read_to_string(&nfo).unwrap(), NFO);
}
