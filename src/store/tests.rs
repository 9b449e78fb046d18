//! Unit and property tests of the store as its callers see it.
//!
//! One file, though long: all of them stand on the same few rows.

use std::{fs, path::PathBuf, sync::Arc};

use base::{Digest, Fingerprint, Hinted, TitleId};
use proptest::prelude::*;
use serde_json::json;

use super::*;

pub(super) fn identity(dim: usize) -> EncoderIdentity {
    let description = json!({"hop": 512, "gain": 0.1, "algorithm_version": 1});
    EncoderIdentity {
        name: "sound".to_owned(),
        fingerprint: Fingerprint::of(&description),
        dim,
        row_unit: "window".to_owned(),
        description,
    }
}

fn key(text: &str) -> Digest {
    digest_of_text(text)
}

fn row(name: &str, data: &[f32], dim: usize) -> FeatureRow {
    FeatureRow {
        key: key(name),
        title: TitleId::new(name),
        data: data.to_vec(),
        time_secs: (0..data.len() / dim).map(|i| i as f32 * 2.5).collect(),
        partial: None,
        text: None,
    }
}

fn failure(name: &str, code: &str) -> FailureRow {
    FailureRow {
        key: key(name),
        title: TitleId::new(name),
        source: format!("trailers/{name}.mp4"),
        code: code.to_owned(),
        detail: "moov atom not found".to_owned(),
    }
}

struct Fixture {
    folder: tempfile::TempDir,
    store: Arc<EncoderStore>,
}

fn fixture(dim: usize) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path()).encoder(&identity(dim)).unwrap();
    Fixture { folder, store }
}

#[test]
fn features_come_back_in_the_order_asked_for_and_missing_keys_have_no_rows() {
    let Fixture { folder: _folder, store } = fixture(2);
    let a = row("a", &[1.0, 2.0, 3.0, 4.0], 2);
    let b = row("b", &[5.0, -6.5], 2);
    let c = row("c", &[7.0, 8.0, 9.0, 10.0, 11.0, 12.0], 2);
    store.publish(&[a.clone(), b.clone()]).unwrap();
    store.publish(std::slice::from_ref(&c)).unwrap();
    let ragged = store.read(&[key("c"), key("nowhere"), key("a"), key("b"), key("a")]).unwrap();
    assert_eq!(ragged.offsets, [0, 3, 3, 5, 6, 8]);
    assert_eq!((ragged.rows(0), ragged.times(0)), (&c.data[..], &c.time_secs[..]));
    assert_eq!((ragged.rows(2), ragged.times(2)), (&a.data[..], &a.time_secs[..]));
    assert_eq!((ragged.rows(3), ragged.times(3)), (&b.data[..], &b.time_secs[..]));
    assert_eq!(ragged.rows(4), &a.data[..]);
    assert_eq!(ragged.num_rows(1), 0);
}

#[test]
fn an_empty_store_reads_as_missing_features() {
    let Fixture { folder: _folder, store } = fixture(3);
    assert!(store.index().unwrap().is_empty());
    assert_eq!(store.read(&[key("a")]).unwrap().offsets, [0, 0]);
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(store.publish::<FeatureRow>(&[]).unwrap(), Published::default());
}

#[test]
fn rows_without_times_have_none_and_mixtures_are_refused() {
    let Fixture { folder: _folder, store } = fixture(1);
    let mut untimed = row("a", &[1.0], 1);
    untimed.time_secs.clear();
    store.publish(&[untimed.clone()]).unwrap();
    assert!(store.read(&[key("a")]).unwrap().time_secs.is_empty());
    let mixture = [untimed, row("b", &[1.0], 1)];
    assert!(matches!(store.publish(&mixture), Err(StoreError::Invalid(_))));
}

#[test]
fn rows_of_the_wrong_shape_are_a_bug_and_nothing_is_published() {
    let Fixture { folder: _folder, store } = fixture(2);
    let mut late = row("a", &[1.0, 2.0], 2);
    late.time_secs = vec![0.0, 1.0];
    let mut timeless = row("a", &[1.0, 2.0], 2);
    timeless.time_secs = vec![f32::NAN];
    for bad in [row("a", &[], 2), row("a", &[1.0, 2.0, 3.0], 2), late, timeless] {
        let good = row("b", &[1.0, 2.0], 2);
        assert!(matches!(store.publish(&[good, bad]), Err(StoreError::Invalid(_))));
    }
    assert!(store.index().unwrap().is_empty());
}

