//! FFmpeg's start-up, its log and its errors.
//!
//! FFmpeg writes its log to standard error unless it is given another place. Here the lines
//! of level "error" and worse are kept for the thread that decodes, and stand in
//! [`Failure::detail`] beside the name of the error; nothing is printed.

use std::cell::RefCell;
use std::sync::Once;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::packet::{Mut as _, Ref as _};
use ffmpeg_next::{Packet, codec, codec::packet::side_data::Type as SideDataType, decoder, ffi};

use super::{
    container::StreamFacts,
    request::{Failure, ReasonCode},
};

/// Lines of the log that are kept; what repeats or comes later is dropped.
const MAX_LINES: usize = 8;

/// Characters of a failure's detail.
const MAX_DETAIL: usize = 400;

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Makes FFmpeg ready and takes its log off standard error; any number of calls.
pub(super) fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Registers error texts; it cannot fail in any version of FFmpeg that is supported.
        let _ = ffmpeg::init();
        capture_log();
    });
}

/// A decoder for a stream, not open yet, and its codec; on one thread, since titles are
/// decoded side by side.
///
/// # Errors
/// `unsupported_codec`, or the stream's parameters make no sense.
pub(super) fn decoder(
    stream: &StreamFacts,
) -> Result<(codec::decoder::Decoder, ffmpeg::Codec), Failure> {
    let mut context =
        codec::Context::from_parameters(stream.parameters.clone()).map_err(failure)?.decoder();
    let Some(codec) = decoder::find(context.id()) else {
        let name = format!("{:?}", context.id());
        return Err(Failure::new(ReasonCode::UnsupportedCodec, name));
    };
    context.set_threading(codec::threading::Config {
        count: 1,
        ..codec::threading::Config::default()
    });
    context.set_packet_time_base(stream.time_base);
    Ok((context, codec))
}

/// Whether a packet wants a key.
pub(super) fn is_encrypted(packet: &Packet) -> bool {
    packet.side_data().any(|data| data.kind() == SideDataType::EncryptionInfo)
}

/// The same packet once more, for one of several who take it; its content is not copied.
///
/// # Errors
/// Want of memory.
pub(super) fn same_packet(packet: &Packet) -> Result<Packet, Failure> {
    let mut same = Packet::empty();
    #[allow(unsafe_code)]
    // SAFETY: both packets are alive; the empty one becomes a reference to the other's buffer,
    // which nobody writes to.
    let referenced = unsafe { ffi::av_packet_ref(same.as_mut_ptr(), packet.as_ptr()) };
    if referenced < 0 { Err(failure(ffmpeg::Error::from(referenced))) } else { Ok(same) }
}

/// Takes the lines that FFmpeg logged on this thread since the last call.
pub(super) fn take_log() -> Vec<String> {
    LOG.with(|log| std::mem::take(&mut *log.borrow_mut()))
}

/// `va_list` has a different shape on each platform; where it is not the one below,
/// FFmpeg is silent and failures carry the error's name only.
#[cfg(all(target_arch = "x86_64", unix))]
fn capture_log() {
    use std::ffi::{CStr, c_char, c_int, c_void};

    #[allow(unsafe_code)]
    // SAFETY: FFmpeg calls it with arguments that fit its own formatting function, which
    // writes at most `line.len()` bytes and ends them with a zero.
    unsafe extern "C" fn keep(
        context: *mut c_void,
        level: c_int,
        format: *const c_char,
        arguments: *mut ffi::__va_list_tag,
    ) {
        if level > ffi::AV_LOG_ERROR {
            return;
        }
        let mut line = [0 as c_char; 512];
        let mut print_prefix = 1;
        let text = unsafe {
            ffi::av_log_format_line2(
                context,
                level,
                format,
                arguments,
                line.as_mut_ptr(),
                line.len() as c_int,
                &raw mut print_prefix,
            );
            CStr::from_ptr(line.as_ptr()).to_string_lossy()
        };
        keep_line(&text);
    }

    #[allow(unsafe_code)]
    // SAFETY: a function that lives as long as the program.
    unsafe {
        ffi::av_log_set_callback(Some(keep));
    }
}

#[cfg(not(all(target_arch = "x86_64", unix)))]
fn capture_log() {
    ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
}

