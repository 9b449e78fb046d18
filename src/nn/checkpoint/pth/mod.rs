//! torch's checkpoints: state dicts as `torch.save` writes them.
//!
//! in: bytes; out: named tensors, contiguous, in the row-major order of their shapes.
//! source: `torch/serialization.py`. A pickle names the tensors, each a view of a storage;
//! `zipped` has the storages as members of a zip file (since 1.6), `legacy` behind the
//! pickle (before). Weights found in the wild store convolution kernels with strides of another
//! layout, so elements are gathered. No code of a pickle runs.
//! reference: `torch.save`, PyTorch 2, both formats.

mod legacy;
mod zipped;

use std::{collections::BTreeMap, io::Cursor};

use candle_core::pickle::{Object, Stack};
use safetensors::Dtype;

use super::{CheckpointError, RawTensor};

/// Does the file start as such a checkpoint does?
#[must_use]
pub fn is_pth(bytes: &[u8]) -> bool {
    bytes.starts_with(legacy::MAGIC) || bytes.starts_with(zipped::MAGIC)
}

/// Reads all tensors of a state dict. Entries that are no tensors are passed over.
///
/// # Errors
/// Another format, a truncated file, an element type without a safetensors counterpart.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, RawTensor>, CheckpointError> {
    if bytes.starts_with(legacy::MAGIC) {
        legacy::read(bytes)
    } else if bytes.starts_with(zipped::MAGIC) {
        zipped::read(bytes)
    } else {
        Err(CheckpointError::torch("the magic number is missing"))
    }
}

/// The tensors of these views, whose storages are found by name.
fn gather<'a>(
    views: &[(String, View)],
    storage: impl Fn(&str) -> Option<&'a [u8]>,
) -> Result<BTreeMap<String, RawTensor>, CheckpointError> {
    views
        .iter()
        .map(|(name, view)| {
            let storage = storage(&view.storage).ok_or_else(|| {
                CheckpointError::torch(format!(
                    "{name} lies in storage {}, which is missing",
                    view.storage
                ))
            })?;
            let data = view.gather(storage).ok_or_else(|| {
                CheckpointError::torch(format!(
                    "{name} of shape {:?} reaches beyond its storage",
                    view.shape
                ))
            })?;
            Ok((name.clone(), RawTensor { dtype: view.dtype, shape: view.shape.clone(), data }))
        })
        .collect()
}

/// Where a tensor's elements lie.
struct View {
    storage: String,
    dtype: Dtype,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

impl View {
    /// The elements in row-major order; `None` where one lies outside the storage.
    fn gather(&self, storage: &[u8]) -> Option<Vec<u8>> {
        let size = size_of(self.dtype);
        let count = self.shape.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim))?;
        if count == 0 {
            return Some(Vec::new());
        }
        let last =
            self.shape.iter().zip(&self.stride).try_fold(self.offset, |last, (dim, stride)| {
                last.checked_add((dim - 1).checked_mul(*stride)?)
            })?;
        if last.checked_add(1)?.checked_mul(size)? > storage.len() {
            return None;
        }
        let mut data = Vec::with_capacity(count.checked_mul(size)?);
        let mut index = vec![0; self.shape.len()];
        let mut position = self.offset;
        for _ in 0..count {
            data.extend_from_slice(&storage[position * size..(position + 1) * size]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                position += self.stride[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                position -= index[axis] * self.stride[axis];
                index[axis] = 0;
            }
        }
        Some(data)
    }
}

fn unpickle(cursor: &mut Cursor<&[u8]>) -> Result<Object, CheckpointError> {
    let mut stack = Stack::empty();
    stack
        .read_loop(cursor)
        .and_then(|()| stack.finalize())
        .map_err(|e| CheckpointError::torch(format!("a pickle in it cannot be read: {e}")))
}

fn tensor_views(state_dict: Object) -> Result<Vec<(String, View)>, CheckpointError> {
    let entries = state_dict
        .dict()
        .map_err(|_| CheckpointError::torch("it holds no dictionary of tensors"))?;
    let mut views = Vec::new();
    for (name, value) in entries {
        if let (Object::Unicode(name), value @ Object::Reduce { .. }) = (name, value) {
            let view = tensor_view(value)
                .map_err(|what| CheckpointError::torch(format!("{name}: {what}")))?;
            views.extend(view.map(|view| (name, view)));
        }
    }
    Ok(views)
}

