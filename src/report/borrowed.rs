//! What borrowed modalities reach: a trailer's speech read as a plot, its pictures as posters.
//!
//! in: a cross-validation of models that borrow; out: for each borrowed modality the figures on
//! the titles that have it, seen by nothing else, over the genres that enough of them have; by
//! genre, by the number of words; and what it adds beside the head's own modalities

use dataset::Dataset;
use eval::{
    BootstrapConfig, Counts, Headline, Interval, PairedDifference,
    bootstrap::{headline_differences, headline_intervals},
    headline::HeadlineTable,
    ranking::average_precision,
};
use learn::{model::ModelPrediction, study::CrossValidation};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// A genre that fewer titles have is not in the figures.
pub const MIN_POSITIVES: usize = 10;
/// From so many words on, up to the next.
const WORDS: [usize; 6] = [0, 30, 60, 120, 200, 300];

/// One borrowed modality.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BorrowedReport {
    /// Its name.
    pub modality: String,
    /// The modality in whose place it is put.
    pub from: String,
    /// Titles that have it and of which it says something.
    pub num_titles: usize,
    /// By it alone, over the genres that ten of them have.
    pub headline: Headline<Interval>,
    /// The same genres by their shares alone.
    pub prior_map: f64,
    /// The genres of the figures.
    pub genres: Vec<BorrowedGenre>,
    /// Texts by their number of words; empty for pictures.
    pub by_words: Vec<WordsRow>,
    /// On the titles that have modalities of the head's own as well.
    pub beside: Option<BesideRow>,
}

/// One genre by a borrowed modality alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BorrowedGenre {
    /// Its name.
    pub name: String,
    /// Titles with it.
    pub positives: usize,
    /// Average precision of the calibrated probabilities.
    pub average_precision: f64,
    /// Share of the titles with it.
    pub prevalence: f64,
    /// Tags.
    pub decided: usize,
    /// Tags that are right.
    pub right: usize,
    /// Folds whose model lets the genre vote.
    pub num_votes: usize,
}

/// Texts of about a length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WordsRow {
    /// Words at least.
    pub from: usize,
    /// Words at most; `None` without an end.
    pub to: Option<usize>,
    /// Titles.
    pub num_titles: usize,
    /// Titles without a tag.
    pub num_untagged: usize,
    /// Share of the tags that are right.
    pub precision: f64,
    /// Share of the genres that are found.
    pub recall: f64,
}

/// What a borrowed modality adds beside others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BesideRow {
    /// Titles with modalities of the head's own.
    pub num_titles: usize,
    /// Without borrowed modalities.
    pub without: Headline<f64>,
    /// With them.
    pub with: Headline<f64>,
    /// With less without.
    pub gain: Headline<PairedDifference>,
    /// Share of the evidence that counts beside the modality in whose place it is put: mean over
    /// folds.
    pub share_beside_from: f64,
    /// The same beside others.
    pub share_beside_others: f64,
}

/// Measures the borrowed modalities of a cross-validation; none where nothing was borrowed. The
/// groups of `config` are those of the outcome's titles.
#[must_use]
pub fn borrowed(
    data: &Dataset,
    outcome: &CrossValidation,
    config: &BootstrapConfig,
) -> Vec<BorrowedReport> {
    let Some(fold) = outcome.folds.first() else { return Vec::new() };
    let names = fold.spec.borrowed.iter().map(|own| (&own.name, &own.from));
    names.filter_map(|(name, from)| one(data, outcome, config, name, from)).collect()
}

