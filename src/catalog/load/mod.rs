//! From a catalog file to titles.
//!
//! in: a [`CatalogSpec`]; out: a [`Catalog`] and the problems of its rows.
//! What is no catalog file but a [source](super::source) gives rows of the same kind.
//!
//! The file is read as a stream; what is kept is the titles. What costs a row (error): no id,
//! an id that stood before, bytes in the id that are not UTF-8, a row that cannot be taken
//! apart or holds a NUL byte. What costs a cell (warning): a year or fold that is none, a genre cell that cannot
//! be taken apart, a genre outside the vocabulary; bytes that are not UTF-8 become U+FFFD and
//! the cell is kept. A file that is named but not there is kept in the title, so that
//! extraction records why its features are missing.
//!
//! A title is labelled if its genre cell names a genre. If none of its genres counts because
//! each is excluded or has too few titles, it stays labelled, with none: that it has none of
//! the genres that count is known. If one of them is not in a given vocabulary (misspelt,
//! perhaps) and none is left, what it has is not known, and it is not labelled.
//!
//! What people decided in the log (`decided`) holds over what the file says.

mod columns;
mod genre_cells;
mod head;
mod readers;
mod rows;
#[cfg(test)]
mod tests;
mod titles;

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, BufRead, BufReader},
    path::Path,
    sync::Arc,
};

use base::{GenreId, TitleId, file};

use super::{
    Catalog, CatalogError, CatalogSpec, Format, Problem, ProblemKind, Severity, Title, decided,
    genres::{self, GenreCounter, Resolved},
    leaks::GenreWords,
    source,
    spec::{Column, ResolvedColumns},
    vocabularies::Crosswalk,
};

/// Reads a catalog.
///
/// # Errors
/// The file cannot be read, is of no known format, lacks the id column or a column that the
/// declaration names, or holds no title; a setting is out of range.
pub fn load(spec: &CatalogSpec) -> Result<(Catalog, Vec<Problem>), CatalogError> {
    read(Loader::new(spec)?)
}

/// Reads a catalog; where no column of ids was declared and none is there, titles are numbered by
/// their rows, from 1, and a note says so. For what is looked at once: numbers name other titles
/// as soon as a row is added above them.
///
/// # Errors
/// As [`load`], but for the id column.
pub fn load_numbered(spec: &CatalogSpec) -> Result<(Catalog, Vec<Problem>), CatalogError> {
    let loader = Loader::new(spec)?;
    let column = loader.id_column.name.clone();
    let is_there = match head::names(spec) {
        Ok(Some(names)) => names.iter().any(|name| **name == column),
        // What has no header, or none that can be read, says so itself.
        Ok(None) | Err(_) => true,
    };
    if is_there || spec.columns.id.is_some() {
        match read(loader) {
            Err(CatalogError::NoColumn { setting, .. })
                if setting == "columns.id" && spec.columns.id.is_none() => {}
            other => return other,
        }
    }
    let (catalog, mut problems) = read(Loader { numbers_rows: true, ..Loader::new(spec)? })?;
    problems.push(Problem {
        severity: Severity::Note,
        kind: ProblemKind::EmptyId,
        file: spec.path.clone(),
        line: None,
        column: None,
        field: Some(column.clone()),
        value: None,
        message: format!("there is no column `{column}`: titles are numbered by their rows"),
        hint: "--id-column NAME takes another column for it".to_owned(),
    });
    Ok((catalog, problems))
}

fn read(mut loader: Loader) -> Result<(Catalog, Vec<Problem>), CatalogError> {
    let spec = loader.spec;
    let format = format_of(spec)?;
    if let Format::Source(name) = format {
        if let Some(source) = source::find(name) {
            loader.read_source(source)?;
        }
        return loader.finish();
    }
    let file = file::open(&spec.path).map_err(|e| unreadable(&spec.path, e))?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let head = reader.fill_buf().map_err(|e| unreadable(&spec.path, e))?;
    let num_nul = memchr::memchr_iter(0, head).count();
    let is_wide = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    if is_wide || num_nul > head.len() / MAX_NUL {
        return Err(CatalogError::Format {
            path: spec.path.clone(),
            message: "this is not UTF-8 text (UTF-16, or no text at all)".to_owned(),
            hint: "save the catalog as CSV or JSON Lines in UTF-8".to_owned(),
        });
    }
    match format {
        Format::Jsonl => loader.read_jsonl(reader)?,
        _ => loader.read_delimited(reader, delimiter_of(spec, format)?)?,
    }
    loader.finish()
}

