//! What the card says of a model's own word: the precision that it promises, its probabilities and
//! its reasons.

use std::fmt::Write as _;

use eval::Kept;
use report::{EvaluationReport, OperatingPoint};

/// All of it; `asked`: the precision that the pipeline asks for.
pub(super) fn figures(report: &EvaluationReport, asked: Option<f64>, out: &mut String) {
    for (k, point) in report.operating_points.iter().enumerate() {
        if is_shown(report, k, asked) {
            promises(report, point, out);
        }
    }
    shortfalls(report, out);
    calibration(report, out);
    reasons(report, out);
}

/// The precision that every card shows genre by genre; all others stand in the report.
const SHOWN: f64 = 0.9;

/// Whether the card has a table of the operating point at place `k`: the usual one, and the one
/// whose thresholds stand for the precision that was asked for.
fn is_shown(report: &EvaluationReport, k: usize, asked: Option<f64>) -> bool {
    let points = &report.operating_points;
    let first = |least: f64| points.iter().position(|point| point.asked >= least - 1e-9);
    first(SHOWN) == Some(k) || asked.and_then(first) == Some(k)
}

/// What a precision that was asked for comes to in each genre.
fn promises(report: &EvaluationReport, point: &OperatingPoint, out: &mut String) {
    let given = |kept: &Kept| kept.decided > 0;
    if !point.genres.iter().any(given) {
        return;
    }
    let _ = write!(
        out,
        "\nGenre by genre where {} is asked for, with Wilson's 95 % interval. Short: of ten \
         tags or more so few are right that chance gives it at most once in twenty where the \
         promise is kept (one-sided, binomial), and whether it is so after Holm over these \
         genres.\n\n| genre | tags | right | precision | short |\n\
         | --- | ---: | ---: | ---: | --- |\n",
        point.asked
    );
    let rows = report.genres.iter().zip(&point.genres);
    for (genre, kept) in rows.clone().filter(|(_, kept)| given(kept)) {
        let p = kept.precision;
        let short = match (kept.p_value, kept.is_short, kept.is_surely_short) {
            (None, ..) => "–",
            (_, _, true) => "**yes**",
            (_, true, _) => "yes, not after Holm",
            _ => "no",
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.2} ({:.2}–{:.2}) | {short} |",
            genre.name, kept.decided, kept.right, p.value, p.low, p.high
        );
    }
    let never: Vec<&str> =
        rows.filter(|(_, kept)| !given(kept)).map(|(genre, _)| genre.name.as_str()).collect();
    if !never.is_empty() {
        let _ = writeln!(out, "\nNever so sure: {}.", never.join(", "));
    }
}

/// Every genre that falls short of a precision that may be asked for.
fn shortfalls(report: &EvaluationReport, out: &mut String) {
    for point in &report.operating_points {
        let short = report.genres.iter().zip(&point.genres).filter(|(_, kept)| kept.is_short);
        let short: Vec<String> = short
            .map(|(genre, kept)| format!("{} ({} of {})", genre.name, kept.right, kept.decided))
            .collect();
        if !short.is_empty() {
            let _ =
                writeln!(out, "\nShort where {} is asked for: {}.", point.asked, short.join(", "));
        }
    }
}

/// How far stated probabilities lie from observed shares, and what chance alone gives.
fn calibration(report: &EvaluationReport, out: &mut String) {
    let pooled = &report.reliability;
    let Some(chance) = pooled.by_chance else { return };
    let _ = write!(
        out,
        "\nExpected calibration error {:.4}; probabilities that mean exactly what they say have \
         {:.4} on so many titles, in 95 of 100 draws at most {:.4}.",
        pooled.expected_calibration_error, chance.mean, chance.high
    );
    let above = report.genres.iter().filter(|genre| genre.reliability.is_above_chance);
    let above: Vec<String> = above
        .map(|genre| {
            let of = &genre.reliability;
            let high = of.by_chance.map_or(0.0, |chance| chance.high);
            format!(
                "{} ({:.4}, by chance up to {high:.4})",
                genre.name, of.expected_calibration_error
            )
        })
        .collect();
    let _ = match above.len() {
        0 => writeln!(out, " No genre lies above what chance gives it."),
        n => writeln!(
            out,
            " {n} of {} genres lie above what chance gives them, of which one in twenty would by \
             chance: {}.",
            report.genres.len(),
            above.join(", ")
        ),
    };
}

