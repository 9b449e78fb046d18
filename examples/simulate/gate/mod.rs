//! What the gate says of updates whose worth is known.
//!
//! Each draw divides the catalog's groups anew: films that the current bundle is trained on, films that an
//! update adds, and films that nobody trains on. Of these last as many as wanted are pinned; all of them
//! say what an update is worth in truth.

mod count;
mod update;

use cinetag::{
    base::Seed,
    dataset::Dataset,
    eval::{GateConfig, Verdict},
};

use super::films::{Films, Scored};
use count::Table;
use update::{KINDS, Kind};

/// Films that the current bundle is trained on.
const NUM_BASE: usize = 1_000;
/// Films that an update adds.
const NUM_NEW: usize = 1_000;
/// Pinned films.
const PINNED: [usize; 3] = [300, 600, 1_200];

pub(super) fn run(films: &Films, num_draws: usize, seed: Seed) {
    let mut tables: Vec<Table> = KINDS.iter().map(|_| Table::new(PINNED.len())).collect();
    for draw in 0..num_draws {
        let all = one_draw(films, seed.derive(&format!("draw {draw}")));
        for ((kind, table), found) in KINDS.iter().zip(&mut tables).zip(all) {
            let said: Vec<&str> = found.verdicts.iter().map(|v| v.outcome.word()).collect();
            let (num, worth, said) = (draw + 1, [found.micro_f1, found.map], said.join(" "));
            eprintln!("{num} of {num_draws}: {kind:?}, worth {worth:+.3?}: {said}");
            table.add(&found);
        }
    }
    println!("{NUM_BASE} films and {NUM_NEW} more\n");
    count::print(&KINDS, &tables, &PINNED);
}

/// What one update is worth in truth, and what the gate says with each number of pinned films.
struct Found {
    micro_f1: f64,
    map: f64,
    verdicts: Vec<Verdict>,
}

/// `[KINDS]`: one update of each kind.
fn one_draw(films: &Films, seed: Seed) -> Vec<Found> {
    let order = films.shuffled(seed);
    let (base, rest) = order.split_at(NUM_BASE);
    let (new, held_out) = rest.split_at(NUM_NEW);
    let config = GateConfig { num_resamples: 1_000, ..GateConfig::new(seed) };
    let scored = |data: &Dataset, train: &[usize], seed| {
        Scored::of(&films.model(data, train, &films.config, seed), data, held_out)
    };
    let current = scored(&films.data, base, seed.derive("current"));
    let update = |kind: &Kind| {
        let (data, train) = kind.update(&films.data, base, new, seed);
        let updated = scored(&data, &train, seed.derive("updated"));
        let truth = films.judged(&current, &updated, held_out, &config);
        let judge = |&num: &usize| {
            films.judged(&current.first(num), &updated.first(num), &held_out[..num], &config)
        };
        Found {
            micro_f1: truth.micro_f1.difference,
            map: truth.map.difference,
            verdicts: PINNED.iter().map(judge).collect(),
        }
    };
    KINDS.iter().map(update).collect()
}