/// `None` where the object is no tensor.
fn tensor_view(object: Object) -> Result<Option<View>, String> {
    let Object::Reduce { callable, args } = object else { return Ok(None) };
    let Object::Class { module_name, class_name } = *callable else { return Ok(None) };
    let mut args = args.tuple().map_err(|_| "unexpected arguments")?.into_iter();
    match (module_name.as_str(), class_name.as_str()) {
        ("torch._utils", "_rebuild_parameter") => {
            return args.next().map_or(Ok(None), tensor_view);
        }
        ("torch._utils", "_rebuild_tensor_v2") => {}
        _ => return Ok(None),
    }
    let mut next = || args.next().ok_or("too few arguments");
    let (storage, offset, shape, stride) = (next()?, next()?, next()?, next()?);
    let mut storage = storage
        .persistent_load()
        .and_then(Object::tuple)
        .map_err(|_| "unexpected storage")?
        .into_iter()
        .skip(1); // the word "storage"
    let class = storage.next().and_then(|class| class.class().ok());
    let key = storage.next().and_then(|key| key.unicode().ok());
    let (Some((_, class)), Some(key)) = (class, key) else {
        return Err("unexpected storage".to_owned());
    };
    // Then device, count and, in very old files, a view into another storage.
    if !matches!(storage.nth(2), None | Some(Object::None)) {
        return Err("a storage that is a view of another one is not supported".to_owned());
    }
    let dtype = dtype_of(&class).ok_or_else(|| format!("element type {class} is not supported"))?;
    let (shape, stride) = (sizes(shape)?, sizes(stride)?);
    if shape.len() != stride.len() {
        return Err(format!("shape {shape:?} with strides {stride:?}"));
    }
    let offset = size(offset)?;
    Ok(Some(View { storage: key, dtype, offset, shape, stride }))
}

fn size(object: Object) -> Result<usize, String> {
    let number = object.int_or_long().map_err(|other| format!("{other:?} is no number"))?;
    usize::try_from(number).map_err(|_| format!("{number} is negative"))
}

fn sizes(object: Object) -> Result<Vec<usize>, String> {
    object
        .tuple()
        .map_err(|other| format!("{other:?} is no tuple"))?
        .into_iter()
        .map(size)
        .collect()
}

fn dtype_of(class: &str) -> Option<Dtype> {
    Some(match class {
        "FloatStorage" => Dtype::F32,
        "DoubleStorage" => Dtype::F64,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

fn size_of(dtype: Dtype) -> usize {
    match dtype {
        Dtype::F64 | Dtype::I64 => 8,
        Dtype::F32 | Dtype::I32 => 4,
        Dtype::F16 | Dtype::BF16 | Dtype::I16 => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_beyond_its_storage_is_refused_and_a_strided_one_gathered() {
        let view = |offset, shape: &[usize], stride: &[usize]| View {
            storage: String::new(),
            dtype: Dtype::U8,
            offset,
            shape: shape.to_vec(),
            stride: stride.to_vec(),
        };
        let storage = [0, 1, 2, 3, 4, 5];
        assert_eq!(view(0, &[3, 2], &[1, 3]).gather(&storage).unwrap(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(view(4, &[2], &[0]).gather(&storage).unwrap(), [4, 4]);
        assert_eq!(view(2, &[], &[]).gather(&storage).unwrap(), [2]);
        assert_eq!(view(0, &[0, 9], &[9, 1]).gather(&storage).unwrap(), [0; 0]);
        assert_eq!(view(1, &[3, 2], &[1, 3]).gather(&storage), None);
        assert_eq!(view(0, &[usize::MAX, 2], &[1, 1]).gather(&storage), None);
    }

    #[test]
    fn garbage_behind_the_magic_number_is_an_error() {
        for magic in [legacy::MAGIC, zipped::MAGIC] {
            let mut bytes = magic.to_vec();
            assert!(is_pth(&bytes) && read(&bytes).is_err());
            bytes.extend([0xff; 64]);
            assert!(read(&bytes).is_err());
        }
        assert!(read(b"{}").unwrap_err().to_string().contains("magic number"));
    }
}
