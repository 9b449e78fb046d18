//! Renders the demo library: synthetic trailers, posters and plots, made on the user's machine.
//!
//! in: a folder, a number of titles and a seed; out: `movies.csv`, `posters/`, `trailers/`,
//! `README.md` and `demo.json`. Nothing is downloaded; `assets/demo/README.md` says what the
//! hints in it are and are not. Where a speech synthesiser is installed, it reads some of the plots
//! over their trailers.
//!
//! `demo.json` is written first: it names every file with the digest of its recipe. Every
//! other file appears whole or not at all, `movies.csv` last. A file that is there and whose
//! digest stands in the old `demo.json` is kept, so a second call does nothing and an
//! interrupted one goes on where it stopped.

mod canvas;
mod catalog;
mod lettering;
mod narrator;
mod plot;
mod poster;
mod recipe;
mod scene;
mod score;
mod stamp;
mod style;
mod trailer;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use base::{
    Digest, DigestBuilder, ErrorKind, Hinted, Interrupt, Interrupted, Progress, Seed, publish_bytes,
};
use media::{mux::MuxError, save};
use rayon::prelude::*;

use self::{
    recipe::{Recipe, Sheet, Trailer},
    stamp::Stamp,
};

/// Titles of the usual demo library.
pub const NUM_TITLES: usize = 60;
/// Seed of the usual demo library.
pub const SEED: Seed = Seed(10);

/// Raised whenever equal recipes give other pictures, sounds or words.
const RENDER_VERSION: u32 = 2;
/// Stands in every trailer and beside every catalog.
const NOTE: &str = "synthetic demo, rendered by cinetag; no such film exists";

/// Digest of everything that the recipes are drawn from: words, genres, letters, version.
#[must_use]
pub fn recipe_digest() -> Digest {
    DigestBuilder::new()
        .part(RENDER_VERSION.to_le_bytes())
        .part(style::GENRES_TOML)
        .part(style::PLOTS_TOML)
        .part(lettering::FONT_TOML)
        .finish()
}

/// A rendered library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoLibrary {
    /// The catalog file, `movies.csv`.
    pub catalog: PathBuf,
    /// Titles in it.
    pub num_titles: usize,
    /// Files that this call made.
    pub num_rendered: usize,
    /// Files that were there from the same recipe.
    pub num_kept: usize,
    /// FFmpeg encoders that this call used; they need not be the first choice.
    pub encoders: Vec<String>,
}

