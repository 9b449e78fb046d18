//! Films that lie on the disk as they lie on a disc.
//!
//! in: the files and folders of a film's folder; out: the disc in it, with its sidecar.
//!
//! source: Kodi wiki, "Naming video files/Movies" (`VIDEO_TS/`, or its files in the film's own
//! folder), "NFO files/Movies" (`VIDEO_TS.nfo`, `BDMV/index.nfo`).

use std::{fs, path::PathBuf};

use super::with_name;

/// Folders that are a disc, with the sidecar in them; the folder above is the item.
const DISCS: [(&str, &str); 2] = [("VIDEO_TS", "VIDEO_TS.nfo"), ("BDMV", "index.nfo")];
/// The file by which a film's folder is known to be a DVD itself, and its sidecar.
const LOOSE_DISC: (&str, &str) = ("VIDEO_TS.IFO", "VIDEO_TS.nfo");

/// A film as it lies on a disc.
pub(super) struct Disc {
    /// The disc's folder, or the file by which it is known.
    pub(super) film: PathBuf,
    /// Its sidecar, where it is there.
    pub(super) nfo: Option<PathBuf>,
}

impl Disc {
    /// Finds it in a film's folder.
    pub(super) fn find(files: &[PathBuf], folders: &[PathBuf]) -> Option<Self> {
        let loose = with_name(files, LOOSE_DISC.0).map(|film| {
            let nfo = with_name(files, LOOSE_DISC.1).cloned();
            Self { film: film.clone(), nfo }
        });
        loose.or_else(|| {
            DISCS.iter().find_map(|(name, sidecar)| {
                let film = with_name(folders, name)?.clone();
                let entries = fs::read_dir(&film).into_iter().flatten().flatten();
                let mut inside: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
                inside.sort();
                let nfo = with_name(&inside, sidecar).filter(|nfo| nfo.is_file()).cloned();
                Some(Self { film, nfo })
            })
        })
    }
}

/// Whether a folder of this name is a disc.
pub(super) fn is_disc(name: &str) -> bool {
    DISCS.iter().any(|(disc, _)| disc.eq_ignore_ascii_case(name))
}
