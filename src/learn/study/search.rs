//! Search for settings: random, tree-structured Parzen estimators, successive halving.
//!
//! in: a space of settings, a way to score several at once; out: trials with their scores
//! source: Bergstra & Bengio 2012 (random search); Bergstra et al. 2011 (TPE, by the crate `tpe`);
//! Jamieson & Talwalkar 2016, "Non-stochastic best arm identification" (halving)

use std::collections::BTreeMap;

use base::Seed;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tpe::{TpeOptimizer, categorical_range, histogram_estimator, parzen_estimator, range};

use crate::{LearnConfig, LearnError};

/// Trials before the estimator has its say.
const RANDOM_TRIALS: usize = 8;
/// Trials that are scored at once by TPE.
const TPE_BATCH: usize = 2;
/// Of a rung of halving one in so many goes on, with as many times the passes.
const ETA: usize = 3;
/// Rungs of halving.
const RUNGS: u32 = 3;
/// Groups of values for what mattered.
const NUM_BINS: usize = 4;

/// What is searched, and how: a TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchSpec {
    /// How.
    #[serde(default)]
    pub method: Method,
    /// Settings that are tried.
    #[serde(default = "thirty")]
    pub trials: usize,
    /// Name of a `[learn]` setting → its values.
    pub space: BTreeMap<String, Values>,
}

fn thirty() -> usize {
    30
}

/// How settings are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Evenly at random.
    Random,
    /// Where good trials were dense, after some at random.
    #[default]
    Tpe,
    /// Many at random with few passes, the best third with three times as many, and again.
    Halving,
}

/// Values that a setting may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected { low = 1, high = 9 } or a list of values")]
pub enum Values {
    /// One of these.
    Choices(Vec<Value>),
    /// Between two bounds.
    Range(Bounds),
}

/// Bounds of a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Even in the logarithm.
    #[serde(default)]
    pub log: bool,
    /// Rounded to whole numbers.
    #[serde(default)]
    pub whole: bool,
}

/// One setting of everything that is searched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Name → value.
    pub settings: BTreeMap<String, Value>,
    /// Share of the passes that it was given; less than 1 for early rungs of halving.
    pub budget: f64,
    /// Higher is better.
    pub score: f64,
}

impl Values {
    fn refusal(&self) -> Option<String> {
        match self {
            Self::Choices(choices) if choices.is_empty() => Some("has no choices".to_owned()),
            Self::Range(b) if b.high <= b.low => {
                Some(format!("needs `low` below `high`, got {} and {}", b.low, b.high))
            }
            Self::Range(b) if b.log && b.low <= 0.0 => {
                Some(format!("needs `low` above 0 for `log`, got {}", b.low))
            }
            _ => None,
        }
    }

    /// Length of the axis on which points lie.
    fn axis(&self) -> f64 {
        match self {
            Self::Choices(choices) => choices.len() as f64,
            Self::Range(_) => 1.0,
        }
    }

    /// The value at a point of `0..axis`.
    fn at(&self, point: f64) -> Value {
        match self {
            Self::Choices(choices) => {
                choices[(point.max(0.0) as usize).min(choices.len() - 1)].clone()
            }
            Self::Range(Bounds { low, high, log, whole }) => {
                let value = if *log {
                    (low.ln() + point * (high.ln() - low.ln())).exp()
                } else {
                    low + point * (high - low)
                };
                if *whole { json!(value.round() as i64) } else { json!(value) }
            }
        }
    }

    fn optimizer(&self) -> Result<TpeOptimizer, LearnError> {
        let failed = |_| refuse("the space has an empty range".to_owned());
        Ok(match self {
            Self::Choices(choices) => TpeOptimizer::new(
                histogram_estimator(),
                categorical_range(choices.len()).map_err(failed)?,
            ),
            Self::Range(_) => {
                TpeOptimizer::new(parzen_estimator(), range(0.0, 1.0).map_err(failed)?)
            }
        })
    }
}

fn refuse(message: String) -> LearnError {
    LearnError::Data {
        message,
        hint: Some(
            "`[space]` holds settings of `[learn]`: NAME = { low = 1, high = 9 } or a list".into(),
        ),
    }
}

