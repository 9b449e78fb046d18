//! What each member of a team is worth: the Shapley value.
//!
//! in: the value of every subset of players (modalities)
//! out: one value a player; they sum to the value of all minus that of none
//! source: Shapley 1953, "A value for n-person games"

/// More players than anyone has modalities; every subset is asked for.
const MAX_PLAYERS: usize = 16;

/// The mean over all orders of arrival of what a player adds to those before it. `value` is
/// given the players of a subset as bits (bit `p`: player `p`).
///
/// # Panics
/// More than 16 players.
pub fn shapley_values(num_players: usize, value: impl Fn(u32) -> f64) -> Vec<f64> {
    assert!(num_players <= MAX_PLAYERS, "at most {MAX_PLAYERS} players, got {num_players}");
    let values: Vec<f64> = (0..1_u32 << num_players).map(value).collect();
    (0..num_players)
        .map(|player| {
            let bit = 1_u32 << player;
            (0..1_u32 << num_players)
                .filter(|subset| subset & bit == 0)
                .map(|subset| {
                    let gain = values[(subset | bit) as usize] - values[subset as usize];
                    gain * weight(num_players, subset.count_ones() as usize)
                })
                .sum()
        })
        .collect()
}

/// Share of the orders in which exactly these `before` players come before one of `players`:
/// `before! (players - before - 1)! / players!`.
fn weight(players: usize, before: usize) -> f64 {
    let binomial: f64 = (0..before).map(|k| (players - 1 - k) as f64 / (k + 1) as f64).product();
    1.0 / (players as f64 * binomial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_glove_game_by_hand() {
        // Players 0 and 1 have a left glove each, 2 the only right one: 1/6, 1/6, 4/6.
        let value = |s: u32| f64::from(u8::from(s & 4 != 0 && s & 3 != 0));
        let found = shapley_values(3, value);
        for (ours, exact) in found.iter().zip([1.0 / 6.0, 1.0 / 6.0, 4.0 / 6.0]) {
            assert!((ours - exact).abs() < 1e-15, "{found:?}");
        }
        assert_eq!(shapley_values(0, |_| 1.0), Vec::<f64>::new());
    }

    proptest! {
        #[test]
        fn values_sum_to_what_all_are_worth(values in prop::collection::vec(-1.0_f64..1.0, 16)) {
            let found = shapley_values(4, |s| values[s as usize]);
            prop_assert!((found.iter().sum::<f64>() - (values[15] - values[0])).abs() < 1e-12);
        }
    }
}
