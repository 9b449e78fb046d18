//! `cinetag catalog export`: the data set as others can use it.
//!
//! in: a catalog as a pipeline declares it; out, in one folder: `titles.jsonl`, `.csv` and
//! `.parquet` (cleaned texts, genres of the vocabulary, annotations), `splits.csv`, and a card
//! (`README.md`) that says where it comes from, under which terms, and what is in it.
//!
//! Annotations: `plot_language`; `missing`, with reasons; `duplicate_of` and `remake_of`, which
//! are candidates; `leaky_sentences`, those of the plot that say what genre the film is.

mod annotate;
mod card;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use base::{Seed, publish_bytes, publish_file, words::defused};
use serde_json::{Map, Value};

use super::{
    Catalog, CatalogError, CatalogSpec, Folds, Problem, Title,
    clean::Cleaner,
    import::{Columns, record, write_parquet},
    split::stratified_group_folds,
};

/// The card's name in the folder.
pub const CARD_FILE: &str = "README.md";
/// The picture to which the card refers; the caller draws it.
pub const CO_OCCURRENCE_FILE: &str = "co_occurrence.svg";
const TITLES: &str = "titles";
const SPLITS_FILE: &str = "splits.csv";

/// What was written.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Titles.
    pub num_titles: usize,
    /// Those that state genres.
    pub num_labelled: usize,
    /// Folds.
    pub num_folds: u32,
    /// `[genres][genres]` titles that have both.
    pub co_occurrence: Vec<Vec<u64>>,
}

/// All files of a data set.
pub const FILES: [&str; 6] =
    ["titles.jsonl", "titles.csv", "titles.parquet", SPLITS_FILE, CARD_FILE, CO_OCCURRENCE_FILE];

/// Writes the data set. In `titles.csv` texts that a spreadsheet would take for formulas are made
/// harmless, unless `raw_csv`; JSON Lines and Parquet have them as they are. The catalog's own folds are kept where it has them; else labelled
/// titles are divided into `num_folds`, stratified, groups whole.
///
/// # Errors
/// The titles cannot be divided so, or nothing can be written.
pub fn export(
    spec: &CatalogSpec,
    catalog: &Catalog,
    problems: Vec<Problem>,
    out: &Path,
    num_folds: u32,
    seed: Seed,
    raw_csv: bool,
) -> Result<Exported, CatalogError> {
    if !out.is_dir() {
        fs::create_dir(out).map_err(written(out))?;
    }
    let folds = if catalog.titles.iter().any(|title| title.fold.is_some()) {
        Folds::from_catalog(catalog)?
    } else {
        stratified_group_folds(catalog, num_folds, seed)?
    };
    let notes = annotate::annotate(catalog);
    let mut cleaner = Cleaner::default();
    let mut records = Vec::with_capacity(catalog.titles.len());
    let mut columns = Columns::default();
    for (title, notes) in catalog.titles.iter().zip(&notes) {
        let mut row = record(&cleaner.clean(annotate::row_of(title, catalog)));
        notes.write(&mut row);
        columns.see(&row);
        records.push(row);
    }
    let cleaning = cleaner.finish();
    write_jsonl(&records, &out.join(format!("{TITLES}.jsonl")))?;
    write_csv(&records, &out.join(format!("{TITLES}.csv")), raw_csv)?;
    let parquet = out.join(format!("{TITLES}.parquet"));
    write_parquet(&columns, &out.join(format!("{TITLES}.jsonl")), &parquet)?;
    write_splits(catalog, &folds, &out.join(SPLITS_FILE))?;
    let co_occurrence = co_occurrence(catalog);
    let card = card::Card { spec, catalog, problems, folds: &folds, cleaning, notes: &notes };
    let path = out.join(CARD_FILE);
    publish_bytes(&path, card.to_string().as_bytes()).map_err(written(&path))?;
    Ok(Exported {
        num_titles: catalog.titles.len(),
        num_labelled: catalog.titles.iter().filter(|title| title.labelled).count(),
        num_folds: folds.num_folds,
        co_occurrence,
    })
}

