//! `cinetag tag undo`: the way back.

use std::path::PathBuf;

use super::{Console, Failure, SKIPPED, titles::tagged_before};
use crate::tag::sidecar;

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
    let root = tagged_before(&std::fs::canonicalize(&args.folder).map_err(|error| {
        Failure::usage(
            format!("{}: cannot be read ({error})", args.folder.display()),
            "name the folder that was tagged",
        )
    })?);
    let run = if args.run == "last" {
        sidecar::last_run(&root)?.ok_or_else(|| {
            Failure::usage(
                format!("{}: there is no run to undo", args.folder.display()),
                "name the folder that was tagged: its journal is in `.cinetag`",
            )
        })?
    } else {
        args.run.clone()
    };
    let undone = sidecar::undo(&root, &run, args.force)?;
    console.say(format!("{} files are what they were before run {run}", undone.restored.len()));
    if undone.changed_since.is_empty() {
        return Ok(0);
    }
    for path in &undone.changed_since {
        console.say(format!("{}: changed since, left as it is", path.display()));
    }
    console.say("hint: look at them, then --force restores them too");
    Ok(SKIPPED)
}
