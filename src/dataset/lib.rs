//! What heads are fitted on and predict from: titles × modalities, with labels.
//!
//! A [`Dataset`] is a table of what frozen encoders saw of titles and of their typed metadata. Learning
//! reads it, looking at titles or at the store fills it; neither knows the other.

mod looked;
mod sentence_states;
mod table;

pub use looked::Looked;
pub use sentence_states::SentenceStates;
pub use table::{Content, Dataset, ModalityTable};
