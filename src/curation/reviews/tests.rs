//! The laws of the log, on files that the tests write.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Barrier,
    thread,
};

use proptest::prelude::*;

use super::{read::events, *};
use crate::FOLDER;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn words(second: i64, title: &str, answers: &[(&str, Answer)]) -> Words {
    let answers = answers.iter().map(|&(genre, answer)| (genre.to_owned(), answer)).collect();
    Words { answers, ..Words::new(at(second), Source::Page, title) }
}

fn undo(second: i64, title: &str, event: &Event) -> Words {
    Words { undoes: Some(event.event.clone()), ..words(second, title, &[]) }
}

fn files(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(FOLDER).join(REVIEWS)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn answer(root: &Path, title: &str, genre: &str) -> Option<Answer> {
    let decisions = read(root).unwrap().decisions();
    decisions.get(title)?.get(genre).map(|said| said.answer)
}

#[test]
fn the_later_word_holds_and_what_is_taken_back_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert!(read(root).unwrap().events.is_empty() && !is_there(root));
    let mut mara = Session::new(root);
    assert!(!is_there(root), "nothing was said yet");
    let mut say = |words| mara.append(words).unwrap();
    say(words(1, "a/Heat", &[("Crime", Answer::Yes), ("Drama", Answer::Unsure)]));
    let no = say(words(2, "a/Heat", &[(" crime ", Answer::No)]));
    assert_eq!(answer(root, "a/Heat", "CRIME"), Some(Answer::No));
    let undone = say(undo(3, "a/Heat", &no));
    assert_eq!(answer(root, "a/Heat", "Crime"), Some(Answer::Yes));
    say(undo(4, "a/Heat", &undone));
    assert_eq!(answer(root, "a/Heat", "Crime"), Some(Answer::No), "done again");
    let whole = say(Words { complete: true, ..words(5, "a/Heat", &[]) });
    let decided = |root: &Path| read(root).unwrap().decisions().get("a/Heat").cloned().unwrap();
    assert!(decided(root).complete && decided(root).answers.len() == 2);
    // By a clock that is late.
    say(undo(0, "a/Heat", &whole));
    assert!(!decided(root).complete);
    assert_eq!(read(root).unwrap().breaks, []);
    assert_eq!(files(root).len(), 1);
}

#[test]
fn events_that_take_one_another_back_end_no_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FOLDER).join(REVIEWS);
    fs::create_dir_all(&path).unwrap();
    for (own, other) in [("x", "y"), ("y", "x"), ("z", "z")] {
        let answers = words(1, "a", &[("War", Answer::Yes)]);
        let words = Words { undoes: Some(other.to_owned()), ..answers };
        let event = Event { event: own.to_owned(), words, prev: None };
        let line = serde_json::to_string(&event).unwrap() + "\n";
        fs::write(path.join(format!("{own}.jsonl")), line).unwrap();
    }
    let log = read(folder.path()).unwrap();
    assert_eq!((log.events.len(), log.decisions().is_empty()), (3, true));
}

#[test]
fn two_people_who_differ_are_listed_and_the_later_one_holds() {
    let folder = tempfile::tempdir().unwrap();
    let say = |who: &str, second, answer| {
        let words = words(second, "a", &[("War", answer)]);
        Session::new(folder.path()).append(Words { who: who.to_owned(), ..words }).unwrap();
    };
    say("mara", 1, Answer::No);
    say("mara", 2, Answer::Yes);
    say("ben", 3, Answer::Added);
    let conflicts = || read(folder.path()).unwrap().decisions().conflicts().to_vec();
    assert_eq!(conflicts(), [], "both say that it has the genre");
    say("ben", 4, Answer::No);
    let [conflict] = &conflicts()[..] else { panic!("{:?}", conflicts()) };
    let said: Vec<_> = conflict.words.iter().map(|said| (said.who.as_str(), said.answer)).collect();
    assert_eq!(said, [("mara", Answer::Yes), ("ben", Answer::No)]);
    assert_eq!(answer(folder.path(), "a", "War"), Some(Answer::No));
}

