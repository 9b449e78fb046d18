//! What `config.json` says of a network: its family and its sizes.

use serde::{Deserialize, Serialize};

/// A transformer of BERT's kind, under the names of BERT's own `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// What it was published as.
    #[serde(default)]
    pub(super) model_type: Family,
    pub(super) vocab_size: usize,
    #[serde(alias = "dim")]
    pub(super) hidden_size: usize,
    #[serde(alias = "n_layers")]
    pub(super) num_hidden_layers: usize,
    #[serde(alias = "n_heads")]
    pub(super) num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    pub(super) intermediate_size: usize,
    #[serde(alias = "activation")]
    pub(super) hidden_act: Activation,
    /// Rows of the table of positions, those that no token takes counted.
    pub(super) max_position_embeddings: usize,
    /// DistilBERT's file has none: it is always this.
    #[serde(default = "small")]
    pub(super) layer_norm_eps: f64,
    pub(super) pad_token_id: Option<usize>,
    #[serde(default)]
    position_embedding_type: Positions,
}

/// Networks that differ from BERT by little enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Family {
    /// Devlin et al. 2019; also MiniLM, BGE and the English E5.
    #[default]
    Bert,
    /// Sanh et al. 2019: no segments, other names.
    DistilBert,
    /// Song et al. 2020: no segments, attention leans on the distance between tokens.
    MpNet,
    /// Liu et al. 2019, Conneau et al. 2020: positions begin behind the padding's id.
    #[serde(alias = "xlm-roberta", alias = "camembert")]
    Roberta,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Activation {
    /// `x · Φ(x)`.
    Gelu,
    /// Its approximation by tanh.
    #[serde(alias = "gelu_new", alias = "gelu_pytorch_tanh")]
    GeluTanh,
    Relu,
}

/// Only positions that are counted from the text's beginning are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Positions {
    #[default]
    Absolute,
}

fn small() -> f64 {
    1e-12
}

impl Architecture {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// No JSON, another family, or sizes that cannot be.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        let (dim, heads) = (read.hidden_size, read.num_attention_heads);
        if dim == 0 || heads == 0 || !dim.is_multiple_of(heads) {
            return Err(format!("{dim} numbers cannot be divided among {heads} heads"));
        }
        if read.max_tokens() < 3 {
            return Err(format!(
                "{} positions leave no room for a text",
                read.max_position_embeddings
            ));
        }
        Ok(read)
    }

    /// The row of the table of positions that the first token takes.
    pub(super) fn first_position(&self) -> usize {
        match self.model_type {
            Family::Bert | Family::DistilBert => 0,
            Family::MpNet => 2,
            Family::Roberta => self.pad_token_id.unwrap_or(1) + 1,
        }
    }

    /// Most tokens that a window may have, the two special ones counted.
    pub(super) fn max_tokens(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.first_position())
    }

    pub(super) fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(changes: &[(&str, serde_json::Value)]) -> Result<Architecture, String> {
        let mut config = json!({
            "model_type": "bert", "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 3, "intermediate_size": 40, "hidden_act": "gelu",
            "max_position_embeddings": 514, "pad_token_id": 1,
        });
        for (key, value) in changes {
            config[key] = value.clone();
        }
        Architecture::parse(config.to_string().as_bytes())
    }

    #[test]
    fn families_count_positions_each_in_its_way() {
        for (family, max_tokens) in [
            ("bert", 514),
            ("distilbert", 514),
            ("mpnet", 512),
            ("roberta", 512),
            ("xlm-roberta", 512),
        ] {
            let architecture = parse(&[("model_type", json!(family))]).unwrap();
            assert_eq!(architecture.max_tokens(), max_tokens, "{family}");
        }
    }

    #[test]
    fn what_cannot_be_computed_is_refused() {
        for (changes, words) in [
            (("model_type", json!("t5")), "unknown variant `t5`, expected"),
            (("num_attention_heads", json!(0)), "24 numbers cannot be divided among 0 heads"),
            (("num_attention_heads", json!(5)), "among 5 heads"),
            (("max_position_embeddings", json!(2)), "2 positions"),
            (("hidden_act", json!("silu")), "`silu`"),
            (("position_embedding_type", json!("relative_key")), "`relative_key`"),
        ] {
            let message = parse(&[changes]).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }
}
