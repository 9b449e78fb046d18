//! How often the nominal 95 % interval of a figure, or of two systems' difference in it, covers what
//! it is of all titles there could be.

use cinetag::{
    base::Seed,
    eval::{BootstrapConfig, Bounds, Groups, Headline, headline::HeadlineTable},
};
use rayon::prelude::*;

use super::sample::{Sample, draw, header};

/// Titles whose figures stand for those of all.
const ALL: usize = 1_000_000;

/// What intervals are of.
const OF: [&str; 2] = ["figure", "difference"];
/// Ways to bound them.
const WAYS: [(&str, Bounds); 2] =
    [("percentile", Bounds::Percentile), ("bias-corrected", Bounds::BiasCorrected)];

/// Intervals of one figure.
#[derive(Clone, Copy, Debug, Default)]
struct Covered {
    /// That hold the figure of all titles.
    covers: usize,
    /// That lie above it.
    above: usize,
    /// That lie below it.
    below: usize,
}

/// `[OF][WAYS]`
type Table = [[Headline<Covered>; WAYS.len()]; OF.len()];

/// One setting.
#[derive(Clone, Copy)]
struct Setting {
    num_titles: usize,
    /// 1: titles have nothing to do with each other.
    group_size: usize,
    /// Groups are drawn, and not titles.
    draws_groups: bool,
}

/// The first system's figures and what it has over the second.
fn figures(sample: &Sample, tables: &[HeadlineTable<'_>; 2], counts: &[u32]) -> [Headline<f64>; 2] {
    assert_eq!(counts.len(), sample.labels.nrows());
    let [first, second] = [0, 1].map(|system| tables[system].weighted(|t| f64::from(counts[t])));
    [first, Headline::from_fn(|k| first.entries()[k].1 - second.entries()[k].1)]
}

fn tables(sample: &Sample) -> [HeadlineTable<'_>; 2] {
    [0, 1].map(|system| {
        let (scores, decisions) = (sample.scores[system].view(), sample.decisions[system].view());
        HeadlineTable::new(scores, decisions, sample.labels.view())
    })
}

/// The same of all titles.
fn truth(seed: Seed) -> [Headline<f64>; 2] {
    let sample = draw(ALL, 1, &mut seed.rng("all"));
    figures(&sample, &tables(&sample), &vec![1; ALL])
}

/// Draws `num_samples` samples of `setting` and counts.
fn coverage(truth: &[Headline<f64>; 2], setting: Setting, num_samples: usize, seed: Seed) -> Table {
    let all: Vec<Table> = (0..num_samples)
        .into_par_iter()
        .map(|k| one(truth, setting, seed.derive(&format!("sample {k}"))))
        .collect();
    std::array::from_fn(|of| {
        std::array::from_fn(|way| {
            Headline::from_fn(|k| {
                let found = all.iter().map(|table| table[of][way].entries()[k].1);
                found.fold(Covered::default(), |sum, one| Covered {
                    covers: sum.covers + one.covers,
                    above: sum.above + one.above,
                    below: sum.below + one.below,
                })
            })
        })
    })
}

fn one(truth: &[Headline<f64>; 2], setting: Setting, seed: Seed) -> Table {
    let Setting { num_titles, group_size, draws_groups } = setting;
    let sample = draw(num_titles, group_size, &mut seed.rng("titles"));
    let tables = tables(&sample);
    let groups = if draws_groups { sample.groups.clone() } else { Groups::default() };
    let config = BootstrapConfig { groups, ..BootstrapConfig::new(seed) };
    let value = figures(&sample, &tables, &vec![1; num_titles]);
    let draws: Vec<[Headline<f64>; 2]> = (0..config.num_resamples)
        .map(|k| figures(&sample, &tables, &config.draw(k, num_titles)))
        .collect();
    std::array::from_fn(|of| {
        WAYS.map(|(_, bounds)| {
            Headline::from_fn(|k| {
                let column = draws.iter().map(|draw| *draw[of].entries()[k].1).collect();
                let found = bounds.of(*value[of].entries()[k].1, column, config.level);
                let truth = *truth[of].entries()[k].1;
                let (above, below) = (truth < found.low, truth > found.high);
                Covered {
                    covers: usize::from(!above && !below),
                    above: usize::from(above),
                    below: usize::from(below),
                }
            })
        })
    })
}

/// Prints the table of all settings.
pub(super) fn print(num_samples: usize, seed: Seed) {
    println!(
        "Nominal 95 % intervals, {num_samples} samples; (above/below): per cent of intervals that \
         lie wholly above or below the truth.\n\n| of | titles | groups of | drawn | bounds |{}|",
        header()
    );
    println!("| --- | ---: | ---: | --- | --- |{}", " ---: |".repeat(6));
    let truth = truth(seed);
    for (num_titles, group_size, draws_groups) in
        [(300, 1, false), (300, 3, true), (1500, 1, false), (1500, 3, true), (1500, 3, false)]
    {
        let setting = Setting { num_titles, group_size, draws_groups };
        let own = seed.derive(&format!("{num_titles} {group_size}"));
        let table = coverage(&truth, setting, num_samples, own);
        let drawn = if draws_groups { "groups" } else { "titles" };
        for (of, by_way) in OF.iter().zip(&table) {
            for ((way, _), covered) in WAYS.iter().zip(by_way) {
                let cell = |c: &Covered| {
                    let percent = |count: usize| 100.0 * count as f64 / num_samples as f64;
                    format!(
                        " {:.3} ({:.0}/{:.0}) |",
                        c.covers as f64 / num_samples as f64,
                        percent(c.above),
                        percent(c.below)
                    )
                };
                let cells: String = covered.entries().iter().map(|(_, c)| cell(c)).collect();
                println!("| {of} | {num_titles} | {group_size} | {drawn} | {way} |{cells}");
            }
        }
    }
}
