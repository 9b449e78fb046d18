//! What a shot shows: seventeen settings, each drawn from a palette, a seed and a time.
//!
//! in: [`Shot`] and seconds since its start; out: shapes on a [`Canvas`]. The drawing depends
//! on nothing else, so any frame can be drawn at any time.

mod built;
mod figures;
mod nature;
mod space;

use serde::{Deserialize, Serialize};

use super::{
    canvas::{Canvas, unit},
    style::Palette,
};

/// What is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Setting {
    Skyline,
    Road,
    Blast,
    Suburb,
    Party,
    Mountains,
    Chart,
    Room,
    Rain,
    Woods,
    Manor,
    Couple,
    Bokeh,
    Orbit,
    Grid,
    Desert,
    Rider,
}

/// One take of the camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Shot {
    pub(super) setting: Setting,
    pub(super) palette: Palette,
    /// Which skyline, which hills.
    pub(super) seed: u64,
    /// Speed of the camera, 0..1.
    pub(super) motion: f32,
}

impl Shot {
    /// A number in 0..1 of this shot.
    fn unit(&self, place: u64) -> f32 {
        unit(self.seed, place)
    }

    /// A number of this shot within a range.
    fn between(&self, place: u64, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit(place)
    }

    /// How far the camera has gone after `secs`, units.
    fn pan(&self, secs: f32) -> f32 {
        let direction = if self.unit(900) < 0.5 { -1.0 } else { 1.0 };
        direction * self.motion * 0.3 * secs + self.between(901, 0.0, 40.0)
    }

    /// A wavy line for hills, −1..1.
    fn wave(&self, place: u64, x: f32) -> f32 {
        (0..4)
            .map(|octave| {
                let phase = self.between(place + octave, 0.0, 6.28);
                let frequency = 1.7 * 1.9_f32.powi(octave as i32);
                (x * frequency + phase).sin() * 0.55_f32.powi(octave as i32)
            })
            .sum::<f32>()
            / 2.1
    }
}

/// Draws one frame of a shot.
pub(super) fn draw(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let paint = match shot.setting {
        Setting::Skyline => built::skyline,
        Setting::Road => built::road,
        Setting::Blast => space::blast,
        Setting::Suburb => built::suburb,
        Setting::Party => figures::party,
        Setting::Mountains => nature::mountains,
        Setting::Chart => built::chart,
        Setting::Room => built::room,
        Setting::Rain => nature::rain,
        Setting::Woods => nature::woods,
        Setting::Manor => built::manor,
        Setting::Couple => figures::couple,
        Setting::Bokeh => figures::bokeh,
        Setting::Orbit => space::orbit,
        Setting::Grid => space::grid,
        Setting::Desert => nature::desert,
        Setting::Rider => figures::rider,
    };
    paint(canvas, shot, secs);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::GENRES;

    #[test]
    fn every_setting_draws_the_same_frame_twice_and_moves() {
        for genre in GENRES.iter() {
            for setting in &genre.settings {
                let shot = Shot {
                    setting: *setting,
                    palette: genre.palettes[0],
                    seed: 5,
                    motion: genre.motion,
                };
                let frame = |secs: f32| {
                    let mut canvas = Canvas::new(96, 54);
                    draw(&mut canvas, &shot, secs);
                    canvas.develop(0.0, 1)
                };
                assert_eq!(frame(0.5), frame(0.5), "{setting:?}");
                assert_ne!(frame(0.0), frame(1.5), "{setting:?} stands still");
            }
        }
    }
}
