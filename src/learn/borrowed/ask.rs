//! Asks a head what it would say if something else stood in a modality's place.

use std::sync::Arc;

use base::TitleId;
use dataset::{Content, Dataset, ModalityTable};
use store::Ragged;

use crate::{LearnError, config::Borrowing, heads::FittedHead};

/// What a head says of some titles through a borrowed modality.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answers {
    /// `[titles]`: how much of the evidence counts, 0..1; 0 where the modality is missing or too
    /// short.
    pub(crate) claims: Vec<f64>,
    /// `[titles, genres]`: log-odds less the head's prior; 0 where nothing counts. Of several
    /// pictures the mean.
    pub(crate) raw: Vec<f64>,
    /// `[genres]`: the head's prior, in log-odds.
    pub(crate) prior: Vec<f64>,
}

/// Asks a head about titles of a borrowed modality, each put in the place `from` with nothing else
/// there. A text is one answer; of pictures each gives an answer.
///
/// # Errors
/// Rows of another width than the head's; a device error.
pub(crate) fn ask(
    head: &dyn FittedHead,
    own: &Dataset,
    from: usize,
    table: &ModalityTable,
    settings: &Borrowing,
    titles: &[usize],
) -> Result<Answers, LearnError> {
    check(&own.modalities[from], table)?;
    let is_text = table.texts.is_some();
    let claim = |title: usize| match (table.present(title), is_text) {
        (false, _) => 0.0,
        (true, false) => 1.0,
        (true, true) => settings.claim(table.words(title).split_whitespace().count()),
    };
    let claims: Vec<f64> = titles.iter().map(|&title| claim(title)).collect();
    // Each question is a title of its own; the last one shows nothing and so gives the prior.
    let mut of_title = Vec::new();
    let mut questions = Questions::new(&own.modalities[from], table);
    for (at, &title) in titles.iter().enumerate().filter(|&(at, _)| claims[at] > 0.0) {
        let num = questions.put(title, is_text);
        of_title.extend(std::iter::repeat_n(at, num));
    }
    let num_questions = of_title.len() + 1;
    let data = questions.among(own, from);
    let rows: Vec<usize> = (0..num_questions).collect();
    let logits = head.predict(&data, &rows)?.logits;
    let genres = own.num_genres();
    let (said, prior) = logits.split_at(of_title.len() * genres);
    let prior: Vec<f64> = prior.iter().map(|&z| f64::from(z)).collect();
    let mut raw = vec![0.0; titles.len() * genres];
    let mut counts = vec![0.0_f64; titles.len()];
    for (&at, said) in of_title.iter().zip(said.chunks_exact(genres.max(1))) {
        counts[at] += 1.0;
        for (genre, &logit) in said.iter().enumerate() {
            raw[at * genres + genre] += f64::from(logit) - prior[genre];
        }
    }
    for (at, raw) in raw.iter_mut().enumerate() {
        *raw /= counts[at / genres].max(1.0);
    }
    Ok(Answers { claims, raw, prior })
}

/// Rows and words that are put in a modality's place.
struct Questions<'a> {
    table: &'a ModalityTable,
    rows: Ragged,
    words: Vec<Option<String>>,
    counterpart: &'a ModalityTable,
}

impl<'a> Questions<'a> {
    fn new(counterpart: &'a ModalityTable, table: &'a ModalityTable) -> Self {
        let dim = width(table).unwrap_or_default();
        Self { table, rows: Ragged::new(dim), words: Vec::new(), counterpart }
    }

    /// Adds what a title has; gives the number of questions.
    fn put(&mut self, title: usize, is_text: bool) -> usize {
        let Content::Rows(ragged) = &self.table.content else { return 0 };
        if is_text {
            self.rows.push(ragged.rows(title), &[]);
            self.words.push(Some(self.table.words(title).to_owned()));
            return 1;
        }
        let rows = ragged.rows(title).chunks_exact(ragged.dim.max(1));
        let num = rows.len();
        for row in rows {
            self.rows.push(row, &[]);
            self.words.push(None);
        }
        num
    }

    /// A dataset of the questions and of one title without anything.
    fn among(mut self, own: &Dataset, from: usize) -> Dataset {
        self.rows.push(&[], &[]);
        self.words.push(None);
        let num = self.rows.num_titles();
        let sentences = self.counterpart.sentences.clone();
        let asked = ModalityTable {
            name: self.counterpart.name.clone(),
            content: Content::Rows(self.rows),
            texts: self.counterpart.texts.is_some().then_some(self.words),
            sentences,
        };
        let mut modalities: Vec<Arc<ModalityTable>> =
            own.modalities.iter().map(|table| nothing(table, num).into()).collect();
        modalities[from] = asked.into();
        Dataset {
            titles: (0..num).map(|n| TitleId::new(&n.to_string())).collect(),
            genres: own.genres.clone(),
            labels: vec![false; num * own.num_genres()],
            label_weights: None,
            modalities,
        }
    }
}

/// A table of the same kind in which every title is missing.
fn nothing(table: &ModalityTable, num: usize) -> ModalityTable {
    let content = match &table.content {
        Content::Rows(ragged) => {
            let mut none = Ragged::new(ragged.dim);
            (0..num).for_each(|_| none.push(&[], &[]));
            Content::Rows(none)
        }
        Content::Records { schema, .. } => {
            Content::Records { schema: schema.clone(), rows: vec![None; num] }
        }
    };
    let texts = table.texts.is_some().then(|| vec![None; num]);
    ModalityTable { name: table.name.clone(), content, texts, sentences: table.sentences.clone() }
}

fn width(table: &ModalityTable) -> Option<usize> {
    match &table.content {
        Content::Rows(ragged) => Some(ragged.dim),
        Content::Records { .. } => None,
    }
}

/// Why one table cannot stand for the other, if so.
fn check(counterpart: &ModalityTable, table: &ModalityTable) -> Result<(), LearnError> {
    let (theirs, own) = (width(counterpart), width(table));
    let both_texts = counterpart.texts.is_some() == table.texts.is_some();
    if theirs.is_some() && theirs == own && both_texts {
        return Ok(());
    }
    let kind = |table: &ModalityTable, width: Option<usize>| match (width, table.texts.is_some()) {
        (None, _) => "a record".to_owned(),
        (Some(width), true) => format!("a text in {width} numbers"),
        (Some(width), false) => format!("rows of {width} numbers"),
    };
    Err(LearnError::Data {
        message: format!(
            "`learn.borrowed`: {} is {}, but {} is {}",
            table.name,
            kind(table, own),
            counterpart.name,
            kind(counterpart, theirs)
        ),
        hint: Some("let one network see both: set the `model` of their [modality] tables".into()),
    })
}
