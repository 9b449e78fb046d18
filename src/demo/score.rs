//! Plays a [`SoundStyle`]: drums, bass, chords, a melody, wind, and a voice without words.
//!
//! in: a style, a seed, seconds and a rate in Hz; out: mono samples in −1..1 at the style's
//! loudness (RMS).

use std::f32::consts::TAU;

use super::{
    canvas::{between, unit},
    style::{SoundStyle, Voice},
};

/// One stretch of sound.
pub(super) fn play(style: &SoundStyle, seed: u64, secs: f32, rate_hz: u32) -> Vec<f32> {
    let mut sound = vec![0.0; (secs * rate_hz as f32) as usize];
    let player = Player { style, seed, rate: rate_hz as f32 };
    player.melody(&mut sound);
    player.drums(&mut sound);
    player.bass(&mut sound);
    player.chords(&mut sound);
    player.wind(&mut sound);
    player.narrator(&mut sound);

    let rms = (sound.iter().map(|s| s * s).sum::<f32>() / sound.len().max(1) as f32).sqrt();
    let gain = 10.0_f32.powf(style.loudness_db / 20.0) / rms.max(1e-4);
    let fade = (0.02 * rate_hz as f32) as usize;
    let len = sound.len();
    for (i, sample) in sound.iter_mut().enumerate() {
        let edge = (i.min(len - 1 - i) as f32 / fade.max(1) as f32).min(1.0);
        *sample = (*sample * gain).tanh() * edge;
    }
    sound
}

struct Player<'a> {
    style: &'a SoundStyle,
    seed: u64,
    rate: f32,
}

