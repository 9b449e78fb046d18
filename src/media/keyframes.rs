//! Keyframes of a film, at most so many, spread over its length.
//!
//! in: the packets of a picture stream, one by one; out: [`Keyframes`].
//! Only packets that are flagged as key go to the decoder (VP9's ignores `skip_frame`). They
//! are kept compressed, thinned out evenly when there are more than four times as many as
//! wanted or more than [`MAX_BYTES`] of them, and only those that are chosen at the end of
//! the film are decoded: a film of two hours costs no more memory or decoding than a
//! trailer. Where a chosen frame is black or a near-duplicate, others are tried in the
//! largest gaps.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Discard, Packet, codec, decoder, frame};

use super::{
    choose,
    container::StreamFacts,
    libav,
    limits::Limits,
    request::{Failure, FrameSpec, Keyframe, Keyframes, Picture, ReasonCode},
    scale::SquareScaler,
    thumbnail::Thumbnail,
};

/// Compressed keyframes that are kept, bytes.
const MAX_BYTES: usize = 96 << 20;

/// For each frame that is wanted so many are kept until the film's length is known.
const NUM_SPARE: usize = 4;

/// How often replacements are looked for.
const NUM_ROUNDS: usize = 3;

/// A compressed keyframe.
struct Candidate {
    time_secs: f64,
    packet: Packet,
}

/// A decoded one.
struct Shot {
    time_secs: f64,
    picture: Picture,
    thumbnail: Thumbnail,
}

/// Takes packets while the container is read.
pub(super) struct KeyframePicker {
    spec: FrameSpec,
    limits: Limits,
    stream: StreamFacts,
    start_secs: f64,
    candidates: Vec<Candidate>,
    num_bytes: usize,
    num_packets: usize,
    num_encrypted: usize,
}

impl KeyframePicker {
    /// `start_secs` is the film's begin in the container's timestamps.
    pub(super) fn new(
        spec: FrameSpec,
        limits: Limits,
        stream: StreamFacts,
        start_secs: f64,
    ) -> Self {
        Self {
            spec,
            limits,
            stream,
            start_secs,
            candidates: Vec::new(),
            num_bytes: 0,
            num_packets: 0,
            num_encrypted: 0,
        }
    }

    pub(super) fn stream_index(&self) -> usize {
        self.stream.index
    }

    /// Takes a packet of the stream.
    pub(super) fn push(&mut self, packet: Packet, is_encrypted: bool) {
        self.num_packets += 1;
        if is_encrypted {
            self.num_encrypted += 1;
            return;
        }
        if !packet.is_key() || packet.size() == 0 || self.spec.max_frames == 0 {
            return;
        }
        let time_secs = packet.pts().or(packet.dts()).map_or_else(
            || (self.num_packets - 1) as f64 * self.stream.frame_secs,
            |ticks| ticks as f64 * self.stream.tick_secs - self.start_secs,
        );
        self.num_bytes += packet.size();
        // Nearly always at the end; a film cut out of order is put in order.
        let place = self.candidates.partition_point(|other| other.time_secs <= time_secs);
        self.candidates.insert(place, Candidate { time_secs, packet });
        let most = self.spec.max_frames.saturating_mul(NUM_SPARE).max(8);
        if self.candidates.len() > most {
            self.thin(most / 2);
        }
        while self.num_bytes > MAX_BYTES && self.candidates.len() > 1 {
            self.thin(self.candidates.len() / 2);
        }
    }

    fn thin(&mut self, num_keep: usize) {
        let times: Vec<f64> = self.candidates.iter().map(|c| c.time_secs).collect();
        let mut keep = vec![false; times.len()];
        for place in choose::spread(&times, num_keep) {
            keep[place] = true;
        }
        let mut keep = keep.into_iter();
        self.candidates.retain(|_| keep.next().unwrap_or(false));
        self.num_bytes = self.candidates.iter().map(|c| c.packet.size()).sum();
    }