fn unreadable(path: &Path, source: io::Error) -> CatalogError {
    CatalogError::File { path: path.to_owned(), action: "read", source }
}

fn format_of(spec: &CatalogSpec) -> Result<Format, CatalogError> {
    match spec.format {
        Format::Auto => Format::of_path(&spec.path).ok_or_else(|| CatalogError::Format {
            path: spec.path.clone(),
            message: "the name's ending does not say which format this is".to_owned(),
            hint: "set `catalog.format` to \"csv\", \"tsv\" or \"jsonl\"".to_owned(),
        }),
        stated => Ok(stated),
    }
}

fn delimiter_of(spec: &CatalogSpec, format: Format) -> Result<u8, CatalogError> {
    let usual = if format == Format::Tsv { b'\t' } else { b',' };
    Ok(spec.cells_between()?.unwrap_or(usual))
}

/// In a text that others wrote a NUL byte is a slip that costs its row; where one byte in so many
/// is one, the file is no text.
const MAX_NUL: usize = 10;

use genre_cells::Stated;
pub(super) use head::Heads;
pub(super) use rows::RowLoader;

struct Loader<'a> {
    spec: &'a CatalogSpec,
    columns: Arc<ResolvedColumns>,
    id_column: Column,
    /// Metadata columns that are kept; empty: all that have no role.
    kept: Vec<&'a str>,
    /// Whether columns without a role are kept at all.
    keeps_fields: bool,
    /// Columns that are not kept where no declaration names them.
    dropped: &'static [&'static str],
    /// Whether titles without an id are numbered by their rows.
    numbers_rows: bool,
    /// Rows that were looked at.
    num_rows: u64,
    /// The file of the row that is looked at, where it is not the catalog itself.
    file: Option<Arc<Path>>,
    titles: Vec<Title>,
    /// Per title.
    stated: Vec<Stated>,
    /// Where people's decisions about the titles may lie; genres are counted when these are known.
    log: Option<decided::Place>,
    genres: GenreCounter,
    declared_genres: Vec<String>,
    crosswalk: Option<Crosswalk>,
    /// Titles that lost something in the crosswalk, by what it was.
    losses: BTreeMap<String, usize>,
    line_of_id: HashMap<TitleId, u64>,
    problems: Vec<Problem>,
}

impl<'a> Loader<'a> {
    fn new(spec: &'a CatalogSpec) -> Result<Self, CatalogError> {
        let columns = spec.columns.resolve();
        let id_column = columns.id.clone().ok_or_else(|| CatalogError::Setting {
            setting: "columns.id",
            message: "must name a column, got an empty name".to_owned(),
            hint: "name the column whose cells are unique".to_owned(),
        })?;
        let crosswalk = spec.genres.crosswalk.as_ref();
        let crosswalk =
            crosswalk.map(|walk| Crosswalk::of_spec(walk, spec.folder())).transpose()?;
        Ok(Self {
            spec,
            columns: Arc::new(columns),
            id_column,
            kept: spec.metadata.iter().collect(),
            keeps_fields: true,
            dropped: &[],
            numbers_rows: false,
            num_rows: 0,
            file: None,
            titles: Vec::new(),
            stated: Vec::new(),
            log: decided::Place::of(spec),
            genres: GenreCounter::default(),
            declared_genres: genres::declared(&spec.genres, spec.folder()),
            crosswalk,
            losses: BTreeMap::new(),
            line_of_id: HashMap::new(),
            problems: Vec::new(),
        })
    }