fn one(
    data: &Dataset,
    outcome: &CrossValidation,
    config: &BootstrapConfig,
    name: &str,
    from: &str,
) -> Option<BorrowedReport> {
    let place = data.modalities.iter().position(|table| table.name == name)?;
    let table = &data.modalities[place];
    let prediction = &outcome.prediction;
    let (num_genres, modalities) = (data.num_genres(), data.modalities.len());
    let rows: Vec<usize> =
        (0..outcome.titles.len()).filter(|&row| table.present(outcome.titles[row])).collect();
    let alone = |row: usize, g: usize| (row * num_genres + g) * modalities + place;
    let speaks: Vec<usize> =
        rows.iter().copied().filter(|&row| prediction.seen_of(row)[place]).collect();
    let genres = common(data, outcome, &speaks);
    let shape = (speaks.len(), genres.len());
    let scores = Array2::from_shape_fn(shape, |(t, g)| {
        f64::from(prediction.unimodal[alone(speaks[t], genres[g])])
    });
    let decisions = Array2::from_shape_fn(shape, |(t, g)| {
        prediction.unimodal_decision[alone(speaks[t], genres[g])]
    });
    let labels = labels(data, outcome, &speaks, &genres);
    let num_votes = |g: usize| {
        let votes = outcome.folds.iter().flat_map(|fold| &fold.spec.borrowed);
        votes.filter(|own| own.name == name && own.votes[g].has_vote).count()
    };
    let of_genre = |(k, &g): (usize, &usize)| {
        let own: Vec<bool> = labels.column(k).to_vec();
        let positives = own.iter().filter(|&&label| label).count();
        let decided = decisions.column(k);
        BorrowedGenre {
            name: data.genres[g].clone(),
            positives,
            average_precision: average_precision(&scores.column(k).to_vec(), &own)
                .unwrap_or_default(),
            prevalence: positives as f64 / own.len().max(1) as f64,
            decided: decided.iter().filter(|&&decided| decided).count(),
            right: decided.iter().zip(&own).filter(|&(&decided, &label)| decided && label).count(),
            num_votes: num_votes(g),
        }
    };
    let found: Vec<BorrowedGenre> = genres.iter().enumerate().map(of_genre).collect();
    let table_of_alone = HeadlineTable::new(scores.view(), decisions.view(), labels.view());
    let by_words = match table.texts {
        None => Vec::new(),
        Some(_) => by_words(data, outcome, place, &rows, &|row, g| {
            prediction.unimodal_decision[alone(row, g)]
        }),
    };
    Some(BorrowedReport {
        modality: name.to_owned(),
        from: from.to_owned(),
        num_titles: speaks.len(),
        headline: headline_intervals(&table_of_alone, &config.on(&speaks)),
        prior_map: found.iter().map(|genre| genre.prevalence).sum::<f64>()
            / found.len().max(1) as f64,
        by_words,
        beside: beside(data, outcome, config, name, place),
        genres: found,
    })
}

/// The genres that enough of these titles have.
fn common(data: &Dataset, outcome: &CrossValidation, rows: &[usize]) -> Vec<usize> {
    let positives =
        |g: usize| rows.iter().filter(|&&row| data.labels_of(outcome.titles[row])[g]).count();
    (0..data.num_genres()).filter(|&g| positives(g) >= MIN_POSITIVES).collect()
}

fn labels(
    data: &Dataset,
    outcome: &CrossValidation,
    rows: &[usize],
    genres: &[usize],
) -> Array2<bool> {
    Array2::from_shape_fn((rows.len(), genres.len()), |(t, g)| {
        data.labels_of(outcome.titles[rows[t]])[genres[g]]
    })
}

fn by_words(
    data: &Dataset,
    outcome: &CrossValidation,
    place: usize,
    rows: &[usize],
    decided: &dyn Fn(usize, usize) -> bool,
) -> Vec<WordsRow> {
    let num_words =
        |row: usize| data.modalities[place].words(outcome.titles[row]).split_whitespace().count();
    let band = |(k, &from): (usize, &usize)| {
        let below = WORDS.get(k + 1).copied();
        let within = |&row: &usize| {
            let num = num_words(row);
            num >= from && below.is_none_or(|below| num < below)
        };
        let mut counts = Counts::default();
        let (mut num_titles, mut num_untagged) = (0, 0);
        for row in rows.iter().copied().filter(within) {
            num_titles += 1;
            let mut is_tagged = false;
            for (g, &label) in data.labels_of(outcome.titles[row]).iter().enumerate() {
                counts.add(decided(row, g), label, 1.0);
                is_tagged |= decided(row, g);
            }
            num_untagged += usize::from(!is_tagged);
        }
        WordsRow {
            from,
            to: below.map(|below| below - 1),
            num_titles,
            num_untagged,
            precision: counts.precision(),
            recall: counts.recall(),
        }
    };
    WORDS.iter().enumerate().map(band).filter(|row| row.num_titles > 0).collect()
}

