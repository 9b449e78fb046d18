//! The decoder of a picture stream.
//!
//! in: packets; out: frames with their times, each as it comes out. What cannot be decoded is
//! counted and told at the end; the rest goes on.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Discard, Packet, codec, decoder, frame};

use super::{
    container::StreamFacts,
    hardware, libav,
    limits::Limits,
    request::{Failure, ReasonCode},
};

/// Takes a frame and its time in seconds, where it has one.
pub(super) type Take<'a> =
    dyn FnMut(&mut frame::Video, Option<f64>) -> Result<(), ffmpeg::Error> + 'a;

/// Frames that were lost.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    num_sent: usize,
    num_refused: usize,
    first_error: Option<Failure>,
}

impl Losses {
    /// Counts a frame that was lost.
    ///
    /// # Errors
    /// Want of memory, which is the end.
    pub(super) fn count(&mut self, error: ffmpeg::Error) -> Result<(), Failure> {
        self.num_refused += 1;
        let failure = libav::failure(error);
        if failure.code == ReasonCode::MemoryLimit {
            return Err(failure);
        }
        self.first_error.get_or_insert(failure);
        Ok(())
    }

    /// Those of a decoder, and those of someone who looks at its frames.
    pub(super) fn with(&self, own: &Self) -> Self {
        Self {
            num_sent: self.num_sent + own.num_sent,
            num_refused: self.num_refused + own.num_refused,
            first_error: self.first_error.clone().or_else(|| own.first_error.clone()),
        }
    }

    /// What is to be said of frames that were lost.
    pub(super) fn complaint(&self) -> Option<Failure> {
        if self.num_refused == 0 {
            return None;
        }
        let first = self.first_error.as_ref();
        let text = format!("{} of {} frames are damaged", self.num_refused, self.num_sent);
        Some(Failure::new(
            first.map_or(ReasonCode::Corrupt, |failure| failure.code),
            match first {
                Some(failure) => format!("{text}: {}", failure.detail),
                None => text,
            },
        ))
    }
}

/// Decoder of one stream.
pub(super) struct FrameDecoder {
    decoder: decoder::Video,
    tick_secs: f64,
    start_secs: f64,
    limits: Limits,
    /// What it could not decode.
    pub(super) losses: Losses,
}

fn check_size(width: u32, height: u32, limits: &Limits) -> Result<(), Failure> {
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        let text = format!("{width} x {height}, at most {} pixels are read", limits.max_pixels);
        return Err(Failure::new(ReasonCode::TooLarge, text));
    }
    Ok(())
}

impl FrameDecoder {
    /// `start_secs` is the film's begin in the container's timestamps; frames of `discard` are
    /// not decoded.
    ///
    /// # Errors
    /// No decoder, or pictures beyond the limits.
    pub(super) fn open(
        stream: &StreamFacts,
        limits: &Limits,
        start_secs: f64,
        discard: Discard,
    ) -> Result<Self, Failure> {
        libav::take_log();
        check_size(stream.width, stream.height, limits)?;
        let (mut context, codec) = libav::decoder(stream)?;
        context.skip_frame(discard);
        hardware::attach(&mut context, codec);
        let mut options = ffmpeg::Dictionary::new();
        options.set("max_pixels", &limits.max_pixels.min(i32::MAX as u64).to_string());
        let decoder = context
            .open_as_with(codec, options)
            .and_then(codec::decoder::Opened::video)
            .map_err(libav::failure)?;
        Ok(Self {
            decoder,
            tick_secs: stream.tick_secs,
            start_secs,
            limits: limits.clone(),
            losses: Losses::default(),
        })
    }

    /// Sends a packet and hands on the frames that come out.
    ///
    /// # Errors
    /// Want of memory, or a frame beyond the limits.
    pub(super) fn push(&mut self, packet: &Packet, take: &mut Take<'_>) -> Result<(), Failure> {
        self.losses.num_sent += 1;
        loop {
            match self.decoder.send_packet(packet) {
                Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => {
                    if self.receive(take)? == 0 {
                        break;
                    }
                }
                Err(error) => {
                    self.losses.count(error)?;
                    break;
                }
                Ok(()) => break,
            }
        }
        self.receive(take).map(drop)
    }

    /// Hands on what the decoder held back, and leaves it as it was at first.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn drain(&mut self, take: &mut Take<'_>) -> Result<(), Failure> {
        if self.decoder.send_eof().is_ok() {
            self.receive(take)?;
        }
        self.decoder.flush();
        Ok(())
    }

    /// Takes all frames that the decoder has ready.
    fn receive(&mut self, take: &mut Take<'_>) -> Result<usize, Failure> {
        let mut num_frames = 0;
        let mut frame = frame::Video::empty();
        loop {
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => {}
                Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => {
                    return Ok(num_frames);
                }
                Err(error) => {
                    self.losses.count(error)?;
                    return Ok(num_frames);
                }
            }
            num_frames += 1;
            let time_secs = frame
                .timestamp()
                .map(|ticks| (ticks as f64 * self.tick_secs - self.start_secs).max(0.0));
            if frame.is_corrupt() || frame.has_decode_errors() {
                self.losses.num_refused += 1;
                continue;
            }
            check_size(frame.width(), frame.height(), &self.limits)?;
            let taken = hardware::fetch(&mut frame).and_then(|()| take(&mut frame, time_secs));
            if let Err(error) = taken {
                self.losses.count(error)?;
            }
        }
    }
}
