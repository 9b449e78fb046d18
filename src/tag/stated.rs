//! How much a record states.

use catalog::Record;
use dataset::{Content, Dataset};

/// Of a record's columns so many are stated by 99 in 100 of the titles trained on; 0 for what is
/// no record: what [`BundleModality::min_stated`](super::BundleModality) wants.
#[must_use]
pub fn min_stated(data: &Dataset, name: &str, train: &[usize]) -> usize {
    let table = data.modalities.iter().find(|table| table.name == name);
    let Some(Content::Records { rows, .. }) = table.map(|table| &table.content) else { return 0 };
    let stated = train.iter().filter_map(|&title| rows[title].as_ref().map(Record::num_stated));
    let mut stated: Vec<usize> = stated.collect();
    stated.sort_unstable();
    stated.get(stated.len() / 100).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use base::TitleId;
    use catalog::RecordSchema;
    use dataset::ModalityTable;

    use super::*;

    #[test]
    fn one_title_in_a_hundred_may_state_less() {
        let record = |num_stated: usize| {
            Some(Record {
                numbers: vec![(num_stated > 0).then_some(1.0)],
                categories: vec![vec!["x".to_owned(); num_stated.saturating_sub(1).min(1)]],
            })
        };
        let rows: Vec<_> = (0..201)
            .map(|t| if t == 7 { None } else { record(if t < 2 { 1 } else { 2 }) })
            .collect();
        let schema = RecordSchema { numbers: vec!["a".into()], categories: vec!["b".into()] };
        let table = ModalityTable::new("columns", Content::Records { schema, rows });
        let data = Dataset {
            titles: (0..201).map(|t| TitleId::new(&t.to_string())).collect(),
            genres: Vec::new(),
            labels: Vec::new(),
            label_weights: None,
            modalities: vec![table.into()],
        };
        let all: Vec<usize> = (0..201).collect();
        assert_eq!(min_stated(&data, "columns", &all), 2, "two of two hundred are too few");
        assert_eq!(min_stated(&data, "columns", &all[..100]), 1, "of a hundred they are not");
        assert_eq!((min_stated(&data, "other", &all), min_stated(&data, "columns", &[])), (0, 0));
    }
}
