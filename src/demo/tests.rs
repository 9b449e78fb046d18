use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use super::*;
use crate::base::NoProgress;

fn files(folder: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        if meta.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), meta.len(), meta.modified().unwrap()));
        }
    }
    found.sort();
    found
}

fn render_two(out: &Path) -> DemoLibrary {
    render(out, 2, SEED, &NoProgress, &Interrupt::default()).unwrap()
}

#[test]
fn a_second_call_does_nothing_and_a_lost_file_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let first = render_two(&out);
    assert!(first.num_rendered > 2 && first.num_kept == 0, "{first:?}");
    assert!(!first.encoders.is_empty());
    let before = files(&out);
    let second = render_two(&out);
    assert_eq!((second.num_rendered, second.num_kept), (0, first.num_rendered));
    assert_eq!(files(&out), before);

    let lost = before.iter().find(|f| f.0.extension().is_some_and(|e| e == "mp4")).unwrap();
    let bytes = fs::read(&lost.0).unwrap();
    fs::remove_file(&lost.0).unwrap();
    assert_eq!(render_two(&out).num_rendered, 1);
    assert!(fs::read(&lost.0).unwrap() == bytes, "the same recipe gave another film");
}

#[test]
fn another_recipe_replaces_its_own_files_and_touches_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let three = render(out, 3, SEED, &NoProgress, &Interrupt::default()).unwrap();
    fs::write(out.join("mine.txt"), "mine").unwrap();
    let two = render_two(out);
    assert_eq!(two.num_rendered, 2, "only the two texts change: {two:?}");
    assert!(three.num_rendered > two.num_kept);
    assert!(!files(out).iter().any(|f| f.0.to_string_lossy().contains("synthetic-0003")));
    assert_eq!(fs::read_to_string(out.join("mine.txt")).unwrap(), "mine");
}

#[test]
fn a_folder_with_a_catalog_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("movies.csv"), "id\n1\n").unwrap();
    let refused = render(folder.path(), 2, SEED, &NoProgress, &Interrupt::default());
    assert!(matches!(refused, Err(DemoError::NotOurs { .. })));
    assert_eq!(files(folder.path()).len(), 1);
}

/// Raises the interrupt after the first file.
struct AfterOne<'a>(&'a Interrupt, AtomicU64);

impl Progress for AfterOne<'_> {
    fn begin(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, num_items: u64) {
        self.1.fetch_add(num_items, Ordering::SeqCst);
        self.0.raise();
    }
    fn note(&self, _text: &str) {}
    fn end(&self) {}
}

#[test]
fn an_interrupted_library_keeps_what_is_whole_and_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let (out, interrupt) = (folder.path(), Interrupt::default());
    let progress = AfterOne(&interrupt, AtomicU64::new(0));
    let stopped = render(out, 3, SEED, &progress, &interrupt);
    assert!(matches!(stopped, Err(DemoError::Interrupted(_))));
    let num_done = progress.1.load(Ordering::SeqCst) as usize;
    assert_eq!(files(out).len(), num_done + 1, "whole files and the stamp, nothing half");
    assert!(!out.join("movies.csv").exists());

    let resumed = render(out, 3, SEED, &NoProgress, &Interrupt::default()).unwrap();
    assert_eq!(resumed.num_kept, num_done);
    let whole = tempfile::tempdir().unwrap();
    render(whole.path(), 3, SEED, &NoProgress, &Interrupt::default()).unwrap();
    let content = |folder: &Path| -> Vec<_> {
        files(folder).into_iter().map(|f| fs::read(f.0).unwrap()).collect()
    };
    assert!(content(out) == content(whole.path()), "resumed and uninterrupted differ");
}
