//! Shot boundaries that were found against those that there are.
//!
//! in: places of cuts, frames or seconds; out: [`Counts`].
//! source: the protocol of Baraldi et al. 2015 and Tang et al. 2018 (`ClipShots`), hard cuts: each
//! cut is matched with at most one that was found, within a tolerance.

use super::Counts;

/// Matches each place in `found` with the nearest in `cuts` that is free and not farther away than
/// `tolerance`. One without a partner is wrong, except in the intervals `neither` (both ends
/// included), where there is nothing to be right or wrong about.
#[must_use]
pub fn match_cuts(found: &[f64], cuts: &[f64], tolerance: f64, neither: &[[f64; 2]]) -> Counts {
    let mut counts = Counts::default();
    let mut left = cuts.to_vec();
    for at in found {
        let distance = |cut: &f64| (cut - at).abs();
        let nearest = (0..left.len())
            .min_by(|a, b| distance(&left[*a]).total_cmp(&distance(&left[*b])))
            .filter(|place| distance(&left[*place]) <= tolerance);
        if let Some(place) = nearest {
            left.remove(place);
            counts.true_positives += 1.0;
        } else if !neither.iter().any(|[from, to]| (*from..=*to).contains(at)) {
            counts.false_positives += 1.0;
        }
    }
    counts.false_negatives = left.len() as f64;
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_counts_once_and_intervals_count_neither_way() {
        let counts =
            match_cuts(&[10.0, 11.0, 41.0, 60.0, 80.0], &[10.0, 40.0, 70.0], 1.0, &[[58.0, 60.0]]);
        assert_eq!(
            (counts.true_positives, counts.false_positives, counts.false_negatives),
            (2.0, 2.0, 1.0)
        );
    }

    #[test]
    fn the_nearest_cut_is_taken_and_others_stay_free() {
        let counts = match_cuts(&[5.5, 5.0], &[5.0, 6.0], 1.0, &[]);
        assert_eq!((counts.true_positives, counts.false_negatives), (2.0, 0.0));
        assert_eq!(match_cuts(&[], &[], 1.0, &[]), Counts::default());
        assert_eq!(match_cuts(&[1.0], &[2.0], 1.0, &[]).f1(), 1.0);
        assert_eq!(match_cuts(&[1.0], &[2.1], 1.0, &[]).f1(), 0.0);
    }
}
