//! What goes wrong: genres taken for others, the worst titles, labels that may be wrong.
//!
//! in: held-out probabilities, decisions, labels `[titles, genres]`, what is known of the titles
//! out: [`ErrorAnalysis`]
//! source: Northcutt, Jiang & Chuang 2021, "Confident learning: estimating uncertainty in dataset
//! labels" (a label is doubted where a model that never saw it is surer of the contrary than it
//! is on average where the contrary is labelled)

use eval::{Averages, Metrics, ranking};
use ndarray::{ArrayView1, Axis};
use serde::{Deserialize, Serialize};

use super::{Evidence, evidence::positions};

const MAX_CONFUSIONS: usize = 15;
const MAX_WORST: usize = 10;
const MAX_DOUBTS: usize = 15;
/// Characters of a plot that are shown.
const PLOT_CHARS: usize = 240;

/// What goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorAnalysis {
    /// The commonest first.
    pub confusions: Vec<Confusion>,
    /// The worst first.
    pub worst: Vec<WorstTitle>,
    /// The most doubtful first.
    pub doubtful_labels: Vec<DoubtfulLabel>,
    /// By decade of release, ascending.
    pub by_decade: Vec<DecadeRow>,
}

/// A genre that was missed where another was decided wrongly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// The genre that titles have and that was not decided.
    pub missed: String,
    /// The one that was decided and that they have not.
    pub decided: String,
    /// Titles on which both happened.
    pub num_titles: usize,
    /// Titles on which the first was missed.
    pub num_missed: usize,
}

/// A title that was judged badly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstTitle {
    /// As in the catalog.
    pub id: String,
    /// Name and year.
    pub name: String,
    /// The beginning of its plot.
    pub plot: String,
    /// Its genres.
    pub labels: Vec<String>,
    /// The genres decided.
    pub decided: Vec<String>,
    /// Mean log loss over genres.
    pub log_loss: f64,
    /// The wrong decisions, the surest first.
    pub why: Vec<WrongDecision>,
}

/// One wrong decision with what spoke for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrongDecision {
    /// The genre.
    pub genre: String,
    /// Whether the title has it.
    pub labelled: bool,
    /// Its probability.
    pub probability: f64,
    /// Modality → its log-odds.
    pub contributions: Vec<(String, f64)>,
}

/// A label that may be wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoubtfulLabel {
    /// As in the catalog.
    pub id: String,
    /// Name and year.
    pub name: String,
    /// The genre.
    pub genre: String,
    /// Whether the title has it; else it may be lacking.
    pub labelled: bool,
    /// Its probability.
    pub probability: f64,
}

/// Titles of a decade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecadeRow {
    /// Its first year.
    pub decade: i32,
    /// Titles.
    pub num_titles: usize,
    /// Over all their decisions together.
    pub micro: Averages,
    /// Mean of the titles' F1.
    pub samples_f1: f64,
    /// Label ranking average precision.
    pub lrap: f64,
}

/// Looks at everything. Parts for which `evidence` has no facts of titles stay empty.
pub(super) fn analyse(evidence: &Evidence) -> ErrorAnalysis {
    ErrorAnalysis {
        confusions: confusions(evidence),
        worst: worst(evidence),
        doubtful_labels: doubtful_labels(evidence),
        by_decade: by_decade(evidence),
    }
}

fn confusions(evidence: &Evidence) -> Vec<Confusion> {
    let genres = evidence.genres.len();
    let mut both = vec![vec![0; genres]; genres];
    let mut missed = vec![0; genres];
    for (labels, decisions) in evidence.labels.rows().into_iter().zip(evidence.decisions.rows()) {
        let wrong = positions(genres, |g| decisions[g] && !labels[g]);
        for g in positions(genres, |g| labels[g] && !decisions[g]) {
            missed[g] += 1;
            for &h in &wrong {
                both[g][h] += 1;
            }
        }
    }
    let mut pairs: Vec<(usize, usize)> =
        (0..genres).flat_map(|g| (0..genres).map(move |h| (g, h))).collect();
    pairs.retain(|&(g, h)| both[g][h] > 0);
    pairs.sort_by(|a, b| both[b.0][b.1].cmp(&both[a.0][a.1]).then(a.cmp(b)));
    pairs.truncate(MAX_CONFUSIONS);
    pairs
        .into_iter()
        .map(|(g, h)| Confusion {
            missed: evidence.genres[g].clone(),
            decided: evidence.genres[h].clone(),
            num_titles: both[g][h],
            num_missed: missed[g],
        })
        .collect()
}