/// Titles that have the modality and others of the head's own, with and without it.
fn beside(
    data: &Dataset,
    outcome: &CrossValidation,
    config: &BootstrapConfig,
    name: &str,
    place: usize,
) -> Option<BesideRow> {
    let bare = &outcome.bare;
    let num_genres = data.num_genres();
    // Where each stands among those without, and among all.
    let pairs: Vec<(usize, usize)> = bare
        .titles
        .iter()
        .enumerate()
        .filter_map(|(at, title)| Some((at, outcome.titles.binary_search(title).ok()?)))
        .filter(|&(_, row)| outcome.prediction.seen_of(row)[place])
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let rows: Vec<usize> = pairs.iter().map(|&(_, row)| row).collect();
    let genres = common(data, outcome, &rows);
    let labels = labels(data, outcome, &rows, &genres);
    let table = |prediction: &ModelPrediction, which: &dyn Fn(usize) -> usize| {
        let at = |t: usize, g: usize| which(t) * num_genres + genres[g];
        let scores = Array2::from_shape_fn(labels.dim(), |(t, g)| {
            f64::from(prediction.probability[at(t, g)])
        });
        let decisions = Array2::from_shape_fn(labels.dim(), |(t, g)| prediction.decision[at(t, g)]);
        (scores, decisions)
    };
    let with = table(&outcome.prediction, &|t| pairs[t].1);
    let without = table(&bare.prediction, &|t| pairs[t].0);
    let own = HeadlineTable::new(without.0.view(), without.1.view(), labels.view());
    let joined = HeadlineTable::new(with.0.view(), with.1.view(), labels.view());
    let folds = outcome.folds.iter().flat_map(|fold| &fold.spec.borrowed);
    let shares: Vec<(f64, f64)> = folds
        .filter(|borrowed| borrowed.name == name)
        .map(|borrowed| (borrowed.beside_from, borrowed.beside_others))
        .collect();
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| {
        shares.iter().map(of).sum::<f64>() / shares.len().max(1) as f64
    };
    Some(BesideRow {
        num_titles: rows.len(),
        without: own.weighted(|_| 1.0),
        with: joined.weighted(|_| 1.0),
        gain: headline_differences(&joined, &own, &config.on(&rows)),
        share_beside_from: mean(&|share| share.0),
        share_beside_others: mean(&|share| share.1),
    })
}

#[cfg(test)]
mod tests {
    use base::{Seed, TitleId};
    use dataset::{Content, ModalityTable};
    use eval::Platt;
    use learn::{
        LearnConfig,
        borrowed::{BorrowedModality, Vote},
        model::{Decisions, ModelSpec},
        study::{BareOutcome, cross_validate::FoldOutcome},
    };
    use store::Ragged;

    use super::*;

    const NUM_TITLES: usize = 40;

    fn table(has: impl Fn(usize) -> bool) -> Ragged {
        let mut rows = Ragged::new(1);
        for title in 0..NUM_TITLES {
            rows.push(if has(title) { &[0.0] } else { &[] }, &[]);
        }
        rows
    }

    /// Plots of the first ten titles; speech of all but the last, of 20 words where the number is
    /// even and of 150 where it is odd. Every second title has the first genre, none the second.
    fn data() -> Dataset {
        let words = |title: usize| "word ".repeat(if title.is_multiple_of(2) { 20 } else { 150 });
        let speech = Content::Rows(table(|t| t + 1 < NUM_TITLES));
        let words = (0..NUM_TITLES).map(|t| Some(words(t))).collect();
        Dataset {
            titles: (0..NUM_TITLES).map(|t| TitleId::new(&t.to_string())).collect(),
            genres: vec!["first".into(), "second".into()],
            labels: (0..NUM_TITLES).flat_map(|t| [t % 4 < 2, false]).collect(),
            label_weights: None,
            modalities: vec![
                ModalityTable::new("plot", Content::Rows(table(|t| t < 10))).into(),
                ModalityTable::text("speech", speech, words).into(),
            ],
        }
    }

