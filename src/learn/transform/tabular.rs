//! Turns metadata into numbers: which categories exist, and the scale of each number, are
//! learned from the training titles.
//!
//! in: [`Record`]s; out: a sparse row of `dim()` features per title:
//! per number column its standardised value (0 where missing) and a flag `missing`; per category
//! column one feature for each value that enough training titles have, and a flag `missing`.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{Record, RecordSchema};
use serde::{Deserialize, Serialize};

use crate::LearnError;

/// The features of one title that are not 0: (index, value), indices ascending.
pub type SparseRow = Vec<(u32, f32)>;

/// Numbers whose skewness over the training titles is above this are taken as logarithms
/// (votes, takings). That of an exponential distribution is 2.
const HEAVY_TAIL_SKEWNESS: f64 = 3.0;

/// A number column as fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberColumn {
    /// The column.
    pub name: String,
    /// Whether `ln(1 + x)` is taken first.
    pub log: bool,
    /// Mean over the training titles that have it.
    pub mean: f64,
    /// 1 / deviation; 0 where it never varies.
    pub inv_std: f64,
}

/// A category column as fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoryColumn {
    /// The column.
    pub name: String,
    /// The values with enough support, in ascending order.
    pub values: Vec<String>,
}

/// Fitted on training titles, applied to any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TabularTransform {
    /// In the schema's order.
    pub numbers: Vec<NumberColumn>,
    /// In the schema's order.
    pub categories: Vec<CategoryColumn>,
}

impl TabularTransform {
    /// Fits on the records of these titles; a category value needs `min_support` of them.
    #[must_use]
    pub fn fit(
        schema: &RecordSchema,
        rows: &[Option<Record>],
        titles: &[usize],
        min_support: usize,
    ) -> Self {
        let records: Vec<&Record> =
            titles.iter().filter_map(|&title| rows[title].as_ref()).collect();
        let numbers = schema
            .numbers
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let values: Vec<f64> = records
                    .iter()
                    .filter_map(|record| record.numbers[column].filter(|x| x.is_finite()))
                    .collect();
                NumberColumn::fit(name, values)
            })
            .collect();
        let categories = schema
            .categories
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let mut support = BTreeMap::<&str, usize>::new();
                for record in &records {
                    let distinct: BTreeSet<&str> =
                        record.categories[column].iter().map(String::as_str).collect();
                    for value in distinct {
                        *support.entry(value).or_default() += 1;
                    }
                }
                let values = support
                    .into_iter()
                    .filter(|&(_, count)| count >= min_support.max(1))
                    .map(|(value, _)| value.to_owned())
                    .collect();
                CategoryColumn { name: name.clone(), values }
            })
            .collect();
        Self { numbers, categories }
    }

    /// Number of features.
    #[must_use]
    pub fn dim(&self) -> usize {
        2 * self.numbers.len()
            + self.categories.iter().map(|column| column.values.len() + 1).sum::<usize>()
    }

    /// What each feature is, for people: `year`, `year: missing`, `country = France`.
    #[must_use]
    pub fn feature_names(&self) -> Vec<String> {
        let numbers =
            self.numbers.iter().flat_map(|c| [c.name.clone(), format!("{}: missing", c.name)]);
        let categories = self.categories.iter().flat_map(|c| {
            let values = c.values.iter().map(|value| format!("{} = {value}", c.name));
            values.chain([format!("{}: missing", c.name)])
        });
        numbers.chain(categories).collect()
    }

    /// Are records of this schema what it was fitted on?
    ///
    /// # Errors
    /// Other columns, or in another order.
    pub fn check_schema(&self, schema: &RecordSchema) -> Result<(), LearnError> {
        let numbers: Vec<&String> = self.numbers.iter().map(|c| &c.name).collect();
        let categories: Vec<&String> = self.categories.iter().map(|c| &c.name).collect();
        if schema.numbers.iter().eq(numbers.iter().copied())
            && schema.categories.iter().eq(categories.iter().copied())
        {
            return Ok(());
        }
        Err(LearnError::Data {
            message: format!(
                "the metadata columns are numbers {:?} and categories {:?}, but the model was \
                 fitted on numbers {numbers:?} and categories {categories:?}",
                schema.numbers, schema.categories
            ),
            hint: Some("declare the columns as in the model's own pipeline".to_owned()),
        })
    }

    /// Those features of one record that are a value of a category: not numbers, nor what is
    /// missing.
    #[must_use]
    pub fn values_of(&self, record: &Record) -> SparseRow {
        let mut starts = Vec::with_capacity(self.categories.len());
        let mut next = 2 * self.numbers.len() as u32;
        for column in &self.categories {
            starts.push(next..next + column.values.len() as u32);
            next += column.values.len() as u32 + 1;
        }
        let mut row = self.apply(record);
        row.retain(|(idx, _)| starts.iter().any(|values| values.contains(idx)));
        row
    }

    /// The features of one record.
    #[must_use]
    pub fn apply(&self, record: &Record) -> SparseRow {
        let mut row = SparseRow::new();
        let mut next = 0_u32;
        for (column, value) in self.numbers.iter().zip(&record.numbers) {
            match value.filter(|x| x.is_finite()) {
                Some(value) => row.push((next, column.scale(value))),
                None => row.push((next + 1, 1.0)),
            }
            next += 2;
        }
        for (column, values) in self.categories.iter().zip(&record.categories) {
            let known: BTreeSet<u32> = values
                .iter()
                .filter_map(|value| column.values.binary_search(value).ok())
                .map(|idx| next + idx as u32)
                .collect();
            row.extend(known.into_iter().map(|idx| (idx, 1.0)));
            next += column.values.len() as u32;
            if values.is_empty() {
                row.push((next, 1.0));
            }
            next += 1;
        }
        row
    }
}

