//! Every family's tensors under BERT's names, so that one network serves them all.

use std::{collections::HashMap, path::Path};

use candle_core::{DType, Device, Result, Tensor};

use super::architecture::{Architecture, Family};

/// What a checkpoint with a head on top puts in front of every name.
const OUTER: [&str; 4] = ["bert.", "distilbert.", "mpnet.", "roberta."];

const DISTILBERT: &[(&str, &str)] = &[
    ("transformer.layer.", "encoder.layer."),
    (".attention.q_lin.", ".attention.self.query."),
    (".attention.k_lin.", ".attention.self.key."),
    (".attention.v_lin.", ".attention.self.value."),
    (".attention.out_lin.", ".attention.output.dense."),
    (".sa_layer_norm.", ".attention.output.LayerNorm."),
    (".ffn.lin1.", ".intermediate.dense."),
    (".ffn.lin2.", ".output.dense."),
    (".output_layer_norm.", ".output.LayerNorm."),
];

const MPNET: &[(&str, &str)] = &[
    (".attention.attn.q.", ".attention.self.query."),
    (".attention.attn.k.", ".attention.self.key."),
    (".attention.attn.v.", ".attention.self.value."),
    (".attention.attn.o.", ".attention.output.dense."),
    (".attention.LayerNorm.", ".attention.output.LayerNorm."),
];

pub(super) const POSITIONS: &str = "embeddings.position_embeddings.weight";
const SEGMENTS: &str = "embeddings.token_type_embeddings.weight";

/// The tensors of a safetensors file as [`unified`] has them.
///
/// # Errors
/// No such file, or tensors of other shapes.
pub(super) fn read(
    path: &Path,
    architecture: &Architecture,
    device: &Device,
) -> Result<HashMap<String, Tensor>> {
    unified(architecture, crate::tensor_file::load(path, device)?)
}

/// The same tensors as f32 under BERT's names; row 0 of the table of positions is the first
/// token's, with the embedding of the first segment added where there is one.
pub(super) fn unified(
    architecture: &Architecture,
    tensors: HashMap<String, Tensor>,
) -> Result<HashMap<String, Tensor>> {
    let mut unified: HashMap<String, Tensor> = tensors
        .into_iter()
        .filter(|(_, tensor)| tensor.dtype().is_float())
        .map(|(name, x)| Ok((bert_name(architecture.model_type, &name), x.to_dtype(DType::F32)?)))
        .collect::<Result<_>>()?;
    if let Some(table) = unified.get(POSITIONS) {
        let first = architecture.first_position();
        let mut positions = table.narrow(0, first, table.dim(0)?.saturating_sub(first))?;
        if let Some(segments) = unified.get(SEGMENTS) {
            positions = positions.broadcast_add(&segments.narrow(0, 0, 1)?)?;
        }
        unified.insert(POSITIONS.to_owned(), positions);
    }
    Ok(unified)
}

fn bert_name(family: Family, name: &str) -> String {
    let inner = OUTER.iter().find_map(|outer| name.strip_prefix(outer)).unwrap_or(name);
    let renames = match family {
        Family::Bert | Family::Roberta => &[],
        Family::DistilBert => DISTILBERT,
        Family::MpNet => MPNET,
    };
    renames.iter().fold(inner.to_owned(), |name, (theirs, ours)| name.replace(theirs, ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_berts() {
        for (family, theirs, ours) in [
            (Family::Bert, "bert.pooler.dense.bias", "pooler.dense.bias"),
            (
                Family::DistilBert,
                "distilbert.transformer.layer.3.ffn.lin2.weight",
                "encoder.layer.3.output.dense.weight",
            ),
            (
                Family::DistilBert,
                "transformer.layer.0.output_layer_norm.bias",
                "encoder.layer.0.output.LayerNorm.bias",
            ),
            (
                Family::MpNet,
                "encoder.layer.11.attention.attn.o.weight",
                "encoder.layer.11.attention.output.dense.weight",
            ),
            (
                Family::MpNet,
                "encoder.layer.1.output.LayerNorm.weight",
                "encoder.layer.1.output.LayerNorm.weight",
            ),
        ] {
            assert_eq!(bert_name(family, theirs), ours);
        }
    }
}