/// The settings of `base` with those of a trial.
///
/// # Errors
/// An unknown setting, or a value of another type or out of range.
pub fn applied(
    base: &LearnConfig,
    settings: &BTreeMap<String, Value>,
) -> Result<LearnConfig, LearnError> {
    let mut table = serde_json::to_value(base).unwrap_or_default();
    for (name, value) in settings {
        table[name] = value.clone();
    }
    let config: LearnConfig = serde_json::from_value(table)
        .map_err(|e| refuse(format!("the space does not fit `[learn]`: {e}")))?;
    config.validate()?;
    Ok(config)
}

impl SearchSpec {
    /// Checks every setting of the search against those that it changes.
    ///
    /// # Errors
    /// Nothing to search; the first setting whose values are none for `base`, by its name.
    pub fn check(&self, base: &LearnConfig) -> Result<(), (Option<&str>, LearnError)> {
        if self.space.is_empty() || self.trials == 0 {
            return Err((None, refuse("there is nothing to search".to_owned())));
        }
        for (name, values) in &self.space {
            if let Some(refusal) = values.refusal() {
                return Err((Some(name), refuse(format!("`space.{name}` {refusal}"))));
            }
            let ends = match values {
                Values::Choices(choices) => choices.clone(),
                Values::Range(_) => vec![values.at(0.0), values.at(1.0)],
            };
            for end in ends {
                applied(base, &BTreeMap::from([(name.clone(), end)]))
                    .map_err(|error| (Some(name.as_str()), error))?;
            }
        }
        Ok(())
    }

    /// Searches. `score` is given settings with their budgets and scores them in order; the same
    /// seed and the same scores give the same trials.
    ///
    /// # Errors
    /// An empty space, bounds that are none, or that of `score`.
    pub fn search(
        &self,
        seed: Seed,
        mut score: impl FnMut(&[(BTreeMap<String, Value>, f64)]) -> Result<Vec<f64>, LearnError>,
    ) -> Result<Vec<Trial>, LearnError> {
        if self.space.is_empty() || self.trials == 0 {
            return Err(refuse("there is nothing to search".to_owned()));
        }
        if let Some((name, refusal)) =
            self.space.iter().find_map(|(name, values)| Some((name, values.refusal()?)))
        {
            return Err(refuse(format!("`space.{name}` {refusal}")));
        }
        match self.method {
            Method::Random => {
                let points: Vec<_> = (0..self.trials).map(|k| self.random(seed, k)).collect();
                self.scored(&points, 1.0, &mut score)
            }
            Method::Tpe => self.tpe(seed, &mut score),
            Method::Halving => self.halving(seed, &mut score),
        }
    }

    fn random(&self, seed: Seed, trial: usize) -> Vec<f64> {
        let mut rng = seed.derive("trial").rng(&trial.to_string());
        self.space.values().map(|values| rng.random::<f64>() * values.axis()).collect()
    }

    fn settings(&self, points: &[f64]) -> BTreeMap<String, Value> {
        let space = self.space.iter().zip(points);
        space.map(|((name, values), &point)| (name.clone(), values.at(point))).collect()
    }

    fn scored(
        &self,
        points: &[Vec<f64>],
        budget: f64,
        score: &mut impl FnMut(&[(BTreeMap<String, Value>, f64)]) -> Result<Vec<f64>, LearnError>,
    ) -> Result<Vec<Trial>, LearnError> {
        let asked: Vec<_> = points.iter().map(|p| (self.settings(p), budget)).collect();
        let scores = score(&asked)?;
        let trials = asked.into_iter().zip(scores);
        Ok(trials.map(|((settings, budget), score)| Trial { settings, budget, score }).collect())
    }

