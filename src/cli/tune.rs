//! `cinetag tune`: settings of the head, searched on inner folds.

use std::path::PathBuf;

use super::{Console, Failure, run::Common};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// TOML file: method (tpe, random, halving), trials, and a [space] of `[learn]` settings
    #[arg(long, value_name = "FILE")]
    space: PathBuf,
    /// The fold that no trial looks at
    #[arg(long, default_value_t = 0)]
    outer_fold: u32,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let pipeline = args.common.read()?;
    let run = args.common.options();
    let (space, fold) = (&args.space, args.outer_fold);
    let (found, path) = pipeline::tune(&pipeline, space, fold, &run, console, &console.interrupt)?;
    let mut trials: Vec<_> = found.trials.iter().collect();
    trials.sort_by(|a, b| b.budget.total_cmp(&a.budget).then(b.score.total_cmp(&a.score)));
    console.say(format!("{} trials on {} titles; the best:", trials.len(), found.num_inner));
    for trial in trials.iter().take(5) {
        let settings: Vec<String> =
            trial.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
        console.say(format!("  {:.4}  {}", trial.score, settings.join(", ")));
    }
    console.say("what mattered (share of the variance of the scores):");
    for (name, share) in &found.what_mattered {
        let bar = "█".repeat((30.0 * share).round() as usize);
        console.say(format!("  {name:<22} {share:.2} {bar}"));
    }
    for (name, f) in [("as it was", &found.before), ("tuned", &found.after)] {
        console.say(format!(
            "fold {}, {} titles, {name}: micro F1 {:.3}, macro F1 {:.3}, mAP {:.3}",
            found.outer_fold, found.num_outer, f.micro_f1, f.macro_f1, f.map
        ));
    }
    console.data(path.display().to_string());
    Ok(0)
}