#[test]
fn numbers_beyond_f16_become_failures_and_cost_their_title_only() {
    let Fixture { folder: _folder, store } = fixture(2);
    let rows = [
        row("fine", &[65504.0, -65504.0], 2),
        row("huge", &[0.0, 1.0, 70_000.0, 1.0], 2),
        row("nan", &[0.0, f32::NAN], 2),
    ];
    let published = store.publish(&rows).unwrap();
    assert_eq!(published.num_titles, 1);
    assert_eq!(published.refused.len(), 2);
    let index = store.index().unwrap();
    assert!(index.contains(&key("fine")) && index.len() == 1);
    let huge = index.failure(&key("huge")).unwrap();
    assert_eq!(huge.code, "not_finite");
    assert_eq!(huge.detail, "feature 0 of row 1 is 70000");
    assert!(index.knows(&key("nan")));
    // All refused: no shard.
    assert_eq!(store.publish(&rows[1..2]).unwrap().path, None);
}

#[test]
fn the_same_rows_give_the_same_file_and_a_key_counts_once() {
    let (one, two) = (fixture(1), fixture(1));
    let rows = [row("a", &[1.0], 1), row("a", &[2.0], 1), row("b", &[3.0], 1)];
    let published = one.store.publish(&rows).unwrap();
    let path = published.path.unwrap();
    assert_eq!(published.num_titles, 2);
    let bytes = fs::read(&path).unwrap();
    let again = two.store.publish(&rows).unwrap().path.unwrap();
    assert_eq!(bytes, fs::read(&again).unwrap());
    assert_eq!(path.file_name(), again.file_name());
    assert_eq!(one.store.read(&[key("a")]).unwrap().data, [1.0]);
    // Published once more into the same folder: still one file.
    one.store.publish(&rows).unwrap();
    assert_eq!(one.store.index().unwrap().num_shards(), 1);
    assert_eq!(one.store.verify().unwrap().num_duplicate_keys, 0);
}

#[test]
fn of_a_key_in_two_shards_the_first_shard_by_name_holds() {
    let Fixture { folder: _folder, store } = fixture(1);
    let first = store.publish(&[row("a", &[1.0], 1)]).unwrap().path.unwrap();
    let second = store.publish(&[row("a", &[2.0], 1)]).unwrap().path.unwrap();
    let expected = if first < second { 1.0 } else { 2.0 };
    assert_eq!(store.read(&[key("a")]).unwrap().data, [expected]);
    let report = store.verify().unwrap();
    assert!(report.is_sound());
    assert_eq!(report.num_duplicate_keys, 1);
}

#[test]
fn a_later_success_supersedes_a_failure_and_failures_can_be_forgotten() {
    let Fixture { folder: _folder, store } = fixture(1);
    store.publish_failures(&[failure("a", "corrupt"), failure("b", "timeout")]).unwrap();
    store.publish(&[row("a", &[1.0], 1)]).unwrap();
    let index = store.index().unwrap();
    assert!(index.failure(&key("a")).is_none());
    assert_eq!(index.failures(), [&failure("b", "timeout")]);
    let summary = store.summary().unwrap();
    assert_eq!((summary.num_titles, summary.failures["timeout"]), (1, 1));
    store.forget_failures().unwrap();
    assert!(!store.index().unwrap().knows(&key("b")));
}

#[test]
fn partial_features_keep_their_reason() {
    let Fixture { folder: _folder, store } = fixture(1);
    let partial = FeatureRow {
        partial: Some("truncated: Ende der Datei – zu früh".to_owned()),
        ..row("a", &[1.0], 1)
    };
    store.publish(&[partial, row("b", &[2.0], 1)]).unwrap();
    let index = store.index().unwrap();
    assert_eq!(index.partial(&key("a")), Some("truncated: Ende der Datei – zu früh"));
    assert_eq!(index.partial(&key("b")), None);
    assert_eq!(store.summary().unwrap().num_partial, 1);
}

