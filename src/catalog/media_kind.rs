//! Media files by the endings of their names.

use std::path::Path;

pub(super) const VIDEO: [&str; 19] = [
    "mp4", "m4v", "mkv", "webm", "avi", "mov", "flv", "ts", "mts", "m2ts", "mpg", "mpeg", "wmv",
    "asf", "3gp", "ogv", "vob", "mxf", "mk3d",
];
pub(super) const IMAGE: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// Whether a file's name ends in one of these, letter case aside.
pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| extensions.iter().any(|e| e.eq_ignore_ascii_case(extension)))
}
