//! From a row to a title.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use base::TitleId;

use super::{Loader, Stated};
use crate::{
    Problem, ProblemKind, Severity, Title,
    genres::names_of,
    problem::shown,
    row::{Cell, Content, Row},
    spec::{Column, Separator},
    trailer_names::videos_in,
};

/// Years outside are taken for a mistake: film begins in the 1870s.
const YEARS: std::ops::RangeInclusive<i32> = 1870..=2100;

impl Loader<'_> {
    pub(super) fn problem(
        &mut self,
        (severity, kind): (Severity, ProblemKind),
        line: u64,
        (field, value): (&str, &str),
        message: String,
        hint: &str,
    ) {
        self.problems.push(Problem {
            severity,
            kind,
            file: self.file.as_deref().unwrap_or(&self.spec.path).to_owned(),
            line: (line > 0).then_some(line),
            column: None,
            field: Some(field.to_owned()),
            value: Some(shown(value)),
            message,
            hint: hint.to_owned(),
        });
    }

    /// Adds the title of a row, or says why there is none.
    pub(super) fn row(&mut self, row: Row) {
        let line = row.line;
        self.num_rows += 1;
        self.file.clone_from(&row.file);
        self.report_undecodable(&row);
        let id_column = self.id_column.name.clone();
        let Some(cell) = row.get(&id_column) else {
            if self.numbers_rows {
                let id = TitleId::new(&self.num_rows.to_string());
                let title = self.title(id, &row);
                self.titles.push(title);
                return;
            }
            self.problem(
                (Severity::Error, ProblemKind::EmptyId),
                line,
                (&id_column, ""),
                format!("`{id_column}` is empty; the row is left out"),
                "give every title an id of its own",
            );
            return;
        };
        if cell.undecodable.is_some() {
            return;
        }
        let id = TitleId::new(&cell.clone().into_text());
        if let Some(&first) = self.line_of_id.get(&id) {
            let place = if first > 0 { format!("in line {first}") } else { "there".to_owned() };
            self.problem(
                (Severity::Error, ProblemKind::DuplicateId),
                line,
                (&id_column, id.as_str()),
                format!(
                    "`{id_column}` {:?} stands {place} already; the row is left out",
                    shown(id.as_str())
                ),
                "give every title an id of its own, or delete one of the rows",
            );
            return;
        }
        self.line_of_id.insert(id.clone(), line);
        let title = self.title(id, &row);
        self.titles.push(title);
    }

    fn report_undecodable(&mut self, row: &Row) {
        for (name, cell) in &row.cells {
            let Some(place) = cell.undecodable else { continue };
            let is_id = **name == *self.id_column.name;
            let (severity, consequence) = if is_id {
                (Severity::Error, "the row is left out")
            } else {
                (Severity::Warning, "they are read as U+FFFD")
            };
            self.problems.push(Problem {
                severity,
                kind: ProblemKind::NotUtf8,
                file: self.spec.path.clone(),
                line: Some(place.line),
                column: Some(place.column),
                field: Some(name.to_string()),
                value: Some(shown(&cell.clone().into_text())),
                message: format!("`{name}` holds bytes that are not UTF-8; {consequence}"),
                hint: "save the catalog as UTF-8 (from Latin-1: `iconv -f latin1 -t utf-8`)"
                    .to_owned(),
            });
        }
    }

    fn title(&mut self, id: TitleId, row: &Row) -> Title {
        let columns = self.columns.clone();
        let line = row.line;
        let fields = self.fields(row);
        let in_role = |column| in_role(row, column);
        let name = in_role(columns.title.as_ref()).map(|(cell, _)| cell.into_text());
        let text = |cell: Option<(Cell, &str)>| cell.map(|(cell, _)| cell.into_text());
        let plot = text(in_role(columns.plot.as_ref()));
        let transcript = text(in_role(columns.transcript.as_ref()));
        let group = text(in_role(columns.group.as_ref()));
        let year = in_role(columns.year.as_ref());
        let fold = in_role(columns.fold.as_ref());
        let poster = in_role(columns.poster.as_ref());
        let trailer = in_role(columns.trailer.as_ref());
        let genres = in_role(columns.genres.as_ref());
        let spec = self.spec;
        let mut names = |cell: Option<(Cell, &str)>| {
            let names = cell.and_then(|(cell, field)| self.genre_names(cell, field, line));
            names.unwrap_or_default()
        };
        let stated = names(genres);
        let not = names(in_role(columns.not_genres.as_ref()));
        let unknown = names(in_role(columns.unknown_genres.as_ref()));
        let mut said = Stated { not, unknown, ..Stated::default() };
        match self.log {
            Some(_) => said.names = stated,
            None => said.genres = self.genres.count(&stated, line),
        }
        self.stated.push(said);
        let mut title = Title::new(id);
        title.name = name.unwrap_or(title.name);
        Title {
            year: year.and_then(|(cell, field)| self.year(cell, field, line)),
            plot,
            poster: poster.and_then(|(cell, field)| {
                if let Some(found) = row.found_in(field) {
                    return found.first().cloned();
                }
                let folder = spec.poster_dir.as_deref();
                let place = self.place(&cell.into_text(), field, (folder, "posters"), line)?;
                self.look(&place, field, line);
                Some(place.path)
            }),
            trailers: trailer
                .map(|(cell, field)| match row.found_in(field) {
                    Some(found) => found.to_vec(),
                    None => self.trailers(cell, field, line),
                })
                .unwrap_or_default(),
            transcript,
            group,
            fold: fold.and_then(|(cell, field)| self.fold(cell, field, line)),
            fields,
            line,
            ..title
        }
    }

    fn fields(&self, row: &Row) -> BTreeMap<String, String> {
        if !self.keeps_fields {
            return BTreeMap::new();
        }
        let has_role = |name: &str| self.columns.iter().any(|(_, column)| column.name == name);
        row.cells
            .iter()
            .filter(|(name, _)| {
                if self.kept.is_empty() { !has_role(name) } else { self.kept.contains(&&**name) }
            })
            .map(|(name, cell)| (name.to_string(), cell.clone().into_text()))
            .collect()
    }

    fn year(&mut self, cell: Cell, field: &str, line: u64) -> Option<i32> {
        let text = cell.into_text();
        let number = text.strip_suffix(".0").unwrap_or(&text).parse().ok();
        let year = number.filter(|year| YEARS.contains(year));
        if year.is_none() {
            self.problem(
                (Severity::Warning, ProblemKind::BadYear),
                line,
                (field, &text),
                format!(
                    "`{field}` must be a year from {} to {}, got {:?}; it is read as unknown",
                    YEARS.start(),
                    YEARS.end(),
                    shown(&text)
                ),
                "write four digits, or leave the cell empty",
            );
        }
        year
    }

    fn fold(&mut self, cell: Cell, field: &str, line: u64) -> Option<u32> {
        let text = cell.into_text();
        let fold = text.parse().ok();
        if fold.is_none() {
            self.problem(
                (Severity::Warning, ProblemKind::BadFold),
                line,
                (field, &text),
                format!("`{field}` must be a whole number from 0, got {:?}", shown(&text)),
                "write the fold's number, or leave the cell empty",
            );
        }
        fold
    }

    /// The trailers that a cell names: a file, several, or the folder that holds them.
    fn trailers(&mut self, cell: Cell, field: &str, line: u64) -> Vec<PathBuf> {
        let folder = (self.spec.trailer_dir.as_deref(), "trailers");
        let mut names = files_of(cell.content.clone());
        let text = cell.into_text();
        // What separates names may stand in one: what is there goes first.
        if names.is_empty() || (names.len() > 1 && self.located(&text, folder).exists()) {
            names = vec![text];
        }
        let mut trailers = Vec::new();
        for name in names {
            let Some(place) = self.place(&name, field, folder, line) else { continue };
            let inside = if place.path.is_dir() { videos_in(&place.path) } else { Vec::new() };
            if inside.is_empty() {
                self.look(&place, field, line);
                trailers.push(place.path);
            }
            trailers.extend(inside);
        }
        let mut known = HashSet::new();
        trailers.retain(|path| known.insert(path.clone()));
        trailers
    }

    /// Where the file is that a cell names; a problem where that is no file's name.
    fn place(
        &mut self,
        text: &str,
        field: &str,
        folder: (Option<&Path>, &str),
        line: u64,
    ) -> Option<Place> {
        if text.contains("://") {
            let message = format!("`{field}` {:?} is an address, not a file", shown(text));
            let hint = "download it and name the file; cinetag downloads no media";
            let problem = (Severity::Warning, ProblemKind::MissingFile);
            self.problem(problem, line, (field, text), message, hint);
            return None;
        }
        Some(Place { path: self.located(text, folder), text: text.to_owned() })
    }

    /// The path of a file (or of a folder of trailers) in the folder that is declared; where none
    /// is, it may be in the usual one beside the catalog.
    fn located(&self, text: &str, (folder, usual_folder): (Option<&Path>, &str)) -> PathBuf {
        let mut path = self.spec.folder().to_owned();
        if let Some(folder) = folder {
            path.push(folder);
        }
        let elsewhere = path.join(usual_folder).join(text);
        path.push(text);
        let is_elsewhere = || elsewhere.is_file() || (!path.exists() && elsewhere.is_dir());
        if folder.is_none() && !path.is_file() && is_elsewhere() { elsewhere } else { path }
    }

    /// A problem where a file is not there.
    fn look(&mut self, Place { path, text }: &Place, field: &str, line: u64) {
        if !path.is_file() {
            let message = format!("`{field}`: there is no file {}", path.display());
            let hint = "check the name and the folder (`catalog.poster_dir`, \
                        `catalog.trailer_dir`), or leave the cell empty";
            let problem = (Severity::Warning, ProblemKind::MissingFile);
            self.problem(problem, line, (field, text), message, hint);
        }
    }
}

