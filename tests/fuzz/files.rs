//! Several files as one input, so that a bundle or a library is mutated and kept like one file.
//!
//! Each file is a line `name<TAB>length`, then its bytes. What is cut off or makes no sense ends
//! the list: every input is some list of files.

use std::{
    fs,
    path::{Component, Path},
};

/// Names from a folder, with bytes.
pub type Files = Vec<(String, Vec<u8>)>;

/// One input of these files.
pub fn pack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        bytes.extend_from_slice(format!("{name}\t{}\n", content.len()).as_bytes());
        bytes.extend_from_slice(content);
    }
    bytes
}

/// The files of an input.
pub fn unpack(mut bytes: &[u8]) -> Files {
    let mut files = Files::new();
    while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let Some((name, len)) = head.rsplit_once('\t') else { break };
        let Ok(len) = len.parse::<usize>() else { break };
        let rest = &bytes[end + 1..];
        let content = &rest[..len.min(rest.len())];
        files.push((name.to_owned(), content.to_vec()));
        bytes = &rest[content.len()..];
    }
    files
}

/// Writes files below a folder; names that lead elsewhere are left out: it is the program that is
/// tried, not this.
pub fn write(folder: &Path, files: &[(String, Vec<u8>)]) {
    for (name, bytes) in files {
        let is_below =
            Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !is_below || name.contains('\0') {
            continue;
        }
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            let _ = fs::create_dir_all(parent);
        }
        let _ = fs::write(path, bytes);
    }
}

/// All files below a folder, by name.
pub fn read(folder: &Path) -> Files {
    fn walk(folder: &Path, prefix: &str, files: &mut Files) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), files);
            } else {
                files.push((name, fs::read(entry.path()).unwrap_or_default()));
            }
        }
    }
    let mut files = Files::new();
    walk(folder, "", &mut files);
    files.sort();
    files
}
