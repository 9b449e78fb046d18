//! A text as the mean of its words' vectors, each by its inverse document frequency. The vectors
//! are learned on the training texts, or read from a file of the user's (`GloVe`).
//!
//! in: texts; out: a row of `dim` numbers per text, none for a text without a known word
//! source: Pennington, Socher and Manning 2014, "`GloVe`: global vectors for word representation";
//! [`super::word2vec`]

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{BufRead, BufReader},
    path::Path,
};

use base::{Seed, file};
use serde::{Deserialize, Serialize};

use super::{
    SparseRow,
    tfidf::words,
    word2vec::{Corpus, Word2vecSettings, skip_grams},
};
use crate::LearnError;

/// Vectors of the words of the training texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordVectors {
    dim: usize,
    /// Ascending.
    words: Vec<String>,
    /// `[words]`
    idf: Vec<f32>,
    /// `[words, dim]`
    vectors: Vec<f32>,
}

/// The words of the training texts.
struct Vocabulary {
    texts: Vec<Vec<String>>,
    /// Word → its places, and the texts that have it.
    counts: BTreeMap<String, (usize, usize)>,
}

impl Vocabulary {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let texts: Vec<Vec<String>> = texts.map(|text| words(text).collect()).collect();
        let mut counts = BTreeMap::<String, (usize, usize)>::new();
        for text in &texts {
            for word in text {
                counts.entry(word.clone()).or_default().0 += 1;
            }
            for word in text.iter().collect::<HashSet<_>>() {
                counts.entry(word.clone()).or_default().1 += 1;
            }
        }
        Self { texts, counts }
    }

    fn idf(&self) -> Vec<f32> {
        let all = 1.0 + self.texts.len() as f64;
        self.counts
            .values()
            .map(|&(_, with)| (all / (1.0 + with as f64)).ln() as f32 + 1.0)
            .collect()
    }

    fn corpus(&self) -> Corpus {
        let idx_of: HashMap<&str, u32> =
            self.counts.keys().enumerate().map(|(idx, word)| (word.as_str(), idx as u32)).collect();
        let known = |text: &Vec<String>| {
            text.iter().filter_map(|word| idx_of.get(word.as_str()).copied()).collect()
        };
        Corpus {
            texts: self.texts.iter().map(known).collect(),
            counts: self.counts.values().map(|&(places, _)| places).collect(),
        }
    }
}

impl WordVectors {
    /// Whether each word has its weight and its vector.
    pub(crate) fn fits(&self) -> bool {
        let vectors = self.words.len().checked_mul(self.dim);
        self.idf.len() == self.words.len() && vectors == Some(self.vectors.len())
    }

    /// Learns vectors on training texts.
    #[must_use]
    pub fn learned<'a>(
        texts: impl Iterator<Item = &'a str>,
        settings: &Word2vecSettings,
        seed: Seed,
    ) -> Self {
        let mut vocabulary = Vocabulary::of(texts);
        vocabulary.counts.retain(|_, (places, _)| *places >= settings.min_count);
        let mut rng = seed.rng("word vectors");
        Self {
            dim: settings.dim,
            idf: vocabulary.idf(),
            vectors: skip_grams(&vocabulary.corpus(), settings, &mut rng),
            words: vocabulary.counts.into_keys().collect(),
        }
    }

    /// Takes the vectors of the words of training texts from a file: a word and its numbers a
    /// line, parted by single spaces; of a word that comes twice the first holds. Word2vec's first
    /// line (two numbers) is passed over.
    ///
    /// # Errors
    /// The file cannot be read, a vector has another length than the first or is no numbers, or
    /// no word of the texts is there.
    pub fn from_file<'a>(
        texts: impl Iterator<Item = &'a str>,
        path: &Path,
    ) -> Result<Self, LearnError> {
        let mut vocabulary = Vocabulary::of(texts);
        let found = read(path, &vocabulary.counts)?;
        vocabulary.counts.retain(|word, _| found.contains_key(word));
        let Some(dim) = found.values().next().map(Vec::len) else {
            return Err(LearnError::Data {
                message: format!("{}: has no word of the training texts", path.display()),
                hint: Some("`learn.glove` is text, a word and its numbers a line".to_owned()),
            });
        };
        Ok(Self {
            dim,
            idf: vocabulary.idf(),
            vectors: vocabulary.counts.keys().flat_map(|word| found[word].clone()).collect(),
            words: vocabulary.counts.into_keys().collect(),
        })
    }

    /// Number of features.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// A word's vector, if it is known.
    #[must_use]
    pub fn vector(&self, word: &str) -> Option<&[f32]> {
        let idx = self.words.binary_search_by(|known| known.as_str().cmp(word)).ok()?;
        Some(&self.vectors[idx * self.dim..(idx + 1) * self.dim])
    }

    /// The features of these texts; a text without a known word has none.
    #[must_use]
    pub fn apply<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Vec<SparseRow> {
        let idx_of: HashMap<&str, usize> =
            self.words.iter().enumerate().map(|(idx, word)| (word.as_str(), idx)).collect();
        let row = |text: &str| -> SparseRow {
            let mut sum = vec![0.0_f32; self.dim];
            let mut total = 0.0;
            for idx in words(text).filter_map(|word| idx_of.get(word.as_str()).copied()) {
                total += self.idf[idx];
                let vector = &self.vectors[idx * self.dim..(idx + 1) * self.dim];
                sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += self.idf[idx] * x);
            }
            if total == 0.0 {
                return SparseRow::new();
            }
            sum.iter().enumerate().map(|(at, x)| (at as u32, x / total)).collect()
        };
        texts.map(row).collect()
    }
}

