//! Several runs on the same titles: which is better, and whether it could be chance.
//!
//! in: run folders with an evaluation, or another program's with the same two files: what is read
//! of `evaluation.json` is its title, split digest and genres, the scores are `held-out.jsonl`
//! out: figures with intervals, and the differences to the first with paired tests

use std::path::{Path, PathBuf};

use base::Seed;
use eval::{
    BootstrapConfig, Groups, Headline, Interval,
    bootstrap::{headline_differences, headline_intervals},
    headline::HeadlineTable,
    methods::method_differences,
    significance::{Said, randomisation_test},
};
use serde::{Deserialize, Serialize};

use super::{
    ReportError,
    ablation::Tested,
    caveats::{self, OF_HOLM, OF_METHODS, OF_PREDICTIONS},
    held_out::{self, HeldOutTable},
};

/// The evaluation's figures in a run folder.
const EVALUATION: &str = "evaluation.json";

/// Runs beside each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Digest of the split that all share.
    pub split_digest: String,
    /// Titles.
    pub num_titles: usize,
    /// Draws and resamples.
    pub num_resamples: usize,
    /// Groups of titles that were drawn and exchanged whole; as many as titles where none belong
    /// together.
    pub num_groups: usize,
    /// The first is what the others are compared with.
    pub runs: Vec<ComparedRun>,
    /// What the tests compare, and what the figures lean on.
    pub notes: Vec<String>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedRun {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// With intervals over titles.
    pub figures: Headline<Interval>,
    /// This run minus the first; `None` for the first.
    pub gain: Option<Headline<Tested>>,
}

/// Compares runs with the first of them.
///
/// # Errors
/// A run has no evaluation; runs stand on different splits, titles, genres or labels.
pub fn compare(
    folders: &[PathBuf],
    num_resamples: usize,
    seed: Seed,
) -> Result<Comparison, ReportError> {
    let runs: Vec<Run> =
        folders.iter().map(|folder| Run::read(folder)).collect::<Result<_, _>>()?;
    let Some(first) = runs.first() else {
        return Err(refuse("no run was given".to_owned()));
    };
    for run in &runs[1..] {
        first.check_same(run)?;
    }
    let num_titles = first.held_out.ids.len();
    let groups = common_groups(&runs, num_titles);
    let num_groups = groups.num_groups(num_titles);
    let config = BootstrapConfig { num_resamples, groups, ..BootstrapConfig::new(seed) };
    let mut compared: Vec<ComparedRun> = runs
        .iter()
        .enumerate()
        .map(|(k, run)| ComparedRun {
            name: run.name.clone(),
            folder: run.folder.clone(),
            figures: headline_intervals(&run.table(), &config),
            gain: (k > 0).then(|| run.gain_over(first, &config)),
        })
        .collect();
    Tested::correct(
        &mut compared.iter_mut().filter_map(|run| run.gain.as_mut()).collect::<Vec<_>>(),
    );
    Ok(Comparison {
        split_digest: first.split_digest.clone(),
        num_titles,
        num_resamples,
        num_groups,
        notes: notes(&runs, &compared),
        runs: compared,
    })
}

/// The groups of the first run that names any: another program's file, or one of an earlier version,
/// may have none.
fn common_groups(runs: &[Run], num_titles: usize) -> Groups {
    let named = |groups: &&Groups| groups.num_groups(num_titles) < num_titles;
    runs.iter().map(|run| &run.held_out.groups).find(named).cloned().unwrap_or_default()
}

/// What a reader must know of these figures.
fn notes(runs: &[Run], compared: &[ComparedRun]) -> Vec<String> {
    let Some(first) = runs.first() else { return Vec::new() };
    let mut notes = vec![OF_PREDICTIONS.to_owned()];
    let tested = |run: &ComparedRun| run.gain.is_some_and(|gain| gain.map.methods.is_some());
    if compared.iter().any(tested) {
        notes.push(OF_METHODS.to_owned());
    }
    for (run, compared) in runs.iter().zip(compared).skip(1).filter(|(_, run)| !tested(run)) {
        let (a, b) = (first.folder.display(), compared.folder.display());
        notes.push(if run.held_out.folds == first.held_out.folds {
            format!("no test of methods: {a} and {b} hold out one fold, which has no spread")
        } else {
            format!("no test of methods: {a} and {b} held titles out in other folds")
        });
    }
    if runs.len() > 2 {
        notes.push(OF_HOLM.to_owned());
    }
    let positives = first.held_out.labels.columns().into_iter();
    let positives = positives.map(|genre| genre.iter().filter(|&&label| label).count());
    notes.extend(caveats::few_positives(first.genres.iter().map(String::as_str).zip(positives)));
    notes
}

fn refuse(message: String) -> ReportError {
    ReportError::NotComparable { message }
}