    fn spec() -> ModelSpec {
        let decisions = Decisions {
            platt: vec![Platt::IDENTITY; 2],
            isotonic: Vec::new(),
            thresholds: vec![0.5; 2],
            at_precision: Vec::new(),
        };
        let vote =
            |has_vote: bool| Vote { positives: 0, average_precision: None, p: 0.0, has_vote };
        ModelSpec {
            head: "stacking".into(),
            genres: vec!["first".into(), "second".into()],
            modalities: vec!["plot".into(), "speech".into()],
            num_members: 1,
            num_titles: NUM_TITLES,
            fused: decisions.clone(),
            unimodal: vec![decisions.clone(), decisions],
            partial: Vec::new(),
            borrowed: vec![BorrowedModality {
                name: "speech".into(),
                from: "plot".into(),
                num_titles: 19,
                calibration: vec![Platt::IDENTITY; 2],
                votes: vec![vote(true), vote(false)],
                beside_from: 0.25,
                beside_others: 0.5,
            }],
            config: LearnConfig::default(),
        }
    }

    #[test]
    fn a_borrowed_modality_is_measured_where_it_speaks() {
        let data = data();
        let speaks = |t: usize| t % 2 == 1 && t + 1 < NUM_TITLES;
        // Right about every title that it speaks of but title 3.
        let says = |t: usize| speaks(t) && (data.labels_of(t)[0] != (t == 3));
        let mut prediction = ModelPrediction {
            num_genres: 2,
            num_modalities: 2,
            scored: (0..NUM_TITLES).map(|t| t < 10 || speaks(t)).collect(),
            ..ModelPrediction::default()
        };
        for t in 0..NUM_TITLES {
            prediction.seen.extend([t < 10, speaks(t)]);
            prediction.probability.extend([0.5, 0.1]);
            prediction.decision.extend([says(t), false]);
            let p = if says(t) { 0.9 } else { 0.2 };
            prediction.unimodal.extend([f32::NAN, p, f32::NAN, 0.1]);
            prediction.unimodal_decision.extend([false, says(t), false, false]);
        }
        let bare = ModelPrediction {
            probability: [0.5, 0.1].repeat(10),
            decision: vec![false; 20],
            ..prediction.clone()
        };
        let fold = |fold: u32| FoldOutcome {
            fold,
            num_train: 20,
            num_test: 20,
            spec: spec(),
            fusion_weights: None,
            logs: Vec::new(),
        };
        let outcome = CrossValidation {
            titles: (0..NUM_TITLES).collect(),
            fold_of: vec![0; NUM_TITLES],
            prediction,
            folds: vec![fold(0), fold(1)],
            partial: Vec::new(),
            bare: BareOutcome { titles: (0..10).collect(), prediction: bare },
        };
        let config = BootstrapConfig { num_resamples: 20, ..BootstrapConfig::new(Seed(1)) };
        let reports = borrowed(&data, &outcome, &config);
        let [report] = &reports[..] else { panic!("{reports:?}") };
        // 19 titles speak: 1, 5, … 37 have the genre, 3, 7, … 35 do not.
        assert_eq!(report.num_titles, 19);
        let [genre] = &report.genres[..] else { panic!("a genre of nobody counts") };
        assert_eq!((genre.positives, genre.decided, genre.right, genre.num_votes), (10, 11, 10, 2));
        assert!((genre.prevalence - 10.0 / 19.0).abs() < 1e-12);
        assert!((genre.average_precision - 10.0 / 11.0).abs() < 1e-12, "eleven are tied");
        assert!((report.headline.micro_f1.value - 20.0 / 21.0).abs() < 1e-12);
        let rows: Vec<_> = report.by_words.iter().map(|r| (r.from, r.to, r.num_titles)).collect();
        assert_eq!(rows, [(0, Some(29), 20), (120, Some(199), 19)]);
        assert_eq!(report.by_words[0].num_untagged, 20, "nothing under 30 words");
        assert_eq!(report.by_words[1].num_untagged, 8);
        assert!((report.by_words[1].precision - 10.0 / 11.0).abs() < 1e-12);
        // Fewer than ten titles have both and the genre: nothing to measure but their number.
        let beside = report.beside.as_ref().unwrap();
        assert_eq!((beside.num_titles, beside.share_beside_from), (5, 0.25));
        let nothing = CrossValidation { folds: Vec::new(), ..outcome };
        assert!(borrowed(&data, &nothing, &config).is_empty());
    }
}
