//! Writes still pictures.
//!
//! in: a [`Picture`]; out: a JPEG or PNG file, whole or not there.

use std::{fs::File, io::BufWriter, path::Path};

use base::{ErrorKind, Hinted, publish_file};
use image::{
    ExtendedColorType, ImageEncoder,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
};

use super::Picture;

/// The picture cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The name's ending says neither JPEG nor PNG.
    #[error("{path}: pictures are written as .jpg or .png")]
    Extension {
        /// The file asked for.
        path: String,
    },
    /// The encoder refuses the picture, or the disk the bytes.
    #[error("{path}: the picture cannot be written")]
    Encode {
        /// The file asked for.
        path: String,
        /// Why.
        #[source]
        source: image::ImageError,
    },
    /// The folder or file cannot be created.
    #[error("the picture cannot be written")]
    Io(#[from] std::io::Error),
}

impl Hinted for SaveError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Extension { .. } => Some("give the file a name ending in .jpg or .png".into()),
            Self::Encode { .. } | Self::Io(_) => {
                Some("look at the folder's permissions and the free space of its disk".into())
            }
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Extension { .. } => ErrorKind::Input,
            Self::Encode { .. } | Self::Io(_) => ErrorKind::System,
        }
    }
}

/// Writes a picture as its name's ending says: `.jpg`/`.jpeg` (quality 88) or `.png`.
///
/// # Errors
/// Another ending, a picture whose bytes are not `height * width * 3`, a disk that refuses.
pub fn write_picture(path: &Path, picture: &Picture) -> Result<(), SaveError> {
    let shown = || path.display().to_string();
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let (width, height) = (picture.width, picture.height);
    publish_file(path, |temporary| {
        let out = BufWriter::new(File::create(temporary)?);
        let color = ExtendedColorType::Rgb8;
        let written = match extension.as_deref() {
            Some("jpg" | "jpeg") => JpegEncoder::new_with_quality(out, 88).write_image(
                &picture.rgb,
                width,
                height,
                color,
            ),
            Some("png") => PngEncoder::new(out).write_image(&picture.rgb, width, height, color),
            _ => return Err(SaveError::Extension { path: shown() }),
        };
        written.map_err(|source| SaveError::Encode { path: shown(), source })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn png_is_lossless_and_other_endings_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let picture =
            Picture { width: 3, height: 2, rgb: (0..18).map(|v| v * 14).collect::<Vec<u8>>() };
        let path = folder.path().join("a.png");
        write_picture(&path, &picture).unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8().into_raw(), picture.rgb);
        write_picture(&folder.path().join("a.jpg"), &picture).unwrap();
        let refused = write_picture(&folder.path().join("a.bmp"), &picture);
        assert!(matches!(refused, Err(SaveError::Extension { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
