//! What several encoders want of one file, asked for once.
//!
//! in: each encoder's wants; out: the request that serves them all, and of its answer the parts
//! of each. Equal wants are asked once and their part is shared.

use media::{Decoded, Failure, Keyframes, Part, ReasonCode, Want};

/// The wants of some encoders.
#[derive(Default)]
pub(super) struct Asked {
    /// Each once.
    pub(super) wants: Vec<Want>,
    /// For each encoder the places of its wants.
    places: Vec<Vec<usize>>,
}

impl Asked {
    /// Adds an encoder with its wants.
    pub(super) fn add(&mut self, wants: Vec<Want>) {
        let places = wants.into_iter().map(|want| self.place(want)).collect();
        self.places.push(places);
    }

    fn place(&mut self, want: Want) -> usize {
        let known = self.wants.iter().position(|other| *other == want);
        known.unwrap_or_else(|| {
            self.wants.push(want);
            self.wants.len() - 1
        })
    }

    /// The answers, for each encoder.
    pub(super) fn answered(self, decoded: &mut Decoded) -> Answers {
        let parts = std::mem::take(&mut decoded.parts);
        Answers { wants: self.wants, parts, places: self.places }
    }
}

/// The parts of a file, and whose they are.
pub(super) struct Answers {
    wants: Vec<Want>,
    parts: Vec<Result<Part, Failure>>,
    places: Vec<Vec<usize>>,
}

impl Answers {
    /// What was decoded for an encoder's first want of frames, if it has one.
    pub(super) fn frames(&self, asker: usize) -> Option<Result<&Keyframes, &Failure>> {
        match self.parts.get(self.frames_place(asker)?)? {
            Ok(Part::Frames(frames)) => Some(Ok(frames)),
            Ok(_) => None,
            Err(failure) => Some(Err(failure)),
        }
    }

    /// Where the answer to an encoder's first want of frames is.
    fn frames_place(&self, asker: usize) -> Option<usize> {
        let is_frames = |place: &&usize| matches!(self.wants.get(**place), Some(Want::Frames(_)));
        self.places[asker].iter().find(is_frames).copied()
    }

    /// Puts others in the place of some encoders' first frames.
    pub(super) fn replace_frames(&mut self, askers: &[usize], frames: Result<Part, Failure>) {
        let new = self.parts.len();
        self.parts.push(frames);
        for &asker in askers {
            let place = self.frames_place(asker);
            self.places[asker].iter_mut().filter(|p| Some(**p) == place).for_each(|p| *p = new);
        }
    }

    /// Small frames of whole films are large, and nobody looks at them any more.
    pub(super) fn drop_previews(&mut self) {
        for part in self.parts.iter_mut().flatten() {
            if let Part::Frames(frames) = part {
                frames.preview = None;
            }
        }
    }

    /// What holds nothing is a failure: encoders never see it.
    pub(super) fn refuse_empty(&mut self) {
        for part in &mut self.parts {
            let nothing = match part {
                Ok(Part::Frames(frames)) if frames.kept.is_empty() => "keyframe",
                Ok(Part::Audio(samples)) if samples.mono.is_empty() => "sample",
                _ => continue,
            };
            let none = || Failure::new(ReasonCode::NoContent, format!("no {nothing} left"));
            let partial = part.as_ref().ok().and_then(Part::partial).cloned();
            *part = Err(partial.unwrap_or_else(none));
        }
    }

    /// An encoder's parts, in the order of its wants.
    pub(super) fn of(&self, asker: usize) -> Vec<Result<&Part, &Failure>> {
        self.places[asker].iter().map(|place| self.parts[*place].as_ref()).collect()
    }
}
