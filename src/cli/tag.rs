//! `cinetag tag`: genres for new titles.

use std::{io, path::PathBuf};

use super::{Console, Failure, SKIPPED};
use crate::{
    base::{DeviceChoice, publish_file},
    catalog::{self, CatalogSpec, Format},
    encode::EncoderContext,
    extract::{ExtractReport, ExtractSettings},
    store::FeatureStore,
    tag::{Bundle, TagError, TagFormat, TagSummary, TagWriter, tag_titles},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Trailers, posters, folders of them, or one catalog (.csv, .tsv, .jsonl)
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The bundle
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// File of the tags; standard output where none is given
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How tags are written: jsonl or csv [default: by the file's name, else jsonl]
    #[arg(long)]
    format: Option<TagFormat>,
    /// Where features are kept, so that a second run decodes nothing [default: the user's
    /// cache]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Titles worked on at once; 0: one per core
    #[arg(short, long, default_value_t = 0)]
    jobs: usize,
    /// Where networks run: auto, cpu, cuda[:N] or metal[:N]
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let bundle = Bundle::load(&args.bundle, args.device)?;
    for note in &bundle.config.notes {
        console.say(format!("note: {note}"));
    }
    let titles = titles(args, &bundle.config.catalog, console)?;
    let context = EncoderContext { device: args.device, weights_dir: None };
    let modalities = bundle.open_modalities(&context)?;
    let store = match &args.store {
        Some(folder) => FeatureStore::open(folder),
        None => FeatureStore::open(&default_store()?),
    };
    let settings = ExtractSettings {
        jobs: args.jobs,
        // Whoever tags a mixed bag of files wants the tags of those that can be read.
        max_failed_frac: 1.0,
        ..ExtractSettings::default()
    };
    let names = bundle.model.spec().modalities.clone();
    let mut summary = TagSummary::default();
    if let Some(path) = &args.out {
        let format = args.format.or_else(|| TagFormat::of_path(path)).unwrap_or_default();
        publish_file(path, |temporary| -> Result<(), TagError> {
            let mut writer = TagWriter::create(temporary, format, &names)?;
            summary = tag_titles(
                &titles,
                &bundle,
                &modalities,
                &store,
                &settings,
                &mut writer,
                console,
                &console.interrupt,
            )?;
            writer.finish()?;
            Ok(())
        })?;
    } else {
        let format = args.format.unwrap_or_default();
        let mut writer = TagWriter::new(io::stdout().lock(), format, &names);
        summary = tag_titles(
            &titles,
            &bundle,
            &modalities,
            &store,
            &settings,
            &mut writer,
            console,
            &console.interrupt,
        )?;
        drop(writer.finish()?);
    }
    say(&summary, console);
    Ok(if summary.num_skipped > 0 { SKIPPED } else { 0 })
}

/// The titles to tag: of a catalog, or one for each file found.
fn titles(
    args: &Args,
    trained: &CatalogSpec,
    console: &Console,
) -> Result<Vec<catalog::Title>, Failure> {
    let is_catalog = |path: &PathBuf| path.is_file() && Format::of_path(path).is_some();
    let Some(path) = args.paths.iter().find(|path| is_catalog(path)) else {
        let (found, problems) = catalog::from_paths(&args.paths)?;
        for problem in &problems {
            console.say(problem.to_string());
        }
        return Ok(found.titles);
    };
    if args.paths.len() > 1 {
        return Err(Failure::usage(
            format!("{} is a catalog: it stands alone", path.display()),
            "tag catalogs one at a time, or give only trailers, posters and folders",
        ));
    }
    // The training catalog's column names where they fit, else the default ones.
    let as_trained = CatalogSpec { path: path.clone(), ..trained.clone() };
    let loaded = catalog::load(&as_trained).or_else(|_| {
        tracing::info!(
            "the columns are not called as in the training catalog; trying the default names"
        );
        catalog::load(&CatalogSpec { metadata: trained.metadata.clone(), ..CatalogSpec::new(path) })
            .or_else(|_| catalog::load(&CatalogSpec::new(path)))
    });
    let (catalog, problems) = loaded?;
    for problem in &problems {
        console.say(problem.to_string());
    }
    Ok(catalog.titles)
}

fn default_store() -> Result<PathBuf, Failure> {
    use etcetera::BaseStrategy as _;
    let dirs = etcetera::choose_base_strategy().map_err(|_| {
        Failure::usage(
            "there is no home folder for the cache of features",
            "give one with --store DIR",
        )
    })?;
    Ok(dirs.cache_dir().join("cinetag").join("features"))
}

fn say(summary: &TagSummary, console: &Console) {
    for report in &summary.extraction {
        if report.encoders.iter().any(|encoder| encoder.computed > 0 || encoder.num_failed() > 0) {
            console.say(ExtractReport::to_string(report).trim_end());
        }
    }
    console.say(format!("{} tags for {} titles", summary.num_tags, summary.num_titles));
    if summary.num_unscored > 0 {
        console.say(format!(
            "{} titles have nothing that could be looked at; `missing` says why",
            summary.num_unscored
        ));
    }
}
