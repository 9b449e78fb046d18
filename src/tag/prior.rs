//! Another bundle that a bundle begins with: its word on each genre is a modality, `prior`.
//!
//! in: what the bundle's modalities see of titles, among them all that the other one looks at; out: the
//! same with one modality more, the other's log-odds `[genres]`; missing where it can say nothing.
//!
//! It lies in the folder `prior` of the bundle, whole, and `bundle.json` names its digest.

use base::Digest;
use dataset::{Content, Dataset, ModalityTable};
use learn::ModelPrediction;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use store::Ragged;

use super::{Bundle, TagError};

/// The modality's name, and that of the folder.
pub const PRIOR: &str = "prior";

/// What `bundle.json` says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorConfig {
    /// Its name and the start of its digest, for people.
    pub name: String,
    /// Digest of its `bundle.json`.
    pub digest: Digest,
    /// `[genres]`: what it calls each genre; `None` where it does not know it.
    pub genres: Vec<Option<String>>,
}

/// Another bundle that a bundle begins with.
pub struct Prior {
    /// The other one.
    pub bundle: Bundle,
    /// `[genres]`: the place of each genre among the other's.
    pub(super) places: Vec<Option<usize>>,
}

impl Prior {
    /// A bundle as the prior of another; `genres` `[genres]`: what it calls them.
    ///
    /// # Errors
    /// It has a prior itself, or no genre of such a name.
    pub fn new(bundle: Bundle, genres: &[Option<String>]) -> Result<Self, TagError> {
        let refuse = |message: String, hint: &str| TagError::Bundle {
            path: bundle.folder.clone(),
            message,
            hint: Some(hint.to_owned()),
        };
        if bundle.prior.is_some() {
            return Err(refuse(
                "begins with another bundle itself".to_owned(),
                "begin with a bundle that does not, such as the one that it begins with",
            ));
        }
        let place = |genre: &Option<String>| {
            let Some(genre) = genre else { return Ok(None) };
            let id = bundle.config.genres.find(genre);
            let unknown = || refuse(format!("has no genre {genre}"), "learn the bundle anew");
            id.map(|id| Some(id.idx())).ok_or_else(unknown)
        };
        let places = genres.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Self { bundle, places })
    }

    /// What `bundle.json` says of it.
    #[must_use]
    pub fn config(&self) -> PriorConfig {
        let names = self.bundle.config.genres.names();
        PriorConfig {
            name: self.bundle.model_name(),
            digest: self.bundle.digest,
            genres: self.places.iter().map(|place| place.map(|at| names[at].clone())).collect(),
        }
    }

    /// What it says of titles, of which `data` has all that it looks at; 0 for genres that it does not
    /// know.
    ///
    /// # Errors
    /// Something that it looks at is not there; a device error.
    pub fn says(&self, data: &Dataset) -> Result<ModalityTable, TagError> {
        let (said, titles) = self.asked(data)?;
        let mut rows = Ragged::new(self.places.len());
        for title in titles {
            let logits = &said.logit[said.genres_of(title)];
            let row: Vec<f32> =
                self.places.iter().map(|place| place.map_or(0.0, |at| logits[at])).collect();
            rows.push(if said.scored[title] { &row } else { &[] }, &[]);
        }
        Ok(ModalityTable::new(PRIOR, Content::Rows(rows)))
    }

    /// Its probabilities and decisions `[titles, genres]` of some titles; NaN of what it knows nothing of.
    ///
    /// # Errors
    /// As [`Prior::says`].
    pub fn decides(
        &self,
        data: &Dataset,
        titles: &[usize],
    ) -> Result<(Array2<f64>, Array2<bool>), TagError> {
        let (said, _) = self.asked(data)?;
        let shape = (titles.len(), self.places.len());
        let place = |title: usize, genre: usize| {
            let own = self.places[genre].filter(|_| said.scored[titles[title]]);
            own.map(|at| said.genres_of(titles[title]).start + at)
        };
        let scores = Array2::from_shape_fn(shape, |(title, genre)| {
            place(title, genre).map_or(f64::NAN, |at| f64::from(said.probability[at]))
        });
        let decisions = Array2::from_shape_fn(shape, |(title, genre)| {
            place(title, genre).is_some_and(|at| said.decision[at])
        });
        Ok((scores, decisions))
    }

    /// `[genres]`: its thresholds, on its probabilities.
    #[must_use]
    pub fn thresholds(&self) -> Vec<Option<f64>> {
        let theirs = &self.bundle.model.spec().fused.thresholds;
        self.places.iter().map(|place| place.map(|at| theirs[at])).collect()
    }

    /// What it says of all titles, and their places.
    fn asked(&self, data: &Dataset) -> Result<(ModelPrediction, Vec<usize>), TagError> {
        let theirs = &self.bundle.config;
        let place = |name: &str| data.modalities.iter().position(|table| table.name == name);
        let missing = |name: &str| TagError::Bundle {
            path: self.bundle.folder.clone(),
            message: format!("looks at {name}, and nobody does here"),
            hint: Some("learn the bundle anew".to_owned()),
        };
        let modalities = theirs.modalities.iter();
        let seen: Vec<usize> = modalities
            .map(|modality| place(&modality.name).ok_or_else(|| missing(&modality.name)))
            .collect::<Result<_, _>>()?;
        let data = data.with_modalities(&seen).unlabelled(theirs.genres.names().to_vec());
        let (data, _) = self.bundle.visible(data);
        let titles: Vec<usize> = (0..data.num_titles()).collect();
        Ok((self.bundle.model.predict(&data, &titles)?, titles))
    }
}

impl Bundle {
    /// The titles as its model sees them: with what the prior says of them now, where there is one.
    ///
    /// # Errors
    /// As [`Prior::says`].
    pub(super) fn with_prior(&self, mut data: Dataset) -> Result<Dataset, TagError> {
        if let Some(prior) = &self.prior {
            data.modalities.retain(|table| table.name != PRIOR);
            data.modalities.push(prior.says(&data)?.into());
        }
        Ok(data)
    }
}
