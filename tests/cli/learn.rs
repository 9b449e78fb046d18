//! A bundle of one's own: learned, learned anew after somebody decided more, and what may go wrong on the way.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use cinetag::tag::Versions;

use super::{
    bundles::{done, refused},
    exit_codes::inputs,
};

/// Films like those that a bundle knows, with other names and ids; every fifth has no genres.
fn own_films(folder: &Path, num: usize) {
    let mut films = "id,title,year,language,genres\n".to_owned();
    for n in 0..num {
        let (language, genre) = [("en", "Drama"), ("fr", "Comedy"), ("de", "War")][n % 3];
        let genres = if n % 5 == 4 { "" } else { genre };
        writeln!(films, "own{n},Of mine {n},{},{language},{genres}", 1960 + n % 50).unwrap();
    }
    fs::write(folder.join("own.csv"), films).unwrap();
}

/// A bundle to begin with, in `runs/whole/bundle`, and films of one's own.
fn prepared(folder: &Path, num: usize) {
    inputs(folder);
    done(folder, "run whole.toml");
    own_films(folder, num);
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let inside = files(&path).into_iter();
            found.extend(inside.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

const LEARN: &str = "learn own.csv --prior runs/whole/bundle --store store --no-figures";

#[test]
fn what_is_learned_says_where_it_comes_from_and_tags() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepared(folder, 100);
    let said = done(folder, "learn own.csv --prior runs/whole/bundle --store store --out learned");
    let counted = said.lines().any(|line| {
        line.split_whitespace().collect::<Vec<_>>() == ["Drama", "27", "yes", "53", "no"]
    });
    assert!(counted && said.contains("held out, 80 titles: micro F1"), "{said}");
    assert!(said.contains("beside the bundle that it begins with"), "{said}");
    assert!(said.contains("50 titles more would bring"), "{said}");
    assert_eq!(
        said.lines().filter(|line| line.contains("  own")).count(),
        10,
        "to label next: {said}"
    );
    let card = fs::read_to_string(folder.join("learned/README.md")).unwrap();
    assert!(card.contains("what it begins with") && card.contains("80 labelled titles"), "{card}");
    let tags = done(folder, "tag own.csv --bundle learned --store store");
    assert!(tags.lines().count() == 100 && tags.contains("\"prior\":"), "{tags}");

    // The copy of the other bundle is what it was, and belongs to it.
    assert_eq!(files(&folder.join("learned/prior")), files(&folder.join("runs/whole/bundle")));
    refused(
        folder,
        "learn own.csv --prior learned --store store",
        1,
        &["begins with another bundle itself"],
    );
    let config = folder.join("learned/prior/bundle.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"Drama\"", "\"Dramas\"")).unwrap();
    refused(
        folder,
        "tag own.csv --bundle learned --store store",
        1,
        &["begins with another bundle than"],
    );
}

#[test]
fn titles_that_the_first_bundle_was_trained_on_say_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepared(folder, 100);
    let same = done(folder, "learn films.csv --prior runs/whole/bundle --store store");
    assert!(!same.contains("beside the bundle"), "it has seen all of them: {same}");
    assert!(same.contains("held out, 36 titles"), "{same}");
    // By name and year, where ids are others.
    let films = fs::read_to_string(folder.join("films.csv")).unwrap();
    fs::write(folder.join("renamed.csv"), films.replace("\nt", "\nother")).unwrap();
    let renamed = done(folder, "learn renamed.csv --prior runs/whole/bundle --store store");
    assert!(!renamed.contains("beside the bundle"), "{renamed}");
}

