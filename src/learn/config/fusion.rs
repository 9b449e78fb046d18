//! How the networks of a fusion are shaped.

use serde::{Deserialize, Serialize};

/// How a title's rows (keyframes, windows) become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Several learned queries, each with its own weights on the rows.
    #[default]
    Attention,
    /// All rows weigh the same.
    Mean,
}
