//! Writes films: pictures and mono sound into an mp4, webm or mkv file.
//!
//! in: [`Picture`]s `[height, width, 3]` and samples in −1..1; out: a file that is whole or
//! not there. The container follows from the name's ending. Encoders run on one thread each,
//! so equal input gives equal bytes; write many films at once to use many cores.
//!
//! One file, though long: pictures, sound and their clocks go into one container in turns.

use std::path::Path;

use base::{Draft, ErrorKind, Hinted};
use ffmpeg_next::{
    self as ffmpeg, ChannelLayout, Dictionary, Packet, Rational, codec, encoder, format, frame,
    picture, software::scaling,
};

use super::{Picture, libav};

/// How pictures are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// H.264; MPEG-4 part 2 where FFmpeg has no encoder for it.
    H264,
    /// VP9; VP8 where FFmpeg has no encoder for it.
    Vp9,
}

/// How sound is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioCodec {
    /// AAC-LC, any usual rate.
    Aac,
    /// Opus at 48, 24, 16, 12 or 8 kHz; Vorbis where FFmpeg has no encoder for it.
    Opus,
}

/// The picture stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoSettings {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Compression.
    pub codec: VideoCodec,
    /// A keyframe at least every so many frames; the encoder may place more.
    pub keyframe_interval: u32,
}

/// The sound stream: mono.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSettings {
    /// Samples a second.
    pub rate_hz: u32,
    /// Compression.
    pub codec: AudioCodec,
}

/// The film cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum MuxError {
    /// A setting or an input that no film can have.
    #[error("{0}")]
    Input(String),
    /// None of the encoders that would do is there, or none takes the settings.
    #[error("FFmpeg has no working encoder among {tried}")]
    NoEncoder {
        /// Their names, with what opening them said.
        tried: String,
    },
    /// FFmpeg fails at something.
    #[error("FFmpeg cannot {what}")]
    Ffmpeg {
        /// At what.
        what: &'static str,
        /// What it says.
        #[source]
        source: ffmpeg::Error,
    },
    /// The file cannot be created or put in place.
    #[error("the film cannot be written")]
    Io(#[from] std::io::Error),
}

impl Hinted for MuxError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Input(_) => None,
            Self::NoEncoder { .. } => Some(
                "install an FFmpeg with these encoders (Debian, Ubuntu: apt install ffmpeg; \
                 macOS: brew install ffmpeg); `ffmpeg -encoders` lists what is there"
                    .into(),
            ),
            Self::Ffmpeg { .. } | Self::Io(_) => {
                Some("look at the folder's permissions and the free space of its disk".into())
            }
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Input(_) => ErrorKind::Input,
            Self::NoEncoder { .. } | Self::Ffmpeg { .. } | Self::Io(_) => ErrorKind::System,
        }
    }
}

fn failed(what: &'static str) -> impl Fn(ffmpeg::Error) -> MuxError {
    move |source| MuxError::Ffmpeg { what, source }
}

/// One encoder that may serve, with its private options.
type Candidate = (&'static str, &'static [(&'static str, &'static str)]);

const H264: &[Candidate] = &[
    ("libx264", &[("preset", "veryfast"), ("crf", "27"), ("forced-idr", "1")]),
    ("libopenh264", &[]),
    ("h264_videotoolbox", &[]),
    ("mpeg4", &[]),
];
const VP9: &[Candidate] = &[
    (
        "libvpx-vp9",
        &[("deadline", "realtime"), ("cpu-used", "8"), ("crf", "36"), ("lag-in-frames", "0")],
    ),
    ("libvpx", &[("deadline", "realtime"), ("cpu-used", "8"), ("crf", "20")]),
];
const AAC: &[Candidate] = &[("aac", &[]), ("aac_at", &[])];
const OPUS: &[Candidate] =
    &[("libopus", &[]), ("opus", &[("strict", "experimental")]), ("libvorbis", &[])];

