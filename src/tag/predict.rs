//! From features to tags with their reasons.

use std::collections::BTreeMap;

use base::TitleId;
use catalog::Title;
use dataset::{Content, Dataset, Looked, ModalityTable};
use jiff::Timestamp;
use learn::ModelPrediction;
use media::ReasonCode;
use serde::Serialize;
use store::TimedText;

use super::{Bundle, Choice, Said, TagError, said};

/// Moments of each modality that are named.
const NUM_MOMENTS: usize = 3;

/// The tags of one title.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TitleTags {
    /// As in the catalog.
    pub id: TitleId,
    /// The name people know it by.
    pub title: String,
    /// Year of release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// The genres decided on, most probable first. Empty where nothing could be looked at.
    pub genres: Vec<String>,
    /// Genres that the bundle would give but for a precision that was asked for: for a person to
    /// decide. Most probable first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<String>,
    /// Every genre, most probable first; empty where nothing could be looked at.
    pub scores: Vec<GenreScore>,
    /// Whether there are tags and they are from what is said alone: no other modality spoke for or
    /// against them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_speech_alone: bool,
    /// The words of the trailers that spoke for the genres given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
    /// All that is said in the trailers, where it is known.
    #[serde(skip)]
    pub transcript: Option<TimedText>,
    /// By modality: the moments that weighed most.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub moments: BTreeMap<String, Vec<Moment>>,
    /// By modality: why it did not take part.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, String>,
    /// Bundle name and the start of its digest.
    pub model: String,
    /// Version of the program.
    pub version: String,
    /// When the tags were made; absent in a pipeline's, where equal runs give equal files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagged_at: Option<Timestamp>,
}

impl TitleTags {
    /// A modality whose source is there and could not be read, and why: another time it may be,
    /// and so these tags are not all that can be said.
    #[must_use]
    pub fn unread(&self) -> Option<(&str, &str)> {
        let is_unread = |(_, reason): &(&String, &String)| {
            ReasonCode::of_reason(reason).is_some_and(|code| !code.is_of_content())
        };
        let (modality, reason) = self.missing.iter().find(is_unread)?;
        Some((modality, reason))
    }
}

/// One genre of a title.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GenreScore {
    /// The genre.
    pub genre: String,
    /// Calibrated probability.
    pub probability: f32,
    /// The genre's threshold for a title that shows as much; above 1 where it is never a tag.
    pub threshold: f64,
    /// Whether it is a tag.
    pub decision: bool,
    /// Log-odds that the calibration adds whatever the title shows.
    pub base: f32,
    /// By modality: its log-odds. With `base` they sum to the log-odds of `probability`.
    pub contributions: BTreeMap<String, f32>,
}

/// A moment of the trailer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// Seconds from the start.
    pub time_secs: f32,
    /// Its share of the modality's attention, 0..1.
    pub weight: f32,
}

/// A bundle that scores titles, given what its modalities see of them.
pub struct Tagger<'a> {
    bundle: &'a Bundle,
    model: String,
    choice: Choice,
    tagged_at: Option<Timestamp>,
}

impl<'a> Tagger<'a> {
    /// A tagger that chooses as the bundle does.
    #[must_use]
    pub fn new(bundle: &'a Bundle) -> Self {
        let (model, choice) = (bundle.model_name(), Choice::default());
        Self { bundle, model, choice, tagged_at: None }
    }

    /// With another choice of tags than the bundle's, and the moment that is written with them.
    #[must_use]
    pub fn with(mut self, choice: &Choice, tagged_at: Option<Timestamp>) -> Self {
        self.choice = choice.clone();
        self.tagged_at = tagged_at;
        self
    }

    /// Tags titles, in their order; `looked` is what the bundle's modalities see of them.
    ///
    /// # Errors
    /// A device error.
    pub fn tag(&self, titles: &[Title], looked: Looked) -> Result<Vec<TitleTags>, TagError> {
        let Looked { data, transcripts, failures } = looked;
        let data = data.unlabelled(self.bundle.config.genres.names().to_vec());
        let (data, sparse) = self.bundle.visible(data);
        let data = self.bundle.with_prior(data)?;
        let rows: Vec<usize> = (0..titles.len()).collect();
        let prediction = self.bundle.model.predict(&data, &rows)?;
        let missing = self.missing(&data, &sparse, &prediction, failures);
        titles
            .iter()
            .zip(missing)
            .enumerate()
            .map(|(idx, (title, missing))| {
                let mut tags = self.title(idx, title, &data, &prediction, missing);
                for (m, table) in data.modalities.iter().enumerate() {
                    let text = transcripts.get(&table.name).and_then(|texts| texts[idx].as_ref());
                    let Some(text) = text else { continue };
                    tags.transcript.get_or_insert_with(|| text.clone());
                    let seen = prediction.seen_of(idx);
                    if seen[m] {
                        tags.said.extend(said::said(
                            self.bundle,
                            &data,
                            idx,
                            m,
                            text,
                            &tags.genres,
                        )?);
                        tags.from_speech_alone = rests_on(&tags.scores, &table.name);
                    }
                }
                Ok(tags)
            })
            .collect()
    }

