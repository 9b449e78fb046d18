//! `kind = "evaluate"`: cross-validates the head over the folds.

pub(super) mod borrowed;
mod card;
mod leaks;
mod precisions;
mod trust;

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use base::publish_bytes;
use catalog::{Catalog, split::Folds};
use dataset::Dataset;
use eval::{BootstrapConfig, Groups, Headline};
use learn::{
    LearnError,
    study::{CrossValidation, cross_validate},
};
use ndarray::{Array2, Array3};
use report::{
    Alone, EvaluationReport, Evidence, Provenance, RepeatRow, TitleFacts, TrainingCurve,
    held_out::{self, HeldOutTitle},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Context, Outcome, Stage, split};
use crate::{Lock, PipelineError, table::Table};

/// The figures, for the report stage.
pub(super) const FILE: &str = "evaluation.json";
/// The figures as a table for the model card.
pub(super) const CARD: &str = "figures.md";
/// How modalities alone and certainty are measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What stands for a modality alone.
    #[serde(default)]
    pub alone: AloneBy,
    /// Bootstrap resamples of titles for 95 % intervals.
    #[serde(default = "resamples")]
    pub resamples: usize,
}

fn resamples() -> usize {
    1000
}

/// What stands for a modality alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AloneBy {
    /// The head trained anew on this modality alone, on the same folds.
    #[default]
    Retrained,
    /// The modality's branch of the fusion, with calibration and thresholds of its own.
    Branch,
}

impl Stage for Settings {
    fn inputs(&self, context: &Context<'_>) -> Result<BTreeMap<String, Value>, PipelineError> {
        let mut inputs = context.learn_inputs()?;
        inputs.insert("name".to_owned(), json!(context.pipeline.run.name));
        Ok(inputs)
    }

    fn run(&self, context: &Context<'_>, _lock: &Lock) -> Result<Outcome, PipelineError> {
        let catalog = context.catalog()?;
        let table = Table::read(context)?;
        let folds = Folds::load(&context.file(split::FILE), catalog)?;
        let learn = &context.pipeline.learn;
        let cross = |data: &Dataset, folds: &Folds| {
            let fit = context.fit_context();
            cross_validate(data, &folds.fold_of, &table.groups, learn, &fit)
        };
        // A title that has nothing of what the head is fitted on stands in the figures of the
        // borrowed modalities and in no other.
        let own = |title: usize| {
            let tables = table.data.modalities.iter();
            tables.into_iter().any(|modality| {
                modality.present(title) && !learn.borrowed.contains_key(&modality.name)
            })
        };
        let whole = cross(&table.data, &folds)?;
        let groups = Groups::new(&table.groups);
        let bootstrap = BootstrapConfig {
            num_resamples: self.resamples,
            groups: groups.select(&whole.titles),
            ..BootstrapConfig::new(context.pipeline.run.seed.derive("bootstrap"))
        };
        let borrowed = report::borrowed(&table.data, &whole, &bootstrap);
        let fusion = if borrowed.is_empty() { whole } else { whole.only(own) };
        let mut alone = Vec::new();
        for (m, modality) in table.data.modalities.iter().enumerate() {
            let retrained = match self.alone {
                AloneBy::Branch => None,
                AloneBy::Retrained if learn.borrowed.contains_key(&modality.name) => None,
                AloneBy::Retrained => Some(cross(&table.data.with_modalities(&[m]), &folds)?),
            };
            alone.push(alone_of(m, &table.data, &fusion, retrained.as_ref()));
        }
        let mut evidence = self.evidence(context, catalog, &table.data, &folds, &fusion, alone);
        evidence.repeats = repeats(context, catalog, &table.data, &folds, &fusion, |folds| {
            let again = cross(&table.data, folds)?;
            Ok(if borrowed.is_empty() { again } else { again.only(own) })
        })?;
        evidence.borrowed = borrowed;
        evidence.groups = groups.select(&fusion.titles);
        let leaks = leaks::look_for(catalog, &folds, &table, learn, &context.fit_context())?;
        evidence.names_genre = fusion.titles.iter().map(|&t| leaks.names_genre[t]).collect();
        evidence.leaks = leaks.checks;
        let report = evidence.assemble()?;

        let path = context.file(FILE);
        let text = report::metrics_json(&report);
        publish_bytes(&path, text.as_bytes()).map_err(PipelineError::file(&path))?;
        let scores = context.file(held_out::FILE);
        let lines = held_out::lines(&held_out_titles(catalog, &table.data, &fusion));
        publish_bytes(&scores, lines.as_bytes()).map_err(PipelineError::file(&scores))?;
        let card = context.file(CARD);
        let figures = card::figures(&report, &table.data, &fusion, learn.decisions.precision);
        publish_bytes(&card, figures.as_bytes()).map_err(PipelineError::file(&card))?;
        Ok(Outcome {
            summary: summary(&context.pipeline.learn.head, &report),
            outputs: vec![path, scores, card],
            skipped: 0,
        })
    }
}

