//! Checkpoints to safetensors, the one format of the cache.

use safetensors::{SafeTensors, serialize, tensor::TensorView};

use crate::nn::legacy_pth;

/// The bytes of a safetensors file with the same tensors, or what is wrong with the input.
/// Safetensors stay as they are; the same input always gives the same bytes.
pub(super) fn to_safetensors(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if legacy_pth::is_legacy_pth(&bytes) {
        let tensors = legacy_pth::read(&bytes).map_err(|e| e.to_string())?;
        let views = tensors
            .iter()
            .map(|(name, tensor)| {
                TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data)
                    .map(|view| (name.as_str(), view))
                    .map_err(|e| format!("{name}: {e}"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        return serialize(views, None).map_err(|e| e.to_string());
    }
    if bytes.starts_with(b"PK") {
        return Err("is a torch checkpoint in zip format; save it with \
                    `safetensors.torch.save_file` and give that file"
            .to_owned());
    }
    SafeTensors::deserialize(&bytes).map_err(|e| format!("is no safetensors file: {e}"))?;
    Ok(bytes)
}
