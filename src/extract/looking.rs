//! From what is known of sources to what modalities see of titles.

use base::Digest;
use catalog::Title;
use dataset::{Content, Dataset, Looked, ModalityTable, SentenceStates};
use encode::SourceKind;
use store::{FeatureStore, Ragged, SourceDigests, TimedText};

use super::{ExtractError, OpenEncoder, OpenModalities, known::Known};

/// `[encoders]`: the keys of a title's own sources; none for encoders that read what another gives.
pub(super) type TitleKeys = Vec<Vec<Digest>>;

impl OpenModalities {
    /// What the store has of these titles, in their order.
    ///
    /// # Errors
    /// A title's source is in the store neither as features nor as a failure: it was never
    /// extracted; or the store is damaged.
    pub fn stored(&self, titles: &[Title], store: &FeatureStore) -> Result<Looked, ExtractError> {
        let digests = store.sources()?;
        let known = Known::stored(self.encoders(), store)?;
        let keys: Vec<TitleKeys> = titles.iter().map(|title| self.keys(title, &digests)).collect();
        self.looked(titles, &keys, &known)
    }

    fn keys(&self, title: &Title, digests: &SourceDigests) -> TitleKeys {
        let own = self.encoders().iter().map(|open| open.source_keys(title, digests).into_iter());
        own.map(|sources| sources.map(|source| source.key).collect()).collect()
    }

    /// What is known of these titles, whose keys are `keys` `[titles]`.
    pub(super) fn looked(
        &self,
        titles: &[Title],
        keys: &[TitleKeys],
        known: &Known,
    ) -> Result<Looked, ExtractError> {
        let mut looked = Looked::default();
        for (idx, open) in self.columns() {
            let column = Column::new(self, idx, open, keys);
            column.check_extracted(known)?;
            let rows = by_title(&column.ends, known.rows(idx, &column.rows)?);
            let (name, content) = (open.name(), Content::Rows(rows));
            let words: Option<Vec<Option<String>>> = if open.reads.is_some() {
                let texts = known.texts(column.eyes, &column.sources)?;
                let heard: Vec<Option<TimedText>> = texts_by_title(&column.ends, &texts).collect();
                let words = heard.iter().map(|text| text.as_ref().map(TimedText::words)).collect();
                looked.transcripts.insert(name.to_owned(), heard);
                Some(words)
            } else if open.encoder.wants().is_empty() {
                Some(titles.iter().map(|title| text_of(open, title)).collect())
            } else {
                None
            };
            let table = match words {
                None => ModalityTable::new(name, content),
                Some(words) => {
                    let table = ModalityTable::text(name, content, words);
                    match open.encoder.sentence_network() {
                        Some(network) => {
                            let made_by = open.identity.fingerprint.clone();
                            table.with_sentences(SentenceStates::new(network, made_by))
                        }
                        None => table,
                    }
                }
            };
            looked.data.modalities.push(table.into());
            looked.failures.push(column.failures(known));
        }
        for (instance, reader) in self.records() {
            let rows = titles.iter().map(|title| reader.record(title)).collect();
            let content = Content::Records { schema: reader.schema(), rows };
            looked.data.modalities.push(ModalityTable::new(&instance.name, content).into());
            looked.failures.push(vec![None; titles.len()]);
        }
        let titles = titles.iter().map(|title| title.id.clone()).collect();
        looked.data = Dataset { titles, ..looked.data };
        Ok(looked)
    }
}

/// The sources of titles as one column of the table sees them.
struct Column<'a> {
    open: &'a OpenEncoder,
    idx: usize,
    /// The encoder that looks at the sources: the column's own, or the one whose text it reads.
    eyes: usize,
    /// `[sources]`: the keys of titles' sources, one title after another.
    sources: Vec<Digest>,
    /// `[sources]`: the keys of the rows that are made of them.
    rows: Vec<Digest>,
    /// `[titles]`: where each title's sources end.
    ends: Vec<usize>,
}

impl<'a> Column<'a> {
    fn new(
        modalities: &OpenModalities,
        idx: usize,
        open: &'a OpenEncoder,
        keys: &[TitleKeys],
    ) -> Self {
        let eyes = open.reads.unwrap_or(idx);
        let (mut sources, mut ends) = (Vec::new(), Vec::with_capacity(keys.len()));
        for title in keys {
            sources.extend_from_slice(&title[eyes]);
            ends.push(sources.len());
        }
        let rows = match open.reads {
            None => sources.clone(),
            Some(listener) => {
                let listener = &modalities.encoders()[listener];
                sources.iter().map(|key| listener.key_of_text(key)).collect()
            }
        };
        Self { open, idx, eyes, sources, rows, ends }
    }

    /// # Errors
    /// Something is known of not every source.
    fn check_extracted(&self, known: &Known) -> Result<(), ExtractError> {
        let is_unknown = |at: usize| {
            let (source, row) = (&self.sources[at], &self.rows[at]);
            !known.has(self.idx, row)
                && known.failure(self.idx, row).is_none()
                && known.failure(self.eyes, source).is_none()
        };
        let num_titles = ranges(&self.ends).filter(|range| range.clone().any(is_unknown)).count();
        if num_titles == 0 {
            return Ok(());
        }
        Err(ExtractError::NotExtracted { modality: self.open.name().to_owned(), num_titles })
    }

    /// `[titles]`: why it has nothing of one of a title's sources.
    fn failures(&self, known: &Known) -> Vec<Option<String>> {
        let failure = |at: usize| {
            let of_source = known.failure(self.eyes, &self.sources[at]);
            let row = of_source.or_else(|| known.failure(self.idx, &self.rows[at]))?;
            let colon = if row.detail.is_empty() { "" } else { ": " };
            Some(format!("{}{colon}{}", row.code, row.detail))
        };
        ranges(&self.ends).map(|mut range| range.find_map(failure)).collect()
    }
}

/// `[titles]`: the range of each title's sources.
fn ranges(ends: &[usize]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, end)| start..*end)
}

/// Rows by source as rows by title.
fn by_title(ends: &[usize], by_source: Ragged) -> Ragged {
    let ends = ends.iter().map(|end| by_source.offsets[*end]);
    let offsets = std::iter::once(0).chain(ends).collect();
    Ragged { offsets, ..by_source }
}

/// `[titles]`: the texts of a title's sources, one after another.
fn texts_by_title(
    ends: &[usize],
    texts: &[Option<TimedText>],
) -> impl Iterator<Item = Option<TimedText>> {
    ranges(ends).map(|range| {
        let mut texts = texts[range].iter().flatten();
        let mut first = texts.next()?.clone();
        for text in texts {
            first.segments.extend(text.segments.iter().cloned());
        }
        Some(first)
    })
}

fn text_of(open: &OpenEncoder, title: &Title) -> Option<String> {
    open.sources(title).into_iter().find_map(|source| match source {
        SourceKind::Text(text) => Some(text),
        SourceKind::File(_) => None,
    })
}