/// A row whose segments say these words, a second each.
fn said(name: &str, words: &[&str], language: Option<&str>) -> FeatureRow {
    let segment = |(idx, text): (usize, &&str)| TextSegment {
        start_secs: idx as f32,
        end_secs: idx as f32 + 1.0,
        text: (*text).to_owned(),
    };
    let segments: Vec<TextSegment> = words.iter().enumerate().map(segment).collect();
    FeatureRow {
        time_secs: segments.iter().map(|segment| segment.start_secs).collect(),
        text: Some(TimedText { segments, language: language.map(str::to_owned) }),
        ..row(name, &vec![0.5; words.len()], 1)
    }
}

#[test]
fn texts_come_back_with_their_times_in_the_order_asked_for() {
    let Fixture { folder: _folder, store } = fixture(1);
    let (a, b) = (said("a", &["Jemand", "klopft. – Wer?"], Some("de")), said("b", &[""], None));
    let c = said("c", &["a detective", "", "runs"], Some("en"));
    store.publish(&[a.clone(), b.clone()]).unwrap();
    store.publish(std::slice::from_ref(&c)).unwrap();
    let (index, keys) = (store.index().unwrap(), ["c", "nowhere", "b", "a", "c"].map(key));
    let texts = store.read_texts(&index, &keys).unwrap();
    assert_eq!(texts, [c.text.clone(), None, b.text, a.text, c.text]);
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(store.read_with(&index, &keys).unwrap().offsets, [0, 3, 3, 4, 6, 9]);
}

#[test]
fn rows_without_text_say_nothing_and_mixtures_are_refused() {
    let Fixture { folder: _folder, store } = fixture(1);
    let numbers = row("a", &[1.0], 1);
    store.publish(std::slice::from_ref(&numbers)).unwrap();
    assert_eq!(store.read_texts(&store.index().unwrap(), &[key("a")]).unwrap(), [None]);
    let fewer = FeatureRow { data: vec![0.5; 3], ..said("b", &["one", "two"], None) };
    let mut late = said("b", &["one"], None);
    late.text.as_mut().unwrap().segments[0].start_secs = 0.5;
    let mut endless = said("b", &["one"], None);
    endless.text.as_mut().unwrap().segments[0].end_secs = f32::INFINITY;
    for bad in [vec![numbers, said("b", &["one"], None)], vec![fewer], vec![late], vec![endless]] {
        assert!(matches!(store.publish(&bad), Err(StoreError::Invalid(_))), "{bad:?}");
    }
}

#[test]
fn an_encoder_described_in_other_words_is_refused_whatever_the_order_of_its_keys() {
    let Fixture { folder, store } = fixture(1);
    let root = FeatureStore::open(folder.path());
    let mut reordered = identity(1);
    reordered.description = json!({"algorithm_version": 1, "gain": 0.1, "hop": 512});
    root.encoder(&reordered).unwrap();
    let mut other = identity(1);
    other.description = json!({"hop": 256, "gain": 0.1, "algorithm_version": 1});
    let error = root.encoder(&other).unwrap_err();
    assert!(matches!(&error, StoreError::OtherEncoder { field, .. } if field == "description"));
    assert!(error.hint().unwrap().contains("ALGORITHM_VERSION"));
    let error = root.encoder(&identity(2)).unwrap_err();
    assert!(error.to_string().ends_with("dim is 1, expected 2"), "{error}");
    // The refusals changed nothing.
    let found = root.find("sound", &identity(1).fingerprint).unwrap().unwrap();
    assert_eq!(found.identity(), store.identity());
}

#[test]
fn names_that_are_no_folder_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "../sound", "So und", &"x".repeat(64)] {
        let bad = EncoderIdentity { name: name.to_owned(), ..identity(1) };
        let opened = FeatureStore::open(folder.path()).encoder(&bad);
        assert!(matches!(opened, Err(StoreError::Invalid(_))), "{name}");
    }
}

