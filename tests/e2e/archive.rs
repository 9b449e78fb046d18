//! A media library of somebody who curated it for years: tagged in place, tagged again,
//! edited by hand, tagged with other wishes, and brought back to what it was.
//!
//! `CINETAG_ARCHIVE_TITLES=2000` is the archive's size; 150 titles are enough for every day.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{cinetag, run, weights_are_here};

const GENRES: [&str; 3] = ["Drama", "Comedy", "Western"];

fn num_titles() -> usize {
    let asked = std::env::var("CINETAG_ARCHIVE_TITLES").ok();
    asked.map_or(150, |number| number.parse().expect("CINETAG_ARCHIVE_TITLES is a number"))
}

/// A film's description as one of four programs writes it; what tells its genre is who made it.
fn nfo(idx: usize) -> Vec<u8> {
    let (director, year) = (idx % GENRES.len(), 1950 + idx % 70);
    let inside = format!(
        "<title>Film {idx}</title>EOL<year>{year}</year>EOL<plot>What happens in the {idx}th \
         film &amp; why.</plot>EOL<runtime>{}</runtime>EOL<director>Director {director}</director>",
        80 + 20 * director
    );
    let text = match idx % 4 {
        // Kodi, with a genre of its own and elements that no other program knows.
        0 => format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\" ?>EOL<movie>EOL{inside}EOL\
             <genre>Heist</genre>EOL<x:note>caf\u{e9} & bar</x:note>EOL</movie>EOL"
        ),
        // Jellyfin.
        1 => format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>EOL<movie>EOL<lockdata>{}</lockdata>EOL\
             {inside}EOL</movie>",
            idx % 40 == 1
        ),
        // tinyMediaManager: a byte order mark, Windows line ends, comments.
        2 => format!(
            "\u{feff}<?xml version=\"1.0\"?>EOL<!-- by hand, 2018 -->EOL<movie>EOL{inside}EOL\
             <!-- <genre>War</genre> -->EOL</movie>EOL"
        )
        .replace("EOL", "\r\n  "),
        // Radarr: an address after the XML.
        _ => format!("<movie>EOL{inside}EOL</movie>EOLhttps://example.org/film?a=1&b={idx}"),
    };
    let text = text.replace("EOL", "\n  ");
    if idx % 20 == 8 {
        let marked = format!("\u{feff}{}", text.replace("UTF-8", "UTF-16"));
        return marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    }
    text.into_bytes()
}

/// One of five pictures: what counts is whether they are read.
fn save_poster(path: &Path, idx: usize) {
    let mut picture = image::RgbImage::new(24, 36);
    picture.pixels_mut().for_each(|pixel| pixel.0 = [(40 * (idx % 5)) as u8, 120, 90]);
    picture.save(path).unwrap();
}

/// The library: a folder a film, with NFO and poster.
fn make_library(root: &Path, num_titles: usize) {
    for idx in 0..num_titles {
        let folder = root.join(format!("{}/Film {idx} ({})", idx % 10, 1950 + idx % 70));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("movie.nfo"), nfo(idx)).unwrap();
        save_poster(&folder.join("poster.png"), idx);
    }
}

/// A bundle that knows genres by the director and looks at posters, too.
fn train(scratch: &Path) -> String {
    let mut catalog = String::from("id,title,year,genres,plot,poster,director,runtime_min\n");
    for idx in 0..5 {
        save_poster(&scratch.join(format!("{idx}.png")), idx);
    }
    for idx in 0..90 {
        let genre = idx % GENRES.len();
        // Writing to a String cannot fail.
        let _ = writeln!(
            catalog,
            "t{idx},Film {idx},1980,{},Text,{}.png,Director {genre},{}",
            GENRES[genre],
            idx % 5,
            80 + 20 * genre
        );
    }
    fs::write(scratch.join("films.csv"), catalog).unwrap();
    let pipeline = scratch.join("pipeline.toml");
    let text = format!(
        "[run]\nname = \"archive\"\nfolder = \"{0}/run\"\nstore = \"{0}/store\"\n\
         [catalog]\npath = \"{0}/films.csv\"\n\
         [catalog.metadata]\nnumbers = [\"runtime_min\"]\npeople = [\"director\"]\n\
         [modality.poster]\nmodel = \"efficientnet-lite0\"\n\
         [modality.metadata]\nnumbers = [\"runtime_min\"]\npeople = [\"director\"]\n\
         [learn]\nmembers = 2\nepochs = 30\n\
         [[stage]]\nname = \"features\"\nkind = \"extract\"\n\
         [[stage]]\nname = \"model\"\nkind = \"train\"\nneeds = [\"features\"]\n",
        scratch.display()
    );
    fs::write(&pipeline, text).unwrap();
    run(&["train", &pipeline.display().to_string()]);
    scratch.join("run/bundle").display().to_string()
}