/// The library cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The folder holds something that this program did not render.
    #[error("{path} is in the way: the folder was not made by this program")]
    NotOurs {
        /// What is in the way.
        path: PathBuf,
    },
    /// A library without titles.
    #[error("a library needs at least one title, got 0")]
    NoTitles,
    /// A trailer cannot be written.
    #[error("a trailer cannot be rendered")]
    Movie(#[from] MuxError),
    /// A poster cannot be written.
    #[error("a still picture cannot be rendered")]
    Still(#[from] save::SaveError),
    /// A file cannot be written or removed.
    #[error("{path} cannot be written")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Ctrl-C; the finished files are kept, and the next call goes on from there.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Hinted for DemoError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotOurs { .. } => Some("choose an empty folder, or one that is not there".into()),
            Self::NoTitles => Some(format!("the usual library has {NUM_TITLES}")),
            Self::Movie(error) => error.hint(),
            Self::Still(error) => error.hint(),
            Self::Io { .. } => {
                Some("look at the folder's permissions and the free space of its disk".into())
            }
            Self::Interrupted(_) => Some("run the same command again to go on".into()),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotOurs { .. } | Self::NoTitles => ErrorKind::Input,
            Self::Movie(error) => error.kind(),
            Self::Still(error) => error.kind(),
            Self::Io { .. } => ErrorKind::System,
            Self::Interrupted(_) => ErrorKind::Interrupted,
        }
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> DemoError {
    let path = path.to_owned();
    move |source| DemoError::Io { path, source }
}

/// One file of the library.
enum Job<'a> {
    Sheet(&'a Sheet),
    Trailer(&'a Trailer),
    Text(String),
}

impl Job<'_> {
    /// Digest of all that decides the file's content.
    fn digest(&self) -> Digest {
        let content = match self {
            Self::Sheet(sheet) => serde_json::to_string(sheet),
            Self::Trailer(trailer) => serde_json::to_string(trailer),
            Self::Text(text) => Ok(text.clone()),
        };
        let content = content.expect("recipes are plain numbers and texts");
        base::DigestBuilder::new()
            .part(RENDER_VERSION.to_le_bytes())
            .part(lettering::FONT_TOML)
            .part(content)
            .finish()
    }

    fn render(&self, path: &Path, interrupt: &Interrupt) -> Result<Vec<String>, DemoError> {
        match self {
            Self::Sheet(sheet) => save::write_picture(path, &poster::draw(sheet))?,
            Self::Trailer(trailer) => return trailer::render(path, trailer, interrupt),
            Self::Text(text) => publish_bytes(path, text.as_bytes()).map_err(io_error(path))?,
        }
        Ok(Vec::new())
    }
}

/// Renders a library of `num_titles` into the folder `out`, as many titles at once as there
/// are cores.
///
/// # Errors
/// A folder that holds other things under the library's names, a disk that refuses, no
/// encoder that would do, an interruption.
pub fn render(
    out: &Path,
    num_titles: usize,
    seed: Seed,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<DemoLibrary, DemoError> {
    if num_titles == 0 {
        return Err(DemoError::NoTitles);
    }
    let mut recipes = recipe::recipes(num_titles, seed);
    if let Some(voice) = narrator::voice() {
        recipe::narrate(&mut recipes, voice);
    }
    let (media, texts) = jobs(&recipes);
    let wanted = Stamp::new(
        seed,
        num_titles,
        media.iter().chain(&texts).map(|(name, job)| (name.clone(), job.digest())).collect(),
    );
    let num_files = media.len() + texts.len();
    let todo = wanted.begin(out)?;

    let encoders = Mutex::new(BTreeSet::new());
    if !todo.is_empty() {
        progress.begin("rendering the demo library", Some(todo.len() as u64));
        let is_due = |(name, _): &&(String, Job<'_>)| todo.contains(name);
        let render = |(name, job): &(String, Job<'_>)| -> Result<(), DemoError> {
            interrupt.check()?;
            let path = out.join(name);
            let folder = path.parent().unwrap_or(out);
            fs::create_dir_all(folder).map_err(io_error(folder))?;
            let used = job.render(&path, interrupt)?;
            encoders.lock().unwrap_or_else(PoisonError::into_inner).extend(used);
            progress.advance(1);
            Ok(())
        };
        let due: Vec<_> = media.iter().filter(is_due).collect();
        let rendered = due
            .into_par_iter()
            .with_max_len(1)
            .try_for_each(render)
            .and_then(|()| texts.iter().filter(is_due).try_for_each(render));
        progress.end();
        rendered?;
    }
    Ok(DemoLibrary {
        catalog: out.join("movies.csv"),
        num_titles,
        num_rendered: todo.len(),
        num_kept: num_files - todo.len(),
        encoders: encoders
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .into_iter()
            .collect(),
    })
}

type Jobs<'a> = Vec<(String, Job<'a>)>;

/// Pictures and films, which come first and in any order; texts, which come last and in
/// this one.
fn jobs(recipes: &[Recipe]) -> (Jobs<'_>, Jobs<'_>) {
    let mut media = Vec::new();
    for recipe in recipes {
        if let Some(trailer) = &recipe.trailer {
            media.push((catalog::trailer_file(&recipe.id, trailer), Job::Trailer(trailer)));
        }
        if let Some(sheet) = &recipe.sheet {
            media.push((catalog::sheet_file(&recipe.id, sheet), Job::Sheet(sheet)));
        }
    }
    let texts = vec![
        ("README.md".to_owned(), Job::Text(catalog::readme(recipes))),
        ("movies.csv".to_owned(), Job::Text(catalog::csv(recipes))),
    ];
    (media, texts)
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> Result<(), DemoError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
