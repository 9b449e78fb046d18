//! Pictures from between the keyframes, for films whose keyframes are too few or all black.
//!
//! in: what was kept of the keyframes; out: the same, with frames that are spread over the film
//! where they were missing. The film is read and decoded once more for all who look, from its
//! begin to its end; of a film that is too large for this, as many frames behind each keyframe
//! as there is room for. Films of more than a quarter of an hour are left as they are.

use ffmpeg_next::{Discard, frame};

use super::{
    container::{Container, StreamFacts},
    film::{Source, next_packet},
    frame_decoder::{FrameDecoder, Losses, Take},
    request::Failure,
    selection::Still,
    viewers::{Viewed, show_each},
};

/// Longer films are left alone, seconds.
const MAX_SECS: f64 = 900.0;

/// Pixels that are decoded at most: five minutes in 1280 × 720, half a minute of a processor.
const MAX_PIXELS: u64 = 6_000_000_000;

/// Seconds from one moment that is looked at to the next, at most …
const EVERY_SECS: f64 = 2.0;

/// … and in a film of any length at least so many moments.
const MIN_MOMENTS: f64 = 16.0;

/// But no more than so many for each picture that is wanted.
const NUM_SPARE: f64 = 2.0;

/// A film as its first pass found it.
pub(super) struct Sparse<'a> {
    pub(super) source: Source<'a>,
    pub(super) stream: &'a StreamFacts,
    /// When its last frame ends.
    pub(super) end_secs: f64,
    pub(super) num_keys: usize,
    pub(super) max_frames: usize,
}

/// One who looks, and what was seen.
struct Looker<'v> {
    viewed: &'v mut Viewed,
    stills: Vec<Still>,
}

impl Sparse<'_> {
    /// Looks for pictures between the keyframes, for those who have too few.
    pub(super) fn fill<'v>(&self, viewed: impl Iterator<Item = &'v mut Viewed>) {
        let is_sparse = |viewed: &&mut Viewed| viewed.selection.is_sparse(self.end_secs);
        let mut lookers: Vec<Looker<'_>> =
            viewed.filter(is_sparse).map(|viewed| Looker { viewed, stills: Vec::new() }).collect();
        if lookers.is_empty() || self.end_secs > MAX_SECS {
            return;
        }
        let mut losses = Losses::default();
        let looked = self.look(&mut lookers, &mut losses);
        for Looker { viewed, stills } in lookers {
            viewed.losses = viewed.losses.with(&losses);
            // What came before the error is as good as the rest.
            let filled = viewed.selection.fill(stills, |still| still.time_secs, Ok);
            if let Err(failure) = filled.and(looked.clone()) {
                viewed.trouble = Some(failure);
            }
        }
    }

    /// Decodes the film and makes stills of the frames at its moments.
    fn look(&self, lookers: &mut [Looker<'_>], losses: &mut Losses) -> Result<(), Failure> {
        let mut container = self.source.open()?;
        let start_secs = container.start_secs;
        container.keep_only(&[self.stream.index]);
        let mut decoder =
            FrameDecoder::open(self.stream, self.source.limits, start_secs, Discard::Default)?;
        let mut moments = self.moments();
        let mut num_frames = 0;
        let mut take = |frame: &mut frame::Video, time_secs: Option<f64>| {
            let time_secs = time_secs.unwrap_or(f64::from(num_frames) * self.stream.frame_secs);
            num_frames += 1;
            if !moments.is_next(time_secs) {
                return Ok(());
            }
            show_each(frame, lookers, |looker, frame| {
                looker.viewed.lens.still(frame, time_secs).map(|still| looker.stills.push(still))
            })
        };
        let read = self.decode(&mut container, &mut decoder, &mut take);
        *losses = decoder.losses;
        read
    }

    fn decode(
        &self,
        container: &mut Container,
        decoder: &mut FrameDecoder,
        take: &mut Take<'_>,
    ) -> Result<(), Failure> {
        let most = self.frames_a_group();
        let (mut num_of_group, mut has_left_out) = (0, false);
        while let Some(packet) = next_packet(container)? {
            if packet.stream() != self.stream.index || packet.size() == 0 {
                continue;
            }
            if packet.is_key() {
                if has_left_out {
                    decoder.drain(take)?;
                }
                (num_of_group, has_left_out) = (0, false);
            }
            num_of_group += 1;
            if num_of_group > most {
                has_left_out = true;
            } else {
                decoder.push(&packet, take)?;
            }
        }
        decoder.drain(take)
    }

    /// How many frames from each keyframe on are decoded.
    fn frames_a_group(&self) -> u64 {
        let pixels = u64::from(self.stream.width) * u64::from(self.stream.height);
        MAX_PIXELS / pixels.max(1) / (self.num_keys.max(1) as u64)
    }

    fn moments(&self) -> Moments {
        let most = NUM_SPARE * self.max_frames as f64;
        let every_secs = EVERY_SECS.min(self.end_secs / MIN_MOMENTS).max(self.end_secs / most);
        Moments { every_secs, next_secs: every_secs / 2.0 }
    }
}

/// Evenly spaced moments: the middle of each of as many equal parts of the film.
struct Moments {
    every_secs: f64,
    next_secs: f64,
}

impl Moments {
    /// Is this the first frame at or behind the next moment?
    fn is_next(&mut self, time_secs: f64) -> bool {
        if time_secs < self.next_secs {
            return false;
        }
        let passed = ((time_secs - self.next_secs) / self.every_secs).floor();
        self.next_secs += (passed + 1.0) * self.every_secs;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_evenly_spaced_and_none_comes_twice() {
        let mut moments = Moments { every_secs: 2.0, next_secs: 1.0 };
        let times = [0.0, 0.9, 1.1, 1.2, 2.9, 3.0, 8.0, 8.5, 9.5];
        let taken: Vec<f64> = times.into_iter().filter(|time| moments.is_next(*time)).collect();
        assert_eq!(taken, [1.1, 3.0, 8.0, 9.5]);
    }
}
