//! `cinetag tag`: genres for new titles.

mod bundle;
mod outputs;
mod review;
mod sidecars;
mod titles;
mod undo;

use std::{io, path::PathBuf, str::FromStr};

use jiff::Timestamp;

use base::{DeviceChoice, nearest, output::make_folder};
use encode::{EncoderContext, speech::Hear};
use extract::{ExtractReport, ExtractSettings, Session};
use outputs::Table;
use sidecars::{Sidecars, say_sidecars};
use store::FeatureStore;
use tag::Choice;
use write::{
    TableSink, TagJob, TagSink, TagSummary,
    format::{NewNfo, TagFormat, registry},
    tag_titles,
};

use super::{Console, Failure, SKIPPED, store::usual_folder};

#[allow(clippy::struct_excessive_bools)] // flags of a command line
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Trailers, posters, folders of them, media libraries, patterns such as 'films/*/', or one
    /// catalog (.csv, .tsv, .jsonl); - reads a list of paths from standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The column of the catalog that holds the titles' ids [default: id, else as the bundle's
    /// training named it; where there is none, titles are numbered by their rows]
    #[arg(long, value_name = "NAME")]
    id_column: Option<String>,
    /// The bundle: a folder, the name of one that the program brings along (films-research,
    /// plots-open), or of one's own (NAME or NAME@VERSION, `cinetag bundle list`) [default: the
    /// first of those that come along which fits what the titles have]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// File of the tags; standard output where nothing else is asked for
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[arg(long, value_parser = format, help = format_help())]
    format: Option<Format>,
    /// In CSV, texts as they are: else those that begin like a formula (= + - @) get an apostrophe in
    /// front, so that no spreadsheet computes them
    #[arg(long)]
    raw_csv: bool,
    /// Write sidecars beside the films: genres into the NFO files that are there
    #[arg(long, conflicts_with_all = ["sidecars", "out"])]
    in_place: bool,
    /// Write sidecars into a tree of their own, parallel to the library
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    sidecars: Option<PathBuf>,
    /// With sidecars: show what would be changed, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// When an NFO file is made where there is none: with-id (an id of the film is known, so that
    /// Kodi still looks it up), always or never [default: with-id; for --sidecars always]
    #[arg(long, value_name = "WHEN", value_parser = new_nfo)]
    new_nfo: Option<NewNfo>,
    /// Write a contact sheet (index.html) of what would be tagged, and nothing else
    #[arg(long, value_name = "DIR", conflicts_with_all = ["in_place", "sidecars", "out"])]
    review: Option<PathBuf>,
    /// File of the titles for a person to look at: those that got no tag, and with --precision
    /// those with a genre that is likely, but not as likely as that
    #[arg(long, value_name = "FILE")]
    untagged: Option<PathBuf>,
    /// Write what is said in the trailers into this folder, a WebVTT file for each title
    #[arg(long, value_name = "DIR")]
    transcripts: Option<PathBuf>,
    /// Replace files of others, and those that somebody changed since they were written
    #[arg(long)]
    overwrite: bool,
    /// When trailers are listened to: when-no-plot, always or never [default: as the bundle says,
    /// which is when-no-plot for those that come along]
    #[arg(long, value_name = "WHEN", value_parser = hear)]
    speech: Option<Hear>,
    /// No tag that is less probable than this, 0 to 1
    #[arg(long, value_name = "P", value_parser = unit::<f32>)]
    min_probability: Option<f32>,
    /// Tags are to be right at least this often, 0 to 1: thresholds that reached it on titles
    /// held out; a genre that cannot be told so surely is left to a person
    #[arg(long, value_name = "P", value_parser = unit::<f64>)]
    precision: Option<f64>,
    /// No more tags than this for a title: the most probable ones
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Where features are kept, so that a second run decodes nothing [default: the store
    /// of this folder's pipelines, else the user's cache]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Titles worked on at once; 0: one per core
    #[arg(short, long, default_value_t = 0)]
    jobs: usize,
    /// End with an error where the system cannot hold decoders in a whole sandbox
    #[arg(long)]
    require_sandbox: bool,
    /// Seconds that titles in hand are given once Ctrl-C or SIGTERM came; what is finished is kept
    /// at once [default: 20]
    #[arg(long, value_name = "SECS")]
    grace: Option<u64>,
    /// Where networks run: auto, cpu, cuda[:N] or metal[:N]
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Bring every sidecar that a run wrote back to what it was, byte for byte
    Undo(undo::Args),
}