impl Settings {
    fn evidence(
        &self,
        context: &Context<'_>,
        catalog: &Catalog,
        data: &Dataset,
        folds: &Folds,
        fusion: &CrossValidation,
        alone: Vec<Alone>,
    ) -> Evidence {
        let run = &context.pipeline.run;
        let prediction = &fusion.prediction;
        let genres = data.num_genres();
        let num_folds = fusion.folds.len().max(1) as f64;
        let mean =
            |of: &dyn Fn(usize) -> f64| (0..fusion.folds.len()).map(of).sum::<f64>() / num_folds;
        let weights: Option<Vec<&Vec<f32>>> =
            fusion.folds.iter().map(|fold| fold.fusion_weights.as_ref()).collect();
        let catalog_name = context.pipeline.catalog.path.file_name().unwrap_or_default();
        Evidence {
            title: run.name.clone(),
            notes: Vec::new(),
            provenance: Provenance {
                catalog: catalog_name.to_string_lossy().into_owned(),
                split: format!("{} folds, groups kept whole", fusion.folds.len()),
                split_digest: folds.digest(catalog).to_string(),
                seed: Some(run.seed),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                settings: vec![
                    ("about".to_owned(), run.about.clone()),
                    ("head".to_owned(), context.pipeline.learn.head.clone()),
                    (
                        "modalities alone".to_owned(),
                        match self.alone {
                            AloneBy::Retrained => "the head trained anew on each, same folds",
                            AloneBy::Branch => "branches of the fusion, thresholds of their own",
                        }
                        .to_owned(),
                    ),
                    ("encoders".to_owned(), encoders(context)),
                ],
            },
            circumstances: report::Circumstances::default(),
            genres: data.genres.clone(),
            modalities: data.modalities.iter().map(|modality| modality.name.clone()).collect(),
            folds: fusion.fold_of.iter().map(|&fold| fold as usize).collect(),
            labels: data.labels_matrix(&fusion.titles),
            probabilities: matrix(&prediction.probability, genres),
            decisions: Array2::from_shape_fn((fusion.titles.len(), genres), |(t, g)| {
                prediction.decision[t * genres + g]
            }),
            thresholds: (0..genres)
                .map(|g| mean(&|fold| fusion.folds[fold].spec.fused.thresholds[g]))
                .collect(),
            present: Array2::from_shape_fn(
                (fusion.titles.len(), data.modalities.len()),
                |(t, m)| data.modalities[m].present(fusion.titles[t]),
            ),
            alone,
            fusion_weights: weights.map(|weights| {
                Array2::from_shape_fn((genres, data.modalities.len()), |(g, m)| {
                    let at = g * data.modalities.len() + m;
                    mean(&|fold| f64::from(weights[fold][at]))
                })
            }),
            training: fusion
                .folds
                .iter()
                .flat_map(|fold| {
                    fold.logs.iter().enumerate().map(move |(member, log)| {
                        TrainingCurve::new(format!("fold {} member {member}", fold.fold), log)
                    })
                })
                .collect(),
            titles: fusion.titles.iter().map(|&t| facts(catalog, t)).collect(),
            contributions: Array3::from_shape_vec(
                (fusion.titles.len(), genres, data.modalities.len()),
                prediction.contributions.iter().map(|&part| f64::from(part)).collect(),
            )
            .ok(),
            uncalibrated: Some(matrix(&prediction.uncalibrated, genres)),
            operating_points: precisions::operating_points(data, fusion),
            num_resamples: self.resamples,
            seed: Some(run.seed.derive("bootstrap")),
            ..Evidence::default()
        }
    }
}

fn facts(catalog: &Catalog, title: usize) -> TitleFacts {
    let title = &catalog.titles[title];
    TitleFacts {
        id: title.id.to_string(),
        name: title.name.clone(),
        year: title.year,
        plot: title.plot.clone(),
    }
}

/// The further cross-validations that the split stage asks for, with the first before them; none
/// where it asks for none.
fn repeats(
    context: &Context<'_>,
    catalog: &Catalog,
    data: &Dataset,
    folds: &Folds,
    fusion: &CrossValidation,
    cross: impl Fn(&Folds) -> Result<CrossValidation, LearnError>,
) -> Result<Vec<RepeatRow>, PipelineError> {
    let row = |folds: &Folds, outcome: &CrossValidation| {
        let prediction = &outcome.prediction;
        let shape = (outcome.titles.len(), data.num_genres());
        let decisions = Array2::from_shape_vec(shape, prediction.decision.clone());
        let scores = matrix(&prediction.probability, data.num_genres());
        let labels = data.labels_matrix(&outcome.titles);
        RepeatRow {
            split_digest: folds.digest(catalog).to_string(),
            headline: Headline::compute(
                scores.view(),
                decisions.unwrap_or_default().view(),
                labels.view(),
            ),
        }
    };
    let mut rows = Vec::new();
    for repeat in 1..split::num_repeats(context.pipeline) {
        let other = Folds::load(&context.file(&split::file(repeat)), catalog)?;
        rows.push(row(&other, &cross(&other)?));
    }
    if !rows.is_empty() {
        rows.insert(0, row(folds, fusion));
    }
    Ok(rows)
}

