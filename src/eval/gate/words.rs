//! The gate's reasons, in words.

use super::{Change, Outcome, Verdict, Wanted};

/// What is shown to be worse; nothing where nothing is.
pub(super) fn worse(verdict: &Verdict) -> Vec<String> {
    let limits = &verdict.limits;
    let mut reasons = Vec::new();
    for (name, found, _) in figures(verdict) {
        if found.at_most < 0.0 {
            reasons.push(format!(
                "{name} is worse: {}, at most {:+.3} ({})",
                step(found),
                found.at_most,
                sure(verdict)
            ));
        }
    }
    for genre in &verdict.genres {
        for (figure, values, p) in
            [("F1", genre.f1, genre.f1_p), ("average precision", genre.ap, genre.ap_p)]
        {
            if values.new < values.old && p <= limits.genre_level {
                reasons.push(format!(
                    "{} is worse: {figure} {:.3} before, {:.3} now on {} titles with it (p {p:.3} by \
                     Holm over {} tests)",
                    genre.genre,
                    values.old,
                    values.new,
                    genre.num_positives,
                    2 * verdict.genres.len()
                ));
            }
        }
    }
    let calibration = verdict.calibration_error;
    if calibration.new - calibration.old > limits.calibration_rise {
        reasons.push(format!(
            "probabilities are worse calibrated: expected calibration error {:.3} before, {:.3} now; \
             {:.3} more is the limit",
            calibration.old, calibration.new, limits.calibration_rise
        ));
    }
    let tags = verdict.tags_per_title;
    if (tags.new - tags.old).abs() > limits.tags_frac * tags.old {
        reasons.push(format!(
            "tags per title: {:.2} before, {:.2} now; {:.0} % more or less is the limit",
            tags.old,
            tags.new,
            100.0 * limits.tags_frac
        ));
    }
    reasons
}

/// What is not shown to be no worse; nothing where all is.
pub(super) fn unsure(verdict: &Verdict) -> Vec<String> {
    let mut reasons = Vec::new();
    let (num, wanted) = (verdict.num_groups, verdict.limits.min_groups);
    if num < wanted {
        reasons.push(format!(
            "{num} pinned titles, or groups of them, are too few to promote anything: {wanted} are \
             the least"
        ));
    }
    for (name, found, drop) in figures(verdict) {
        if found.at_least <= -drop {
            reasons.push(format!(
                "{name} may have fallen by {drop:.3} or more: {}, at least {:+.3} ({})",
                step(found),
                found.at_least,
                sure(verdict)
            ));
        }
    }
    reasons
}

/// Why it may be promoted.
pub(super) fn no_worse(verdict: &Verdict) -> Vec<String> {
    let figures = figures(verdict).into_iter().map(|(name, found, drop)| {
        format!(
            "{name} has not fallen by {drop:.3}: {}, at least {:+.3} ({})",
            step(found),
            found.at_least,
            sure(verdict)
        )
    });
    let (num, positives) = (verdict.genres.len(), verdict.limits.genre_positives);
    let genres =
        format!("none of {num} genres with {positives} titles or more is shown to be worse");
    figures.chain([genres]).collect()
}

/// What would decide it.
pub(super) fn wanted(wanted: Wanted) -> String {
    let towards = match wanted.towards {
        Outcome::Refuse => "refused",
        Outcome::Promote | Outcome::Undecided => "promoted",
    };
    format!(
        "about {} more pinned titles would decide it; should the differences stay what they are, it would \
         be {towards}",
        wanted.more_titles
    )
}

fn figures(verdict: &Verdict) -> [(&'static str, &Change, f64); 2] {
    let limits = &verdict.limits;
    [("micro F1", &verdict.micro_f1, limits.micro_f1_drop), ("mAP", &verdict.map, limits.map_drop)]
}

fn step(found: &Change) -> String {
    format!("{:.3} before, {:.3} now, difference {:+.3}", found.old, found.new, found.difference)
}

fn sure(verdict: &Verdict) -> String {
    format!("one-sided {:.0} %", 100.0 * verdict.limits.level)
}