/// A format by its name; clap wants a type that can be cloned.
#[derive(Clone, Copy)]
struct Format(&'static dyn TagFormat);

fn format(name: &str) -> Result<Format, String> {
    registry::find(name).map(Format).ok_or_else(|| nearest::mend(name, registry::names()))
}

fn format_help() -> String {
    let names = |is_wanted: fn(&dyn TagFormat) -> bool| -> Vec<&str> {
        let wanted = registry::FORMATS.iter().filter(|format| is_wanted(**format));
        wanted.map(|format| format.name()).collect()
    };
    format!(
        "How tags are written: {}; as sidecars also {} [default: by the file's name, else {}; \
         sidecars: {}]",
        names(|format| format.is_table()).join(", "),
        names(|format| !format.is_table()).join(", "),
        registry::FORMATS[0].name(),
        registry::SIDECAR.name(),
    )
}

fn hear(name: &str) -> Result<Hear, String> {
    let known = Hear::ALL.iter().find(|(known, _)| *known == name);
    known
        .map(|(_, hear)| *hear)
        .ok_or_else(|| nearest::mend(name, Hear::ALL.iter().map(|(name, _)| *name)))
}

fn new_nfo(name: &str) -> Result<NewNfo, String> {
    let known = NewNfo::ALL.iter().find(|(known, _)| *known == name);
    known
        .map(|(_, new)| *new)
        .ok_or_else(|| nearest::mend(name, NewNfo::ALL.iter().map(|(name, _)| *name)))
}

fn unit<T: FromStr + PartialOrd + From<u8>>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| (T::from(0)..=T::from(1)).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

impl Args {
    /// Where sidecars are written, if they are: beside the films, or in a tree of their own.
    fn writes_sidecars(&self) -> bool {
        self.in_place || self.sidecars.is_some()
    }

    /// A tree of its own is looked at by no media centre.
    fn new_nfo(&self) -> NewNfo {
        let usual = if self.in_place { NewNfo::WithId } else { NewNfo::Always };
        self.new_nfo.unwrap_or(usual)
    }

    fn sidecar_format(&self) -> &'static dyn TagFormat {
        self.format.map_or(registry::SIDECAR, |format| format.0)
    }

    fn writes_nfo(&self) -> bool {
        self.writes_sidecars() && self.sidecar_format().name() == registry::SIDECAR.name()
    }

    fn writes_nfo_in_place(&self) -> bool {
        self.in_place && self.writes_nfo()
    }

    fn format_of(&self, path: &std::path::Path) -> &'static dyn TagFormat {
        let named = self.format.map(|format| format.0);
        self.as_asked(named.or_else(|| registry::of_path(path)).unwrap_or(registry::FORMATS[0]))
    }

    fn as_asked(&self, format: &'static dyn TagFormat) -> &'static dyn TagFormat {
        let is_csv = format.name() == registry::RAW_CSV.name();
        if self.raw_csv && is_csv { registry::RAW_CSV } else { format }
    }
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    if let Some(Command::Undo(args)) = &args.command {
        return undo::run(args, console);
    }
    if args.dry_run && !args.writes_sidecars() {
        return Err(Failure::usage(
            "--dry-run shows what would become of sidecars, and none are asked for",
            "add --in-place, or --sidecars DIR",
        ));
    }
    if args.new_nfo.is_some() && !args.writes_nfo() {
        return Err(Failure::usage(
            "--new-nfo says when NFO files are made, and none are asked for",
            "add --in-place, or --sidecars DIR",
        ));
    }
    let (bundle, found) = bundle::find(args, console)?;
    let choice =
        Choice { min_probability: args.min_probability, top: args.top, precision: args.precision };
    choice.check(&bundle.model.spec().fused).map_err(|known| {
        let asked = args.precision.unwrap_or_default();
        Failure::usage(
            format!("--precision {asked} is more than {} can promise", bundle.config.name),
            known,
        )
    })?;
    let mut claimed = outputs::Claimed::new(args, &found, &bundle)?;
    let context =
        EncoderContext { device: args.device, hear: args.speech, ..EncoderContext::default() };
    let modalities = bundle.open_modalities(&context)?;
    let store = match &args.store {
        Some(folder) => {
            make_folder(folder)?;
            FeatureStore::open(folder)
        }
        None => FeatureStore::open(&usual_folder()?),
    };
    let usual = ExtractSettings::default();
    let settings = ExtractSettings {
        jobs: args.jobs,
        require_sandbox: args.require_sandbox,
        grace_secs: args.grace.unwrap_or(usual.grace_secs),
        // Whoever tags a mixed bag of files wants the tags of those that can be read.
        max_failed_frac: 1.0,
        ..usual
    };
    let session = Session::new(modalities.into(), &store, &settings);
    let now = now();
    let job = TagJob {
        titles: &found.opened.catalog.titles,
        bundle: &bundle,
        session: &session,
        choice: &choice,
        tagged_at: Some(now),
    };

    let mut table =
        claimed.out.take().map(|claim| Table::begin(claim, args, &bundle)).transpose()?;
    if table.is_none() && !args.writes_sidecars() && args.review.is_none() {
        let format = args.as_asked(args.format.map_or(registry::FORMATS[0], |format| format.0));
        let out = Box::new(io::BufWriter::new(io::stdout()));
        table = Some(Table { file: None, sink: TableSink::new(out, format, &bundle)? });
    }
    let untagged = claimed.untagged.take().map(|claim| Table::begin(claim, args, &bundle));
    let mut untagged = untagged.transpose()?.map(Table::only_undecided);
    let tell = |difference: String| console.data(difference);
    let dry_run: Option<&dyn Fn(String)> = if args.dry_run { Some(&tell) } else { None };
    let making = (args.new_nfo(), dry_run);
    let mut sidecars = Sidecars::new(args.sidecar_format(), &found, &bundle, now, making)?;
    let mut review = args.review.as_deref().map(|folder| review::Review::new(folder, job));
    let mut sinks: Vec<&mut dyn TagSink> = Vec::new();
    sinks.extend(review.as_mut().map(|review| review as &mut dyn TagSink));
    sinks.extend(table.as_mut().map(|table| &mut table.sink as &mut dyn TagSink));
    sinks.extend(untagged.as_mut().map(|table| &mut table.sink as &mut dyn TagSink));
    let transcripts = claimed.transcripts.as_mut();
    sinks.extend(transcripts.map(|transcripts| transcripts as &mut dyn TagSink));
    sinks.extend(sidecars.as_mut().map(|sidecars| sidecars as &mut dyn TagSink));
    let result = tag_titles(&job, &mut sinks, console, &console.interrupt);
    // Sidecars that were written stay written, whatever ended the run.
    let mut num_failed = 0;
    for (tree, report) in sidecars.map(Sidecars::finish).unwrap_or_default() {
        say_sidecars(&report, &tree, args.dry_run, console);
        num_failed += report.failed.len();
    }
    if let Some(transcripts) = &claimed.transcripts {
        num_failed += outputs::say_transcripts(transcripts, console);
    }
    let summary = result?;
    if let Some(review) = review {
        console.say(format!("contact sheet: {}", review.finish(console)?.display()));
    }
    for table in [table, untagged].into_iter().flatten() {
        table.finish()?;
    }
    say(&summary, console);
    if summary.num_skipped > 0 {
        let num = summary.num_skipped;
        console.lost(format!("{num} times something of a title could not be read; it was skipped"));
    }
    Ok(if summary.num_skipped + num_failed + found.opened.rows_left_out() > 0 {
        SKIPPED
    } else {
        0
    })
}