/// The cell of the column with a role, and the column's name.
fn in_role<'c>(row: &Row, column: Option<&'c Column>) -> Option<(Cell, &'c str)> {
    let name = column?.name.as_str();
    Some((row.get(name)?.clone(), name))
}

/// A file that is named, whether it is there or not.
struct Place {
    path: PathBuf,
    /// As the catalog names it.
    text: String,
}

/// Names of files between `|` or in a JSON list; unlike genres never between commas, which names
/// of films have.
fn files_of(content: Content) -> Vec<String> {
    let separator = match &content {
        Content::Text(text) if text.starts_with('[') => Separator::Json,
        _ => Separator::Bar,
    };
    names_of(content, separator).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{CatalogSpec, Need, ProblemKind, load};

    #[test]
    fn plots_lose_what_names_a_genre_and_titles_that_lack_a_plot_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("films.csv");
        let text = "id,plot,genres\na,It is a war film. A door opens.,War\nb,,War\n\
                    c,It is a war film.,War\nd,A lock.,\n";
        fs::write(&path, text).unwrap();
        let spec = CatalogSpec { drop_naming_sentences: true, ..CatalogSpec::new(&path) };
        let needy = CatalogSpec { needs: vec![Need::Plot, Need::Genres], ..spec.clone() };
        let (catalog, problems) = load(&needy).unwrap();
        let plots: Vec<_> = catalog.titles.iter().map(|title| title.plot.as_deref()).collect();
        assert_eq!(plots, [Some("A door opens.")]);
        let said: Vec<_> = problems.iter().filter(|p| p.kind == ProblemKind::LeftOut).collect();
        assert!(said.len() == 1 && said[0].message.starts_with("3 titles"), "{problems:?}");
        assert_eq!(load(&spec).unwrap().0.titles.len(), 4, "who needs nothing loses nothing");
        let nobody = CatalogSpec { needs: vec![Need::Trailer], ..spec };
        assert!(load(&nobody).unwrap_err().to_string().contains("catalog.needs"));
    }

    #[test]
    fn files_are_looked_for_beside_the_catalog_then_in_the_usual_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("films.csv", "id,title,poster,trailer\na,A,a.jpg,a.mp4\nb,B,b.jpg,\n"),
            ("a.jpg", ""),
            ("posters/a.jpg", ""),
            ("trailers/a.mp4", ""),
        ] {
            fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs::write(path(name), text).unwrap();
        }
        let (catalog, problems) = load(&CatalogSpec::new(path("films.csv"))).unwrap();
        let [a, b] = &catalog.titles[..] else { panic!("{:?}", catalog.titles) };
        assert_eq!(a.poster, Some(path("a.jpg")), "beside the catalog goes first");
        assert_eq!(a.trailers, [path("trailers/a.mp4")]);
        assert_eq!(b.poster, Some(path("b.jpg")), "named, though it is not there");
        let missing: Vec<_> =
            problems.iter().filter(|p| p.kind == ProblemKind::MissingFile).collect();
        assert_eq!(missing.len(), 1, "{problems:?}");
        assert_eq!(missing[0].line, Some(3));

        // A folder that is declared is the only one.
        let declared =
            CatalogSpec { poster_dir: Some("art".into()), ..CatalogSpec::new(path("films.csv")) };
        let (catalog, problems) = load(&declared).unwrap();
        assert_eq!(catalog.titles[0].poster, Some(path("art/a.jpg")));
        assert_eq!(problems.iter().filter(|p| p.kind == ProblemKind::MissingFile).count(), 2);
    }

    #[test]
    fn a_cell_names_one_trailer_several_or_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let table = "id,trailer,transcript\na,a.mp4,Nobody knows.\nb,a.mp4|trailers/b.mp4|b.mp4,\n\
                     c,trailers,\nd,\"[\"\"b.mp4\"\", \"\"none.mp4\"\"]\",\ne,[REC].mp4,\n\
                     f,\"Good, Bad.mp4\",\ng,a.mp4|https://example.org/g.mp4,\nh,empty,\n";
        for (name, text) in [
            ("films.csv", table),
            ("a.mp4", ""),
            ("[REC].mp4", ""),
            ("Good, Bad.mp4", ""),
            ("trailers/b.mp4", ""),
            ("trailers/a teaser.mp4", ""),
            ("empty/readme.txt", ""),
        ] {
            fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs::write(path(name), text).unwrap();
        }
        let (catalog, problems) = load(&CatalogSpec::new(path("films.csv"))).unwrap();
        let trailers = |row: usize| {
            let trailers = catalog.titles[row].trailers.iter();
            let of = |path: &std::path::PathBuf| {
                path.strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned()
            };
            trailers.map(of).collect::<Vec<_>>()
        };
        assert_eq!(trailers(0), ["a.mp4"]);
        assert_eq!(trailers(1), ["a.mp4", "trailers/b.mp4"], "each comes once");
        assert_eq!(trailers(2), ["trailers/b.mp4", "trailers/a teaser.mp4"]);
        assert_eq!(trailers(3), ["trailers/b.mp4", "none.mp4"], "named, though it is not there");
        assert_eq!(trailers(4), ["[REC].mp4"]);
        assert_eq!(trailers(5), ["Good, Bad.mp4"]);
        assert_eq!(trailers(6), ["a.mp4"], "an address is no file");
        assert_eq!(trailers(7), ["empty"]);
        let told: Vec<_> = problems.iter().map(|problem| problem.line.unwrap()).collect();
        assert_eq!(told, [5, 8, 9], "{problems:?}");
        assert_eq!(catalog.titles[0].transcript.as_deref(), Some("Nobody knows."));
        assert!(catalog.titles[0].fields.is_empty(), "it is no metadata");
        let spoken =
            CatalogSpec { needs: vec![Need::Transcript], ..CatalogSpec::new(path("films.csv")) };
        assert_eq!(load(&spoken).unwrap().0.titles.len(), 1);
    }
}
