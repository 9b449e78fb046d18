//! `cinetag catalog export`: the data set as others can use it, with annotations, splits and its card.

use std::path::PathBuf;

use base::{Outputs, Seed, publish_bytes};
use catalog::{Severity, export};
use pipeline::Override;

use super::spec_of;
use crate::{Console, Failure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A pipeline file (its [catalog] is taken), or a catalog with the default column names, or a
    /// folder: its catalog, a media library or trailers
    path: PathBuf,
    /// With a pipeline: set a value of it, such as catalog.path=films.csv; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// Folder for titles.jsonl, titles.csv, titles.parquet, splits.csv and README.md
    #[arg(long)]
    out: PathBuf,
    /// Replace files in that folder that others made or changed
    #[arg(long)]
    overwrite: bool,
    /// In titles.csv, texts as they are: else those that begin like a formula (= + - @) get an
    /// apostrophe in front, so that no spreadsheet computes them
    #[arg(long)]
    raw_csv: bool,
    /// Number of folds; the catalog's own are kept where it has them
    #[arg(long, default_value_t = 5)]
    folds: u32,
    /// Seed of the folds
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let spec = spec_of(&args.path, &args.set)?;
    let mut outputs = Outputs::new(args.overwrite);
    for path in [&args.path, &spec.path] {
        outputs.reads(path);
    }
    let _claim = outputs.claim_folder(&args.out, export::FILES, &[])?;
    let (catalog, problems) = catalog::load(&spec)?;
    let rows_left_out = problems.iter().filter(|p| p.severity == Severity::Error).count();
    let exported = export::export(
        &spec,
        &catalog,
        problems,
        &args.out,
        args.folds,
        Seed(args.seed),
        args.raw_csv,
    )?;
    let plot = report::co_occurrence_svg(catalog.vocabulary.names(), &exported.co_occurrence);
    publish_bytes(&args.out.join(export::CO_OCCURRENCE_FILE), plot.as_bytes())?;
    console.data(format!(
        "{} titles, {} with genres, in {} folds: {}",
        exported.num_titles,
        exported.num_labelled,
        exported.num_folds,
        args.out.join(export::CARD_FILE).display()
    ));
    Ok(console.rows_left_out(rows_left_out))
}
