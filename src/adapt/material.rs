//! What is learned from: titles with their labels in the genres that are learned, and the other bundle's
//! word on them.

use catalog::{Catalog, Title, Vocabulary};
use dataset::{Dataset, Looked};
use learn::{LearnConfig, config::PriorSettings, heads::stacking};
use tag::{Bundle, PRIOR, Prior};

use super::{AdaptError, Curated, Genre, common_genres};

/// Fewer titles than this teach nothing.
const MIN_TITLES: usize = 20;

/// What is learned from.
pub struct Material {
    /// All titles; the other bundle's word is its last modality, where there is one.
    pub data: Dataset,
    /// Titles to learn from, ascending.
    pub train: Vec<usize>,
    /// `[titles]`: titles of one number stay together.
    pub groups: Vec<usize>,
    /// The genres that are learned.
    pub genres: Vec<Genre>,
    /// The bundle that one begins with.
    pub prior: Option<Prior>,
    /// `[titles]`: whether that bundle was trained on the title: what it says of it is not asked.
    pub known: Vec<bool>,
    /// Head and decisions.
    pub config: LearnConfig,
}

impl Material {
    /// Of a catalog, and what the modalities of `prior` see of its titles.
    ///
    /// # Errors
    /// Too few titles are curated; no genre is left; the prior looks at something that is not there.
    pub fn new(
        catalog: &Catalog,
        looked: Looked,
        prior: Option<Bundle>,
    ) -> Result<Self, AdaptError> {
        let curated = Curated::of(catalog);
        let train = catalog.to_learn_from();
        if train.len() < MIN_TITLES {
            return Err(AdaptError::TooFew {
                message: format!(
                    "{} titles have genres that people decided on, and {MIN_TITLES} are needed",
                    train.len()
                ),
                hint: "give more titles genres: in NFO files, in a column of the catalog, or with \
                       `cinetag feedback import`"
                    .to_owned(),
            });
        }
        let theirs = prior.as_ref().map(|prior| &prior.config.genres);
        let genres = common_genres(&curated, theirs);
        if genres.is_empty() {
            return Err(AdaptError::TooFew {
                message: "no genre has enough titles".to_owned(),
                hint: "10 titles of a genre are needed; begin with a bundle that knows some"
                    .to_owned(),
            });
        }
        let mut data = labelled(looked.data, catalog, &genres);
        let settings = prior.as_ref().map(|prior| prior.model.spec().config.clone());
        let mut config = settings.unwrap_or_default();
        stacking::NAME.clone_into(&mut config.head);
        config.decisions.at_least_one = false;
        let there: Vec<Option<String>> = genres.iter().map(|genre| genre.there.clone()).collect();
        let knows = |title: &Title| prior.as_ref().is_some_and(|prior| prior.known.has(title));
        let known: Vec<bool> = catalog.titles.iter().map(knows).collect();
        let prior = prior.map(|bundle| Prior::new(bundle, &there)).transpose()?;
        if let Some(prior) = &prior {
            config.prior =
                Some(PriorSettings { thresholds: prior.thresholds(), ..PriorSettings::of(PRIOR) });
            data.modalities.push(prior.says(&data)?.masked(|title| !known[title]).into());
        }
        Ok(Self { data, train, groups: catalog.group_idxs(), genres, prior, known, config })
    }

    /// The names of the genres.
    #[must_use]
    pub fn vocabulary(&self) -> Vocabulary {
        Vocabulary::new(self.genres.iter().map(|genre| genre.name.clone()).collect())
    }
}

/// The titles with their labels in these genres. Of one that the library never names, a title whose genres
/// are stated does not have it.
fn labelled(data: Dataset, catalog: &Catalog, genres: &[Genre]) -> Dataset {
    let (all, weights) = (catalog.labels(), catalog.label_weights());
    let num_all = catalog.vocabulary.len();
    let places: Vec<Option<usize>> = genres
        .iter()
        .map(|genre| catalog.vocabulary.names().iter().position(|name| *name == genre.name))
        .collect();
    let (mut labels, mut own) = (Vec::new(), Vec::new());
    for (title, known) in catalog.titles.iter().enumerate() {
        for place in &places {
            let at = place.map(|place| title * num_all + place);
            labels.push(at.is_some_and(|at| all[at]));
            own.push(at.map_or(f32::from(u8::from(known.labelled)), |at| weights[at]));
        }
    }
    let names = genres.iter().map(|genre| genre.name.clone()).collect();
    data.with_genres(names, labels).with_label_weights(&own)
}
