//! The soundtrack through cepstral coefficients: one row a window of about ten seconds.
//!
//! in: mono samples; out: `[windows, dim]` statistics over each window's frames: mean and
//! spread of the MFCC, spread of their slopes and curvatures (whose means say next to
//! nothing), four statistics of level, zero crossings, centroid, roll-off, flatness and
//! flux; behind them the [`Descriptor`]s that a pipeline names. The row's time is the
//! window's start.
//!
//! `top_db` is taken against each window's own maximum, not the film's: a window then
//! sounds the same whatever else the film holds, and one window is librosa's clip.
//! Silence gives finite numbers.
//!
//! One file, though long: the settings, the layout of a row and its tests are one thing.

mod analysis;
mod chroma;
mod contrast;
mod delta;
mod descriptors;
mod events;
mod groups;
mod loudness;
mod mfcc;
mod music_tags;
mod networks;
mod pool;
mod tempo;

use std::ops::Range;

use base::Fingerprint;
use catalog::Title;
use media::{AudioSpec, Failure, ReasonCode, Samples, Want};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::EncoderIdentity;

pub(super) use self::events::SpeechDetector;
pub use self::{
    analysis::{Analysis, Series},
    groups::Descriptor,
    mfcc::MelScale,
};
use self::{descriptors::FLUX, groups::Group, networks::Networks, tempo::Tempo};
use super::{
    modality::{
        EncodeError, Encoder, EncoderContext, Features, Input, Modality, Opened, SourceKind,
    },
    network::finite,
    settings,
};

/// Raised whenever the same settings give other numbers.
const ALGORITHM_VERSION: u32 = 2;
const NAME: &str = "audio";
/// What the pretrained networks listen at.
const RATE_HZ: u32 = 16_000;

/// The soundtrack.
pub struct Audio;

/// How sound is analysed. The defaults are librosa's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Sampling rate that the sound is brought to, Hz.
    pub rate_hz: u32,
    /// At most so much of the sound, seconds from its start.
    pub max_secs: f64,
    /// Length of a window, seconds; the sound is cut into windows of about this length.
    pub window_secs: f64,
    /// Samples of a frame.
    pub fft_length: usize,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// Mel filters.
    pub num_mels: usize,
    /// `slaney` or `htk`.
    pub mel_scale: MelScale,
    /// Where the lowest filter begins, Hz.
    pub low_hz: f64,
    /// Where the highest filter ends, Hz; half the rate where absent.
    pub high_hz: Option<f64>,
    /// Cepstral coefficients kept.
    pub num_coeffs: usize,
    /// No mel counts as quieter than so much below the window's loudest, dB; absent: no
    /// limit but −100 dB.
    pub top_db: Option<f32>,
    /// Descriptors beside these: `log-mel`, `chroma`, `contrast`, `tempo`, `loudness`,
    /// and by pretrained networks `audio-events`, `musicnn-mtt`, `musicnn-msd`.
    pub extra: Vec<Descriptor>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rate_hz: 22_050,
            max_secs: 300.0,
            window_secs: 10.0,
            fft_length: 2048,
            hop_length: 512,
            num_mels: 128,
            mel_scale: MelScale::Slaney,
            low_hz: 0.0,
            high_hz: None,
            num_coeffs: 20,
            top_db: Some(80.0),
            extra: Vec::new(),
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), EncodeError> {
        let half_rate = f64::from(self.rate_hz) / 2.0;
        let high_hz = self.high_hz.unwrap_or(half_rate);
        let frame_secs = self.fft_length as f64 / f64::from(self.rate_hz.max(1));
        let expect = |condition: bool, name: &str, range: &str, got: &dyn std::fmt::Display| {
            settings::expect(NAME, condition, || format!("`{name}` must be {range}, got {got}"))
        };
        expect(
            (4000..=96_000).contains(&self.rate_hz),
            "rate_hz",
            "between 4000 and 96000 Hz",
            &self.rate_hz,
        )?;
        expect(
            (64..=16_384).contains(&self.fft_length),
            "fft_length",
            "between 64 and 16384 samples",
            &self.fft_length,
        )?;
        expect(
            (1..=8192).contains(&self.hop_length) && self.hop_length <= self.fft_length,
            "hop_length",
            "between 1 and 8192 samples and no more than `fft_length`",
            &self.hop_length,
        )?;
        expect(
            self.window_secs >= frame_secs && self.window_secs <= 3600.0,
            "window_secs",
            &format!("between {frame_secs:.3} (one frame) and 3600 s"),
            &self.window_secs,
        )?;
        expect(
            self.max_secs > 0.0 && self.max_secs <= 86_400.0,
            "max_secs",
            "above 0 and at most 86400 s",
            &self.max_secs,
        )?;
        expect(
            (2..=512).contains(&self.num_mels),
            "num_mels",
            "between 2 and 512",
            &self.num_mels,
        )?;
        expect(
            (1..=self.num_mels).contains(&self.num_coeffs),
            "num_coeffs",
            &format!("between 1 and `num_mels` ({})", self.num_mels),
            &self.num_coeffs,
        )?;
        expect(
            high_hz > 0.0 && high_hz <= half_rate,
            "high_hz",
            &format!("above 0 and at most half of `rate_hz` ({half_rate} Hz)"),
            &high_hz,
        )?;
        expect(
            self.low_hz >= 0.0 && self.low_hz < high_hz,
            "low_hz",
            &format!("at least 0 and below `high_hz` ({high_hz} Hz)"),
            &self.low_hz,
        )?;
        let top_db = self.top_db.unwrap_or(80.0);
        expect(top_db > 0.0 && top_db.is_finite(), "top_db", "above 0 dB, or absent", &top_db)?;
        self.check_extra()
    }

    fn check_extra(&self) -> Result<(), EncodeError> {
        let expect =
            |condition: bool, message: String| settings::expect(NAME, condition, || message);
        expect(
            self.extra.windows(2).all(|pair| pair[0] != pair[1]),
            "`extra` names a descriptor twice".to_owned(),
        )?;
        if self.extra.contains(&Descriptor::Contrast) {
            let (rate_hz, fft_length) = (self.rate_hz, self.fft_length);
            expect(
                rate_hz > contrast::MIN_RATE_HZ,
                format!(
                    "`rate_hz` must be above {} Hz for `contrast`, got {rate_hz}",
                    contrast::MIN_RATE_HZ
                ),
            )?;
            let shortest = (f64::from(rate_hz) / contrast::MAX_BIN_HZ).ceil() as usize;
            expect(
                fft_length >= shortest,
                format!(
                    "`fft_length` must be at least {shortest} samples for `contrast`, \
                     got {fft_length}"
                ),
            )?;
        }
        Ok(())
    }
}