struct VideoTrack {
    encoder: encoder::Video,
    scaler: scaling::Context,
    rgb: frame::Video,
    settings: VideoSettings,
    num_frames: i64,
}

struct AudioTrack {
    encoder: encoder::Audio,
    /// Samples not yet encoded: less than a packet's worth between calls.
    pending: Vec<f32>,
    frame_len: usize,
    rate_hz: u32,
    num_samples: i64,
}

/// A film in the making. Dropped without [`MovieWriter::finish`], it leaves nothing behind.
pub struct MovieWriter {
    draft: Draft,
    output: format::context::Output,
    video: VideoTrack,
    audio: Option<AudioTrack>,
    encoders: Vec<String>,
}

impl MovieWriter {
    /// Begins a film at `path` (`.mp4`, `.webm`, `.mkv`), with sound if `audio` is given.
    ///
    /// # Errors
    /// Settings that no film can have, no encoder that would do, a folder that refuses.
    pub fn create(
        path: &Path,
        video: VideoSettings,
        audio: Option<AudioSettings>,
    ) -> Result<Self, MuxError> {
        Self::create_tagged(path, video, audio, &[])
    }

    /// [`MovieWriter::create`] with tags of the container (`comment`, `title`).
    ///
    /// # Errors
    /// As [`MovieWriter::create`].
    pub fn create_tagged(
        path: &Path,
        video: VideoSettings,
        audio: Option<AudioSettings>,
        tags: &[(&str, &str)],
    ) -> Result<Self, MuxError> {
        libav::start();
        check(video, audio)?;
        let draft = Draft::begin(path)?;
        let temporary = draft.path().to_str().ok_or_else(|| {
            MuxError::Input(format!("{}: FFmpeg wants file names in UTF-8", path.display()))
        })?;
        let mut output = format::output(temporary).map_err(failed("begin the file"))?;
        let global_header = output.format().flags().contains(format::Flags::GLOBAL_HEADER);

        let (video_encoder, video_name) = open_video(video, global_header)?;
        let opened_audio = audio.map(|audio| open_audio(audio, global_header)).transpose()?;
        let mut encoders = vec![video_name];

        let mut stream =
            output.add_stream(video_encoder.codec()).map_err(failed("add a stream"))?;
        stream.set_parameters(&video_encoder);
        stream.set_time_base((1, video.fps as i32));
        stream.set_avg_frame_rate((video.fps as i32, 1));
        let audio = match (audio, opened_audio) {
            (Some(settings), Some((audio_encoder, name))) => {
                let mut stream =
                    output.add_stream(audio_encoder.codec()).map_err(failed("add a stream"))?;
                stream.set_parameters(&audio_encoder);
                stream.set_time_base((1, settings.rate_hz as i32));
                encoders.push(name);
                let frame_len = match audio_encoder.frame_size() {
                    0 => 1024, // the encoder takes packets of any length
                    len => len as usize,
                };
                Some(AudioTrack {
                    encoder: audio_encoder,
                    pending: Vec::new(),
                    frame_len,
                    rate_hz: settings.rate_hz,
                    num_samples: 0,
                })
            }
            _ => None,
        };
        output.set_metadata(tags.iter().copied().collect::<Dictionary>());
        // Else Matroska files carry random numbers: equal input, other bytes.
        let exact: Dictionary = [("fflags", "+bitexact")].iter().collect();
        output.write_header_with(exact).map_err(failed("write the header"))?;

        let (width, height) = (video.width, video.height);
        let scaler = scaling::Context::get(
            format::Pixel::RGB24,
            width,
            height,
            format::Pixel::YUV420P,
            width,
            height,
            scaling::Flags::BILINEAR | scaling::Flags::ACCURATE_RND,
        )
        .map_err(failed("convert colours"))?;
        let rgb = frame::Video::new(format::Pixel::RGB24, width, height);
        let video =
            VideoTrack { encoder: video_encoder, scaler, rgb, settings: video, num_frames: 0 };
        Ok(Self { draft, output, video, audio, encoders })
    }