/// `[mov,mp4,m4a @ 0x55d0c8] moov atom not found` without the address, which differs from
/// run to run.
#[cfg_attr(not(all(target_arch = "x86_64", unix)), allow(dead_code))]
fn keep_line(text: &str) {
    let mut line = String::new();
    let mut rest = text.trim();
    while let Some((before, after)) = rest.split_once(" @ 0x") {
        line.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    line.push_str(rest);
    // A thread that is ending has no log any more.
    let _ = LOG.try_with(|log| {
        let mut log = log.borrow_mut();
        if !line.is_empty() && log.len() < MAX_LINES && !log.contains(&line) {
            log.push(line);
        }
    });
}

/// What FFmpeg said: the error's name and the first lines of the log.
pub(super) fn words(error: ffmpeg::Error, log: &[String]) -> String {
    detail(error.to_string(), log)
}

/// A text and the first lines of the log, shortened.
pub(super) fn detail(mut text: String, log: &[String]) -> String {
    for line in log {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(line);
    }
    if let Some((end, _)) = text.char_indices().nth(MAX_DETAIL) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The reason code of an error that came while content was read or decoded.
pub(super) fn code_of(error: ffmpeg::Error) -> ReasonCode {
    use ffmpeg::Error;
    match error {
        Error::Other { errno } => match errno {
            ffmpeg::error::ENOENT => ReasonCode::NotFound,
            // Not EPERM: it is −1, which decoders return for anything.
            ffmpeg::error::EACCES | ffmpeg::error::EISDIR | ffmpeg::error::EIO => {
                ReasonCode::Unreadable
            }
            ffmpeg::error::ENOMEM => ReasonCode::MemoryLimit,
            ffmpeg::error::ENOSYS => ReasonCode::UnsupportedCodec,
            _ => ReasonCode::Corrupt,
        },
        Error::DecoderNotFound | Error::PatchWelcome | Error::Experimental => {
            ReasonCode::UnsupportedCodec
        }
        Error::DemuxerNotFound | Error::ProtocolNotFound => ReasonCode::UnknownFormat,
        Error::Eof => ReasonCode::Truncated,
        _ => ReasonCode::Corrupt,
    }
}

/// [`Failure`] of an FFmpeg error, with the log's words; empties the log.
pub(super) fn failure(error: ffmpeg::Error) -> Failure {
    Failure::new(code_of(error), words(error, &take_log()))
}

/// FFmpeg's libraries as they are linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FfmpegVersions {
    /// The release (`5.1.9-0+deb12u1`).
    pub release: String,
    /// libavformat, `major.minor.micro`.
    pub avformat: String,
    /// libavcodec.
    pub avcodec: String,
    /// libswscale.
    pub swscale: String,
    /// libswresample.
    pub swresample: String,
    /// The licence that the libraries were built under.
    pub license: String,
}

impl std::fmt::Display for FfmpegVersions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "FFmpeg {} (avformat {}, avcodec {}, swscale {}, swresample {}; {})",
            self.release, self.avformat, self.avcodec, self.swscale, self.swresample, self.license
        )
    }
}

/// The versions of the FFmpeg libraries that are linked, for `cinetag doctor`.
pub fn ffmpeg_versions() -> FfmpegVersions {
    let dotted =
        |version: u32| format!("{}.{}.{}", version >> 16, (version >> 8) & 0xff, version & 0xff);
    #[allow(unsafe_code)]
    // SAFETY: a constant string of the library.
    let release = unsafe { std::ffi::CStr::from_ptr(ffi::av_version_info()) };
    FfmpegVersions {
        release: release.to_string_lossy().into_owned(),
        avformat: dotted(ffmpeg::format::version()),
        avcodec: dotted(ffmpeg::codec::version()),
        swscale: dotted(ffmpeg::software::scaling::version()),
        swresample: dotted(ffmpeg::software::resampling::version()),
        license: ffmpeg::format::license().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out_of_the_log() {
        take_log();
        keep_line("[mov,mp4 @ 0x55d0c8aa] moov atom not found\n");
        keep_line("[mov,mp4 @ 0x55d0c8bb] moov atom not found\n");
        assert_eq!(take_log(), ["[mov,mp4] moov atom not found"]);
        assert!(take_log().is_empty());
    }

    #[test]
    fn long_words_are_shortened_between_characters() {
        let text = detail("é".repeat(1000), &[]);
        assert_eq!(text.chars().count(), MAX_DETAIL + 1);
    }

    #[test]
    fn versions_are_numbers() {
        let versions = ffmpeg_versions();
        assert!(versions.avcodec.split('.').all(|part| part.parse::<u32>().is_ok()));
        assert!(versions.to_string().starts_with("FFmpeg "));
    }
}