impl Modality for Audio {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "the trailer's sound, as statistics of cepstral coefficients in windows of ten seconds"
    }

    fn defaults(&self) -> Value {
        settings::defaults::<Settings>()
    }

    fn weights(&self, given: &Value) -> Vec<String> {
        let settings: Settings = settings::read(NAME, given).unwrap_or_default();
        settings.extra.into_iter().filter_map(networks::model).map(str::to_owned).collect()
    }

    fn sources(&self, title: &Title, _settings: &Value) -> Vec<SourceKind> {
        title.trailers.iter().cloned().map(SourceKind::File).collect()
    }

    fn check(&self, given: &Value) -> Result<(), EncodeError> {
        let mut settings: Settings = settings::read(NAME, given)?;
        settings.extra.sort_unstable();
        settings.check()
    }

    fn open(&self, given: &Value, context: &EncoderContext) -> Result<Opened, EncodeError> {
        let encoder = AudioEncoder::new(settings::read(NAME, given)?, context)?;
        Ok(Opened::Encoder(Box::new(encoder)))
    }
}

struct AudioEncoder {
    identity: EncoderIdentity,
    settings: Settings,
    analysis: Analysis,
    groups: Vec<Group>,
    tempo: Option<Tempo>,
    networks: Networks,
}

impl AudioEncoder {
    fn new(mut settings: Settings, context: &EncoderContext) -> Result<Self, EncodeError> {
        // In whatever order they are named, a row has them in the same.
        settings.extra.sort_unstable();
        settings.check()?;
        let analysis = Analysis::new(&settings);
        settings::expect(NAME, !analysis.has_empty_filter(), || {
            format!(
                "`num_mels` is {}, so many that some lie between two frequencies of a frame: \
                 take fewer, or a longer `fft_length`",
                settings.num_mels
            )
        })?;
        let networks = Networks::open(&settings, context)?;
        let features = groups::feature_names(&settings);
        let dim = features.len();
        let mut description = json!({
            "algorithm": ALGORITHM_VERSION,
            "settings": settings,
            "features": features,
        });
        // Without any, the fingerprint is what it was before there were some.
        if let Some(described) = description["settings"].as_object_mut()
            && settings.extra.is_empty()
        {
            described.shift_remove("extra");
        }
        if !networks.weights().is_empty() {
            description["weights_sha256"] = json!(networks.weights());
        }
        let has_tempo = settings.extra.contains(&Descriptor::Tempo);
        let tempo = has_tempo.then(|| Tempo::new(f64::from(settings.rate_hz), settings.hop_length));
        let groups = groups::groups(&settings);
        let identity = EncoderIdentity {
            name: NAME.to_owned(),
            fingerprint: Fingerprint::of(&description),
            dim,
            row_unit: format!("window of about {} s", settings.window_secs),
            description,
        };
        Ok(Self { identity, settings, analysis, groups, tempo, networks })
    }

