//! Wants that are met together: they look at the same of a stream.

use super::request::{AudioSpec, FrameSpec, Sampling, Want};

/// Those of one kind, each with its place in the request.
pub(super) enum Party<'a> {
    /// Of the keyframes, as many and with or without bars; they differ in size, fit, thresholds.
    Keyframes(Vec<(usize, &'a FrameSpec)>),
    /// Of all frames.
    EveryFrame(Vec<(usize, &'a FrameSpec)>),
    /// Of the sound.
    Sound(Vec<(usize, &'a AudioSpec)>),
    /// Of the subtitles, which are the same for all.
    Subtitles(Vec<usize>),
}

impl<'a> Party<'a> {
    /// All that want something of a film, pictures first.
    pub(super) fn all(wants: &'a [Want]) -> Vec<Self> {
        let mut keyframes: Vec<Vec<(usize, &FrameSpec)>> = Vec::new();
        let (mut every_frame, mut sound, mut subtitles) = (Vec::new(), Vec::new(), Vec::new());
        for (idx, want) in wants.iter().enumerate() {
            match want {
                Want::Frames(spec) if spec.sampling == Sampling::Keyframes => {
                    let is_alike = |party: &&mut Vec<(usize, &FrameSpec)>| {
                        party.first().is_some_and(|(_, other)| {
                            (other.crop_bars, other.max_frames) == (spec.crop_bars, spec.max_frames)
                        })
                    };
                    match keyframes.iter_mut().find(is_alike) {
                        Some(party) => party.push((idx, spec)),
                        None => keyframes.push(vec![(idx, spec)]),
                    }
                }
                Want::Frames(spec) => every_frame.push((idx, spec)),
                Want::Audio(spec) => sound.push((idx, spec)),
                Want::Subtitles => subtitles.push(idx),
                Want::Picture(_) => {}
            }
        }
        let mut all: Vec<Self> = keyframes.into_iter().map(Self::Keyframes).collect();
        all.extend((!every_frame.is_empty()).then_some(Self::EveryFrame(every_frame)));
        all.extend((!sound.is_empty()).then_some(Self::Sound(sound)));
        all.extend((!subtitles.is_empty()).then_some(Self::Subtitles(subtitles)));
        all
    }

    /// Their places in the request.
    pub(super) fn want_idxs(&self) -> Vec<usize> {
        match self {
            Self::Keyframes(specs) | Self::EveryFrame(specs) => {
                specs.iter().map(|(idx, _)| *idx).collect()
            }
            Self::Sound(specs) => specs.iter().map(|(idx, _)| *idx).collect(),
            Self::Subtitles(want_idxs) => want_idxs.clone(),
        }
    }
}
