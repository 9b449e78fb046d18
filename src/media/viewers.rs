//! Those who look at the keyframes of one film, each with a size, a fit and thresholds of its own.
//!
//! in: compressed keyframes; out: for each [`FrameSpec`] a [`Selection`], the same as if it were
//! alone. A keyframe that several choose is decoded once and scaled for each: all begin with the
//! same choice; where one is black or a near-duplicate, others are tried in the largest gaps, and
//! who then chooses otherwise goes on with a decoder of its own. The first few frames that are
//! decoded tell what bars the film has.

use std::mem;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Discard, frame};

use super::{
    answer::Keyframes,
    bars::Bars,
    choose,
    container::StreamFacts,
    crop,
    frame_decoder::{FrameDecoder, Losses},
    keyframes::Candidate,
    libav,
    limits::Limits,
    request::{Failure, FrameSpec, ReasonCode},
    scale::SquareScaler,
    selection::{NUM_ROUNDS, Selection, Still},
};

/// So many frames are held to see what bars the film has …
const NUM_PROBED: usize = 8;

/// … or so many bytes of them, roughly.
const MAX_PROBED_BYTES: usize = 256 << 20;

/// Scales frames for one who looks at them, and counts those that cannot be.
pub(super) struct Lens {
    scaler: SquareScaler,
    /// What only this one could not see.
    pub(super) losses: Losses,
}

impl Lens {
    pub(super) fn new(spec: &FrameSpec, stream: &StreamFacts, bars: Bars) -> Self {
        let mut scaler =
            SquareScaler::new(spec.side_px, spec.fit, stream.pixel_aspect, stream.turn);
        scaler.set_bars(bars);
        Self { scaler, losses: Losses::default() }
    }

    /// A still of a frame, which is cropped in place.
    pub(super) fn still(
        &mut self,
        frame: &mut frame::Video,
        time_secs: f64,
    ) -> Result<Still, ffmpeg::Error> {
        self.scaler.still(frame, time_secs)
    }

    /// Counts a frame that this one could not see.
    ///
    /// # Errors
    /// Want of memory: the same error, for whoever counts for all.
    pub(super) fn lose(&mut self, error: ffmpeg::Error) -> Result<(), ffmpeg::Error> {
        if libav::code_of(error) == ReasonCode::MemoryLimit {
            return Err(error);
        }
        self.losses.count(error).map_err(|_| error)
    }
}

/// Shows a frame to one after the other; each but the last gets a view of its own, since frames
/// are cropped in place.
pub(super) fn show_each<T>(
    frame: &mut frame::Video,
    lookers: &mut [T],
    mut look: impl FnMut(&mut T, &mut frame::Video) -> Result<(), ffmpeg::Error>,
) -> Result<(), ffmpeg::Error> {
    let Some((last, others)) = lookers.split_last_mut() else { return Ok(()) };
    for looker in others {
        look(looker, &mut crop::view(frame)?)?;
    }
    look(last, frame)
}

/// One of those who look.
struct Viewer {
    spec_idx: usize,
    lens: Lens,
    selection: Selection,
    /// Places of the candidates that were not tried yet.
    left: Vec<usize>,
    /// Stills of the round under way.
    stills: Vec<Still>,
}

/// What one of them saw.
pub(super) struct Viewed {
    pub(super) selection: Selection,
    pub(super) lens: Lens,
    /// What could not be decoded.
    pub(super) losses: Losses,
    /// What kept it from seeing more.
    pub(super) trouble: Option<Failure>,
}

impl Viewed {
    /// What was kept. `broke_off` is why the container could not be read to its end.
    ///
    /// # Errors
    /// Those of [`Selection::finish`].
    pub(super) fn finish(self, broke_off: Option<Failure>) -> Result<Keyframes, Failure> {
        let losses = self.losses.with(&self.lens.losses);
        self.selection.finish(broke_off.or_else(|| losses.complaint()).or(self.trouble))
    }
}

/// Looks at what is chosen of the candidates, which ascend in time; for each spec what it saw.
pub(super) fn choose_and_scale(
    studio: Studio<'_>,
    specs: Vec<FrameSpec>,
    candidates: &[Candidate],
) -> Vec<Result<Viewed, Failure>> {
    let mut kept: Vec<_> = specs.iter().map(|_| None).collect();
    let viewer = |(spec_idx, spec): (usize, FrameSpec)| Viewer {
        spec_idx,
        lens: Lens::new(&spec, studio.stream, Bars::default()),
        selection: Selection::new(spec),
        left: (0..candidates.len()).collect(),
        stills: Vec::new(),
    };
    let viewers = specs.into_iter().enumerate().map(viewer).collect();
    let mut parties: Vec<(Studio<'_>, Vec<Viewer>, usize)> = vec![(studio, viewers, 0)];
    while let Some((studio, viewers, num_rounds)) = parties.pop() {
        let mut choices = by_choice(viewers, candidates, num_rounds);
        let (done, others): (Vec<_>, Vec<_>) =
            choices.drain(..).partition(|(choice, _)| choice.is_empty());
        for viewer in done.into_iter().flat_map(|(_, viewers)| viewers) {
            let Viewer { spec_idx, lens, selection, .. } = viewer;
            let losses = studio.decoder.losses.clone();
            kept[spec_idx] = Some(Ok(Viewed { selection, lens, losses, trouble: None }));
        }
        for (studio, (choice, mut viewers)) in studio.for_each_party(others) {
            let looked = studio.and_then(|mut studio| {
                studio.show(&choice, candidates, &mut viewers).map(|()| studio)
            });
            match looked {
                Ok(studio) => parties.push((studio, viewers, num_rounds + 1)),
                Err(failure) => {
                    for viewer in viewers {
                        kept[viewer.spec_idx] = Some(Err(failure.clone()));
                    }
                }
            }
        }
    }
    let unseen = || Err(Failure::new(ReasonCode::Corrupt, "the decoder gave no picture"));
    kept.into_iter().map(|kept| kept.unwrap_or_else(unseen)).collect()
}

/// Those who choose the same candidates to be tried next; none after the last round.
fn by_choice(
    viewers: Vec<Viewer>,
    candidates: &[Candidate],
    num_rounds: usize,
) -> Vec<(Vec<usize>, Vec<Viewer>)> {
    let mut parties: Vec<(Vec<usize>, Vec<Viewer>)> = Vec::new();
    for mut viewer in viewers {
        let choice = if num_rounds < NUM_ROUNDS {
            viewer.selection.choose(&mut viewer.left, |place| candidates[*place].time_secs)
        } else {
            Vec::new()
        };
        match parties.iter_mut().find(|(other, _)| *other == choice) {
            Some((_, party)) => party.push(viewer),
            None => parties.push((choice, vec![viewer])),
        }
    }
    parties
}

/// Decodes keyframes.
pub(super) struct Studio<'a> {
    stream: &'a StreamFacts,
    limits: &'a Limits,
    start_secs: f64,
    decoder: FrameDecoder,
    frame_bytes: usize,
    /// What is cropped is known.
    knows_bars: bool,
}