/// The vectors of these words that the file has.
fn read<T>(
    path: &Path,
    wanted: &BTreeMap<String, T>,
) -> Result<HashMap<String, Vec<f32>>, LearnError> {
    let failed = |source: std::io::Error| LearnError::File {
        path: path.to_owned(),
        action: "read",
        source: source.into(),
    };
    let mut found = HashMap::<String, Vec<f32>>::new();
    let mut dim = None;
    for (line_idx, line) in BufReader::new(file::open(path).map_err(failed)?).lines().enumerate() {
        let line = line.map_err(failed)?;
        let Some((word, numbers)) = line.split_once(' ') else { continue };
        let is_counts = line_idx == 0 && !numbers.trim_end().contains(' ');
        if is_counts || !wanted.contains_key(word) || found.contains_key(word) {
            continue;
        }
        let refused = |expected: String| LearnError::Data {
            message: format!(
                "{}:{}: the vector of {word:?} must be {expected}",
                path.display(),
                line_idx + 1
            ),
            hint: None,
        };
        let vector: Vec<f32> = numbers
            .trim_end()
            .split(' ')
            .map(|number| number.parse().ok().filter(|x: &f32| x.is_finite()))
            .collect::<Option<_>>()
            .ok_or_else(|| refused("numbers".to_owned()))?;
        let dim = *dim.get_or_insert(vector.len());
        if vector.len() != dim {
            return Err(refused(format!("{dim} numbers, got {}", vector.len())));
        }
        found.insert(word.to_owned(), vector);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_keep_the_same_company_are_alike() {
        let texts: Vec<String> = (0..200)
            .map(|i| {
                let (animal, place) = if i % 2 == 0 {
                    (["cat", "dog"][i / 2 % 2], "garden bone fur tail")
                } else {
                    (["ship", "boat"][i / 2 % 2], "harbour sail mast wave")
                };
                format!("{animal} {place} {animal}")
            })
            .collect();
        let settings = Word2vecSettings { dim: 12, epochs: 40, ..Word2vecSettings::default() };
        let learn =
            |seed| WordVectors::learned(texts.iter().map(String::as_str), &settings, Seed(seed));
        let vectors = learn(1);
        assert_eq!(vectors, learn(1));
        let cosine = |a: &str, b: &str| {
            let (a, b) = (vectors.vector(a).unwrap(), vectors.vector(b).unwrap());
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        assert!(cosine("cat", "dog") > cosine("cat", "ship") + 0.3);
        assert!(cosine("ship", "boat") > cosine("dog", "boat") + 0.3);
        assert!(vectors.vector("unicorn").is_none());
        let rows = vectors.apply(["dog dog", "unicorn", "dog"].into_iter());
        assert_eq!((rows[0].len(), rows[1].len()), (12, 0));
        for (twice, once) in rows[0].iter().zip(&rows[2]) {
            assert!((twice.1 - once.1).abs() < 1e-6);
        }
    }

    fn from_file(lines: &str) -> Result<WordVectors, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vectors.txt");
        std::fs::write(&path, lines).unwrap();
        let texts = ["Wolf moon", "the wolf"];
        WordVectors::from_file(texts.into_iter(), &path).map_err(|e| e.to_string())
    }

    #[test]
    fn vectors_of_a_file_are_taken_for_words_of_the_training_texts() {
        let lines = "4 2\nwolf 1 -2\nunicorn 5 x\nmoon 0.5 4e-1\nwolf 9 9\n";
        let vectors = from_file(lines).unwrap();
        assert_eq!(vectors, from_file(&lines.replace(" -2\n", " -2 \r\n")).unwrap());
        assert_eq!(vectors.vector("wolf"), Some([1.0, -2.0].as_slice()));
        assert!(vectors.vector("the").is_none() && vectors.vector("unicorn").is_none());
        // Both texts have `wolf` (idf 1), one has `moon` (idf 1 + ln 3/2).
        let moon = 1.5_f32.ln() + 1.0;
        let row = &vectors.apply(["moon, wolf and unicorn"].into_iter())[0];
        assert!((row[0].1 - (1.0 + moon * 0.5) / (1.0 + moon)).abs() < 1e-6);
        assert!((row[1].1 - (-2.0 + moon * 0.4) / (1.0 + moon)).abs() < 1e-6);
    }

    #[test]
    fn a_file_that_is_none_is_refused_by_line() {
        for (lines, word) in [
            (
                "moon 1 2\nwolf 1 2 3\n",
                "vectors.txt:2: the vector of \"wolf\" must be 2 numbers, got 3",
            ),
            ("moon 1 2\nwolf 1 inf\n", "vectors.txt:2: the vector of \"wolf\" must be numbers"),
            ("unicorn 1 2\n", "no word of the training texts"),
        ] {
            let message = from_file(lines).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
        let path = Path::new("no/such/file");
        let message = WordVectors::from_file(["a"].into_iter(), path).unwrap_err().to_string();
        assert!(message.contains("no/such/file: cannot be read"), "{message}");
    }
}
