//! The checks that are made on every evaluation: is anything held out known in training?

use catalog::{
    Catalog, Title,
    leaks::{names_own_genre, near_duplicates, torn_groups},
    split::Folds,
};
use learn::{
    LearnConfig, LearnError, TrainedModel, heads::FitContext, study::isolation::change_from_outside,
};
use report::LeakCheck;

use crate::table::Table;

/// Of the shorter plot's shingles so many are shared by near-duplicates.
const MIN_OVERLAP: f64 = 0.5;
/// More plots than this share name a genre of their own: the text gives the labels away.
const MAX_NAMING_SHARE: f64 = 0.05;
/// Titles that the check of fits trains on at most: what looks outside does so with any of them.
const MAX_CHECKED: usize = 1000;
/// Examples in words.
const NUM_EXAMPLES: usize = 3;

/// What was found.
pub(super) struct Leaks {
    pub(super) checks: Vec<LeakCheck>,
    /// `[catalog titles]`
    pub(super) names_genre: Vec<bool>,
}

/// Looks for every known leak. `fold_of` `[titles]`.
pub(super) fn look_for(
    catalog: &Catalog,
    folds: &Folds,
    table: &Table,
    learn: &LearnConfig,
    context: &FitContext<'_>,
) -> Result<Leaks, LearnError> {
    let titles = &catalog.titles;
    let names_genre = names_own_genre(titles, &catalog.vocabulary);
    let checks = vec![
        groups(titles, &folds.fold_of),
        duplicates(titles, &folds.fold_of),
        naming(titles, &folds.fold_of, &names_genre),
        outside(folds, table, learn, context)?,
    ];
    for check in checks.iter().filter(|check| check.found) {
        tracing::warn!("leak: {}: {}", check.name, check.detail);
    }
    Ok(Leaks { checks, names_genre })
}

fn check(name: &str, found: bool, detail: String) -> LeakCheck {
    LeakCheck { name: name.to_owned(), found, detail }
}

fn examples(of: impl Iterator<Item = String>) -> String {
    let shown: Vec<String> = of.take(NUM_EXAMPLES).collect();
    if shown.is_empty() { String::new() } else { format!(": {}", shown.join("; ")) }
}

fn groups(titles: &[Title], fold_of: &[Option<u32>]) -> LeakCheck {
    let torn = torn_groups(titles, fold_of);
    let names = torn.iter().map(|group| group.group.clone());
    check(
        "A group in two folds",
        !torn.is_empty(),
        format!("{} groups are torn{}", torn.len(), examples(names)),
    )
}

fn duplicates(titles: &[Title], fold_of: &[Option<u32>]) -> LeakCheck {
    let pairs = near_duplicates(titles, fold_of, MIN_OVERLAP);
    let names = pairs.iter().map(|pair| {
        let (a, b) = (&titles[pair.first], &titles[pair.second]);
        format!("{} {} and {} {} ({:.0} %)", a.id, a.name, b.id, b.name, 100.0 * pair.overlap)
    });
    check(
        "Near-duplicate plots across folds",
        !pairs.is_empty(),
        format!(
            "{} pairs share half of the shorter plot's five-word runs or more{}",
            pairs.len(),
            examples(names)
        ),
    )
}

fn naming(titles: &[Title], fold_of: &[Option<u32>], names_genre: &[bool]) -> LeakCheck {
    let takes_part = |t: &usize| fold_of[*t].is_some() && titles[*t].plot.is_some();
    let with_plot: Vec<usize> = (0..titles.len()).filter(takes_part).collect();
    let naming: Vec<usize> = with_plot.iter().copied().filter(|&t| names_genre[t]).collect();
    let share = naming.len() as f64 / with_plot.len().max(1) as f64;
    let names = naming.iter().map(|&t| format!("{} {}", titles[t].id, titles[t].name));
    check(
        "Plots that name a genre of their film",
        share > MAX_NAMING_SHARE,
        format!(
            "{} of {} plots ({:.1} %) do; more than {:.0} % would count as a leak{}",
            naming.len(),
            with_plot.len(),
            100.0 * share,
            100.0 * MAX_NAMING_SHARE,
            examples(names)
        ),
    )
}

/// Fits twice on titles outside the first fold, the second time with everything about all others
/// changed.
fn outside(
    folds: &Folds,
    table: &Table,
    learn: &LearnConfig,
    context: &FitContext<'_>,
) -> Result<LeakCheck, LearnError> {
    let all = folds.rows_outside(0);
    let num = all.len().min(MAX_CHECKED);
    let train: Vec<usize> = (0..num).map(|k| all[k * all.len() / num]).collect();
    let others: Vec<u32> = train.iter().filter_map(|&title| folds.fold_of[title]).collect();
    let short = learn.clone().with(|c| {
        c.members = 2;
        c.fusion.epochs = c.fusion.epochs.min(2);
    });
    let context =
        FitContext { inner_folds: &others, progress: &base::NoProgress, parts: None, ..*context };
    let change = change_from_outside(&table.data, &train, |data, train| {
        let model = TrainedModel::fit(data, train, &table.groups, &short, &context)?;
        Ok(model.predict(data, train)?.probability)
    })?;
    Ok(check(
        "Something fitted outside the fold",
        change > 0.0,
        format!(
            "with labels and content of the held-out titles changed, scores of the training titles \
             change by {change} (two short fits)"
        ),
    ))
}