    /// Decodes what was chosen. `broke_off` is why the container could not be read to its end.
    pub(super) fn finish(self, broke_off: Option<Failure>) -> Result<Keyframes, Failure> {
        let Self { spec, limits, stream, mut candidates, num_packets, num_encrypted, .. } = self;
        let is_encrypted = num_encrypted > 0 || (stream.is_encrypted && candidates.is_empty());
        if is_encrypted {
            return Err(Failure::new(ReasonCode::Encrypted, "the picture is encrypted"));
        }
        if spec.max_frames == 0 {
            return Ok(Keyframes::default());
        }
        let mut decoder = FrameDecoder::open(stream, &spec, &limits, self.start_secs)?;
        if candidates.is_empty() {
            return Err(broke_off.unwrap_or_else(|| match num_packets {
                0 => Failure::new(ReasonCode::Truncated, "the stream holds no packets"),
                n => Failure::new(ReasonCode::Corrupt, format!("no keyframe in {n} packets")),
            }));
        }
        let mut kept: Vec<Shot> = Vec::new();
        let (mut num_black, mut num_duplicate) = (0, 0);
        for _ in 0..NUM_ROUNDS {
            let num_more = spec.max_frames - kept.len();
            if num_more == 0 || candidates.is_empty() {
                break;
            }
            let kept_times: Vec<f64> = kept.iter().map(|shot| shot.time_secs).collect();
            let times: Vec<f64> = candidates.iter().map(|c| c.time_secs).collect();
            let chosen = choose::fill(&kept_times, &times, num_more);
            let mut round = Vec::with_capacity(chosen.len());
            for place in chosen.into_iter().rev() {
                round.push(candidates.remove(place));
            }
            round.reverse();
            for shot in decoder.decode(round)? {
                if shot.thumbnail.mean() < spec.black_luma {
                    num_black += 1;
                    continue;
                }
                let place = kept.partition_point(|other| other.time_secs <= shot.time_secs);
                let neighbours = kept[..place].last().into_iter().chain(kept.get(place));
                if neighbours
                    .into_iter()
                    .any(|n| n.thumbnail.difference(&shot.thumbnail) < spec.duplicate_luma)
                {
                    num_duplicate += 1;
                } else {
                    kept.insert(place, shot);
                }
            }
        }
        let partial = broke_off.or_else(|| decoder.complaint());
        if kept.is_empty() {
            return Err(if num_black > 0 {
                Failure::new(ReasonCode::OnlyBlackFrames, format!("{num_black} of {num_black}"))
            } else {
                partial.unwrap_or_else(|| {
                    Failure::new(ReasonCode::Corrupt, "the decoder gave no picture")
                })
            });
        }
        let kept = kept
            .into_iter()
            .map(|shot| Keyframe { time_secs: shot.time_secs, picture: shot.picture })
            .collect();
        Ok(Keyframes { kept, num_black, num_duplicate, partial })
    }
}

/// Decoder and scaler of one stream.
struct FrameDecoder {
    decoder: decoder::Video,
    scaler: SquareScaler,
    tick_secs: f64,
    start_secs: f64,
    max_pixels: u64,
    num_sent: usize,
    num_refused: usize,
    first_error: Option<Failure>,
}

impl FrameDecoder {
    fn open(
        stream: StreamFacts,
        spec: &FrameSpec,
        limits: &Limits,
        start_secs: f64,
    ) -> Result<Self, Failure> {
        libav::take_log();
        let scaler = SquareScaler::new(spec.side_px, spec.fit, stream.pixel_aspect, stream.turn);
        let mut context =
            codec::Context::from_parameters(stream.parameters).map_err(libav::failure)?.decoder();
        let Some(codec) = decoder::find(context.id()) else {
            let name = format!("{:?}", context.id());
            return Err(Failure::new(ReasonCode::UnsupportedCodec, name));
        };
        context.set_threading(codec::threading::Config {
            count: 1,
            ..codec::threading::Config::default()
        });
        context.set_packet_time_base(stream.time_base);
        context.skip_frame(Discard::NonKey);
        let mut options = ffmpeg::Dictionary::new();
        options.set("max_pixels", &limits.max_pixels.min(i32::MAX as u64).to_string());
        let decoder = context
            .open_as_with(codec, options)
            .and_then(codec::decoder::Opened::video)
            .map_err(libav::failure)?;
        let decoder = Self {
            decoder,
            scaler,
            tick_secs: stream.tick_secs,
            start_secs,
            max_pixels: limits.max_pixels,
            num_sent: 0,
            num_refused: 0,
            first_error: None,
        };
        decoder.check_size(decoder.decoder.width(), decoder.decoder.height())?;
        Ok(decoder)
    }

