//! `cinetag catalog check`: a catalog looked at before anything is computed.

use base::json;
use std::path::PathBuf;

use catalog::Severity;
use pipeline::Override;

use super::spec_of;
use crate::{Console, Failure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A pipeline file (its [catalog] is checked), or a catalog with the default column names, or a
    /// folder: its catalog, a media library or trailers
    path: PathBuf,
    /// With a pipeline: set a value of it, such as catalog.path=films.csv; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// List every problem, not only the first of each kind
    #[arg(long)]
    all: bool,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let spec = spec_of(&args.path, &args.set)?;
    let summary = catalog::check(&spec)?;
    if args.json {
        console.data(json::line(&summary));
    } else {
        if args.all {
            for problem in &summary.problems {
                console.data(problem.to_string());
            }
        }
        console.data(summary.to_string());
    }
    let num_errors = summary.num_problems(Severity::Error);
    if num_errors > 0 {
        return Err(Failure {
            messages: vec![format!("{num_errors} rows of the catalog cannot be used")],
            hint: Some("mend them in the file; a run goes on without them".to_owned()),
            code: 2,
        });
    }
    Ok(0)
}
