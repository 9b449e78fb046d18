//! A media file opened by FFmpeg: which files, which formats, which streams.
//!
//! in: an open file; out: an open container with its best picture and sound streams.
//! FFmpeg reads through a handle ([`FileReader`]) and may use no protocol, so it opens nothing
//! itself. Only demuxers that are on the list below are used: playlists (HLS, concat, DASH,
//! SDP, image sequences), which name other files and addresses, are not on it.

use std::ffi::{CString, c_int};
use std::fs::File;
use std::io;
use std::path::Path;

use base::file;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;
use ffmpeg_next::{
    Dictionary, codec::packet::side_data::Type as SideDataType, format::context::Input,
    format::stream::Disposition, media::Type,
};

use super::{
    geometry::Turn,
    libav,
    limits::Limits,
    reader::FileReader,
    request::{Failure, ReasonCode},
};

/// Demuxers (`ffmpeg -demuxers`) that may read a title: containers and bare streams of films
/// and sound, nothing that refers to other files.
const DEMUXERS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpegts,mpeg,\
    mpegvideo,vob,asf,ogg,mxf,nut,rm,dv,gxf,wtv,ivf,obu,av1,h264,hevc,m4v,vc1,mjpeg,\
    mp3,aac,ac3,eac3,dts,dtshd,truehd,mlp,flac,wav,w64,rf64,aiff,caf,amr,amrnb,amrwb,ape,wv,tta,\
    mpc,mpc8,au,tak,voc,loas,latm,xwma,oma,shn,opus,spdif,yuv4mpegpipe,gif,apng";

/// Bytes that FFmpeg may read to find out what streams there are.
const PROBE_BYTES: &str = "8000000";

/// A container that is open.
pub(super) struct Container {
    /// Before the reader, which it needs until it is dropped.
    pub(super) input: Input,
    _reader: FileReader,
    /// Length as the container states it.
    pub(super) duration_secs: Option<f64>,
    /// The container says so itself; it was not guessed from the bit rate.
    duration_is_stated: bool,
    /// When the film begins, in the timestamps of the container.
    pub(super) start_secs: f64,
    /// Its packets do not come from the begin on any more.
    pub(super) has_jumped: bool,
}

/// Opens a file. Pipes and devices are refused: they may never end.
///
/// # Errors
/// `not_found`, `unreadable` or `empty`.
pub(super) fn open_file(path: &Path) -> Result<File, Failure> {
    let refuse = |error: io::Error| {
        let code = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReasonCode::NotFound,
            _ => ReasonCode::Unreadable,
        };
        Failure::new(code, error.to_string())
    };
    let file = file::open(path).map_err(refuse)?;
    if file.metadata().map_err(refuse)?.len() == 0 {
        return Err(Failure::new(ReasonCode::Empty, "the file has no content"));
    }
    Ok(file)
}

/// Opens a media file; its path is only its name for FFmpeg.
///
/// # Errors
/// The reason why it cannot be read.
pub(super) fn open(file: File, path: &Path, limits: &Limits) -> Result<Container, Failure> {
    libav::start();
    libav::take_log();
    let no_memory = || Failure::new(ReasonCode::MemoryLimit, "no memory for a read buffer");
    let reader = FileReader::new(file).ok_or_else(no_memory)?;
    let input = open_input(&reader, path).map_err(|error| why_not_open(error, &reader))?;
    if input.nb_streams() as usize > limits.max_streams {
        return Err(Failure::new(
            ReasonCode::TooLarge,
            format!("{} streams, at most {} are read", input.nb_streams(), limits.max_streams),
        ));
    }
    #[allow(unsafe_code)]
    // SAFETY: the context is open and lives as long as `input`.
    let (duration, start, from_bit_rate) = unsafe {
        let context = &*input.as_ptr();
        let guessed = ffi::AVDurationEstimationMethod::AVFMT_DURATION_FROM_BITRATE;
        (context.duration, context.start_time, context.duration_estimation_method == guessed)
    };
    let secs = |time: i64| time as f64 / f64::from(ffi::AV_TIME_BASE);
    Ok(Container {
        duration_secs: (duration > 0).then(|| secs(duration)),
        duration_is_stated: duration > 0 && !from_bit_rate,
        // Sound may begin a little before zero (codec delay); the film does not.
        start_secs: if start == ffi::AV_NOPTS_VALUE { 0.0 } else { secs(start).max(0.0) },
        has_jumped: false,
        input,
        _reader: reader,
    })
}

