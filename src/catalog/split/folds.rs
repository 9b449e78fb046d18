//! Folds of a catalog, and their file.

use std::{collections::HashMap, io, path::Path};

use base::{Digest, DigestBuilder, Seed, TitleId, file, publish_bytes};
use serde::{Deserialize, Serialize};

use super::iterative_stratification;
use crate::{Catalog, CatalogError};

/// Which fold each title is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    /// `[titles]` in the catalog's order; `None` for titles without labels, which are neither
    /// trained on nor scored.
    pub fold_of: Vec<Option<u32>>,
    /// Folds are numbered from 0.
    pub num_folds: u32,
}

/// How folds stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FoldsFile {
    format: String,
    num_folds: u32,
    digest: Digest,
    folds: Vec<(TitleId, u32)>,
}

const FORMAT: &str = "cinetag folds 1";

fn refuse(message: String, hint: &str) -> CatalogError {
    CatalogError::Folds { message, hint: hint.to_owned() }
}

/// Divides a catalog's labelled titles into folds of like size and like genres, groups whole.
///
/// # Errors
/// Fewer than two folds, or fewer groups of labelled titles than folds.
pub fn stratified_group_folds(
    catalog: &Catalog,
    num_folds: u32,
    seed: Seed,
) -> Result<Folds, CatalogError> {
    let num_genres = catalog.vocabulary.len();
    let labelled = labelled_rows(catalog);
    let all_groups = catalog.group_idxs();
    let groups: Vec<usize> = labelled.iter().map(|&row| all_groups[row]).collect();
    let num_groups = groups.iter().collect::<std::collections::HashSet<_>>().len();
    if num_folds < 2 || num_groups < num_folds as usize {
        return Err(refuse(
            format!(
                "the number of folds must be between 2 and the {num_groups} groups of labelled \
                 titles, got {num_folds}"
            ),
            "ask for fewer folds, or add titles with genres to the catalog",
        ));
    }
    let all_labels = catalog.labels();
    let labels: Vec<bool> = labelled
        .iter()
        .flat_map(|&row| &all_labels[row * num_genres..(row + 1) * num_genres])
        .copied()
        .collect();
    let folds = iterative_stratification(&labels, num_genres, &groups, num_folds as usize, seed);
    let mut fold_of = vec![None; catalog.titles.len()];
    for (row, fold) in labelled.into_iter().zip(folds) {
        fold_of[row] = Some(fold);
    }
    Ok(Folds { fold_of, num_folds })
}

fn labelled_rows(catalog: &Catalog) -> Vec<usize> {
    (0..catalog.titles.len()).filter(|&row| catalog.titles[row].labelled).collect()
}

impl Folds {
    /// The folds that the catalog itself assigns. Their numbers, which may have gaps, become
    /// 0, 1, 2 … in ascending order.
    ///
    /// # Errors
    /// A labelled title without a fold, fewer than two folds, or a group in more than one.
    pub fn from_catalog(catalog: &Catalog) -> Result<Self, CatalogError> {
        let labelled = labelled_rows(catalog);
        let mut numbers: Vec<u32> =
            labelled.iter().filter_map(|&row| catalog.titles[row].fold).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.len() < 2 {
            return Err(refuse(
                format!("the catalog assigns {} folds, 2 are needed", numbers.len()),
                "name the column with `catalog.columns.fold`, or let the folds be made",
            ));
        }
        let without: Vec<_> =
            labelled.iter().filter(|&&row| catalog.titles[row].fold.is_none()).collect();
        if let Some(&&first) = without.first() {
            let title = &catalog.titles[first];
            return Err(refuse(
                format!(
                    "{} labelled titles have no fold; the first is {} (line {})",
                    without.len(),
                    title.id,
                    title.line
                ),
                "assign every labelled title a fold, or let the folds be made",
            ));
        }
        let mut fold_of = vec![None; catalog.titles.len()];
        for row in labelled {
            let number = catalog.titles[row].fold;
            fold_of[row] = number.and_then(|n| numbers.binary_search(&n).ok()).map(|n| n as u32);
        }
        let folds = Self { fold_of, num_folds: numbers.len() as u32 };
        folds.check_groups(catalog)?;
        Ok(folds)
    }