    /// Names of the encoders in use, picture first: they need not be the first choice.
    pub fn encoders(&self) -> &[String] {
        &self.encoders
    }

    /// Adds a picture of the stream's size.
    ///
    /// # Errors
    /// Another size; an encoder or a disk that fails.
    pub fn frame(&mut self, picture: &Picture) -> Result<(), MuxError> {
        self.add_picture(picture, picture::Type::None)
    }

    /// Adds a picture as a keyframe, for cuts.
    ///
    /// # Errors
    /// As [`MovieWriter::frame`].
    pub fn keyframe(&mut self, picture: &Picture) -> Result<(), MuxError> {
        self.add_picture(picture, picture::Type::I)
    }

    fn add_picture(&mut self, picture: &Picture, kind: picture::Type) -> Result<(), MuxError> {
        let VideoSettings { width, height, .. } = self.video.settings;
        let row_len = width as usize * 3;
        if (picture.width, picture.height) != (width, height)
            || picture.rgb.len() != row_len * height as usize
        {
            return Err(MuxError::Input(format!(
                "a picture of {} × {} pixels in a film of {width} × {height}",
                picture.width, picture.height
            )));
        }
        let stride = self.video.rgb.stride(0);
        let target = self.video.rgb.data_mut(0);
        for (to, from) in target.chunks_mut(stride).zip(picture.rgb.chunks(row_len)) {
            to[..row_len].copy_from_slice(from);
        }
        let mut yuv = frame::Video::empty();
        self.video.scaler.run(&self.video.rgb, &mut yuv).map_err(failed("convert colours"))?;
        yuv.set_pts(Some(self.video.num_frames));
        yuv.set_kind(kind);
        self.video.num_frames += 1;
        self.video.encoder.send_frame(&yuv).map_err(failed("encode a picture"))?;
        self.write_pictures()
    }

    /// Adds mono samples; any number at a time. Sound and pictures are woven by time, so keep
    /// the two within a few seconds of each other.
    ///
    /// # Errors
    /// A film without sound; an encoder or a disk that fails.
    pub fn samples(&mut self, mono: &[f32]) -> Result<(), MuxError> {
        let Some(audio) = &mut self.audio else {
            return Err(MuxError::Input("samples for a film that was begun without sound".into()));
        };
        audio.pending.extend_from_slice(mono);
        let whole = audio.pending.len() / audio.frame_len * audio.frame_len;
        let rest = audio.pending.split_off(whole);
        let ready = std::mem::replace(&mut audio.pending, rest);
        let frame_len = audio.frame_len;
        ready.chunks(frame_len).try_for_each(|chunk| self.add_sound(chunk))
    }

    fn add_sound(&mut self, chunk: &[f32]) -> Result<(), MuxError> {
        let Some(audio) = &mut self.audio else { return Ok(()) };
        let sample = audio.encoder.format();
        let mut frame = frame::Audio::new(sample, chunk.len(), ChannelLayout::MONO);
        frame.set_rate(audio.rate_hz);
        frame.set_pts(Some(audio.num_samples));
        if matches!(sample, format::Sample::F32(_)) {
            frame.plane_mut::<f32>(0).copy_from_slice(chunk);
        } else {
            for (to, from) in frame.plane_mut::<i16>(0).iter_mut().zip(chunk) {
                *to = (from.clamp(-1.0, 1.0) * 32767.0).round() as i16;
            }
        }
        audio.num_samples += chunk.len() as i64;
        audio.encoder.send_frame(&frame).map_err(failed("encode sound"))?;
        self.write_sound()
    }

    fn write_pictures(&mut self) -> Result<(), MuxError> {
        let time_base = Rational(1, self.video.settings.fps as i32);
        drain(&mut self.video.encoder, &mut self.output, 0, time_base)
    }

