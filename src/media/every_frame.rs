//! Frames chosen while every frame of a film is decoded: one every few seconds, or one of each
//! shot; or none, and every frame made small.
//!
//! in: the packets of a picture stream, one by one; out: for each [`FrameSpec`] its [`Keyframes`],
//! the same as if it were asked for alone. Memory is bounded: for each no more than four times as
//! many pictures are held as are wanted, and no more than [`MAX_PREVIEW_FRAMES`] small ones.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Discard, Packet, format::Pixel, frame, software::scaling::Flags};

use super::{
    answer::{Keyframes, Part, Preview},
    bars::Bars,
    container::StreamFacts,
    film::Taker,
    frame_decoder::{FrameDecoder, Losses},
    limits::Limits,
    request::{
        Failure, FrameSpec, MAX_PREVIEW_FRAMES, PREVIEW_HEIGHT_PX, PREVIEW_WIDTH_PX, ReasonCode,
        Sampling,
    },
    selection::{Selection, Still, thin},
    shots::{CutDetector, SmallFrame},
    shrink::Shrinker,
    viewers::{Lens, show_each},
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

    /// Why nothing more is looked at, where that is so.
    fn refusal(&self) -> Option<Failure> {
        None
    }

    fn finish(self: Box<Self>) -> Looked;
}

/// What a policy comes to.
#[derive(Default)]
struct Looked {
    /// Ascending in time.
    stills: Vec<Still>,
    /// When shots begin.
    shots_secs: Option<Vec<f64>>,
    preview: Option<Preview>,
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

    fn finish(self: Box<Self>) -> Looked {
        Looked { stills: self.stills, ..Looked::default() }
    }
}

/// Where shots begin.
enum Cuts {
    /// Where the detector finds a cut.
    Found { detector: Box<CutDetector>, shrinker: Shrinker },
    /// At these times, seconds, descending.
    Known(Vec<f64>),
}

impl Cuts {
    fn found() -> Self {
        Self::Found { detector: Box::default(), shrinker: SmallFrame::shrinker() }
    }

    fn known(begins_secs: &[f64]) -> Self {
        Self::Known(begins_secs.iter().rev().copied().collect())
    }

    /// Looks at frame `idx`; gives the number of a frame so far that begins a shot.
    fn look(
        &mut self,
        idx: usize,
        time_secs: f64,
        frame: &frame::Video,
    ) -> Result<Option<usize>, ffmpeg::Error> {
        match self {
            Self::Found { detector, shrinker } => {
                Ok(detector.push(SmallFrame::of(frame, shrinker)?))
            }
            Self::Known(begins) => {
                let num_before = begins.len();
                // Times went through a pipe as text: a microsecond is no difference.
                while begins.last().is_some_and(|begin| *begin <= time_secs + 1e-6) {
                    begins.pop();
                }
                // The film's first frame begins a shot in any case.
                Ok((begins.len() < num_before && idx > 0).then_some(idx))
            }
        }
    }

    /// Those among the last frames.
    fn finish(&self) -> Vec<usize> {
        match self {
            Self::Found { detector, .. } => detector.finish(),
            Self::Known(_) => Vec::new(),
        }
    }
}

