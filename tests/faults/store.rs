//! The feature store under kill -9, a full disk and a missing folder.
//!
//! The processes that are killed are this test binary itself, started again for one test
//! with [`CHILD_ROOT`] set: that test publishes shards until it dies.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests, which clippy does not take for tests

use std::{
    collections::HashSet,
    ffi::OsString,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use cinetag::{
    base::{Fingerprint, Seed, TitleId},
    store::{EncoderIdentity, EncoderStore, FailureRow, FeatureRow, FeatureStore, digest_of_text},
};
use rand::RngExt;
use serde_json::json;

/// Tells a started test binary to publish below this folder.
const CHILD_ROOT: &str = "CINETAG_TEST_STORE_ROOT";
/// Tells it with which shard to begin.
const CHILD_START: &str = "CINETAG_TEST_STORE_START";

const DIM: usize = 64;
const TITLES_PER_SHARD: usize = 16;
/// So many that writing a shard takes long enough to be killed in.
const ROWS_PER_TITLE: usize = 400;

fn open(root: &Path) -> Arc<EncoderStore> {
    open_of(root, DIM)
}

/// The part of an encoder with so many numbers a row.
pub fn open_of(root: &Path, dim: usize) -> Arc<EncoderStore> {
    let description = json!({"algorithm": 1});
    let identity = EncoderIdentity {
        name: "example".to_owned(),
        fingerprint: Fingerprint::of(&description),
        dim,
        row_unit: "row".to_owned(),
        description,
    };
    FeatureStore::open(root).encoder(&identity).unwrap()
}

/// A title's features follow from its number, so that a reader can tell whether they are
/// the ones that were published.
fn row(title_idx: usize) -> FeatureRow {
    let title = format!("title {title_idx}");
    FeatureRow {
        key: digest_of_text(&title),
        title: TitleId::new(&title),
        data: (0..DIM * ROWS_PER_TITLE).map(|i| ((title_idx * 31 + i) % 2000) as f32).collect(),
        time_secs: (0..ROWS_PER_TITLE).map(|i| i as f32).collect(),
        partial: None,
        text: None,
    }
}

fn failure(shard_idx: usize) -> FailureRow {
    let title = format!("failed {shard_idx}");
    FailureRow {
        key: digest_of_text(&title),
        title: TitleId::new(&title),
        source: String::new(),
        code: "corrupt".to_owned(),
        detail: String::new(),
    }
}

/// No test by itself: what the tests below start and kill.
#[test]
fn child_publishes_until_it_dies() {
    let Some(root) = std::env::var_os(CHILD_ROOT) else { return };
    let start: usize = std::env::var(CHILD_START).unwrap().parse().unwrap();
    let store = open(Path::new(&root));
    for shard_idx in start.. {
        let first = shard_idx * TITLES_PER_SHARD;
        let rows: Vec<_> = (first..first + TITLES_PER_SHARD).map(row).collect();
        store.publish_failures(&[failure(shard_idx)]).unwrap();
        store.publish(&rows).unwrap();
        // What was said to be published must be found afterwards.
        println!("\npublished {shard_idx}");
    }
}

fn start_child(root: &Path, start: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::child_publishes_until_it_dies", "--nocapture"])
        .env(CHILD_ROOT, root)
        .env(CHILD_START, start.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// When a child is killed once it has published its shards.
#[derive(Clone, Copy)]
enum Moment {
    /// So much later, whatever it is doing.
    After(Duration),
    /// So much after the next shard appeared in its folder: while that is being written.
    InNextShard(Duration),
}

fn spin(duration: Duration) {
    let deadline = Instant::now() + duration;
    while Instant::now() < deadline {
        std::hint::spin_loop();
    }
}

/// Names of the shards in a folder, finished and in the making.
fn shards(folder: &Path) -> HashSet<OsString> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.filter(|name| Path::new(name).extension() == Some("h5".as_ref())).collect()
}

/// Lets a child publish `num_shards`, then kills it at `moment`. Gives the number of the
/// last shard that it said was published.
fn publish_and_kill(root: &Path, start: usize, num_shards: usize, moment: Moment) -> usize {
    let mut child = start_child(root, start);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    let published = |line: String| line.strip_prefix("published ")?.parse::<usize>().ok();
    while said.len() < num_shards {
        let line = lines.next().expect("the child died before its time").unwrap();
        said.extend(published(line));
    }
    match moment {
        Moment::After(delay) => spin(delay),
        Moment::InNextShard(delay) => {
            let folder = open(root).folder().to_owned();
            let before = shards(&folder);
            while shards(&folder).is_subset(&before) {}
            spin(delay);
        }
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    said.extend(lines.map_while(Result::ok).filter_map(published));
    *said.last().unwrap()
}

#[test]
fn kill_9_at_random_moments_leaves_a_store_that_verifies_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Seed(20).rng("moments of death");
    let mut start = 0;
    for round in 0..8 {
        let moment = if round % 2 == 0 {
            Moment::After(Duration::from_micros(rng.random_range(0..30_000)))
        } else {
            Moment::InNextShard(Duration::from_micros(rng.random_range(0..5000)))
        };
        let last_said = publish_and_kill(folder.path(), start, 1 + round % 2, moment);
        let store = open(folder.path());
        let report = store.verify().unwrap();
        assert!(report.is_sound(), "round {round}: {report:?}");
        let index = store.index().unwrap();
        // A prefix of whole shards: all that was said, at most one that was not said yet.
        let num_shards = index.len() / TITLES_PER_SHARD;
        assert_eq!(index.len(), num_shards * TITLES_PER_SHARD);
        assert!((last_said + 1..=last_said + 2).contains(&num_shards), "round {round}");
        let rows: Vec<_> = (0..index.len()).map(row).collect();
        let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
        let ragged = store.read_with(&index, &keys).unwrap();
        for (i, row) in rows.iter().enumerate() {
            assert!(ragged.rows(i) == row.data, "title {i}");
        }
        let failed: HashSet<_> = index.failures().iter().map(|f| f.title.clone()).collect();
        assert!((0..num_shards).all(|i| failed.contains(&failure(i).title)));
        start = num_shards;
    }
}

#[test]
fn two_processes_publish_into_one_folder_and_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = start_child(folder.path(), 1000);
    publish_and_kill(folder.path(), 0, 3, Moment::After(Duration::ZERO));
    let said = BufReader::new(other.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("published"));
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(said.as_deref(), Some("published 1000"));
    let store = open(folder.path());
    assert!(store.verify().unwrap().is_sound());
    let index = store.index().unwrap();
    for title_idx in [0, TITLES_PER_SHARD * 3 - 1, TITLES_PER_SHARD * 1000] {
        assert!(index.contains(&row(title_idx).key));
    }
}

/// A limit on the size of files stands in for a full disk: writes beyond it fail.
#[cfg(unix)]
#[test]
fn a_shard_that_does_not_fit_on_the_disk_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let output = Command::new("bash")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 40; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "store::child_publishes_until_it_dies", "--nocapture"])
        .env(CHILD_ROOT, folder.path())
        .env(CHILD_START, "0")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(words.contains("Write {") && !output.status.success(), "{words}");
    assert!(store.verify().unwrap().is_sound());
    assert!(store.verify().unwrap().leftovers.is_empty());
    assert!(store.index().unwrap().is_empty());
    // The failure before it was published: nothing that was done is lost.
    assert_eq!(store.index().unwrap().failures().len(), 1);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feature_store");
    std::fs::write(&file, "in the way").unwrap();
    let description = json!({});
    let identity = EncoderIdentity {
        name: "example".to_owned(),
        fingerprint: Fingerprint::of(&description),
        dim: 1,
        row_unit: "row".to_owned(),
        description,
    };
    let error = FeatureStore::open(&file).encoder(&identity).unwrap_err();
    assert!(error.to_string().contains("feature_store/v1/example-"), "{error}");
}