fn written(path: &Path) -> impl FnOnce(io::Error) -> CatalogError {
    let path = path.to_owned();
    move |source| CatalogError::File { path, action: "written", source }
}

fn write_jsonl(records: &[Map<String, Value>], path: &Path) -> Result<(), CatalogError> {
    publish_file(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        for record in records {
            serde_json::to_writer(&mut file, record)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    })
    .map_err(written(path))
}

/// Lists are joined by `|`, as catalogs write them.
fn write_csv(
    records: &[Map<String, Value>],
    path: &Path,
    raw_csv: bool,
) -> Result<(), CatalogError> {
    let mut columns: Vec<&String> = Vec::new();
    let mut known = BTreeSet::new();
    for name in records.iter().flat_map(Map::keys) {
        if known.insert(name) {
            columns.push(name);
        }
    }
    let cell = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => {
            values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|")
        }
        Some(other) => other.to_string(),
    };
    let harmless = |text: String| if raw_csv { text } else { defused(&text).into_owned() };
    publish_file(path, |temporary| {
        let mut writer = csv::Writer::from_path(temporary)?;
        writer.write_record(&columns)?;
        for record in records {
            writer.write_record(columns.iter().map(|name| harmless(cell(record.get(*name)))))?;
        }
        writer.flush()
    })
    .map_err(written(path))
}

fn write_splits(catalog: &Catalog, folds: &Folds, path: &Path) -> Result<(), CatalogError> {
    let fold_of = |row: usize| folds.fold_of[row];
    publish_file(path, |temporary| {
        let mut writer = csv::Writer::from_path(temporary)?;
        writer.write_record(["id", "fold"])?;
        for (row, title) in catalog.titles.iter().enumerate() {
            if let Some(fold) = fold_of(row) {
                writer.write_record([title.id.as_str(), &fold.to_string()])?;
            }
        }
        writer.flush()
    })
    .map_err(written(path))
}