/// The frame in the middle of each shot, or nearly there.
struct PerShot {
    cuts: Cuts,
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
    fn new(cuts: Cuts, most: usize) -> Self {
        Self {
            cuts,
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
        let cut_idx = self.cuts.look(idx, time_secs, frame)?;
        self.times.push(time_secs);
        if let Some(cut_idx) = cut_idx {
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

    fn finish(mut self: Box<Self>) -> Looked {
        for cut_idx in self.cuts.finish() {
            self.close(cut_idx);
        }
        self.close(self.times.len());
        let Self { chosen, shots_secs, .. } = *self;
        Looked { stills: chosen, shots_secs: Some(shots_secs), ..Looked::default() }
    }
}

/// Every frame, small.
struct Small {
    shrinker: Shrinker,
    preview: Preview,
}

impl Small {
    fn new() -> Self {
        let (width, height) = (PREVIEW_WIDTH_PX as u32, PREVIEW_HEIGHT_PX as u32);
        let shrinker = Shrinker::new(Pixel::RGB24, width, height, Flags::BICUBIC);
        Self { shrinker, preview: Preview::default() }
    }
}

impl Policy for Small {
    fn look(
        &mut self,
        time_secs: f64,
        frame: &mut frame::Video,
        _scale: &mut Scale<'_>,
    ) -> Result<(), ffmpeg::Error> {
        let small = self.shrinker.shrink(frame)?;
        self.preview.times_secs.push(time_secs);
        for row in small.data(0).chunks(small.stride(0)).take(PREVIEW_HEIGHT_PX) {
            self.preview.rgb.extend_from_slice(&row[..PREVIEW_WIDTH_PX * 3]);
        }
        Ok(())
    }

    fn refusal(&self) -> Option<Failure> {
        (self.preview.times_secs.len() > MAX_PREVIEW_FRAMES).then(|| {
            let text = format!("the film has more than {MAX_PREVIEW_FRAMES} frames");
            Failure::new(ReasonCode::TooLarge, text)
        })
    }

    fn finish(self: Box<Self>) -> Looked {
        Looked { preview: Some(self.preview), ..Looked::default() }
    }
}

/// One who looks at every frame.
struct Watcher {
    spec: FrameSpec,
    lens: Lens,
    policy: Box<dyn Policy>,
    /// Why it looks no more.
    ended: Option<Failure>,
}

impl Watcher {
    fn new(spec: FrameSpec, stream: &StreamFacts, bars: Bars) -> Self {
        let most = spec.max_frames.saturating_mul(NUM_SPARE).max(8);
        let policy: Box<dyn Policy> = match &spec.sampling {
            Sampling::Shots => Box::new(PerShot::new(Cuts::found(), most)),
            Sampling::ShotsAt(begins) => Box::new(PerShot::new(Cuts::known(begins), most)),
            Sampling::Preview => Box::new(Small::new()),
            Sampling::Keyframes | Sampling::Uniform => Box::new(Uniform {
                every_secs: spec.every_secs,
                next_secs: 0.0,
                most,
                stills: Vec::new(),
            }),
        };
        // A preview is of the whole picture.
        let has_bars = spec.crop_bars && spec.sampling != Sampling::Preview;
        let lens = Lens::new(&spec, stream, if has_bars { bars } else { Bars::default() });
        Self { spec, lens, policy, ended: None }
    }

    fn look(&mut self, frame: &mut frame::Video, time_secs: f64) -> Result<(), ffmpeg::Error> {
        if self.ended.is_some() {
            return Ok(());
        }
        let Self { lens, policy, .. } = self;
        let mut scale = |frame: &mut frame::Video| lens.still(frame, time_secs);
        match policy.look(time_secs, frame, &mut scale) {
            Ok(()) => Ok(()),
            Err(error) => self.lens.lose(error),
        }
    }

    /// What it kept. `lost` is what the decoder could not show it.
    fn finish(self, broke_off: Option<Failure>, lost: &Losses) -> Result<Keyframes, Failure> {
        if let Some(failure) = self.ended {
            return Err(failure);
        }
        let Looked { stills, shots_secs, preview } = self.policy.finish();
        let partial = broke_off.or_else(|| lost.with(&self.lens.losses).complaint());
        if preview.as_ref().is_some_and(|preview| !preview.times_secs.is_empty()) {
            return Ok(Keyframes { preview, partial, ..Keyframes::default() });
        }
        let mut selection = Selection::new(self.spec);
        selection.fill(stills, |still| still.time_secs, Ok)?;
        Ok(Keyframes { shots_secs, ..selection.finish(partial)? })
    }
}

/// Decodes packets as they come, once for all who look, and keeps for each what its policy says.
pub(super) struct EveryFramePicker {
    stream_index: usize,
    frame_secs: f64,
    decoder: FrameDecoder,
    watchers: Vec<Watcher>,
    num_packets: usize,
    num_frames: usize,
    num_encrypted: usize,
}

impl EveryFramePicker {
    /// `start_secs` is the film's begin in the container's timestamps; `bars` are cropped for
    /// those who want it.
    ///
    /// # Errors
    /// It cannot be decoded at all.
    pub(super) fn new(
        specs: Vec<FrameSpec>,
        limits: &Limits,
        stream: &StreamFacts,
        start_secs: f64,
        bars: Bars,
    ) -> Result<Self, Failure> {
        if stream.is_encrypted {
            return Err(Failure::new(ReasonCode::Encrypted, "the picture is encrypted"));
        }
        Ok(Self {
            stream_index: stream.index,
            frame_secs: stream.frame_secs,
            decoder: FrameDecoder::open(stream, limits, start_secs, Discard::Default)?,
            watchers: specs.into_iter().map(|spec| Watcher::new(spec, stream, bars)).collect(),
            num_packets: 0,
            num_frames: 0,
            num_encrypted: 0,
        })
    }

    /// Decodes a packet, or what is left at the end.
    fn decode(&mut self, packet: Option<&Packet>) -> Result<(), Failure> {
        let Self { watchers, num_frames, frame_secs, decoder, .. } = self;
        let mut take = |frame: &mut frame::Video, time_secs: Option<f64>| {
            let time_secs = time_secs.unwrap_or(*num_frames as f64 * *frame_secs);
            *num_frames += 1;
            show_each(frame, watchers, |watcher, frame| watcher.look(frame, time_secs))
        };
        match packet {
            Some(packet) => decoder.push(packet, &mut take)?,
            None => decoder.drain(&mut take)?,
        }
        for watcher in watchers {
            if watcher.ended.is_none() {
                watcher.ended = watcher.policy.refusal();
            }
        }
        Ok(())
    }
}

impl Taker for EveryFramePicker {
    fn stream_index(&self) -> usize {
        self.stream_index
    }

    fn is_full(&self) -> bool {
        self.watchers.iter().all(|watcher| watcher.ended.is_some())
    }

    fn push(&mut self, packet: Packet, is_encrypted: bool) -> Result<(), Failure> {
        if self.is_full() {
            return Ok(());
        }
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

    fn finish(mut self: Box<Self>, broke_off: Option<Failure>) -> Vec<Result<Part, Failure>> {
        if self.num_encrypted > 0 {
            let failure = Failure::new(ReasonCode::Encrypted, "the picture is encrypted");
            return self.abandon(failure);
        }
        if let Err(failure) = self.decode(None) {
            return self.abandon(failure);
        }
        if self.num_packets == 0 {
            let none = || Failure::new(ReasonCode::Truncated, "the stream holds no packets");
            return self.abandon(broke_off.unwrap_or_else(none));
        }
        let lost = &self.decoder.losses;
        let finish = |watcher: Watcher| watcher.finish(broke_off.clone(), lost).map(Part::Frames);
        self.watchers.into_iter().map(finish).collect()
    }

    fn abandon(self: Box<Self>, failure: Failure) -> Vec<Result<Part, Failure>> {
        self.watchers.into_iter().map(|w| Err(w.ended.unwrap_or_else(|| failure.clone()))).collect()
    }
}
