//! The held-out figures as Markdown, for the model card.

use std::fmt::Write as _;

use dataset::Dataset;
use eval::Counts;
use learn::study::{CrossValidation, PartialOutcome};
use report::EvaluationReport;

use super::{borrowed, precisions::broken_by, trust};

/// Everything that was measured on titles that no model saw, in tables. `asked`: the precision that
/// the pipeline asks for.
pub(super) fn figures(
    report: &EvaluationReport,
    data: &Dataset,
    fusion: &CrossValidation,
    asked: Option<f64>,
) -> String {
    // Writing to a String cannot fail.
    let mut out = String::new();
    overall(report, &mut out);
    genres(report, &mut out);
    precisions(report, &mut out);
    trust::figures(report, asked, &mut out);
    partial(report, data, &fusion.partial, &mut out);
    borrowed::figures(report, &mut out);
    leaks(report, &mut out);
    out
}

fn overall(report: &EvaluationReport, out: &mut String) {
    let fusion = &report.fusion;
    let _ = write!(
        out,
        "{} titles, {}, split digest {}: micro F1 {:.3}, macro F1 {:.3}, weighted F1 {:.3}, \
         samples F1 {:.3}, mAP {:.3}.\n\n| held out | micro F1 | macro F1 | samples F1 | mAP |\n\
         | --- | ---: | ---: | ---: | ---: |\n",
        fusion.num_titles,
        report.provenance.split,
        &report.provenance.split_digest[..16.min(report.provenance.split_digest.len())],
        fusion.micro.f1,
        fusion.macro_avg.f1,
        fusion.weighted.f1,
        fusion.samples.f1,
        fusion.map,
    );
    let all = &report.intervals;
    let figures = [all.micro_f1, all.macro_f1, all.samples_f1, all.map];
    let cells = figures.map(|x| format!("{:.3} ({:.3}–{:.3})", x.value, x.low, x.high));
    let _ = writeln!(out, "| **the bundle** (95 % interval) | {} |", cells.join(" | "));
    let is_borrowed = |name: &str| report.borrowed.iter().any(|own| own.modality == name);
    let own = || report.alone.iter().filter(|alone| !is_borrowed(&alone.modality));
    for alone in own().filter(|_| own().count() > 1) {
        let all = &alone.all;
        let figures = [all.micro_f1, all.macro_f1, all.samples_f1, all.map];
        let cells = figures.map(|x| format!("{:.3}", x.value));
        let _ = writeln!(out, "| {} alone | {} |", alone.modality, cells.join(" | "));
    }
    if let Some(without) = &report.without_naming {
        let h = &without.headline;
        let cells = [h.micro_f1, h.macro_f1, h.samples_f1, h.map].map(|x| format!("{x:.3}"));
        let _ = writeln!(
            out,
            "| the {} titles whose plot does not name a genre of theirs | {} |",
            without.num_titles,
            cells.join(" | ")
        );
    }
}

fn genres(report: &EvaluationReport, out: &mut String) {
    out.push_str(
        "\n| genre | titles | precision | recall | F1 | AP | AP of the prior |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for genre in &report.genres {
        let m = &genre.metrics;
        let ap = m.ap.map_or_else(|| "–".to_owned(), |ap| format!("{ap:.2}"));
        let _ = writeln!(
            out,
            "| {} | {} | {:.2} | {:.2} | {:.2} | {ap} | {:.2} |",
            genre.name, m.support, m.precision, m.recall, m.f1, genre.prevalence
        );
    }
}

fn precisions(report: &EvaluationReport, out: &mut String) {
    if report.operating_points.is_empty() {
        return;
    }
    out.push_str(
        "\nWhat `--precision` gives on held-out titles:\n\n| asked | genres that reach it | \
         precision | recall | titles with a genre left to a person |\n\
         | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for point in &report.operating_points {
        let _ = writeln!(
            out,
            "| {:.2} | {} | {:.2} | {:.2} | {:.0} % |",
            point.asked,
            point.num_genres,
            point.precision,
            point.recall,
            100.0 * point.abstained
        );
    }
}

/// What titles are tagged with that show less.
fn partial(
    report: &EvaluationReport,
    data: &Dataset,
    partial: &[PartialOutcome],
    out: &mut String,
) {
    if partial.is_empty() {
        return;
    }
    out.push_str(
        "\nTitles that show less are tagged only where a tag halves the error of naming the genre \
         blindly. The same held-out titles with all else masked; short are genres with ten tags \
         or more that are right less often than that (one-sided, 5 %):\n\n\
         | seen | titles | genres ever given | precision | recall | titles without a tag | short |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    let genres = data.num_genres();
    for view in partial {
        let names = data.modalities.iter().zip(&view.present).filter(|(_, shown)| **shown);
        let names: Vec<&str> = names.map(|(table, _)| table.name.as_str()).collect();
        let mut counts = Counts::default();
        let mut given = vec![false; genres];
        let mut num_untagged = 0;
        for (&title, decided) in view.titles.iter().zip(view.decision.chunks(genres)) {
            for (g, (&decided, &label)) in decided.iter().zip(data.labels_of(title)).enumerate() {
                counts.add(decided, label, 1.0);
                given[g] |= decided;
            }
            num_untagged += usize::from(!decided.contains(&true));
        }
        // Borrowed modalities by themselves promise what their own settings say.
        let is_own = |name: &&str| !report.borrowed.iter().any(|own| own.modality == **name);
        let promised = names.iter().any(is_own);
        let broken = if promised { broken_by(view, data).join(", ") } else { "–".to_owned() };
        let _ = writeln!(
            out,
            "| {} alone | {} | {} of {genres} | {:.2} | {:.2} | {:.0} % | {broken} |",
            names.join(" + "),
            view.titles.len(),
            given.iter().filter(|&&given| given).count(),
            counts.precision(),
            counts.recall(),
            100.0 * num_untagged as f64 / view.titles.len().max(1) as f64
        );
    }
}

fn leaks(report: &EvaluationReport, out: &mut String) {
    if report.leaks.is_empty() {
        return;
    }
    out.push_str("\nWhat could make these figures too good was looked for:\n\n");
    for check in &report.leaks {
        let verdict = if check.found { "**found**" } else { "not found" };
        let _ = writeln!(out, "- {}: {verdict}. {}", check.name, check.detail);
    }
}