fn co_occurrence(catalog: &Catalog) -> Vec<Vec<u64>> {
    let num_genres = catalog.vocabulary.len();
    let mut counts = vec![vec![0; num_genres]; num_genres];
    for Title { genres, .. } in &catalog.titles {
        for a in genres {
            for b in genres {
                counts[a.idx()][b.idx()] += 1;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::{Format, load};

    #[test]
    fn a_data_set_goes_out_with_its_card_and_comes_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("films.csv");
        let mut text = String::from("id,title,year,plot,genres,director\n");
        for idx in 0..24 {
            let genres = ["Drama|War", "Comedy", "Drama", ""][idx % 4];
            let plot =
                ["It is a war film. A door &amp; a lock.", "Two friends meet again."][idx % 2];
            let year = 1950 + idx;
            writeln!(text, "t{idx},Film {idx},{year},{plot},{genres},Nobody {idx}").unwrap();
        }
        fs::write(&path, text).unwrap();
        let spec = CatalogSpec::new(&path);
        let (catalog, problems) = load(&spec).unwrap();
        let out = folder.path().join("out");
        let exported = export(&spec, &catalog, problems, &out, 3, Seed(1), false).unwrap();
        assert_eq!((exported.num_titles, exported.num_labelled, exported.num_folds), (24, 18, 3));
        // Comedy, Drama, War.
        assert_eq!(exported.co_occurrence, [[6, 0, 0], [0, 12, 6], [0, 6, 6]]);

        // The three files hold the same titles, with texts repaired.
        let again = |file: &str, format: Format| {
            let spec = CatalogSpec { format, ..CatalogSpec::new(out.join(file)) };
            let titles = load(&spec).unwrap().0.titles;
            let of = |title: &Title| (title.id.clone(), title.plot.clone(), title.genres.clone());
            titles.iter().map(of).collect::<Vec<_>>()
        };
        let lines = again("titles.jsonl", Format::Auto);
        assert_eq!(lines, again("titles.csv", Format::Auto));
        assert_eq!(lines, again("titles.parquet", Format::Source("parquet")));
        assert_eq!(lines[0].1.as_deref(), Some("It is a war film. A door & a lock."));
        let row: Value = serde_json::from_str(
            fs::read_to_string(out.join("titles.jsonl")).unwrap().lines().next().unwrap(),
        )
        .unwrap();
        assert_eq!(row["leaky_sentences"][0], "It is a war film.");
        assert_eq!(row["plot_names_own_genre"], true);

        let splits = fs::read_to_string(out.join(SPLITS_FILE)).unwrap();
        assert_eq!(splits.lines().count(), 1 + 18, "titles without genres are in no fold");
        let card = fs::read_to_string(out.join(CARD_FILE)).unwrap();
        for part in [
            "24 titles, 18 with genres",
            "its sources and their terms are not recorded",
            "| genres | none is stated | 6 |",
            "| Drama | 12 | 66.7 % | 1.0 |",
            "| War | 6 | 33.3 % | 2.0 |",
            "3 folds, groups whole, digest",
            "12 plots say what genre the film is",
            CO_OCCURRENCE_FILE,
        ] {
            assert!(card.contains(part), "{part:?} is not in\n{card}");
        }
    }

    #[test]
    fn all_trailers_and_the_transcript_go_out_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut text = String::from("id,genres,trailer,transcript\n");
        for idx in 0..4 {
            let trailers = ["a.mp4|b.mp4", "a.mp4", "c", ""][idx];
            writeln!(text, "t{idx},Drama,{trailers},{}", ["", "Nobody knows."][idx % 2]).unwrap();
        }
        fs::create_dir(path("c")).unwrap();
        for (name, text) in [("films.csv", &*text), ("a.mp4", ""), ("b.mp4", ""), ("c/d.mp4", "")] {
            fs::write(path(name), text).unwrap();
        }
        let spec = CatalogSpec::new(path("films.csv"));
        let (catalog, problems) = load(&spec).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        let of = |title: &Title| (title.trailers.clone(), title.transcript.clone());
        let before: Vec<_> = catalog.titles.iter().map(of).collect();
        assert_eq!(
            before.iter().map(|(trailers, _)| trailers.len()).collect::<Vec<_>>(),
            [2, 1, 1, 0]
        );
        assert_eq!(before[1].1.as_deref(), Some("Nobody knows."));
        export(&spec, &catalog, problems, &path("out"), 2, Seed(1), false).unwrap();
        for (file, format) in [
            ("titles.jsonl", Format::Auto),
            ("titles.csv", Format::Auto),
            ("titles.parquet", Format::Source("parquet")),
        ] {
            let spec = CatalogSpec { format, ..CatalogSpec::new(path("out").join(file)) };
            let titles = load(&spec).unwrap().0.titles;
            assert_eq!(titles.iter().map(of).collect::<Vec<_>>(), before, "{file}");
        }
        let lines = fs::read_to_string(path("out/titles.jsonl")).unwrap();
        let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert!(lines[0]["trailer"].is_array(), "several are a list");
        assert!(lines[1]["trailer"].is_string(), "one is written as it always was");
    }

    #[test]
    fn no_spreadsheet_computes_a_title_unless_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("films.csv");
        fs::write(&path, "id,title,genres\na,=1+1,Drama\nb,-30-,Drama\n").unwrap();
        let spec = CatalogSpec::new(&path);
        for (raw_csv, titles) in [(false, ["'=1+1", "'-30-"]), (true, ["=1+1", "-30-"])] {
            let (catalog, problems) = load(&spec).unwrap();
            let out = folder.path().join("out");
            export(&spec, &catalog, problems, &out, 2, Seed(1), raw_csv).unwrap();
            let csv = fs::read_to_string(out.join("titles.csv")).unwrap();
            let lines = fs::read_to_string(out.join("titles.jsonl")).unwrap();
            assert!(titles.iter().all(|title| csv.contains(&format!(",{title},"))), "{csv}");
            assert!(lines.contains("\"=1+1\"") && lines.contains("\"-30-\""), "{lines}");
        }
    }
}
