use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use base::NoProgress;
use media::{
    AudioSpec, DecodeRequest, FrameSpec, Keyframes, Limits, Picture, PictureSpec, Samples,
    Sampling, Want,
};

use super::{recipe::Sound, *};

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

    let lost = before
        .iter()
        .find(|f| f.0.extension().is_some_and(|e| e == "mp4" || e == "png" || e == "jpg"))
        .unwrap();
    let bytes = fs::read(&lost.0).unwrap();
    fs::remove_file(&lost.0).unwrap();
    assert_eq!(render_two(&out).num_rendered, 1);
    assert!(fs::read(&lost.0).unwrap() == bytes, "the same recipe gave another film");
}

#[test]
fn what_the_recipe_says_is_what_can_be_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let num_titles = 3;
    let library =
        render(folder.path(), num_titles, SEED, &NoProgress, &Interrupt::default()).unwrap();
    let spec = ::catalog::CatalogSpec::new(&library.catalog);
    let (catalog, problems) = ::catalog::load(&spec).unwrap();
    assert!(problems.iter().all(|p| p.severity != ::catalog::Severity::Error), "{problems:?}");
    let mut recipes = recipe::recipes(num_titles, SEED);
    if let Some(voice) = narrator::voice() {
        recipe::narrate(&mut recipes, voice);
    }
    assert!(recipes.iter().any(|r| r.trailer.is_some()));
    assert_eq!(catalog.titles.len(), num_titles);
    for (title, recipe) in catalog.titles.iter().zip(&recipes) {
        assert_eq!(title.plot, recipe.story);
        assert_eq!(title.genres.len(), recipe.labels.len());
        assert_eq!(title.poster.is_some(), recipe.sheet.is_some());
        if let Some(path) = &title.poster {
            let picture = Want::Picture(PictureSpec { side_px: 64, fit: media::Fit::Pad });
            let request = DecodeRequest::new(path, [picture]);
            media::decode(&request, &Limits::default()).take::<Picture>(0).unwrap();
        }
        assert_eq!(title.first_trailer().is_some(), recipe.trailer.is_some());
        if let (Some(path), Some(trailer)) = (title.first_trailer(), &recipe.trailer) {
            trailer_is_as_told(path, trailer);
        }
    }
}

fn trailer_is_as_told(path: &Path, trailer: &Trailer) {
    let frames = Want::Frames(FrameSpec {
        sampling: Sampling::Keyframes,
        every_secs: 2.0,
        crop_bars: false,
        side_px: 64,
        fit: media::Fit::Stretch,
        max_frames: 64,
        black_luma: 0.0,
        duplicate_luma: 0.0,
    });
    let audio = Want::Audio(AudioSpec { rate_hz: 16_000, max_secs: 60.0 });
    let request = DecodeRequest::new(path, [frames, audio]);
    let mut decoded = media::decode(&request, &Limits::default());
    let wanted_secs = trailer.takes.iter().map(|take| take.secs).sum::<f32>() as f64 + 0.8;
    let secs = decoded.duration_secs.unwrap();
    let is_narrated = trailer.narration.is_some();
    let is_longer = is_narrated && secs > wanted_secs;
    assert!((secs - wanted_secs).abs() < 0.5 || is_longer, "{secs} s for {wanted_secs} s");

    let keyframes = decoded.take::<Keyframes>(0).unwrap().kept;
    let mut cut = 0.0;
    for take in &trailer.takes {
        let is_there = keyframes.iter().any(|k| (k.time_secs - f64::from(cut)).abs() < 0.1);
        assert!(is_there || !take.keyframe, "no keyframe at the cut at {cut} s");
        cut += (take.secs * 24.0).round() / 24.0;
    }
    match (&trailer.sound, decoded.take::<Samples>(1)) {
        (Sound::None, heard) => assert!(heard.is_err()),
        (Sound::Silence, heard) => assert!(heard.unwrap().mono.iter().all(|s| s.abs() < 1e-3)),
        (Sound::Sections(_), heard) => {
            let mono = heard.unwrap().mono;
            assert!((mono.len() as f64 / 16_000.0 - secs).abs() < 0.5);
            assert!(mono.iter().any(|s| s.abs() > 0.02));
        }
    }
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
    let expected = files(whole.path());
    assert_eq!(files(out).len(), expected.len());
    for (path, ..) in expected {
        let name = path.strip_prefix(whole.path()).unwrap();
        let (found, expected) = (fs::read(out.join(name)).unwrap(), fs::read(&path).unwrap());
        if name.extension().is_some_and(|extension| extension == "mp4") {
            // Of two films that are begun at the same time, libx264 now and then encodes the
            // first pictures of one a little differently (3 of 32 in a trial).
            let ratio = found.len() as f64 / expected.len() as f64;
            assert!((0.99..1.01).contains(&ratio), "{}: {ratio}", name.display());
        } else {
            assert!(found == expected, "{} of resumed and uninterrupted differ", name.display());
        }
    }
}