/// The moment that is written with the tags; `SOURCE_DATE_EPOCH` sets it, for files that are
/// to be equal (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn now() -> Timestamp {
    let set = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let set = set.and_then(|secs| Timestamp::from_second(secs).ok());
    set.or_else(|| Timestamp::from_second(Timestamp::now().as_second()).ok()).unwrap_or_default()
}

fn say(summary: &TagSummary, console: &Console) {
    for report in &summary.extraction {
        if report.encoders.iter().any(|encoder| encoder.computed > 0 || encoder.num_failed() > 0) {
            console.say(ExtractReport::to_string(report).trim_end());
        }
    }
    let unchanged = match summary.num_unchanged {
        0 => String::new(),
        num => format!("; {num} unchanged since they were tagged"),
    };
    console.say(format!("{} tags for {} titles{unchanged}", summary.num_tags, summary.num_titles));
    if summary.num_unscored > 0 {
        console.say(format!(
            "{} titles have nothing that could be looked at; `missing` says why",
            summary.num_unscored
        ));
    }
    if summary.num_doubtful > 0 {
        console.say(format!(
            "{} titles have genres that are likely, but not as likely as asked for: `doubtful` \
             names them (--untagged FILE lists these titles)",
            summary.num_doubtful
        ));
    }
    let num_unsure = summary.num_untagged - summary.num_unscored;
    if num_unsure > 0 {
        console.say(format!(
            "{num_unsure} titles got no tag: no genre was probable enough (--untagged FILE lists them)"
        ));
    }
}