fn log_loss(probabilities: ArrayView1<'_, f64>, labels: ArrayView1<'_, bool>) -> f64 {
    let losses = probabilities.iter().zip(labels).map(|(&p, &label)| {
        let of_truth = if label { p } else { 1.0 - p };
        -of_truth.max(f64::MIN_POSITIVE).ln()
    });
    ranking::mean_of_defined(losses.map(Some))
}

fn named(evidence: &Evidence, title: usize) -> (String, String) {
    let facts = &evidence.titles[title];
    let name = match facts.year {
        Some(year) => format!("{} ({year})", facts.name),
        None => facts.name.clone(),
    };
    (facts.id.clone(), name)
}

fn worst(evidence: &Evidence) -> Vec<WorstTitle> {
    if evidence.titles.is_empty() {
        return Vec::new();
    }
    let rows = evidence.probabilities.rows().into_iter().zip(evidence.labels.rows());
    let losses: Vec<f64> = rows.map(|(p, l)| log_loss(p, l)).collect();
    let mut order: Vec<usize> = (0..losses.len()).collect();
    order.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
    order.truncate(MAX_WORST);
    order
        .into_iter()
        .map(|t| {
            let (id, name) = named(evidence, t);
            let (labels, decisions) = (evidence.labels.row(t), evidence.decisions.row(t));
            let names = |which: ArrayView1<'_, bool>| -> Vec<String> {
                positions(which.len(), |g| which[g])
                    .into_iter()
                    .map(|g| evidence.genres[g].clone())
                    .collect()
            };
            let sure = |g: usize| (evidence.probabilities[[t, g]] - 0.5).abs();
            let mut wrong = positions(labels.len(), |g| labels[g] != decisions[g]);
            wrong.sort_by(|&a, &b| sure(b).total_cmp(&sure(a)));
            wrong.truncate(3);
            let facts = &evidence.titles[t];
            WorstTitle {
                id,
                name,
                plot: shortened(facts.plot.as_deref().unwrap_or_default()),
                labels: names(labels),
                decided: names(decisions),
                log_loss: losses[t],
                why: wrong
                    .into_iter()
                    .map(|g| WrongDecision {
                        genre: evidence.genres[g].clone(),
                        labelled: labels[g],
                        probability: evidence.probabilities[[t, g]],
                        contributions: contributions(evidence, t, g),
                    })
                    .collect(),
            }
        })
        .collect()
}

/// Of the modalities that the title has.
fn contributions(evidence: &Evidence, title: usize, genre: usize) -> Vec<(String, f64)> {
    let Some(all) = &evidence.contributions else { return Vec::new() };
    let present = positions(evidence.modalities.len(), |m| evidence.present[[title, m]]);
    let named =
        present.into_iter().map(|m| (evidence.modalities[m].clone(), all[[title, genre, m]]));
    named.collect()
}

fn shortened(plot: &str) -> String {
    if plot.chars().count() <= PLOT_CHARS {
        return plot.to_owned();
    }
    plot.chars().take(PLOT_CHARS).chain(['…']).collect()
}

