//! `cinetag tag --review`: a contact sheet of what would be tagged.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use base::{Digest, OutputError, Progress as _};
use catalog::Title;
use encode::SourceKind;
use media::{
    DecodeRequest, Fit, Keyframe, Part, PictureSpec, Want,
    save::{SaveError, write_picture},
};
use report::{
    ContactSheet, SheetFrame, SheetGenre, SheetLine, SheetMissing, SheetText, SheetTitle,
};
use tag::{Moment, Said, TitleTags, WordEffect};
use write::{TagJob, TagSink, WriteError, format::Tagged};

use super::{Console, outputs::PICTURES};

/// Genres that came close and are shown in grey.
const NUM_CLOSE: usize = 2;
/// Side of a poster on the sheet, pixels.
const POSTER_PX: u32 = 320;

/// Collects titles and writes the sheet at the end.
pub(super) struct Review<'a> {
    folder: PathBuf,
    job: TagJob<'a>,
    seen: Vec<(Title, TitleTags)>,
}

impl<'a> Review<'a> {
    pub(super) fn new(folder: &Path, job: TagJob<'a>) -> Self {
        Self { folder: folder.to_owned(), job, seen: Vec::new() }
    }

    /// Writes the pages with their pictures into the folder, which is there.
    pub(super) fn finish(mut self, console: &Console) -> Result<PathBuf, super::Failure> {
        let pictures = self.folder.join(PICTURES);
        if !pictures.is_dir() {
            fs::create_dir(&pictures).map_err(OutputError::file(&pictures))?;
        }
        let mut sheet = ContactSheet {
            notes: self.job.bundle.config.notes.clone(),
            modalities: self.job.bundle.model.spec().modalities.clone(),
            ..ContactSheet::default()
        };
        let seen = std::mem::take(&mut self.seen);
        console.begin("contact sheet", Some(seen.len() as u64));
        for (title, tags) in &seen {
            console.interrupt.check()?;
            let time = tags.tagged_at.map_or_else(String::new, |time| format!(", {time}"));
            sheet.given_by = format!("cinetag {}, model {}{time}", tags.version, tags.model);
            let pictures = self.pictures(title, tags)?;
            let words = if tags.genres.is_empty() {
                BTreeMap::new()
            } else {
                let TagJob { bundle, session, .. } = self.job;
                tag::explain(title, bundle, session.modalities(), session.look(title)?)?.words
            };
            let plot = marked(title.plot.as_deref().unwrap_or_default(), &tags.genres, &words);
            sheet
                .titles
                .push(SheetTitle { plot, ..sheet_title(title, tags, &sheet.modalities, pictures) });
            console.advance(1);
        }
        console.end();
        sheet.write(&self.folder).map_err(pipeline::PipelineError::from)?;
        Ok(self.folder.join("index.html"))
    }

    /// Poster and moments as files; what cannot be decoded is left out.
    fn pictures(&self, title: &Title, tags: &TitleTags) -> Result<Pictures, super::Failure> {
        let mut pictures = Pictures::default();
        for open in self.job.session.modalities().encoders() {
            let Some(SourceKind::File(path)) = open.sources(title).into_iter().next() else {
                continue;
            };
            let name = open.name();
            let mut wants = open.encoder.wants();
            wants.retain_mut(|want| match want {
                Want::Picture(spec) => {
                    *spec = PictureSpec { side_px: POSTER_PX, fit: Fit::Pad };
                    true
                }
                Want::Frames(_) => tags.moments.contains_key(name),
                Want::Audio(_) | Want::Subtitles => false,
            });
            if wants.is_empty() {
                continue;
            }
            let request = DecodeRequest::new(path, wants);
            let stem = Digest::of_bytes(request.path.as_os_str().as_encoded_bytes()).short();
            for part in self.job.session.decode(&request)?.parts.into_iter().flatten() {
                match part {
                    Part::Picture(picture) => {
                        let file = format!("{PICTURES}/{stem}.jpg");
                        write_picture(&self.folder.join(&file), &picture).map_err(save_error)?;
                        pictures.poster = Some(file);
                    }
                    Part::Frames(frames) => {
                        for moment in &tags.moments[name] {
                            let near = |frame: &&Keyframe| {
                                (frame.time_secs as f32 - moment.time_secs).abs() < 0.05
                            };
                            let Some(frame) = frames.kept.iter().find(near) else { continue };
                            let file =
                                format!("{PICTURES}/{stem}-{:.0}.jpg", 1000.0 * frame.time_secs);
                            let path = self.folder.join(&file);
                            write_picture(&path, &frame.picture).map_err(save_error)?;
                            pictures.of_moment.insert(key(name, moment), file);
                        }
                    }
                    Part::Audio(_) | Part::Subtitles(_) => {}
                }
            }
        }
        Ok(pictures)
    }
}

impl TagSink for Review<'_> {
    fn write(
        &mut self,
        _idx: usize,
        tagged: Tagged<'_>,
        _inputs: Digest,
    ) -> Result<(), WriteError> {
        self.seen.push((tagged.title.clone(), tagged.tags.clone()));
        Ok(())
    }
}

#[derive(Default)]
struct Pictures {
    poster: Option<String>,
    of_moment: BTreeMap<(String, u32), String>,
}

fn key(modality: &str, moment: &Moment) -> (String, u32) {
    (modality.to_owned(), (moment.time_secs * 1000.0) as u32)
}

fn save_error(error: SaveError) -> super::Failure {
    std::io::Error::other(error).into()
}

