//! The places of sidecars.
//!
//! in: where titles lie among a person's files ([`TitlePlace`]); out: the [`Place`]s that a format's
//! sidecars are written to, beside the films or in a tree of their own.

use std::path::{Path, PathBuf};

use catalog::TitlePlace;

use super::sidecar::Place;

/// A title's sidecars with an ending, in place or in a parallel tree: `root` is the
/// library's, `tree` that of the files that are written. Only NFO files may be several.
#[must_use]
pub fn places(title: &TitlePlace, root: &Path, tree: &Path, extension: &str) -> Vec<Place> {
    let num = if extension == "nfo" { title.nfos.len() } else { 1 };
    let place = |nfo: &PathBuf| {
        let sidecar = nfo.with_extension(extension);
        let below = sidecar.strip_prefix(root).ok();
        let name = || sidecar.file_name().unwrap_or_default().as_ref();
        let target = below.unwrap_or_else(name).to_owned();
        let origin = (tree != root).then_some(sidecar);
        Place { target, origin, ids: title.ids.clone() }
    };
    title.nfos.iter().take(num).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sidecars_lie_beside_the_film_or_in_a_tree_of_their_own() {
        let nfos = ["a/Heat (1995)/heat.nfo", "a/Heat (1995)/movie.nfo"];
        let root = Path::new("/films");
        let title =
            TitlePlace { nfos: nfos.map(|nfo| root.join(nfo)).into(), ..TitlePlace::default() };
        let in_place = places(&title, root, root, "pbcore.xml");
        assert_eq!(in_place.len(), 1, "only NFO files may be several");
        assert_eq!(in_place[0].target, Path::new("a/Heat (1995)/heat.pbcore.xml"));
        assert_eq!(in_place[0].origin, None);
        let beside = places(&title, root, Path::new("/tmp/other"), "nfo");
        let targets: Vec<&Path> = beside.iter().map(|place| place.target.as_path()).collect();
        assert_eq!(targets, nfos.map(Path::new));
        assert_eq!(beside[1].origin.as_ref(), Some(&title.nfos[1]));
    }
}