    fn write_sound(&mut self) -> Result<(), MuxError> {
        let Some(audio) = &mut self.audio else { return Ok(()) };
        let time_base = Rational(1, audio.rate_hz as i32);
        drain(&mut audio.encoder, &mut self.output, 1, time_base)
    }

    /// Ends the film and puts it in place.
    ///
    /// # Errors
    /// A film without pictures; an encoder or a disk that fails.
    pub fn finish(mut self) -> Result<(), MuxError> {
        if self.video.num_frames == 0 {
            return Err(MuxError::Input("a film without a single picture".into()));
        }
        self.video.encoder.send_eof().map_err(failed("end the pictures"))?;
        self.write_pictures()?;
        if let Some(audio) = &mut self.audio {
            let rest = std::mem::take(&mut audio.pending);
            if !rest.is_empty() {
                self.add_sound(&rest)?;
            }
        }
        if let Some(audio) = &mut self.audio {
            audio.encoder.send_eof().map_err(failed("end the sound"))?;
            self.write_sound()?;
        }
        self.output.write_trailer().map_err(failed("end the file"))?;
        let Self { draft, output, .. } = self;
        drop(output); // closes the file before it is renamed
        Ok(draft.publish()?)
    }
}

/// Writes all packets that the encoder has ready.
fn drain(
    encoder: &mut encoder::Encoder,
    output: &mut format::context::Output,
    stream_idx: usize,
    time_base: Rational,
) -> Result<(), MuxError> {
    let stream_time_base = output.stream(stream_idx).map_or(time_base, |s| s.time_base());
    let mut packet = Packet::empty();
    loop {
        match encoder.receive_packet(&mut packet) {
            Ok(()) => {}
            // It wants more input, or has given all.
            Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN } | ffmpeg::Error::Eof) => {
                return Ok(());
            }
            Err(error) => return Err(failed("encode")(error)),
        }
        packet.set_stream(stream_idx);
        packet.rescale_ts(time_base, stream_time_base);
        packet.write_interleaved(output).map_err(failed("write to the file"))?;
    }
}

fn check(video: VideoSettings, audio: Option<AudioSettings>) -> Result<(), MuxError> {
    let VideoSettings { width, height, fps, keyframe_interval, .. } = video;
    let refuse = |message: String| Err(MuxError::Input(message));
    if ![width, height].iter().all(|side| side % 2 == 0 && (2..=8192).contains(side)) {
        return refuse(format!("width and height must be even, 2 to 8192, got {width} × {height}"));
    }
    if !(1..=240).contains(&fps) || keyframe_interval == 0 {
        return refuse(format!(
            "fps must be 1 to 240 and keyframe_interval at least 1, got {fps} and \
             {keyframe_interval}"
        ));
    }
    if let Some(AudioSettings { rate_hz, codec }) = audio {
        let fits = match codec {
            AudioCodec::Aac => (8_000..=96_000).contains(&rate_hz),
            AudioCodec::Opus => [8_000, 12_000, 16_000, 24_000, 48_000].contains(&rate_hz),
        };
        if !fits {
            return refuse(format!("{codec:?} does not take a rate of {rate_hz} Hz"));
        }
    }
    Ok(())
}

/// Opens the first of the candidates that opens.
fn first_working<T>(
    candidates: &[Candidate],
    open: impl Fn(ffmpeg::Codec, Dictionary) -> Result<T, ffmpeg::Error>,
) -> Result<(T, String), MuxError> {
    let mut tried = Vec::new();
    for (name, options) in candidates {
        let Some(codec) = encoder::find_by_name(name) else {
            tried.push(format!("{name} (not built in)"));
            continue;
        };
        match open(codec, options.iter().copied().collect()) {
            Ok(opened) => return Ok((opened, (*name).to_owned())),
            Err(error) => {
                tried.push(format!("{name} ({})", libav::words(error, &libav::take_log())));
            }
        }
    }
    Err(MuxError::NoEncoder { tried: tried.join(", ") })
}

