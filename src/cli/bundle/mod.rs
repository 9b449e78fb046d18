//! `cinetag bundle`: versions of one's own bundles.

mod judge;

use std::path::{Path, PathBuf};

use base::{file, output::make_folder};
use etcetera::BaseStrategy as _;
use jiff::Timestamp;
use tag::{Event, Grounds, Judged, Version, Versions, Way};

use super::{Console, Failure};

/// Names another folder for the bundles.
const HOME_VARIABLE: &str = "CINETAG_BUNDLES";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List bundles with their versions: which is current, and since when
    List(ListArgs),
    /// Keep a bundle as a version under a name; it does not become current by it
    Add(AddArgs),
    /// Judge a version against the current one, on titles that neither was trained on: promote, refuse
    /// or undecided
    Judge(judge::Args),
    /// Make a version current, on the gate's report or on somebody's word
    Promote(PromoteArgs),
    /// Make that version current which was so before
    Rollback(RollbackArgs),
}

#[derive(clap::Args)]
#[allow(clippy::doc_markdown)] // it is the help text
pub(super) struct Home {
    /// Folder of the bundles [default: $CINETAG_BUNDLES, else the user's data folder]
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct ListArgs {
    /// Only the bundle of this name
    name: Option<String>,
    #[command(flatten)]
    home: Home,
    /// Also what became current when, on whose word and why
    #[arg(long)]
    history: bool,
    /// As JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct AddArgs {
    /// The name: what `cinetag tag --bundle` takes
    name: String,
    /// Folder of the bundle, as `cinetag train` writes one
    #[arg(value_name = "DIR")]
    bundle: PathBuf,
    #[command(flatten)]
    home: Home,
}

#[derive(clap::Args)]
pub(super) struct PromoteArgs {
    /// The bundle's name
    name: String,
    /// The version, or the first digits of it
    version: String,
    #[command(flatten)]
    home: Home,
    /// The gate's report on this version in the place of the current one (JSON); what it does not
    /// promote becomes current with --approve alone
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Who wants it, whatever the gate says; written into the history
    #[arg(long, value_name = "WHO")]
    approve: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct RollbackArgs {
    /// The bundle's name
    name: String,
    #[command(flatten)]
    home: Home,
    /// Who wants it; written into the history [default: the user's name]
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

pub(super) fn run(command: &Command, console: &Console) -> Result<u8, Failure> {
    match command {
        Command::List(args) => list(args, console),
        Command::Add(args) => add(args, console),
        Command::Judge(args) => judge::run(args, console),
        Command::Promote(args) => promote(args, console),
        Command::Rollback(args) => rollback(args, console),
    }
}

/// The folder of one's own bundles, where somebody named one or the user has a home.
pub(super) fn usual_home() -> Option<PathBuf> {
    let named = std::env::var_os(HOME_VARIABLE).filter(|folder| !folder.is_empty());
    named.map(PathBuf::from).or_else(|| {
        let dirs = etcetera::choose_base_strategy().ok()?;
        Some(dirs.data_dir().join("cinetag").join("bundles"))
    })
}

impl Home {
    /// The folder; the user's own is made where it is not there.
    pub(super) fn made(&self) -> Result<PathBuf, Failure> {
        let home = self.folder()?;
        if self.home.is_some() {
            make_folder(&home)?;
        } else {
            std::fs::create_dir_all(&home)?;
        }
        Ok(home)
    }

    pub(super) fn folder(&self) -> Result<PathBuf, Failure> {
        self.home.clone().or_else(usual_home).ok_or_else(|| {
            Failure::usage("there is no home folder for bundles", "give one with --home DIR")
        })
    }
}

fn list(args: &ListArgs, console: &Console) -> Result<u8, Failure> {
    let home = args.home.folder()?;
    let names = match &args.name {
        Some(name) => vec![known(&home, name)?.name().to_owned()],
        None => Versions::names(&home)?,
    };
    if names.is_empty() {
        console.say(format!("{}: no bundles yet (`cinetag bundle add`)", home.display()));
    }
    for name in names {
        let versions = Versions::of(&home, &name)?;
        let (current, history) = (versions.current()?, versions.history()?);
        for version in versions.list()? {
            let is_current = current.as_ref() == Some(&version);
            let trained_on = versions.config(&version).map(|config| config.trained_on);
            let since = history.iter().rfind(|event| is_current && event.to == version);
            if args.json {
                let trained_on = trained_on.as_ref().ok();
                let line = serde_json::json!({
                    "name": name, "version": version, "current": is_current,
                    "titles": trained_on.map(|trained_on| trained_on.num_titles),
                    "catalog": trained_on.map(|trained_on| &trained_on.catalog),
                    "since": since.map(|event| event.at),
                    "folder": versions.folder_of(&version),
                });
                console.data(line.to_string());
                continue;
            }
            let trained_on = trained_on.map_or_else(
                |error| error.to_string(),
                |on| format!("{:>6} titles of {}", on.num_titles, on.catalog),
            );
            let since =
                since.map_or_else(String::new, |event| format!(", current since {}", event.at));
            let mark = if is_current { '*' } else { ' ' };
            console.data(format!("{mark} {name}@{version}  {trained_on}{since}"));
        }
        if args.history {
            for event in &history {
                tell(event, &name, args.json, console);
            }
        }
    }
    Ok(0)
}

fn tell(event: &Event, name: &str, as_json: bool, console: &Console) {
    if as_json {
        console.data(serde_json::json!({ "name": name, "event": event }).to_string());
        return;
    }
    let way = match event.way {
        Way::Promote => "promoted",
        Way::Rollback => "back to",
    };
    let from = event.from.as_ref().map_or("nothing", Version::as_str);
    let who = event.who.as_ref().map_or_else(String::new, |who| format!(", by {who}"));
    let gate = event.verdict.as_ref().map_or_else(String::new, |verdict| {
        format!(", gate: {} ({})", verdict.outcome.word(), verdict.reasons.join("; "))
    });
    console.data(format!("  {} {way} {} in the place of {from}{who}{gate}", event.at, event.to));
}

fn add(args: &AddArgs, console: &Console) -> Result<u8, Failure> {
    let versions = Versions::of(&args.home.made()?, &args.name)?;
    let version = versions.add(&args.bundle)?;
    console.data(format!("{}@{version}", args.name));
    if versions.current()?.as_ref() != Some(&version) {
        console.say(format!(
            "added; `cinetag bundle promote {} {version}` makes it what --bundle {} takes",
            args.name, args.name
        ));
    }
    Ok(0)
}

fn promote(args: &PromoteArgs, console: &Console) -> Result<u8, Failure> {
    let versions = known(&args.home.folder()?, &args.name)?;
    let version = versions.find(&args.version)?;
    let judged = args.report.as_deref().map(report).transpose()?;
    let grounds = Grounds { judged, approved_by: args.approve.clone() };
    let before = versions.promote(&version, &grounds, Timestamp::now())?;
    let before = match &before {
        Some(before) if *before == version => {
            console.say(format!("{}@{version} is current already", args.name));
            return Ok(0);
        }
        Some(before) => format!(", in the place of {before}"),
        None => String::new(),
    };
    console.say(format!("{}@{version} is current{before}", args.name));
    for reason in grounds.judged.iter().flat_map(|judged| &judged.verdict.reasons) {
        console.say(format!("  {reason}"));
    }
    Ok(0)
}

fn rollback(args: &RollbackArgs, console: &Console) -> Result<u8, Failure> {
    let versions = known(&args.home.folder()?, &args.name)?;
    let who = by_user(args.by.clone());
    let (from, to) = versions.rollback(&who, Timestamp::now())?;
    console.say(format!("{}@{to} is current again, in the place of {from}", args.name));
    Ok(0)
}

/// Who does it: the one who is named, or the user.
pub(super) fn by_user(named: Option<String>) -> String {
    let user = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.or_else(user).unwrap_or_else(|| "somebody".to_owned())
}

/// The bundle of this name, of which there is at least one version.
pub(super) fn known(home: &Path, name: &str) -> Result<Versions, Failure> {
    let versions = Versions::of(home, name)?;
    if !versions.list()?.is_empty() {
        return Ok(versions);
    }
    let names = Versions::names(home)?;
    let hint = if names.is_empty() {
        format!("`cinetag bundle add {name} DIR` adds one")
    } else {
        base::nearest::mend(name, names.iter().map(String::as_str))
    };
    Err(Failure::usage(format!("there is no bundle called {name}"), hint))
}

fn report(path: &Path) -> Result<Judged, Failure> {
    let bytes = file::read(path).map_err(|error| {
        Failure::usage(
            format!("--report {}: {error}", path.display()),
            "give the file that the gate's report was written to",
        )
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::usage(
            format!("--report {}: is no report of the gate: {error}", path.display()),
            "give the file that the gate's report was written to",
        )
    })
}

/// One's own bundle of this name (`NAME` or `NAME@VERSION`), where there is one.
pub(super) fn own(name: &str) -> Result<Option<PathBuf>, Failure> {
    let Some(home) = usual_home() else { return Ok(None) };
    Ok(tag::resolve(&home, name)?)
}

/// The names of one's own bundles, for messages.
pub(super) fn own_names() -> Vec<String> {
    usual_home().and_then(|home| Versions::names(&home).ok()).unwrap_or_default()
}
