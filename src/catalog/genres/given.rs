//! Vocabularies as a catalog declares them.

use std::path::{Path, PathBuf};

use base::{file, nearest::mend};

use super::same;
use crate::{
    CatalogError,
    spec::{GenreSpec, VocabularySpec},
    vocabularies,
};

impl VocabularySpec {
    /// Checks the names, of a file only that it is one: it may come later than the declaration.
    ///
    /// # Errors
    /// Names that are none or come twice; what is neither a vocabulary nor looks like a file.
    pub(crate) fn check(&self, folder: &Path) -> Result<(), CatalogError> {
        let Self::Source(source) = self else { return given_names(self, folder).map(|_| ()) };
        let name = source.to_string_lossy();
        let is_path = source.extension().is_some() || source.components().count() > 1;
        if is_path || vocabularies::shipped(&name).is_some() || folder.join(source).exists() {
            return Ok(());
        }
        Err(CatalogError::Setting {
            setting: "genres.vocabulary",
            message: format!("names `{name}`, which is neither a vocabulary nor a file"),
            hint: mend(&name, vocabularies::names()),
        })
    }
}

/// Names that a declaration knows as genres, whatever stands in them; a file that cannot be read
/// is told of later.
pub(crate) fn declared(spec: &GenreSpec, folder: &Path) -> Vec<String> {
    let given = spec.vocabulary.as_ref().map(|vocabulary| given_names(vocabulary, folder));
    let mut names = given.and_then(Result::ok).unwrap_or_default();
    names.extend(spec.exclude.iter().cloned());
    names
}

/// The names of a declared vocabulary.
pub(super) fn given_names(
    spec: &VocabularySpec,
    folder: &Path,
) -> Result<Vec<String>, CatalogError> {
    let refuse = |message: String, hint: &str| CatalogError::Setting {
        setting: "genres.vocabulary",
        message,
        hint: hint.to_owned(),
    };
    let names: Vec<String> = match spec {
        VocabularySpec::Names(names) => names.iter().map(|name| name.trim().to_owned()).collect(),
        VocabularySpec::Source(source) => match source.to_str().and_then(vocabularies::shipped) {
            Some(names) => names,
            None => vocabularies::lines(&read(&folder.join(source))?),
        },
    };
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err(refuse("holds an empty name or none at all".to_owned(), "name the genres"));
    }
    for (idx, name) in names.iter().enumerate() {
        if names[..idx].iter().any(|earlier| same(earlier, name)) {
            return Err(refuse(format!("names `{name}` twice"), "name each genre once"));
        }
    }
    Ok(names)
}

fn read(path: &PathBuf) -> Result<String, CatalogError> {
    file::read_to_string(path).map_err(|source| CatalogError::File {
        path: path.clone(),
        action: "read",
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_and_broken_vocabularies() {
        let shipped = VocabularySpec::Source("imdb".into());
        let names = given_names(&shipped, Path::new("")).unwrap();
        assert_eq!(names.len(), 28);
        assert!(names.is_sorted());
        let twice = VocabularySpec::Names(vec!["Drama".into(), "drama ".into()]);
        assert!(given_names(&twice, Path::new("")).is_err());
        assert!(given_names(&VocabularySpec::Names(vec![]), Path::new("")).is_err());
        let absent = VocabularySpec::Source("no/such.txt".into());
        assert!(given_names(&absent, Path::new("/")).is_err());
    }
}