    fn tpe(
        &self,
        seed: Seed,
        score: &mut impl FnMut(&[(BTreeMap<String, Value>, f64)]) -> Result<Vec<f64>, LearnError>,
    ) -> Result<Vec<Trial>, LearnError> {
        let mut optimizers: Vec<TpeOptimizer> =
            self.space.values().map(Values::optimizer).collect::<Result<_, _>>()?;
        let failed = |_| refuse("the estimator cannot be fitted".to_owned());
        let mut trials: Vec<Trial> = Vec::new();
        while trials.len() < self.trials {
            let begun = trials.len();
            let batch = if begun == 0 { RANDOM_TRIALS } else { TPE_BATCH };
            let mut points = Vec::new();
            for trial in begun..(begun + batch).min(self.trials) {
                if begun == 0 {
                    points.push(self.random(seed, trial));
                    continue;
                }
                let mut rng = seed.derive("tpe").rng(&trial.to_string());
                let point: Result<Vec<f64>, LearnError> =
                    optimizers.iter_mut().map(|o| o.ask(&mut rng).map_err(failed)).collect();
                points.push(point?);
            }
            let batch = self.scored(&points, 1.0, score)?;
            for (point, trial) in points.iter().zip(&batch) {
                for (optimizer, &at) in optimizers.iter_mut().zip(point) {
                    // The estimator looks for the lowest; NaN counts as the worst.
                    let cost = if trial.score.is_nan() { f64::MAX } else { -trial.score };
                    optimizer
                        .tell(at, cost)
                        .map_err(|_| refuse("a trial lies outside the space".to_owned()))?;
                }
            }
            trials.extend(batch);
        }
        Ok(trials)
    }

    fn halving(
        &self,
        seed: Seed,
        score: &mut impl FnMut(&[(BTreeMap<String, Value>, f64)]) -> Result<Vec<f64>, LearnError>,
    ) -> Result<Vec<Trial>, LearnError> {
        let mut points: Vec<_> = (0..self.trials).map(|k| self.random(seed, k)).collect();
        let mut trials = Vec::new();
        for rung in 0..RUNGS {
            let budget = 1.0 / (ETA as f64).powi((RUNGS - 1 - rung) as i32);
            let scored = self.scored(&points, budget, score)?;
            let mut order: Vec<usize> = (0..points.len()).collect();
            order.sort_by(|&a, &b| scored[b].score.total_cmp(&scored[a].score));
            order.truncate(points.len().div_ceil(ETA));
            points = order.into_iter().map(|k| points[k].clone()).collect();
            trials.extend(scored);
        }
        Ok(trials)
    }

    /// Name → share of the variance of the scores that goes with the setting's value (the
    /// correlation ratio over four groups of values, or the choices), 0..1. Of the trials with
    /// the largest budget.
    #[must_use]
    pub fn what_mattered(&self, trials: &[Trial]) -> BTreeMap<String, f64> {
        let most = trials.iter().map(|trial| trial.budget).fold(0.0, f64::max);
        let trials: Vec<&Trial> = trials.iter().filter(|trial| trial.budget >= most).collect();
        let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len().max(1) as f64;
        let all: Vec<f64> = trials.iter().map(|trial| trial.score).collect();
        let total: f64 = all.iter().map(|s| (s - mean(&all)).powi(2)).sum();
        let share = |(name, values): (&String, &Values)| {
            let mut sorted: Vec<(f64, f64)> =
                trials.iter().map(|t| (values.rank(&t.settings[name]), t.score)).collect();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            let groups: Vec<Vec<(f64, f64)>> = match values {
                Values::Choices(_) => {
                    sorted.chunk_by(|a, b| a.0 == b.0).map(<[_]>::to_vec).collect()
                }
                Values::Range(_) => {
                    let size = sorted.len().div_ceil(NUM_BINS).max(1);
                    sorted.chunks(size).map(<[_]>::to_vec).collect()
                }
            };
            let between: f64 = groups
                .iter()
                .map(|group| {
                    let scores: Vec<f64> = group.iter().map(|pair| pair.1).collect();
                    scores.len() as f64 * (mean(&scores) - mean(&all)).powi(2)
                })
                .sum();
            (name.clone(), if total > 0.0 { between / total } else { 0.0 })
        };
        self.space.iter().map(share).collect()
    }
}

impl Values {
    fn rank(&self, value: &Value) -> f64 {
        match self {
            Self::Choices(choices) => {
                choices.iter().position(|choice| choice == value).unwrap_or(0) as f64
            }
            Self::Range(_) => value.as_f64().unwrap_or(0.0),
        }
    }
}