fn open_video(
    settings: VideoSettings,
    global_header: bool,
) -> Result<(encoder::Video, String), MuxError> {
    let candidates = match settings.codec {
        VideoCodec::H264 => H264,
        VideoCodec::Vp9 => VP9,
    };
    first_working(candidates, |codec, options| {
        let mut context = new_context(codec);
        if codec.name() == "mpeg4" {
            context.set_flags(flags(global_header) | codec::Flags::QSCALE);
        } else {
            context.set_flags(flags(global_header));
        }
        let mut video = context.encoder().video()?;
        video.set_width(settings.width);
        video.set_height(settings.height);
        video.set_format(format::Pixel::YUV420P);
        video.set_time_base((1, settings.fps as i32));
        video.set_frame_rate(Some((settings.fps as i32, 1)));
        video.set_gop(settings.keyframe_interval);
        if codec.name() == "mpeg4" {
            video.set_global_quality(5 * 118); // quantiser 5 in FFmpeg's unit, FF_QP2LAMBDA
        }
        video.open_as_with(codec, options)
    })
}

fn open_audio(
    settings: AudioSettings,
    global_header: bool,
) -> Result<(encoder::Audio, String), MuxError> {
    use format::sample::{Sample, Type};
    let candidates = match settings.codec {
        AudioCodec::Aac => AAC,
        AudioCodec::Opus => OPUS,
    };
    first_working(candidates, |codec, options| {
        let offered: Vec<_> = codec.audio()?.formats().map(Iterator::collect).unwrap_or_default();
        let wanted = [
            Sample::F32(Type::Planar),
            Sample::F32(Type::Packed),
            Sample::I16(Type::Planar),
            Sample::I16(Type::Packed),
        ];
        let sample = wanted.into_iter().find(|format| offered.contains(format));
        let mut context = new_context(codec);
        context.set_flags(flags(global_header));
        let mut audio = context.encoder().audio()?;
        audio.set_rate(settings.rate_hz as i32);
        audio.set_channel_layout(ChannelLayout::MONO);
        audio.set_format(sample.ok_or(ffmpeg::Error::InvalidData)?);
        audio.set_bit_rate(64_000);
        audio.set_time_base((1, settings.rate_hz as i32));
        audio.open_as_with(codec, options)
    })
}

fn new_context(codec: ffmpeg::Codec) -> codec::Context {
    let mut context = codec::Context::new_with_codec(codec);
    // One thread: equal input gives equal bytes, and films are written side by side.
    context.set_threading(codec::threading::Config { count: 1, ..Default::default() });
    context
}

