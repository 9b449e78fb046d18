//! One shard: an HDF5 file with the features of up to a few hundred sources.
//!
//! in: rows of one encoder; out: a file that plain HDF5 1.8 and later, h5py among them,
//! reads without plugins (no filters, no variable-length types, format bounds v1.8, whose
//! metadata blocks carry checksums of their own).
//! source: `feature_store/README.md`, which is the specification; reference: h5py 3
//! (`tests/format/`).

use std::{io::Read, ops::Range, path::Path};

use base::{Digest, DigestBuilder, file};
use half::f16;
use hdf5::{
    Dataset, H5Type, Location,
    dataset::Layout,
    file::{FileAccessBuilder, LibraryVersion},
    types::{FixedAscii, TypeDescriptor},
};
use ndarray::{ArrayView, ArrayView1, ArrayView2, Dimension};

use super::{
    EncoderIdentity, FeatureRow, TextSegment, TimedText, error::Damage,
    feature_store::FORMAT_VERSION,
};

/// What the root's `format` attribute says.
pub(super) const FORMAT: &str = "cinetag-features";
/// Extension of shards.
pub(super) const EXTENSION: &str = "h5";
/// Names, fingerprints and digests are attributes of this fixed length.
pub(super) const MAX_TEXT: usize = 64;

/// The name of the shard whose bytes have this digest.
pub(super) fn name_of(digest: &Digest) -> String {
    format!("shard-{}.{EXTENSION}", digest.short())
}

/// Compares a shard's bytes with its name: HDF5 never gets to see bytes that were damaged.
pub(super) fn check_bytes(path: &Path) -> Result<(), Damage> {
    let digest = Digest::of_reader(file::open(path)?)?;
    let found = name_of(&digest);
    let expected = path.file_name().unwrap_or_default().to_string_lossy();
    if found == expected {
        Ok(())
    } else {
        Err(Damage::content(format!("its content has the SHA-256 digest {}…", digest.short())))
    }
}

/// Values of a dataset, whose checksum is over their little-endian bytes.
trait Value: H5Type + Copy {
    fn put(self, bytes: &mut Vec<u8>);
}

macro_rules! value {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
value!(u8, u64, f16, f32);

fn checksum<T: Value>(values: &[T]) -> Digest {
    let mut builder = DigestBuilder::new();
    let mut bytes = Vec::with_capacity(1 << 16);
    for block in values.chunks(1 << 13) {
        bytes.clear();
        for value in block {
            value.put(&mut bytes);
        }
        builder.raw(&bytes);
    }
    builder.finish()
}

fn set_text(place: &Location, name: &str, text: &str) -> Result<(), Damage> {
    let text = FixedAscii::<MAX_TEXT>::from_ascii(text.as_bytes())
        .map_err(|e| Damage::content(format!("attribute {name}: {e}")))?;
    Ok(place.new_attr::<FixedAscii<MAX_TEXT>>().create(name)?.write_scalar(&text)?)
}

fn set_number(place: &Location, name: &str, number: u64) -> Result<(), Damage> {
    Ok(place.new_attr::<u64>().create(name)?.write_scalar(&number)?)
}

fn text(place: &Location, name: &str) -> Result<String, Damage> {
    let attr = place.attr(name)?;
    if attr.dtype()?.to_descriptor()? != TypeDescriptor::FixedAscii(MAX_TEXT) {
        return Err(Damage::content(format!("attribute {name} is no text of {MAX_TEXT} bytes")));
    }
    let bytes = attr.read_scalar::<FixedAscii<MAX_TEXT>>()?;
    // FixedAscii trusts the file to hold ASCII, which only these bytes can tell.
    std::str::from_utf8(bytes.as_bytes())
        .map(str::to_owned)
        .map_err(|_| Damage::content(format!("attribute {name} is not ASCII")))
}

fn number(place: &Location, name: &str) -> Result<u64, Damage> {
    Ok(place.attr(name)?.read_scalar::<u64>()?)
}

fn write_values<T: Value, D: Dimension>(
    file: &hdf5::File,
    name: &str,
    values: ArrayView<'_, T, D>,
) -> Result<(), Damage> {
    let flat = values.as_slice().ok_or_else(|| Damage::content("values are not contiguous"))?;
    let digest = checksum(flat).to_string();
    let dataset = file
        .new_dataset_builder()
        .obj_track_times(false) // the same rows give the same bytes
        .with_data(values)
        .create(name)?;
    set_text(&dataset, "sha256", &digest)
}

/// Texts one after another: text `i` is `bytes[offsets[i]..offsets[i + 1]]`.
struct Texts {
    bytes: Vec<u8>,
    offsets: Vec<u64>,
}

impl Texts {
    fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let (mut bytes, mut offsets) = (Vec::new(), vec![0]);
        for text in texts {
            bytes.extend_from_slice(text.as_bytes());
            offsets.push(bytes.len() as u64);
        }
        Self { bytes, offsets }
    }

    fn write(&self, file: &hdf5::File, name: &str) -> Result<(), Damage> {
        write_values(file, name, ArrayView1::from(&self.bytes))?;
        write_values(file, &format!("{name}_offsets"), ArrayView1::from(&self.offsets))
    }

    fn texts(&self) -> Result<Vec<String>, Damage> {
        check_offsets(&self.offsets, self.bytes.len() as u64, false)?;
        self.offsets
            .windows(2)
            .map(|at| {
                let bytes = self.bytes[at[0] as usize..at[1] as usize].to_vec();
                String::from_utf8(bytes).map_err(|_| Damage::content("a text is not UTF-8"))
            })
            .collect()
    }
}