fn encoders(context: &Context<'_>) -> String {
    context.modalities().map_or_else(|_| String::new(), |open| open.description().to_string())
}

fn matrix(values: &[f32], num_genres: usize) -> Array2<f64> {
    Array2::from_shape_fn((values.len() / num_genres.max(1), num_genres), |(t, g)| {
        f64::from(values[t * num_genres + g])
    })
}

/// One modality alone on the held-out titles; where it is missing, the genre's share among
/// the other folds' titles, and no decision.
fn alone_of(
    modality_idx: usize,
    data: &Dataset,
    fusion: &CrossValidation,
    retrained: Option<&CrossValidation>,
) -> Alone {
    let genres = data.num_genres();
    let modalities = data.modalities.len();
    let labels = data.labels_matrix(&fusion.titles);
    let prior = |t: usize, g: usize| {
        let others = (0..fusion.titles.len()).filter(|&o| fusion.fold_of[o] != fusion.fold_of[t]);
        let (num, with) = others.fold((0_usize, 0_usize), |(num, with), o| {
            (num + 1, with + usize::from(labels[[o, g]]))
        });
        with as f64 / num.max(1) as f64
    };
    let mut priors: BTreeMap<(u32, usize), f64> = BTreeMap::new();
    let mut probabilities = Array2::zeros(labels.dim());
    let mut decisions = Array2::from_elem(labels.dim(), false);
    for t in 0..fusion.titles.len() {
        for g in 0..genres {
            let at = t * genres + g;
            let own = at * modalities + modality_idx;
            (probabilities[[t, g]], decisions[[t, g]]) = if !data.modalities[modality_idx]
                .present(fusion.titles[t])
                || !fusion.prediction.seen_of(t)[modality_idx]
            {
                let key = (fusion.fold_of[t], g);
                (*priors.entry(key).or_insert_with(|| prior(t, g)), false)
            } else if let Some(retrained) = retrained {
                let prediction = &retrained.prediction;
                (f64::from(prediction.probability[at]), prediction.decision[at])
            } else {
                let prediction = &fusion.prediction;
                (f64::from(prediction.unimodal[own]), prediction.unimodal_decision[own])
            };
        }
    }
    Alone { probabilities, decisions }
}

fn held_out_titles(
    catalog: &Catalog,
    data: &Dataset,
    fusion: &CrossValidation,
) -> Vec<HeldOutTitle> {
    let group = |title: usize| catalog.titles[title].group.as_ref();
    let mut sizes: HashMap<&String, usize> = HashMap::new();
    for name in fusion.titles.iter().filter_map(|&title| group(title)) {
        *sizes.entry(name).or_default() += 1;
    }
    let with = |which: &[bool]| -> Vec<String> {
        let genres = data.genres.iter().zip(which).filter(|(_, has)| **has);
        genres.map(|(genre, _)| genre.clone()).collect()
    };
    fusion
        .titles
        .iter()
        .enumerate()
        .map(|(t, &title)| {
            let range = fusion.prediction.genres_of(t);
            let probability = &fusion.prediction.probability[range.clone()];
            HeldOutTitle {
                id: data.titles[title].to_string(),
                fold: fusion.fold_of[t],
                group: group(title).filter(|&name| sizes[name] > 1).cloned(),
                labels: with(data.labels_of(title)),
                decided: with(&fusion.prediction.decision[range]),
                probability: data.genres.iter().cloned().zip(probability.iter().copied()).collect(),
            }
        })
        .collect()
}

/// In a sentence and a few rows.
fn summary(head: &str, report: &EvaluationReport) -> String {
    let row = |name: &str, micro: f64, macro_f1: f64, map: f64| {
        format!("\n{name:<16} micro F1 {micro:.3}  macro F1 {macro_f1:.3}  mAP {map:.3}")
    };
    let fusion = &report.fusion;
    let mut text = format!("held out, {} titles, {} folds", fusion.num_titles, report.folds.len());
    text += &row(head, fusion.micro.f1, fusion.macro_avg.f1, fusion.map);
    for alone in &report.alone {
        let name = format!("{} alone", alone.modality);
        let borrowed = report.borrowed.iter().find(|own| own.modality == alone.modality);
        let all = borrowed.map_or(&alone.all, |own| &own.headline);
        text += &row(&name, all.micro_f1.value, all.macro_f1.value, all.map.value);
        if let Some(own) = borrowed {
            // Writing to a String cannot fail.
            let _ = write!(text, "  ({} titles, {} genres)", own.num_titles, own.genres.len());
        }
    }
    text
}