/// The text with the words marked that speak for a tag: those without which it would be less
/// probable.
fn marked(
    text: &str,
    tags: &[String],
    words: &BTreeMap<String, Vec<WordEffect>>,
) -> Vec<SheetText> {
    pieces(text, |position, _| {
        let speaks = |tag: &&String| {
            let effects = words.get(*tag).into_iter().flatten();
            effects.into_iter().any(|effect| effect.position == position && effect.log_odds > 0.0)
        };
        tags.iter().filter(speaks).cloned().collect()
    })
}

/// A text's words, each with the tags that it speaks for by its place and itself. Words side by
/// side that speak for the same make one piece.
fn pieces(text: &str, speaks_for: impl Fn(usize, &str) -> Vec<String>) -> Vec<SheetText> {
    let mut pieces: Vec<SheetText> = Vec::new();
    for (position, word) in text.split_whitespace().enumerate() {
        let speaks_for = speaks_for(position, word);
        match pieces.last_mut() {
            Some(piece) if piece.speaks_for == speaks_for => {
                piece.text.push(' ');
                piece.text.push_str(word);
            }
            _ => pieces.push(SheetText { text: word.to_owned(), speaks_for }),
        }
    }
    pieces
}

/// The lines that were said for a genre, in their order, with the words marked.
fn lines(said: &[Said]) -> Vec<SheetLine> {
    let order = |said: &&Said| {
        (said.time_secs.map_or(0, |secs| (secs * 1000.0) as u64), said.quote.clone())
    };
    let mut said: Vec<&Said> = said.iter().collect();
    said.sort_by_key(order);
    said.chunk_by(|a, b| order(a) == order(b))
        .map(|same| {
            let speaks_for = |word: &str| -> Vec<String> {
                let is_said = |said: &&&Said| tag::tokens(word).any(|token| token == said.word);
                same.iter().filter(is_said).map(|said| said.genre.clone()).collect()
            };
            SheetLine {
                time_secs: same[0].time_secs.map(f64::from),
                text: pieces(&same[0].quote, |_, word| speaks_for(word)),
            }
        })
        .collect()
}

fn sheet_title(
    title: &Title,
    tags: &TitleTags,
    modalities: &[String],
    pictures: Pictures,
) -> SheetTitle {
    let mut num_close = 0;
    let shown = tags.scores.iter().filter(|score| {
        num_close += usize::from(!score.decision);
        score.decision || num_close <= NUM_CLOSE
    });
    let genres = shown
        .map(|score| SheetGenre {
            name: score.genre.clone(),
            probability: f64::from(score.probability),
            threshold: score.threshold,
            is_tag: score.decision,
            contributions: modalities
                .iter()
                .map(|name| score.contributions.get(name).map(|&part| f64::from(part)))
                .collect(),
        })
        .collect();
    let frames = tags.moments.iter().flat_map(|(modality, moments)| {
        moments.iter().map(|moment| SheetFrame {
            picture: pictures.of_moment.get(&key(modality, moment)).cloned(),
            modality: modality.clone(),
            time_secs: f64::from(moment.time_secs),
            weight: f64::from(moment.weight),
        })
    });
    SheetTitle {
        name: title.name.clone(),
        year: title.year,
        id: title.id.to_string(),
        frames: frames.collect(),
        poster: pictures.poster,
        genres,
        plot: Vec::new(),
        lines: lines(&tags.said),
        from_speech_alone: tags.from_speech_alone,
        missing: tags
            .missing
            .iter()
            .map(|(modality, reason)| SheetMissing {
                modality: modality.clone(),
                reason: reason.clone(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_shown_in_its_order_with_the_words_that_spoke() {
        let said = |genre: &str, word: &str, time_secs: f32, quote: &str| Said {
            genre: genre.to_owned(),
            word: word.to_owned(),
            time_secs: Some(time_secs),
            quote: quote.to_owned(),
            log_odds: 0.5,
        };
        let lines = lines(&[
            said("Crime", "detective", 42.0, "A Detective, alone."),
            said("Thriller", "dead", 7.0, "He's dead."),
            said("Thriller", "detective", 42.0, "A Detective, alone."),
        ]);
        let shown: Vec<_> = lines
            .iter()
            .flat_map(|line| line.text.iter().map(|p| (p.text.as_str(), p.speaks_for.join(" "))))
            .collect();
        let expected = [
            ("He's", ""),
            ("dead.", "Thriller"),
            ("A", ""),
            ("Detective,", "Crime Thriller"),
            ("alone.", ""),
        ];
        assert_eq!(shown, expected.map(|(text, tags)| (text, tags.to_owned())));
        assert_eq!(
            lines.iter().map(|line| line.time_secs).collect::<Vec<_>>(),
            [Some(7.0), Some(42.0)]
        );
    }

    #[test]
    fn words_are_marked_with_the_tags_that_they_speak_for() {
        let effect =
            |position: usize, log_odds: f32| WordEffect { word: String::new(), position, log_odds };
        let words = BTreeMap::from([
            ("War".to_owned(), vec![effect(1, 0.4), effect(2, 0.3), effect(3, -0.5)]),
            ("Crime".to_owned(), vec![effect(2, 0.1)]),
            ("Drama".to_owned(), vec![effect(0, 2.0)]),
        ]);
        let tags = ["War", "Crime"].map(str::to_owned);
        let pieces: Vec<_> = marked("A  general robs\nbanks today", &tags, &words)
            .into_iter()
            .map(|piece| (piece.text, piece.speaks_for.join(" ")))
            .collect();
        let expected = [("A", ""), ("general", "War"), ("robs", "War Crime"), ("banks today", "")];
        assert_eq!(pieces, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert!(marked("", &tags, &words).is_empty());
    }
}
