//! What the gate says of updates whose worth is known, on a catalog's own films: `scripts/simulate_gate`,
//! docs/learn.md.
//!
//!     simulate_gate PIPELINE DRAWS [KEY=VALUE…]
//!
//! Each draw divides the catalog's groups anew: films that the current bundle is trained on, films that an
//! update adds, and films that nobody trains on. Of these last as many as wanted are pinned; all of them
//! say what an update is worth in truth. Features are read from the pipeline's store.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a measurement, not part of the program

mod count;
mod update;

use std::{env, path::Path};

use cinetag::{
    base::{DeviceChoice, Digest, Interrupt, NoProgress, Seed},
    catalog,
    dataset::Dataset,
    encode::EncoderContext,
    eval::{GateConfig, Groups, PinnedTest, Verdict, gate::judge, significance::Said},
    extract::OpenModalities,
    learn::{LearnConfig, TrainedModel, heads::FitContext},
    pipeline::Pipeline,
    store::FeatureStore,
};
use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;

use count::Table;
use update::{KINDS, Kind};

const SEED: Seed = Seed(7);
/// Films that the current bundle is trained on.
const NUM_BASE: usize = 1_000;
/// Films that an update adds.
const NUM_NEW: usize = 1_000;
/// Pinned films.
const PINNED: [usize; 3] = [300, 600, 1_200];

/// Films with what is known of them.
struct Films {
    data: Dataset,
    groups: Vec<usize>,
    config: LearnConfig,
}

/// Probabilities and decisions, `[titles, genres]`.
struct Scored(Array2<f64>, Array2<bool>);

fn main() {
    let mut args = env::args().skip(1);
    let usage = "usage: simulate_gate PIPELINE DRAWS [KEY=VALUE…]";
    let path = args.next().expect(usage);
    let num_draws: usize = args.next().and_then(|text| text.parse().ok()).expect(usage);
    let overrides: Vec<_> = args.map(|text| text.parse().expect(usage)).collect();
    let films = read(&Pipeline::read(Path::new(&path), &overrides).unwrap());
    let mut tables: Vec<Table> = KINDS.iter().map(|_| Table::new(PINNED.len())).collect();
    for draw in 0..num_draws {
        let all = films.draw(SEED.derive(&format!("draw {draw}")));
        for ((kind, table), found) in KINDS.iter().zip(&mut tables).zip(all) {
            let said: Vec<&str> = found.verdicts.iter().map(|v| v.outcome.word()).collect();
            let (num, worth, said) = (draw + 1, [found.micro_f1, found.map], said.join(" "));
            eprintln!("{num} of {num_draws}: {kind:?}, worth {worth:+.3?}: {said}");
            table.add(&found);
        }
    }
    println!(
        "{num_draws} draws, {NUM_BASE} films and {NUM_NEW} more, head {}\n",
        films.config.head
    );
    count::print(&KINDS, &tables, &PINNED);
}

fn read(pipeline: &Pipeline) -> Films {
    let (catalog, _) = catalog::load(&pipeline.catalog).unwrap();
    let modalities = OpenModalities::open(&pipeline.modality, &EncoderContext::default()).unwrap();
    let store = FeatureStore::open(&pipeline.run.store);
    let looked = modalities.stored(&catalog.titles, &store).unwrap();
    let data = looked.data.with_genres(catalog.vocabulary.names().to_vec(), catalog.labels());
    let labelled: Vec<usize> =
        (0..catalog.titles.len()).filter(|&title| catalog.titles[title].labelled).collect();
    assert_eq!(labelled.len(), catalog.titles.len(), "all films want labels");
    Films { data, groups: catalog.group_idxs(), config: pipeline.learn.clone() }
}

/// What one update is worth in truth, and what the gate says with each number of pinned films.
struct Found {
    micro_f1: f64,
    map: f64,
    verdicts: Vec<Verdict>,
}

impl Films {
    /// `[KINDS]`: one update of each kind.
    fn draw(&self, seed: Seed) -> Vec<Found> {
        let order = self.shuffled(seed);
        let (base, rest) = order.split_at(NUM_BASE);
        let (new, held_out) = rest.split_at(NUM_NEW);
        let config = GateConfig { num_resamples: 1_000, ..GateConfig::new(seed) };
        let current = self.scored(&self.data, base, held_out, seed.derive("current"));
        let update = |kind: &Kind| {
            let (data, films) = kind.update(&self.data, base, new, seed);
            let updated = self.scored(&data, &films, held_out, seed.derive("updated"));
            let truth = self.judged(&current, &updated, held_out, held_out.len(), &config);
            let judge = |&num: &usize| self.judged(&current, &updated, held_out, num, &config);
            Found {
                micro_f1: truth.micro_f1.difference,
                map: truth.map.difference,
                verdicts: PINNED.iter().map(judge).collect(),
            }
        };
        KINDS.iter().map(update).collect()
    }

    /// All films, groups in a random order and their films side by side: wherever it is divided, at most
    /// one group is cut.
    fn shuffled(&self, seed: Seed) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.groups.len()).collect();
        places.shuffle(&mut seed.rng("groups"));
        let mut films: Vec<usize> = (0..self.groups.len()).collect();
        films.sort_by_key(|&film| (places[self.groups[film]], film));
        films
    }

    /// What a bundle trained on `train`, as `data` labels it, says of other films.
    fn scored(&self, data: &Dataset, train: &[usize], films: &[usize], seed: Seed) -> Scored {
        let context = FitContext {
            device: DeviceChoice::Cpu,
            seed,
            inner_folds: &[],
            progress: &NoProgress,
            interrupt: &Interrupt::default(),
            parts: None,
        };
        let model = TrainedModel::fit(data, train, &self.groups, &self.config, &context).unwrap();
        let said = model.predict(data, films).unwrap();
        let shape = (films.len(), data.num_genres());
        let probabilities = said.probability.iter().map(|&p| f64::from(p)).collect();
        Scored(
            Array2::from_shape_vec(shape, probabilities).unwrap(),
            Array2::from_shape_vec(shape, said.decision).unwrap(),
        )
    }

    /// The gate on the first `num` of the films held out.
    fn judged(
        &self,
        current: &Scored,
        updated: &Scored,
        held_out: &[usize],
        num: usize,
        config: &GateConfig,
    ) -> Verdict {
        let rows: Vec<usize> = (0..num).collect();
        let part = |scored: &Scored| {
            Scored(scored.0.select(Axis(0), &rows), scored.1.select(Axis(0), &rows))
        };
        let (current, updated) = (part(current), part(updated));
        let labels = self.data.labels_matrix(&held_out[..num]);
        let test = PinnedTest {
            labels: labels.view(),
            groups: Groups::new(held_out[..num].iter().map(|&film| self.groups[film])),
            genres: &self.data.genres,
            digest: Digest::of_bytes(b"simulated"),
        };
        let [old, new] = [&current, &updated]
            .map(|scored| Said { scores: scored.0.view(), decisions: scored.1.view() });
        judge(old, new, &test, config)
    }
}