/// Offsets begin at 0, never fall and end at `total`; `strict`: they always rise.
fn check_offsets(offsets: &[u64], total: u64, strict: bool) -> Result<(), Damage> {
    let rising = offsets.windows(2).all(|at| at[0] < at[1] || (!strict && at[0] == at[1]));
    if offsets.first() == Some(&0) && offsets.last() == Some(&total) && rising {
        Ok(())
    } else {
        Err(Damage::content(format!("its offsets do not rise from 0 to {total}")))
    }
}

/// Writes rows into a new file at `path`, flushed and closed but not synced.
///
/// `rows` are not empty, have `identity.dim` numbers each that f16 can hold, and all or
/// none of them have times.
pub(super) fn write(
    path: &Path,
    identity: &EncoderIdentity,
    rows: &[&FeatureRow],
) -> Result<(), Damage> {
    let dim = identity.dim;
    let (mut offsets, mut keys, mut data, mut times) = (vec![0u64], vec![], vec![], vec![]);
    for row in rows {
        keys.extend_from_slice(row.key.as_bytes());
        data.extend(row.data.iter().map(|&value| f16::from_f32(value)));
        times.extend_from_slice(&row.time_secs);
        offsets.push((data.len() / dim) as u64);
    }
    let shape = |e: ndarray::ShapeError| Damage::content(e.to_string());
    let num_rows = data.len() / dim;
    let keys = ArrayView2::from_shape((rows.len(), 32), &keys).map_err(shape)?;
    let data = ArrayView2::from_shape((num_rows, dim), &data).map_err(shape)?;

    let file = hdf5::File::with_options()
        .with_fapl(|access| {
            unlocked(access).libver_bounds(LibraryVersion::V18, LibraryVersion::V18)
        })
        .with_fcpl(|create| create.obj_track_times(false))
        .create(path)?;
    set_text(&file, "format", FORMAT)?;
    set_number(&file, "format_version", FORMAT_VERSION)?;
    set_text(&file, "encoder", &identity.name)?;
    set_text(&file, "fingerprint", identity.fingerprint.as_str())?;
    set_number(&file, "dim", dim as u64)?;
    set_number(&file, "num_titles", rows.len() as u64)?;
    set_number(&file, "num_rows", num_rows as u64)?;
    write_values(&file, "keys", keys)?;
    write_values(&file, "offsets", ArrayView1::from(&offsets))?;
    Texts::new(rows.iter().map(|row| row.title.as_str())).write(&file, "titles")?;
    Texts::new(rows.iter().map(|row| row.partial.as_deref().unwrap_or_default()))
        .write(&file, "partial")?;
    write_values(&file, "data", data)?;
    if !times.is_empty() {
        write_values(&file, "time_secs", ArrayView1::from(&times))?;
    }
    if rows.iter().any(|row| row.text.is_some()) {
        write_text(&file, rows)?;
    }
    file.flush()?;
    Ok(file.close()?)
}

/// What rows say, where they are segments of texts: the dataset `end_secs` and two of texts.
fn write_text(file: &hdf5::File, rows: &[&FeatureRow]) -> Result<(), Damage> {
    let segments = || rows.iter().filter_map(|row| row.text.as_ref()).flat_map(|t| &t.segments);
    let ends: Vec<f32> = segments().map(|segment| segment.end_secs).collect();
    write_values(file, "end_secs", ArrayView1::from(&ends))?;
    Texts::new(segments().map(|segment| segment.text.as_str())).write(file, "text")?;
    let language = |row: &&FeatureRow| row.text.as_ref().and_then(|text| text.language.clone());
    let languages: Vec<String> = rows.iter().map(|r| language(r).unwrap_or_default()).collect();
    Texts::new(languages.iter().map(String::as_str)).write(file, "language")
}

/// Without HDF5's locks: a shard is written once under a name of its own and never changed, and a
/// decode worker that is started meanwhile would inherit the lock and keep others from reading.
fn unlocked(access: &mut FileAccessBuilder) -> &mut FileAccessBuilder {
    access.file_locking(false)
}