#[test]
fn every_prefix_of_a_file_reads_as_the_events_that_are_whole_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(folder.path());
    let said: Vec<_> =
        (0..5).map(|n| session.append(words(n, "ä", &[("Krieg", Answer::Yes)])).unwrap()).collect();
    let bytes = fs::read(&files(folder.path())[0]).unwrap();
    for end in 0..=bytes.len() {
        let num_whole = bytes[..end].split(|&byte| byte == b'\n').count() - 1;
        let (read, broken) = events(&bytes[..end]);
        assert_eq!((&read[..], broken), (&said[..num_whole], None), "{end}");
    }
    // The next writer takes a file of its own.
    fs::write(&files(folder.path())[0], &bytes[..bytes.len() - 9]).unwrap();
    Session::new(folder.path()).append(words(9, "b", &[("War", Answer::No)])).unwrap();
    let log = read(folder.path()).unwrap();
    assert_eq!((log.events.len(), log.breaks.len(), files(folder.path()).len()), (5, 0, 2));
}

#[test]
fn a_line_that_was_changed_or_taken_out_is_seen_and_what_stands_before_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(folder.path());
    for n in 0..4 {
        session.append(words(n, "a", &[("War", Answer::Yes)])).unwrap();
    }
    let path = &files(folder.path())[0];
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let spoilt = |lines: &[&str]| {
        fs::write(path, lines.concat()).unwrap();
        let log = read(folder.path()).unwrap();
        let [broken] = &log.breaks[..] else { panic!("{:?}", log.breaks) };
        assert_eq!(&broken.file, path);
        (log.events.len(), broken.line)
    };
    let changed = lines[1].replace("yes", "no");
    assert_eq!(spoilt(&[lines[0], &changed, lines[2], lines[3]]), (2, 3));
    assert_eq!(spoilt(&[lines[0], lines[2], lines[3]]), (1, 2));
    assert_eq!(spoilt(&[lines[1], lines[2]]), (0, 1));
    assert_eq!(spoilt(&[lines[0], "no event\n", lines[2]]), (1, 2));
    let long = format!("{{\"x\":\"{}\"}}\n", "x".repeat(1 << 20));
    assert_eq!(spoilt(&[lines[0], &long]), (1, 2));
    // What later versions add is no fault.
    let more = lines[0].replacen('{', "{\"mood\":\"good\",", 1);
    fs::write(path, more).unwrap();
    let log = read(folder.path()).unwrap();
    assert_eq!((log.events.len(), log.breaks.len()), (1, 0));
}

#[test]
fn links_and_words_longer_than_anybodys_are_refused() {
    let (tree, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Session::new(other.path()).append(words(1, "a", &[("War", Answer::Yes)])).unwrap();
    let reviews = tree.path().join(FOLDER).join(REVIEWS);
    fs::create_dir_all(&reviews).unwrap();
    symlink(&files(other.path())[0], reviews.join("link.jsonl")).unwrap();
    let log = read(tree.path()).unwrap();
    assert_eq!((log.events.len(), log.breaks[0].line), (0, 0));
    fs::remove_dir_all(&reviews).unwrap();
    symlink(other.path().join(FOLDER).join(REVIEWS), &reviews).unwrap();
    let mut session = Session::new(tree.path());
    assert!(read(tree.path()).is_err() && is_there(tree.path()));
    assert!(session.append(words(1, "a", &[("War", Answer::Yes)])).is_err());
    fs::remove_file(&reviews).unwrap();
    let long = "x".repeat(5000);
    for odd in [words(1, &long, &[]), words(1, "", &[]), words(1, "a", &[(&long, Answer::No)])] {
        assert!(session.append(odd).is_err());
    }
    assert!(!is_there(tree.path()), "nothing was written");
}

#[test]
fn twenty_who_write_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let barrier = &Barrier::new(20);
    thread::scope(|scope| {
        for writer in 0..20 {
            scope.spawn(move || {
                let mut session = Session::new(root);
                // So that the folders are made at once, too.
                barrier.wait();
                for n in 0..10 {
                    let title = format!("{writer}/{n}");
                    session.append(words(n, &title, &[("War", Answer::Yes)])).unwrap();
                }
            });
        }
    });
    let log = read(root).unwrap();
    assert_eq!((log.events.len(), log.breaks.len(), files(root).len()), (200, 0, 20));
    assert_eq!(log.decisions().iter().count(), 200);
}