    fn title(
        &self,
        idx: usize,
        title: &Title,
        data: &Dataset,
        prediction: &ModelPrediction,
        missing: BTreeMap<String, String>,
    ) -> TitleTags {
        let mut scores: Vec<GenreScore> = Vec::new();
        let mut doubtful = Vec::new();
        if prediction.scored[idx] {
            let num_modalities = prediction.num_modalities;
            let decisions = self.bundle.model.spec().decisions_for(prediction.seen_of(idx));
            let thresholds = self.choice.thresholds(decisions);
            for (genre_idx, at) in prediction.genres_of(idx).enumerate() {
                let contributions = data
                    .modalities
                    .iter()
                    .enumerate()
                    .filter(|(m, _)| prediction.seen_of(idx)[*m])
                    .map(|(m, modality)| {
                        (modality.name.clone(), prediction.contributions[at * num_modalities + m])
                    })
                    .collect();
                let (probability, threshold) = (prediction.probability[at], thresholds[genre_idx]);
                let decision = match self.choice.precision {
                    None => prediction.decision[at],
                    Some(_) => f64::from(probability) >= threshold,
                };
                if prediction.decision[at] && !decision {
                    doubtful.push((probability, data.genres[genre_idx].clone()));
                }
                scores.push(GenreScore {
                    genre: data.genres[genre_idx].clone(),
                    probability,
                    threshold,
                    decision,
                    base: prediction.bias[at],
                    contributions,
                });
            }
            scores.sort_by(|a, b| b.probability.total_cmp(&a.probability));
            self.choice.apply(&mut scores);
            doubtful.sort_by(|a, b| b.0.total_cmp(&a.0));
        }
        TitleTags {
            id: title.id.clone(),
            title: title.name.clone(),
            year: title.year,
            genres: scores.iter().filter(|s| s.decision).map(|s| s.genre.clone()).collect(),
            doubtful: doubtful.into_iter().map(|(_, genre)| genre).collect(),
            scores,
            from_speech_alone: false,
            said: Vec::new(),
            transcript: None,
            moments: moments(idx, data, prediction),
            missing,
            model: self.model.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tagged_at: self.tagged_at,
        }
    }

    /// Why a modality that is there does not take part.
    fn unheard(&self, table: &ModalityTable, idx: usize) -> String {
        let borrowed = self.bundle.model.spec().config.borrowed.get(&table.name);
        let num_words = table.words(idx).split_whitespace().count();
        match (borrowed, &table.texts) {
            (Some(borrowed), Some(_)) if num_words < borrowed.min_words => {
                format!("too_little_speech: {num_words} words, {} are needed", borrowed.min_words)
            }
            _ => "no_vote: it tells no genre better than chance".to_owned(),
        }
    }

    /// `[titles]`: by modality, why it does not take part.
    fn missing(
        &self,
        data: &Dataset,
        sparse: &[Vec<String>],
        prediction: &ModelPrediction,
        failures: Vec<Vec<Option<String>>>,
    ) -> Vec<BTreeMap<String, String>> {
        let mut missing = vec![BTreeMap::new(); data.num_titles()];
        for (m, (table, failures)) in data.modalities.iter().zip(failures).enumerate() {
            let failures = failures.into_iter().enumerate();
            for (idx, failure) in failures.filter(|(idx, _)| !prediction.seen_of(*idx)[m]) {
                let why = || match (table.present(idx), sparse[idx].contains(&table.name)) {
                    (true, _) => self.unheard(table, idx),
                    (false, true) => "too little is stated".to_owned(),
                    (false, false) => "not given".to_owned(),
                };
                let reason = failure.unwrap_or_else(why);
                missing[idx].insert(table.name.clone(), reason);
            }
        }
        missing
    }
}

/// Whether there are tags, and nothing but this modality spoke for or against them.
fn rests_on(scores: &[GenreScore], modality: &str) -> bool {
    let mut tags = scores.iter().filter(|score| score.decision).peekable();
    let is_alone = |score: &GenreScore| {
        let mut others = score.contributions.iter().filter(|(name, _)| *name != modality);
        others.all(|(_, part)| *part == 0.0)
    };
    tags.peek().is_some() && tags.all(is_alone)
}

/// By modality whose rows have times and that said something: the moments with the most attention.
fn moments(
    idx: usize,
    data: &Dataset,
    prediction: &ModelPrediction,
) -> BTreeMap<String, Vec<Moment>> {
    let mut found = BTreeMap::new();
    for (m, (modality, attention)) in
        data.modalities.iter().zip(&prediction.attention[idx]).enumerate()
    {
        let Content::Rows(ragged) = &modality.content else { continue };
        let counts = |genre: usize| {
            let at = idx * prediction.num_genres + genre;
            prediction.contributions[at * prediction.num_modalities + m] != 0.0
        };
        if !(0..prediction.num_genres).any(counts) {
            continue;
        }
        let mut moments: Vec<Moment> = ragged
            .times(idx)
            .iter()
            .zip(attention)
            .map(|(&time_secs, &weight)| Moment { time_secs, weight })
            .collect();
        moments.sort_by(|a, b| {
            b.weight.total_cmp(&a.weight).then(a.time_secs.total_cmp(&b.time_secs))
        });
        moments.truncate(NUM_MOMENTS);
        if !moments.is_empty() {
            found.insert(modality.name.clone(), moments);
        }
    }
    found
}
