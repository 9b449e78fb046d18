//! From samples to series over frames, window after window.
//!
//! in: mono samples; out: for each window of about equal length its [`Series`]: cepstral
//! coefficients with slopes and curvatures, and descriptors, one value a frame.
//!
//! Frames run through the whole sound, so a window's border is no edge: only the
//! sound's own ends are padded. `top_db` and the derivatives look at one window alone;
//! a sound of one window is computed just as librosa computes the whole clip, and memory
//! does not grow with the sound.

use std::ops::Range;

use super::{
    Descriptor, Settings,
    chroma::Chroma,
    contrast::{Contrast, contrasts_db},
    delta::{Order, delta},
    descriptors::{Describer, Descriptors, FLUX, flux_db},
    mfcc::{Dct, MelBank, Scratch, Spectrum},
};

/// Series of one window; each is `[frames]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Cepstral coefficients, `[coeffs]` series.
    pub mfcc: Vec<Vec<f32>>,
    /// Their slopes per frame.
    pub delta: Vec<Vec<f32>>,
    /// Their second derivatives per frame².
    pub delta_delta: Vec<Vec<f32>>,
    /// Level, zero crossings, centroid, roll-off, flatness, flux.
    pub descriptors: Vec<Vec<f32>>,
    /// Mels, decibels; empty unless asked for, as those below.
    pub log_mel: Vec<Vec<f32>>,
    /// Pitch classes, 0..1, from C to B.
    pub chroma: Vec<Vec<f32>>,
    /// Peaks over valleys in seven bands, decibels.
    pub contrast: Vec<Vec<f32>>,
}

/// Turns samples into series. Made once per encoder; usable from several threads.
pub struct Analysis {
    spectrum: Spectrum,
    mels: MelBank,
    dct: Dct,
    has_log_mel: bool,
    chroma: Option<Chroma>,
    contrast: Option<Contrast>,
    top_db: f32,
    bin_hz: f32,
    frames_per_window: f64,
}

impl Analysis {
    /// An analysis with these settings, which were found valid.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let rate_hz = f64::from(settings.rate_hz);
        let high_hz = settings.high_hz.unwrap_or(rate_hz / 2.0);
        let has = |extra| settings.extra.contains(&extra);
        Self {
            spectrum: Spectrum::new(settings.fft_length, settings.hop_length),
            mels: MelBank::new(
                settings.mel_scale,
                settings.num_mels,
                (settings.low_hz, high_hz),
                rate_hz,
                settings.fft_length,
            ),
            dct: Dct::new(settings.num_coeffs, settings.num_mels),
            has_log_mel: has(Descriptor::LogMel),
            chroma: has(Descriptor::Chroma).then(|| Chroma::new(rate_hz, settings.fft_length)),
            contrast: has(Descriptor::Contrast)
                .then(|| Contrast::new(rate_hz, settings.fft_length)),
            top_db: settings.top_db.unwrap_or(f32::INFINITY),
            bin_hz: (rate_hz / settings.fft_length as f64) as f32,
            frames_per_window: settings.window_secs * rate_hz / settings.hop_length as f64,
        }
    }

    /// Whether a mel filter lies between two frequency bins and so is always silent.
    pub(super) fn has_empty_filter(&self) -> bool {
        self.mels.has_empty_filter()
    }

    /// The frames of each window: as many windows as come nearest to the length asked
    /// for, at least one, all equally long to a frame.
    #[must_use]
    pub fn windows(&self, num_samples: usize) -> Vec<Range<usize>> {
        let num_frames = self.spectrum.num_frames(num_samples);
        let num_windows = ((num_frames as f64 / self.frames_per_window).round() as usize).max(1);
        let begin = |window_idx: usize| window_idx * num_frames / num_windows;
        (0..num_windows).map(|w| begin(w)..begin(w + 1)).collect()
    }

    /// The series of each window in turn.
    pub fn series<'a>(&'a self, samples: &'a [f32]) -> impl Iterator<Item = Series> + 'a {
        let mut state = State {
            scratch: self.spectrum.scratch(),
            power: Vec::with_capacity(self.spectrum.num_bins()),
            describer: Describer::new(self.spectrum.num_bins(), self.bin_hz),
            previous: None,
            sorted: Vec::new(),
        };
        self.windows(samples.len())
            .into_iter()
            .map(move |frames| self.window(samples, frames, &mut state))
    }

    fn window(&self, samples: &[f32], frames: Range<usize>, state: &mut State) -> Series {
        let mut mels: Vec<Vec<f32>> = Vec::with_capacity(frames.len());
        let mut described: Vec<Descriptors> = Vec::with_capacity(frames.len());
        let mut chroma: Vec<Vec<f32>> = Vec::new();
        let mut contrast = Vec::new();
        for frame_idx in frames {
            self.spectrum.power(samples, frame_idx, &mut state.scratch, &mut state.power);
            mels.push(self.mels.decibels(&state.power));
            let (_, inside) = self.spectrum.frame(samples, frame_idx);
            described.push(state.describer.describe(inside, self.spectrum.fft_len(), &state.power));
            chroma.extend(self.chroma.iter().map(|chroma| chroma.of(&state.power)));
            let of_bands = |bands: &Contrast| bands.describe(&state.power, &mut state.sorted);
            contrast.extend(self.contrast.iter().map(of_bands));
        }
        let loudest = mels.iter().flatten().copied().fold(f32::NEG_INFINITY, f32::max);
        let floor_db = loudest - self.top_db;
        for (frame, described) in mels.iter().zip(&mut described) {
            described[FLUX] = flux_db(state.previous.as_deref(), frame, floor_db);
            state.previous = Some(frame.clone());
        }
        let mut mfcc = vec![Vec::with_capacity(mels.len()); self.dct.num_coeffs()];
        for frame in &mut mels {
            for db in frame.iter_mut() {
                *db = db.max(floor_db);
            }
            for (series, value) in mfcc.iter_mut().zip(self.dct.coefficients(frame)) {
                series.push(value);
            }
        }
        let derive = |order| mfcc.iter().map(|series| delta(series, order)).collect();
        Series {
            delta: derive(Order::First),
            delta_delta: derive(Order::Second),
            descriptors: over_frames(&described),
            log_mel: if self.has_log_mel { over_frames(&mels) } else { Vec::new() },
            chroma: over_frames(&chroma),
            contrast: if contrast.is_empty() {
                Vec::new()
            } else {
                contrasts_db(&contrast, self.top_db)
            },
            mfcc,
        }
    }
}

/// `[frames, values]` to `[values, frames]`.
fn over_frames<Frame: AsRef<[f32]>>(frames: &[Frame]) -> Vec<Vec<f32>> {
    let num_values = frames.first().map_or(0, |frame| frame.as_ref().len());
    (0..num_values).map(|idx| frames.iter().map(|frame| frame.as_ref()[idx]).collect()).collect()
}

/// What runs on from frame to frame.
struct State {
    scratch: Scratch,
    power: Vec<f32>,
    describer: Describer,
    /// Decibels of the frame before, `[mels]`.
    previous: Option<Vec<f32>>,
    /// Working memory of the contrast.
    sorted: Vec<f32>,
}
