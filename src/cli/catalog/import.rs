//! `cinetag catalog import`: one checked catalog of data as others keep it.

use std::path::PathBuf;

use base::{Outputs, json, nearest};
use catalog::{
    import::{self, CATALOG_FILE, DECISIONS_FILE, MEDIA_FOLDER, Origin, PARQUET_FILE},
    source,
};

use crate::{Console, Failure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The kind of source; `cinetag catalog sources` lists them
    kind: String,
    /// Its file or folder
    path: PathBuf,
    /// A further source whose titles are joined to these, by id, else by name, year and people;
    /// may be repeated
    #[arg(long = "with", value_name = "KIND=PATH")]
    with: Vec<String>,
    /// Folder for catalog.jsonl, catalog.parquet and decisions.json
    #[arg(long)]
    out: PathBuf,
    /// Replace files in that folder that others made or changed
    #[arg(long)]
    overwrite: bool,
    /// Print decisions.json
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let first = origin(&args.kind, args.path.clone())?;
    let mut others = Vec::new();
    for with in &args.with {
        let (kind, path) = with.split_once('=').ok_or_else(|| {
            Failure::usage(
                format!("--with must be KIND=PATH, got {with:?}"),
                "for example --with movielens=ml-32m",
            )
        })?;
        others.push(origin(kind, path.into())?);
    }
    let mut outputs = Outputs::new(args.overwrite);
    others.iter().chain([&first]).for_each(|origin| outputs.reads(&origin.path));
    let files = [CATALOG_FILE, PARQUET_FILE, DECISIONS_FILE];
    let _claim = outputs.claim_folder(&args.out, files, &[MEDIA_FOLDER])?;
    let decisions = import::import(&first, &others, &args.out)?;
    if args.json {
        console.data(json::line(&decisions));
    } else {
        console.data(decisions.to_string());
        console.say(format!(
            "in a pipeline: [catalog] path = {:?}",
            args.out.join(CATALOG_FILE).display().to_string()
        ));
    }
    Ok(console.rows_left_out(decisions.rows_left_out()))
}

fn origin(kind: &str, path: PathBuf) -> Result<Origin, Failure> {
    let source = source::find(kind).ok_or_else(|| {
        let names: Vec<_> = source::SOURCES.iter().map(|source| source.name()).collect();
        Failure::usage(format!("there is no kind of source {kind:?}"), nearest::mend(kind, names))
    })?;
    Ok(Origin { source, path })
}
