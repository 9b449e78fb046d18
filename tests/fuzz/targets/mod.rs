//! What is tried: one reader each, its first inputs, and what must hold of it.

mod catalogs;
mod checkpoints;
mod models;
mod sidecars;
mod stores;
mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::mutate::Form;

/// A reader of strangers' files.
pub struct Target {
    /// Its name, and its folder in the corpus.
    pub name: &'static str,
    pub form: Form,
    /// Words that its files are made of.
    pub tokens: &'static [&'static [u8]],
    /// Inputs that it reads without a complaint that would hide everything else.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Reads an input, with an empty folder to write to. Errors of the reader are no faults; what
    /// is given back is: something that must hold and does not.
    pub run: fn(&[u8], &Path) -> Result<(), String>,
}

/// All of them.
pub static TARGETS: &[&Target] = &[
    &catalogs::NFO,
    &catalogs::CSV,
    &catalogs::JSONL,
    &catalogs::PARQUET,
    &catalogs::TAR,
    &catalogs::SOURCES,
    &checkpoints::PICKLE,
    &checkpoints::PTH,
    &checkpoints::OTHER,
    &checkpoints::NETWORKS,
    &stores::SHARD,
    &stores::STORE,
    &sidecars::JOURNAL,
    &models::BUNDLE,
    &wire::WIRE,
];

/// Has faults of its own: what the watch must tell.
pub static PLANTED: Target = Target {
    name: "planted",
    form: Form::Bytes,
    tokens: &[],
    seeds: || vec![b"nothing".to_vec()],
    run: |input, _| {
        match input {
            b"panic" => panic!("as planted"),
            b"hang" => loop {
                std::thread::yield_now();
            },
            // One piece more than the limit, and never touched.
            b"memory" => drop(std::hint::black_box(Vec::<u8>::with_capacity(2 << 30))),
            _ => {}
        }
        Ok(())
    },
};

/// The target of a name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().copied().chain([&PLANTED]).find(|target| target.name == name)
}

/// A file of the project's golden data.
fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data").join(name)
}

/// Writes an input as a file of this name.
fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("an input is written");
    path
}
