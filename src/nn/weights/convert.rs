//! Checkpoints to safetensors, the one format of the cache.

use safetensors::{SafeTensors, serialize, tensor::TensorView};

use crate::nn::pth;

/// The bytes of a safetensors file with the same tensors, or what is wrong with the input.
/// Safetensors stay as they are; the same input always gives the same bytes.
pub(super) fn to_safetensors(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if pth::is_pth(&bytes) {
        let tensors = pth::read(&bytes).map_err(|e| e.to_string())?;
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
    SafeTensors::deserialize(&bytes).map_err(|e| format!("is no safetensors file: {e}"))?;
    Ok(bytes)
}
