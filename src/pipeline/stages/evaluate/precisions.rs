//! What `--precision` comes to on held-out titles, in all and genre by genre.

use dataset::Dataset;
use eval::{
    Counts, shares,
    thresholds::{NEVER, USUAL_PRECISIONS},
};
use learn::{
    model::Decisions,
    study::{CrossValidation, PartialOutcome},
};
use report::OperatingPoint;

/// What each fold's thresholds for the usual precisions give on its held-out titles.
pub(super) fn operating_points(data: &Dataset, fusion: &CrossValidation) -> Vec<OperatingPoint> {
    USUAL_PRECISIONS
        .iter()
        .enumerate()
        .map(|(k, &asked)| operating_point(k, asked, data, fusion))
        .collect()
}

/// The usual precision at place `k`.
fn operating_point(
    k: usize,
    asked: f64,
    data: &Dataset,
    fusion: &CrossValidation,
) -> OperatingPoint {
    let genres = data.num_genres();
    let decisions_of = |t: usize| -> Option<&Decisions> {
        let own = fusion.folds.iter().find(|fold| fold.fold == fusion.fold_of[t])?;
        Some(own.spec.decisions_for(fusion.prediction.seen_of(t)))
    };
    let mut counts = Counts::default();
    let mut by_genre = vec![(0, 0); genres];
    let mut num_abstained = 0;
    for (t, &title) in fusion.titles.iter().enumerate() {
        let Some(decisions) = decisions_of(t) else { continue };
        let Some(at) = decisions.at_precision.get(k) else { continue };
        let mut abstains = false;
        for (g, &labelled) in data.labels_of(title).iter().enumerate() {
            let probability = f64::from(fusion.prediction.probability[t * genres + g]);
            let decided = probability >= at.thresholds[g].unwrap_or(NEVER);
            abstains |= !decided && probability >= decisions.thresholds[g];
            counts.add(decided, labelled, 1.0);
            by_genre[g].0 += usize::from(decided && labelled);
            by_genre[g].1 += usize::from(decided);
        }
        num_abstained += usize::from(abstains);
    }
    let reached = |g: &usize| {
        fusion.folds.iter().all(|fold| {
            fold.spec.fused.at_precision.get(k).is_some_and(|at| at.thresholds[*g].is_some())
        })
    };
    OperatingPoint {
        asked,
        num_genres: (0..genres).filter(reached).count(),
        precision: counts.precision(),
        recall: counts.recall(),
        abstained: num_abstained as f64 / fusion.titles.len().max(1) as f64,
        genres: shares::kept(&by_genre, asked),
    }
}

/// Genres of which titles that show less are given fewer right ones than tags promise, which is to
/// be wrong half as often as the genre named blindly: ten tags or more, one-sided, 5 %.
pub(super) fn broken_by(view: &PartialOutcome, data: &Dataset) -> Vec<String> {
    let genres = data.num_genres();
    let mut broken = Vec::new();
    for (g, name) in data.genres.iter().enumerate() {
        let labelled = |title: usize| data.labels_of(title)[g];
        let num_labelled = view.titles.iter().filter(|&&title| labelled(title)).count();
        let prior = num_labelled as f64 / view.titles.len().max(1) as f64;
        let tagged = (0..view.titles.len()).filter(|row| view.decision[row * genres + g]);
        let (right, decided) = tagged.fold((0, 0), |(right, decided), row| {
            (right + usize::from(labelled(view.titles[row])), decided + 1)
        });
        if shares::kept(&[(right, decided)], f64::midpoint(1.0, prior))[0].is_short {
            broken.push(format!("{name} ({right} of {decided})"));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use base::TitleId;

    use super::*;

    #[test]
    fn posters_alone_that_give_a_rare_genre_by_luck_are_told() {
        // 200 titles, two genres with ten each: 20 tags of each, of which 4 and 9 are right.
        let labelled = |g: usize, t: usize| t / 10 == g;
        let decided = |g: usize, t: usize| {
            let num_right = [4, 9][g];
            (g * 10..g * 10 + num_right).contains(&t) || (100..120 - num_right).contains(&t)
        };
        let both = |of: &dyn Fn(usize, usize) -> bool| -> Vec<bool> {
            (0..200).flat_map(|t| [of(0, t), of(1, t)]).collect()
        };
        let data = Dataset {
            titles: (0..200).map(|t| TitleId::new(&format!("t{t}"))).collect(),
            genres: vec!["Family".to_owned(), "Sport".to_owned()],
            labels: both(&labelled),
            label_weights: None,
            modalities: Vec::new(),
        };
        let view = PartialOutcome {
            present: Vec::new(),
            titles: (0..200).collect(),
            decision: both(&decided),
        };
        // 4 of 20 come by chance in 0.3 of 100 where 0.525 are right, 9 of 20 in 34.
        assert_eq!(broken_by(&view, &data), ["Family (4 of 20)"]);
    }
}