/// The format's first bytes: HDF5's magic number, and the second version of what follows it, in which
/// all metadata have checksums. HDF5 would read older ones too, and look for both anywhere in a file.
const SUPERBLOCK: &[u8; 9] = b"\x89HDF\r\n\x1a\n\x02";

/// Whether a file begins as shards do: HDF5 does not get to see one whose metadata nothing protects
/// from damage.
fn check_superblock(file: std::fs::File) -> Result<(), Damage> {
    let mut bytes = Vec::new();
    file.take(SUPERBLOCK.len() as u64).read_to_end(&mut bytes)?;
    match bytes.len() {
        // A better word than HDF5's own for the most ordinary case.
        0 => Err(Damage::content("it is empty")),
        _ if bytes == SUPERBLOCK => Ok(()),
        _ => Err(Damage::content("it does not begin as HDF5 of format bounds v1.8 does")),
    }
}

/// All that a shard holds is in its file as it stands there: no links elsewhere, no values of
/// other files, nothing compressed, no more values than the file has bytes.
fn check_layout(file: &hdf5::File, file_bytes: u64) -> Result<(), Damage> {
    let mut names = Vec::new();
    let mut others = Vec::new();
    file.iter_visit_default(|name, link| {
        let is_own = link.link_type == hdf5::LinkType::Hard;
        if is_own { &mut names } else { &mut others }.push(name.to_owned());
        Ok(())
    })?;
    if let Some(name) = others.first() {
        return Err(Damage::content(format!("{name} is a link to somewhere else")));
    }
    for name in names {
        let dataset = file.dataset(&name)?;
        let settings = dataset.create_plist()?;
        let is_plain = match dataset.layout() {
            Layout::Contiguous | Layout::Compact => true,
            // HDF5 makes a dataset without values so.
            Layout::Chunked => dataset.size() == 0,
            Layout::Virtual => false,
        };
        if !is_plain || !settings.external().is_empty() || !dataset.filters().is_empty() {
            return Err(Damage::content(format!("{name} does not lie plainly in this file")));
        }
        let value_bytes = dataset.dtype()?.size();
        let bytes = dataset.shape().iter().try_fold(value_bytes, |n, dim| n.checked_mul(*dim));
        if bytes.is_none_or(|bytes| bytes as u64 > file_bytes) {
            return Err(Damage::content(format!("{name} says it is larger than the file")));
        }
    }
    Ok(())
}

/// A shard opened for reading.
pub(super) struct Shard {
    file: hdf5::File,
    dim: usize,
    num_titles: usize,
    num_rows: usize,
}

impl Shard {
    /// Opens a shard of this encoder and compares the shapes in it with each other.
    pub(super) fn open(path: &Path, identity: &EncoderIdentity) -> Result<Self, Damage> {
        check_superblock(file::open(path)?)?;
        let file = hdf5::File::with_options().with_fapl(unlocked).open(path)?;
        check_layout(&file, std::fs::metadata(path)?.len())?;
        let expect_text = |name: &str, expected: &str| match text(&file, name)? {
            found if found == expected => Ok(()),
            found => Err(Damage::content(format!("its {name} is {found:?}, not {expected:?}"))),
        };
        expect_text("format", FORMAT)?;
        let version = number(&file, "format_version")?;
        if version != FORMAT_VERSION {
            return Err(Damage::content(format!(
                "its format version is {version}, this program reads {FORMAT_VERSION}"
            )));
        }
        expect_text("encoder", &identity.name)?;
        expect_text("fingerprint", identity.fingerprint.as_str())?;
        let [dim, num_titles, num_rows] = ["dim", "num_titles", "num_rows"]
            .map(|name| number(&file, name).map(|number| number as usize));
        let shard = Self { dim: dim?, num_titles: num_titles?, num_rows: num_rows?, file };
        if shard.dim != identity.dim {
            return Err(Damage::content(format!("its dim is {}, not {}", shard.dim, identity.dim)));
        }
        let (titles, rows) = (shard.num_titles, shard.num_rows);
        if titles == usize::MAX || rows == usize::MAX {
            return Err(Damage::content("its counts are no counts"));
        }
        shard.expect_shape("keys", &[titles, 32])?;
        shard.expect_shape("offsets", &[titles + 1])?;
        shard.expect_shape("titles_offsets", &[titles + 1])?;
        shard.expect_shape("partial_offsets", &[titles + 1])?;
        shard.expect_shape("data", &[rows, shard.dim])?;
        if shard.has_times() {
            shard.expect_shape("time_secs", &[rows])?;
        }
        if shard.has_text() {
            shard.expect_shape("time_secs", &[rows])?;
            shard.expect_shape("end_secs", &[rows])?;
            shard.expect_shape("text_offsets", &[rows + 1])?;
            shard.expect_shape("language_offsets", &[titles + 1])?;
        }
        Ok(shard)
    }

