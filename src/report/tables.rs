//! The tables of an evaluation as CSV.

use eval::Headline;

use super::{
    EvaluationReport,
    csv::{Table, cell, header},
};

pub(super) fn tables(report: &EvaluationReport) -> Vec<Table> {
    let mut tables = vec![genres(report), systems(report), folds(report)];
    if report.operating_points.iter().any(|point| !point.genres.is_empty()) {
        tables.push(precisions(report));
    }
    if !report.errors.doubtful_labels.is_empty() {
        tables.push(doubtful_labels(report));
    }
    if !report.errors.confusions.is_empty() {
        tables.push(confusions(report));
    }
    tables
}

fn genres(report: &EvaluationReport) -> Table {
    let mut head = header(&[
        "genre",
        "support",
        "ir_lbl",
        "precision",
        "recall",
        "f1",
        "ap",
        "auc",
        "threshold",
    ]);
    head.extend(report.modalities.iter().map(|name| format!("ap_{name}_alone")));
    head.extend(header(&["ece", "ece_by_chance", "ece_by_chance_95"]));
    let rows = report.genres.iter().enumerate().map(|(g, genre)| {
        let m = &genre.metrics;
        let mut row = vec![genre.name.clone(), m.support.to_string()];
        row.push(cell(report.imbalance.ir_lbl.get(g).copied().flatten()));
        row.extend([m.precision, m.recall, m.f1].map(cell));
        row.extend([m.ap, m.auc].map(cell));
        row.push(cell(genre.threshold));
        row.extend(genre.alone_ap.iter().copied().map(cell));
        let by_chance = genre.reliability.by_chance;
        row.push(cell(genre.reliability.expected_calibration_error));
        row.extend([by_chance.map(|c| c.mean), by_chance.map(|c| c.high)].map(cell));
        row
    });
    Table { name: "report-genres", header: head, rows: rows.collect() }
}

/// What each precision that may be asked for comes to in each genre.
fn precisions(report: &EvaluationReport) -> Table {
    let columns =
        ["asked", "genre", "tags", "right", "precision", "low", "high", "p_value", "holm_p"];
    let points = report.operating_points.iter();
    let rows = points.flat_map(|point| {
        point.genres.iter().zip(&report.genres).map(|(kept, genre)| {
            let mut row = vec![cell(point.asked), genre.name.clone()];
            row.extend([kept.decided, kept.right].map(|count| count.to_string()));
            let precision = kept.precision;
            row.extend([precision.value, precision.low, precision.high].map(cell));
            row.extend([kept.p_value, kept.holm_p].map(cell));
            row
        })
    });
    Table { name: "report-precisions", header: header(&columns), rows: rows.collect() }
}

/// The fusion and each modality alone.
fn systems(report: &EvaluationReport) -> Table {
    let mut head = header(&["system", "titles_with_it"]);
    for (name, ()) in Headline::from_fn(|_| ()).entries().map(|(name, unit)| (name, *unit)) {
        let name = name.replace(' ', "_");
        head.extend([name.clone(), format!("{name}_low"), format!("{name}_high")]);
    }
    let fusion = ("fusion", report.fusion.num_titles, &report.intervals);
    let alone = report.alone.iter().map(|a| (a.modality.as_str(), a.num_present, &a.all));
    let rows = std::iter::once(fusion).chain(alone).map(|(name, num_titles, figures)| {
        let mut row = vec![name.to_owned(), num_titles.to_string()];
        row.extend(figures.entries().iter().flat_map(|(_, i)| [i.value, i.low, i.high].map(cell)));
        row
    });
    Table { name: "report-systems", header: head, rows: rows.collect() }
}

fn folds(report: &EvaluationReport) -> Table {
    let mut head = header(&["fold", "titles"]);
    head.extend(report.fold_mean.entries().map(|(name, _)| name.replace(' ', "_")));
    let rows = report.folds.iter().map(|fold| {
        let mut row = vec![fold.fold.to_string(), fold.num_titles.to_string()];
        row.extend(fold.headline.entries().map(|(_, value)| cell(*value)));
        row
    });
    Table { name: "report-folds", header: head, rows: rows.collect() }
}

fn doubtful_labels(report: &EvaluationReport) -> Table {
    let rows = report.errors.doubtful_labels.iter().map(|doubt| {
        vec![
            doubt.id.clone(),
            doubt.name.clone(),
            doubt.genre.clone(),
            doubt.labelled.to_string(),
            cell(doubt.probability),
        ]
    });
    Table {
        name: "report-doubtful-labels",
        header: header(&["id", "title", "genre", "labelled", "probability"]),
        rows: rows.collect(),
    }
}

fn confusions(report: &EvaluationReport) -> Table {
    let rows = report.errors.confusions.iter().map(|pair| {
        vec![
            pair.missed.clone(),
            pair.decided.clone(),
            pair.num_titles.to_string(),
            pair.num_missed.to_string(),
        ]
    });
    Table {
        name: "report-confusions",
        header: header(&["missed", "decided", "titles", "missed_titles"]),
        rows: rows.collect(),
    }
}
