//! Films that are in more than one fold: torn groups, and plots that are nearly the same.

use std::collections::{BTreeMap, HashMap};

use crate::Title;

/// Words in a shingle: five in a row are shared by chance only in set phrases.
const SHINGLE_WORDS: usize = 5;
/// Plots with fewer shingles are too short to tell.
const MIN_SHINGLES: usize = 8;
/// A shingle of more titles is a set phrase of the source, not of the film.
const MAX_TITLES: usize = 20;

/// A group with titles in several folds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornGroup {
    /// Its name.
    pub group: String,
    /// Its titles that are in a fold, ascending.
    pub titles: Vec<usize>,
}

/// Two titles in different folds with nearly the same plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearDuplicate {
    /// The one that comes first.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// Share of the shorter plot's shingles that are in the longer one too, 0..1.
    pub overlap: f64,
}

/// Groups with titles in more than one fold, by name. `fold_of` `[titles]`.
#[must_use]
pub fn torn_groups(titles: &[Title], fold_of: &[Option<u32>]) -> Vec<TornGroup> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (idx, title) in titles.iter().enumerate().filter(|(idx, _)| fold_of[*idx].is_some()) {
        if let Some(group) = title.group.as_deref() {
            groups.entry(group).or_default().push(idx);
        }
    }
    groups
        .into_iter()
        .filter(|(_, titles)| titles.iter().any(|&idx| fold_of[idx] != fold_of[titles[0]]))
        .map(|(group, titles)| TornGroup { group: group.to_owned(), titles })
        .collect()
}

/// Pairs of titles in different folds of whose plots the shorter one's shingles are to
/// `min_overlap` in the longer one, ascending. `fold_of` `[titles]`; titles without a fold, without
/// a plot or with a very short one are passed over.
#[must_use]
pub fn near_duplicates(
    titles: &[Title],
    fold_of: &[Option<u32>],
    min_overlap: f64,
) -> Vec<NearDuplicate> {
    let shingles: Vec<Vec<u64>> = titles
        .iter()
        .zip(fold_of)
        .map(|(title, fold)| match (&title.plot, fold) {
            (Some(plot), Some(_)) => shingles(plot),
            _ => Vec::new(),
        })
        .collect();
    let mut titles_of: HashMap<u64, Vec<usize>> = HashMap::new();
    for (idx, own) in shingles.iter().enumerate().filter(|(_, own)| own.len() >= MIN_SHINGLES) {
        for &shingle in own {
            titles_of.entry(shingle).or_default().push(idx);
        }
    }
    let mut shared: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for of_one in titles_of.values().filter(|of_one| of_one.len() <= MAX_TITLES) {
        for (k, &first) in of_one.iter().enumerate() {
            for &second in &of_one[k + 1..] {
                if fold_of[first] != fold_of[second] {
                    *shared.entry((first, second)).or_default() += 1;
                }
            }
        }
    }
    shared
        .into_iter()
        .map(|((first, second), shared)| {
            let shorter = shingles[first].len().min(shingles[second].len());
            NearDuplicate { first, second, overlap: shared as f64 / shorter as f64 }
        })
        .filter(|pair| pair.overlap >= min_overlap)
        .collect()
}

/// Hashes of all runs of five words, each once, ascending; letter case and punctuation aside.
fn shingles(text: &str) -> Vec<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut hashes: Vec<u64> = words
        .windows(SHINGLE_WORDS)
        .map(|words| {
            let mut hasher = DefaultHasher::new();
            words.hash(&mut hasher);
            hasher.finish()
        })
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

#[cfg(test)]
mod tests {
    use base::TitleId;

    use super::*;
    use crate::leaks::naming::tests::title;

    const PLOT: &str = "A retired thief is talked into one last job by the daughter of an old \
                        friend, and finds that the vault holds the letters of his own mother.";

    #[test]
    fn a_planted_copy_across_folds_is_found_and_within_a_fold_it_is_not() {
        let copy = format!("In this remake: {}", PLOT.to_uppercase());
        let other = "Two sisters run a lighthouse through a winter in which no ship comes, until \
                     a boat without oars drifts in with a child who speaks no word they know.";
        let titles = [title(Some(PLOT)), title(Some(other)), title(Some(&copy)), title(None)];
        let found = near_duplicates(&titles, &[Some(0), Some(1), Some(1), Some(0)], 0.5);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].first, found[0].second, found[0].overlap), (0, 2, 1.0));
        let same_fold = near_duplicates(&titles, &[Some(1), Some(0), Some(1), None], 0.5);
        assert_eq!(same_fold, []);
        let unused = near_duplicates(&titles, &[None, Some(0), Some(1), None], 0.5);
        assert_eq!(unused, []);
    }

    #[test]
    fn a_group_in_two_folds_is_found() {
        let mut titles = [title(None), title(None), title(None)];
        for (idx, group) in [(0, "saga"), (2, "saga"), (1, "whole")] {
            titles[idx].group = Some(group.to_owned());
            titles[idx].id = TitleId::new(&format!("t{idx}"));
        }
        let torn = torn_groups(&titles, &[Some(0), Some(1), Some(1)]);
        assert_eq!(torn, [TornGroup { group: "saga".to_owned(), titles: vec![0, 2] }]);
        assert_eq!(torn_groups(&titles, &[Some(1), Some(0), Some(1)]), []);
        assert_eq!(torn_groups(&titles, &[None, Some(0), Some(1)]), []);
    }
}
