//! What each genre leans on, and the words of the plots, as `assets/demo/` states them.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use super::scene::Setting;

/// A colour, 0..1 each of red, green and blue.
pub(super) type Rgb = [f32; 3];

/// Six colours that a picture is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[String; 6]", into = "[String; 6]")]
pub(super) struct Palette {
    pub(super) sky_top: Rgb,
    pub(super) sky_low: Rgb,
    pub(super) far: Rgb,
    pub(super) near: Rgb,
    pub(super) accent: Rgb,
    pub(super) light: Rgb,
}

impl TryFrom<[String; 6]> for Palette {
    type Error = String;

    fn try_from(hex: [String; 6]) -> Result<Self, String> {
        let mut colors = [[0.0; 3]; 6];
        for (color, text) in colors.iter_mut().zip(&hex) {
            let value = u32::from_str_radix(text, 16).map_err(|e| format!("colour {text}: {e}"))?;
            *color = [16, 8, 0].map(|shift| (value >> shift & 0xff) as f32 / 255.0);
        }
        let [sky_top, sky_low, far, near, accent, light] = colors;
        Ok(Self { sky_top, sky_low, far, near, accent, light })
    }
}

impl From<Palette> for [String; 6] {
    fn from(p: Palette) -> Self {
        [p.sky_top, p.sky_low, p.far, p.near, p.accent, p.light].map(|color| {
            let byte = |v: f32| (v * 255.0).round() as u8;
            format!("{:02x}{:02x}{:02x}", byte(color[0]), byte(color[1]), byte(color[2]))
        })
    }
}

/// The instrument that plays the melody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Voice {
    Sine,
    Square,
    Saw,
    Piano,
    Pluck,
}

/// How a stretch of sound is made; the shares are 0..1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SoundStyle {
    pub(super) tempo_bpm: f32,
    /// RMS, dB below full scale.
    pub(super) loudness_db: f32,
    pub(super) voice: Voice,
    /// Root of the melody.
    pub(super) register_hz: f32,
    /// Semitones above the root.
    pub(super) scale: Vec<i32>,
    pub(super) lead: f32,
    pub(super) pad: f32,
    pub(super) drums: f32,
    pub(super) hats: f32,
    pub(super) bass: f32,
    pub(super) noise: f32,
    /// Where the noise is cut off.
    pub(super) noise_hz: f32,
    pub(super) narration: f32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordStyle {
    pub(super) years: [i32; 2],
    pub(super) minutes: [i32; 2],
    /// `language/country`; one named twice is twice as likely.
    pub(super) markets: Vec<String>,
}

/// Phrases; `{name} {other} {role} {place} {thing}` are filled in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) roles: Vec<String>,
    pub(super) places: Vec<String>,
    pub(super) things: Vec<String>,
    pub(super) troubles: Vec<String>,
    pub(super) turns: Vec<String>,
    pub(super) ends: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GenreStyle {
    pub(super) name: String,
    pub(super) with: BTreeMap<String, f32>,
    pub(super) palettes: Vec<Palette>,
    pub(super) settings: Vec<Setting>,
    pub(super) shot_secs: [f32; 2],
    pub(super) motion: f32,
    pub(super) sound: SoundStyle,
    pub(super) record: RecordStyle,
    pub(super) words: Words,
}

/// Words that belong to no genre.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PlainWords {
    pub(super) first_names: Vec<String>,
    pub(super) last_names: Vec<String>,
    pub(super) directors: Vec<String>,
    pub(super) title_adjectives: Vec<String>,
    pub(super) title_nouns: Vec<String>,
    pub(super) title_forms: Vec<String>,
    pub(super) sequels: Vec<String>,
    pub(super) openings: Vec<String>,
    pub(super) links: Vec<String>,
    #[serde(flatten)]
    pub(super) words: Words,
}

pub(super) const GENRES_TOML: &str = include_str!("../../assets/demo/genres.toml");
pub(super) const PLOTS_TOML: &str = include_str!("../../assets/demo/plots.toml");

/// The genres in their fixed order.
pub(super) static GENRES: LazyLock<Vec<GenreStyle>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct File {
        genre: Vec<GenreStyle>,
    }
    toml::from_str::<File>(GENRES_TOML).expect("assets/demo/genres.toml is checked by a test").genre
});

/// The words of no genre.
pub(super) static PLAIN: LazyLock<PlainWords> = LazyLock::new(|| {
    toml::from_str(PLOTS_TOML).expect("assets/demo/plots.toml is checked by a test")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_parse_and_name_only_known_genres() {
        assert_eq!(GENRES.len(), 8);
        let known: Vec<_> = GENRES.iter().map(|genre| genre.name.as_str()).collect();
        for genre in GENRES.iter() {
            assert!(genre.with.keys().all(|other| known.contains(&other.as_str())));
            assert!(genre.record.markets.iter().all(|market| market.split('/').count() == 2));
            assert!(genre.shot_secs[0] < genre.shot_secs[1], "{}", genre.name);
        }
        assert!(!PLAIN.openings.is_empty());
    }

    #[test]
    fn colours_round_trip() {
        let palette = GENRES[0].palettes[0];
        let hex: [String; 6] = palette.into();
        assert_eq!(Palette::try_from(hex).unwrap(), palette);
    }
}
