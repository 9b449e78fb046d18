//! `cinetag tag undo`: the way back.

use std::path::{Path, PathBuf};

use write::sidecar;

use super::{Console, Failure, SKIPPED, titles::tagged_before};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The run, as `cinetag tag` said its name; `last` is the last one that can be undone
    run: String,
    /// The folder that was tagged, or the tree of `--sidecars`
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Also files that were changed since; their bytes are kept in `.cinetag/before`
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let folder = std::fs::canonicalize(&args.folder).map_err(|error| {
        Failure::usage(
            format!("{}: cannot be read ({error})", args.folder.display()),
            "name the folder that was tagged",
        )
    })?;
    let root = tagged_before(&folder);
    // The journal may be of more than was named: only what lies in the folder is brought back.
    let part = folder.strip_prefix(&root).unwrap_or(Path::new("")).to_owned();
    let run = if args.run == "last" {
        sidecar::last_run(&root, &part)?.ok_or_else(|| {
            Failure::usage(
                format!("{}: there is no run to undo", args.folder.display()),
                "name the folder that was tagged: its journal is in `.cinetag`",
            )
        })?
    } else {
        args.run.clone()
    };
    let undone = sidecar::undo(&root, &part, &run, args.force)?;
    console.say(format!("{} files are what they were before run {run}", undone.restored.len()));
    for (path, place) in &undone.moved {
        let place = place.strip_prefix(&root).unwrap_or(place);
        console.say(format!("{}: is now {}", path.display(), place.display()));
    }
    for path in &undone.gone {
        console.lost(format!("{}: moved out of the library, or deleted", path.display()));
    }
    for (path, reason) in &undone.failed {
        console.lost(format!("{}: not restored: {reason}", path.display()));
    }
    for path in &undone.changed_since {
        console.lost(format!("{}: changed since, left as it is", path.display()));
    }
    if !undone.changed_since.is_empty() {
        console.lost("hint: look at them, then --force restores them too");
    }
    let all = undone.gone.is_empty() && undone.failed.is_empty();
    Ok(if all && undone.changed_since.is_empty() { 0 } else { SKIPPED })
}
