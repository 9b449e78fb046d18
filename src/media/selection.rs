//! From many frames of a film to a few: none black, none twice, spread over its length.

use super::{
    answer::{Keyframe, Keyframes, Picture},
    choose,
    request::{Failure, FrameSpec, ReasonCode},
    thumbnail::Thumbnail,
};

/// How often stand-ins are looked for in place of frames that were left out.
pub(super) const NUM_ROUNDS: usize = 3;

/// So many pictures are enough to judge a film by; fewer are too few for a film of
/// [`SPARSE_MIN_SECS`] and more …
const NUM_ENOUGH: usize = 8;

/// … as long as there are so many seconds of it for each: a short film needs fewer.
const SECS_EACH: f64 = 3.0;

/// Of a shorter film any picture is enough.
const SPARSE_MIN_SECS: f64 = 8.0;

/// A frame that was decoded and scaled.
pub(super) struct Still {
    pub(super) time_secs: f64,
    pub(super) picture: Picture,
    pub(super) thumbnail: Thumbnail,
}

/// The frames kept so far.
pub(super) struct Selection {
    spec: FrameSpec,
    kept: Vec<Still>,
    num_black: usize,
    num_duplicate: usize,
    /// When frames were that are not black, kept or not.
    bright_secs: Vec<f64>,
}

impl Selection {
    pub(super) fn new(spec: FrameSpec) -> Self {
        Self { spec, kept: Vec::new(), num_black: 0, num_duplicate: 0, bright_secs: Vec::new() }
    }

    /// Chooses among `candidates` (ascending in time), makes stills of the chosen ones and keeps
    /// those that are worth it; where some are not, others are tried in the largest gaps.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn fill<C>(
        &mut self,
        mut candidates: Vec<C>,
        time_secs: impl Fn(&C) -> f64,
        mut make: impl FnMut(Vec<C>) -> Result<Vec<Still>, Failure>,
    ) -> Result<(), Failure> {
        for _ in 0..NUM_ROUNDS {
            let round = self.choose(&mut candidates, &time_secs);
            if round.is_empty() {
                break;
            }
            for still in make(round)? {
                self.offer(still);
            }
        }
        Ok(())
    }

    /// Takes out of the candidates what is to be tried next: as many as are still wanted, in the
    /// largest gaps.
    pub(super) fn choose<C>(
        &self,
        candidates: &mut Vec<C>,
        time_secs: impl Fn(&C) -> f64,
    ) -> Vec<C> {
        let num_more = self.spec.max_frames - self.kept.len();
        if num_more == 0 || candidates.is_empty() {
            return Vec::new();
        }
        let kept_times: Vec<f64> = self.kept.iter().map(|still| still.time_secs).collect();
        let times: Vec<f64> = candidates.iter().map(&time_secs).collect();
        let chosen = choose::fill(&kept_times, &times, num_more);
        let mut round = Vec::with_capacity(chosen.len());
        for place in chosen.into_iter().rev() {
            round.push(candidates.remove(place));
        }
        round.reverse();
        round
    }

    /// Keeps a still if it is worth it.
    pub(super) fn offer(&mut self, still: Still) {
        if still.thumbnail.mean() < self.spec.black_luma {
            self.num_black += 1;
            return;
        }
        self.bright_secs.push(still.time_secs);
        let place = self.kept.partition_point(|other| other.time_secs <= still.time_secs);
        let mut neighbours = self.kept[..place].last().into_iter().chain(self.kept.get(place));
        if neighbours.any(|n| n.thumbnail.difference(&still.thumbnail) < self.spec.duplicate_luma) {
            self.num_duplicate += 1;
        } else {
            self.kept.insert(place, still);
        }
    }

    /// Were the frames offered so far too few for a film of this length, or all black? Frames that
    /// are alike count where they are spread over the film: it stands still.
    pub(super) fn is_sparse(&self, length_secs: f64) -> bool {
        if self.kept.is_empty() {
            return self.num_black > 0;
        }
        if length_secs < SPARSE_MIN_SECS {
            return false;
        }
        let enough = NUM_ENOUGH.min(self.spec.max_frames).min((length_secs / SECS_EACH) as usize);
        let mut bright_secs = self.bright_secs.clone();
        bright_secs.sort_by(f64::total_cmp);
        let apart_secs = length_secs / (2 * NUM_ENOUGH) as f64;
        bright_secs.dedup_by(|later, kept| *later - *kept < apart_secs);
        self.kept.len().max(bright_secs.len()) < enough
    }

    /// What was kept. `partial` is why it is not of the whole film, where it is not.
    ///
    /// # Errors
    /// Nothing was kept: all frames were black, or `partial`.
    pub(super) fn finish(self, partial: Option<Failure>) -> Result<Keyframes, Failure> {
        let Self { kept, num_black, num_duplicate, .. } = self;
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
            .map(|still| Keyframe { time_secs: still.time_secs, picture: still.picture })
            .collect();
        Ok(Keyframes { kept, num_black, num_duplicate, partial, ..Keyframes::default() })
    }
}

/// Keeps at most `num_keep` of what lies at these times, spread evenly.
pub(super) fn thin<T>(items: &mut Vec<T>, num_keep: usize, time_secs: impl Fn(&T) -> f64) {
    let times: Vec<f64> = items.iter().map(time_secs).collect();
    let mut keep = vec![false; times.len()];
    for place in choose::spread(&times, num_keep) {
        keep[place] = true;
    }
    let mut keep = keep.into_iter();
    items.retain(|_| keep.next().unwrap_or(false));
}