    fn check_groups(&self, catalog: &Catalog) -> Result<(), CatalogError> {
        let mut first_of: HashMap<&str, usize> = HashMap::new();
        for (row, title) in catalog.titles.iter().enumerate() {
            let (Some(group), Some(_)) = (title.group.as_deref(), self.fold_of[row]) else {
                continue;
            };
            let first = *first_of.entry(group).or_insert(row);
            if self.fold_of[first] != self.fold_of[row] {
                let other = &catalog.titles[first];
                return Err(refuse(
                    format!(
                        "group {group:?} is in more than one fold: {} (line {}) and {} (line {})",
                        other.id, other.line, title.id, title.line
                    ),
                    "a group must stay in one fold, or its titles give each other away",
                ));
            }
        }
        Ok(())
    }

    /// The titles of a fold, ascending.
    #[must_use]
    pub fn rows_in(&self, fold: u32) -> Vec<usize> {
        (0..self.fold_of.len()).filter(|&row| self.fold_of[row] == Some(fold)).collect()
    }

    /// The titles of all other folds, ascending.
    #[must_use]
    pub fn rows_outside(&self, fold: u32) -> Vec<usize> {
        let other = |row: usize| self.fold_of[row].is_some_and(|f| f != fold);
        (0..self.fold_of.len()).filter(|&row| other(row)).collect()
    }

    /// Digest over the pairs of title and fold in the catalog's order.
    #[must_use]
    pub fn digest(&self, catalog: &Catalog) -> Digest {
        digest_of(self.num_folds, &self.pairs(catalog))
    }

    fn pairs(&self, catalog: &Catalog) -> Vec<(TitleId, u32)> {
        let titles = catalog.titles.iter().zip(&self.fold_of);
        titles.filter_map(|(title, fold)| Some((title.id.clone(), (*fold)?))).collect()
    }

    /// Writes the folds as JSON.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, catalog: &Catalog, path: &Path) -> Result<(), CatalogError> {
        let failed = |source: io::Error| CatalogError::File {
            path: path.to_owned(),
            action: "written",
            source,
        };
        let folds = self.pairs(catalog);
        let digest = digest_of(self.num_folds, &folds);
        let file =
            FoldsFile { format: FORMAT.to_owned(), num_folds: self.num_folds, digest, folds };
        let mut bytes = serde_json::to_vec(&file).map_err(|e| failed(e.into()))?;
        bytes.push(b'\n');
        publish_bytes(path, &bytes).map_err(failed)
    }

    /// Reads folds that were saved, for the same catalog or one with fewer titles.
    ///
    /// # Errors
    /// The file cannot be read or is damaged, or the catalog has labelled titles that are not
    /// in it, or groups that it tears apart.
    pub fn load(path: &Path, catalog: &Catalog) -> Result<Self, CatalogError> {
        let bytes = file::read(path).map_err(|source| CatalogError::File {
            path: path.to_owned(),
            action: "read",
            source,
        })?;
        let damaged = |message: String| CatalogError::Format {
            path: path.to_owned(),
            message,
            hint: "delete the file; the folds are then made again".to_owned(),
        };
        let file: FoldsFile = serde_json::from_slice(&bytes)
            .map_err(|e| damaged(format!("these are no folds ({e})")))?;
        if file.format != FORMAT {
            return Err(damaged(format!("expected format {FORMAT:?}, got {:?}", file.format)));
        }
        let in_range = file.folds.iter().all(|(_, fold)| *fold < file.num_folds);
        if !in_range || digest_of(file.num_folds, &file.folds) != file.digest {
            return Err(damaged("the folds are damaged: their digest is another".to_owned()));
        }
        let fold_by_id: HashMap<_, _> = file.folds.into_iter().collect();
        let mut fold_of = Vec::with_capacity(catalog.titles.len());
        for title in &catalog.titles {
            let fold = fold_by_id.get(&title.id).copied().filter(|_| title.labelled);
            if title.labelled && fold.is_none() {
                return Err(damaged(format!("title {} is in no fold", title.id)));
            }
            fold_of.push(fold);
        }
        let folds = Self { fold_of, num_folds: file.num_folds };
        folds.check_groups(catalog)?;
        Ok(folds)
    }
}

