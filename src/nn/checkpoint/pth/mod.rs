//! torch's checkpoints: state dicts as `torch.save` writes them.
//!
//! in: bytes; out: named tensors, contiguous, in the row-major order of their shapes.
//! source: `torch/serialization.py`. A pickle names the tensors, each a view of a storage;
//! `zipped` has the storages as members of a zip file (since 1.6), `legacy` behind the
//! pickle (before). Weights found in the wild store convolution kernels with strides of another
//! layout, so elements are gathered. No code of a pickle runs, and none costs more than a fixed
//! multiple of its file (`budget`).
//! reference: `torch.save`, PyTorch 2, both formats.

mod legacy;
mod pickle;
mod zipped;

use std::collections::BTreeMap;

use safetensors::Dtype;

use self::pickle::{Id, Node, Pickle};
use super::{CheckpointError, RawTensor};

/// Axes of a tensor; torch itself has 64 at most, networks 5.
const MAX_AXES: usize = 32;

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

/// So many bytes a checkpoint may unfold to: torch stores elements uncompressed, and few of them
/// belong to several tensors.
fn budget(file_bytes: usize) -> usize {
    file_bytes.saturating_mul(4).saturating_add(16 << 20)
}

/// Takes bytes out of a budget.
fn spend(left: &mut usize, bytes: usize) -> Result<(), CheckpointError> {
    *left = left.checked_sub(bytes).ok_or_else(|| {
        CheckpointError::torch("it unfolds to far more bytes than a file of its size holds")
    })?;
    Ok(())
}

/// The tensors of these views, whose storages are found by name; `left` bytes at most.
fn gather<'a>(
    views: &[(String, View)],
    mut left: usize,
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
            if view.num_bytes().is_none_or(|bytes| bytes > storage.len()) {
                return Err(CheckpointError::torch(format!(
                    "{name} of shape {:?} is larger than its storage of {} bytes",
                    view.shape,
                    storage.len()
                )));
            }
            let data = view.gather(storage).ok_or_else(|| {
                CheckpointError::torch(format!(
                    "{name} of shape {:?} reaches beyond its storage",
                    view.shape
                ))
            })?;
            spend(&mut left, data.len())?;
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
    /// Of all its elements; `None` where no number can say it.
    fn num_bytes(&self) -> Option<usize> {
        self.shape.iter().try_fold(size_of(self.dtype), |bytes, dim| bytes.checked_mul(*dim))
    }

    /// The elements in row-major order; `None` where one lies outside the storage. The caller has
    /// seen that they are no more bytes than the storage.
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

fn tensor_views(pickle: &Pickle<'_>) -> Result<Vec<(String, View)>, CheckpointError> {
    let Node::Dict(entries) = pickle.root() else {
        return Err(CheckpointError::torch("it holds no dictionary of tensors"));
    };
    let mut views = Vec::new();
    for (name, value) in entries {
        if let Some(name) = pickle.text(*name) {
            let view = tensor_view(pickle, *value)
                .map_err(|what| CheckpointError::torch(format!("{name}: {what}")))?;
            views.extend(view.map(|view| (name.to_owned(), view)));
        }
    }
    Ok(views)
}

/// `None` where the object is no tensor.
fn tensor_view(pickle: &Pickle<'_>, object: Id) -> Result<Option<View>, String> {
    let Node::Call(callable, args) = pickle.get(object) else { return Ok(None) };
    let args = pickle.tuple(*args).ok_or("unexpected arguments")?;
    match pickle.get(*callable) {
        // As deep as values may stand in each other.
        Node::Class("torch._utils", "_rebuild_parameter") => {
            return args.first().map_or(Ok(None), |inner| tensor_view(pickle, *inner));
        }
        Node::Class("torch._utils", "_rebuild_tensor_v2") => {}
        _ => return Ok(None),
    }
    let [storage, offset, shape, stride, ..] = *args else {
        return Err("too few arguments".to_owned());
    };
    let place = match pickle.get(storage) {
        Node::Persistent(place) => pickle.tuple(*place),
        _ => None,
    };
    // The word "storage", its class and name, then device, count and, in very old files, a view
    // into another storage.
    let Some([_, class, key, rest @ ..]) = place else {
        return Err("unexpected storage".to_owned());
    };
    let (Node::Class(_, class), Some(key)) = (pickle.get(*class), pickle.text(*key)) else {
        return Err("unexpected storage".to_owned());
    };
    if rest.get(2).is_some_and(|view| *pickle.get(*view) != Node::Nothing) {
        return Err("a storage that is a view of another one is not supported".to_owned());
    }
    let dtype = dtype_of(class).ok_or_else(|| format!("element type {class} is not supported"))?;
    let (shape, stride) = (sizes(pickle, shape)?, sizes(pickle, stride)?);
    if shape.len() != stride.len() {
        return Err(format!("shape {shape:?} with strides {stride:?}"));
    }
    let offset = pickle.size(offset).ok_or("its offset is no number of elements")?;
    Ok(Some(View { storage: key.to_owned(), dtype, offset, shape, stride }))
}

