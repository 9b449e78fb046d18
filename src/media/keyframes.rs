//! Keyframes of a film, at most so many, spread over its length.
//!
//! in: the packets of a picture stream, one by one; out: [`Keyframes`].
//! Only packets that are flagged as key go to the decoder (VP9's ignores `skip_frame`). They
//! are kept compressed, thinned out evenly when there are more than four times as many as
//! wanted or more than [`MAX_BYTES`] of them, and only those that are chosen at the end of
//! the film are decoded: a film of two hours costs no more memory or decoding than a
//! trailer. The first few that are decoded tell what bars the film has. Where a chosen frame is
//! black or a near-duplicate, others are tried in the largest gaps.

use std::mem;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Discard, Packet, frame};

use super::{
    bars::Bars,
    choose,
    container::StreamFacts,
    film::Picker,
    frame_decoder::FrameDecoder,
    limits::Limits,
    request::{Failure, FrameSpec, Keyframes, ReasonCode},
    scale::SquareScaler,
    selection::{Selection, Still, thin},
};

/// Compressed keyframes that are kept, bytes.
const MAX_BYTES: usize = 96 << 20;

/// For each frame that is wanted so many are kept until the film's length is known.
pub(super) const NUM_SPARE: usize = 4;

/// So many frames are held to see what bars the film has …
const NUM_PROBED: usize = 8;

/// … or so many bytes of them, roughly.
const MAX_PROBED_BYTES: usize = 256 << 20;

/// A compressed keyframe.
struct Candidate {
    time_secs: f64,
    packet: Packet,
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

    fn thin(&mut self, num_keep: usize) {
        thin(&mut self.candidates, num_keep, |candidate| candidate.time_secs);
        self.num_bytes = self.candidates.iter().map(|c| c.packet.size()).sum();
    }
}

impl Picker for KeyframePicker {
    fn stream_index(&self) -> usize {
        self.stream.index
    }

    fn push(&mut self, packet: Packet, is_encrypted: bool) -> Result<(), Failure> {
        self.num_packets += 1;
        if is_encrypted {
            self.num_encrypted += 1;
            return Ok(());
        }
        if !packet.is_key() || packet.size() == 0 || self.spec.max_frames == 0 {
            return Ok(());
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
        Ok(())
    }

    fn finish(self: Box<Self>, broke_off: Option<Failure>) -> Result<Keyframes, Failure> {
        let Self { spec, limits, stream, candidates, num_packets, num_encrypted, .. } = *self;
        if num_encrypted > 0 || stream.is_encrypted {
            return Err(Failure::new(ReasonCode::Encrypted, "the picture is encrypted"));
        }
        if spec.max_frames == 0 {
            return Ok(Keyframes::default());
        }
        let scaler = SquareScaler::new(spec.side_px, spec.fit, stream.pixel_aspect, stream.turn);
        let decoder = FrameDecoder::open(&stream, &limits, self.start_secs, Discard::NonKey)?;
        if candidates.is_empty() {
            return Err(broke_off.unwrap_or_else(|| match num_packets {
                0 => Failure::new(ReasonCode::Truncated, "the stream holds no packets"),
                n => Failure::new(ReasonCode::Corrupt, format!("no keyframe in {n} packets")),
            }));
        }
        let mut studio = Studio {
            decoder,
            scaler,
            // Of 4:2:0, roughly.
            frame_bytes: stream.width as usize * stream.height as usize * 3 / 2,
            knows_bars: !spec.crop_bars,
        };
        let mut selection = Selection::new(spec);
        selection.fill(
            candidates,
            |candidate| candidate.time_secs,
            |round| studio.stills(round),
        )?;
        selection.finish(broke_off.or_else(|| studio.decoder.complaint()))
    }
}

/// Makes stills of packets.
struct Studio {
    decoder: FrameDecoder,
    scaler: SquareScaler,
    frame_bytes: usize,
    /// The scaler crops the film's bars, or is not to.
    knows_bars: bool,
}

impl Studio {
    /// Stills of some packets; both ascend in time.
    fn stills(&mut self, mut round: Vec<Candidate>) -> Result<Vec<Still>, Failure> {
        let mut stills = Vec::with_capacity(round.len());
        if !self.knows_bars {
            let mut held = Vec::new();
            let first = self.take_spread(&mut round);
            decode(&mut self.decoder, first, &mut |frame, time_secs| {
                held.push((mem::replace(frame, frame::Video::empty()), time_secs));
                Ok(())
            })?;
            self.scaler.set_bars(Bars::of_film(held.iter().map(|(f, _)| Bars::of_frame(f))));
            self.knows_bars = true;
            for (mut frame, time_secs) in held {
                match self.scaler.still(&mut frame, time_secs) {
                    Ok(still) => stills.push(still),
                    Err(error) => self.decoder.refuse(error)?,
                }
            }
        }
        decode(&mut self.decoder, round, &mut |frame, time_secs| {
            stills.push(self.scaler.still(frame, time_secs)?);
            Ok(())
        })?;
        stills.sort_by(|a, b| a.time_secs.total_cmp(&b.time_secs));
        Ok(stills)
    }

    /// Takes some packets that are spread evenly out of the round.
    fn take_spread(&self, round: &mut Vec<Candidate>) -> Vec<Candidate> {
        let that_fit = MAX_PROBED_BYTES / self.frame_bytes.max(1);
        let times: Vec<f64> = round.iter().map(|candidate| candidate.time_secs).collect();
        let mut taken = Vec::new();
        for place in choose::spread(&times, that_fit.clamp(2, NUM_PROBED)).into_iter().rev() {
            taken.push(round.remove(place));
        }
        taken.reverse();
        taken
    }
}

/// Decodes some packets, ascending in time, and leaves the decoder as it was.
fn decode(
    decoder: &mut FrameDecoder,
    packets: Vec<Candidate>,
    take: &mut dyn FnMut(&mut frame::Video, f64) -> Result<(), ffmpeg::Error>,
) -> Result<(), Failure> {
    // A decoder may hold frames back; those without a time of their own take the times of the
    // packets in turn.
    let mut times = packets.iter().map(|c| c.time_secs).collect::<Vec<_>>().into_iter();
    let mut take = |frame: &mut frame::Video, time_secs: Option<f64>| {
        let in_turn = times.next().unwrap_or(0.0).max(0.0);
        take(frame, time_secs.unwrap_or(in_turn))
    };
    for Candidate { packet, .. } in packets {
        decoder.push(&packet, &mut take)?;
    }
    decoder.drain(&mut take)
}
