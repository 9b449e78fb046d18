//! Mutations of real films, made with a fixed seed: every one ends in features or a reason.
//!
//! `CINETAG_MUTATIONS=5000` makes more of them than the usual run. The films are those of
//! `../shared/data/media_clips` below half a megabyte (or `$CINETAG_SHARED_DATA`); where they
//! are not there, nothing is mutated.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cinetag::{
    base::Seed,
    media::{Decoded, ReasonCode, Sampling},
};
use rand::{Rng, RngExt};

use super::media::{film, pool, sampled, shared_data};

/// Mutations of a usual run.
const NUM_MUTATIONS: usize = 300;
const WALL: Duration = Duration::from_secs(20);

/// One to three kinds of damage that files meet, or that somebody made on purpose.
fn mutate(original: &[u8], other: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..rng.random_range(1..=3) {
        if bytes.len() < 16 {
            break;
        }
        let from = rng.random_range(0..bytes.len());
        let to = (from + rng.random_range(1..=4096)).min(bytes.len());
        match rng.random_range(0..8) {
            0 | 1 => {
                for _ in 0..rng.random_range(1..=64) {
                    let at = rng.random_range(0..bytes.len());
                    bytes[at] ^= 1 << rng.random_range(0..8);
                }
            }
            // The head is where sizes and counts stand.
            2 | 3 => {
                let head = bytes.len().min(4096);
                for _ in 0..rng.random_range(1..=16) {
                    let at = rng.random_range(0..head);
                    bytes[at] = [0, 1, 0x7f, 0x80, 0xff, rng.random()][rng.random_range(0..6)];
                }
            }
            4 => bytes.truncate(from.max(16)),
            5 => drop(bytes.drain(from..to)),
            6 => bytes[from..to].fill([0, 0xff][rng.random_range(0..2)]),
            _ => {
                let start = rng.random_range(0..other.len());
                let end = (start + to - from).min(other.len());
                bytes.splice(from..to, other[start..end].iter().copied());
            }
        }
    }
    bytes
}

/// Of frames and sound.
fn reasons(decoded: &Decoded) -> [Option<ReasonCode>; 2] {
    [0, 1].map(|idx| decoded.parts[idx].as_ref().err().map(|failure| failure.code))
}

#[test]
fn every_mutation_ends_in_features_or_a_reason() {
    let Some(folder) = shared_data("media_clips") else { return };
    let num_mutations = std::env::var("CINETAG_MUTATIONS")
        .map_or(NUM_MUTATIONS, |number| number.parse().expect("CINETAG_MUTATIONS is a number"));
    let mut originals: Vec<(PathBuf, Vec<u8>)> = ["native", "transcoded"]
        .iter()
        .flat_map(|part| fs::read_dir(folder.join(part)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| fs::metadata(path).unwrap().len() < 500_000)
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    originals.sort();
    assert!(originals.len() > 30, "{}", originals.len());

    let scratch = tempfile::tempdir().unwrap();
    let pool = pool(WALL);
    let next = AtomicUsize::new(0);
    let counts: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let begin = Instant::now();
    thread::scope(|scope| {
        for worker in 0..2 {
            let (next, counts, originals, scratch, pool) =
                (&next, &counts, &originals, &scratch, &pool);
            scope.spawn(move || {
                loop {
                    let idx = next.fetch_add(1, Ordering::Relaxed);
                    if idx >= num_mutations {
                        break;
                    }
                    let mut rng = Seed(1).rng(&format!("mutation {idx}"));
                    let (path, original) = &originals[rng.random_range(0..originals.len())];
                    let (_, other) = &originals[rng.random_range(0..originals.len())];
                    let extension = path.extension().unwrap().to_string_lossy();
                    let mutation = scratch.path().join(format!("{worker}.{extension}"));
                    fs::write(&mutation, mutate(original, other, &mut rng)).unwrap();
                    let sampling = if idx % 4 == 0 { Sampling::Shots } else { Sampling::Keyframes };
                    let request = sampled(&mutation, sampling);
                    let started = Instant::now();
                    let decoded = pool.decode(&request);
                    // The limit, the worker's death, and a machine that is busy.
                    assert!(started.elapsed() < WALL * 3, "{idx} of {}", path.display());
                    for reason in reasons(&decoded) {
                        let name = reason.map_or("features", ReasonCode::as_str).to_owned();
                        *counts.lock().unwrap().entry(name).or_default() += 1;
                    }
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap();
    println!("{num_mutations} mutations in {:.1} s: {counts:?}", begin.elapsed().as_secs_f64());
    assert_eq!(counts.values().sum::<usize>(), 2 * num_mutations);
    assert!(counts["features"] > num_mutations / 4, "{counts:?}");
    // The pool is as good as before.
    let (path, _) = originals.iter().find(|(path, _)| path.ends_with("h264_aac.mp4")).unwrap();
    assert_eq!(reasons(&pool.decode(&film(path))), [None, None]);
}
