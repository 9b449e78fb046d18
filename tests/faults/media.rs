//! Every file ends in features or a reason code, through the real pool and the real worker.
//!
//! The collections of `../shared/data` (61 clips, 179 damaged files) are decoded where they
//! are there; the other tests make their files themselves.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cinetag::media::{
    AudioSpec, DecodePool, DecodeRequest, Decoded, Failure, Fit, FrameSpec, Keyframe, Keyframes,
    Limits, Picture, PictureSpec, PoolSettings, ReasonCode, Samples, Sampling, Subtitles, Want,
};
use serde::Deserialize;

pub(super) fn shared_data(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CINETAG_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = root.join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("{} is not there: nothing of it is tested", folder.display());
    None
}

pub(super) fn pool(wall: Duration) -> DecodePool {
    pool_of(PathBuf::from(env!("CARGO_BIN_EXE_cinetag")), wall)
}

pub(super) fn pool_of(program: PathBuf, wall: Duration) -> DecodePool {
    DecodePool::new(PoolSettings {
        jobs: 2,
        limits: Limits { wall, ..Limits::default() },
        program: Some(program),
        recycle_after: 50,
        ..PoolSettings::default()
    })
    .unwrap()
}

/// All that a film may be asked for: frames, sound, subtitles.
pub(super) fn film(path: impl Into<PathBuf>) -> DecodeRequest {
    sampled(path, Sampling::Keyframes)
}

pub(super) fn sampled(path: impl Into<PathBuf>, sampling: Sampling) -> DecodeRequest {
    let frames = FrameSpec {
        sampling,
        every_secs: 2.0,
        crop_bars: false,
        side_px: 64,
        fit: Fit::Stretch,
        max_frames: 8,
        black_luma: 0.0,
        duplicate_luma: 0.0,
    };
    let audio = AudioSpec { rate_hz: 16_000, max_secs: 300.0 };
    DecodeRequest::new(path, [Want::Frames(frames), Want::Audio(audio), Want::Subtitles])
}

pub(super) fn still(path: impl Into<PathBuf>) -> DecodeRequest {
    DecodeRequest::new(path, [Want::Picture(PictureSpec { side_px: 32, fit: Fit::Pad })])
}

/// What came of each want.
fn codes(decoded: &Decoded) -> Vec<String> {
    let code = |part: &Result<_, _>| part.as_ref().err().map_or("ok".into(), reason);
    decoded.parts.iter().map(code).collect()
}

fn reason(failure: &Failure) -> String {
    failure.code.to_string()
}

