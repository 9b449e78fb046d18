//! Plots that name their genre, on texts of which it is known whether they do: of Wikipedia's
//! lead paragraphs 94 in 100 hold a genre's word, without their first sentence 8 in 100
//! (`text_wikipedia/README.md`); overviews of TMDB tell the story.

use std::{collections::BTreeMap, path::Path, process::Command};

use cinetag::{
    base::{GenreId, TitleId},
    catalog::{Title, Vocabulary, leaks::names_own_genre},
};

use super::catalog::shared;

/// The share of texts in this column that name a genre of their own row.
fn naming_share(file: &Path, text: &str) -> f64 {
    let unpacked = Command::new("gzip").arg("-dc").arg(file).output().unwrap();
    assert!(unpacked.status.success(), "{}", file.display());
    let mut reader = csv::Reader::from_reader(unpacked.stdout.as_slice());
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|known| known == name).unwrap();
    let (text, genres) = (column(text), column("genres"));
    let mut ids: BTreeMap<String, GenreId> = BTreeMap::new();
    let mut names = Vec::new();
    let mut titles = Vec::new();
    for row in reader.records().map(Result::unwrap) {
        let mut own = Vec::new();
        for genre in row[genres].split('|').filter(|genre| !genre.is_empty()) {
            own.push(*ids.entry(genre.to_owned()).or_insert_with(|| {
                names.push(genre.to_owned());
                GenreId(names.len() as u16 - 1)
            }));
        }
        titles.push(Title {
            plot: (!row[text].trim().is_empty()).then(|| row[text].to_owned()),
            genres: own,
            labelled: true,
            ..Title::new(TitleId::new(&titles.len().to_string()))
        });
    }
    let naming = names_own_genre(&titles, &Vocabulary::new(names));
    let with_text = titles.iter().filter(|title| title.plot.is_some()).count();
    naming.iter().filter(|&&names| names).count() as f64 / with_text as f64
}

#[test]
fn leads_of_wikipedia_are_caught_and_stories_are_not() {
    if let Some(folder) = shared("text_wikipedia") {
        let file = folder.join("wiki_movies.csv.gz");
        let (lead, body) =
            (naming_share(&file, "extract"), naming_share(&file, "body_without_first_sentence"));
        assert!(lead > 0.9, "of the leads {lead:.3} name a genre");
        assert!(body < 0.05, "of the bodies {body:.3} name a genre");
    }
    if let Some(folder) = shared("text_tmdb") {
        let overviews = naming_share(&folder.join("overviews.csv.gz"), "overview");
        assert!(overviews < 0.02, "of the overviews {overviews:.3} name a genre");
    }
}