impl Player<'_> {
    /// Length of an eighth note, samples.
    fn step_len(&self) -> f32 {
        30.0 / self.style.tempo_bpm * self.rate
    }

    fn num_steps(&self, sound: &[f32]) -> u64 {
        (sound.len() as f32 / self.step_len()).ceil() as u64
    }

    /// The samples from `step` on, at most `secs` of them.
    fn span<'s>(&self, sound: &'s mut [f32], step: u64, secs: f32) -> &'s mut [f32] {
        let start = ((step as f32 * self.step_len()) as usize).min(sound.len());
        let end = (start + (secs * self.rate) as usize).min(sound.len());
        &mut sound[start..end]
    }

    fn noise(&self, place: u64) -> f32 {
        2.0 * unit(self.seed ^ 0x51ed, place) - 1.0
    }

    fn note_hz(&self, semitones: i32) -> f32 {
        self.style.register_hz * 2.0_f32.powf(semitones as f32 / 12.0)
    }

    fn melody(&self, sound: &mut [f32]) {
        if self.style.lead <= 0.0 {
            return;
        }
        let long = match self.style.voice {
            Voice::Piano => 1.6,
            Voice::Pluck => 0.9,
            Voice::Sine => 1.1,
            Voice::Square => 0.16,
            Voice::Saw => 0.22,
        };
        let density = if self.style.tempo_bpm < 70.0 { 0.4 } else { 0.75 };
        for step in 0..self.num_steps(sound) {
            if unit(self.seed, 10_000 + step) > density {
                continue;
            }
            let scale = &self.style.scale;
            let note =
                scale[(unit(self.seed, 20_000 + step) * scale.len() as f32) as usize % scale.len()];
            let octave = if unit(self.seed, 30_000 + step) < 0.25 { 12 } else { 0 };
            let hz = self.note_hz(note + octave);
            let (rate, level) = (self.rate, 0.5 * self.style.lead);
            let target = self.span(sound, step, long);
            match self.style.voice {
                Voice::Pluck => pluck(target, hz, rate, level, |i| self.noise(40_000 + i)),
                voice => tone(target, voice, hz, rate, level),
            }
        }
    }

    fn drums(&self, sound: &mut [f32]) {
        let SoundStyle { drums, hats, .. } = *self.style;
        let rate = self.rate;
        for step in 0..self.num_steps(sound) {
            if drums > 0.0 && step % 4 == 0 {
                let mut phase = 0.0;
                for (i, sample) in self.span(sound, step, 0.3).iter_mut().enumerate() {
                    let secs = i as f32 / rate;
                    phase += (45.0 + 110.0 * (-secs * 30.0).exp()) / rate;
                    *sample += 1.3 * drums * (TAU * phase).sin() * (-secs * 11.0).exp();
                }
            }
            if drums > 0.0 && (step % 4 == 2 || drums > 0.7 && unit(self.seed, step) < 0.3) {
                for (i, sample) in self.span(sound, step, 0.16).iter_mut().enumerate() {
                    let fade = (-(i as f32) / rate * 24.0).exp();
                    *sample += 0.7 * drums * self.noise(step * 9_001 + i as u64) * fade;
                }
            }
            if hats > 0.0 {
                let mut last = 0.0;
                for (i, sample) in self.span(sound, step, 0.05).iter_mut().enumerate() {
                    let noise = self.noise(step * 7_001 + i as u64);
                    let fade = (-(i as f32) / rate * 90.0).exp();
                    *sample += 0.35 * hats * (noise - last) * fade;
                    last = noise;
                }
            }
        }
    }

    fn bass(&self, sound: &mut [f32]) {
        if self.style.bass <= 0.0 {
            return;
        }
        let root = self.style.register_hz;
        let low = root / 2.0_f32.powf((root / 55.0).log2().round().max(0.0));
        let held = 60.0 / self.style.tempo_bpm / 2.0;
        for step in 0..self.num_steps(sound) {
            let scale = &self.style.scale;
            let note = scale
                [(unit(self.seed, 50_000 + step / 4) * scale.len() as f32) as usize % scale.len()];
            let hz = low * 2.0_f32.powf(note as f32 / 12.0);
            let (rate, level) = (self.rate, 0.45 * self.style.bass);
            let mut smooth = 0.0;
            for (i, sample) in self.span(sound, step, held).iter_mut().enumerate() {
                let saw = 2.0 * (i as f32 * hz / rate).fract() - 1.0;
                smooth += 0.12 * (saw - smooth);
                *sample += level * smooth;
            }
        }
    }

    fn chords(&self, sound: &mut [f32]) {
        if self.style.pad <= 0.0 {
            return;
        }
        let scale = &self.style.scale;
        let notes = [scale[0], scale[scale.len() / 2], scale[scale.len() - 1]];
        for (voice, note) in notes.into_iter().enumerate() {
            for detune in [0.996, 1.004] {
                let step = self.note_hz(note) * detune / self.rate;
                let swell = 0.23 + 0.07 * voice as f32;
                for (i, sample) in sound.iter_mut().enumerate() {
                    let slow =
                        0.6 + 0.4 * (TAU * swell * i as f32 / self.rate + voice as f32).sin();
                    *sample +=
                        0.14 * self.style.pad * slow * (TAU * (i as f32 * step).fract()).sin();
                }
            }
        }
    }

    fn wind(&self, sound: &mut [f32]) {
        if self.style.noise <= 0.0 {
            return;
        }
        let share = 1.0 - (-TAU * self.style.noise_hz / self.rate).exp();
        let (mut once, mut twice) = (0.0, 0.0);
        for (i, sample) in sound.iter_mut().enumerate() {
            once += share * (self.noise(1_000_000 + i as u64) - once);
            twice += share * (once - twice);
            let gust =
                0.55 + 0.45 * (TAU * 0.31 * i as f32 / self.rate + self.seed as f32 % 6.0).sin();
            *sample += 0.9 * self.style.noise * gust * twice / share.sqrt();
        }
    }

    /// Speech by its outline alone: a buzz through two resonances that move with each
    /// syllable, with pauses between phrases.
    fn narrator(&self, sound: &mut [f32]) {
        if self.style.narration <= 0.0 {
            return;
        }
        let pitch = between(self.seed, 60_000, 95.0, 190.0);
        let syllable = 0.19 * self.rate;
        let mut states = [[0.0_f32; 2]; 2];
        let mut phase = 0.0;
        for (i, sample) in sound.iter_mut().enumerate() {
            let (index, within) = ((i as f32 / syllable) as u64, (i as f32 / syllable).fract());
            let spoken = f32::from(index % 11 < 8 && unit(self.seed, 61_000 + index) < 0.9);
            phase +=
                pitch * (1.0 + 0.12 * between(self.seed, 62_000 + index, -1.0, 1.0)) / self.rate;
            let buzz = 2.0 * phase % 2.0 - 1.0 + 0.12 * self.noise(2_000_000 + i as u64);
            let envelope = spoken * (TAU / 2.0 * within).sin().max(0.0);
            let formants = [
                between(self.seed, 63_000 + index, 300.0, 800.0),
                between(self.seed, 64_000 + index, 1000.0, 2300.0),
            ];
            let mut voice = 0.0;
            for (state, hz) in states.iter_mut().zip(formants) {
                // A two-pole resonator, 80 Hz wide.
                let (r, turn) =
                    ((-std::f32::consts::PI * 80.0 / self.rate).exp(), TAU * hz / self.rate);
                let next = (1.0 - r) * buzz + 2.0 * r * turn.cos() * state[0] - r * r * state[1];
                *state = [next, state[0]];
                voice += next;
            }
            *sample += 0.9 * self.style.narration * envelope * voice;
        }
    }
}