/// `avformat_open_input` with a path of any bytes (`ffmpeg-next` takes UTF-8 only), then
/// `avformat_find_stream_info`.
fn open_input(reader: &FileReader, path: &Path) -> Result<Input, ffmpeg::Error> {
    // The extension counts when formats are told apart. The prefix keeps a path like
    // `concat:a|b` from being read as a protocol.
    let mut url = b"file:".to_vec();
    url.extend_from_slice(path.as_os_str().as_encoded_bytes());
    let url = CString::new(url).map_err(|_| ffmpeg::Error::from(ffi::AVERROR(2)))?;
    let mut options = Dictionary::new();
    options.set("protocol_whitelist", "none");
    options.set("format_whitelist", DEMUXERS);
    options.set("probesize", PROBE_BYTES);
    #[allow(unsafe_code)]
    // SAFETY: `url` outlives the call, and the reader outlives the input; on failure FFmpeg
    // frees the format context itself, but not the reader's; the dictionary that comes back
    // holds the options that were not used and is freed here.
    unsafe {
        let mut context = ffi::avformat_alloc_context();
        if context.is_null() {
            return Err(ffmpeg::Error::from(ffi::AVERROR(12)));
        }
        (*context).pb = reader.context();
        let mut options = options.disown();
        let opened = ffi::avformat_open_input(
            &raw mut context,
            url.as_ptr(),
            std::ptr::null_mut(),
            &raw mut options,
        );
        Dictionary::own(options);
        if opened < 0 {
            return Err(ffmpeg::Error::from(opened));
        }
        let input = Input::wrap(context);
        match ffi::avformat_find_stream_info(context, std::ptr::null_mut()) {
            found if found < 0 => Err(ffmpeg::Error::from(found)),
            _ => Ok(input),
        }
    }
}

/// FFmpeg says "invalid data" both of noise and of a film cut short; the first bytes tell.
fn why_not_open(error: ffmpeg::Error, reader: &FileReader) -> Failure {
    let log = libav::take_log();
    let detail = libav::words(error, &log);
    let code = match error {
        ffmpeg::Error::InvalidData | ffmpeg::Error::Eof => {
            if !has_known_signature(reader) {
                ReasonCode::UnknownFormat
            } else if error == ffmpeg::Error::Eof
                || log.iter().any(|line| line.contains("moov atom not found"))
            {
                ReasonCode::Truncated
            } else {
                ReasonCode::Corrupt
            }
        }
        ffmpeg::Error::Other { errno: ffmpeg::error::EINVAL }
            if log.iter().any(|line| line.contains("not on whitelist")) =>
        {
            ReasonCode::UnknownFormat
        }
        other => libav::code_of(other),
    };
    Failure::new(code, detail)
}

/// Does any demuxer recognise the first bytes, whatever the file is called?
fn has_known_signature(reader: &FileReader) -> bool {
    let Ok(mut bytes) = reader.first_bytes(1 << 16) else { return false };
    if bytes.is_empty() {
        return false;
    }
    let num_bytes = bytes.len() as c_int;
    bytes.resize(bytes.len() + ffi::AVPROBE_PADDING_SIZE as usize, 0);
    #[allow(unsafe_code)]
    // SAFETY: the buffer is padded with zeros as FFmpeg asks, and lives through the call.
    let format = unsafe {
        let data = ffi::AVProbeData {
            filename: c"".as_ptr(),
            buf: bytes.as_mut_ptr(),
            buf_size: num_bytes,
            mime_type: std::ptr::null(),
        };
        let mut score = 1;
        ffi::av_probe_input_format2(&raw const data, 1, &raw mut score)
    };
    !format.is_null()
}

/// What is needed of a stream to decode it.
#[derive(Clone)]
pub(super) struct StreamFacts {
    pub(super) index: usize,
    pub(super) parameters: ffmpeg::codec::Parameters,
    pub(super) time_base: ffmpeg::Rational,
    /// Seconds that one tick of its timestamps lasts.
    pub(super) tick_secs: f64,
    /// Of one frame, 0 where it is not known.
    pub(super) frame_secs: f64,
    /// How wide a pixel is for its height, where the container says so.
    pub(super) pixel_aspect: Option<f64>,
    /// As the container states it; 0 where it does not, and for sound.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) turn: Turn,
    /// `encv`, `enca` or key data in the header: a key is needed for all or most of it.
    pub(super) is_encrypted: bool,
}

impl Container {
    /// The best stream of moving pictures; cover art and thumbnails are none.
    pub(super) fn video(&self) -> Option<StreamFacts> {
        self.best(Type::Video)
    }