    fn features(&self, samples: &Samples) -> Result<Features, Failure> {
        let windows = self.analysis.windows(samples.mono.len());
        let loudness = self.loudness(samples, &windows)?;
        let hop_secs = self.settings.hop_length as f64 / f64::from(self.settings.rate_hz);
        let secs = |w: &Range<usize>| w.start as f64 * hop_secs..w.end as f64 * hop_secs;
        let windows_secs: Vec<_> = windows.iter().map(secs).collect();
        let heard = self.networks.rows(samples, &windows_secs)?;
        let mut data = Vec::with_capacity(windows.len() * self.identity.dim);
        for (window_idx, series) in self.analysis.series(&samples.mono).enumerate() {
            for group in &self.groups {
                group.describe(&series, &mut data);
            }
            data.extend(self.tempo.iter().flat_map(|tempo| tempo.of(&series.descriptors[FLUX])));
            data.extend(loudness.get(window_idx).into_iter().flatten());
            data.extend(heard.iter().flat_map(|rows| &rows[window_idx]));
        }
        let time_secs = windows_secs.iter().map(|window| window.start as f32).collect();
        Ok(Features::rows(data, time_secs))
    }

    /// Each window's loudness, or nothing where it is not asked for.
    fn loudness(
        &self,
        samples: &Samples,
        windows: &[Range<usize>],
    ) -> Result<Vec<[f32; 4]>, Failure> {
        if !self.settings.extra.contains(&Descriptor::Loudness) {
            return Ok(Vec::new());
        }
        let sample_idx = |frame: usize| (frame * self.settings.hop_length).min(samples.mono.len());
        let windows: Vec<_> =
            windows.iter().map(|w| sample_idx(w.start)..sample_idx(w.end)).collect();
        loudness::loudness(&samples.mono, samples.rate_hz, &windows)
            .map_err(|e| Failure::new(ReasonCode::EncoderFailed, e.to_string()))
    }
}

/// The frames of a window at [`RATE_HZ`], at least one; `num_frames` is not 0.
fn frames_of(window_secs: &Range<f64>, hop_len: usize, num_frames: usize) -> Range<usize> {
    let frames_per_sec = f64::from(RATE_HZ) / hop_len as f64;
    let frame = |secs: f64| (secs * frames_per_sec).round() as usize;
    let begin = frame(window_secs.start).min(num_frames - 1);
    begin..frame(window_secs.end).clamp(begin + 1, num_frames)
}

impl Encoder for AudioEncoder {
    fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    fn wants(&self) -> Vec<Want> {
        let Settings { rate_hz, max_secs, .. } = self.settings;
        vec![Want::Audio(AudioSpec { rate_hz, max_secs })]
    }

    fn prepare(&self, _source: &SourceKind) -> Result<(), EncodeError> {
        self.networks.prepare()
    }

    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        let samples: &Samples = input.part(0)?;
        if samples.rate_hz != self.settings.rate_hz {
            let (got, expected) = (samples.rate_hz, self.settings.rate_hz);
            let detail = format!("sound has {got} Hz, expected {expected} Hz");
            return Err(Failure::new(ReasonCode::EncoderFailed, detail));
        }
        if samples.mono.is_empty() {
            return Err(Failure::new(ReasonCode::NoContent, "the sound has no sample"));
        }
        // Checked here: the floors below would take a NaN for silence.
        if let Some(idx) = samples.mono.iter().position(|sample| !sample.is_finite()) {
            let detail = format!("sample {idx} is {}", samples.mono[idx]);
            return Err(Failure::new(ReasonCode::NotFinite, detail));
        }
        finite(self.features(samples)?)
    }
}

#[cfg(test)]
mod tests {
    use base::DeviceChoice;

    use super::*;

