//! Frames chosen while every frame of a film is decoded: one every few seconds, or one of each
//! shot.
//!
//! in: the packets of a picture stream, one by one; out: [`Keyframes`]. Memory is bounded: no
//! more than four times as many pictures are held as are wanted.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Discard, Packet, frame};

use super::{
    bars::Bars,
    container::StreamFacts,
    film::Picker,
    frame_decoder::FrameDecoder,
    limits::Limits,
    request::{Failure, FrameSpec, Keyframes, ReasonCode, Sampling},
    scale::SquareScaler,
    selection::{Selection, Still, thin},
    shots::{CutDetector, Shrinker},
};

/// For each frame that is wanted so many are held until the film's length is known.
const NUM_SPARE: usize = 4;

/// Candidates of the shot that is under way.
const MAX_CANDIDATES: usize = 8;

/// Makes a still of a frame.
type Scale<'a> = dyn FnMut(&mut frame::Video) -> Result<Still, ffmpeg::Error> + 'a;

/// Which of the frames that go by are kept.
trait Policy {
    /// Looks at a frame. `scale` makes a still of it, and is asked to only where it is kept.
    fn look(
        &mut self,
        time_secs: f64,
        frame: &mut frame::Video,
        scale: &mut Scale<'_>,
    ) -> Result<(), ffmpeg::Error>;

    /// The stills, ascending in time, and when shots begin.
    fn finish(self: Box<Self>) -> (Vec<Still>, Option<Vec<f64>>);
}

/// One frame every so many seconds.
struct Uniform {
    every_secs: f64,
    next_secs: f64,
    most: usize,
    stills: Vec<Still>,
}

impl Policy for Uniform {
    fn look(
        &mut self,
        time_secs: f64,
        frame: &mut frame::Video,
        scale: &mut Scale<'_>,
    ) -> Result<(), ffmpeg::Error> {
        if time_secs < self.next_secs {
            return Ok(());
        }
        self.stills.push(scale(frame)?);
        if self.stills.len() > self.most {
            thin(&mut self.stills, self.most / 2, |still| still.time_secs);
            self.every_secs *= 2.0;
        }
        self.next_secs = ((time_secs / self.every_secs).floor() + 1.0) * self.every_secs;
        Ok(())
    }

    fn finish(self: Box<Self>) -> (Vec<Still>, Option<Vec<f64>>) {
        (self.stills, None)
    }
}

/// The frame in the middle of each shot, or nearly there.
struct PerShot {
    detector: CutDetector,
    shrinker: Shrinker,
    most: usize,
    /// Of all frames so far, seconds.
    times: Vec<f64>,
    /// First frame of the shot under way.
    start_idx: usize,
    /// Every so many frames of it one is a candidate.
    step: usize,
    candidates: Vec<(usize, Still)>,
    chosen: Vec<Still>,
    shots_secs: Vec<f64>,
}

impl PerShot {
    fn new(most: usize) -> Self {
        Self {
            detector: CutDetector::default(),
            shrinker: Shrinker::default(),
            most,
            times: Vec::new(),
            start_idx: 0,
            step: 1,
            candidates: Vec::new(),
            chosen: Vec::new(),
            shots_secs: Vec::new(),
        }
    }

    /// The shot under way ends before frame `end_idx`, with which another begins.
    fn close(&mut self, end_idx: usize) {
        let middle = self.start_idx.midpoint(end_idx);
        let later =
            self.candidates.split_off(self.candidates.partition_point(|(idx, _)| *idx < end_idx));
        let of_shot = std::mem::replace(&mut self.candidates, later);
        self.shots_secs.extend(self.times.get(self.start_idx));
        if let Some((_, still)) = of_shot.into_iter().min_by_key(|(idx, _)| idx.abs_diff(middle)) {
            self.chosen.push(still);
        }
        if self.chosen.len() > self.most {
            thin(&mut self.chosen, self.most / 2, |still| still.time_secs);
        }
        (self.start_idx, self.step) = (end_idx, 1);
    }
}