    fn expect_shape(&self, name: &str, expected: &[usize]) -> Result<(), Damage> {
        let found = self.file.dataset(name)?.shape();
        if found == expected {
            Ok(())
        } else {
            Err(Damage::content(format!("{name} has the shape {found:?}, expected {expected:?}")))
        }
    }

    pub(super) fn num_titles(&self) -> usize {
        self.num_titles
    }

    pub(super) fn num_rows(&self) -> usize {
        self.num_rows
    }

    pub(super) fn has_times(&self) -> bool {
        self.file.link_exists("time_secs")
    }

    /// Whether its rows are segments of texts.
    pub(super) fn has_text(&self) -> bool {
        self.file.link_exists("text")
    }

    fn checked<T: Value>(&self, name: &str) -> Result<Vec<T>, Damage> {
        let dataset: Dataset = self.file.dataset(name)?;
        let values = dataset.read_raw::<T>()?;
        let (found, expected) = (checksum(&values).to_string(), text(&dataset, "sha256")?);
        if found == expected {
            Ok(values)
        } else {
            Err(Damage::content(format!("{name} does not have the checksum that stands beside it")))
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, Damage> {
        let offsets = self.checked(&format!("{name}_offsets"))?;
        Texts { bytes: self.checked(name)?, offsets }.texts()
    }

    /// The keys, `[titles]`.
    pub(super) fn keys(&self) -> Result<Vec<Digest>, Damage> {
        let bytes = self.checked::<u8>("keys")?;
        let (keys, _) = bytes.as_chunks::<32>();
        Ok(keys.iter().copied().map(Digest::from_bytes).collect())
    }

    /// Title `i` owns rows `offsets[i]..offsets[i + 1]`; none is without rows.
    pub(super) fn offsets(&self) -> Result<Vec<u64>, Damage> {
        let offsets = self.checked("offsets")?;
        check_offsets(&offsets, self.num_rows as u64, true)?;
        Ok(offsets)
    }

    /// Why features are not of the whole source, `[titles]`; empty where they are.
    pub(super) fn partials(&self) -> Result<Vec<String>, Damage> {
        self.texts("partial")
    }

    /// Rows `[rows.len(), dim]`.
    pub(super) fn data(&self, rows: Range<usize>) -> Result<Vec<f16>, Damage> {
        let block = self.file.dataset("data")?.read_slice_2d::<f16, _>(ndarray::s![rows, ..])?;
        Ok(block.into_raw_vec_and_offset().0)
    }

    /// The rows' times, `[rows.len()]`.
    pub(super) fn times(&self, rows: Range<usize>) -> Result<Vec<f32>, Damage> {
        let block = self.file.dataset("time_secs")?.read_slice_1d::<f32, _>(ndarray::s![rows])?;
        Ok(block.into_raw_vec_and_offset().0)
    }

    /// What the rows of each title say, `[titles]`.
    pub(super) fn timed_texts(&self) -> Result<Vec<TimedText>, Damage> {
        let (starts, ends) = (self.checked::<f32>("time_secs")?, self.checked::<f32>("end_secs")?);
        let segments = starts.into_iter().zip(ends).zip(self.texts("text")?);
        let mut segments = segments.map(|((start_secs, end_secs), text)| TextSegment {
            start_secs,
            end_secs,
            text,
        });
        let languages = self.texts("language")?.into_iter();
        let of_title = |(rows, language): (&[u64], String)| TimedText {
            segments: segments.by_ref().take((rows[1] - rows[0]) as usize).collect(),
            language: Some(language).filter(|language| !language.is_empty()),
        };
        Ok(self.offsets()?.windows(2).zip(languages).map(of_title).collect())
    }

    /// Reads everything and compares it with the checksums and the rules of the format.
    pub(super) fn check_all(&self) -> Result<(), Damage> {
        let mut keys = self.keys()?;
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Damage::content("a key stands in it twice"));
        }
        self.offsets()?;
        self.texts("titles")?;
        self.partials()?;
        if !self.checked::<f16>("data")?.into_iter().all(f16::is_finite) {
            return Err(Damage::content("data holds numbers that are not finite"));
        }
        if self.has_times() && !self.checked::<f32>("time_secs")?.iter().all(|t| t.is_finite()) {
            return Err(Damage::content("time_secs holds numbers that are not finite"));
        }
        if self.has_text() {
            self.timed_texts()?;
            if !self.checked::<f32>("end_secs")?.iter().all(|t| t.is_finite()) {
                return Err(Damage::content("end_secs holds numbers that are not finite"));
            }
        }
        Ok(())
    }
}
