//! A contact sheet: tags of many titles on pages that open from disk, for those who want to
//! look before anything is written.
//!
//! in: [`ContactSheet`], its pictures already in the folder; out: `index.html`, `page-2.html`, …

use std::path::Path;

use base::publish_bytes;
use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use super::{ReportError, render};

/// Titles on one page.
const PAGE: usize = 100;

/// What is on the pages.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ContactSheet {
    /// What gave the tags: program, model, moment.
    pub given_by: String,
    /// What a reader must know first.
    pub notes: Vec<String>,
    /// The model's modalities, in order: each has a colour.
    pub modalities: Vec<String>,
    /// The titles, in order.
    pub titles: Vec<SheetTitle>,
}

/// A title.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SheetTitle {
    /// Its name.
    pub name: String,
    /// Year of release.
    pub year: Option<i32>,
    /// As in the catalog.
    pub id: String,
    /// The poster's file, from the sheet's folder.
    pub poster: Option<String>,
    /// Moments of the trailer that weighed most.
    pub frames: Vec<SheetFrame>,
    /// Genres, most probable first: the tags and what came close.
    pub genres: Vec<SheetGenre>,
    /// The plot in its order, with what spoke for a genre marked.
    pub plot: Vec<SheetText>,
    /// Lines of the trailers that spoke for a genre, in their order.
    pub lines: Vec<SheetLine>,
    /// Whether the tags are from what is said alone.
    pub from_speech_alone: bool,
    /// Why a modality did not take part.
    pub missing: Vec<SheetMissing>,
}

/// A moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SheetFrame {
    /// The picture's file, from the sheet's folder; `None` where the moment is of sound.
    pub picture: Option<String>,
    /// Whose moment it is.
    pub modality: String,
    /// Seconds from the start.
    pub time_secs: f64,
    /// Share of the modality's attention, 0..1.
    pub weight: f64,
}

/// A genre of a title.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SheetGenre {
    /// Its name.
    pub name: String,
    /// Calibrated probability.
    pub probability: f64,
    /// The probability from which on it is a tag.
    pub threshold: f64,
    /// Whether it is one.
    pub is_tag: bool,
    /// `[modalities]`: log-odds; `None` where the modality is missing.
    pub contributions: Vec<Option<f64>>,
}

/// Something that is said in a trailer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SheetLine {
    /// Seconds from the start, where they are known.
    pub time_secs: Option<f64>,
    /// The words in their order, with what spoke for a genre marked.
    pub text: Vec<SheetText>,
}

/// A piece of a text.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SheetText {
    /// The words.
    pub text: String,
    /// Tags that would be less probable without it.
    pub speaks_for: Vec<String>,
}

/// A modality that did not take part.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SheetMissing {
    /// Which.
    pub modality: String,
    /// Why.
    pub reason: String,
}

impl ContactSheet {
    /// Names of the pages of so many titles.
    #[must_use]
    pub fn page_names(num_titles: usize) -> Vec<String> {
        (1..=num_titles.div_ceil(PAGE).max(1)).map(page_name).collect()
    }

    /// Writes the pages into `folder`; the first is `index.html`.
    ///
    /// # Errors
    /// A page cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ReportError> {
        // A sheet of no titles still has a page.
        let pages: Vec<&[SheetTitle]> =
            if self.titles.is_empty() { vec![&[]] } else { self.titles.chunks(PAGE).collect() };
        let names = Self::page_names(self.titles.len());
        for (idx, titles) in pages.iter().enumerate() {
            let html = self.page(titles, idx, &names)?;
            let path = folder.join(&names[idx]);
            publish_bytes(&path, html.as_bytes()).map_err(|source| ReportError::File {
                path,
                action: "written",
                source,
            })?;
        }
        Ok(())
    }

    fn page(
        &self,
        titles: &[SheetTitle],
        page_idx: usize,
        names: &[String],
    ) -> Result<String, ReportError> {
        // One scale for all bars of the page, so that they can be compared.
        let parts = titles.iter().flat_map(|t| &t.genres).flat_map(|g| &g.contributions).flatten();
        let scale = parts.fold(1.0_f64, |scale, part| scale.max(part.abs()));
        let environment = render::environment()?;
        let template = environment.get_template("contact_sheet.html")?;
        Ok(template.render(context! {
            style => Value::from_safe_string(render::STYLE.to_owned()),
            sheet_style => Value::from_safe_string(render::SHEET_STYLE.to_owned()),
            given_by => self.given_by.as_str(),
            notes => Value::from(Serde(&self.notes)),
            modalities => Value::from(Serde(&self.modalities)),
            titles => Value::from(Serde(titles)),
            num_titles => self.titles.len() as u64,
            num_tagged => self.titles.iter().filter(|t| t.genres.iter().any(|g| g.is_tag)).count() as u64,
            scale,
            page_idx => page_idx as u64,
            names => Value::from(Serde(names)),
        })?)
    }
}