    /// Of the default settings, before there were [`Descriptor`]s.
    const DEFAULT_FINGERPRINT: &str = "963a102bea1bb4e3";

    fn open(settings: &Value) -> Result<Box<dyn Encoder>, EncodeError> {
        let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
        match Audio.open(settings, &context)? {
            Opened::Encoder(encoder) => Ok(encoder),
            _ => panic!("sound is no record"),
        }
    }

    fn noise(num_samples: usize) -> Samples {
        let mut state = 1u32;
        let mono = (0..num_samples).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        });
        Samples { rate_hz: 22_050, mono: mono.collect(), partial: None }
    }

    fn hear(encoder: &dyn Encoder, samples: &Samples) -> Result<Features, Failure> {
        encoder.encode(Input::Parts(&[Ok(&samples.clone().into())]))
    }

    fn encode(samples: &Samples) -> Features {
        hear(&*open(&json!({})).unwrap(), samples).unwrap()
    }

    #[test]
    fn rows_are_as_long_as_they_are_named_and_stand_in_time() {
        let encoder = open(&json!({})).unwrap();
        let dim = encoder.identity().dim;
        assert_eq!(dim, 104);
        assert_eq!(encoder.identity().description["features"].as_array().unwrap().len(), dim);
        let features = encode(&noise(22_050 * 31));
        assert_eq!(features.time_secs.len(), 3);
        assert_eq!(features.data.len(), 3 * dim);
        for (time, expected) in features.time_secs.iter().zip([0.0, 10.33, 20.67]) {
            assert!((time - expected).abs() < 0.05, "{time}");
        }
    }

    #[test]
    fn extra_descriptors_stand_behind_the_usual_ones_which_stay_as_they_are() {
        let samples = noise(22_050 * 21);
        let usual = encode(&samples);
        for (name, num) in
            [("log-mel", 256), ("chroma", 24), ("contrast", 14), ("tempo", 2), ("loudness", 4)]
        {
            let encoder = open(&json!({"extra": [name]})).unwrap();
            let dim = encoder.identity().dim;
            assert_eq!(dim, 104 + num, "{name}");
            let features = hear(&*encoder, &samples).unwrap();
            assert_eq!(features.time_secs, usual.time_secs);
            assert_eq!(features.data.len(), features.time_secs.len() * dim, "{name}");
            for (row, usual) in features.data.chunks(dim).zip(usual.data.chunks(104)) {
                assert_eq!(row[..104], *usual, "{name}");
            }
            let silence = Samples { mono: vec![0.0; 3000], ..samples.clone() };
            for samples in [silence, noise(1), noise(700)] {
                let features = hear(&*encoder, &samples).unwrap();
                assert!(features.data.iter().all(|x| x.abs() < 2000.0), "{name}");
            }
        }
    }

    #[test]
    fn any_length_gives_a_row_and_all_frames_are_in_a_window() {
        for num_samples in [1, 2, 511, 512, 2048, 22_050, 22_050 * 15] {
            let features = encode(&noise(num_samples));
            assert!(features.data.iter().all(|x| x.is_finite()), "{num_samples}");
            assert_eq!(features.data.len(), features.time_secs.len() * 104);
        }
        let analysis = Analysis::new(&Settings::default());
        for secs in [1, 14, 16, 100, 3000] {
            let windows = analysis.windows(secs * 22_050);
            assert_eq!(windows[0].start, 0);
            assert_eq!(windows.last().unwrap().end, 1 + secs * 22_050 / 512);
            assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start));
            let lens = || windows.iter().map(ExactSizeIterator::len);
            assert!(lens().max().unwrap() - lens().min().unwrap() <= 1);
        }
    }

    #[test]
    fn silence_is_finite_and_fits_the_store() {
        let silence = Samples { rate_hz: 22_050, mono: vec![0.0; 22_050], partial: None };
        let features = encode(&silence);
        // Far within f16's range of ±65504.
        assert!(features.data.iter().all(|x| x.abs() < 2000.0));
        let full = Samples { rate_hz: 22_050, mono: vec![1.0; 22_050], partial: None };
        assert!(encode(&full).data.iter().all(|x| x.abs() < 2000.0));
    }

    #[test]
    fn a_window_does_not_depend_on_far_away_sound() {
        let quiet = |samples: &Samples| {
            let mono = samples.mono.iter().map(|x| x * 1e-3).collect();
            Samples { mono, ..samples.clone() }
        };
        let calm = quiet(&noise(22_050 * 40));
        let louder_in = |part: std::ops::Range<usize>| {
            let mut loud = calm.clone();
            loud.mono[part].iter_mut().for_each(|x| *x *= 1000.0);
            encode(&loud).data
        };
        let expected = encode(&calm).data;
        let late = louder_in(22_050 * 35..22_050 * 40);
        assert_eq!(late[..3 * 104], expected[..3 * 104]);
        assert_ne!(late[3 * 104..], expected[3 * 104..]);
        let early = louder_in(0..22_050 * 5);
        assert_ne!(early[..104], expected[..104]);
        assert_eq!(early[104..], expected[104..]);
    }

    #[test]
    fn sound_that_is_no_sound_is_this_titles_failure() {
        let encoder = open(&json!({})).unwrap();
        let code = |samples: &Samples| hear(&*encoder, samples).unwrap_err().code;
        let mut broken = noise(4000);
        broken.mono[7] = f32::NAN;
        assert_eq!(code(&broken), ReasonCode::NotFinite);
        assert_eq!(code(&Samples { rate_hz: 22_050, ..Samples::default() }), ReasonCode::NoContent);
        let fast = Samples { rate_hz: 44_100, ..noise(100) };
        assert_eq!(code(&fast), ReasonCode::EncoderFailed);
        let words = encoder.encode(Input::Text("words")).unwrap_err();
        assert_eq!(words.code, ReasonCode::EncoderFailed);
    }

    #[test]
    fn settings_change_the_fingerprint_and_nonsense_is_refused_with_its_range() {
        let fingerprint =
            |settings| open(&settings).unwrap().identity().fingerprint.as_str().to_owned();
        assert_eq!(fingerprint(json!({})), fingerprint(Audio.defaults()));
        assert_ne!(fingerprint(json!({})), fingerprint(json!({"mel_scale": "htk"})));
        assert_ne!(fingerprint(json!({})), fingerprint(json!({"top_db": null})));
        assert_eq!(fingerprint(json!({})), DEFAULT_FINGERPRINT, "bundles of old rest on it");
        assert_eq!(fingerprint(json!({"extra": []})), DEFAULT_FINGERPRINT);
        let extra = |names: &[&str]| fingerprint(json!({ "extra": names }));
        assert_ne!(extra(&["chroma"]), extra(&["contrast"]));
        assert_ne!(extra(&["chroma"]), DEFAULT_FINGERPRINT);
        assert_eq!(extra(&["tempo", "chroma"]), extra(&["chroma", "tempo"]));
        for (settings, words) in [
            (json!({"extra": ["tempo", "tempo"]}), "`extra` names a descriptor twice"),
            (json!({"extra": ["pitch"]}), "`log-mel`, `chroma`, `contrast`"),
            (
                json!({"extra": ["musicnn-msd"], "rate_hz": 8000}),
                "the network musicnn-msd; got 8000",
            ),
            (json!({"extra": ["audio-events"], "rate_hz": 22_051}), "`rate_hz` must be 16000, 220"),
            (json!({"extra": ["contrast"], "rate_hz": 12_800}), "above 12800 Hz for `contrast`"),
            (
                json!({"extra": ["contrast"], "fft_length": 220, "num_mels": 20, "hop_length": 99}),
                "`fft_length` must be at least 221 samples for `contrast`, got 220",
            ),
            (json!({"hop_length": 0}), "`hop_length` must be between 1 and 8192 samples"),
            (json!({"hop_length": 4096}), "no more than `fft_length`, got 4096"),
            (json!({"rate_hz": 100}), "`rate_hz` must be between 4000 and 96000 Hz, got 100"),
            (json!({"high_hz": 12000.0}), "at most half of `rate_hz` (11025 Hz), got 12000"),
            (json!({"low_hz": 11_025.0}), "`low_hz` must be at least 0"),
            (json!({"num_coeffs": 200}), "between 1 and `num_mels` (128), got 200"),
            (json!({"window_secs": 0.0}), "`window_secs` must be between 0.093"),
            (json!({"max_secs": -1.0}), "`max_secs`"),
            (json!({"top_db": -3.0}), "`top_db`"),
            (json!({"num_mels": 512, "fft_length": 256, "hop_length": 128}), "`num_mels` is 512"),
            (json!({"mfcc": 3}), "unknown setting `mfcc`"),
            (json!({"mel_scale": "bark"}), "bark"),
        ] {
            let message = open(&settings).err().unwrap().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