type AWord = (i64, u8, u8, u8, bool, Option<prop::sample::Index>);

/// Somebody's words, or the number of an earlier event to take back.
fn a_word() -> impl Strategy<Value = AWord> {
    let undone = prop::option::weighted(0.3, any::<prop::sample::Index>());
    (0..20_i64, 0..3_u8, 0..3_u8, 0..4_u8, prop::bool::weighted(0.1), undone)
}

fn log_of(said: &[AWord]) -> Vec<Event> {
    const ANSWERS: [Answer; 4] = [Answer::Yes, Answer::No, Answer::Unsure, Answer::Added];
    let mut events: Vec<Event> = Vec::new();
    for (number, &(second, title, genre, answer, complete, undone)) in said.iter().enumerate() {
        let answer = ANSWERS[usize::from(answer)];
        let said = words(second, &format!("t{title}"), &[(&format!("g{genre}"), answer)]);
        let words = match undone.filter(|_| number > 0) {
            Some(idx) => undo(second, "t0", idx.get(&events)),
            None => Words { complete, ..said },
        };
        events.push(Event { event: format!("{number:04}"), words, prev: None });
    }
    events
}

/// Writes events into the log, each session those of its number.
fn written(root: &Path, events: &[Event], num_sessions: usize, names: &[usize]) {
    let reviews = root.join(FOLDER).join(REVIEWS);
    fs::create_dir_all(&reviews).unwrap();
    for (session, name) in names.iter().enumerate().take(num_sessions) {
        let (mut prev, mut text) = (None, String::new());
        for event in events.iter().skip(session).step_by(num_sessions) {
            let line = serde_json::to_string(&Event { prev, ..event.clone() }).unwrap();
            prev = Some(Digest::of_bytes(line.as_bytes()));
            text += &(line + "\n");
        }
        fs::write(reviews.join(format!("{name}.jsonl")), text).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_which_files_events_stand_and_how_these_are_called_is_no_matter(
        said in prop::collection::vec(a_word(), 1..40),
        num_sessions in 1..5_usize,
        names in Just(vec![0, 1, 2, 3, 4]).prop_shuffle(),
    ) {
        let events = log_of(&said);
        let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        written(one.path(), &events, 1, &[0]);
        written(many.path(), &events, num_sessions, &names);
        let [one, many] = [one, many].map(|root| read(root.path()).unwrap());
        prop_assert_eq!(one.breaks.len() + many.breaks.len(), 0);
        prop_assert_eq!(one.events.len(), events.len());
        prop_assert_eq!(one.decisions(), many.decisions());
    }

    #[test]
    fn a_last_word_holds_and_taking_it_back_leaves_what_was(
        said in prop::collection::vec(a_word(), 0..40),
        answer in prop::sample::select(vec![Answer::Yes, Answer::No, Answer::Unsure]),
    ) {
        let mut events = log_of(&said);
        events.sort_by_key(|event| (event.words.at, event.event.clone()));
        let before = fold::fold(&events);
        let say = |events: &mut Vec<Event>, id: &str, words| {
            events.push(Event { event: id.to_owned(), words, prev: None });
            fold::fold(events)
        };
        let after = say(&mut events, "x", words(30, "t1", &[("G1", answer)]));
        prop_assert_eq!(after.get("t1").unwrap().get("g1").unwrap().answer, answer);
        let x = events[events.len() - 1].clone();
        let undone = say(&mut events, "y", undo(31, "t1", &x));
        prop_assert_eq!(&undone, &before);
        let y = events[events.len() - 1].clone();
        let redone = say(&mut events, "z", undo(32, "t1", &y));
        prop_assert_eq!(&redone, &after);
    }
}
