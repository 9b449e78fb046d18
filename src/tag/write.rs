//! Tags as JSON Lines or CSV.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    str::FromStr,
};

use super::{TagError, TitleTags};

/// How tags are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagFormat {
    /// One JSON object a title.
    #[default]
    Jsonl,
    /// One row a title and genre.
    Csv,
}

impl FromStr for TagFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "jsonl" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            other => Err(format!("expected jsonl or csv, got {other:?}")),
        }
    }
}

impl TagFormat {
    /// The format that a file name asks for.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Writes tags as they come.
pub struct TagWriter<W: Write> {
    format: TagFormat,
    out: W,
    modalities: Vec<String>,
    has_header: bool,
}

impl TagWriter<BufWriter<File>> {
    /// A writer into a new file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path, format: TagFormat, modalities: &[String]) -> Result<Self, TagError> {
        let file = File::create(path).map_err(TagError::file(path))?;
        Ok(Self::new(BufWriter::new(file), format, modalities))
    }
}

impl<W: Write> TagWriter<W> {
    /// A writer; `modalities` name the columns of contributions.
    pub fn new(out: W, format: TagFormat, modalities: &[String]) -> Self {
        Self { format, out, modalities: modalities.to_vec(), has_header: false }
    }

    /// Writes one title's tags.
    ///
    /// # Errors
    /// The system's error.
    pub fn write(&mut self, tags: &TitleTags) -> std::io::Result<()> {
        match self.format {
            TagFormat::Jsonl => {
                serde_json::to_writer(&mut self.out, tags)?;
                self.out.write_all(b"\n")
            }
            TagFormat::Csv => self.write_rows(tags),
        }
    }

    fn write_rows(&mut self, tags: &TitleTags) -> std::io::Result<()> {
        let mut rows = csv::Writer::from_writer(Vec::new());
        if !self.has_header {
            self.has_header = true;
            let fixed = ["id", "title", "genre", "probability", "threshold", "decision"];
            let contributions = self.modalities.iter().map(|name| format!("contribution_{name}"));
            let header = fixed.map(str::to_owned).into_iter().chain(contributions);
            rows.write_record(header.chain(["base", "moments", "model"].map(str::to_owned)))?;
        }
        let moments: Vec<_> = tags
            .moments
            .values()
            .flatten()
            .map(|moment| format!("{:.2}", moment.time_secs))
            .collect();
        for score in &tags.scores {
            let mut row = vec![
                tags.id.to_string(),
                tags.title.clone(),
                score.genre.clone(),
                score.probability.to_string(),
                score.threshold.to_string(),
                score.decision.to_string(),
            ];
            row.extend(self.modalities.iter().map(|name| {
                score.contributions.get(name).map_or_else(String::new, ToString::to_string)
            }));
            row.push(score.base.to_string());
            row.push(moments.join(" "));
            row.push(tags.model.clone());
            rows.write_record(row)?;
        }
        let rows = rows.into_inner().map_err(|e| std::io::Error::other(e.to_string()))?;
        self.out.write_all(&rows)
    }

    /// Flushes and gives back what is written to.
    ///
    /// # Errors
    /// The system's error.
    pub fn finish(mut self) -> std::io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