fn flags(global_header: bool) -> codec::Flags {
    let closed = codec::Flags::CLOSED_GOP; // each keyframe can be decoded alone
    if global_header { closed | codec::Flags::GLOBAL_HEADER } else { closed }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO: VideoSettings = VideoSettings {
        width: 64,
        height: 48,
        fps: 24,
        codec: VideoCodec::H264,
        keyframe_interval: 100,
    };

    fn grey(level: u8) -> Picture {
        Picture { width: 64, height: 48, rgb: vec![level; 64 * 48 * 3] }
    }

    fn write(path: &Path, video: VideoSettings, audio: Option<AudioSettings>) -> Vec<String> {
        let mut writer =
            MovieWriter::create_tagged(path, video, audio, &[("comment", "made up")]).unwrap();
        for idx in 0..48_u32 {
            let picture = grey(80 + idx as u8);
            if idx == 31 {
                writer.keyframe(&picture).unwrap();
            } else {
                writer.frame(&picture).unwrap();
            }
            if let Some(audio) = audio {
                let sound: Vec<f32> = (0..audio.rate_hz / 24)
                    .map(|n| 0.3 * ((idx * audio.rate_hz / 24 + n) as f32 * 0.05).sin())
                    .collect();
                writer.samples(&sound).unwrap();
            }
        }
        let encoders = writer.encoders().to_vec();
        writer.finish().unwrap();
        encoders
    }

    /// Times of the keyframes of the picture stream, in frames.
    fn keyframes(path: &Path) -> Vec<i64> {
        let mut input = format::input(path).unwrap();
        let time_base = f64::from(input.stream(0).unwrap().time_base());
        let mut packets = Vec::new();
        for (stream, packet) in input.packets() {
            if stream.index() == 0 && packet.is_key() {
                packets.push((packet.pts().unwrap() as f64 * time_base * 24.0).round() as i64);
            }
        }
        packets
    }

    #[test]
    fn a_film_has_its_streams_its_length_its_tag_and_the_forced_keyframe() {
        let folder = tempfile::tempdir().unwrap();
        for (name, codec, sound, rate_hz) in [
            ("a.mp4", VideoCodec::H264, AudioCodec::Aac, 44_100),
            ("a.webm", VideoCodec::Vp9, AudioCodec::Opus, 48_000),
        ] {
            let path = folder.path().join(name);
            let audio = AudioSettings { rate_hz, codec: sound };
            let encoders = write(&path, VideoSettings { codec, ..VIDEO }, Some(audio));
            assert_eq!(encoders.len(), 2);
            let input = format::input(&path).unwrap();
            assert_eq!(input.nb_streams(), 2);
            let secs = input.duration() as f64 / 1e6;
            assert!((secs - 2.0).abs() < 0.1, "{name}: {secs} s");
            let tags = input.metadata();
            let comment = tags.iter().find(|(key, _)| key.eq_ignore_ascii_case("comment"));
            assert_eq!(comment.unwrap().1, "made up");
            assert_eq!(keyframes(&path), [0, 31], "{name}");
        }
    }

    #[test]
    fn equal_input_gives_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let audio = Some(AudioSettings { rate_hz: 48_000, codec: AudioCodec::Opus });
        for (extension, codec) in [("mp4", VideoCodec::H264), ("webm", VideoCodec::Vp9)] {
            let bytes = ["a", "b"].map(|name| {
                let path = folder.path().join(name).with_extension(extension);
                write(&path, VideoSettings { codec, ..VIDEO }, audio);
                std::fs::read(&path).unwrap()
            });
            assert!(bytes[0] == bytes[1], "{extension}");
        }
    }

    #[test]
    fn an_unfinished_film_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = MovieWriter::create(&folder.path().join("a.mp4"), VIDEO, None).unwrap();
        writer.frame(&grey(9)).unwrap();
        assert!(matches!(writer.samples(&[0.0]), Err(MuxError::Input(_))));
        let small = Picture { width: 2, height: 2, rgb: vec![0; 12] };
        assert!(matches!(writer.frame(&small), Err(MuxError::Input(_))));
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_next_encoder_serves_where_the_first_is_missing() {
        let missing = [("no-such-encoder", [].as_slice()), ("mpeg4", [].as_slice())];
        let (_, name) = first_working(&missing, |codec, _| Ok(codec)).unwrap();
        assert_eq!(name, "mpeg4");
        let error = first_working(&missing[..1], |codec, _| Ok(codec)).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("no-such-encoder (not built in)"), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn impossible_settings_are_refused() {
        let path = Path::new("never.mp4");
        let odd = VideoSettings { width: 63, ..VIDEO };
        assert!(matches!(MovieWriter::create(path, odd, None), Err(MuxError::Input(_))));
        let audio = Some(AudioSettings { rate_hz: 44_100, codec: AudioCodec::Opus });
        assert!(matches!(MovieWriter::create(path, VIDEO, audio), Err(MuxError::Input(_))));
    }
}
