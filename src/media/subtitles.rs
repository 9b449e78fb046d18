//! What is said in a film, as a text stream in its container has it.
//!
//! in: the packets of a stream of subtitles, one by one; out: [`Subtitles`]. Whatever is text is
//! read (`SubRip`, `mov_text`, `WebVTT`, ASS …), through FFmpeg's decoders, all of which give
//! ASS; its markup is taken off. Pictures of text (`PGS`, DVD) are not.
//!
//! Of several streams the best is taken: English before one that says no language before any
//! other, then the one that players show by default, then the first. Forced streams (what is said
//! in a foreign tongue), commentaries, and those that hold signs and songs are not what is said.
//! source: Aegisub's manual, "ASS override tags".

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Packet, codec, decoder, ffi, media::Type};

use super::{
    answer::{Cue, Part, Subtitles},
    container::{Container, StreamFacts, facts_of},
    film::Taker,
    libav,
    request::{Failure, ReasonCode},
};

/// Bytes of text that are kept: a film of three hours has a tenth of it.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Cues that are kept.
const MAX_CUES: usize = 20_000;

/// A cue that does not say how long it lasts lasts so long, or until the next.
const UNSTATED_SECS: f64 = 5.0;

/// Words in a stream's title that say it is not what is said.
const NOT_SPEECH: [&str; 4] = ["comment", "forced", "signs", "songs"];

/// The best stream of subtitles; `None` where there is none.
pub(super) fn best_stream(container: &Container) -> Option<(StreamFacts, Option<String>)> {
    let ranked = container.input.streams().filter_map(|stream| {
        let parameters = stream.parameters();
        if parameters.medium() != Type::Subtitle || !is_text(parameters.id()) {
            return None;
        }
        #[allow(unsafe_code)]
        // SAFETY: the stream belongs to the open container. (`Disposition` drops bits.)
        let disposition = unsafe { (*stream.as_ptr()).disposition };
        let metadata = stream.metadata();
        let title = metadata.get("title").unwrap_or_default().to_lowercase();
        let no_speech = ffi::AV_DISPOSITION_FORCED
            | ffi::AV_DISPOSITION_COMMENT
            | ffi::AV_DISPOSITION_LYRICS
            | ffi::AV_DISPOSITION_KARAOKE;
        if disposition & no_speech != 0 || NOT_SPEECH.iter().any(|word| title.contains(word)) {
            return None;
        }
        let language = metadata.get("language").map(str::to_lowercase);
        let language = language.filter(|code| !code.is_empty() && code != "und");
        let is_default = disposition & ffi::AV_DISPOSITION_DEFAULT != 0;
        Some(((of_language(language.as_deref()), !is_default), stream, language))
    });
    let best = ranked.min_by_key(|(rank, ..)| *rank);
    best.map(|(_, stream, language)| (facts_of(&stream), language))
}

/// English first, then what may be English.
fn of_language(language: Option<&str>) -> u8 {
    match language {
        Some("en" | "eng") => 0,
        Some(code) if code.starts_with("en-") => 0,
        None => 1,
        Some(_) => 2,
    }
}

/// Is it text, not pictures of it?
fn is_text(codec: codec::Id) -> bool {
    #[allow(unsafe_code)]
    // SAFETY: descriptors are constants of the library.
    let descriptor = unsafe { ffi::avcodec_descriptor_get(codec.into()).as_ref() };
    descriptor.is_some_and(|known| known.props & ffi::AV_CODEC_PROP_TEXT_SUB != 0)
}

/// Takes packets while the container is read.
pub(super) struct SubtitleReader {
    stream: StreamFacts,
    language: Option<String>,
    decoder: decoder::Subtitle,
    start_secs: f64,
    num_wants: usize,
    cues: Vec<Cue>,
    num_bytes: usize,
    num_packets: usize,
    num_refused: usize,
    first_error: Option<Failure>,
}

