//! How a catalog is written: the formats of files and the names of sources.
//!
//! in: a name in a pipeline, or a file's; out: [`Format`]. What reads a [source](super::source) is
//! not known here, so that rows and declarations stand below it.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// The names of all kinds of [sources](super::source), in their order.
pub(super) const SOURCES: [&str; 11] = [
    "imdb",
    "kaggle",
    "library",
    "mm-imdb",
    "movielens",
    "movienet",
    "parquet",
    "tmdb",
    "trailers",
    "trailers12k",
    "webdataset",
];

/// How a catalog file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum Format {
    /// By the file name's extension.
    #[default]
    Auto,
    /// Cells between commas, RFC 4180.
    Csv,
    /// Cells between tabs.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// In the form of the [source](super::source) of this name, one of `SOURCES`.
    Source(&'static str),
}

impl From<Format> for &'static str {
    fn from(format: Format) -> Self {
        match format {
            Format::Auto => "auto",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Jsonl => "jsonl",
            Format::Source(name) => name,
        }
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let sources = SOURCES.map(Self::Source);
        let known: Vec<Self> =
            [Self::Auto, Self::Csv, Self::Tsv, Self::Jsonl].into_iter().chain(sources).collect();
        known.iter().copied().find(|&format| <&str>::from(format) == name).ok_or_else(|| {
            let quoted = |format| format!("`{}`", <&str>::from(format));
            let names: Vec<String> = known.into_iter().map(quoted).collect();
            let names = names.join(", ");
            D::Error::custom(format!("unknown catalog format `{name}`, expected one of {names}"))
        })
    }
}

impl Format {
    /// The format that a file name's extension stands for; `None` where it is no catalog's.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" => Some(Self::Source("parquet")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_go_by_extension() {
        assert_eq!(Format::of_path(Path::new("a/B.CSV")), Some(Format::Csv));
        assert_eq!(Format::of_path(Path::new("a.ndjson")), Some(Format::Jsonl));
        assert_eq!(Format::of_path(Path::new("a.parquet")), Some(Format::Source("parquet")));
        assert_eq!(Format::of_path(Path::new("a.csv.gz")), None);
        assert_eq!(Format::of_path(Path::new("csv")), None);
    }
}
