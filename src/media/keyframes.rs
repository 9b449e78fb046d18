//! Keyframes of a film, at most so many, spread over its length.
//!
//! in: the packets of a picture stream, one by one; out: for each [`FrameSpec`] its
//! [`Keyframes`], the same as if it were asked for alone.
//! Only packets that are flagged as key go to the decoder (VP9's ignores `skip_frame`). They
//! are kept compressed, thinned out evenly when there are more than four times as many as
//! wanted or more than [`MAX_BYTES`] of them, and only those that are chosen at the end of
//! the film are decoded ([`super::viewers`]): a film of two hours costs no more memory or
//! decoding than a trailer. Where they give too few pictures, frames between them are looked at
//! ([`super::between`]).

use ffmpeg_next::Packet;

use super::{
    answer::{Keyframes, Part},
    between::Sparse,
    container::StreamFacts,
    film::{Source, Taker},
    request::{Failure, FrameSpec, ReasonCode},
    selection::thin,
    viewers::{self, Studio, Viewed},
};

/// Compressed keyframes that are kept, bytes.
const MAX_BYTES: usize = 96 << 20;

/// For each frame that is wanted so many are kept until the film's length is known.
pub(super) const NUM_SPARE: usize = 4;

/// A compressed keyframe.
pub(super) struct Candidate {
    pub(super) time_secs: f64,
    pub(super) packet: Packet,
}

/// Takes packets while the container is read.
pub(super) struct KeyframePicker<'a> {
    /// They differ in nothing that decides which keyframes are kept compressed.
    specs: Vec<FrameSpec>,
    max_frames: usize,
    source: Source<'a>,
    stream: StreamFacts,
    start_secs: f64,
    candidates: Vec<Candidate>,
    num_bytes: usize,
    num_packets: usize,
    num_keys: usize,
    num_encrypted: usize,
    /// When the last frame ends.
    end_secs: f64,
}

impl<'a> KeyframePicker<'a> {
    /// `start_secs` is the film's begin in the container's timestamps; all specs want as many
    /// frames, and all want bars cropped or none does.
    pub(super) fn new(
        specs: Vec<FrameSpec>,
        source: Source<'a>,
        stream: StreamFacts,
        start_secs: f64,
    ) -> Self {
        Self {
            max_frames: specs.first().map_or(0, |spec| spec.max_frames),
            specs,
            source,
            stream,
            start_secs,
            candidates: Vec::new(),
            num_bytes: 0,
            num_packets: 0,
            num_keys: 0,
            num_encrypted: 0,
            end_secs: 0.0,
        }
    }

    fn thin(&mut self, num_keep: usize) {
        thin(&mut self.candidates, num_keep, |candidate| candidate.time_secs);
        self.num_bytes = self.candidates.iter().map(|c| c.packet.size()).sum();
    }

    /// Decodes those that are wanted.
    ///
    /// # Errors
    /// Why nobody gets any.
    fn develop(self, broke_off: Option<Failure>) -> Result<Vec<Result<Part, Failure>>, Failure> {
        if self.num_encrypted > 0 || self.stream.is_encrypted {
            return Err(Failure::new(ReasonCode::Encrypted, "the picture is encrypted"));
        }
        if self.max_frames == 0 {
            return Ok(vec![Ok(Part::Frames(Keyframes::default())); self.specs.len()]);
        }
        let knows_bars = self.specs.iter().all(|spec| !spec.crop_bars);
        let studio = Studio::open(&self.stream, self.source.limits, self.start_secs, knows_bars)?;
        if self.candidates.is_empty() {
            return Err(broke_off.unwrap_or_else(|| match self.num_packets {
                0 => Failure::new(ReasonCode::Truncated, "the stream holds no packets"),
                n => Failure::new(ReasonCode::Corrupt, format!("no keyframe in {n} packets")),
            }));
        }
        let mut viewed = viewers::choose_and_scale(studio, self.specs, &self.candidates);
        let sparse = Sparse {
            source: self.source,
            stream: &self.stream,
            end_secs: self.end_secs,
            num_keys: self.num_keys,
            max_frames: self.max_frames,
        };
        sparse.fill(viewed.iter_mut().flatten());
        let finish = |viewed: Viewed| viewed.finish(broke_off.clone());
        Ok(viewed.into_iter().map(|viewed| viewed.and_then(finish).map(Part::Frames)).collect())
    }
}

impl Taker for KeyframePicker<'_> {
    fn stream_index(&self) -> usize {
        self.stream.index
    }

    fn push(&mut self, packet: Packet, is_encrypted: bool) -> Result<(), Failure> {
        self.num_packets += 1;
        if is_encrypted {
            self.num_encrypted += 1;
            return Ok(());
        }
        if let Some(start) = packet.pts().or(packet.dts()) {
            let end = (start + packet.duration().max(0)) as f64 * self.stream.tick_secs;
            self.end_secs = self.end_secs.max(end - self.start_secs);
        }
        if !packet.is_key() || packet.size() == 0 || self.max_frames == 0 {
            return Ok(());
        }
        let time_secs = packet.pts().or(packet.dts()).map_or_else(
            || (self.num_packets - 1) as f64 * self.stream.frame_secs,
            |ticks| ticks as f64 * self.stream.tick_secs - self.start_secs,
        );
        self.num_keys += 1;
        self.num_bytes += packet.size();
        // Nearly always at the end; a film cut out of order is put in order.
        let place = self.candidates.partition_point(|other| other.time_secs <= time_secs);
        self.candidates.insert(place, Candidate { time_secs, packet });
        let most = self.max_frames.saturating_mul(NUM_SPARE).max(8);
        if self.candidates.len() > most {
            self.thin(most / 2);
        }
        while self.num_bytes > MAX_BYTES && self.candidates.len() > 1 {
            self.thin(self.candidates.len() / 2);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, broke_off: Option<Failure>) -> Vec<Result<Part, Failure>> {
        let num_specs = self.specs.len();
        self.develop(broke_off).unwrap_or_else(|failure| vec![Err(failure); num_specs])
    }

    fn abandon(self: Box<Self>, failure: Failure) -> Vec<Result<Part, Failure>> {
        vec![Err(failure); self.specs.len()]
    }
}
