//! Shots of real films: hand-checked cuts, exact times.
//!
//! The films and their cuts lie in `../shared/data` (or `$CINETAG_SHARED_DATA`); where they are
//! not there, nothing of it is tested.

use std::path::{Path, PathBuf};

use cinetag::media::{DecodeRequest, Fit, FrameSpec, Keyframes, Limits, Sampling, decode};
use serde::Deserialize;

#[derive(Deserialize)]
struct GroundTruth {
    videos: Vec<Video>,
}

#[derive(Deserialize)]
struct Video {
    file: String,
    #[serde(default)]
    fps: String,
    cuts: Option<Vec<usize>>,
    /// Fades and dissolves: neither right nor wrong within four frames of them.
    #[serde(default)]
    gradual: Vec<[usize; 2]>,
    /// Neither right nor wrong.
    #[serde(default)]
    ignore: Vec<[usize; 2]>,
}

fn data() -> Option<PathBuf> {
    let root = std::env::var_os("CINETAG_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    if root.join("shots").is_dir() {
        return Some(root);
    }
    println!("{} is not there: shots are not tested", root.join("shots").display());
    None
}

fn frames(path: &Path, sampling: Sampling, every_secs: f64, max_frames: usize) -> Keyframes {
    let frames = FrameSpec {
        sampling,
        every_secs,
        crop_bars: false,
        side_px: 32,
        fit: Fit::Stretch,
        max_frames,
        black_luma: 0.0,
        duplicate_luma: 0.0,
    };
    let request =
        DecodeRequest { path: path.to_owned(), frames: Some(frames), audio: None, picture: None };
    decode(&request, &Limits::default()).frames.unwrap().unwrap()
}

fn rate(text: &str) -> f64 {
    let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
    numerator.parse::<f64>().unwrap() / denominator.parse::<f64>().unwrap()
}

#[test]
fn hard_cuts_are_found_within_one_frame() {
    let Some(root) = data() else { return };
    let text = std::fs::read_to_string(root.join("shots/ground_truth.json")).unwrap();
    let truth: GroundTruth = serde_json::from_str(&text).unwrap();
    let (mut num_right, mut num_wrong, mut num_cuts, mut num_films) = (0, 0, 0, 0);
    for video in truth.videos {
        let Some(cuts) = video.cuts else { continue };
        num_films += 1;
        num_cuts += cuts.len();
        let fps = rate(&video.fps);
        let found = frames(&root.join("shots").join(&video.file), Sampling::Shots, 1.0, 8);
        let within = |at: usize, ranges: &[[usize; 2]], more: usize| {
            ranges.iter().any(|[from, to]| (from.saturating_sub(more)..=to + more).contains(&at))
        };
        let mut left = cuts;
        // The first shot begins with the film.
        for secs in &found.shots_secs.unwrap()[1..] {
            let at = (secs * fps).round() as usize;
            if let Some(place) = left.iter().position(|cut| cut.abs_diff(at) <= 1) {
                left.remove(place);
                num_right += 1;
            } else if !within(at, &video.gradual, 4) && !within(at, &video.ignore, 0) {
                num_wrong += 1;
                println!("{}: no cut at frame {at}", video.file);
            }
        }
        println!("{}: not found: {left:?}", video.file);
    }
    assert_eq!((num_films, num_cuts), (4, 39));
    let f1 = 2.0 * f64::from(num_right) / (f64::from(num_right + num_wrong) + num_cuts as f64);
    println!("{num_right} of {num_cuts} cuts, {num_wrong} that are none: F1 {f1:.3}");
    assert!(f1 >= 0.97, "F1 {f1}");
}

#[test]
fn frames_come_from_the_middle_of_their_shots() {
    let Some(root) = data() else { return };
    let path = root.join("media_clips/native/bbb_480p_30s.mp4");
    let found = frames(&path, Sampling::Shots, 1.0, 100);
    let begins = found.shots_secs.unwrap();
    assert_eq!(begins.len(), 5, "{begins:?}"); // three hard cuts and one softer change
    assert_eq!(found.kept.len(), 5);
    let ends = begins[1..].iter().copied().chain([30.0]);
    for ((frame, begin), end) in found.kept.iter().zip(&begins).zip(ends) {
        let place = (frame.time_secs - begin) / (end - begin);
        assert!((0.35..0.65).contains(&place), "{place} of {begin}..{end}");
    }
}

#[test]
fn uniform_frames_are_evenly_spaced_and_at_most_so_many() {
    let Some(root) = data() else { return };
    let path = root.join("media_clips/native/bbb_480p_30s.mp4");
    let times = |every_secs, max_frames| -> Vec<f64> {
        let found = frames(&path, Sampling::Uniform, every_secs, max_frames);
        assert_eq!(found.shots_secs, None);
        found.kept.iter().map(|frame| frame.time_secs).collect()
    };
    let every_two = times(2.0, 100);
    assert_eq!(every_two.len(), 15, "{every_two:?}");
    for (idx, time) in every_two.iter().enumerate() {
        assert!((time - 2.0 * idx as f64).abs() < 0.05, "{every_two:?}");
    }
    let few = times(0.1, 6);
    assert_eq!(few.len(), 6);
    let gaps: Vec<f64> = few.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (3.0..9.0).contains(gap)), "{few:?}");
}