fn doubtful_labels(evidence: &Evidence) -> Vec<DoubtfulLabel> {
    if evidence.titles.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(f64, usize, usize)> = Vec::new();
    for (g, probabilities) in evidence.probabilities.columns().into_iter().enumerate() {
        let labels = evidence.labels.column(g);
        let mean_where = |wanted: bool| {
            let of = probabilities.iter().zip(labels).filter(|(_, l)| **l == wanted);
            ranking::mean_of_defined(of.map(|(p, _)| Some(*p)))
        };
        let (with, without) = (mean_where(true), mean_where(false));
        for (t, (&p, &label)) in probabilities.iter().zip(labels).enumerate() {
            // How much surer of the contrary than usual where the contrary is labelled.
            let (margin, room) =
                if label { (without - p, without) } else { (p - with, 1.0 - with) };
            if margin > 0.0 && room > 0.0 {
                found.push((margin / room, t, g));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    found.truncate(MAX_DOUBTS);
    found
        .into_iter()
        .map(|(_, t, g)| {
            let (id, name) = named(evidence, t);
            DoubtfulLabel {
                id,
                name,
                genre: evidence.genres[g].clone(),
                labelled: evidence.labels[[t, g]],
                probability: evidence.probabilities[[t, g]],
            }
        })
        .collect()
}

fn by_decade(evidence: &Evidence) -> Vec<DecadeRow> {
    let decade = |t: usize| evidence.titles[t].year.map(|year| year.div_euclid(10) * 10);
    let mut decades: Vec<i32> = (0..evidence.titles.len()).filter_map(decade).collect();
    decades.sort_unstable();
    decades.dedup();
    decades
        .into_iter()
        .map(|one| {
            let rows = positions(evidence.titles.len(), |t| decade(t) == Some(one));
            let metrics = Metrics::compute(
                evidence.probabilities.select(Axis(0), &rows).view(),
                evidence.decisions.select(Axis(0), &rows).view(),
                evidence.labels.select(Axis(0), &rows).view(),
            );
            DecadeRow {
                decade: one,
                num_titles: rows.len(),
                micro: metrics.micro,
                samples_f1: metrics.samples.f1,
                lrap: metrics.lrap,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TitleFacts;
    use ndarray::array;

    fn evidence() -> Evidence {
        let facts = |id: &str, year| TitleFacts {
            id: id.into(),
            name: id.to_uppercase(),
            year,
            plot: Some("é".repeat(500)),
        };
        Evidence {
            genres: vec!["Drama".into(), "War".into()],
            labels: array![[true, false], [true, false], [false, true], [true, false]],
            probabilities: array![[0.9, 0.1], [0.05, 0.97], [0.4, 0.6], [0.8, 0.2]],
            decisions: array![[true, false], [false, true], [false, true], [true, false]],
            titles: vec![
                facts("a", Some(1999)),
                facts("b", Some(2001)),
                facts("c", Some(2009)),
                facts("d", None),
            ],
            ..Evidence::default()
        }
    }

    #[test]
    fn a_planted_wrong_label_is_the_first_to_be_doubted() {
        let found = analyse(&evidence());
        assert_eq!(
            found.confusions,
            [Confusion {
                missed: "Drama".into(),
                decided: "War".into(),
                num_titles: 1,
                num_missed: 1
            }]
        );
        let worst = &found.worst[0];
        assert_eq!((worst.id.as_str(), worst.name.as_str()), ("b", "B (2001)"));
        assert_eq!(worst.plot.chars().count(), PLOT_CHARS + 1);
        assert!((worst.log_loss + f64::midpoint(0.05_f64.ln(), 0.03_f64.ln())).abs() < 1e-12);
        assert_eq!(worst.why[0].genre, "War");
        let doubts: Vec<_> = found
            .doubtful_labels
            .iter()
            .map(|d| (d.id.as_str(), d.genre.as_str(), d.labelled))
            .collect();
        assert_eq!(doubts[..2], [("b", "War", false), ("b", "Drama", true)]);
        let decades: Vec<_> = found.by_decade.iter().map(|d| (d.decade, d.num_titles)).collect();
        assert_eq!(decades, [(1990, 1), (2000, 2)]);
    }

    #[test]
    fn without_facts_only_confusions_are_told() {
        let found = analyse(&Evidence { titles: Vec::new(), ..evidence() });
        assert_eq!(found.confusions.len(), 1);
        assert!(found.worst.is_empty() && found.doubtful_labels.is_empty());
        assert!(found.by_decade.is_empty());
    }
}
