//! `cinetag feedback import`: a file of answers into the log.

use std::path::PathBuf;

use catalog::feedback::{self, Target};
use jiff::Timestamp;

use crate::{Console, Failure, SKIPPED};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The answers, with columns `title`, `genre` and `answer` (yes, no, unsure, added), or `title` and
    /// `genres`, `not_genres`, `unknown_genres` and `complete`
    file: PathBuf,
    /// The library, or the catalog's file, whose titles they are about
    #[arg(long, value_name = "LIBRARY|CATALOG")]
    to: PathBuf,
    /// Who gave those answers that name nobody
    #[arg(long, value_name = "NAME", default_value = "")]
    who: String,
    /// Name of the catalog's column that holds its titles' ids
    #[arg(long, value_name = "NAME")]
    id_column: Option<String>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let target = Target::open(&args.to, args.id_column.as_deref())?;
    target.problems().for_each(|problem| console.problem(problem));
    let plan = feedback::plan(&target, &args.file, &args.who, Timestamp::now())?;
    for problem in &plan.problems {
        console.problem(problem);
    }
    let (num_answers, num_titles) = (plan.num_answers(), plan.num_titles());
    let (num_known, num_overruled) = (plan.num_known, plan.num_overruled);
    let num_left_out = plan.rows_left_out();
    let done = if args.dry_run { "would be written" } else { "written" };
    if !args.dry_run {
        plan.write()?;
    }
    console.data(format!(
        "{num_answers} answers about {num_titles} titles {done}; {num_known} stand in the log \
         already, {num_overruled} were answered otherwise later"
    ));
    if num_left_out == 0 {
        return Ok(0);
    }
    console.lost(format!("{num_left_out} rows of the answers were left out"));
    Ok(SKIPPED)
}
