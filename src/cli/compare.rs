//! `cinetag compare`: which of several runs is better, and whether it could be chance.

use std::path::PathBuf;

use base::{Seed, json};
use report::compare::{self, Comparison};

use super::{Console, Failure};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folders of evaluated runs; the first is what the others are compared with
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Resamples and draws behind intervals and tests
    #[arg(long, default_value_t = 1000)]
    resamples: usize,
    /// Seed of resamples and draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// All figures as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let found = compare::compare(&args.runs, args.resamples, Seed(args.seed))?;
    if args.json {
        console.data(json::pretty(&found).trim_end());
    } else {
        console.data(text(&found));
    }
    Ok(0)
}

/// Each run's figures with their differences to the first run's, then what they mean.
fn text(found: &Comparison) -> String {
    let groups = if found.num_groups < found.num_titles {
        format!(" in {} groups", found.num_groups)
    } else {
        String::new()
    };
    let mut lines =
        vec![format!("{} titles{groups}, split {}", found.num_titles, found.split_digest)];
    let width = found.runs.iter().map(|run| label(run).chars().count()).max().unwrap_or(0);
    for run in &found.runs {
        lines.push(format!("\n{:<width$}  value  95 % interval", label(run)));
        for (k, (name, i)) in run.figures.entries().into_iter().enumerate() {
            let against = run.gain.as_ref().map_or_else(String::new, |gain| {
                let t = gain.entries()[k].1;
                let methods = t
                    .methods
                    .map_or_else(String::new, |methods| format!(", {:.3} methods", methods.p_value));
                format!(
                    "  {:+.3} ({:+.3} to {:+.3})  p {:.3} bootstrap, {:.3} randomisation, {:.3} Holm\
                     {methods}",
                    t.difference.value,
                    t.difference.low,
                    t.difference.high,
                    t.bootstrap_p,
                    t.randomisation_p,
                    t.holm_p
                )
            });
            let (value, low, high) = (i.value, i.low, i.high);
            lines.push(format!("  {name:<12} {value:.3}  {low:.3}–{high:.3}{against}"));
        }
    }
    lines.push(String::new());
    lines.extend(found.notes.iter().cloned());
    lines.join("\n")
}

fn label(run: &compare::ComparedRun) -> String {
    format!("{} ({})", run.name, run.folder.display())
}