#[test]
fn the_store_lists_its_encoders_and_an_absent_store_has_none() {
    let Fixture { folder, store: _store } = fixture(1);
    let root = FeatureStore::open(folder.path());
    let other = EncoderIdentity { name: "plots".to_owned(), ..identity(4) };
    root.encoder(&other).unwrap();
    fs::create_dir(root.folder().join("stray")).unwrap();
    let names: Vec<_> =
        root.encoders().unwrap().iter().map(|e| e.identity().name.clone()).collect();
    assert_eq!(names, ["plots", "sound"]);
    let absent = FeatureStore::open(&folder.path().join("nowhere"));
    assert!(absent.encoders().unwrap().is_empty());
    assert!(absent.find("sound", &identity(1).fingerprint).unwrap().is_none());
    assert!(!absent.folder().exists());
}

/// Spoils a published shard and expects the reader to name it, `verify` to find it and
/// `repair` to leave a store that reads.
fn expect_named(spoil: impl FnOnce(&PathBuf)) {
    let Fixture { folder: _folder, store } = fixture(2);
    let kept = row("kept", &[1.0, 2.0], 2);
    store.publish(std::slice::from_ref(&kept)).unwrap();
    let path = store.publish(&[row("lost", &[3.0, 4.0, 5.0, 6.0], 2)]).unwrap().path.unwrap();
    let keys = [key("kept"), key("lost")];
    let index = store.index().unwrap();
    spoil(&path);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let error = store.read_with(&index, &keys).unwrap_err();
    assert!(error.to_string().contains(&name), "{error}");
    assert!(error.hint().unwrap().contains("--repair"));
    let report = store.verify().unwrap();
    if path.exists() {
        assert_eq!(report.damaged().map(|file| file.name.clone()).collect::<Vec<_>>(), [name]);
        assert_eq!(store.repair(&report).unwrap().len(), 1);
    }
    assert!(store.verify().unwrap().is_sound());
    let ragged = store.read(&keys).unwrap();
    assert_eq!((ragged.rows(0), ragged.num_rows(1)), (&kept.data[..], 0));
}

#[test]
fn a_truncated_shard_is_named() {
    expect_named(|path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    });
    expect_named(|path| fs::write(path, []).unwrap());
}

#[test]
fn a_missing_shard_is_named() {
    expect_named(|path| fs::remove_file(path).unwrap());
}

#[test]
fn every_flipped_byte_of_a_shard_is_found() {
    let Fixture { folder: _folder, store } = fixture(1);
    let path = store.publish(&[row("a", &[1.0, 2.0], 1)]).unwrap().path.unwrap();
    let bytes = fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(131) {
        let mut spoilt = bytes.clone();
        spoilt[at] ^= 0x10;
        fs::write(&path, &spoilt).unwrap();
        assert!(!store.verify().unwrap().is_sound(), "byte {at}");
    }
    expect_named(|path| {
        // A feature, which HDF5's own checksums do not cover: 3, 4, 5, 6 as f16.
        let mut bytes = fs::read(path).unwrap();
        let data = [0x00, 0x42, 0x00, 0x44, 0x00, 0x45, 0x00, 0x46];
        let at = bytes.windows(8).position(|window| window == data).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    });
}

#[test]
fn a_renamed_shard_of_another_encoder_is_named() {
    let Fixture { folder, store } = fixture(1);
    let other = EncoderIdentity { name: "plots".to_owned(), ..identity(1) };
    let other = FeatureStore::open(folder.path()).encoder(&other).unwrap();
    let path = other.publish(&[row("a", &[1.0], 1)]).unwrap().path.unwrap();
    fs::copy(&path, store.folder().join(path.file_name().unwrap())).unwrap();
    let error = store.index().unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, r#"its encoder is "plots", not "sound""#);
}

#[test]
fn a_damaged_failure_log_is_named() {
    let Fixture { folder: _folder, store } = fixture(1);
    store.publish_failures(&[failure("a", "corrupt")]).unwrap();
    let name = store.failure_logs().unwrap().remove(0);
    let path = store.folder().join(&name);
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("corrupt", "timeout")).unwrap();
    assert!(store.index().unwrap_err().to_string().contains(&name));
    let report = store.verify().unwrap();
    assert!(!report.is_sound());
    store.repair(&report).unwrap();
    assert!(!store.index().unwrap().knows(&key("a")));
}

