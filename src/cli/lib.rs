//! The command line: one file per command. The only room that prints.
//!
//! Data goes to standard output, words and progress to standard error. Exit codes: 0 done,
//! 1 failed, 2 wrong command line, pipeline file or catalog, 3 done but titles were skipped,
//! 130 interrupted and resumable.

mod ablate;
mod bundle;
mod catalog;
mod compare;
mod console;
mod decode_worker;
mod doctor;
mod explain;
mod failure;
mod feedback;
mod learn;
mod lines;
mod modalities;
mod models;
mod run;
mod store;
mod tag;
mod tune;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use console::Console;
use failure::Failure;

/// Exit code: done, but titles were skipped.
const SKIPPED: u8 = 3;

/// Tags films with genres from what is in them: trailers, posters, plots and metadata.
#[derive(Parser)]
#[command(name = "cinetag", version, propagate_version = true, infer_subcommands = false)]
struct Cli {
    #[command(flatten)]
    console: console::Args,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a pipeline: every stage that is not fresh
    Run(run::Args),
    /// Run a pipeline up to its extraction: decode, encode, fill the feature store
    Extract(run::ExtractArgs),
    /// Run a pipeline up to its bundle: train on all labelled titles
    Train(run::KindArgs),
    /// Run a pipeline up to its cross-validation
    Evaluate(run::KindArgs),
    /// Train on every subset of the modalities: which is worth what, on which genres
    Ablate(ablate::Args),
    /// Search settings of the head on inner folds; writes a pipeline with the best
    Tune(tune::Args),
    /// Compare evaluated runs on the same titles, with paired tests
    Compare(compare::Args),
    /// Tag new titles with a bundle
    Tag(tag::Args),
    /// Learn a bundle of one's own from what people decided about a library; says what would come of it
    Learn(learn::Args),
    /// Learn such a bundle anew, with all that was decided since, and ask the gate
    Refit(learn::RefitArgs),
    /// One's own bundles and their versions: keep, promote, go back
    #[command(subcommand)]
    Bundle(bundle::Command),
    /// Why a title of a run gets its genres: modalities, moments, words
    Explain(explain::Args),
    /// Look at a catalog before anything is computed
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// People's answers about titles: take them into the log, and out of it
    #[command(subcommand)]
    Feedback(feedback::Command),
    /// Pretrained weights: what there is, get it, check it
    #[command(subcommand)]
    Models(models::Command),
    /// The feature store: what is in it, whether it is sound, what failed
    #[command(subcommand)]
    Store(store::Command),
    /// The modalities with their settings
    Modalities(modalities::Args),
    /// What this machine has: FFmpeg, HDF5, device, weights
    Doctor(doctor::Args),
    #[command(hide = true)]
    DecodeWorker(decode_worker::Args),
}

/// Runs the command line and gives the process' exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::refuse(&error),
    };
    if let Command::DecodeWorker(args) = &cli.command {
        return decode_worker::run(args);
    }
    let console = Console::new(&cli.console);
    let result = match &cli.command {
        Command::Run(args) => run::run(args, &console),
        Command::Extract(args) => run::extract(args, &console),
        Command::Train(args) => run::kind(args, "train", &console),
        Command::Evaluate(args) => run::kind(args, "evaluate", &console),
        Command::Ablate(args) => ablate::run(args, &console),
        Command::Tune(args) => tune::run(args, &console),
        Command::Compare(args) => compare::run(args, &console),
        Command::Tag(args) => tag::run(args, &console),
        Command::Learn(args) => learn::run(args, &console),
        Command::Refit(args) => learn::refit(args, &console),
        Command::Bundle(command) => bundle::run(command, &console),
        Command::Explain(args) => explain::run(args, &console),
        Command::Catalog(command) => catalog::run(command, &console),
        Command::Feedback(command) => feedback::run(command, &console),
        Command::Models(command) => models::run(command, &console),
        Command::Store(command) => store::run(command, &console),
        Command::Modalities(args) => modalities::run(args, &console),
        Command::Doctor(args) => doctor::run(args, &console),
        Command::DecodeWorker(_) => Ok(0),
    };
    match result {
        Ok(code) => {
            console.explain(code);
            ExitCode::from(code)
        }
        Err(failure) => {
            console.failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}