/// What is read of `evaluation.json`.
#[derive(Deserialize)]
struct Heading {
    title: String,
    provenance: HeadingSplit,
    genres: Vec<HeadingGenre>,
}

#[derive(Deserialize)]
struct HeadingSplit {
    split_digest: String,
}

#[derive(Deserialize)]
struct HeadingGenre {
    name: String,
}

struct Run {
    folder: PathBuf,
    name: String,
    split_digest: String,
    genres: Vec<String>,
    held_out: HeldOutTable,
}

impl Run {
    fn read(folder: &Path) -> Result<Self, ReportError> {
        let heading = super::read_json::<Heading>(&folder.join(EVALUATION))?;
        let genres: Vec<String> = heading.genres.into_iter().map(|genre| genre.name).collect();
        Ok(Self {
            folder: folder.to_owned(),
            name: heading.title,
            split_digest: heading.provenance.split_digest,
            held_out: held_out::read(folder, &genres)?,
            genres,
        })
    }

    fn check_same(&self, other: &Self) -> Result<(), ReportError> {
        let (a, b) = (self.folder.display(), other.folder.display());
        if self.split_digest != other.split_digest {
            return Err(refuse(format!(
                "{a} stands on split {}, {b} on split {}",
                self.split_digest, other.split_digest
            )));
        }
        if self.genres != other.genres {
            return Err(refuse(format!(
                "{a} knows the genres {}, {b} the genres {}",
                self.genres.join(", "),
                other.genres.join(", ")
            )));
        }
        if self.held_out.ids != other.held_out.ids || self.held_out.labels != other.held_out.labels
        {
            return Err(refuse(format!("{a} and {b} have other titles or labels")));
        }
        Ok(())
    }

