//! What borrowed modalities reach, as Markdown for the model card.

use std::fmt::Write as _;

use eval::PairedDifference;
use learn::model::ModelSpec;
use report::{BorrowedReport, EvaluationReport};

/// A table for each borrowed modality, with its genres, lengths and what it adds.
pub(super) fn figures(report: &EvaluationReport, out: &mut String) {
    // Writing to a String cannot fail.
    for own in &report.borrowed {
        overall(own, out);
        genres(own, report.folds.len(), out);
        words(own, out);
        beside(own, out);
    }
}

/// What the model itself was found to borrow well: which genres vote, judged on all titles that
/// have the modality; empty where nothing is borrowed.
pub(in crate::stages) fn votes(spec: &ModelSpec) -> String {
    let mut out = String::new();
    for own in &spec.borrowed {
        let _ = writeln!(
            out,
            "\nGenres that `{}` votes for in this model, by {} titles that have it, out of fold: AP \
             of the evidence, and how often labels dealt out at random rank as well.\n\n\
             | {} | titles | AP | AP of the prior | chance | has a vote |\n\
             | --- | ---: | ---: | ---: | ---: | --- |",
            own.name, own.num_titles, own.name
        );
        for (genre, vote) in spec.genres.iter().zip(&own.votes) {
            let Some(ap) = vote.average_precision else { continue };
            let _ = writeln!(
                out,
                "| {genre} | {} | {ap:.2} | {:.2} | {:.3} | {} |",
                vote.positives,
                vote.positives as f64 / own.num_titles.max(1) as f64,
                vote.p,
                if vote.has_vote { "yes" } else { "no" }
            );
        }
    }
    out
}

fn overall(own: &BorrowedReport, out: &mut String) {
    let h = &own.headline;
    let cells = [h.micro_f1, h.macro_f1, h.samples_f1, h.map]
        .map(|x| format!("{:.3} ({:.3}–{:.3})", x.value, x.low, x.high));
    let _ = write!(
        out,
        "\n`{}` by itself, judged as if it were the {}: {} held-out titles, the {} genres that ten \
         or more of them have; calibration and thresholds from the other folds' titles with {0}. \
         Shares alone have mAP {:.3}.\n\n| | micro F1 | macro F1 | samples F1 | mAP |\n\
         | --- | ---: | ---: | ---: | ---: |\n| {0} alone (95 % interval) | {} |\n",
        own.modality,
        own.from,
        own.num_titles,
        own.genres.len(),
        own.prior_map,
        cells.join(" | ")
    );
}

fn genres(own: &BorrowedReport, num_folds: usize, out: &mut String) {
    let _ = writeln!(
        out,
        "\n| {} alone | titles | AP | AP of the prior | tags | right | has a vote |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        own.modality
    );
    for genre in &own.genres {
        let _ = writeln!(
            out,
            "| {} | {} | {:.2} | {:.2} | {} | {} | {} of {num_folds} folds |",
            genre.name,
            genre.positives,
            genre.average_precision,
            genre.prevalence,
            genre.decided,
            genre.right,
            genre.num_votes
        );
    }
}

fn words(own: &BorrowedReport, out: &mut String) {
    if own.by_words.is_empty() {
        return;
    }
    out.push_str(
        "\n| words | titles | precision | recall | titles without a tag |\n\
         | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in &own.by_words {
        let to = row.to.map_or_else(|| " and more".to_owned(), |to| format!("–{to}"));
        let _ = writeln!(
            out,
            "| {}{to} | {} | {:.2} | {:.2} | {:.0} % |",
            row.from,
            row.num_titles,
            row.precision,
            row.recall,
            100.0 * row.num_untagged as f64 / row.num_titles.max(1) as f64
        );
    }
}

fn beside(own: &BorrowedReport, out: &mut String) {
    let Some(row) = &own.beside else { return };
    let gain = |gain: &PairedDifference| {
        let d = gain.difference;
        format!("{:+.3}, {:+.3} to {:+.3}", d.value, d.low, d.high)
    };
    let _ = writeln!(
        out,
        "\nBeside what else is known of a title {} counts in part: {:.2} of its evidence where the \
         {} is there, {:.2} elsewhere. On the {} titles that have both: micro F1 {:.3} without, \
         {:.3} with it ({}); mAP {:.3} and {:.3} ({}).",
        own.modality,
        row.share_beside_from,
        own.from,
        row.share_beside_others,
        row.num_titles,
        row.without.micro_f1,
        row.with.micro_f1,
        gain(&row.gain.micro_f1),
        row.without.map,
        row.with.map,
        gain(&row.gain.map),
    );
}
