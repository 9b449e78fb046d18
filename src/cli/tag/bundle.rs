//! Which bundle tags: the one that is named, the one that the library was tagged with, or the first
//! that fits the titles.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base::nearest;
use tag::{Bundle, SHIPPED, ShippedBundle};
use write::sidecar::{self, RunHeader};

use super::{
    super::bundle::{own, own_names},
    Args, Console, Failure,
    titles::{self, Found},
};

/// The bundle, and the titles.
pub(super) fn find(args: &Args, console: &Console) -> Result<(Bundle, Found), Failure> {
    let (bundle, found) = match &args.bundle {
        Some(path) => named(path, args, console)?,
        None => fitting(args, console)?,
    };
    let about = &bundle.config.about;
    for (what, text) in [("terms", &about.terms), ("attribution", &about.attribution)] {
        if !text.is_empty() {
            console.say(format!("{what}: {text}"));
        }
    }
    for note in &bundle.config.notes {
        console.say(format!("note: {note}"));
    }
    Ok((bundle, found))
}

/// What `--bundle` takes to get this bundle again.
pub(super) fn asked_for(bundle: &Bundle) -> PathBuf {
    let folder = &bundle.folder;
    match folder.to_str().and_then(ShippedBundle::find) {
        Some(_) if !folder.exists() => folder.clone(),
        _ => fs::canonicalize(folder).unwrap_or_else(|_| folder.clone()),
    }
}

/// A folder, one that comes along, or one's own of this name, in this order.
fn open(path: &Path, args: &Args) -> Result<Bundle, Failure> {
    if path.exists() {
        return Ok(Bundle::load(path, args.device)?);
    }
    let name = path.to_string_lossy();
    if let Some(shipped) = ShippedBundle::find(&name) {
        return Ok(shipped.load(args.device)?);
    }
    if let Some(folder) = own(&name)? {
        return Ok(Bundle::load(&folder, args.device)?);
    }
    let (shipped, own) = (ShippedBundle::names(), own_names());
    let meant = nearest::mend(&name, shipped.into_iter().chain(own.iter().map(String::as_str)));
    Err(Failure::usage(
        format!(
            "--bundle {name}: neither a folder nor a bundle that comes along, nor one of your own"
        ),
        format!(
            "{meant} (or give a folder: `cinetag train PIPELINE` writes one; `cinetag bundle add` \
             gives it a name)"
        ),
    ))
}

fn named(path: &Path, args: &Args, console: &Console) -> Result<(Bundle, Found), Failure> {
    let bundle = open(path, args)?;
    let found = titles::find(args, std::slice::from_ref(&bundle.config.catalog), console)?;
    let here = bundle.model_name();
    if let Some(before) = tagged_with(&found)?
        && before.model != here
    {
        console.say(format!(
            "note: this library was tagged with {}; {here} may give other genres (--dry-run shows \
             them first)",
            before.model
        ));
    }
    Ok((bundle, found))
}

fn fitting(args: &Args, console: &Console) -> Result<(Bundle, Found), Failure> {
    let configs = SHIPPED.iter().map(ShippedBundle::config);
    let columns = configs.map(|config| config.map(|config| config.catalog));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let found = titles::find(args, &columns, console)?;
    if let Some(before) = tagged_with(&found)? {
        let bundle = same_as(&before, args)?;
        console.say(format!("bundle: {}, which this library was tagged with", before.model));
        return Ok((bundle, found));
    }
    let fitting = ShippedBundle::for_titles(&found.opened.catalog.titles)?.ok_or_else(|| {
        Failure::usage("the program was built without bundles", "give one with --bundle")
    })?;
    let bundle = fitting.load(args.device)?;
    console.say(format!(
        "bundle: {}, which comes with cinetag (--bundle takes another: {}, or a folder)",
        bundle.model_name(),
        ShippedBundle::names().join(", ")
    ));
    Ok((bundle, found))
}

/// What the libraries were tagged with before, if they were.
fn tagged_with(found: &Found) -> Result<Option<RunHeader>, Failure> {
    let mut before: Option<RunHeader> = None;
    for tree in &found.trees {
        let Some(header) = sidecar::last_header(tree)? else { continue };
        match &before {
            Some(other) if other.model != header.model => {
                return Err(Failure::usage(
                    format!(
                        "these libraries were tagged with {} and {}",
                        other.model, header.model
                    ),
                    "tag them one at a time, or name a bundle for all with --bundle",
                ));
            }
            _ => before = Some(header),
        }
    }
    Ok(before)
}

/// The bundle of an earlier run. Another one would change genres of films that nobody touched, so
/// it is never taken unasked.
fn same_as(before: &RunHeader, args: &Args) -> Result<Bundle, Failure> {
    let name = before.model.split('@').next().unwrap_or_default();
    let path = before.bundle.clone().unwrap_or_else(|| name.into());
    let refused = |why: String| {
        Failure::usage(
            format!("this library was tagged with {}, and {why}", before.model),
            format!(
                "look at what another one changes with --bundle {} --dry-run, then leave out \
                 --dry-run",
                if path.exists() || ShippedBundle::find(name).is_some() {
                    path.display().to_string()
                } else {
                    "BUNDLE".to_owned()
                }
            ),
        )
    };
    let is_shipped = path.to_str().and_then(ShippedBundle::find).is_some();
    if !is_shipped && !path.is_dir() {
        return Err(refused(format!("{} is not there any more", path.display())));
    }
    let bundle = open(&path, args)?;
    if bundle.model_name() == before.model {
        Ok(bundle)
    } else {
        Err(refused(format!("{} is now {}", path.display(), bundle.model_name())))
    }
}