fn page_name(number: usize) -> String {
    if number == 1 { "index.html".to_owned() } else { format!("page-{number}.html") }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn title(name: &str) -> SheetTitle {
        let genre = |name: &str, is_tag, parts: [Option<f64>; 2]| SheetGenre {
            name: name.to_owned(),
            probability: 0.714,
            threshold: 0.4,
            is_tag,
            contributions: parts.to_vec(),
        };
        SheetTitle {
            name: name.to_owned(),
            year: Some(1995),
            id: "a".to_owned(),
            poster: Some("pictures/a.jpg".to_owned()),
            frames: vec![SheetFrame {
                picture: Some("pictures/b.jpg".to_owned()),
                modality: "eyes".to_owned(),
                time_secs: 62.46,
                weight: 0.25,
            }],
            genres: vec![
                genre("Drama", true, [Some(2.0), None]),
                genre("War", false, [Some(-4.0), Some(f64::MIN_POSITIVE)]),
            ],
            plot: vec![SheetText {
                text: "A <door> opens.".to_owned(),
                speaks_for: vec!["Drama".to_owned()],
            }],
            lines: vec![SheetLine {
                time_secs: Some(42.0),
                text: vec![SheetText {
                    text: "the <detective>".to_owned(),
                    speaks_for: vec!["War".to_owned()],
                }],
            }],
            from_speech_alone: true,
            missing: vec![SheetMissing {
                modality: "ears".to_owned(),
                reason: "no_audio_stream".to_owned(),
            }],
        }
    }

    fn pages(titles: Vec<SheetTitle>) -> (tempfile::TempDir, usize) {
        let folder = tempfile::tempdir().unwrap();
        let modalities = ["eyes", "ears"].map(str::to_owned).to_vec();
        let sheet = ContactSheet { modalities, titles, ..ContactSheet::default() };
        sheet.write(folder.path()).unwrap();
        let num_pages = fs::read_dir(folder.path()).unwrap().count();
        (folder, num_pages)
    }

    #[test]
    fn a_page_loads_pictures_beside_it_and_nothing_else() {
        let mut hostile = title("x\"><img src=https://example.org/a.gif>");
        hostile.poster = Some("\"><script src=//example.org/a.js></script>".to_owned());
        let (folder, _) = pages(vec![hostile, title("y")]);
        let html = fs::read_to_string(folder.path().join("index.html")).unwrap();
        let html = html.replace("&#x2f;", "/");
        let policy =
            "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:\"";
        assert_eq!(html.matches("Content-Security-Policy").count(), 1);
        let (before, after) = html.split_once(policy).expect("the policy");
        assert!(
            !before.contains("<style") && !before.contains("src="),
            "it stands before all else"
        );
        for loads in ["<script", "<link", "<iframe", "@import", "url(", "<img src=https", "=\"//"] {
            assert!(!after.contains(loads), "{loads}");
        }
        assert!(after.contains("<img src=\"pictures/a.jpg\""));
    }

    #[test]
    fn a_page_says_what_spoke_and_escapes_what_others_wrote() {
        let (folder, num_pages) = pages(vec![title("<b>Heat</b>"), SheetTitle::default()]);
        assert_eq!(num_pages, 1);
        let html = fs::read_to_string(folder.path().join("index.html")).unwrap();
        let html = html.replace("&#x2f;", "/");
        for part in [
            "&lt;b&gt;Heat",
            "71 %",
            "1:02.5 · 25 %",
            "pictures/a.jpg",
            "<mark>A &lt;door&gt; opens.</mark><sup>Drama</sup>",
            "0:42.0",
            "<mark>the &lt;detective&gt;</mark><sup>War</sup>",
            "From what is said alone",
            "--from:0.5000;--to:0.7500",
            "--from:0.0000;--to:0.5000",
            "ears: no_audio_stream",
            "Nothing of this title could be looked at",
            "1 of 2 titles have tags",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("<b>Heat") && !html.contains("NaN") && !html.contains("://"));
    }

    #[test]
    fn many_titles_are_many_pages() {
        let (folder, num_pages) = pages((0..=2 * PAGE).map(|n| title(&format!("{n}."))).collect());
        assert_eq!(num_pages, 3);
        let last = fs::read_to_string(folder.path().join("page-3.html")).unwrap();
        assert_eq!(last.matches("<article").count(), 1);
        assert!(last.contains("href=\"index.html\"") && last.contains("href=\"page-2.html\""));
        assert_eq!(pages(Vec::new()).1, 1);
    }
}
