//! How a catalog file is declared: the `[catalog]` table of a pipeline.
//!
//! in: TOML or JSON; out: [`CatalogSpec`]. Every path in it but `path` itself is taken from
//! the catalog file's folder unless it is absolute.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    CatalogError, Format, Title,
    vocabularies::{Crosswalk, CrosswalkSpec},
};

/// A catalog file and what its columns mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogSpec {
    /// The catalog file, or the file or folder of a source.
    pub path: PathBuf,
    /// How it is written: `csv`, `tsv`, `jsonl`, or the name of a [source](super::source).
    #[serde(default)]
    pub format: Format,
    /// The one ASCII character between cells; by default `,` for CSV and a tab for TSV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether a cell that begins with `"` is quoted (RFC 4180). `false` takes quotes as they
    /// stand, as in IMDb's TSV files.
    #[serde(default = "yes")]
    pub quoting: bool,
    /// Folder of the files named in the poster column; where none is given, the catalog's own,
    /// then `posters` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poster_dir: Option<PathBuf>,
    /// Folder of the files named in the trailer column; where none is given, the catalog's own,
    /// then `trailers` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailer_dir: Option<PathBuf>,
    /// Which column is what.
    #[serde(default)]
    pub columns: Columns,
    /// Columns kept as metadata; where none is named, every column without another role is.
    #[serde(default)]
    pub metadata: MetadataColumns,
    /// How genres are read and which count.
    #[serde(default)]
    pub genres: GenreSpec,
    /// Sentences of a plot that say what genre the film is are left out, so that a model learns
    /// what happens in a film and not what it is called.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop_naming_sentences: bool,
    /// Titles that lack one of these are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
}

/// What a title may be asked to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// A year of release.
    Year,
    /// A plot.
    Plot,
    /// A poster that is stated; whether the file is there is not looked at.
    Poster,
    /// A trailer that is stated.
    Trailer,
    /// What is said in a trailer, stated in words.
    Transcript,
    /// A genre that counts.
    Genres,
}

impl Need {
    /// Whether a title has it.
    #[must_use]
    pub fn is_met(self, title: &Title) -> bool {
        match self {
            Self::Year => title.year.is_some(),
            Self::Plot => title.plot.is_some(),
            Self::Poster => title.poster.is_some(),
            Self::Trailer => !title.trailers.is_empty(),
            Self::Transcript => title.transcript.is_some(),
            Self::Genres => !title.genres.is_empty(),
        }
    }
}

fn yes() -> bool {
    true
}

impl CatalogSpec {
    /// The declaration of a file whose columns have the default names.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            format: Format::Auto,
            delimiter: None,
            quoting: true,
            poster_dir: None,
            trailer_dir: None,
            columns: Columns::default(),
            metadata: MetadataColumns::default(),
            genres: GenreSpec::default(),
            drop_naming_sentences: false,
            needs: Vec::new(),
        }
    }

    /// Checks every value, as far as that can be without the catalog's file.
    ///
    /// # Errors
    /// The first that is wrong, with what was expected and the name that was probably meant.
    pub fn check(&self) -> Result<(), CatalogError> {
        self.cells_between()?;
        let refuse = |setting: &'static str, message: &str, hint: &str| {
            let (message, hint) = (message.to_owned(), hint.to_owned());
            Err(CatalogError::Setting { setting, message, hint })
        };
        if self.columns.id.as_deref() == Some("") {
            let hint = "name the column whose cells are unique";
            return refuse("columns.id", "must name a column, got an empty name", hint);
        }
        for (setting, names) in self.metadata.lists() {
            if names.iter().any(String::is_empty) {
                let hint = "name columns, or take the empty name out";
                return refuse(setting, "names a column with an empty name", hint);
            }
        }
        if let Some(CrosswalkSpec::Shipped { from, to }) = &self.genres.crosswalk {
            Crosswalk::between(from, to)?;
        }
        self.genres.vocabulary.as_ref().map_or(Ok(()), |vocabulary| vocabulary.check(self.folder()))
    }

    /// The character between cells, where it is stated; it must be one byte and no quote.
    pub(super) fn cells_between(&self) -> Result<Option<u8>, CatalogError> {
        match self.delimiter {
            None => Ok(None),
            Some(c) if c.is_ascii() && !matches!(c, '"' | '\n' | '\r' | '\0') => Ok(Some(c as u8)),
            Some(c) => Err(CatalogError::Setting {
                setting: "delimiter",
                message: format!("must be one ASCII character other than a quote, got {c:?}"),
                hint: "common ones are \",\", \";\" and \"\\t\"".to_owned(),
            }),
        }
    }

    /// The folder from which relative paths are taken: the catalog's own, or a source's.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self.format {
            Format::Source(_) if self.path.is_dir() => &self.path,
            _ => self.path.parent().unwrap_or(Path::new("")),
        }
    }
}

/// A column with a role: its name in the file, and whether the declaration names it (then the
/// file must have it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) declared: bool,
}

/// `None` where the declaration says with an empty name that no column has this role.
fn column(declared: Option<&str>, default: &str) -> Option<Column> {
    match declared {
        Some("") => None,
        Some(name) => Some(Column { name: name.to_owned(), declared: true }),
        None => Some(Column { name: default.to_owned(), declared: false }),
    }
}

