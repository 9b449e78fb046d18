//! Films of every shape give the picture that is in them: bars, fields, high dynamic range, and
//! length. The `ffmpeg` command line makes the films and the pictures to compare with.

use std::path::{Path, PathBuf};
use std::process::Command;

use cinetag::media::{
    AudioSpec, DecodeRequest, Fit, FrameSpec, Keyframes, Limits, Picture, Samples, Sampling, Want,
    decode,
};

const SIDE_PX: u32 = 128;

/// A moving picture with colours, edges and text; nothing of it is black at its edges.
const CONTENT: &str = "testsrc2=s=320x134:r=10:d=12,eq=brightness=0.1";

fn ffmpeg(arguments: &[&str], output: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(arguments)
        .arg(output)
        .status();
    assert!(status.expect("ffmpeg is installed (scripts/setup)").success(), "{arguments:?}");
}

/// Makes a film of `CONTENT` with a filter after it.
fn film(folder: &Path, name: &str, filter: &str, encoder: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let source = format!("{CONTENT}{filter}");
    ffmpeg(&[&["-f", "lavfi", "-i", &source, "-g", "10"], encoder].concat(), &path);
    path
}

fn spec(sampling: &Sampling, crop_bars: bool) -> FrameSpec {
    FrameSpec {
        sampling: sampling.clone(),
        every_secs: 1.0,
        side_px: SIDE_PX,
        fit: Fit::Stretch,
        crop_bars,
        max_frames: 12,
        black_luma: 4.0,
        duplicate_luma: 0.0,
    }
}

fn frames(path: &Path, spec: FrameSpec) -> Keyframes {
    let request = DecodeRequest::new(path, [Want::Frames(spec)]);
    decode(&request, &Limits::default()).take(0).unwrap()
}

/// Mean absolute difference, 0..255.
fn difference(a: &Picture, b: &Picture) -> f64 {
    assert_eq!(a.rgb.len(), b.rgb.len());
    let sum: u64 = a.rgb.iter().zip(&b.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.rgb.len() as f64
}

/// The greatest difference of frames of two films, which come at the same times.
fn greatest_difference(a: &Keyframes, b: &Keyframes) -> f64 {
    assert!(a.kept.len() >= 6, "{} frames", a.kept.len());
    assert_eq!(a.kept.len(), b.kept.len());
    let pairs = a.kept.iter().zip(&b.kept);
    pairs
        .map(|(a, b)| {
            assert!((a.time_secs - b.time_secs).abs() < 0.05, "{} {}", a.time_secs, b.time_secs);
            difference(&a.picture, &b.picture)
        })
        .fold(0.0, f64::max)
}

#[test]
fn bars_are_cropped_whatever_the_sampling() {
    let folder = tempfile::tempdir().unwrap();
    let encoder = ["-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p"];
    let bare = film(folder.path(), "bare.mp4", "", &encoder);
    for (name, pad) in
        [("letterbox.mp4", ",pad=320:182:0:24"), ("pillarbox.mp4", ",pad=480:134:80:0")]
    {
        let barred = film(folder.path(), name, pad, &encoder);
        for sampling in [Sampling::Keyframes, Sampling::Uniform, Sampling::Shots] {
            // One a shot is one frame of a film without cuts.
            if sampling == Sampling::Shots {
                let [bare, cropped, kept] =
                    [(&bare, true), (&barred, true), (&barred, false)].map(|(path, crop)| {
                        frames(path, spec(&sampling, crop)).kept[0].picture.clone()
                    });
                assert!(difference(&bare, &cropped) < 4.0, "{name}");
                assert!(difference(&bare, &kept) > 20.0, "{name}");
                continue;
            }
            let bare = frames(&bare, spec(&sampling, true));
            let cropped = greatest_difference(&bare, &frames(&barred, spec(&sampling, true)));
            assert!(cropped < 4.0, "{name}, {sampling:?}: {cropped}");
            let kept = greatest_difference(&bare, &frames(&barred, spec(&sampling, false)));
            assert!(kept > 20.0, "{name}, {sampling:?}: {kept}");
        }
    }
}

#[test]
fn of_two_fields_woven_together_one_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    // Bars of 32 px that move 16 px from field to field: woven together they are a comb.
    let moving = "color=c=gray:s=320x480:r=50:d=4,geq=lum='if(mod(floor((X+16*N)/32),2),200,40)':\
                  cb=128:cr=128";
    let interlaced = folder.path().join("interlaced.mpg");
    let weave = format!("{moving},tinterlace=interleave_top,setfield=tff");
    let encoder = ["-c:v", "mpeg2video", "-b:v", "20M", "-g", "12", "-flags", "+ildct+ilme"];
    ffmpeg(&[&["-f", "lavfi", "-i", &weave], &encoder[..]].concat(), &interlaced);
    // Each second frame of the film is the moment of a first field.
    let progressive = folder.path().join("progressive.mpg");
    let thinned = format!("{moving},select='not(mod(n,2))',setpts=N/25/TB,fps=25");
    ffmpeg(&[&["-f", "lavfi", "-i", &thinned], &encoder[..6]].concat(), &progressive);
    let found = frames(&interlaced, spec(&Sampling::Keyframes, true));
    let truth = frames(&progressive, spec(&Sampling::Keyframes, true));
    let difference = greatest_difference(&found, &truth);
    assert!(difference < 8.0, "{difference}: blended fields would differ by 80");
}