impl SubtitleReader {
    /// `start_secs` is the film's begin in the container's timestamps; `num_wants` are answered.
    ///
    /// # Errors
    /// `encrypted`, or no decoder.
    pub(super) fn new(
        stream: StreamFacts,
        language: Option<String>,
        start_secs: f64,
        num_wants: usize,
    ) -> Result<Self, Failure> {
        libav::take_log();
        if stream.is_encrypted {
            return Err(encrypted());
        }
        let (context, codec) = libav::decoder(&stream)?;
        let decoder = context
            .open_as(codec)
            .and_then(codec::decoder::Opened::subtitle)
            .map_err(libav::failure)?;
        Ok(Self {
            stream,
            language,
            decoder,
            start_secs,
            num_wants,
            cues: Vec::new(),
            num_bytes: 0,
            num_packets: 0,
            num_refused: 0,
            first_error: None,
        })
    }

    fn is_beyond_limits(&self) -> bool {
        self.num_bytes > MAX_TEXT_BYTES || self.cues.len() > MAX_CUES
    }

    /// Takes the lines of what was decoded.
    fn take(&mut self, packet: &Packet, decoded: &ffmpeg::Subtitle) {
        let Some(start) = packet.pts().or(packet.dts()) else { return };
        let begin_secs = start as f64 * self.stream.tick_secs - self.start_secs;
        let start_secs = (begin_secs + f64::from(decoded.start()) / 1000.0).max(0.0);
        // The decoder states no end, or a time for ever, where the packet says how long it lasts.
        let lasts_secs = match packet.duration() {
            ticks if ticks > 0 => ticks as f64 * self.stream.tick_secs,
            _ if (1..u32::MAX).contains(&decoded.end()) => f64::from(decoded.end()) / 1000.0,
            _ => 0.0,
        };
        for rect in decoded.rects() {
            let ffmpeg::subtitle::Rect::Ass(line) = rect else { continue };
            #[allow(unsafe_code)]
            // SAFETY: a text of the library, ended by a zero. (`get` would believe it UTF-8.)
            let line = unsafe {
                let text = (*line.as_ptr()).ass;
                if text.is_null() {
                    continue;
                }
                std::ffi::CStr::from_ptr(text).to_string_lossy()
            };
            let text = plain_text(&line);
            if !text.is_empty() {
                self.num_bytes += text.len();
                let end_secs = (begin_secs + lasts_secs).max(start_secs);
                self.cues.push(Cue { start_secs, end_secs, text });
            }
        }
    }

    fn subtitles(mut self, broke_off: Option<Failure>) -> Result<Subtitles, Failure> {
        let is_beyond = self.is_beyond_limits();
        self.cues.truncate(MAX_CUES);
        self.cues.sort_by(|a, b| a.start_secs.total_cmp(&b.start_secs));
        // What is drawn in layers comes several times.
        self.cues
            .dedup_by(|later, cue| (later.start_secs, &later.text) == (cue.start_secs, &cue.text));
        let starts: Vec<f64> = self.cues.iter().map(|cue| cue.start_secs).collect();
        for (idx, cue) in self.cues.iter_mut().enumerate() {
            if cue.end_secs <= cue.start_secs {
                let next = starts[idx..].iter().find(|start| **start > cue.start_secs);
                let most = cue.start_secs + UNSTATED_SECS;
                cue.end_secs = next.map_or(most, |next| next.min(most));
            }
        }
        let complaint = if is_beyond {
            let text = format!("more than {MAX_CUES} cues or {MAX_TEXT_BYTES} bytes of text");
            Some(Failure::new(ReasonCode::TooLarge, text))
        } else {
            self.first_error.map(|first| {
                let text = format!("{} of {} cues are damaged", self.num_refused, self.num_packets);
                Failure::new(first.code, format!("{text}: {}", first.detail))
            })
        };
        let partial = broke_off.or(complaint);
        if self.cues.is_empty() {
            return Err(partial.unwrap_or_else(|| {
                Failure::new(ReasonCode::NoSubtitles, "the stream of subtitles holds no text")
            }));
        }
        Ok(Subtitles { language: self.language, cues: self.cues, partial })
    }
}