macro_rules! columns {
    ($($(#[doc = $doc:literal])+ $role:ident,)+) => {
        /// Names of the columns with a role. A role that is not named here goes to the column
        /// of the role's own name, where the file has one; an empty name gives it to none.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Columns {
            $($(#[doc = $doc])+
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $role: Option<String>,)+
        }

        /// [`Columns`] with the defaults filled in.
        #[derive(Clone, Debug)]
        pub(super) struct ResolvedColumns {
            $(pub(super) $role: Option<Column>,)+
        }

        impl Columns {
            pub(super) fn resolve(&self) -> ResolvedColumns {
                ResolvedColumns {
                    $($role: column(self.$role.as_deref(), stringify!($role)),)+
                }
            }
        }

        impl ResolvedColumns {
            /// Role and column, for every role that has one.
            pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Column)> {
                [$((stringify!($role), self.$role.as_ref()),)+]
                    .into_iter()
                    .filter_map(|(role, column)| Some((role, column?)))
            }
        }
    };
}

columns! {
    /// Unique name of the title; the one column that must be there.
    id,
    /// The name people know it by; the id where there is none.
    title,
    /// Year of release.
    year,
    /// What happens in it.
    plot,
    /// The poster's file.
    poster,
    /// The trailer's file; several separated by `|` or as a JSON list, or the folder that holds
    /// them.
    trailer,
    /// What is said in the trailers.
    transcript,
    /// Its genres.
    genres,
    /// Genres that somebody decided it does not have: known also where no genre is stated.
    not_genres,
    /// Genres of which it is not known whether it has them, though others are stated: those that the
    /// program gave.
    unknown_genres,
    /// Titles of one group stay in one fold.
    group,
    /// The fold the catalog itself assigns.
    fold,
}

/// Columns kept as metadata, by what they hold. A cell of `categories` or `people` may name
/// several, separated by `|` or `,`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetadataColumns {
    /// Numbers (running time, votes).
    pub numbers: Vec<String>,
    /// Categories (language, country, certificate).
    pub categories: Vec<String>,
    /// People (director, writer, actors).
    pub people: Vec<String>,
}

impl MetadataColumns {
    /// All columns named, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.lists().into_iter().flat_map(|(_, names)| names).map(String::as_str)
    }

    /// The lists with the names of their settings.
    pub(super) fn lists(&self) -> [(&'static str, &Vec<String>); 3] {
        [
            ("metadata.numbers", &self.numbers),
            ("metadata.categories", &self.categories),
            ("metadata.people", &self.people),
        ]
    }
}

/// How genres are read and which count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenreSpec {
    /// How a cell with several genres is written.
    pub separator: Separator,
    /// The genres that count, in this order. Without it: all that occur, ordered by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<VocabularySpec>,
    /// How the genres stated are said in another vocabulary, before any of them counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crosswalk: Option<CrosswalkSpec>,
    /// Genres with fewer titles than this are left out.
    pub min_support: usize,
    /// Genres left out in any case.
    pub exclude: Vec<String>,
}

impl Default for GenreSpec {
    fn default() -> Self {
        Self {
            separator: Separator::Auto,
            vocabulary: None,
            crosswalk: None,
            min_support: 1,
            exclude: Vec::new(),
        }
    }
}

/// What stands between the genres of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Separator {
    /// JSON where the cell begins with `[`, else `|` where there is one, else `;`, else `,`; and
    /// `/`, but in names that a vocabulary has with it.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// `Drama|Comedy`
    #[serde(rename = "|")]
    Bar,
    /// `Drama, Comedy`
    #[serde(rename = ",")]
    Comma,
    /// `Drama; Comedy`
    #[serde(rename = ";")]
    Semicolon,
    /// `Drama/Comedy`
    #[serde(rename = "/")]
    Slash,
    /// `["Drama", "Comedy"]`, or objects with a `name`.
    #[serde(rename = "json")]
    Json,
}

/// Where the closed vocabulary comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of genre names, `imdb`, or the path of a text file with one genre a line"
)]
pub enum VocabularySpec {
    /// The names themselves.
    Names(Vec<String>),
    /// A vocabulary that the program ships (`imdb`), or a text file with one genre a line; lines
    /// that begin with `#` are comments.
    Source(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_all_settings_reads_and_round_trips() {
        let text = r#"
            path = "library/movies.csv"
            poster_dir = "posters"
            columns = { id = "imdb_id", trailer = "" }
            metadata = { numbers = ["runtime_min"], people = ["director"] }
            genres = { separator = "|", vocabulary = ["Drama", "Comedy"], min_support = 60 }
        "#;
        let spec: CatalogSpec = toml::from_str(text).unwrap();
        assert_eq!(spec.folder(), Path::new("library"));
        assert_eq!(spec.genres.separator, Separator::Bar);
        assert_eq!(spec.genres.min_support, 60);
        let columns = spec.columns.resolve();
        assert_eq!(columns.id, Some(Column { name: "imdb_id".into(), declared: true }));
        assert_eq!(columns.year, Some(Column { name: "year".into(), declared: false }));
        assert_eq!(columns.trailer, None, "an empty name takes the role away");
        let again: CatalogSpec = toml::from_str(&toml::to_string(&spec).unwrap()).unwrap();
        assert_eq!(again, spec);
    }

    #[test]
    fn unknown_settings_are_refused() {
        for text in [
            "path = \"a.csv\"\ndelimeter = \";\"",
            "path = \"a.csv\"\ncolumns = { name = \"title\" }",
            "path = \"a.csv\"\ngenres = { seperator = \"|\" }",
            "path = \"a.csv\"\ngenres = { vocabulary = 3 }",
            "path = \"a.csv\"\nformat = \"xlsx\"",
        ] {
            assert!(toml::from_str::<CatalogSpec>(text).is_err(), "{text}");
        }
    }
}
