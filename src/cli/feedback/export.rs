//! `cinetag feedback export`: what the log says, for elsewhere.

use std::{fs, path::PathBuf};

use base::Outputs;
use catalog::feedback::{self, Form, Target};

use crate::{Console, Failure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The library, or the catalog's file, whose log is read
    path: PathBuf,
    /// The file to write; without it, standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How answers are written
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Name of the catalog's column that holds its titles' ids
    #[arg(long, value_name = "NAME")]
    id_column: Option<String>,
    /// Replace the file if others made or changed it
    #[arg(long)]
    overwrite: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Cells between commas; what a spreadsheet would compute gets an apostrophe in front
    Csv,
    /// One JSON object a line
    Jsonl,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let mut outputs = Outputs::new(args.overwrite);
    outputs.reads(&args.path);
    let claim = args.out.as_ref().map(|path| outputs.claim(path)).transpose()?;
    let target = Target::open(&args.path, args.id_column.as_deref())?;
    let form = match args.format {
        Format::Csv => Form::Csv,
        Format::Jsonl => Form::Jsonl,
    };
    let (bytes, problems, num_rows) = feedback::export(&target, form)?;
    for problem in &problems {
        console.problem(problem);
    }
    match claim {
        Some(claim) => {
            let file = claim.begin()?;
            fs::write(file.path(), &bytes)?;
            file.publish()?;
            console.say(format!("{num_rows} rows of answers written"));
        }
        None => console.data(String::from_utf8_lossy(&bytes)),
    }
    Ok(0)
}