/// Which modality tags name first.
fn reasons(report: &EvaluationReport, out: &mut String) {
    if report.reasons.is_empty() {
        return;
    }
    out.push_str(
        "\nDo tags name the modality that knows the genre? Held-out titles that have all modalities \
         of the head's own, genres that 50 of them or more are given; average precision (AP) of a \
         modality alone is on the same titles. **Bold**: half of the tags or fewer, though its AP \
         is twice the next one's.\n\n\
         | genre | tags | knows it best | AP alone | next | AP alone | largest part in |\n\
         | --- | ---: | --- | ---: | --- | ---: | ---: |\n",
    );
    for row in &report.reasons {
        let share = format!("{:.0} %", 100.0 * row.best_is_largest);
        let share = if row.is_misnamed { format!("**{share}**") } else { share };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.2} | {} | {:.2} | {share} |",
            report.genres[row.genre].name,
            row.num_tags,
            report.modalities[row.best],
            row.best_ap,
            report.modalities[row.next],
            row.next_ap
        );
    }
}

#[cfg(test)]
mod tests {
    use eval::{ByChance, GenreMetrics, MainReason, PrCurve, shares};
    use report::{GenreReport, Reliability};

    use super::*;

    fn genre(name: &str, error: f64) -> GenreReport {
        let reliability = Reliability {
            expected_calibration_error: error,
            by_chance: Some(ByChance { mean: 0.006, high: 0.0092 }),
            is_above_chance: error > 0.0092,
            ..Reliability::default()
        };
        GenreReport {
            name: name.to_owned(),
            metrics: GenreMetrics::default(),
            prevalence: 0.1,
            threshold: 0.5,
            alone_ap: Vec::new(),
            fusion_weights: Vec::new(),
            curve: PrCurve::default(),
            reliability,
        }
    }

    #[test]
    fn the_card_says_where_a_promise_is_not_kept() {
        let point = |asked: f64, counts: &[(usize, usize)]| OperatingPoint {
            asked,
            genres: shares::kept(counts, asked),
            ..OperatingPoint::default()
        };
        let reason = |genre: usize, share: f64, is_misnamed: bool| MainReason {
            genre,
            num_tags: 75,
            best: 1,
            best_ap: 0.32,
            next: 0,
            next_ap: 0.05,
            best_is_largest: share,
            is_misnamed,
        };
        let report = EvaluationReport {
            genres: vec![genre("Family", 0.0175), genre("War", 0.004), genre("Music", 0.004)],
            modalities: vec!["poster".to_owned(), "plot".to_owned()],
            operating_points: vec![
                point(0.5, &[(4, 20), (2, 2), (30, 50)]),
                point(0.9, &[(90, 100), (0, 0), (8, 13)]),
                point(0.95, &[(0, 0), (0, 0), (0, 0)]),
            ],
            reliability: genre("all", 0.0042).reliability,
            reasons: vec![reason(0, 0.75, false), reason(1, 0.02, true)],
            ..EvaluationReport::default()
        };
        let mut out = String::new();
        figures(&report, None, &mut out);
        assert!(out.contains("| Family | 100 | 90 | 0.90 (0.83–0.94) | no |"), "{out}");
        assert!(out.contains("| Music | 13 | 8 | 0.62 (0.36–0.82) | **yes** |"), "{out}");
        assert!(out.contains("Never so sure: War."), "{out}");
        assert!(out.contains("Short where 0.5 is asked for: Family (4 of 20)."), "{out}");
        assert!(out.contains("1 of 3 genres lie above what chance gives them"), "{out}");
        assert!(out.contains("Family (0.0175, by chance up to 0.0092)."), "{out}");
        assert!(out.contains("| Family | 75 | plot | 0.32 | poster | 0.05 | 75 % |"), "{out}");
        assert!(out.contains("| War | 75 | plot | 0.32 | poster | 0.05 | **2 %** |"), "{out}");
        assert_eq!(out.matches("is asked for, with").count(), 1, "{out}");
        // What the pipeline asks for has a table of its own: 0.45 is kept by the thresholds for 0.5.
        let mut out = String::new();
        figures(&report, Some(0.45), &mut out);
        assert!(out.contains("| Family | 20 | 4 | 0.20 (0.08–0.42) | **yes** |"), "{out}");
        assert!(out.contains("| War | 2 | 2 | 1.00 (0.34–1.00) | – |"), "{out}");
        assert_eq!(out.matches("is asked for, with").count(), 2, "{out}");
    }
}