#[test]
fn temporary_files_are_listed_and_in_nobodys_way() {
    let Fixture { folder: _folder, store } = fixture(1);
    store.publish(&[row("a", &[1.0], 1)]).unwrap();
    let leftover = store.folder().join(".tmp-Ab12.h5");
    fs::write(&leftover, "half a sh").unwrap();
    assert_eq!(store.index().unwrap().len(), 1);
    let report = store.verify().unwrap();
    assert!(report.is_sound());
    assert_eq!(report.leftovers, [".tmp-Ab12.h5"]);
    // It may belong to a process that is writing now.
    assert!(store.repair(&report).unwrap().is_empty());
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    fs::File::options().write(true).open(&leftover).unwrap().set_modified(old).unwrap();
    assert_eq!(store.repair(&report).unwrap(), [leftover]);
}

#[test]
fn threads_may_publish_and_read_at_once() {
    let Fixture { folder: _folder, store } = fixture(4);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for i in 0..5 {
                    let name = format!("{thread}-{i}");
                    store.publish(&[row(&name, &[thread as f32; 4], 4)]).unwrap();
                    assert_eq!(store.read(&[key(&name)]).unwrap().data, [thread as f32; 4]);
                }
            });
        }
    });
    assert_eq!(store.index().unwrap().len(), 20);
}

#[test]
fn what_was_read_of_a_store_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = FeatureStore::open(folder.path());
    let store = root.encoder(&identity(1)).unwrap();
    for name in ["a", "b", "c"] {
        store.publish(&[row(name, &[1.0], 1)]).unwrap();
        store.publish_failures(&[failure(&format!("no {name}"), "corrupt")]).unwrap();
        for _ in 0..2 {
            let same = root.clone().encoder(&identity(1)).unwrap();
            assert!(same.index().unwrap().contains(&key(name)), "whoever asks");
        }
    }
    assert_eq!(store.num_files_read(), 6, "each shard and log once");
    assert!(Arc::ptr_eq(&root.sources().unwrap(), &root.clone().sources().unwrap()));
    // What others do to the folder is seen all the same.
    let others = FeatureStore::open(folder.path()).encoder(&identity(1)).unwrap();
    others.publish(&[row("d", &[1.0], 1)]).unwrap();
    assert!(store.index().unwrap().contains(&key("d")));
    others.forget_failures().unwrap();
    assert!(!store.index().unwrap().knows(&key("no a")));
    fs::remove_dir_all(store.folder()).unwrap();
    assert!(store.index().unwrap().is_empty());
    let anew = root.encoder(&identity(1)).unwrap();
    anew.publish(&[row("a", &[1.0], 1)]).unwrap();
    assert_eq!(anew.index().unwrap().len(), 1);
}

/// What happens to a store's folder.
#[derive(Clone, Debug)]
enum Event {
    Rows(Vec<(u8, u8)>),
    Failures(Vec<(u8, u8)>),
    /// The so manieth file is gone.
    Gone(prop::sample::Index),
    /// Somebody asks.
    Asked,
}

fn any_event() -> impl Strategy<Value = Event> {
    let some = || prop::collection::vec((0_u8..6, 1_u8..4), 1..4);
    prop_oneof![
        3 => some().prop_map(Event::Rows),
        2 => some().prop_map(Event::Failures),
        1 => any::<prop::sample::Index>().prop_map(Event::Gone),
        3 => Just(Event::Asked),
    ]
}