impl Taker for SubtitleReader {
    fn stream_index(&self) -> usize {
        self.stream.index
    }

    fn ends_with_the_film(&self) -> bool {
        false
    }

    fn push(&mut self, packet: Packet, is_encrypted: bool) -> Result<(), Failure> {
        if is_encrypted {
            return Err(encrypted());
        }
        self.num_packets += 1;
        if packet.size() == 0 || self.is_beyond_limits() {
            return Ok(());
        }
        if packet.size() > MAX_TEXT_BYTES {
            self.num_bytes += packet.size();
            return Ok(());
        }
        let mut decoded = ffmpeg::Subtitle::new();
        match self.decoder.decode(&packet, &mut decoded) {
            Ok(true) => self.take(&packet, &decoded),
            Ok(false) => {}
            Err(error) => {
                self.num_refused += 1;
                let failure = libav::failure(error);
                if failure.code == ReasonCode::MemoryLimit {
                    return Err(failure);
                }
                self.first_error.get_or_insert(failure);
            }
        }
        #[allow(unsafe_code)]
        // SAFETY: what the decoder filled, or zeros; `Subtitle` frees nothing itself.
        unsafe {
            ffi::avsubtitle_free(decoded.as_mut_ptr());
        }
        Ok(())
    }

    fn finish(self: Box<Self>, broke_off: Option<Failure>) -> Vec<Result<Part, Failure>> {
        let num_wants = self.num_wants;
        vec![self.subtitles(broke_off).map(Part::Subtitles); num_wants]
    }

    fn abandon(self: Box<Self>, failure: Failure) -> Vec<Result<Part, Failure>> {
        vec![Err(failure); self.num_wants]
    }
}

fn encrypted() -> Failure {
    Failure::new(ReasonCode::Encrypted, "the subtitles are encrypted")
}

/// The text of an ASS event: what stands behind its eighth comma, without overrides in braces and
/// without what they declare to be a drawing.
fn plain_text(event: &str) -> String {
    let text = event.splitn(9, ',').nth(8).unwrap_or_default();
    let mut plain = String::with_capacity(text.len());
    let mut is_drawing = false;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let (Some(end), true) = (rest.find('}'), next == '{') {
            is_drawing = draws(&rest[1..end]).unwrap_or(is_drawing);
            rest = &rest[end + 1..];
            continue;
        }
        let (piece, len) = match rest.as_bytes() {
            [b'\\', b'N', ..] => ('\n', 2),
            [b'\\', b'n' | b'h', ..] => (' ', 2),
            _ => (next, next.len_utf8()),
        };
        if !is_drawing && (piece == '\n' || !piece.is_control()) {
            plain.push(piece);
        }
        rest = &rest[len..];
    }
    let lines = plain.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether an override turns drawing on or off: `\p1`, `\p0`, but not `\pos` or `\pbo`.
fn draws(overrides: &str) -> Option<bool> {
    overrides
        .split('\\')
        .filter_map(|tag| tag.strip_prefix('p')?.trim().parse::<u32>().ok())
        .next_back()
        .map(|scale| scale > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_drawings_are_taken_off() {
        let text = |text: &str| plain_text(&format!("0,0,Default,,0,0,0,,{text}"));
        assert_eq!(text(r"{\i1}So, this{\i0} is\Nhow it ends."), "So, this is\nhow it ends.");
        assert_eq!(text(r"{\p1}m 0 0 l 10 0{\p0}Stop!"), "Stop!");
        assert_eq!(text(r"{\pos(3,4)\an8}up\hthere\nnow"), "up there now");
        assert_eq!(text(r"\N {\b1} \N"), "");
        assert_eq!(text("a { b"), "a { b");
        assert_eq!(plain_text("no event"), "");
    }

    #[test]
    fn english_goes_before_the_rest() {
        let codes = [Some("eng"), Some("en-us"), None, Some("fre"), Some("enm")];
        assert_eq!(codes.map(of_language), [0, 0, 1, 2, 2]);
    }
}
