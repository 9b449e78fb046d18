//! What kind of music a window holds, by a tagger of music.
//!
//! in: mono samples at [`RATE_HZ`]; out: for each window the means, over the patches of three
//! seconds that fit into it, of the tags' probabilities and of the layer before them.
//! source: [`nn::musicnn`](nn::musicnn).
//! reference: `musicnn` 0.1.0, whose patches follow each other as these do where a window is a whole
//! number of them; it rounds mels to half precision, which is not done here.

use std::ops::Range;

use nn::{
    Musicnn, NnError,
    musicnn::{EMBEDDING_DIM, NUM_FRAMES, NUM_MELS, NUM_TAGS, Scratch, Tagger},
};

use super::{
    RATE_HZ, frames_of,
    mfcc::{MelBank, MelScale, Spectrum},
};

const FFT_LEN: usize = 512;
const HOP_LEN: usize = 256;
/// Powers are multiplied by this, 1 is added, and the logarithm to base 10 is taken.
const COMPRESSION: f32 = 10_000.0;

/// What [`MusicTags::rows`] gives, in order.
pub(super) fn feature_names(tagger: Tagger) -> impl Iterator<Item = String> {
    let model = tagger.model().replace('-', "_");
    let tags = tagger.tags().map(|tag| tag.replace([' ', '-'], "_"));
    let embedding = (0..EMBEDDING_DIM).map(|idx| idx.to_string());
    tags.into_iter().chain(embedding).map(move |name| format!("{model}_{name}"))
}

/// A tagger with the features that it listens to.
pub(super) struct MusicTags {
    network: Musicnn,
    spectrum: Spectrum,
    mels: MelBank,
}

impl MusicTags {
    pub(super) fn new(network: Musicnn) -> Self {
        let rate_hz = f64::from(RATE_HZ);
        let range_hz = (0.0, rate_hz / 2.0);
        let mels = MelBank::new(MelScale::Slaney, NUM_MELS, range_hz, rate_hz, FFT_LEN);
        Self { network, spectrum: Spectrum::new(FFT_LEN, HOP_LEN), mels }
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
        let num_frames = self.spectrum.num_frames(samples.len());
        let mut scratch = Scratch::default();
        let mut row = |window: &Range<f64>| {
            let begins = patches(frames_of(window, HOP_LEN, num_frames), num_frames);
            let share = 1.0 / begins.len() as f32;
            let mut row = vec![0.0; NUM_TAGS + EMBEDDING_DIM];
            for begin in begins {
                let mels = self.log_mels(samples, begin..(begin + NUM_FRAMES).min(num_frames));
                let tagged = self.network.tag(&mels, &mut scratch)?;
                let values = tagged.tags.iter().chain(&tagged.embedding);
                row.iter_mut().zip(values).for_each(|(mean, value)| *mean += value * share);
            }
            Ok(row)
        };
        windows.iter().map(&mut row).collect()
    }

    /// `[187, 96]`; zeros, which is silence, behind the sound's end.
    fn log_mels(&self, samples: &[f32], frames: Range<usize>) -> Vec<f32> {
        let (mut scratch, mut power) = (self.spectrum.scratch(), Vec::new());
        let mut log_mels = Vec::with_capacity(NUM_FRAMES * NUM_MELS);
        for frame_idx in frames {
            self.spectrum.power(samples, frame_idx, &mut scratch, &mut power);
            let compressed = |power: f32| (COMPRESSION * power + 1.0).log10();
            log_mels.extend(self.mels.powers(&power).map(compressed));
        }
        log_mels.resize(NUM_FRAMES * NUM_MELS, 0.0);
        log_mels
    }
}

/// Where the patches of a window begin: as many as fit without overlap, at least one, evenly
/// spread; a window that is shorter than a patch has what follows it, or what stands before.
fn patches(window: Range<usize>, num_frames: usize) -> Vec<usize> {
    let num_patches = (window.len() / NUM_FRAMES).max(1);
    let slack = window.len().saturating_sub(NUM_FRAMES);
    let latest = num_frames.saturating_sub(NUM_FRAMES);
    let begin = |idx: usize| window.start + slack * idx / (num_patches - 1).max(1);
    (0..num_patches).map(|idx| begin(idx).min(latest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_spread_over_the_window_and_lie_within_the_sound() {
        assert_eq!(patches(0..561, 561), [0, 187, 374]);
        assert_eq!(patches(600..1225, 2000), [600, 819, 1038]);
        assert_eq!(patches(0..100, 100), [0]);
        assert_eq!(patches(100..187, 187), [0], "what stands before");
        assert_eq!(patches(100..187, 400), [100], "what follows");
        assert_eq!(patches(0..187, 187), [0]);
    }
}
