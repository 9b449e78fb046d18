//! `cinetag catalog import`: from data as others keep it to one checked catalog.
//!
//! in: a [`Source`] and others that are joined to it; out, in one folder: `catalog.jsonl`, which
//! pipelines read, `catalog.parquet` with the same titles and columns, and `decisions.json`,
//! which says what was read, joined, repaired, left out, and why ([`Decisions`]).
//!
//! The first source is streamed: of its titles only keys are held. Of the others those titles
//! are held that an id or a name and year in the first can match.

mod check_ids;
mod decisions;
mod join;
mod outputs;
mod parquet_file;
mod record;
mod titles;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use base::{Draft, json, publish_bytes};

pub use decisions::{Decisions, Doubtful, Input, Joined};
pub(super) use join::name_key;
use join::{Index, Keys};
use outputs::{JsonLines, Outputs};
use parquet_file::ParquetLines;
pub(super) use parquet_file::{Columns, write as write_parquet};
pub(super) use record::record;
use titles::{Taken, Titles};

use super::{
    CatalogError, CatalogSpec, CatalogSummary, Row,
    load::RowLoader,
    source::{Intake, Source},
};

/// The catalog's name in the folder.
pub const CATALOG_FILE: &str = "catalog.jsonl";
/// The same as Parquet.
pub const PARQUET_FILE: &str = "catalog.parquet";
/// What was decided.
pub const DECISIONS_FILE: &str = "decisions.json";
/// Folder of media that had to be unpacked.
pub const MEDIA_FOLDER: &str = "media";

/// A source, and where it lies.
pub struct Origin {
    /// Its kind.
    pub source: &'static dyn Source,
    /// The file or folder.
    pub path: PathBuf,
}

/// Imports a source with others joined to it into a folder, which is made where it is missing; its
/// parents are not.
///
/// # Errors
/// A source is not there or not of its form, no title is left, or nothing can be written.
pub fn import(first: &Origin, others: &[Origin], out: &Path) -> Result<Decisions, CatalogError> {
    if !out.is_dir() {
        fs::create_dir(out).map_err(written(out))?;
    }
    let mut decisions = Decisions::new(first);
    let indices = index(first, others, out, &mut decisions)?;

    let (path, parquet) = (out.join(CATALOG_FILE), out.join(PARQUET_FILE));
    let spec = CatalogSpec::new(&path);
    let draft = Draft::begin(&path).map_err(written(&path))?;
    let outputs = Outputs {
        jsonl: JsonLines::new(File::create(draft.path()).map_err(written(&path))?),
        parquet: ParquetLines::begin(&parquet)?,
        loader: RowLoader::new(&spec)?,
    };
    let titles = Titles::new(&indices, &mut decisions.joins);
    let (Taken { left_out, doubted_ids, cleaning }, outputs) =
        outputs.fill(titles, |take| read(first, out, &mut decisions.input, take))?;
    decisions.input.left_out.extend(left_out);
    decisions.num_titles = outputs.jsonl.num_titles;
    if decisions.num_titles == 0 {
        let reason =
            decisions.input.problems.first().map(|problem| format!("; {}", problem.message));
        return Err(CatalogError::NoTitles {
            path: first.path.clone(),
            reason: reason.unwrap_or_default(),
            hint: "see docs/sources.md for what each kind of source holds".to_owned(),
        });
    }
    decisions.doubted_ids = doubted_ids;
    decisions.cleaning = cleaning;
    let published = outputs.jsonl.finish().and_then(|()| draft.publish());
    published.map_err(written(&path))?;
    outputs.parquet.finish(&path, &parquet)?;
    let (catalog, problems) = outputs.loader.finish()?;
    decisions.check(&path, CatalogSummary::new(&path, &catalog, problems));
    let decisions_path = out.join(DECISIONS_FILE);
    publish_bytes(&decisions_path, json::pretty(&decisions).as_bytes())
        .map_err(written(&decisions_path))?;
    Ok(decisions)
}

fn written(path: &Path) -> impl FnOnce(io::Error) -> CatalogError {
    let path = path.to_owned();
    move |source| CatalogError::File { path, action: "written", source }
}

/// Titles of the other sources that the first can match.
fn index(
    first: &Origin,
    others: &[Origin],
    out: &Path,
    decisions: &mut Decisions,
) -> Result<Vec<Index>, CatalogError> {
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let mut wanted = Keys::default();
    read(first, out, &mut Input::new(first), |row| wanted.add(&row))?;
    let mut indices = Vec::new();
    for other in others {
        let mut joined = Joined::new(other);
        let mut index = Index::new(other.source.name());
        read(other, out, &mut joined.input, |row| index.add(row, &wanted))?;
        decisions.joins.push(joined);
        indices.push(index);
    }
    Ok(indices)
}

/// Reads a source; media are named by absolute paths.
fn read(
    from: &Origin,
    out: &Path,
    input: &mut Input,
    mut take: impl FnMut(Row),
) -> Result<(), CatalogError> {
    let path = &from.path;
    let real = fs::canonicalize(path).map_err(|source| CatalogError::File {
        path: path.clone(),
        action: "read",
        source,
    })?;
    let folder: Arc<Path> =
        if real.is_dir() { real.as_path() } else { real.parent().unwrap_or(&real) }.into();
    let mut num_titles = 0;
    let mut each = |row: Row| {
        num_titles += 1;
        take(record::with_absolute_paths(row, &folder));
    };
    let media = fs::canonicalize(out).unwrap_or_else(|_| out.to_owned()).join(MEDIA_FOLDER);
    let mut intake = Intake::new(&mut each).unpacking_into(&media);
    from.source.read(&real, &mut intake)?;
    let told = intake.finish();
    input.take(told, num_titles);
    Ok(())
}