/// PQ and HLG of pictures whose light is known come out as that light in sRGB.
#[test]
fn high_dynamic_range_becomes_srgb() {
    let folder = tempfile::tempdir().unwrap();
    // The signal of gray in PQ and HLG (ITU-R BT.2408, table 1), in 10 bits of limited range,
    // and the sRGB value of its light with diffuse white (203 cd/m²) at 1: 18 % gray has 26
    // cd/m². Diffuse white itself lies in the shoulder of the curve.
    let gray = |signal: f64| 64.0 + 876.0 * signal;
    let known: [(&str, f64, std::ops::RangeInclusive<u8>); 4] = [
        ("smpte2084", gray(0.38), 98..=104),
        ("arib-std-b67", gray(0.38), 94..=108),
        ("smpte2084", gray(0.58), 205..=245),
        ("smpte2084", gray(0.0), 0..=1),
    ];
    for (transfer, luma, expected) in known {
        let path = folder.path().join("hdr.mkv");
        let source = format!(
            "color=c=black:s=320x180:r=5:d=3,format=yuv420p10le,geq=lum={luma:.0}:cb=512:cr=512"
        );
        let colours =
            ["-color_primaries", "bt2020", "-colorspace", "bt2020nc", "-color_range", "tv"];
        let encoder = ["-c:v", "ffv1", "-color_trc", transfer];
        ffmpeg(&[&["-f", "lavfi", "-i", &source], &encoder[..], &colours].concat(), &path);
        let mut spec = spec(&Sampling::Keyframes, true);
        spec.black_luma = 0.0;
        let frames = frames(&path, spec);
        let pixels = frames.kept[0].picture.rgb.chunks_exact(3);
        for pixel in pixels {
            let [red, green, blue] = [pixel[0], pixel[1], pixel[2]];
            assert!(expected.contains(&green), "{transfer} {luma}: {green}, not {expected:?}");
            assert!(red.abs_diff(green) <= 1 && blue.abs_diff(green) <= 1, "{pixel:?}");
        }
    }
}

/// A quarter of an hour and more: the frames come by the index where there is one, are spread over all of it,
/// and do not depend on whether the sound is wanted too.
#[test]
fn a_long_film_is_sought_in() {
    let folder = tempfile::tempdir().unwrap();
    let picture = "testsrc2=s=160x90:r=1:d=1000";
    let tone = "sine=f=440:r=16000:d=1000";
    for name in ["long.mp4", "long.mkv", "long.avi", "long.ts"] {
        let path = folder.path().join(name);
        let streams = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone];
        let encoder = ["-c:v", "mpeg4", "-q:v", "5", "-g", "2", "-c:a", "libmp3lame"];
        ffmpeg(&[&streams[..], &encoder].concat(), &path);
        let mut request =
            DecodeRequest::new(path, [Want::Frames(spec(&Sampling::Keyframes, true))]);
        let before = bytes_read();
        let alone: Keyframes = decode(&request, &Limits::default()).take(0).unwrap();
        // A transport stream has no index; it is read whole.
        if name != "long.ts" && cfg!(target_os = "linux") {
            let file_bytes = std::fs::metadata(&request.path).unwrap().len();
            let read = bytes_read() - before;
            // So small a film is read in pieces that are large beside it.
            assert!(read < file_bytes * 3 / 4, "{name}: {read} of {file_bytes} bytes");
        }
        request.wants.push(Want::Audio(AudioSpec { rate_hz: 16_000, max_secs: 2000.0 }));
        let mut together = decode(&request, &Limits::default());
        assert_eq!(together.take::<Keyframes>(0).unwrap(), alone, "{name}");
        let secs = together.take::<Samples>(1).unwrap().mono.len() as f64 / 16_000.0;
        assert!((secs - 1000.0).abs() < 0.2, "{name}: {secs}");
        assert_eq!((alone.kept.len(), alone.partial.as_ref()), (12, None), "{name}");
        let times: Vec<f64> = alone.kept.iter().map(|frame| frame.time_secs).collect();
        assert!(times[0] < 60.0 && times[11] > 950.0, "{name}: {times:?}");
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.clone().all(|gap| (40.0..210.0).contains(&gap)), "{name}: {times:?}");
    }
}

/// By this thread so far, from files and pipes.
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.map_or(0, |number| number.parse().unwrap())
}
