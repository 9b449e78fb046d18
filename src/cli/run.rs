//! `cinetag run`, and `extract`, `train`, `evaluate`: a pipeline, or a part of it.

use std::{collections::BTreeSet, path::PathBuf};

use base::nearest;
use extract::Retry;
use media::ReasonCode;
use pipeline::{Lock, Override, Pipeline, RunOptions};

use super::{Console, Failure, SKIPPED};

/// What every command on a pipeline takes.
#[derive(clap::Args)]
pub(super) struct Common {
    /// The pipeline file
    pipeline: PathBuf,
    /// Set a value of the pipeline, such as catalog.path=films.csv; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// Where networks run: auto, cpu, cuda[:N] or metal[:N]
    #[arg(long)]
    device: Option<base::DeviceChoice>,
    /// Titles worked on at once, each with a decode worker; 0: one per core
    #[arg(short, long)]
    jobs: Option<usize>,
    /// What decodes pictures: none, auto, cuda, videotoolbox or vaapi; where it is not there,
    /// the processor
    #[arg(long)]
    hwaccel: Option<media::Hwaccel>,
    /// Replace files in the run folder that others made or changed
    #[arg(long)]
    overwrite: bool,
    /// End with an error where the system cannot hold decoders in a whole sandbox
    #[arg(long)]
    require_sandbox: bool,
    /// Seconds that titles in hand are given once Ctrl-C or SIGTERM came; what is finished is kept
    /// at once [default: 20]
    #[arg(long, value_name = "SECS")]
    grace: Option<u64>,
}

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Say which stages would run and why, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Run this stage even if it is fresh; may be repeated
    #[arg(long, value_name = "STAGE")]
    force: Vec<String>,
}

#[derive(clap::Args)]
pub(super) struct ExtractArgs {
    #[command(flatten)]
    common: Common,
    /// Try titles again that failed before
    #[arg(long)]
    retry_failed: bool,
    /// With --retry-failed: only those with this reason code; may be repeated
    #[arg(long, value_name = "CODE", requires = "retry_failed")]
    reason: Vec<String>,
}

#[derive(clap::Args)]
pub(super) struct KindArgs {
    #[command(flatten)]
    common: Common,
    /// Choose thresholds that reach this precision out of fold instead of the best F1
    #[arg(long, value_name = "SHARE", value_parser = precision)]
    precision: Option<f64>,
}

fn precision(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.01..=0.999).contains(share));
    share.ok_or_else(|| "expected a share from 0.01 to 0.999, such as 0.9".to_owned())
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let options = RunOptions { force: args.force.clone(), ..args.common.options() };
    let pipeline = args.common.read()?;
    for stage in &args.force {
        if pipeline.stage(stage).is_none() {
            let names: Vec<_> = pipeline.stages.iter().map(|s| s.name.as_str()).collect();
            return Err(Failure::usage(
                format!("--force {stage}: the pipeline has no such stage"),
                nearest::mend(stage, names),
            ));
        }
    }
    if args.dry_run {
        dry_run(&pipeline, &options, console)
    } else {
        go(&pipeline, &options, console)
    }
}

pub(super) fn extract(args: &ExtractArgs, console: &Console) -> Result<u8, Failure> {
    args.reason.iter().try_for_each(|code| known_reason(code))?;
    let retry = match (args.retry_failed, args.reason.is_empty()) {
        (false, _) => Retry::No,
        (true, true) => Retry::All,
        (true, false) => Retry::Reasons(args.reason.iter().cloned().collect::<BTreeSet<_>>()),
    };
    let only = Some("extract".to_owned());
    let options = RunOptions { retry, only, ..args.common.options() };
    go(&args.common.read()?, &options, console)
}

/// Checks a reason code that a title may have failed for.
pub(super) fn known_reason(code: &str) -> Result<(), Failure> {
    serde_json::from_value::<ReasonCode>(code.into()).map(|_| ()).map_err(|error| {
        let words = error.to_string();
        let known: Vec<&str> = words.split('`').skip(3).step_by(2).collect();
        Failure::usage(
            format!("--reason {code}: there is no such reason code"),
            nearest::mend(code, known),
        )
    })
}

pub(super) fn kind(args: &KindArgs, kind: &str, console: &Console) -> Result<u8, Failure> {
    let mut pipeline = args.common.read()?;
    if args.precision.is_some() {
        pipeline.learn.decisions.precision = args.precision;
    }
    let options = RunOptions { only: Some(kind.to_owned()), ..args.common.options() };
    go(&pipeline, &options, console)
}

impl Common {
    /// What every command on a pipeline asks of a run.
    pub(super) fn options(&self) -> RunOptions {
        RunOptions {
            overwrite: self.overwrite,
            pipeline_file: Some(self.pipeline.clone()),
            ..RunOptions::default()
        }
    }

    /// The pipeline as the command line has it.
    pub(super) fn read(&self) -> Result<Pipeline, Failure> {
        let mut pipeline = Pipeline::read(&self.pipeline, &self.set)?;
        if let Some(device) = self.device {
            pipeline.run.device = device;
        }
        if let Some(jobs) = self.jobs {
            pipeline.extract.jobs = jobs;
        }
        if let Some(hwaccel) = self.hwaccel {
            pipeline.extract.hwaccel = hwaccel;
        }
        pipeline.extract.require_sandbox |= self.require_sandbox;
        if let Some(grace) = self.grace {
            pipeline.extract.grace_secs = grace;
        }
        Ok(pipeline)
    }
}

fn go(pipeline: &Pipeline, options: &RunOptions, console: &Console) -> Result<u8, Failure> {
    if let Some(kind) = &options.only
        && !pipeline.stages.iter().any(|stage| stage.kind.name() == kind)
    {
        return Err(Failure::usage(
            format!("the pipeline has no stage of kind {kind:?}"),
            format!("add one:\n      [[stage]]\n      name = \"{kind}\"\n      kind = \"{kind}\""),
        ));
    }
    let summary = pipeline::run(pipeline, options, console, &console.interrupt, |stage| {
        let state = match &stage.why {
            None => "fresh".to_owned(),
            Some(_) => format!("{:.1} s", stage.seconds),
        };
        let mut lines = stage.summary.lines();
        console.say(format!("{:<12} {state:>9}  {}", stage.name, lines.next().unwrap_or_default()));
        for line in lines.filter(|_| stage.why.is_some()) {
            console.say(format!("{:24}{line}", ""));
        }
    })?;
    if summary.all_fresh() {
        console.say("nothing to be done: every stage is fresh");
    }
    console.say(format!("results are in {}", pipeline.run.folder.display()));
    let report = pipeline.run.folder.join("report.html");
    if report.exists() {
        console.data(report.display().to_string());
    }
    let code = console.rows_left_out(summary.rows_left_out);
    let num_titles = summary.num_skipped() - summary.rows_left_out;
    if num_titles == 0 {
        return Ok(code);
    }
    console.lost(format!(
        "{num_titles} times a title has no features: `cinetag store failures` says why"
    ));
    Ok(SKIPPED)
}

fn dry_run(pipeline: &Pipeline, options: &RunOptions, console: &Console) -> Result<u8, Failure> {
    let lock = Lock::read(&pipeline.run.folder)?;
    let context = pipeline::Context::new(pipeline, options, console, &console.interrupt);
    for stage in pipeline::plan(&context, &lock)? {
        let verdict = match &stage.why {
            None => "fresh".to_owned(),
            Some(why) => format!("would run: {why}"),
        };
        console.data(format!("{:<12} {:<9} {verdict}", stage.name, stage.kind));
    }
    Ok(0)
}
