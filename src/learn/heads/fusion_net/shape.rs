//! The shape of the network: its branches, its parameters, how branches come together.

use std::collections::BTreeMap;

use nn::sentence_bert::LastLayers;
use serde::{Deserialize, Serialize};

use crate::heads::{joint, sequence::SequenceShape};

/// Units of a layer, genres or ids of words, at most.
const MAX_SIZE: usize = 1 << 24;
/// Queries of a branch, at most.
const MAX_QUERIES: usize = 1 << 12;

/// The shape of one branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BranchShape {
    /// Length of an input row.
    pub dim: usize,
    /// Learned queries; 0: rows are averaged.
    pub queries: usize,
    /// The network over words that stands in the place of projection and pooling.
    #[serde(default)]
    pub sequence: Option<SequenceShape>,
    /// The last layers of a sentence network, in front of the projection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_layers: Option<LastLayers>,
}

impl BranchShape {
    /// Hidden units of a title, with projections of `hidden` units.
    #[must_use]
    pub fn units(&self, hidden: usize) -> usize {
        self.sequence.as_ref().map_or(self.queries.max(1) * hidden, SequenceShape::units)
    }
}

/// How branches become one logit for each genre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FusionScheme {
    /// A weighted sum of the branches' own logits: late fusion.
    #[default]
    Votes,
    /// A sum of the branches' hidden units, each let through by a gate that sees them all.
    Gated,
    /// A layer over the branches' hidden units side by side: early fusion.
    Concatenated,
}

/// The shape of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetShape {
    /// One per modality.
    pub branches: Vec<BranchShape>,
    /// Width of the projections.
    pub hidden: usize,
    /// Number of genres.
    pub genres: usize,
    /// How branches come together.
    #[serde(default, rename = "joining")]
    pub scheme: FusionScheme,
}

impl NetShape {
    /// Whether it is the shape of a network, and of none that is larger than any has need of: its
    /// sizes may be multiplied with each other.
    #[must_use]
    pub fn fits(&self) -> bool {
        let is_size = |size: usize| (1..=MAX_SIZE).contains(&size);
        let branch = |branch: &BranchShape| {
            let words = branch.sequence.as_ref();
            is_size(branch.dim)
                && branch.queries <= MAX_QUERIES
                && words.is_none_or(|words| words.fits() && is_size(words.words))
        };
        is_size(self.hidden)
            && is_size(self.genres)
            && !self.branches.is_empty()
            && self.branches.iter().all(branch)
    }

    /// Names and shapes of all parameters.
    #[must_use]
    pub fn params(&self) -> BTreeMap<String, Vec<usize>> {
        let mut params = BTreeMap::new();
        for (m, branch) in self.branches.iter().enumerate() {
            let mut add = |name: &str, shape: &[usize]| {
                params.insert(format!("branches.{m}.{name}"), shape.to_vec());
            };
            if let Some(sequence) = &branch.sequence {
                sequence.params().iter().for_each(|(name, shape)| add(name, shape));
            } else {
                let layers = branch.last_layers.iter().flat_map(LastLayers::params);
                layers.for_each(|(name, shape)| add(&name, &shape));
                add("projection.weight", &[self.hidden, branch.dim]);
                add("projection.bias", &[self.hidden]);
                if branch.queries > 0 {
                    add("pool.queries", &[branch.queries, self.hidden]);
                }
            }
            add("output.weight", &[self.genres, branch.units(self.hidden)]);
            add("output.bias", &[self.genres]);
        }
        match self.scheme {
            FusionScheme::Votes => {
                params.insert("fusion.weight".to_owned(), vec![self.genres, self.branches.len()]);
                params.insert("fusion.gain".to_owned(), vec![self.branches.len()]);
            }
            FusionScheme::Gated | FusionScheme::Concatenated => params.extend(joint::params(self)),
        }
        params
    }
}
