//! The words of a text in order, as numbers.
//!
//! in: texts; out: the ids of each text's first words; 0 stands for every word that too few
//! training texts have

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{SparseRow, tfidf::words};

/// Words with ids, as fitted on training texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordIds {
    max_words: usize,
    /// Ascending; their ids begin at 1.
    words: Vec<String>,
}

impl WordIds {
    /// Gives ids to the words that `min_texts` training texts have; of a text its first
    /// `max_words` count.
    #[must_use]
    pub fn fit<'a>(
        texts: impl Iterator<Item = &'a str>,
        min_texts: usize,
        max_words: usize,
    ) -> Self {
        let mut num_with = BTreeMap::<String, usize>::new();
        for text in texts {
            for word in words(text).collect::<HashSet<_>>() {
                *num_with.entry(word).or_default() += 1;
            }
        }
        num_with.retain(|_, count| *count >= min_texts);
        Self { max_words, words: num_with.into_keys().collect() }
    }

    /// Whether no text gives more ids than this.
    pub(crate) fn gives_at_most(&self, num_words: usize) -> bool {
        self.max_words.max(1) <= num_words
    }

    /// Number of ids.
    #[must_use]
    pub fn num_ids(&self) -> usize {
        self.words.len() + 1
    }

    /// (place, id) of each text's words; a text without a word reads as one unknown word.
    #[must_use]
    pub fn apply<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Vec<SparseRow> {
        let id_of: HashMap<&str, usize> =
            self.words.iter().enumerate().map(|(idx, word)| (word.as_str(), idx + 1)).collect();
        let row = |text: &str| -> SparseRow {
            let ids = words(text).take(self.max_words);
            let ids = ids.map(|word| id_of.get(word.as_str()).map_or(0.0, |&id| id as f32));
            let row: SparseRow = (0..).zip(ids).collect();
            if row.is_empty() { vec![(0, 0.0)] } else { row }
        };
        texts.map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_order_and_rare_ones_are_one() {
        let texts = ["the wolf and the moon", "the moon, the Moon!"];
        let ids = WordIds::fit(texts.into_iter(), 2, 4);
        assert_eq!(ids.num_ids(), 3);
        let rows = ids.apply(["moon wolf the the the", "", "x"].into_iter());
        assert_eq!(rows[0], [(0, 1.0), (1, 0.0), (2, 2.0), (3, 2.0)]);
        assert_eq!(
            (rows[1].as_slice(), rows[2].as_slice()),
            ([(0, 0.0)].as_slice(), [(0, 0.0)].as_slice())
        );
    }
}
