//! The feature store, version 1: h5py reads what we write, and we read what the first
//! release wrote (`data/feature_store/`).
//!
//! `CINETAG_WRITE_FORMAT_DATA=1` writes that folder anew: once per format version, never to
//! mend a failing test.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests, which clippy does not take for tests

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cinetag::{
    base::{Fingerprint, TitleId},
    store::{
        EncoderIdentity, FailureRow, FeatureRow, FeatureStore, TextSegment, TimedText,
        digest_of_text,
    },
};
use serde_json::{Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn identity() -> EncoderIdentity {
    let description = json!({"algorithm": 1, "settings": {"hop_length": 512, "gain": 0.25}});
    EncoderIdentity {
        name: "example".to_owned(),
        fingerprint: Fingerprint::of(&description),
        dim: 3,
        row_unit: "window of about 10 s".to_owned(),
        description,
    }
}

fn rows() -> Vec<FeatureRow> {
    let row = |title: &str, data: &[f32], partial: Option<&str>| FeatureRow {
        key: digest_of_text(title),
        title: TitleId::new(title),
        data: data.to_vec(),
        time_secs: (0..data.len() / 3).map(|i| i as f32 * 10.5).collect(),
        partial: partial.map(str::to_owned),
        text: None,
    };
    vec![
        row("tt0000001", &[0.0, -1.5, 65504.0, 6.1e-5, 0.333_251_95, -0.0], None),
        row("Amélie", &[1.0, 2.0, 3.0], Some("truncated: après 3 s")),
        row("tt0000003", &[0.5; 9], None),
    ]
}

fn failures() -> Vec<FailureRow> {
    vec![FailureRow {
        key: digest_of_text("tt0000004"),
        title: TitleId::new("tt0000004"),
        source: "trailers/tt0000004.mp4".to_owned(),
        code: "no_audio_stream".to_owned(),
        detail: "no stream of type audio".to_owned(),
    }]
}

fn write(folder: &Path) -> PathBuf {
    let store = FeatureStore::open(folder).encoder(&identity()).unwrap();
    store.publish_failures(&failures()).unwrap();
    store.publish(&rows()).unwrap().path.unwrap()
}

#[test]
fn the_first_releases_store_opens() {
    let data = root().join("tests/format/data/feature_store");
    if std::env::var_os("CINETAG_WRITE_FORMAT_DATA").is_some() {
        fs::remove_dir_all(&data).ok();
        write(&data);
    }
    let encoders = FeatureStore::open(&data).encoders().unwrap();
    assert_eq!(encoders.len(), 1);
    let store = &encoders[0];
    assert_eq!(store.identity(), &identity());
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.shards.len(), report.failure_logs.len()), (1, 1));
    let (index, rows) = (store.index().unwrap(), rows());
    let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
    let ragged = store.read_with(&index, &keys).unwrap();
    for (i, row) in rows.iter().enumerate() {
        for (stored, value) in ragged.rows(i).iter().zip(&row.data) {
            assert!((stored - value).abs() <= value.abs() / 2048.0, "{stored} for {value}");
        }
        assert_eq!(ragged.times(i), row.time_secs);
        assert_eq!(index.partial(&row.key), row.partial.as_deref());
    }
    assert_eq!(index.failures(), failures().iter().collect::<Vec<_>>());
    // The same description still has the same fingerprint, so the folder is found again.
    assert!(FeatureStore::open(&data).find("example", &identity().fingerprint).unwrap().is_some());
}

/// A Python that has h5py. Where there is none: says so, and fails only in CI.
fn python_with_h5py() -> Option<String> {
    let python = std::env::var("CINETAG_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import h5py, numpy"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!("not run: {python} has no h5py (set CINETAG_PYTHON to a Python that has)");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have h5py");
    None
}

#[test]
fn h5py_reads_what_we_write_without_plugins() {
    let Some(python) = python_with_h5py() else { return };
    let folder = tempfile::tempdir().unwrap();
    let shard = write(folder.path());
    let output = Command::new(python)
        .arg(root().join("scripts/read_shard.py"))
        .arg(&shard)
        .env("HDF5_PLUGIN_PATH", folder.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = rows();
    assert_eq!(read["attributes"]["encoder"], "example");
    assert_eq!(read["attributes"]["fingerprint"], identity().fingerprint.as_str());
    assert_eq!(read["attributes"]["dim"], 3);
    assert_eq!(read["offsets"], json!([0, 2, 3, 6]));
    assert_eq!(read["titles"], json!(["tt0000001", "Amélie", "tt0000003"]));
    assert_eq!(read["partial"], json!(["", "truncated: après 3 s", ""]));
    assert_eq!(read["time_secs"], json!([0.0, 10.5, 0.0, 0.0, 10.5, 21.0]));
    let keys: Vec<_> = rows.iter().map(|row| row.key.to_string()).collect();
    assert_eq!(read["keys"], json!(keys));
    let data: Vec<Vec<f32>> = serde_json::from_value(read["data"].clone()).unwrap();
    let expected: Vec<f32> = rows.iter().flat_map(|row| row.data.clone()).collect();
    for (stored, value) in data.concat().iter().zip(&expected) {
        assert!((stored - value).abs() <= value.abs() / 2048.0, "{stored} for {value}");
    }
    assert_eq!(data.concat().len(), expected.len());
}

#[test]
fn h5py_reads_what_is_said_and_when() {
    let Some(python) = python_with_h5py() else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path()).encoder(&identity()).unwrap();
    let segment = |start_secs: f32, end_secs: f32, text: &str| TextSegment {
        start_secs,
        end_secs,
        text: text.to_owned(),
    };
    let said = |title: &str, segments: Vec<TextSegment>, language: Option<&str>| FeatureRow {
        key: digest_of_text(title),
        title: TitleId::new(title),
        data: vec![0.25; 3 * segments.len()],
        time_secs: segments.iter().map(|segment| segment.start_secs).collect(),
        partial: None,
        text: Some(TimedText { segments, language: language.map(str::to_owned) }),
    };
    let rows = [
        said("a", vec![segment(0.5, 2.0, "Amélie"), segment(2.5, 3.0, "s'en va.")], Some("fr")),
        said("b", vec![segment(7.0, 7.0, "")], None),
    ];
    let shard = store.publish(&rows).unwrap().path.unwrap();
    let script = root().join("scripts/read_shard.py");
    let output = Command::new(python).arg(script).arg(&shard).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["text"], json!(["Amélie", "s'en va.", ""]));
    assert_eq!(read["language"], json!(["fr", ""]));
    assert_eq!(read["time_secs"], json!([0.5, 2.5, 7.0]));
    assert_eq!(read["end_secs"], json!([2.0, 3.0, 7.0]));
    assert_eq!(read["offsets"], json!([0, 2, 3]));
}

#[test]
fn the_reader_for_others_refuses_a_damaged_shard() {
    let Some(python) = python_with_h5py() else { return };
    let folder = tempfile::tempdir().unwrap();
    let shard = write(folder.path());
    let mut bytes = fs::read(&shard).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&shard, bytes).unwrap();
    let script = root().join("scripts/read_shard.py");
    let output = Command::new(python).arg(script).arg(&shard).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("name is not the digest"));
}