fn tone(target: &mut [f32], voice: Voice, hz: f32, rate: f32, level: f32) {
    let len = target.len() as f32;
    for (i, sample) in target.iter_mut().enumerate() {
        let secs = i as f32 / rate;
        let vibrato = if voice == Voice::Sine { 0.004 * (TAU * 5.2 * secs).sin() } else { 0.0 };
        let phase = (hz * secs + hz * vibrato * 0.2).fract();
        let wave = match voice {
            Voice::Sine => (TAU * phase).sin(),
            Voice::Square => {
                if phase < 0.5 {
                    0.6
                } else {
                    -0.6
                }
            }
            Voice::Saw => 2.0 * phase - 1.0,
            Voice::Piano | Voice::Pluck => {
                let partial = |n: f32| (TAU * n * phase).sin() / n * (-secs * 1.4 * n).exp();
                partial(1.0) + 0.7 * partial(2.0) + 0.5 * partial(3.0) + 0.3 * partial(5.0)
            }
        };
        let attack = (secs / if voice == Voice::Sine { 0.09 } else { 0.006 }).min(1.0);
        let release = ((len - i as f32) / (0.04 * rate)).min(1.0);
        *sample += level * wave * attack * release;
    }
}

/// A plucked string (Karplus & Strong 1983).
fn pluck(target: &mut [f32], hz: f32, rate: f32, level: f32, noise: impl Fn(u64) -> f32) {
    let period = (rate / hz).max(2.0) as usize;
    let mut string: Vec<f32> = (0..period as u64).map(noise).collect();
    let len = target.len() as f32;
    for (i, sample) in target.iter_mut().enumerate() {
        let here = i % period;
        let value = string[here];
        string[here] = 0.4975 * (value + string[(here + 1) % period]);
        *sample += 1.6 * level * value * ((len - i as f32) / (0.05 * rate)).min(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::GENRES;

    #[test]
    fn every_style_plays_at_its_loudness_and_repeats() {
        for genre in GENRES.iter() {
            let sound = play(&genre.sound, 9, 2.0, 16_000);
            assert_eq!(sound.len(), 32_000);
            assert!(sound.iter().all(|s| s.is_finite() && s.abs() <= 1.0), "{}", genre.name);
            let rms = (sound.iter().map(|s| s * s).sum::<f32>() / 32_000.0).sqrt();
            let db = 20.0 * rms.log10();
            assert!((db - genre.sound.loudness_db).abs() < 3.0, "{}: {db} dB", genre.name);
            assert_eq!(sound, play(&genre.sound, 9, 2.0, 16_000));
        }
    }
}
