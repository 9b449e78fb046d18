//! `cinetag bundle judge`: the gate, on titles that neither bundle was trained on.

use std::path::PathBuf;

use base::{DeviceChoice, Outputs, json};
use catalog::{Catalog, CatalogSpec, Hints, Opened, Title};
use encode::EncoderContext;
use eval::pinned::is_pinned;
use extract::{ExtractSettings, Session};
use store::FeatureStore;
use tag::{Bundle, Choice, Judged, Version};
use write::{TagJob, WriteError};

use super::{super::store::usual_folder, Console, Failure, Home, known};

#[derive(clap::Args)]
pub(in super::super) struct Args {
    /// The bundle's name
    name: String,
    /// The version, or the first digits of it; it is judged against the one that is current
    version: String,
    /// A catalog or library with genres that people decided on, on which neither version was trained;
    /// where both kept pinned titles aside, these alone are asked about, and it may be the same
    #[arg(long, value_name = "PATH")]
    on: PathBuf,
    #[command(flatten)]
    home: Home,
    /// File of the report: what `promote --report` takes
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Replace a report that is there, and is not cinetag's
    #[arg(long)]
    overwrite: bool,
    /// Where features are kept [default: the store of this folder's pipelines, else the user's cache]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Where networks run: auto, cpu, cuda[:N] or metal[:N]
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let versions = known(&args.home.folder()?, &args.name)?;
    let to = versions.find(&args.version)?;
    let from = versions.current()?.ok_or_else(|| {
        Failure::usage(
            format!("no version of {} is current, so there is nothing to judge by", args.name),
            format!("`cinetag bundle promote {} {to} --approve WHO` makes one current", args.name),
        )
    })?;
    let load = |version: &Version| Bundle::load(&versions.folder_of(version), args.device);
    let (old, new) = (load(&from)?, load(&to)?);
    let catalog = titles(args, [&old, &new], console)?;
    let mut outputs = Outputs::new(args.overwrite);
    outputs.reads(&args.on);
    let claim = args.report.as_deref().map(|path| outputs.claim(path)).transpose()?;

    let store = args.store.clone().map_or_else(usual_folder, Ok)?;
    let store = FeatureStore::open(&store);
    let context = EncoderContext { device: args.device, ..EncoderContext::default() };
    let settings = ExtractSettings { max_failed_frac: 1.0, ..ExtractSettings::default() };
    let session = |bundle: &Bundle| -> Result<Session, Failure> {
        Ok(Session::new(bundle.open_modalities(&context)?.into(), &store, &settings))
    };
    let (before, after) = (session(&old)?, session(&new)?);
    let choice = Choice::default();
    let job = |bundle, session| TagJob {
        titles: &catalog.titles,
        bundle,
        session,
        choice: &choice,
        tagged_at: None,
    };
    let verdict = write::judge(
        &job(&old, &before),
        &job(&new, &after),
        &catalog,
        console,
        &console.interrupt,
    )?;
    console.data(verdict.outcome.word());
    for reason in &verdict.reasons {
        console.say(format!("  {reason}"));
    }
    if let Some(claim) = claim {
        let path = claim.path().to_owned();
        let failed = |source| WriteError::File { path: path.clone(), source };
        let file = claim.begin().map_err(failed)?;
        let report = json::pretty(&Judged { from, to, verdict });
        std::fs::write(file.path(), report).map_err(failed)?;
        file.publish()?;
    }
    Ok(0)
}

/// The titles whose genres are all known.
fn titles(args: &Args, bundles: [&Bundle; 2], console: &Console) -> Result<Catalog, Failure> {
    let trained: Vec<CatalogSpec> =
        bundles.iter().map(|bundle| bundle.config.catalog.clone()).collect();
    let hints = Hints { trained: &trained, ..Hints::default() };
    let Opened { mut catalog, problems, file, .. } =
        catalog::open(std::slice::from_ref(&args.on), &hints)?;
    for problem in &problems {
        console.problem(problem);
    }
    let digest = catalog::digest(file.as_deref().unwrap_or(&args.on))?;
    let trained_on = bundles.map(|bundle| &bundle.config.trained_on);
    if trained_on.iter().all(|trained_on| trained_on.pinned_aside) {
        // Of the same library as it grows: those that neither was trained on.
        catalog.titles.retain(|title| is_pinned(title.group_name()));
    } else if let Some(bundle) =
        bundles.iter().find(|bundle| bundle.config.trained_on.catalog_sha256 == digest)
    {
        return Err(Failure::usage(
            format!("{} was trained on these titles, and knows them", bundle.model_name()),
            "give other titles, or train both with `pinned_aside = true` in the train stage",
        ));
    }
    let is_known = |title: &Title| title.labelled && title.unknown_genres.is_empty();
    catalog.titles.retain(is_known);
    if catalog.titles.is_empty() {
        return Err(Failure::usage(
            format!("{}: no title states genres that people decided on", args.on.display()),
            "give a catalog with a column of genres, or a library with NFO files",
        ));
    }
    Ok(catalog)
}