fn digest_of(num_folds: u32, pairs: &[(TitleId, u32)]) -> Digest {
    let mut builder = DigestBuilder::new().part(num_folds.to_le_bytes());
    for (id, fold) in pairs {
        builder = builder.part(id.as_str()).part(fold.to_le_bytes());
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base::GenreId;

    use super::*;
    use crate::{Title, Vocabulary};

    /// Ten titles; 8 and 9 unlabelled; 0 and 1 one group.
    fn catalog() -> Catalog {
        let title = |row: u16| Title {
            genres: if row < 8 { vec![GenreId(row % 2)] } else { Vec::new() },
            labelled: row < 8,
            group: (row < 2).then(|| "pair".to_owned()),
            fold: Some(if row < 2 { 1 } else { u32::from(row % 3) * 2 + 1 }),
            line: u64::from(row) + 2,
            ..Title::new(TitleId::new(&format!("t{row}")))
        };
        let vocabulary = Vocabulary::new(vec!["A".to_owned(), "B".to_owned()]);
        Catalog { titles: (0..10).map(title).collect(), vocabulary }
    }

    #[test]
    fn the_catalogs_folds_are_renumbered_and_checked() {
        let mut catalog = catalog();
        let folds = Folds::from_catalog(&catalog).unwrap();
        assert_eq!(folds.num_folds, 3, "1, 3 and 5 become 0, 1 and 2");
        let expected = [0, 0, 2, 0, 1, 2, 0, 1].map(Some);
        assert_eq!(folds.fold_of[..8], expected);
        assert_eq!(folds.fold_of[8..], [None, None], "unlabelled titles are in no fold");
        assert_eq!(folds.rows_in(2), [2, 5]);
        assert_eq!(folds.rows_outside(2), [0, 1, 3, 4, 6, 7]);

        catalog.titles[1].fold = Some(3);
        let torn = Folds::from_catalog(&catalog).unwrap_err().to_string();
        assert!(torn.contains("\"pair\"") && torn.contains("line 3"), "{torn}");
        catalog.titles[1].fold = None;
        assert!(Folds::from_catalog(&catalog).unwrap_err().to_string().contains("t1"));
        catalog.titles.iter_mut().for_each(|title| title.fold = Some(4));
        assert!(Folds::from_catalog(&catalog).is_err());
    }

    #[test]
    fn made_folds_leave_out_unlabelled_titles_and_keep_groups() {
        let catalog = catalog();
        let folds = stratified_group_folds(&catalog, 3, Seed(1)).unwrap();
        assert_eq!(folds.fold_of.iter().filter(|fold| fold.is_none()).count(), 2);
        assert_eq!(folds.fold_of[0], folds.fold_of[1]);
        assert!((0..3).all(|fold| !folds.rows_in(fold).is_empty()));
        assert!(stratified_group_folds(&catalog, 1, Seed(1)).is_err());
        assert!(stratified_group_folds(&catalog, 8, Seed(1)).is_err(), "7 groups");
    }

    #[test]
    fn saved_folds_come_back_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folds.json");
        let mut catalog = catalog();
        let folds = Folds::from_catalog(&catalog).unwrap();
        folds.save(&catalog, &path).unwrap();
        let again = Folds::load(&path, &catalog).unwrap();
        assert_eq!(again, folds);
        assert_eq!(again.digest(&catalog), folds.digest(&catalog));

        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("[\"t4\",1]", "[\"t4\",2]")).unwrap();
        assert!(Folds::load(&path, &catalog).unwrap_err().to_string().contains("damaged"));
        fs::write(&path, text).unwrap();
        catalog.titles[3].id = TitleId::new("new");
        assert!(Folds::load(&path, &catalog).unwrap_err().to_string().contains("new"));
        assert!(Folds::load(&folder.path().join("none.json"), &catalog).is_err());
    }

    #[test]
    fn the_digest_covers_every_pair() {
        let catalog = catalog();
        let folds = Folds::from_catalog(&catalog).unwrap();
        let mut other = folds.clone();
        other.fold_of[7] = Some(0);
        assert_ne!(folds.digest(&catalog), other.digest(&catalog));
    }
}