impl Policy for PerShot {
    fn look(
        &mut self,
        time_secs: f64,
        frame: &mut frame::Video,
        scale: &mut Scale<'_>,
    ) -> Result<(), ffmpeg::Error> {
        let idx = self.times.len();
        let small = self.shrinker.shrink(frame)?;
        self.times.push(time_secs);
        if let Some(cut_idx) = self.detector.push(small) {
            self.close(cut_idx);
        }
        if (idx - self.start_idx).is_multiple_of(self.step) {
            self.candidates.push((idx, scale(frame)?));
            if self.candidates.len() > MAX_CANDIDATES {
                self.step *= 2;
                let (start_idx, step) = (self.start_idx, self.step);
                self.candidates.retain(|(idx, _)| (idx - start_idx).is_multiple_of(step));
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> (Vec<Still>, Option<Vec<f64>>) {
        for cut_idx in self.detector.finish() {
            self.close(cut_idx);
        }
        self.close(self.times.len());
        (self.chosen, Some(self.shots_secs))
    }
}

/// Decodes packets as they come and keeps what its policy says.
pub(super) struct EveryFramePicker {
    spec: FrameSpec,
    stream_index: usize,
    frame_secs: f64,
    decoder: FrameDecoder,
    scaler: SquareScaler,
    policy: Box<dyn Policy>,
    num_packets: usize,
    num_frames: usize,
    num_encrypted: usize,
}

impl EveryFramePicker {
    /// `start_secs` is the film's begin in the container's timestamps; `bars` are cropped.
    ///
    /// # Errors
    /// It cannot be decoded at all.
    pub(super) fn new(
        spec: FrameSpec,
        limits: &Limits,
        stream: StreamFacts,
        start_secs: f64,
        bars: Bars,
    ) -> Result<Self, Failure> {
        if stream.is_encrypted {
            return Err(Failure::new(ReasonCode::Encrypted, "the picture is encrypted"));
        }
        let most = spec.max_frames.saturating_mul(NUM_SPARE).max(8);
        let policy: Box<dyn Policy> = match spec.sampling {
            Sampling::Shots => Box::new(PerShot::new(most)),
            Sampling::Keyframes | Sampling::Uniform => Box::new(Uniform {
                every_secs: spec.every_secs,
                next_secs: 0.0,
                most,
                stills: Vec::new(),
            }),
        };
        let mut scaler =
            SquareScaler::new(spec.side_px, spec.fit, stream.pixel_aspect, stream.turn);
        scaler.set_bars(bars);
        Ok(Self {
            stream_index: stream.index,
            frame_secs: stream.frame_secs,
            scaler,
            decoder: FrameDecoder::open(&stream, limits, start_secs, Discard::Default)?,
            spec,
            policy,
            num_packets: 0,
            num_frames: 0,
            num_encrypted: 0,
        })
    }

    /// Decodes a packet, or what is left at the end.
    fn decode(&mut self, packet: Option<&Packet>) -> Result<(), Failure> {
        let Self { scaler, policy, num_frames, frame_secs, decoder, .. } = self;
        let mut take = |frame: &mut frame::Video, time_secs: Option<f64>| {
            let time_secs = time_secs.unwrap_or(*num_frames as f64 * *frame_secs);
            *num_frames += 1;
            let mut scale = |frame: &mut frame::Video| scaler.still(frame, time_secs);
            policy.look(time_secs, frame, &mut scale)
        };
        match packet {
            Some(packet) => decoder.push(packet, &mut take),
            None => decoder.drain(&mut take),
        }
    }
}

impl Picker for EveryFramePicker {
    fn stream_index(&self) -> usize {
        self.stream_index
    }

    fn push(&mut self, packet: Packet, is_encrypted: bool) -> Result<(), Failure> {
        self.num_packets += 1;
        if is_encrypted {
            self.num_encrypted += 1;
            return Ok(());
        }
        if packet.size() == 0 {
            return Ok(());
        }
        self.decode(Some(&packet))
    }

    fn finish(mut self: Box<Self>, broke_off: Option<Failure>) -> Result<Keyframes, Failure> {
        if self.num_encrypted > 0 {
            return Err(Failure::new(ReasonCode::Encrypted, "the picture is encrypted"));
        }
        self.decode(None)?;
        if self.num_packets == 0 {
            let none = || Failure::new(ReasonCode::Truncated, "the stream holds no packets");
            return Err(broke_off.unwrap_or_else(none));
        }
        let (stills, shots_secs) = self.policy.finish();
        let mut selection = Selection::new(self.spec);
        selection.fill(stills, |still| still.time_secs, Ok)?;
        let mut frames = selection.finish(broke_off.or_else(|| self.decoder.complaint()))?;
        frames.shots_secs = shots_secs;
        Ok(frames)
    }
}