#[test]
fn learned_anew_it_is_the_same_until_somebody_decides_more() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepared(folder, 100);
    let first = done(folder, &format!("{LEARN} --as mine"));
    let version = |said: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix("mine@"));
        line.unwrap().to_owned()
    };
    let first = version(&first);
    let versions = Versions::of(&folder.join("bundles"), "mine").unwrap();
    let current = || versions.current().unwrap().unwrap().to_string();
    assert_eq!(current(), first, "the first one of a name is taken");
    let bytes = files(&folder.join("bundles/mine/versions").join(&first));
    for _ in 0..2 {
        assert_eq!(version(&done(folder, "refit mine")), first, "equal titles, equal bytes");
    }
    fs::rename(folder.join("bundles"), folder.join("before")).unwrap();
    done(folder, &format!("{LEARN} --as mine"));
    assert_eq!(files(&folder.join("bundles/mine/versions").join(&first)), bytes);

    // An answer on a title without genres, and one against what the table says.
    fs::write(folder.join("more.csv"), "title,genre,answer\nown4,War,yes\nown0,Drama,no\n")
        .unwrap();
    done(folder, "feedback import more.csv --to own.csv --who mara");
    let second = done(folder, "refit mine");
    let counted = second.lines().any(|line| {
        line.split_whitespace().take(5).collect::<Vec<_>>() == ["War", "28", "yes", "52", "no"]
    });
    assert!(counted, "{second}");
    let second = version(&second);
    assert_ne!(second, first);
    assert_eq!(current(), first, "too few titles for the gate, and nobody approved");
    assert_eq!(version(&done(folder, "refit mine --approve mara")), second);
    assert_eq!(current(), second);
    done(folder, "bundle rollback mine --by mara");
    assert_eq!(current(), first);
}

#[test]
fn a_large_library_keeps_titles_aside_and_asks_the_gate() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepared(folder, 900);
    done(folder, &format!("{LEARN} --as mine"));
    let versions = Versions::of(&folder.join("bundles"), "mine").unwrap();
    let first = versions.current().unwrap().unwrap();
    let config = versions.config(&first).unwrap();
    assert!(config.trained_on.pinned_aside);
    assert!((500..650).contains(&config.trained_on.num_titles), "{}", config.trained_on.num_titles);
    fs::write(folder.join("more.csv"), "title,genre,answer\nown4,Comedy,yes\n").unwrap();
    done(folder, "feedback import more.csv --to own.csv --who mara");
    done(folder, "refit mine");
    let after = versions.current().unwrap().unwrap();
    assert_ne!(after, first, "one title more is no harm, and the gate sees it");
    let history = versions.history().unwrap();
    let verdict = history.last().unwrap().verdict.as_ref().unwrap();
    assert!(verdict.num_titles > 100, "{verdict:?}");
}

#[test]
fn who_is_killed_while_it_learns_anew_leaves_what_was_current() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepared(folder, 100);
    done(folder, &format!("{LEARN} --as mine"));
    let versions = Versions::of(&folder.join("bundles"), "mine").unwrap();
    let first = versions.current().unwrap().unwrap();
    let mut num_killed = 0;
    for round in 0..10 {
        let answer = format!("title,genre,answer\nown{},War,yes\n", 4 + 5 * round);
        fs::write(folder.join("more.csv"), answer).unwrap();
        done(folder, "feedback import more.csv --to own.csv --who mara");
        let mut child = Command::new(env!("CARGO_BIN_EXE_cinetag"))
            .args(["refit", "mine", "--home"])
            .arg(folder.join("bundles"))
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(20 * round));
        num_killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(versions.current().unwrap().unwrap(), first);
        for version in versions.list().unwrap() {
            done(folder, &format!("tag own.csv --bundle mine@{version} --store store"));
        }
    }
    assert!(num_killed > 0, "it was always too late");
    done(folder, "refit mine --approve mara");
    assert_ne!(versions.current().unwrap().unwrap(), first);
}

#[test]
fn too_little_to_learn_from_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepared(folder, 20);
    refused(folder, LEARN, 1, &["16 titles have genres", "20 are needed"]);
    refused(folder, "refit films", 2, &["there is no bundle called films"]);
    done(folder, "bundle add films runs/whole/bundle");
    refused(folder, "refit films", 2, &["not known how this bundle was learned"]);
}