    /// The best stream of sound.
    pub(super) fn audio(&self) -> Option<StreamFacts> {
        self.best(Type::Audio)
    }

    fn best(&self, kind: Type) -> Option<StreamFacts> {
        let stills = ffi::AV_DISPOSITION_ATTACHED_PIC | ffi::AV_DISPOSITION_TIMED_THUMBNAILS;
        let fits = |stream: &ffmpeg::Stream<'_>| {
            #[allow(unsafe_code)]
            // SAFETY: the stream belongs to the open container. (`Disposition` drops bits.)
            let disposition = unsafe { (*stream.as_ptr()).disposition };
            stream.parameters().medium() == kind
                && disposition & stills == 0
                && !stream.disposition().contains(Disposition::ATTACHED_PIC)
        };
        let streams = self.input.streams();
        let stream = streams.best(kind).filter(fits).or_else(|| self.input.streams().find(fits))?;
        Some(facts_of(&stream))
    }

    /// When the last of some streams ends, seconds from the film's begin; `None` where the
    /// container does not say so.
    pub(super) fn end_secs(&self, streams: &[usize]) -> Option<f64> {
        if !self.duration_is_stated {
            return None;
        }
        let of_stream = |index: &usize| {
            let stream = self.input.stream(*index)?;
            let base = stream.time_base();
            let tick_secs = ratio(base.numerator(), base.denominator())?;
            let start = Some(stream.start_time()).filter(|start| *start != ffi::AV_NOPTS_VALUE)?;
            let duration = Some(stream.duration()).filter(|duration| *duration > 0)?;
            Some(start.saturating_add(duration) as f64 * tick_secs - self.start_secs)
        };
        let ends: Option<Vec<f64>> = streams.iter().map(of_stream).collect();
        ends.map(|ends| ends.into_iter().fold(0.0, f64::max)).or(self.duration_secs)
    }

    /// Tells the demuxer to skip all streams but these.
    pub(super) fn keep_only(&mut self, wanted: &[usize]) {
        for index in 0..self.input.nb_streams() as usize {
            if wanted.contains(&index) {
                continue;
            }
            #[allow(unsafe_code)]
            // SAFETY: `index` is below the number of streams.
            unsafe {
                let stream = *(*self.input.as_mut_ptr()).streams.add(index);
                (*stream).discard = ffi::AVDiscard::AVDISCARD_ALL;
            }
        }
    }
}

/// What is needed of a stream.
pub(super) fn facts_of(stream: &ffmpeg::Stream<'_>) -> StreamFacts {
    let parameters = stream.parameters();
    let time_base = stream.time_base();
    #[allow(unsafe_code)]
    // SAFETY: parameters and stream belong to the open container.
    let (tag, aspect, width, height) = unsafe {
        let stated = &*parameters.as_ptr();
        (stated.codec_tag, (*stream.as_ptr()).sample_aspect_ratio, stated.width, stated.height)
    };
    let mut turn = Turn::default();
    let mut is_encrypted =
        [u32::from_le_bytes(*b"encv"), u32::from_le_bytes(*b"enca")].contains(&tag);
    for data in stream.side_data() {
        match data.kind() {
            SideDataType::DisplayMatrix => turn = turn_of(data.data()),
            SideDataType::EncryptionInitInfo => is_encrypted = true,
            _ => {}
        }
    }
    let rate = stream.avg_frame_rate();
    StreamFacts {
        index: stream.index(),
        time_base,
        tick_secs: ratio(time_base.numerator(), time_base.denominator()).unwrap_or(0.0),
        frame_secs: ratio(rate.denominator(), rate.numerator()).unwrap_or(0.0),
        pixel_aspect: ratio(aspect.num, aspect.den),
        width: u32::try_from(width).unwrap_or(0),
        height: u32::try_from(height).unwrap_or(0),
        turn,
        is_encrypted,
        parameters,
    }
}

/// A display matrix is nine 32-bit numbers, row by row: `a b u c d v x y w`.
fn turn_of(matrix: &[u8]) -> Turn {
    let number = |place: usize| {
        matrix
            .get(place * 4..place * 4 + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0.0, |bytes| f64::from(i32::from_ne_bytes(bytes)))
    };
    Turn::of_matrix(number(0), number(1), number(3), number(4))
}

/// A ratio of two positive numbers.
pub(super) fn ratio(numerator: i32, denominator: i32) -> Option<f64> {
    (numerator > 0 && denominator > 0).then(|| f64::from(numerator) / f64::from(denominator))
}