fn sizes(pickle: &Pickle<'_>, tuple: Id) -> Result<Vec<usize>, String> {
    let sizes = pickle.tuple(tuple).ok_or("its shape is no tuple")?;
    if sizes.len() > MAX_AXES {
        return Err(format!("it has {} axes, more than {MAX_AXES}", sizes.len()));
    }
    sizes
        .iter()
        .map(|size| pickle.size(*size).ok_or_else(|| "its shape has what is no size".to_owned()))
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

    /// A text, a tuple of numbers, a tensor `w` of the storage `0`, as a pickle has them.
    fn text(text: &str) -> Vec<u8> {
        [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
    }

    fn numbers(numbers: &[i64]) -> Vec<u8> {
        let each = numbers.iter().flat_map(|n| [&b"\x8a\x08"[..], &n.to_le_bytes()].concat());
        [b"(".to_vec(), each.collect(), b"t".to_vec()].concat()
    }

    fn tensor(shape: &[i64], stride: &[i64]) -> Vec<u8> {
        let storage = [
            b"((".to_vec(),
            text("storage"),
            b"ctorch\nFloatStorage\n".to_vec(),
            [text("0"), text("cpu")].concat(),
            b"K\x01tQ".to_vec(),
        ];
        let view = [b"K\0".to_vec(), numbers(shape), numbers(stride), b"\x89)t".to_vec()];
        let call = b"ctorch._utils\n_rebuild_tensor_v2\n".to_vec();
        [call, storage.concat(), view.concat(), b"R".to_vec()].concat()
    }

    /// A state dict of these tensors over one storage.
    fn checkpoint(tensors: &[(&str, Vec<u8>)], storage: &[u8], deflated: bool) -> Vec<u8> {
        use std::io::Write;
        let entries = tensors.iter().flat_map(|(name, tensor)| [text(name), tensor.clone()]);
        let entries = entries.collect::<Vec<_>>().concat();
        let pickle = [&b"\x80\x02}("[..], &entries, b"u."].concat();
        let mut file = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(if deflated {
            zip::CompressionMethod::Deflated
        } else {
            zip::CompressionMethod::Stored
        });
        for (name, content) in [("a/data.pkl", pickle.as_slice()), ("a/data/0", storage)] {
            file.start_file(name, options).unwrap();
            file.write_all(content).unwrap();
        }
        file.finish().unwrap().into_inner()
    }

    fn refusal(tensors: &[(&str, Vec<u8>)], storage: &[u8], deflated: bool) -> String {
        read(&checkpoint(tensors, storage, deflated)).unwrap_err().to_string()
    }

    #[test]
    fn a_tensor_is_never_larger_than_its_storage() {
        let two = [1_f32, 2.0].map(f32::to_le_bytes).concat();
        let whole = checkpoint(&[("w", tensor(&[2], &[1]))], &two, true);
        assert_eq!(read(&whole).unwrap()["w"].data, two);
        for count in [3, 1 << 20, 1 << 40, i64::MAX] {
            let message = refusal(&[("w", tensor(&[count], &[0]))], &two, true);
            assert!(message.contains("w of shape") && message.contains("8 bytes"), "{message}");
        }
        assert!(refusal(&[("w", tensor(&[-1], &[1]))], &two, true).contains("no size"));
        assert!(refusal(&[("w", tensor(&[1; 33], &[1; 33]))], &two, true).contains("33 axes"));
    }

    #[test]
    fn a_small_file_does_not_unfold_to_a_large_one() {
        let zeros = vec![0_u8; 32 << 20];
        let bomb = checkpoint(&[("w", tensor(&[1], &[1]))], &zeros, true);
        assert!(bomb.len() < 1 << 20);
        let message = read(&bomb).unwrap_err().to_string();
        assert!(message.contains("a/data/0 is larger"), "{message}");
        // Many tensors of one storage.
        let names: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let shared: Vec<(&str, Vec<u8>)> =
            names.iter().map(|name| (name.as_str(), tensor(&[1 << 18], &[1]))).collect();
        let message = refusal(&shared, &zeros[..1 << 20], false);
        assert!(message.contains("unfolds to far more bytes"), "{message}");
        assert_eq!(read(&checkpoint(&shared[..3], &zeros[..1 << 20], false)).unwrap().len(), 3);
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