type Files = BTreeMap<PathBuf, (Vec<u8>, SystemTime)>;

/// Every file but the journal, with its bytes and the moment of its last change.
fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with(".cinetag") {
                found.extend(files(&path));
            }
        } else {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            found.insert(path.clone(), (fs::read(&path).unwrap(), modified));
        }
    }
    found
}

fn bytes(files: &Files) -> BTreeMap<&PathBuf, &Vec<u8>> {
    files.iter().map(|(path, (bytes, _))| (path, bytes)).collect()
}

fn nfos(files: &Files) -> Vec<PathBuf> {
    files.keys().filter(|path| path.ends_with("movie.nfo")).cloned().collect()
}

/// Hears which posters are read.
#[cfg(target_os = "linux")]
struct Watch(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Watch {
    fn on(posters: &[PathBuf]) -> Self {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let fd = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        for poster in posters {
            add_watch(&fd, poster, WatchFlags::ACCESS).unwrap();
        }
        Self(fd)
    }

    fn num_reads(&self) -> usize {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = rustix::fs::inotify::Reader::new(&self.0, &mut buffer);
        let mut num_reads = 0;
        while reader.next().is_ok() {
            num_reads += 1;
        }
        num_reads
    }
}

/// Whether an edit is still there.
type Survives = Box<dyn Fn(&str) -> bool>;

/// What people do to their files: one of five edits, told by the index.
fn edit(path: &Path, idx: usize) -> Survives {
    let text = fs::read_to_string(path).unwrap();
    let ours = GENRES.iter().map(|genre| format!("<genre>{genre}</genre>"));
    let given = ours.clone().find(|element| text.contains(element.as_str()));
    let (edited, survives): (String, Survives) = match (idx % 5, given) {
        // A genre of ours is taken out.
        (0, Some(given)) => {
            (text.replacen(&given, "", 1), Box::new(move |text| !text.contains(&given)))
        }
        // A genre of their own.
        (1, _) => (
            text.replacen("</title>", "</title><genre>Mine</genre>", 1),
            Box::new(|text| text.contains("</title><genre>Mine</genre>")),
        ),
        // Another name, another comment, a lock.
        (2, _) => (
            text.replacen("<title>", "<title>The Best ", 1),
            Box::new(|text| text.contains("<title>The Best Film")),
        ),
        (3, _) => (
            text.replacen("</movie>", "<!-- seen twice --><watched/></movie>", 1),
            Box::new(|text| text.contains("<!-- seen twice --><watched/>")),
        ),
        _ => (
            text.replacen("</title>", "</title><lockdata>true</lockdata>", 1),
            Box::new(|text| text.contains("</title><lockdata>true</lockdata>")),
        ),
    };
    assert_ne!(edited, text, "{}", path.display());
    fs::write(path, edited).unwrap();
    survives
}

#[test]
fn an_archive_is_tagged_and_nothing_of_anybody_is_lost() {
    if !super::weights_are_here(super::WEIGHTS) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let library = scratch.path().join("library");
    make_library(&library, num_titles());
    let bundle = train(scratch.path());
    // The digest of a file that changed less than two seconds ago is not remembered.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let original = files(&library);
    let at = library.display().to_string();
    let store = scratch.path().join("tag-store").display().to_string();
    let tag = |more: &[&str]| {
        let mut args = vec!["tag", &at, "--bundle", &bundle, "--store", &store, "--in-place"];
        args.extend(more);
        String::from_utf8(run(&args).stderr).unwrap()
    };

    // A dry run shows what would be, and writes nothing.
    let dry = cinetag(&["tag", &at, "--bundle", &bundle, "--store", &store, "--in-place"])
        .arg("--dry-run")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&dry.stdout).contains("+  <genre>"), "{dry:?}");
    assert!(!library.join(".cinetag").exists());
    assert!(files(&library) == original, "a dry run touched the library");

    let said = tag(&[]);
    let tagged = files(&library);
    let num_changed = original.iter().filter(|(path, file)| tagged[*path].0 != file.0).count();
    assert!(num_changed > num_titles() / 2, "{said}");
    assert!(said.contains("locked (lockdata)"), "{said}");

    // The second run touches nothing and reads no poster.
    let posters: Vec<_> = original.keys().filter(|p| p.ends_with("poster.png")).cloned().collect();
    #[cfg(target_os = "linux")]
    let watch = Watch::on(&posters);
    let said = tag(&[]);
    #[cfg(target_os = "linux")]
    {
        assert_eq!(watch.num_reads(), 0, "{said}");
        fs::read(&posters[0]).unwrap();
        assert_ne!(watch.num_reads(), 0, "the watch hears nothing");
    }
    assert!(files(&library) == tagged, "the second run touched the library: {said}");

    // All the way back, and again.
    let undo = |run_name: &str| {
        let output = cinetag(&["tag", "undo", run_name, &at]).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(undo("last").0, 0);
    assert!(bytes(&files(&library)) == bytes(&original), "undo left a byte behind");
    tag(&[]);
    assert!(bytes(&files(&library)) == bytes(&tagged), "the same tags are the same bytes");

    // Fifty edits by hand, then a run with other wishes.
    let editable = nfos(&tagged)
        .into_iter()
        .filter(|path| tagged[path].0 != original[path].0)
        .filter(|path| std::str::from_utf8(&tagged[path].0).is_ok());
    let edits: Vec<_> =
        editable.take(50).enumerate().map(|(idx, path)| (edit(&path, idx), path)).collect();
    assert_eq!(edits.len(), 50);
    let edited = files(&library);
    let said = tag(&["--min-probability", "0.999"]);
    let after = files(&library);
    assert!(bytes(&after) != bytes(&edited), "the wishes change something: {said}");
    for (survives, path) in &edits {
        let text = std::str::from_utf8(&after[path].0).unwrap();
        assert!(survives(text), "{}: {text}", path.display());
    }
    tag(&[]);
    for (survives, path) in &edits {
        let text = fs::read_to_string(path).unwrap();
        assert!(survives(&text), "{}: {text}", path.display());
    }

    // Undoing run by run: every byte of the people's edits, and of the files before them.
    assert_eq!(undo("last").0, 0);
    assert_eq!(undo("last").0, 0);
    assert!(bytes(&files(&library)) == bytes(&edited), "undo lost an edit");
    let (code, said) = undo("last");
    assert_eq!(code, 3, "{said}");
    assert_eq!(said.matches("changed since").count(), 50, "{said}");
    let left = files(&library);
    let touched: Vec<_> = edits.iter().map(|(_, path)| path).collect();
    for (path, (bytes, _)) in &left {
        let expected = if touched.contains(&path) { &edited } else { &original };
        assert!(*bytes == expected[path].0, "{}", path.display());
    }
}