/// 16-bit mono PCM of a 440 Hz tone at half of full scale.
pub(super) fn write_tone(path: &Path, rate_hz: u32, secs: u32) {
    let num_samples = rate_hz * secs;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + num_samples * 2).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend((rate_hz * 2).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((num_samples * 2).to_le_bytes());
    for n in 0..num_samples {
        let phase = f64::from(n) / f64::from(rate_hz) * 440.0 * std::f64::consts::TAU;
        bytes.extend(((phase.sin() * 16384.0) as i16).to_le_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

pub(super) fn write_png(path: &Path) {
    image::RgbImage::from_fn(48, 32, |x, y| image::Rgb([x as u8 * 5, y as u8 * 7, 40]))
        .save(path)
        .unwrap();
}

#[derive(Deserialize)]
struct Clip {
    path: String,
    duration_s: f64,
    n_video: usize,
    n_audio: usize,
}

fn rms(samples: &[f32]) -> f64 {
    let square: f64 = samples.iter().map(|value| f64::from(*value).powi(2)).sum();
    (square / samples.len().max(1) as f64).sqrt()
}

/// As long and as loud as what the `ffmpeg` command line makes of the same file. In 16 bits,
/// since only then it mixes channels so that they cannot overflow, as we do.
fn compare_with_ffmpeg(path: &Path, mono: &[f32]) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-vn", "-i"])
        .arg(path)
        .args(["-vn", "-f", "s16le", "-ac", "1", "-ar", "16000", "-"])
        .output();
    let Ok(output) = output else {
        assert!(std::env::var_os("CI").is_none(), "there is no ffmpeg to compare with");
        return;
    };
    let expected: Vec<f32> = output
        .stdout
        .chunks_exact(2)
        .map(|bytes| f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0)
        .collect();
    let secs = [mono.len(), expected.len()].map(|len| len as f64 / 16_000.0);
    assert!((secs[0] - secs[1]).abs() < 0.1, "{}: {secs:?} s", path.display());
    let levels = [rms(mono), rms(&expected)];
    let is_near = (levels[0] - levels[1]).abs() <= 0.02 * levels[1] + 1e-4;
    assert!(is_near, "{}: levels {levels:?}", path.display());
}

#[test]
fn every_clip_decodes_or_says_which_stream_it_has_not() {
    let Some(folder) = shared_data("media_clips") else { return };
    let pool = pool(Duration::from_secs(60));
    let mut num_clips = 0;
    for clip in csv::Reader::from_path(folder.join("manifest.csv")).unwrap().deserialize() {
        let Clip { path, duration_s, n_video, n_audio } = clip.unwrap();
        num_clips += 1;
        let mut decoded = pool.decode(&film(folder.join(&path)));
        match decoded.take::<Keyframes>(0) {
            Ok(frames) if n_video > 0 => {
                assert!(!frames.kept.is_empty(), "{path}");
                assert_eq!(frames.partial, None, "{path}");
                let times: Vec<f64> = frames.kept.iter().map(|frame| frame.time_secs).collect();
                assert!(times.is_sorted(), "{path}: {times:?}");
                assert!(times[0] >= 0.0 && times[times.len() - 1] < duration_s + 0.1, "{path}");
            }
            Err(failure) if n_video == 0 => {
                assert_eq!(failure.code, ReasonCode::NoVideoStream, "{path}");
            }
            other => panic!("{path}: {n_video} frames: {other:?}"),
        }
        match decoded.take::<Samples>(1) {
            Ok(samples) if n_audio > 0 => {
                assert_eq!(samples.partial, None, "{path}");
                assert!(samples.mono.iter().all(|value| value.is_finite()), "{path}");
                compare_with_ffmpeg(&folder.join(&path), &samples.mono);
            }
            Err(failure) if n_audio == 0 => {
                assert_eq!(failure.code, ReasonCode::NoAudioStream, "{path}");
            }
            other => panic!("{path}: {n_audio} sounds: {other:?}"),
        }
        let subtitles = decoded.take::<Subtitles>(2);
        if path.ends_with("exo_sample_with_srt.mkv") {
            assert_eq!(subtitles.unwrap().cues.len(), 1);
        } else if let Err(failure) = subtitles {
            assert_eq!(failure.code, ReasonCode::NoSubtitles, "{path}");
        }
    }
    assert_eq!(num_clips, 61);
}

/// Times and turns as `ffprobe` and `ffmpeg` (5.1) give them.
#[test]
fn frames_come_at_the_times_and_the_right_way_up() {
    let Some(folder) = shared_data("media_clips") else { return };
    let pool = pool(Duration::from_secs(60));
    let frames = |path: &str| pool.decode(&film(folder.join(path))).take::<Keyframes>(0).unwrap();
    let expected: [(&str, &[f64]); 5] = [
        ("transcoded/vfr.mp4", &[0.0, 2.0, 4.208, 7.958, 14.5]),
        ("transcoded/rotated90.mp4", &[0.0, 2.0, 4.208, 5.292, 9.667]),
        // The streams begin at 1.472 s (sound) and 1.483 s (picture).
        ("transcoded/h264_mp2.ts", &[0.011, 2.011, 4.219, 5.303, 9.678]),
        ("native/mb_hevc.ts", &[0.0]),
        ("native/mb_rotate-buck-bunny.mp4", &[0.083]),
    ];
    for (path, times) in expected {
        let frames = frames(path);
        let found: Vec<f64> = frames.kept.iter().map(|frame| frame.time_secs).collect();
        let is_near = found.len() == times.len()
            && found.iter().zip(times).all(|(a, b)| (a - b).abs() < 2e-3);
        assert!(is_near, "{path}: {found:?}");
    }
    // The same film, once upright and once with a display matrix of a quarter turn
    // (`rotation=90`: to the left).
    let upright = frames("transcoded/h264_aac.mp4");
    let turned = frames("transcoded/rotated90.mp4");
    for (a, b) in upright.kept.iter().zip(&turned.kept) {
        for (x, y) in [(0, 0), (20, 5), (63, 1), (7, 40)] {
            let pixel = |frame: &Keyframe, x: usize, y: usize| {
                frame.picture.rgb[(y * 64 + x) * 3..][..3].to_vec()
            };
            assert_eq!(pixel(a, x, y), pixel(b, y, 63 - x), "at {x}, {y}");
        }
    }
}

/// Damage that keyframes step over is met by whoever decodes every frame.
#[test]
fn every_damaged_film_ends_also_where_every_frame_is_decoded() {
    let Some(folder) = shared_data("media_corrupt") else { return };
    let pool = pool(Duration::from_secs(60));
    let (mut num_films, mut num_with_frames) = (0, 0);
    for row in csv::Reader::from_path(folder.join("manifest.csv")).unwrap().records() {
        let path = row.unwrap()[0].to_owned();
        if path.starts_with("images/") {
            continue;
        }
        num_films += 1;
        for sampling in [Sampling::Shots, Sampling::Uniform, Sampling::Preview] {
            let mut request = sampled(folder.join(&path), sampling.clone());
            request.wants.truncate(1);
            let frames = pool.decode(&request).take::<Keyframes>(0);
            num_with_frames += usize::from(frames.is_ok());
            if let Err(failure) = frames {
                let bad = [ReasonCode::WorkerCrashed, ReasonCode::Timeout, ReasonCode::MemoryLimit];
                assert!(!bad.contains(&failure.code), "{path}: {sampling:?}: {failure}");
            }
        }
    }
    assert!(num_films > 100 && num_with_frames > 80, "{num_films} {num_with_frames}");
}

#[test]
fn every_damaged_file_ends_in_features_or_a_reason_in_bounded_time() {
    let Some(folder) = shared_data("media_corrupt") else { return };
    let wall = Duration::from_secs(60);
    let pool = pool(wall);
    let known: [(&str, &[&str]); 21] = [
        ("generated/empty.mp4", &["empty", "empty"]),
        ("generated/text.mp4", &["unknown_format", "unknown_format"]),
        ("generated/random.mkv", &["unknown_format", "unknown_format"]),
        ("generated/h264_aac__trunc98.mp4", &["corrupt", "corrupt"]),
        ("generated/moov_renamed.mp4", &["truncated", "truncated"]),
        ("generated/mpeg4_mp3__flip1e-5.avi", &["ok", "ok"]),
        ("mp4parse/av1-clearkey-cbcs-video.mp4", &["encrypted", "no_audio_stream"]),
        ("generated/webm_named_mp4.mp4", &["ok", "ok"]),
        ("generated/audio_only__trunc50.mp3", &["no_video_stream", "ok"]),
        ("mp4parse/short-cenc.mp4", &["encrypted", "encrypted"]),
        ("images/huge_header.png", &["corrupt"]),
        ("images/html_named.jpg", &["unknown_format"]),
        ("images/trunc30.jpg", &["truncated"]),
        ("images/trunc90.jpg", &["truncated"]),
        ("images/empty.jpg", &["empty"]),
        ("images/cmyk.jpg", &["ok"]),
        ("images/gray16.png", &["ok"]),
        ("images/palette.png", &["ok"]),
        ("images/progressive.jpg", &["ok"]),
        ("images/wide_4000x8.png", &["ok"]),
        ("images/one_pixel.png", &["ok"]),
    ];
    let mut num_known = 0;
    let mut num_files = 0;
    let mut wrong = Vec::new();
    for row in csv::Reader::from_path(folder.join("manifest.csv")).unwrap().records() {
        let row = row.unwrap();
        let path = &row[0];
        num_files += 1;
        let is_still = path.starts_with("images/");
        let request = if is_still { still(folder.join(path)) } else { film(folder.join(path)) };
        let begin = Instant::now();
        let decoded = pool.decode(&request);
        // Each takes well under a second; a busy machine is no fault of the file.
        assert!(begin.elapsed() < wall * 3, "{path}: {:?}", begin.elapsed());
        let mut found = codes(&decoded);
        for part in &found {
            if ["worker_crashed", "timeout", "memory_limit"].contains(&part.as_str()) {
                wrong.push(format!("{path}: {found:?}"));
            }
        }
        found.truncate(2);
        if let Some((_, expected)) = known.iter().find(|(name, _)| *name == path) {
            num_known += 1;
            if found != *expected {
                wrong.push(format!("{path}: {found:?}, expected {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((num_files, num_known), (179, known.len()));
}

/// An upright picture of 3 × 2 parts and the same with an EXIF turn look the same.
#[test]
fn exif_orientation_is_applied() {
    let Some(folder) = shared_data("media_corrupt") else { return };
    let pool = pool(Duration::from_secs(20));
    let picture = |path: &str| pool.decode(&still(folder.join(path))).take::<Picture>(0).unwrap();
    // Padded to a square: black bars left and right say that it stands upright.
    let turned = picture("images/exif_rot90.jpg");
    let column: u32 = (0..32).map(|y| u32::from(turned.rgb[y * 32 * 3])).sum();
    let row: u32 = (0..32).map(|x| u32::from(turned.rgb[x * 3])).sum();
    assert_eq!(column, 0, "the left column is padding");
    assert!(row > 0, "the upper row is picture");
}

#[test]
fn files_that_are_no_films_have_their_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("empty.mp4"), b"").unwrap();
    std::fs::write(path("text.mp4"), b"Es war einmal ein Film, der war keiner.\n".repeat(40))
        .unwrap();
    write_png(&path("whole.png"));
    let whole = std::fs::read(path("whole.png")).unwrap();
    std::fs::write(path("cut.png"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(path("misnamed.jpg"), &whole).unwrap();
    std::fs::write(path("text.jpg"), b"<html>404</html>").unwrap();
    let pool = pool(Duration::from_secs(20));

    for (name, expected) in [
        ("empty.mp4", ReasonCode::Empty),
        ("text.mp4", ReasonCode::UnknownFormat),
        ("missing.mp4", ReasonCode::NotFound),
        (".", ReasonCode::Unreadable),
    ] {
        let decoded = pool.decode(&film(path(name)));
        assert_eq!(codes(&decoded), [expected.as_str(); 3], "{name}");
    }
    for (name, expected) in [
        ("whole.png", "ok"),
        ("misnamed.jpg", "ok"),
        ("cut.png", "truncated"),
        ("text.jpg", "unknown_format"),
        ("empty.mp4", "empty"),
        ("missing.png", "not_found"),
        (".", "unreadable"),
    ] {
        assert_eq!(codes(&pool.decode(&still(path(name)))), [expected], "{name}");
    }
}

#[test]
fn a_tone_comes_back_as_long_and_as_loud_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tone.wav");
    write_tone(&path, 44_100, 2);
    let pool = pool(Duration::from_secs(20));
    let mut decoded = pool.decode(&film(&path));
    assert_eq!(codes(&decoded), ["no_video_stream", "ok", "no_subtitles"]);
    let samples: Samples = decoded.take(1).unwrap();
    assert_eq!((samples.rate_hz, samples.mono.len()), (16_000, 32_000));
    let level = rms(&samples.mono);
    assert!((level - 0.5 / 2f64.sqrt()).abs() < 1e-3, "{level}");
    assert!((decoded.duration_secs.unwrap() - 2.0).abs() < 1e-6);

    let short = Want::Audio(AudioSpec { rate_hz: 8000, max_secs: 0.5 });
    let samples: Samples = pool.decode(&DecodeRequest::new(&path, [short])).take(0).unwrap();
    assert_eq!((samples.mono.len(), samples.partial), (4000, None));
}

/// A playlist is a way to other files and to the network: no demuxer that reads one is used.
#[test]
fn playlists_open_no_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_tone(&path("tone.wav"), 8000, 1);
    let tone = path("tone.wav").display().to_string();
    std::fs::write(path("list.ffconcat"), format!("ffconcat version 1.0\nfile '{tone}'\n"))
        .unwrap();
    std::fs::write(
        path("list.m3u8"),
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tone}\n#EXT-X-ENDLIST\n"),
    )
    .unwrap();
    let pool = pool(Duration::from_secs(20));
    for name in ["list.ffconcat", "list.m3u8"] {
        assert_eq!(codes(&pool.decode(&film(path(name))))[1], "unknown_format", "{name}");
    }
    // A name that FFmpeg would take for a protocol is a name.
    let odd = path("concat:a|b.wav");
    std::fs::rename(path("tone.wav"), &odd).unwrap();
    assert_eq!(codes(&pool.decode(&film(odd)))[1], "ok");
}

#[cfg(target_os = "linux")]
#[test]
fn names_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"t\xf6n.wav"));
    write_tone(&path, 8000, 1);
    assert_eq!(codes(&pool(Duration::from_secs(20)).decode(&film(path)))[1], "ok");
}

/// A worker that does what the hook says with files of a certain name. The script is written
/// by another process: one that this process has open for writing could not be started.
pub(super) fn misbehaving(folder: &Path, fault: &str) -> PathBuf {
    let script = folder.join("worker.sh");
    let text = format!(
        "#!/bin/sh\nCINETAG_FAULT_DECODE={fault} exec '{}' \"$@\"\n",
        env!("CARGO_BIN_EXE_cinetag")
    );
    let status = Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$2\" && chmod +x \"$2\"", "sh"])
        .arg(&text)
        .arg(&script)
        .status()
        .unwrap();
    assert!(status.success());
    script
}

