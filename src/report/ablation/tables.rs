//! The tables of an ablation as CSV.

use eval::{Headline, Interval};

use super::{AblationReport, Tested};
use crate::csv::{Table, cell, header};

/// Modalities joined by `+`.
fn subset(report: &AblationReport, uses: &[bool]) -> String {
    let names = report.modalities.iter().zip(uses).filter(|(_, used)| **used);
    names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("+")
}

fn interval_header(into: &mut Vec<String>) {
    for (name, ()) in Headline::from_fn(|_| ()).entries().map(|(name, unit)| (name, *unit)) {
        let name = name.replace(' ', "_");
        into.extend([name.clone(), format!("{name}_low"), format!("{name}_high")]);
    }
}

fn intervals(figures: &Headline<Interval>) -> impl Iterator<Item = String> {
    figures.entries().map(|(_, i)| [cell(i.value), cell(i.low), cell(i.high)]).into_iter().flatten()
}

pub(super) fn tables(report: &AblationReport) -> Vec<Table> {
    let mut tables = vec![systems(report), tests(report), genres(report)];
    tables.extend(shapley(report));
    if !report.missing.is_empty() {
        tables.push(missing(report));
    }
    tables
}

fn systems(report: &AblationReport) -> Table {
    let mut head = header(&["system", "head", "modalities"]);
    interval_header(&mut head);
    let rows = report.systems.iter().map(|system| {
        let mut row = vec![system.name.clone(), system.head.clone(), subset(report, &system.uses)];
        row.extend(intervals(&system.figures));
        row
    });
    Table { name: "ablation-systems", header: head, rows: rows.collect() }
}

fn tests(report: &AblationReport) -> Table {
    let header = header(&[
        "system",
        "figure",
        "reference_minus_system",
        "low",
        "high",
        "bootstrap_p",
        "randomisation_p",
        "holm_p",
        "methods_difference",
        "methods_low",
        "methods_high",
        "methods_p",
    ]);
    let mut rows = Vec::new();
    for system in &report.systems {
        for (figure, tested) in system.loss.iter().flat_map(Headline::entries) {
            let Tested { difference: d, bootstrap_p, randomisation_p, holm_p, methods } = *tested;
            let numbers = [d.value, d.low, d.high, bootstrap_p, randomisation_p, holm_p];
            let mut row = vec![system.name.clone(), figure.to_owned()];
            row.extend(numbers.map(cell));
            let over_folds = methods.map(|m| m.difference);
            row.extend(
                [
                    over_folds.map(|d| d.value),
                    over_folds.map(|d| d.low),
                    over_folds.map(|d| d.high),
                    methods.map(|m| m.p_value),
                ]
                .map(cell),
            );
            rows.push(row);
        }
    }
    Table { name: "ablation-tests", header, rows }
}

fn genres(report: &AblationReport) -> Table {
    let mut rows = Vec::new();
    for system in &report.systems {
        for (g, genre) in report.genres.iter().enumerate() {
            rows.push(vec![
                system.name.clone(),
                genre.clone(),
                cell(system.genre_ap[g]),
                cell(system.genre_f1[g]),
            ]);
        }
    }
    Table { name: "ablation-genres", header: header(&["system", "genre", "ap", "f1"]), rows }
}

fn shapley(report: &AblationReport) -> Option<Table> {
    let shapley = report.shapley.as_ref()?;
    let mut head = header(&["genre", "guess"]);
    head.extend(report.modalities.iter().cloned());
    let rows = report.genres.iter().zip(&shapley.guess).zip(&shapley.genres);
    let rows = rows.map(|((genre, guess), values)| {
        let mut row = vec![genre.clone(), cell(*guess)];
        row.extend(values.iter().copied().map(cell));
        row
    });
    Some(Table { name: "ablation-shapley", header: head, rows: rows.collect() })
}

fn missing(report: &AblationReport) -> Table {
    let mut head = header(&["present"]);
    interval_header(&mut head);
    let rows = report.missing.iter().map(|row| {
        let mut cells = vec![subset(report, &row.present)];
        cells.extend(intervals(&row.figures));
        cells
    });
    Table { name: "ablation-missing", header: head, rows: rows.collect() }
}
