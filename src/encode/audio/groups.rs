//! What a row holds: series over frames and the statistics that are taken of each.
//!
//! in: the [`Series`] of a window; out: its numbers in the order of their names.

use serde::{Deserialize, Serialize};

use super::{
    Settings,
    analysis::Series,
    contrast, descriptors, loudness, networks,
    pool::Statistic::{self, Mean, P10, P90, Std},
};

/// Pitch classes, as they stand in `encoder.json`.
pub(super) const PITCH_CLASSES: [&str; 12] =
    ["c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b"];

/// What [`super::tempo`] gives, in order.
const TEMPO: [&str; 2] = ["tempo_bpm", "pulse"];

/// Descriptors that are computed only where a pipeline asks for them. The order is that of a
/// row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Descriptor {
    /// Mean and deviation of each mel, decibels.
    LogMel,
    /// Mean and deviation of the twelve pitch classes.
    Chroma,
    /// Mean and deviation of peaks over valleys in seven bands, decibels.
    Contrast,
    /// Beats a minute, and how clear they are.
    Tempo,
    /// EBU R 128: of the window and of the title, LUFS and LU.
    Loudness,
    /// Speech, singing and music, by a network.
    AudioEvents,
    /// Tags of music by a network that was trained on `MagnaTagATune`.
    MusicnnMtt,
    /// The same, trained on the Million Song Dataset.
    MusicnnMsd,
}

/// Which series of a window.
type Choice = fn(&Series) -> &[Vec<f32>];

/// Series that are looked at in the same way.
pub(super) struct Group {
    names: Vec<String>,
    statistics: &'static [Statistic],
    series: Choice,
}

impl Group {
    /// Appends every statistic of every series of a window.
    pub(super) fn describe(&self, series: &Series, row: &mut Vec<f32>) {
        for statistic in self.statistics {
            row.extend((self.series)(series).iter().map(|values| statistic.of(values)));
        }
    }

    fn feature_names(&self) -> impl Iterator<Item = String> {
        self.statistics
            .iter()
            .flat_map(|of| self.names.iter().map(|name| format!("{name}_{}", of.name())))
    }
}

/// The groups that these settings ask for, in the order of a row.
pub(super) fn groups(settings: &Settings) -> Vec<Group> {
    let numbered = |name: &str, num: usize, end: &str| {
        (0..num).map(|i| format!("{name}{i}{end}")).collect::<Vec<_>>()
    };
    let coefficients = |end: &str| numbered("mfcc", settings.num_coeffs, end);
    let mut groups = vec![
        Group { names: coefficients(""), statistics: &[Mean, Std], series: |s| &s.mfcc },
        Group { names: coefficients("_delta"), statistics: &[Std], series: |s| &s.delta },
        Group { names: coefficients("_delta2"), statistics: &[Std], series: |s| &s.delta_delta },
        Group {
            names: descriptors::NAMES.map(str::to_owned).to_vec(),
            statistics: &[Mean, Std, P10, P90],
            series: |s| &s.descriptors,
        },
    ];
    for extra in &settings.extra {
        let (names, series): (_, Choice) = match extra {
            Descriptor::LogMel => (numbered("mel", settings.num_mels, "_db"), |s| &s.log_mel),
            Descriptor::Chroma => {
                (PITCH_CLASSES.map(|class| format!("chroma_{class}")).to_vec(), |s| &s.chroma)
            }
            Descriptor::Contrast => {
                (numbered("contrast", contrast::NUM_BANDS, "_db"), |s| &s.contrast)
            }
            Descriptor::Tempo
            | Descriptor::Loudness
            | Descriptor::AudioEvents
            | Descriptor::MusicnnMtt
            | Descriptor::MusicnnMsd => continue,
        };
        groups.push(Group { names, statistics: &[Mean, Std], series });
    }
    groups
}

/// What the numbers of a row are, in order.
pub(super) fn feature_names(settings: &Settings) -> Vec<String> {
    let mut names: Vec<_> = groups(settings).iter().flat_map(Group::feature_names).collect();
    for (extra, own) in [(Descriptor::Tempo, &TEMPO[..]), (Descriptor::Loudness, &loudness::NAMES)]
    {
        if settings.extra.contains(&extra) {
            names.extend(own.iter().map(|name| (*name).to_owned()));
        }
    }
    names.extend(settings.extra.iter().flat_map(|extra| networks::feature_names(*extra)));
    names
}
