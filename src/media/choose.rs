//! Which keyframes of a film: a given number, spread over its length.
//!
//! in: times in seconds, ascending; out: places in that list, ascending. Deterministic.

/// Keeps at most `num_keep` of the times so that they are spread evenly: again and again the
/// one is taken out whose neighbours are closest to each other. The first and the last stay;
/// of one only, the one nearest to the middle stays.
pub(super) fn spread(times: &[f64], num_keep: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..times.len()).collect();
    if num_keep == 0 {
        return Vec::new();
    }
    if num_keep == 1 {
        let middle = times.first().zip(times.last()).map_or(0.0, |(a, b)| f64::midpoint(*a, *b));
        return kept
            .into_iter()
            .min_by(|a, b| (times[*a] - middle).abs().total_cmp(&(times[*b] - middle).abs()))
            .into_iter()
            .collect();
    }
    while kept.len() > num_keep {
        let closest = (1..kept.len() - 1)
            .min_by(|a, b| gap(times, &kept, *a).total_cmp(&gap(times, &kept, *b)));
        kept.remove(closest.unwrap_or(kept.len() - 1));
    }
    kept
}

fn gap(times: &[f64], kept: &[usize], place: usize) -> f64 {
    times[kept[place + 1]] - times[kept[place - 1]]
}

/// Chooses `num_more` of `left_over` to stand in for frames that were refused: each time the
/// one that is farthest from all `kept` and from those chosen before.
pub(super) fn fill(kept: &[f64], left_over: &[f64], num_more: usize) -> Vec<usize> {
    if kept.is_empty() {
        return spread(left_over, num_more);
    }
    let mut distance: Vec<f64> = left_over
        .iter()
        .map(|time| kept.iter().map(|k| (k - time).abs()).fold(f64::INFINITY, f64::min))
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < num_more.min(left_over.len()) {
        let mut farthest = 0;
        for (place, far) in distance.iter().enumerate() {
            if *far > distance[farthest] {
                farthest = place;
            }
        }
        if distance[farthest] < 0.0 {
            break;
        }
        chosen.push(farthest);
        for (place, far) in distance.iter_mut().enumerate() {
            *far = far.min((left_over[place] - left_over[farthest]).abs());
        }
        distance[farthest] = -1.0;
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_times_stay_even() {
        let times: Vec<f64> = (0..=64).map(f64::from).collect();
        assert_eq!(spread(&times, 5), [0, 16, 32, 48, 64]);
        assert_eq!(spread(&times, 2), [0, 64]);
        assert_eq!(spread(&times, 1), [32]);
        assert_eq!(spread(&times, 0), [] as [usize; 0]);
        assert_eq!(spread(&times[..3], 9), [0, 1, 2]);
        assert_eq!(spread(&[], 4), [] as [usize; 0]);
    }

    #[test]
    fn a_crowd_of_cuts_does_not_take_the_places_of_the_rest() {
        let mut times: Vec<f64> = (0..10).map(|n| f64::from(n) * 10.0).collect();
        times.extend((0..50).map(|n| 41.0 + f64::from(n) * 0.1));
        times.sort_by(f64::total_cmp);
        let kept: Vec<f64> = spread(&times, 10).into_iter().map(|n| times[n]).collect();
        assert_eq!(kept, (0..10).map(|n| f64::from(n) * 10.0).collect::<Vec<_>>());
    }

    #[test]
    fn replacements_go_where_the_gap_is() {
        let left_over = [1.0, 2.0, 49.0, 50.0, 51.0, 98.0];
        assert_eq!(fill(&[0.0, 100.0], &left_over, 1), [3]);
        assert_eq!(fill(&[0.0, 100.0], &left_over, 99).len(), 6);
        assert_eq!(fill(&[], &left_over, 2), [0, 5]);
    }

    #[test]
    fn equal_times_are_no_trouble() {
        assert_eq!(spread(&[3.0; 5], 2).len(), 2);
        assert_eq!(fill(&[3.0], &[3.0; 4], 2).len(), 2);
    }
}