/// The worker tries, and each attempt is one that this process may make.
#[cfg(target_os = "linux")]
#[test]
fn a_worker_can_reach_nothing_that_it_was_not_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_png(&path("trap.png"));
    write_png(&path("plain.png"));
    std::fs::write(path("trap.secret"), "not for the worker").unwrap();
    assert!(std::fs::read(path("trap.secret")).is_ok());
    assert!(std::net::UdpSocket::bind("127.0.0.1:0").is_ok());
    assert!(Command::new("/bin/true").status().is_ok_and(|status| status.success()));

    let pool = pool_of(misbehaving(folder.path(), "escape:trap"), Duration::from_secs(20));
    if !pool.sandbox().seccomp {
        println!("this system's sandbox is {}: nothing to be tested", pool.sandbox());
        return;
    }
    let failure = pool.decode(&still(path("trap.png"))).take::<Picture>(0).unwrap_err();
    let attempts: Vec<_> = failure.detail.split("; ").collect();
    assert_eq!(attempts.len(), 8, "{failure}");
    for attempt in attempts {
        assert!(attempt.ends_with(": PermissionDenied"), "{attempt}");
    }
    assert!(path("trap.secret").exists() && !path("trap.made").exists());
    // And it still does what it is for.
    assert!(pool.decode(&still(path("plain.png"))).take::<Picture>(0).is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn a_fault_costs_its_title_and_no_other() {
    for (fault, expected) in [
        ("abort", ReasonCode::WorkerCrashed),
        ("hang", ReasonCode::Timeout),
        ("garbage", ReasonCode::WorkerCrashed),
        ("behind", ReasonCode::WorkerCrashed),
        ("alloc", ReasonCode::MemoryLimit),
        ("panic", ReasonCode::WorkerCrashed),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["one.png", "bad.png", "two.png"] {
            write_png(&path(name));
        }
        let program = misbehaving(folder.path(), &format!("{fault}:bad"));
        let pool = pool_of(program, Duration::from_secs(3));
        for name in ["one.png", "bad.png", "two.png", "bad.png", "one.png"] {
            let picture = pool.decode(&still(path(name))).take::<Picture>(0);
            if name == "bad.png" {
                let failure = picture.unwrap_err();
                assert_eq!(failure.code, expected, "{fault}: {failure}");
                assert!(!failure.detail.is_empty());
            } else {
                assert!(picture.is_ok(), "{fault}: {name}: {picture:?}");
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn stopping_does_not_wait_for_a_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.png");
    write_png(&path);
    let pool = pool_of(misbehaving(folder.path(), "hang:bad"), Duration::from_secs(600));
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            tell.send(()).unwrap();
            let failure = pool.decode(&still(&path)).take::<Picture>(0).unwrap_err();
            assert_eq!(failure.code, ReasonCode::WorkerCrashed);
        });
        told.recv().unwrap();
        let begin = Instant::now();
        pool.stop();
        let failure = pool.decode(&still(&path)).take::<Picture>(0).unwrap_err();
        assert_eq!(failure.code, ReasonCode::WorkerCrashed);
        assert!(begin.elapsed() < Duration::from_secs(60));
    });
}

#[test]
fn many_threads_share_few_workers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.png");
    write_png(&path);
    let pool = DecodePool::new(PoolSettings {
        jobs: 2,
        program: Some(env!("CARGO_BIN_EXE_cinetag").into()),
        recycle_after: 3,
        ..PoolSettings::default()
    })
    .unwrap();
    let whole = pool.decode(&still(&path)).take::<Picture>(0).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let picture = pool.decode(&still(&path)).take::<Picture>(0).unwrap();
                    assert_eq!(picture, whole);
                }
            });
        }
    });
}
