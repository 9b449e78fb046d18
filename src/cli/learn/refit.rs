//! `cinetag refit`: a bundle of one's own learned anew, and the gate asked.

use base::DeviceChoice;
use eval::Outcome;
use jiff::Timestamp;
use tag::{Grounds, Judged, Version, Versions};

use super::{
    super::bundle::{Home, known},
    Console, Failure, Recipe, SKIPPED, Taught, fit_context, tell,
};

#[derive(clap::Args)]
pub(in super::super) struct RefitArgs {
    /// The bundle's name, as `cinetag learn --as NAME` gave it
    name: String,
    #[command(flatten)]
    home: Home,
    /// Who wants the new version, whatever the gate says; written into the history
    #[arg(long, value_name = "WHO")]
    approve: Option<String>,
    /// Where networks run: auto, cpu, cuda[:N] or metal[:N]
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

pub(in super::super) fn refit(args: &RefitArgs, console: &Console) -> Result<u8, Failure> {
    let versions = known(&args.home.folder()?, &args.name)?;
    let recipe = Recipe::read(&versions)?;
    let taught = Taught::new(&recipe, args.device, console)?;
    tell::curated(&taught.curated, &taught.opened.problems, console);
    let material = taught.material()?;
    let draft = tempfile::tempdir()?;
    let folder = draft.path().join("bundle");
    let context = fit_context(&recipe, args.device, console);
    taught.lesson(&args.name, &material).bundle(&folder, None, &context)?;
    let version = versions.add(&folder)?;
    console.data(format!("{}@{version}", args.name));
    let from = versions.current()?;
    if from.as_ref() == Some(&version) {
        console.say("nothing was learned that the current version does not know");
    } else {
        let judged = judged(&taught, &versions, from, &version, console)?;
        let promotes = judged.as_ref().is_some_and(|own| own.verdict.outcome == Outcome::Promote);
        let name = &args.name;
        if promotes || args.approve.is_some() {
            let grounds = Grounds { judged, approved_by: args.approve.clone() };
            versions.promote(&version, &grounds, Timestamp::now())?;
            console.say(format!("current: `cinetag tag … --bundle {name}` takes it"));
        } else {
            console.say(format!(
                "the version before stays current; `cinetag bundle promote {name} {version} --approve \
                 WHO` makes this one current"
            ));
        }
    }
    Ok(if taught.num_skipped > 0 { SKIPPED } else { 0 })
}

/// What the gate says of the new version in the place of the current one, where it can say anything.
fn judged(
    taught: &Taught,
    versions: &Versions,
    from: Option<Version>,
    to: &Version,
    console: &Console,
) -> Result<Option<Judged>, Failure> {
    let Some(from) = from else { return Ok(None) };
    let folders = [&from, to].map(|version| versions.folder_of(version));
    let Some(verdict) = taught.judged([&folders[0], &folders[1]], console)? else {
        console.say(format!(
            "no gate: titles are kept aside from {} curated ones on, and both versions must have done so",
            adapt::PINNED_FROM
        ));
        return Ok(None);
    };
    console.say(format!("gate: {}", verdict.outcome.word()));
    verdict.reasons.iter().for_each(|reason| console.say(format!("  {reason}")));
    Ok(Some(Judged { from, to: to.clone(), verdict }))
}