impl<'a> Studio<'a> {
    /// # Errors
    /// Those of [`FrameDecoder::open`].
    pub(super) fn open(
        stream: &'a StreamFacts,
        limits: &'a Limits,
        start_secs: f64,
        knows_bars: bool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            stream,
            limits,
            start_secs,
            decoder: FrameDecoder::open(stream, limits, start_secs, Discard::NonKey)?,
            // Of 4:2:0, roughly.
            frame_bytes: stream.width as usize * stream.height as usize * 3 / 2,
            knows_bars,
        })
    }

    /// Another that has seen the same. Between rounds a decoder is as it was at first.
    fn fork(&self) -> Result<Self, Failure> {
        let mut other = Self::open(self.stream, self.limits, self.start_secs, self.knows_bars)?;
        other.decoder.losses = self.decoder.losses.clone();
        Ok(other)
    }

    /// One for each party, this one for the last.
    fn for_each_party<P>(self, parties: Vec<P>) -> Vec<(Result<Self, Failure>, P)> {
        let mut studios: Vec<_> = (1..parties.len()).map(|_| self.fork()).collect();
        studios.push(Ok(self));
        studios.into_iter().zip(parties).collect()
    }

    /// Decodes a choice of candidates, which ascend in time, for a party of viewers.
    fn show(
        &mut self,
        choice: &[usize],
        candidates: &[Candidate],
        viewers: &mut [Viewer],
    ) -> Result<(), Failure> {
        let mut round: Vec<&Candidate> = choice.iter().map(|place| &candidates[*place]).collect();
        if !self.knows_bars {
            let mut held = Vec::new();
            let first = self.take_spread(&mut round);
            decode(&mut self.decoder, &first, &mut |frame, time_secs| {
                held.push((mem::replace(frame, frame::Video::empty()), time_secs));
                Ok(())
            })?;
            let bars = Bars::of_film(held.iter().map(|(f, _)| Bars::of_frame(f)));
            for viewer in &mut *viewers {
                viewer.lens.scaler.set_bars(bars);
            }
            self.knows_bars = true;
            for (mut frame, time_secs) in held {
                if let Err(error) = scale(&mut frame, time_secs, viewers) {
                    self.decoder.losses.count(error)?;
                }
            }
        }
        decode(&mut self.decoder, &round, &mut |frame, time_secs| {
            scale(frame, time_secs, viewers)
        })?;
        for viewer in viewers {
            let mut stills = mem::take(&mut viewer.stills);
            stills.sort_by(|a, b| a.time_secs.total_cmp(&b.time_secs));
            for still in stills {
                viewer.selection.offer(still);
            }
        }
        Ok(())
    }

    /// Takes some packets that are spread evenly out of the round.
    fn take_spread<'c>(&self, round: &mut Vec<&'c Candidate>) -> Vec<&'c Candidate> {
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

/// Makes a still of a frame for each viewer.
fn scale(
    frame: &mut frame::Video,
    time_secs: f64,
    viewers: &mut [Viewer],
) -> Result<(), ffmpeg::Error> {
    show_each(frame, viewers, |viewer, frame| match viewer.lens.still(frame, time_secs) {
        Ok(still) => {
            viewer.stills.push(still);
            Ok(())
        }
        Err(error) => viewer.lens.lose(error),
    })
}

/// Decodes some packets, ascending in time, and leaves the decoder as it was.
fn decode(
    decoder: &mut FrameDecoder,
    packets: &[&Candidate],
    take: &mut dyn FnMut(&mut frame::Video, f64) -> Result<(), ffmpeg::Error>,
) -> Result<(), Failure> {
    // A decoder may hold frames back; those without a time of their own take the times of the
    // packets in turn.
    let mut times = packets.iter().map(|c| c.time_secs).collect::<Vec<_>>().into_iter();
    let mut take = |frame: &mut frame::Video, time_secs: Option<f64>| {
        let in_turn = times.next().unwrap_or(0.0).max(0.0);
        take(frame, time_secs.unwrap_or(in_turn))
    };
    for candidate in packets {
        decoder.push(&candidate.packet, &mut take)?;
    }
    decoder.drain(&mut take)
}
