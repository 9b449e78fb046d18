//! `cinetag catalog`: a catalog made, looked at and passed on before anything is computed.

mod check;
mod export;
mod import;

use catalog::source::SOURCES;

use super::{Console, Failure};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Read a catalog as a run would and say what is in it and what is wrong with it
    Check(check::Args),
    /// Make one checked catalog of data as others publish and keep it
    Import(import::Args),
    /// Write the titles cleaned and annotated, with splits and a data set card
    Export(export::Args),
    /// The kinds of sources that can be imported, or read with `catalog.format`
    Sources,
}

pub(super) fn run(command: &Command, console: &Console) -> Result<u8, Failure> {
    match command {
        Command::Check(args) => check::run(args, console),
        Command::Import(args) => import::run(args, console),
        Command::Export(args) => export::run(args, console),
        Command::Sources => {
            let width = SOURCES.iter().map(|source| source.name().len()).max().unwrap_or(0);
            for source in SOURCES {
                console.data(format!("{:<width$}  {}", source.name(), source.about()));
                console.data(format!("{:<width$}  terms: {}", "", source.terms()));
            }
            Ok(0)
        }
    }
}

/// The catalog that a path stands for: a pipeline's, a file with the default column names, or what
/// a folder holds.
fn spec_of(
    path: &std::path::Path,
    set: &[pipeline::Override],
) -> Result<catalog::CatalogSpec, Failure> {
    if path.extension().is_some_and(|extension| extension == "toml") {
        return Ok(pipeline::Pipeline::read(path, set)?.catalog);
    }
    Ok(catalog::open::declare(path)?)
}