/// The trial with the best score among those with the largest budget.
#[must_use]
pub fn best(trials: &[Trial]) -> Option<&Trial> {
    trials
        .iter()
        .filter(|t| !t.score.is_nan())
        .max_by(|a, b| a.budget.total_cmp(&b.budget).then(a.score.total_cmp(&b.score)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(method: Method, trials: usize) -> SearchSpec {
        let text = "[space]\nhidden = { low = 8, high = 512, log = true, whole = true }\n\
                    dropout = { low = 0.0, high = 0.9 }\npooling = [\"mean\", \"attention\"]";
        let mut spec: SearchSpec = toml::from_str(text).unwrap();
        spec.method = method;
        spec.trials = trials;
        spec
    }

    /// Best at dropout 0.3 and attention; what is hidden does not matter.
    #[allow(clippy::unnecessary_wraps)] // what a search is given may fail
    fn score(asked: &[(BTreeMap<String, Value>, f64)]) -> Result<Vec<f64>, LearnError> {
        let one = |(settings, _): &(BTreeMap<String, Value>, f64)| {
            let dropout = settings["dropout"].as_f64().unwrap_or(0.0);
            let bonus = if settings["pooling"] == json!("attention") { 0.5 } else { 0.0 };
            bonus - (dropout - 0.3).powi(2)
        };
        Ok(asked.iter().map(one).collect())
    }

    #[test]
    fn every_method_finds_the_hill_and_the_same_seed_the_same_way() {
        for (method, within) in [(Method::Random, 0.1), (Method::Tpe, 0.03), (Method::Halving, 0.1)]
        {
            let spec = spec(method, 60);
            let trials = spec.search(Seed(1), score).unwrap();
            let found = best(&trials).unwrap();
            let dropout = found.settings["dropout"].as_f64().unwrap();
            assert!((dropout - 0.3).abs() < within, "{method:?}: {found:?}");
            assert_eq!(found.settings["pooling"], json!("attention"), "{method:?}");
            assert!(
                trials.iter().all(|t| (8..=512).contains(&t.settings["hidden"].as_i64().unwrap()))
            );
            assert_eq!(trials, spec.search(Seed(1), score).unwrap());
            assert_ne!(trials, spec.search(Seed(2), score).unwrap());
            let mattered = spec.what_mattered(&trials);
            assert!(mattered["hidden"] < 0.7, "{method:?}: {mattered:?}");
        }
        let random = spec(Method::Random, 60);
        let mattered = random.what_mattered(&random.search(Seed(1), score).unwrap());
        assert!(mattered["pooling"] > 0.5 && mattered["hidden"] < 0.2, "{mattered:?}");
    }

    #[test]
    fn halving_gives_the_best_third_three_times_the_passes() {
        let trials = spec(Method::Halving, 9).search(Seed(1), score).unwrap();
        let budgets: Vec<f64> = trials.iter().map(|trial| (9.0 * trial.budget).round()).collect();
        assert_eq!(budgets, [1., 1., 1., 1., 1., 1., 1., 1., 1., 3., 3., 3., 9.]);
        assert_eq!(best(&trials).unwrap().budget, 1.0);
    }

    #[test]
    fn a_space_that_fits_nothing_is_refused_in_words() {
        let base = LearnConfig::default();
        let set =
            |name: &str, value: Value| applied(&base, &BTreeMap::from([(name.into(), value)]));
        assert_eq!(set("hidden", json!(32)).unwrap().fusion.hidden, 32);
        assert!(set("hiden", json!(32)).unwrap_err().to_string().contains("hiden"));
        assert!(set("dropout", json!(2.0)).unwrap_err().to_string().contains("dropout"));
        let mut odd = spec(Method::Random, 3);
        odd.space.insert("ema".into(), Values::Choices(Vec::new()));
        assert!(odd.search(Seed(1), score).unwrap_err().to_string().contains("space.ema"));
        odd.space.clear();
        assert!(odd.search(Seed(1), score).is_err());
    }
}
