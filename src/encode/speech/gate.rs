//! Where somebody speaks, and these places packed one after another.
//!
//! in: for each frame of 10 ms how likely somebody speaks; out: stretches of the sound, and the
//! sound of all of them with a pause between two, so that a recogniser's windows are full.
//! source: Bain et al. 2023, "`WhisperX`: time-accurate speech transcription of long-form audio"
//! (cut and merge).

use std::ops::Range;

/// Frames of the detector a second.
const FRAMES_PER_SEC: usize = 100;
/// A frame is speech from this probability on.
const MIN_PROBABILITY: f32 = 0.5;
/// Shorter pauses are part of what is said, frames.
const MIN_PAUSE: usize = 60;
/// Shorter noises are not speech, frames.
const MIN_SPEECH: usize = 25;
/// Kept before and behind what is said, frames.
const MARGIN: usize = 25;
/// Silence between two stretches, seconds.
const PAUSE_SECS: f64 = 0.3;

/// Stretches in which somebody speaks, in samples, ascending and apart; `probabilities` `[frames]`.
pub(super) fn stretches(
    probabilities: &[f32],
    num_samples: usize,
    rate_hz: u32,
) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (frame, _) in probabilities.iter().enumerate().filter(|(_, p)| **p >= MIN_PROBABILITY) {
        match found.last_mut() {
            Some(last) if frame - last.end < MIN_PAUSE => last.end = frame + 1,
            _ => found.push(frame..frame + 1),
        }
    }
    found.retain(|stretch| stretch.len() >= MIN_SPEECH);
    let hop = rate_hz as usize / FRAMES_PER_SEC;
    let with_margin = |stretch: &Range<usize>| {
        let begin = stretch.start.saturating_sub(MARGIN) * hop;
        begin..((stretch.end + MARGIN) * hop).min(num_samples)
    };
    let mut wide: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for stretch in found.iter().map(with_margin).filter(|stretch| !stretch.is_empty()) {
        match wide.last_mut() {
            Some(last) if stretch.start <= last.end => last.end = stretch.end,
            _ => wide.push(stretch),
        }
    }
    wide
}

/// The stretches' sound without what lies between them.
#[derive(Debug)]
pub(super) struct Packed {
    /// Mono, at the rate of the sound.
    pub(super) samples: Vec<f32>,
    /// For each stretch: seconds at which it begins here and in the sound, and how long it is.
    places: Vec<(f64, f64, f64)>,
}

impl Packed {
    /// Packs as many of the stretches as `max_secs` hold, from the first on.
    pub(super) fn new(
        sound: &[f32],
        stretches: &[Range<usize>],
        rate_hz: u32,
        max_secs: f64,
    ) -> Self {
        let rate = f64::from(rate_hz);
        let (most, pause) = ((max_secs * rate) as usize, (PAUSE_SECS * rate) as usize);
        let mut packed = Self { samples: Vec::new(), places: Vec::new() };
        for stretch in stretches {
            let before = if packed.samples.is_empty() { 0 } else { pause };
            let room = most.saturating_sub(packed.samples.len() + before);
            let len = stretch.len().min(room);
            if len == 0 {
                break;
            }
            packed.samples.resize(packed.samples.len() + before, 0.0);
            let begins = packed.samples.len() as f64 / rate;
            packed.places.push((begins, stretch.start as f64 / rate, len as f64 / rate));
            packed.samples.extend_from_slice(&sound[stretch.start..stretch.start + len]);
        }
        packed
    }

    /// When something is heard in the sound that is heard here at `secs`: a moment of a pause
    /// belongs to the end of what was before.
    pub(super) fn time_in_sound(&self, secs: f64) -> f64 {
        let place = self.places.iter().rev().find(|(begins, ..)| *begins <= secs);
        place
            .or(self.places.first())
            .map_or(secs, |&(begins, in_sound, len)| in_sound + (secs - begins).clamp(0.0, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of which those in the ranges are speech.
    fn frames(num: usize, speech: &[Range<usize>]) -> Vec<f32> {
        (0..num).map(|f| if speech.iter().any(|s| s.contains(&f)) { 0.9 } else { 0.1 }).collect()
    }

    #[test]
    fn pauses_within_a_sentence_are_kept_and_noises_are_not_speech() {
        let spoken = frames(1000, &[100..150, 180..240, 500..510, 700..900]);
        // 10 samples a frame.
        assert_eq!(stretches(&spoken, 10_000, 1000), [750..2650, 6750..9250]);
        assert!(stretches(&frames(500, &[]), 5000, 1000).is_empty());
        let all = frames(100, std::slice::from_ref(&(0..100)));
        assert_eq!(stretches(&all, 990, 1000), vec![0..990]);
    }

    #[test]
    fn margins_that_meet_are_one_stretch() {
        let spoken = frames(400, &[50..100, 165..215]);
        let found = stretches(&spoken, 4000, 1000);
        assert_eq!(found, [250..1250, 1400..2400]);
        let closer = frames(400, &[50..100, 145..195]);
        assert_eq!(stretches(&closer, 4000, 1000).len(), 1);
    }

    #[test]
    fn times_of_what_is_packed_are_those_of_the_sound() {
        let sound: Vec<f32> = (0..1000).map(|n| n as f32).collect();
        let packed = Packed::new(&sound, &[100..200, 500..700], 100, 60.0);
        assert_eq!(packed.samples.len(), 100 + 30 + 200);
        assert_eq!((packed.samples[0], packed.samples[99]), (100.0, 199.0));
        assert_eq!((packed.samples[115], packed.samples[130]), (0.0, 500.0));
        let heard: Vec<f64> =
            [0.0, 0.5, 1.0, 1.2, 1.3, 2.3, 9.0].map(|secs| packed.time_in_sound(secs)).to_vec();
        assert_eq!(heard, [1.0, 1.5, 2.0, 2.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn no_more_is_packed_than_may_be() {
        let sound = vec![1.0; 1000];
        let stretches = [0..300, 400..900];
        assert_eq!(Packed::new(&sound, &stretches, 100, 4.0).samples.len(), 400);
        assert_eq!(Packed::new(&sound, &stretches, 100, 2.0).samples.len(), 200);
        assert!(Packed::new(&sound, &[], 100, 2.0).samples.is_empty());
    }
}