    fn report_losses(&mut self) {
        let notes =
            std::mem::take(&mut self.losses).into_iter().map(|(loss, num_titles)| Problem {
                severity: Severity::Note,
                kind: ProblemKind::UnknownGenre,
                file: self.spec.path.clone(),
                line: None,
                column: None,
                field: None,
                value: None,
                message: format!("lost in the crosswalk for {num_titles} titles: {loss}"),
                hint: "give a table of your own as `catalog.genres.crosswalk` to say it otherwise"
                    .to_owned(),
            });
        self.problems.extend(notes);
    }

    /// Leaves out the titles that lack what every title needs, and says how many.
    fn apply_needs(&mut self) -> Result<(), CatalogError> {
        let num_before = self.titles.len();
        let needs = &self.spec.needs;
        self.titles.retain(|title| needs.iter().all(|need| need.is_met(title)));
        let num_left_out = num_before - self.titles.len();
        if num_left_out == 0 {
            return Ok(());
        }
        let path = self.spec.path.clone();
        if self.titles.is_empty() {
            return Err(CatalogError::NoTitles {
                path,
                reason: "; each lacks what `catalog.needs` names".to_owned(),
                hint: "take what the catalog does not have out of `catalog.needs`".to_owned(),
            });
        }
        self.problems.push(Problem {
            severity: Severity::Note,
            kind: ProblemKind::LeftOut,
            file: path,
            line: None,
            column: None,
            field: None,
            value: None,
            message: format!("{num_left_out} titles lack what `catalog.needs` names"),
            hint: "they are left out; clear `catalog.needs` to keep them".to_owned(),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<(Catalog, Vec<Problem>), CatalogError> {
        if self.titles.is_empty() {
            let (reason, hint) = match self.problems.iter().find(|p| p.severity == Severity::Error)
            {
                None => (String::new(), "the file holds no row below its header".to_owned()),
                Some(first) => {
                    let line = first.line.unwrap_or(0);
                    let rows = self.problems.iter().filter(|p| p.severity == Severity::Error);
                    let rows = rows.count();
                    (
                        format!("; of {rows} bad rows the first, line {line}: {}", first.message),
                        first.hint.clone(),
                    )
                }
            };
            return Err(CatalogError::NoTitles { path: self.spec.path.clone(), reason, hint });
        }
        self.apply_log();
        self.report_losses();
        let column = self.columns.genres.as_ref().map_or("", |column| &column.name).to_owned();
        let path = &self.spec.path;
        let (vocabulary, resolved) =
            self.genres.to_vocabulary(&self.spec.genres, path, &column, &mut self.problems)?;
        for (title, said) in self.titles.iter_mut().zip(&self.stated) {
            let mut unknown = false;
            for &idx in &said.genres {
                match resolved[idx] {
                    Resolved::Known(genre) => title.genres.push(genre),
                    Resolved::LeftOut => {}
                    Resolved::Unknown => unknown = true,
                }
            }
            title.genres.sort_unstable();
            let own = title.genres.clone();
            let others = |names: &[String]| -> Vec<GenreId> {
                let found = names.iter().filter_map(|name| vocabulary.find(name));
                let mut found: Vec<GenreId> = found.filter(|id| !own.contains(id)).collect();
                found.sort_unstable();
                found.dedup();
                found
            };
            (title.not_genres, title.unknown_genres) = (others(&said.not), others(&said.unknown));
            let is_lost = unknown && title.genres.is_empty();
            title.labelled = said.is_complete || (!said.genres.is_empty() && !is_lost);
            if said.is_partial {
                let is_open = |id: &GenreId| !own.contains(id) && !title.not_genres.contains(id);
                title.unknown_genres = vocabulary.ids().filter(is_open).collect();
            }
        }
        if self.spec.drop_naming_sentences {
            let words = GenreWords::new(&vocabulary);
            for title in &mut self.titles {
                let plot = title.plot.take();
                title.plot = plot.and_then(|plot| words.without_naming(&plot));
            }
        }
        self.apply_needs()?;
        // By line; what belongs to no line comes last.
        self.problems.sort_by_key(|p| (p.line.unwrap_or(u64::MAX), p.column));
        Ok((Catalog { titles: self.titles, vocabulary }, self.problems))
    }
}