    fn check_size(&self, width: u32, height: u32) -> Result<(), Failure> {
        if u64::from(width) * u64::from(height) > self.max_pixels {
            let text = format!("{width} x {height}, at most {} pixels are read", self.max_pixels);
            return Err(Failure::new(ReasonCode::TooLarge, text));
        }
        Ok(())
    }

    /// Decodes some packets, ascending in time, and leaves the decoder as it was.
    fn decode(&mut self, round: Vec<Candidate>) -> Result<Vec<Shot>, Failure> {
        let mut shots = Vec::with_capacity(round.len());
        // A decoder may hold frames back; those without a time of their own take the times
        // of the packets in turn.
        let mut times = round.iter().map(|c| c.time_secs).collect::<Vec<_>>().into_iter();
        for Candidate { packet, .. } in round {
            self.num_sent += 1;
            loop {
                match self.decoder.send_packet(&packet) {
                    Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => {
                        if self.receive(&mut shots, &mut times)? == 0 {
                            break;
                        }
                    }
                    Err(error) => {
                        self.refuse(error)?;
                        break;
                    }
                    Ok(()) => break,
                }
            }
            self.receive(&mut shots, &mut times)?;
        }
        if self.decoder.send_eof().is_ok() {
            self.receive(&mut shots, &mut times)?;
        }
        self.decoder.flush();
        shots.sort_by(|a, b| a.time_secs.total_cmp(&b.time_secs));
        Ok(shots)
    }

    /// Takes all frames that the decoder has ready.
    fn receive(
        &mut self,
        shots: &mut Vec<Shot>,
        times: &mut impl Iterator<Item = f64>,
    ) -> Result<usize, Failure> {
        let mut num_frames = 0;
        let mut frame = frame::Video::empty();
        loop {
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => {}
                Err(
                    ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN },
                ) => return Ok(num_frames),
                Err(error) => {
                    self.refuse(error)?;
                    return Ok(num_frames);
                }
            }
            num_frames += 1;
            let in_turn = times.next().unwrap_or(0.0);
            let time_secs = frame
                .timestamp()
                .map_or(in_turn, |ticks| ticks as f64 * self.tick_secs - self.start_secs)
                .max(0.0);
            if frame.is_corrupt() || frame.has_decode_errors() {
                self.num_refused += 1;
                continue;
            }
            self.check_size(frame.width(), frame.height())?;
            match self.scaler.square(&mut frame) {
                Ok((picture, thumbnail)) => shots.push(Shot { time_secs, picture, thumbnail }),
                Err(error) => self.refuse(error)?,
            }
        }
    }

    /// Counts what could not be decoded; want of memory is the end.
    fn refuse(&mut self, error: ffmpeg::Error) -> Result<(), Failure> {
        self.num_refused += 1;
        let failure = libav::failure(error);
        if failure.code == ReasonCode::MemoryLimit {
            return Err(failure);
        }
        self.first_error.get_or_insert(failure);
        Ok(())
    }

    /// What is to be said of keyframes that were lost.
    fn complaint(&self) -> Option<Failure> {
        if self.num_refused == 0 {
            return None;
        }
        let first = self.first_error.as_ref();
        let text = format!("{} of {} keyframes are damaged", self.num_refused, self.num_sent);
        Some(Failure::new(
            first.map_or(ReasonCode::Corrupt, |failure| failure.code),
            match first {
                Some(failure) => format!("{text}: {}", failure.detail),
                None => text,
            },
        ))
    }
}