prop_compose! {
    fn any_rows(dim: usize)(
        rows in prop::collection::vec(
            (prop::collection::vec(-60_000f32..60_000.0, dim..=dim * 6), "\\PC{0,12}", "\\PC{0,8}"),
            1..12,
        )
    ) -> Vec<FeatureRow> {
        rows.into_iter().enumerate().map(|(i, (mut data, title, partial))| {
            data.truncate(data.len() / dim * dim);
            FeatureRow {
                key: key(&format!("{i} {title}")),
                title: TitleId::new(&title),
                partial: Some(partial).filter(|text| !text.is_empty()),
                ..row(&title, &data, dim)
            }
        }).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Read bit by bit while things happen, or whole at the end: it is the same.
    #[test]
    fn an_index_that_grew_is_the_one_that_is_read_anew(
        events in prop::collection::vec(any_event(), 1..14),
    ) {
        let Fixture { folder, store } = fixture(1);
        for event in events {
            match event {
                Event::Rows(rows) => {
                    let of = |(name, len): &(u8, u8)| {
                        let partial = (len % 2 == 0).then(|| format!("part {len}"));
                        let data = vec![f32::from(*len); usize::from(*len)];
                        FeatureRow { partial, ..row(&name.to_string(), &data, 1) }
                    };
                    store.publish(&rows.iter().map(of).collect::<Vec<_>>()).unwrap();
                }
                Event::Failures(rows) => {
                    let of = |(name, code): &(u8, u8)| failure(&name.to_string(), &code.to_string());
                    store.publish_failures(&rows.iter().map(of).collect::<Vec<_>>()).unwrap();
                }
                Event::Gone(which) => {
                    let mut files = store.shards().unwrap();
                    files.extend(store.failure_logs().unwrap());
                    if !files.is_empty() {
                        fs::remove_file(store.folder().join(&files[which.index(files.len())])).unwrap();
                    }
                }
                Event::Asked => drop(store.index().unwrap()),
            }
        }
        let anew = FeatureStore::open(folder.path()).encoder(&identity(1)).unwrap();
        let (grown, read) = (store.index().unwrap(), anew.index().unwrap());
        let keys: Vec<Digest> = (0_u8..6).map(|name| key(&name.to_string())).collect();
        for key in &keys {
            prop_assert_eq!(grown.num_rows(key), read.num_rows(key));
            prop_assert_eq!(grown.partial(key), read.partial(key));
            prop_assert_eq!(grown.failure(key), read.failure(key));
        }
        prop_assert_eq!(grown.failures(), read.failures());
        prop_assert_eq!(store.read(&keys).unwrap().data, anew.read(&keys).unwrap().data);
    }

    #[test]
    fn what_is_published_is_read_to_f16_precision(
        rows in any_rows(3),
        cut in 0usize..12,
        order in any::<prop::sample::Index>(),
    ) {
        let Fixture { folder: _folder, store } = fixture(3);
        let (first, second) = rows.split_at(cut.min(rows.len()));
        store.publish(first).unwrap();
        store.publish(second).unwrap();
        prop_assert!(store.verify().unwrap().is_sound());
        let mut asked: Vec<_> = rows.iter().collect();
        asked.rotate_left(order.index(rows.len()));
        let keys: Vec<_> = asked.iter().map(|row| row.key).collect();
        let (ragged, index) = (store.read(&keys).unwrap(), store.index().unwrap());
        for (i, row) in asked.iter().enumerate() {
            let expected: Vec<_> =
                row.data.iter().map(|&value| half::f16::from_f32(value).to_f32()).collect();
            prop_assert_eq!(ragged.rows(i), &expected[..]);
            prop_assert_eq!(ragged.times(i), &row.time_secs[..]);
            prop_assert_eq!(index.partial(&row.key), row.partial.as_deref());
        }
    }
}

#[test]
fn blocks_and_gaps_do_not_matter() {
    // Rows of 1 MiB: eight to a block, and some titles larger than a block.
    let dim = 1 << 19;
    let Fixture { folder: _folder, store } = fixture(dim);
    let rows: Vec<_> = [3, 1, 9, 2, 1]
        .iter()
        .enumerate()
        .map(|(i, &num_rows)| {
            let values = (0..num_rows).flat_map(|r| vec![(i * 100 + r) as f32; dim]);
            row(&i.to_string(), &values.collect::<Vec<_>>(), dim)
        })
        .collect();
    store.publish(&rows).unwrap();
    for asked in [vec![0, 1, 2, 3, 4], vec![4, 0], vec![2], vec![3, 1, 4]] {
        let keys: Vec<_> = asked.iter().map(|&i: &usize| rows[i].key).collect();
        let ragged = store.read(&keys).unwrap();
        for (at, &i) in asked.iter().enumerate() {
            assert!(ragged.rows(at) == rows[i].data, "title {i}");
            assert_eq!(ragged.times(at), rows[i].time_secs);
        }
    }
}