impl NumberColumn {
    fn fit(name: &str, mut values: Vec<f64>) -> Self {
        let log = values.iter().all(|&x| x >= 0.0) && skewness(&values) > HEAVY_TAIL_SKEWNESS;
        if log {
            for x in &mut values {
                *x = x.ln_1p();
            }
        }
        let (mean, std) = mean_and_std(&values);
        let inv_std = if std > 1e-9 * mean.abs().max(1e-9) { 1.0 / std } else { 0.0 };
        Self { name: name.to_owned(), log, mean, inv_std }
    }

    fn scale(&self, value: f64) -> f32 {
        // A value below the range that was seen must not become NaN.
        let value = if self.log { value.max(0.0).ln_1p() } else { value };
        // Far outside what was seen, more of it says no more.
        ((value - self.mean) * self.inv_std).clamp(-5.0, 5.0) as f32
    }
}

fn mean_and_std(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

fn skewness(values: &[f64]) -> f64 {
    let (mean, std) = mean_and_std(values);
    if std == 0.0 {
        return 0.0;
    }
    values.iter().map(|x| ((x - mean) / std).powi(3)).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> RecordSchema {
        RecordSchema {
            numbers: vec!["year".into(), "votes".into()],
            categories: vec!["country".into()],
        }
    }

    #[allow(clippy::unnecessary_wraps)] // rows are options
    fn record(year: Option<f64>, votes: Option<f64>, countries: &[&str]) -> Option<Record> {
        Some(Record {
            numbers: vec![year, votes],
            categories: vec![countries.iter().map(|&c| c.to_owned()).collect()],
        })
    }

    #[test]
    fn categories_and_scales_come_from_the_training_titles_alone() {
        let rows = vec![
            record(Some(1990.0), Some(1.0), &["France", "Italy"]),
            record(Some(2010.0), None, &["France", "France"]),
            None,
            // Held out: its many countries and its year must leave no trace.
            record(Some(1e9), Some(1e9), &["Peru", "Italy"]),
            record(None, Some(2.0), &["Peru"]),
        ];
        let fitted = TabularTransform::fit(&schema(), &rows, &[0, 1, 2], 2);
        assert_eq!(fitted.categories[0].values, ["France"]);
        assert_eq!((fitted.numbers[0].mean, fitted.numbers[0].inv_std), (2000.0, 0.1));
        assert_eq!(
            fitted.feature_names(),
            [
                "year",
                "year: missing",
                "votes",
                "votes: missing",
                "country = France",
                "country: missing"
            ]
        );
        assert_eq!(fitted.dim(), 6);
        let apply = |i: usize| fitted.apply(rows[i].as_ref().unwrap());
        assert_eq!(apply(0), [(0, -1.0), (2, 0.0), (4, 1.0)]);
        assert_eq!(apply(1), [(0, 1.0), (3, 1.0), (4, 1.0)]);
        assert_eq!(apply(3), [(0, 5.0), (2, 0.0)], "unknown countries are not missing ones");
        assert_eq!(apply(4), [(1, 1.0), (2, 0.0)]);
        let empty = fitted.apply(&Record { numbers: vec![None, None], categories: vec![vec![]] });
        assert_eq!(empty, [(1, 1.0), (3, 1.0), (5, 1.0)]);
    }

    #[test]
    fn heavy_tails_are_taken_as_logarithms() {
        let rows: Vec<_> = (0..40)
            .map(|i| record(Some(1980.0 + f64::from(i)), Some(2.0_f64.powi(i)), &[]))
            .collect();
        let titles: Vec<usize> = (0..40).collect();
        let fitted = TabularTransform::fit(&schema(), &rows, &titles, 1);
        assert!(!fitted.numbers[0].log && fitted.numbers[1].log);
        let negative = fitted.apply(record(None, Some(-3.0), &[]).as_ref().unwrap());
        assert!(negative.iter().all(|(_, value)| value.is_finite()));
    }

    #[test]
    fn another_schema_is_refused() {
        let fitted = TabularTransform::fit(&schema(), &[], &[], 1);
        assert!(fitted.check_schema(&schema()).is_ok());
        let mut other = schema();
        other.numbers.reverse();
        let message = fitted.check_schema(&other).unwrap_err().to_string();
        assert!(message.contains("votes"), "{message}");
    }
}
