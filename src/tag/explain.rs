//! Why a title gets its genres: what each modality brought, which moments, which words.
//!
//! in: a bundle, its encoders, a title and what they see of it
//! out: its tags with contributions that sum to the log-odds, and for each word of a text how
//! much the log-odds fall when it is left out
//! source: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks"
//! (occlusion)

use std::collections::BTreeMap;

use catalog::Title;
use dataset::{Content, Dataset, Looked, ModalityTable};
use encode::{Features, Input, SourceKind};
use extract::OpenModalities;
use serde::Serialize;
use store::Ragged;

use super::{Bundle, TagError, Tagger, TitleTags};

/// Words that are left out one by one; those after them stay.
const MAX_WORDS: usize = 300;
/// Words that are named for a genre.
const NUM_NAMED: usize = 6;

/// Why a title gets its genres.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The tags with contributions and moments.
    #[serde(flatten)]
    pub tags: TitleTags,
    /// By genre: the words of the text that matter most, the strongest first. For the genres
    /// decided on; empty where there is no text.
    pub words: BTreeMap<String, Vec<WordEffect>>,
}

/// What a word brings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WordEffect {
    /// As it stands in the text.
    pub word: String,
    /// Its place among the words, from 0.
    pub position: usize,
    /// Log-odds with it minus log-odds without it.
    pub log_odds: f32,
}

/// Explains one title; `modalities` are the bundle's, and `looked` is what they see of it.
///
/// # Errors
/// Weights that are not there; a device error.
pub fn explain(
    title: &Title,
    bundle: &Bundle,
    modalities: &OpenModalities,
    looked: Looked,
) -> Result<Explanation, TagError> {
    let data = looked.data.clone().unlabelled(bundle.config.genres.names().to_vec());
    let (data, _) = bundle.visible(data);
    let mut tags = Tagger::new(bundle).tag(std::slice::from_ref(title), looked)?;
    let tags = tags.pop().ok_or_else(|| TagError::Bundle {
        path: bundle.folder.clone(),
        message: "gave no tags for a title".to_owned(),
        hint: None,
    })?;
    let mut words: BTreeMap<String, Vec<WordEffect>> = BTreeMap::new();
    for (m, open) in modalities.readers() {
        let source = open.sources(title).into_iter().next();
        let Some(source @ SourceKind::Text(text)) = &source else { continue };
        if !data.modalities[m].present(0) {
            continue;
        }
        open.encoder.prepare(source)?;
        let all: Vec<&str> = text.split_whitespace().collect();
        let occluded: Vec<Option<Occluded>> = (0..all.len().min(MAX_WORDS))
            .map(|left_out| {
                let text = [&all[..left_out], &all[left_out + 1..]].concat().join(" ");
                let features = open.encoder.encode(Input::Text(&text)).ok()?;
                Some(Occluded { text, features })
            })
            .collect();
        let views = with_variants(&data, m, &occluded);
        let rows: Vec<usize> = (0..views.num_titles()).collect();
        let views = bundle.with_prior(views)?;
        let prediction = bundle.model.predict(&views, &rows)?;
        let genres = prediction.num_genres;
        for genre in &tags.genres {
            let Some(g) = data.genres.iter().position(|known| known == genre) else { continue };
            let whole = prediction.logit[g];
            let mut effects: Vec<WordEffect> = (0..occluded.len())
                .filter(|&k| occluded[k].is_some())
                .map(|k| WordEffect {
                    word: all[k].to_owned(),
                    position: k,
                    log_odds: whole - prediction.logit[(k + 1) * genres + g],
                })
                .collect();
            effects.sort_by(|a, b| {
                b.log_odds.abs().total_cmp(&a.log_odds.abs()).then(a.position.cmp(&b.position))
            });
            effects.truncate(NUM_NAMED);
            words.entry(genre.clone()).or_default().extend(effects);
        }
    }
    Ok(Explanation { tags, words })
}

/// A text with a word left out.
struct Occluded {
    text: String,
    features: Features,
}

/// The one title of `data`, then once for each variant of its modality `m`; `None` is the title
/// as it is.
fn with_variants(data: &Dataset, m: usize, variants: &[Option<Occluded>]) -> Dataset {
    let copies = variants.len() + 1;
    let modalities = data.modalities.iter().enumerate().map(|(k, table)| {
        let variants: Vec<Option<&Occluded>> =
            variants.iter().map(|variant| variant.as_ref().filter(|_| k == m)).collect();
        let content = match &table.content {
            Content::Rows(ragged) => {
                let mut rows = Ragged::new(ragged.dim);
                rows.push(ragged.rows(0), ragged.times(0));
                for variant in &variants {
                    match variant {
                        Some(Occluded { features, .. }) => {
                            rows.push(&features.data, &features.time_secs);
                        }
                        None => rows.push(ragged.rows(0), ragged.times(0)),
                    }
                }
                Content::Rows(rows)
            }
            Content::Records { schema, rows } => {
                Content::Records { schema: schema.clone(), rows: vec![rows[0].clone(); copies] }
            }
        };
        let texts = table.texts.as_ref().map(|texts| {
            let own = std::iter::once(texts[0].clone());
            own.chain(variants.iter().map(|variant| {
                variant.map_or_else(|| texts[0].clone(), |variant| Some(variant.text.clone()))
            }))
            .collect()
        });
        let (name, sentences) = (table.name.clone(), table.sentences.clone());
        ModalityTable { name, content, texts, sentences }.into()
    });
    Dataset {
        titles: vec![data.titles[0].clone(); copies],
        genres: data.genres.clone(),
        labels: data.labels.repeat(copies),
        label_weights: None,
        modalities: modalities.collect(),
    }
}