    fn table(&self) -> HeadlineTable<'_> {
        let HeldOutTable { probabilities, decisions, labels, .. } = &self.held_out;
        HeadlineTable::new(probabilities.view(), decisions.view(), labels.view())
    }

    fn said(&self) -> Said<'_> {
        let HeldOutTable { probabilities, decisions, .. } = &self.held_out;
        Said { scores: probabilities.view(), decisions: decisions.view() }
    }

    fn gain_over(&self, first: &Self, config: &BootstrapConfig) -> Headline<Tested> {
        let paired = headline_differences(&self.table(), &first.table(), config);
        let labels = self.held_out.labels.view();
        let (own, other) = ([self.said()], [first.said()]);
        let exchanged = randomisation_test(&own, &other, labels, config);
        let folds = &self.held_out.folds;
        let methods = (*folds == first.held_out.folds)
            .then(|| method_differences(&own, &other, labels, folds, config.level))
            .flatten();
        Tested::of(&paired, &exchanged, methods.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use base::publish_bytes;

    use super::*;
    use crate::{Evidence, Provenance, held_out::HeldOutTitle, metrics_json};
    use ndarray::Array2;
    use rand::RngExt;

    /// A run folder with 100 titles whose scores are the labels plus noise of this size.
    fn run(folder: &Path, split: &str, genres: &[&str], noise: f64) -> PathBuf {
        run_with(folder, split, genres, noise, &|_, _| {})
    }

    /// The same with titles made other than alone and of five folds.
    fn run_with(
        folder: &Path,
        split: &str,
        genres: &[&str],
        noise: f64,
        change: &dyn Fn(usize, &mut HeldOutTitle),
    ) -> PathBuf {
        let mut rng = Seed(4).rng("labels");
        let labels = Array2::from_shape_fn((100, genres.len()), |_| rng.random_bool(0.4));
        let mut rng = Seed(5).rng(&noise.to_string());
        let probabilities = labels.mapv(|label| {
            let center = if label { 0.7 } else { 0.3 };
            (center + noise * (rng.random::<f64>() - 0.5)).clamp(0.0, 1.0)
        });
        let decisions = probabilities.mapv(|p| p >= 0.5);
        let with = |which: &Array2<bool>, t: usize| -> Vec<String> {
            let named = genres.iter().zip(which.row(t)).filter(|(_, has)| **has);
            named.map(|(genre, _)| (*genre).to_owned()).collect()
        };
        let mut titles: Vec<HeldOutTitle> = (0..100)
            .map(|t| HeldOutTitle {
                id: format!("t{t}"),
                fold: t as u32 % 5,
                group: None,
                labels: with(&labels, t),
                decided: with(&decisions, t),
                probability: genres
                    .iter()
                    .zip(probabilities.row(t))
                    .map(|(genre, &p)| ((*genre).to_owned(), p as f32))
                    .collect(),
            })
            .collect();
        let evidence = Evidence {
            title: format!("noise {noise}"),
            provenance: Provenance { split_digest: split.into(), ..Provenance::default() },
            genres: genres.iter().map(|&genre| genre.to_owned()).collect(),
            folds: vec![0; 100],
            thresholds: vec![0.5; genres.len()],
            present: Array2::from_elem((100, 0), true),
            labels,
            probabilities,
            decisions,
            ..Evidence::default()
        };
        let json = metrics_json(&evidence.assemble().unwrap());
        std::fs::create_dir_all(folder).unwrap();
        publish_bytes(&folder.join(EVALUATION), json.as_bytes()).unwrap();
        titles.iter_mut().enumerate().for_each(|(t, title)| change(t, title));
        let lines = held_out::lines(&titles);
        publish_bytes(&folder.join(held_out::FILE), lines.as_bytes()).unwrap();
        folder.to_owned()
    }

    #[test]
    fn a_better_run_is_told_from_a_worse_one_and_a_run_from_itself_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, noise| run(&folder.path().join(name), "ab", &["War", "Drama"], noise);
        let runs = [at("worse", 2.0), at("better", 0.9), at("same", 2.0)];
        let found = compare(&runs, 199, Seed(1)).unwrap();
        assert_eq!((found.num_titles, found.runs.len()), (100, 3));
        assert!(found.runs[0].gain.is_none());
        let gain = found.runs[1].gain.unwrap().map;
        assert!(gain.difference.low > 0.0 && gain.holm_p == 2.0 / 200.0, "{gain:?}");
        let none = found.runs[2].gain.unwrap().map;
        assert_eq!((none.difference.value, none.randomisation_p), (0.0, 1.0));
        // Two methods, over the same folds.
        assert!(
            gain.methods.is_some_and(|m| m.p_value < 0.05 && m.difference.low > 0.0),
            "{gain:?}"
        );
        assert!(none.methods.is_some_and(|m| m.p_value == 1.0), "{none:?}");
        let notes = found.notes.join("\n");
        assert!(notes.contains("held fixed") && notes.contains("figure by figure"), "{notes}");
        let drama = "Fewer than 50 titles: ";
        assert!(notes.contains(drama) && !notes.contains("no test of methods"), "{notes}");
    }

    #[test]
    fn runs_that_share_no_folds_are_not_compared_as_methods() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, change: &dyn Fn(usize, &mut HeldOutTitle)| {
            run_with(&folder.path().join(name), "ab", &["War"], 1.0, change)
        };
        let first = at("first", &|_, _| {});
        let shifted = at("shifted", &|t, title| title.fold = (t as u32 + t as u32 / 7) % 5);
        let single = at("single", &|_, title| title.fold = 0);
        for (runs, why) in [
            ([first.clone(), shifted], "in other folds"),
            ([single.clone(), single], "one fold, which has no spread"),
        ] {
            let found = compare(&runs, 19, Seed(1)).unwrap();
            assert_eq!(found.runs[1].gain.unwrap().map.methods, None);
            assert!(found.notes.iter().any(|note| note.contains(why)), "{:?}", found.notes);
        }
        let found = compare(&[first.clone(), first], 19, Seed(1)).unwrap();
        assert!(!found.notes.iter().any(|note| note.contains("Holm")), "one comparison");
    }

    #[test]
    fn groups_are_drawn_whole_whichever_run_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, group: &dyn Fn(usize) -> Option<String>| {
            run_with(&folder.path().join(name), "ab", &["War"], 1.0, &|t, title| {
                title.group = group(t);
            })
        };
        let old = at("old", &|_| None);
        let new = at("new", &|t| (t < 50).then(|| format!("saga {}", t / 25)));
        let [alone, grouped, other_way] =
            [[old.clone(), old.clone()], [old.clone(), new.clone()], [new, old]]
                .map(|runs| compare(&runs, 99, Seed(1)).unwrap());
        assert_eq!((alone.num_groups, grouped.num_groups, other_way.num_groups), (100, 52, 52));
        assert_eq!(grouped.runs[0].figures, other_way.runs[1].figures);
        let width = |found: &Comparison| {
            let i = found.runs[0].figures.micro_f1;
            i.high - i.low
        };
        assert_ne!(width(&alone), width(&grouped));
    }

    #[test]
    fn runs_on_other_splits_or_genres_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, split: &str, genres: &[&str]| {
            run(&folder.path().join(name), split, genres, 1.0)
        };
        let first = at("a", "digest-1", &["War"]);
        let refused =
            |other: PathBuf| compare(&[first.clone(), other], 9, Seed(1)).unwrap_err().to_string();
        let split = refused(at("b", "digest-2", &["War"]));
        assert!(split.contains("digest-1") && split.contains("digest-2"), "{split}");
        let genres = refused(at("c", "digest-1", &["Drama"]));
        assert!(genres.contains("War") && genres.contains("Drama"), "{genres}");
        assert!(compare(&[first, folder.path().join("none")], 9, Seed(1)).is_err());
    }
}
