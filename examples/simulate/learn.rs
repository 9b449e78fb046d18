//! What a library's own bundle is worth beside the bundle that it begins with and one of its own alone.
//!
//! Each draw divides the catalog's groups anew: films to be judged on, a library, and films that the prior
//! is trained on. Smaller libraries are parts of larger ones.

use std::sync::Arc;

use cinetag::{
    base::Seed,
    dataset::{Content, Dataset, ModalityTable},
    eval::{GateConfig, Verdict},
    learn::{LearnConfig, TrainedModel, config::PriorSettings},
    store::Ragged,
};

use super::films::{Films, Scored, spread};

const NUM_HELD_OUT: usize = 1_500;
const SIZES: [usize; 4] = [30, 100, 300, 1_000];
const PRIOR: &str = "prior";

/// What was said of one library: differences between its own bundle and the other two.
struct Found {
    to_prior: Verdict,
    to_own: Verdict,
}

pub(super) fn run(films: &Films, num_draws: usize, seed: Seed) {
    let mut found: Vec<Vec<Found>> = SIZES.iter().map(|_| Vec::new()).collect();
    for draw in 0..num_draws {
        let all = one_draw(films, seed.derive(&format!("draw {draw}")));
        for (size, (found, one)) in SIZES.iter().zip(found.iter_mut().zip(all)) {
            for (other, verdict) in [("prior", &one.to_prior), ("own", &one.to_own)] {
                eprintln!(
                    "{} of {num_draws}: {size} films, {:.3} / {:.3} against {other} {:+.3} [{:+.3}, {:+.3}] / \
                     {:+.3} [{:+.3}, {:+.3}]",
                    draw + 1,
                    verdict.micro_f1.new,
                    verdict.map.new,
                    verdict.micro_f1.difference,
                    verdict.micro_f1.at_least,
                    verdict.micro_f1.at_most,
                    verdict.map.difference,
                    verdict.map.at_least,
                    verdict.map.at_most,
                );
            }
            found.push(one);
        }
    }
    print(&found);
}

fn print(found: &[Vec<Found>]) {
    println!(
        "| films | figure | learned | less the prior | worse in | less its own alone | worse in |\n\
         | ---: | --- | ---: | ---: | ---: | ---: | ---: |"
    );
    for (size, found) in SIZES.iter().zip(found) {
        for (name, is_map) in [("micro F1", false), ("mAP", true)] {
            let change = |verdict: &Verdict| {
                let change = if is_map { &verdict.map } else { &verdict.micro_f1 };
                [change.new, change.difference, change.at_most]
            };
            let of = |verdict: fn(&Found) -> &Verdict| -> [String; 3] {
                let all: Vec<[f64; 3]> = found.iter().map(|one| change(verdict(one))).collect();
                let mean = all.iter().map(|one| one[0]).sum::<f64>() / all.len() as f64;
                let worse = all.iter().filter(|one| one[2] < 0.0).count();
                [
                    format!("{mean:.3}"),
                    spread(all.iter().map(|one| one[1])),
                    format!("{worse} of {}", all.len()),
                ]
            };
            let [learned, prior, worse_than_prior] = of(|one| &one.to_prior);
            let [_, own, worse_than_own] = of(|one| &one.to_own);
            println!(
                "| {size} | {name} | {learned} | {prior} | {worse_than_prior} | {own} | {worse_than_own} |"
            );
        }
    }
}

/// `[SIZES]`
fn one_draw(films: &Films, seed: Seed) -> Vec<Found> {
    let order = films.shuffled(seed);
    let (held_out, rest) = order.split_at(NUM_HELD_OUT);
    let (library, others) = rest.split_at(SIZES[SIZES.len() - 1]);
    let gate = GateConfig { num_resamples: 1_000, ..GateConfig::new(seed) };
    let prior = films.model(&films.data, others, &films.config, seed.derive("prior"));
    let by_prior = Scored::of(&prior, &films.data, held_out);
    let data = with_prior(&films.data, &prior);
    let thresholds = prior.spec().fused.thresholds.iter().copied().map(Some).collect();
    let settings = PriorSettings { thresholds, ..PriorSettings::of(PRIOR) };
    let config = LearnConfig { prior: Some(settings), ..films.config.clone() };
    let one = |&size: &usize| {
        let (library, seed) = (&library[..size], seed.derive("own"));
        let learned = films.model(&data, library, &config, seed);
        let learned = Scored::of(&learned, &data, held_out);
        let own = films.model(&films.data, library, &films.config, seed);
        let own = Scored::of(&own, &films.data, held_out);
        Found {
            to_prior: films.judged(&by_prior, &learned, held_out, &gate),
            to_own: films.judged(&own, &learned, held_out, &gate),
        }
    };
    SIZES.iter().map(one).collect()
}

/// The films with what a model says of them as a modality.
fn with_prior(data: &Dataset, prior: &TrainedModel) -> Dataset {
    let titles: Vec<usize> = (0..data.num_titles()).collect();
    let said = prior.predict(data, &titles).unwrap();
    let mut rows = Ragged::new(data.num_genres());
    for title in titles {
        rows.push(&said.logit[said.genres_of(title)], &[]);
    }
    let mut data = data.clone();
    data.modalities.push(Arc::new(ModalityTable::new(PRIOR, Content::Rows(rows))));
    data
}