/// A film with a plot that comes with the program's own bundles.
fn film(root: &Path, name: &str) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    let text = "<movie>\n  <title>X</title>\n  <plot>A detective hunts a killer who robs banks. The \
                police and the mafia are after him, and the murderer waits in prison.</plot>\n</movie>\n";
    fs::write(folder.join("movie.nfo"), text.replace('X', name)).unwrap();
    folder
}

/// What a command says, and its exit code.
fn said(args: &[&str]) -> (String, Option<i32>) {
    let output = cinetag(args).output().unwrap();
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

#[test]
fn a_library_keeps_its_bundle_and_its_tags_and_is_undone_alone() {
    if !weights_are_here(&["all-minilm-l6-v2", "efficientnet-lite2"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (films, shows) = (scratch.path().join("films"), scratch.path().join("shows"));
    for root in [&films, &shows] {
        film(root, "A (1999)");
        film(root, "B (2001)");
    }
    let untagged = bytes(&files(&shows)).into_values().cloned().collect::<Vec<_>>();
    let store = scratch.path().join("store").display().to_string();
    let (one, other) = (films.display().to_string(), shows.display().to_string());
    let tag = |more: &[&str]| said(&[&["tag", "--in-place", "--store", &store], more].concat());

    // Each has a journal of its own; undoing one leaves the other.
    let (words, code) = tag(&[&one, &other]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("bundle: plots-open"), "{words}");
    assert!(films.join(".cinetag").is_dir() && shows.join(".cinetag").is_dir());
    assert!(!scratch.path().join(".cinetag").exists());
    let tagged = files(&films);
    assert_eq!(said(&["tag", "undo", "last", &other]).1, Some(0));
    assert_eq!(bytes(&files(&shows)).into_values().cloned().collect::<Vec<_>>(), untagged);
    assert_eq!(bytes(&files(&films)), bytes(&tagged));

    // A film with a poster would have another bundle; the library keeps its own.
    save_poster(&film(&films, "C (2020)").join("poster.png"), 0);
    let (words, code) = tag(&[&one]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("bundle: plots-open@") && words.contains("was tagged with"), "{words}");
    for (path, (before, _)) in &tagged {
        assert_eq!(&fs::read(path).unwrap(), before, "{}", path.display());
    }

    // Another one is named, and says so; a poster that breaks afterwards takes no genre away.
    let (words, _) = tag(&[&one, "--bundle", "films-research"]);
    assert!(words.contains("note: this library was tagged with plots-open@"), "{words}");
    let nfo = films.join("C (2020)/movie.nfo");
    let before = fs::read(&nfo).unwrap();
    let poster = films.join("C (2020)/poster.png");
    let whole = fs::read(&poster).unwrap();
    fs::write(&poster, &whole[..whole.len() / 2]).unwrap();
    let (words, code) = tag(&[&one]);
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("bundle: films-research@"), "{words}");
    let genres = |nfo: &[u8]| String::from_utf8_lossy(nfo).matches("<genre>").count();
    assert!(genres(&fs::read(&nfo).unwrap()) >= genres(&before), "{words}");

    // A bundle that is not the one of the journal any more is not taken unasked.
    let runs = films.join(".cinetag/runs");
    let mut journals: Vec<PathBuf> =
        fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().path()).collect();
    journals.sort_by_key(|path| path.file_stem().map(ToOwned::to_owned));
    let last = journals.last().unwrap();
    let text = fs::read_to_string(last).unwrap();
    fs::write(last, text.replacen("films-research@", "films-research@0", 1)).unwrap();
    let (words, code) = tag(&[&one]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("--bundle films-research --dry-run"), "{words}");
}

#[test]
fn films_are_tagged_as_people_keep_them() {
    use std::os::unix::fs::symlink;
    if !weights_are_here(&["all-minilm-l6-v2"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (films, elsewhere) = (scratch.path().join("films"), scratch.path().join("elsewhere"));
    let store = scratch.path().join("store").display().to_string();
    let at = films.display().to_string();
    let put = |name: &str, text: &str| {
        let path = films.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let plot = "<plot>A detective hunts a killer who robs banks. The police and the mafia are after \
                him, and the murderer waits in prison.</plot>\n";
    let nfo = |inside: &str| format!("<movie>\n  {plot}{inside}</movie>\n");
    // Two versions, two discs, one film twice described, one behind a link.
    for version in ["One (1999)/One (1999) - 1080p", "One (1999)/One (1999) - 4K"] {
        put(&format!("{version}.mkv"), "");
        put(&format!("{version}.nfo"), &nfo(""));
    }
    put("Two (2000)/VIDEO_TS/VIDEO_TS.IFO", "");
    put("Two (2000)/VIDEO_TS/VIDEO_TS.nfo", &nfo("  <lockdata>true</lockdata>\n"));
    put("Three (2001)/BDMV/index.nfo", &nfo(""));
    put("Four (2002)/Four (2002).mkv", "");
    put("Four (2002)/Four (2002).nfo", &nfo(""));
    put("Four (2002)/movie.nfo", &nfo(""));
    film(&elsewhere, "Five (2003)");
    symlink(elsewhere.join("Five (2003)"), films.join("Five (2003)")).unwrap();
    symlink(&films, films.join("round")).unwrap();
    let original = files(&elsewhere);
    let before = files_behind_no_link(&films);

    let asked = ["--store", &store, "--bundle", "plots-open"];
    let output = cinetag(&[&["tag", &at], &asked[..]].concat()).output().unwrap();
    let tags = String::from_utf8(output.stdout).unwrap();
    let mut ids: Vec<String> = tags
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].to_string())
        .collect();
    ids.sort();
    let expected = ["Five (2003)", "Four (2002)", "One (1999)", "Three (2001)", "Two (2000)"];
    assert_eq!(ids, expected.map(|id| format!("\"{id}\"")));

    let (words, _) = said(&[&["tag", "--in-place", &at], &asked[..]].concat());
    let is_tagged = |name: &str| fs::read_to_string(films.join(name)).unwrap().contains("<genre>");
    for name in [
        "One (1999)/One (1999) - 1080p.nfo",
        "One (1999)/One (1999) - 4K.nfo",
        "Three (2001)/BDMV/index.nfo",
        "Four (2002)/Four (2002).nfo",
        "Four (2002)/movie.nfo",
    ] {
        assert!(is_tagged(name), "{name}: {words}");
    }
    assert!(words.contains("VIDEO_TS.nfo: left alone: it is locked"), "{words}");
    assert!(
        words.contains("Five (2003)/movie.nfo: left alone: it is, or lies behind, a link"),
        "{words}"
    );
    assert!(words.contains("5 changed, 0 as they should be"), "{words}");
    assert!(bytes(&files(&elsewhere)) == bytes(&original), "written through a link");
    let nfos =
        |after: &Files| after.keys().filter(|p| p.extension().is_some_and(|e| e == "nfo")).count();
    assert_eq!(nfos(&files_behind_no_link(&films)), nfos(&before), "no second sidecar: {words}");
    assert_eq!(said(&["tag", "undo", "last", &at]).1, Some(0));
    assert!(bytes(&files_behind_no_link(&films)) == bytes(&before));
}

/// As [`files`], without what is behind links.
fn files_behind_no_link(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let own = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    own.filter(|entry| entry.file_name() != ".cinetag")
        .flat_map(|entry| files(&entry.path()))
        .collect()
}
