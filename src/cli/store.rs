//! `cinetag store`: the feature store.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use store::{EncoderStore, FeatureStore};

use super::{Console, Failure};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List the encoders in the store with their shards, titles and failures
    Ls(StoreArgs),
    /// Read every byte and compare it with what was published
    Verify(VerifyArgs),
    /// List the sources without features and why
    Failures(FailuresArgs),
}

#[derive(clap::Args)]
pub(super) struct StoreArgs {
    /// Folder of the store [default: that of this folder's pipelines, else the user's cache]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// As JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct VerifyArgs {
    /// Folder of the store [default: that of this folder's pipelines, else the user's cache]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Set damaged files aside, so that their titles are computed again, and remove
    /// leftovers of processes that are gone
    #[arg(long)]
    repair: bool,
}

#[derive(clap::Args)]
pub(super) struct FailuresArgs {
    #[command(flatten)]
    common: StoreArgs,
    /// Only those with this reason code
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
}

pub(super) fn run(command: &Command, console: &Console) -> Result<u8, Failure> {
    match command {
        Command::Ls(args) => ls(args, console),
        Command::Verify(args) => verify(args, console),
        Command::Failures(args) => failures(args, console),
    }
}

/// The store of whoever names none: that of the pipelines in this folder, else the user's own.
pub(super) fn usual_folder() -> Result<PathBuf, Failure> {
    let here = pipeline::usual_store();
    if FeatureStore::open(&here).folder().is_dir() {
        return Ok(here);
    }
    let dirs = etcetera::choose_base_strategy().map_err(|_| {
        Failure::usage(
            "there is no home folder for the cache of features",
            "give one with --store DIR",
        )
    })?;
    Ok(dirs.cache_dir().join("cinetag").join("features"))
}

fn encoders(named: Option<&Path>, console: &Console) -> Result<Vec<EncoderStore>, Failure> {
    let folder = &named.map_or_else(usual_folder, |folder| Ok(folder.to_owned()))?;
    if !folder.is_dir() {
        return Err(Failure::usage(
            format!("{}: there is no such folder", folder.display()),
            "`--store DIR` names the folder of a feature store; `cinetag extract PIPELINE` fills one",
        ));
    }
    let encoders = FeatureStore::open(folder).encoders()?;
    if encoders.is_empty() {
        console.say(format!("{}: no features yet", folder.display()));
    }
    Ok(encoders)
}

fn name(encoder: &EncoderStore) -> String {
    format!("{}-{}", encoder.identity().name, encoder.identity().fingerprint)
}

fn ls(args: &StoreArgs, console: &Console) -> Result<u8, Failure> {
    for encoder in encoders(args.store.as_deref(), console)? {
        let summary = encoder.summary()?;
        let num_failed: usize = summary.failures.values().sum();
        if args.json {
            let line = serde_json::json!({
                "encoder": name(&encoder), "dim": encoder.identity().dim,
                "titles": summary.num_titles, "rows": summary.num_rows,
                "row_unit": encoder.identity().row_unit, "partial": summary.num_partial,
                "shards": summary.num_shards, "bytes": summary.num_bytes,
                "failures": summary.failures,
            });
            console.data(line.to_string());
        } else {
            console.data(format!(
                "{:<28} {:>7} titles {:>9} rows of {:<5} {:>5} shards {:>8.1} MB {:>6} failed",
                name(&encoder),
                summary.num_titles,
                summary.num_rows,
                encoder.identity().dim,
                summary.num_shards,
                summary.num_bytes as f64 / 1e6,
                num_failed
            ));
        }
    }
    Ok(0)
}

fn verify(args: &VerifyArgs, console: &Console) -> Result<u8, Failure> {
    let mut num_damaged = 0;
    for encoder in encoders(args.store.as_deref(), console)? {
        let report = encoder.verify()?;
        let num_titles: usize = report.shards.iter().map(|shard| shard.num_titles).sum();
        let word = if report.is_sound() { "sound" } else { "DAMAGED" };
        console.data(format!(
            "{:<28} {word:<8} {} shards, {num_titles} titles, {} failure logs, {} leftovers",
            name(&encoder),
            report.shards.len(),
            report.failure_logs.len(),
            report.leftovers.len()
        ));
        for file in report.damaged() {
            num_damaged += 1;
            console.data(format!(
                "  {}: {}",
                file.name,
                file.problem.as_deref().unwrap_or_default()
            ));
        }
        if args.repair {
            for path in encoder.repair(&report)? {
                console.say(format!("  set aside or removed: {}", path.display()));
            }
        }
    }
    if num_damaged > 0 && !args.repair {
        return Err(Failure::found(
            format!("{num_damaged} files of the store are damaged"),
            "`cinetag store verify --repair` sets them aside; the next extraction computes their \
             titles again",
        ));
    }
    Ok(0)
}

fn failures(args: &FailuresArgs, console: &Console) -> Result<u8, Failure> {
    if let Some(code) = &args.reason {
        super::run::known_reason(code)?;
    }
    for encoder in encoders(args.common.store.as_deref(), console)? {
        let index = encoder.index()?;
        for failure in index.failures() {
            if args.reason.as_ref().is_some_and(|code| *code != failure.code) {
                continue;
            }
            if args.common.json {
                let line = serde_json::json!({
                    "encoder": encoder.identity().name, "title": failure.title,
                    "code": failure.code, "detail": failure.detail, "source": failure.source,
                });
                console.data(line.to_string());
            } else {
                console.data(format!(
                    "{:<9} {:<18} {:<16} {}{}{}",
                    encoder.identity().name,
                    failure.title,
                    failure.code,
                    failure.source,
                    if failure.detail.is_empty() { "" } else { ": " },
                    failure.detail
                ));
            }
        }
    }
    Ok(0)
}
