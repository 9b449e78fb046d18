//! A bundle's versions: what was made under one name, which of it is current, and how that came.
//!
//! in: a home folder, a name, bundles to add and why one is promoted; out: the folder of a version
//!
//! `HOME/NAME/versions/<digest16>/` are bundles, named by the start of the digest of their `bundle.json`,
//! which names the digests of all their files; once there they are never changed. `HOME/NAME/current` is one
//! line, the version that is used; `HOME/NAME/history.jsonl` says who made which current, when and why
//! ([`Event`]). Both are replaced as whole files. A switch is written into the history first and takes
//! effect with `current`, so that a kill at any moment leaves the former version: what follows in the
//! history shows by its `from` whether a switch took effect. Who changes anything holds `.lock`.

mod add;
mod history;
mod switch;
mod version;

#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base::{Digest, ErrorKind, file};

pub use history::{Event, Way};
pub use switch::{Grounds, Judged};
pub use version::{NotAVersion, Version};

use super::{BundleConfig, TagError};
use version::NUM_DIGITS;

const VERSIONS: &str = "versions";
const CURRENT: &str = "current";
const HISTORY: &str = "history.jsonl";
const LOCK: &str = ".lock";
/// Fewer digits name no version.
const MIN_DIGITS: usize = 4;

/// The bundles of one name.
#[derive(Clone, Debug)]
pub struct Versions {
    name: String,
    folder: PathBuf,
}

impl Versions {
    /// Those called `name` in the folder `home`; there may be none yet.
    ///
    /// # Errors
    /// The name cannot be one of a folder, or has an `@`, which divides it from a version.
    pub fn of(home: &Path, name: &str) -> Result<Self, TagError> {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
        if name.is_empty() || name.starts_with(['.', ' ', '-']) || !name.chars().all(is_plain) {
            return Err(TagError::Versions {
                kind: ErrorKind::Usage,
                message: format!("{name:?} is no name for a bundle"),
                hint: "take letters, digits, and - _ . or blanks within".to_owned(),
            });
        }
        Ok(Self { name: name.to_owned(), folder: home.join(name) })
    }

    /// The names that there are in a home, in order; none where there is no such folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn names(home: &Path) -> Result<Vec<String>, TagError> {
        let is_one = |name: &String| home.join(name).join(VERSIONS).is_dir();
        Ok(entries(home)?.into_iter().filter(is_one).collect())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of its versions, which need not be there.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The versions that are there, in the order of their names.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<Version>, TagError> {
        let names = entries(&self.folder.join(VERSIONS))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The folder of a version, whether it is there or not.
    #[must_use]
    pub fn folder_of(&self, version: &Version) -> PathBuf {
        self.folder.join(VERSIONS).join(version.as_str())
    }

    /// What `bundle.json` of a version says.
    ///
    /// # Errors
    /// It is not there, or not what was published.
    pub fn config(&self, version: &Version) -> Result<BundleConfig, TagError> {
        let path = self.folder_of(version).join(super::bundle::CONFIG);
        let damaged = |what: String| {
            self.damaged(
                &format!("version {version} {what}"),
                &format!(
                    "remove {} and add the bundle anew with `cinetag bundle add {} DIR`",
                    self.folder_of(version).display(),
                    self.name
                ),
            )
        };
        let bytes = match file::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("is not there".to_owned()));
            }
            read => read.map_err(TagError::file(&path))?,
        };
        if Version::of(&Digest::of_bytes(&bytes)) != *version {
            return Err(damaged("is not what was published".to_owned()));
        }
        serde_json::from_slice(&bytes).map_err(|error| damaged(format!("cannot be read: {error}")))
    }

    /// The version that is used; `None` where none was promoted.
    ///
    /// # Errors
    /// `current` cannot be read or names none.
    pub fn current(&self) -> Result<Option<Version>, TagError> {
        let path = self.folder.join(CURRENT);
        let text = match file::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(TagError::file(&path))?,
        };
        let version = text.trim_end().parse().map_err(|error: NotAVersion| {
            self.damaged(
                &format!("{} is {error}", path.display()),
                &format!(
                    "remove the file and make a version current with `cinetag bundle promote {} \
                     VERSION --approve WHO`",
                    self.name
                ),
            )
        })?;
        Ok(Some(version))
    }

    /// The version whose digest begins with `digits`, at least four of them.
    ///
    /// # Errors
    /// None does, or several do.
    pub fn find(&self, digits: &str) -> Result<Version, TagError> {
        let all = self.list()?;
        let start = digits.get(..NUM_DIGITS).unwrap_or(digits);
        let begins = |version: &&Version| {
            start.len() >= MIN_DIGITS && version.as_str().starts_with(&start.to_ascii_lowercase())
        };
        let found: Vec<&Version> = all.iter().filter(begins).collect();
        match found[..] {
            [version] => Ok(version.clone()),
            _ => Err(TagError::Versions {
                kind: ErrorKind::Usage,
                message: format!("{} versions of {} begin with {digits:?}", found.len(), self.name),
                hint: match &all[..] {
                    [] => format!("`cinetag bundle add {} DIR` adds a bundle", self.name),
                    all => {
                        let names: Vec<&str> = all.iter().map(Version::as_str).collect();
                        format!("there are {}", names.join(", "))
                    }
                },
            }),
        }
    }

    /// What became current, in order; also what did not take effect, since the process was killed.
    ///
    /// # Errors
    /// The history cannot be read, or somebody changed it.
    pub fn history(&self) -> Result<Vec<Event>, TagError> {
        let text = self.history_text()?;
        let parse = |(k, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| {
                let path = self.folder.join(HISTORY);
                self.damaged(
                    &format!("{}:{}: {error}", path.display(), k + 1),
                    "mend the line, or remove it; a version becomes current without it, too",
                )
            })
        };
        text.lines().enumerate().map(parse).collect()
    }

    /// Whole lines; a half one at the end is of no switch that was made.
    fn history_text(&self) -> Result<String, TagError> {
        let path = self.folder.join(HISTORY);
        let mut text = match file::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(TagError::file(path))?,
        };
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        Ok(text)
    }

    fn damaged(&self, message: &str, hint: &str) -> TagError {
        TagError::Versions {
            kind: ErrorKind::Damaged,
            message: format!("{}: {message}", self.name),
            hint: hint.to_owned(),
        }
    }
}

/// The folder of `NAME` (its current version) or `NAME@DIGITS` in a home; `None` where the home has no
/// bundle of that name.
///
/// # Errors
/// The name is known and no version is current, or it has no such version, or that is damaged.
pub fn resolve(home: &Path, text: &str) -> Result<Option<PathBuf>, TagError> {
    let (name, digits) = text.split_once('@').map_or((text, None), |(n, d)| (n, Some(d)));
    // What cannot be a name is that of no bundle.
    let Ok(versions) = Versions::of(home, name) else { return Ok(None) };
    if !versions.folder.join(VERSIONS).is_dir() {
        return Ok(None);
    }
    let version = match digits {
        Some(digits) => versions.find(digits)?,
        None => versions.current()?.ok_or_else(|| TagError::Versions {
            kind: ErrorKind::Usage,
            message: format!("no version of {name} is current"),
            hint: format!("`cinetag bundle promote {name} VERSION --approve WHO` makes one so"),
        })?,
    };
    versions.config(&version)?;
    Ok(Some(versions.folder_of(&version)))
}

/// The names in a folder, sorted; none where it is not there.
fn entries(folder: &Path) -> Result<Vec<String>, TagError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(TagError::file(folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(TagError::file(folder))?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
