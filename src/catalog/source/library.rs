//! A media library as a source: what folders, file names and NFO sidecars say.
//!
//! A title's id is the path of its folder in the library, with the film's stem where one folder
//! holds many: copies of one film in two folders are two titles, versions in one folder are one.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use base::file;

use super::{Intake, Row, Source};
use crate::{
    CatalogError, ProblemKind,
    library::{self, LibraryItem},
    nfo::{self, Nfo},
    paths::READ_HINT,
    subtitles::{dialogue, screenplay},
};

/// A sidecar larger than this is none.
const MAX_NFO_BYTES: u64 = 4 << 20;

/// Subtitles and screenplays larger than this are none.
const MAX_TEXT_BYTES: u64 = 8 << 20;

/// A media library.
pub(super) struct MediaLibrary;

impl Source for MediaLibrary {
    fn name(&self) -> &'static str {
        "library"
    }

    fn about(&self) -> &'static str {
        "a media library as Kodi, Jellyfin and Plex keep it: a folder a film, with NFO, poster, trailer"
    }

    fn terms(&self) -> &'static str {
        "your own files; what NFO files say was mostly taken from TMDB or IMDb, under their terms"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let found = library::find(path).map_err(|source| CatalogError::File {
            path: path.to_owned(),
            action: "read",
            source,
        })?;
        for (folder, error) in found.unreadable {
            intake.warn(
                ProblemKind::UnreadableFolder,
                (&folder, 0),
                format!("it cannot be read ({error}); it is passed over"),
                READ_HINT,
            );
        }
        for (idx, item) in found.items.iter().enumerate() {
            let alone = |other: Option<&LibraryItem>| other.is_none_or(|o| o.folder != item.folder);
            let before = idx.checked_sub(1).and_then(|idx| found.items.get(idx));
            let is_alone = alone(before) && alone(found.items.get(idx + 1));
            let nfo = item.nfos.iter().find_map(|nfo| read_nfo(nfo, intake));
            intake.title(row(path, item, is_alone, nfo.unwrap_or_default()));
        }
        Ok(())
    }
}

fn read_nfo(path: &Path, intake: &mut Intake<'_>) -> Option<Nfo> {
    let warn = |intake: &mut Intake<'_>, message, hint: &str| {
        intake.warn(ProblemKind::BadSidecar, (path, 0), message, hint);
        None
    };
    let mut bytes = Vec::new();
    let read: io::Result<usize> =
        file::open(path).and_then(|file| file.take(MAX_NFO_BYTES + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        let message = format!("the NFO file cannot be read ({error})");
        return warn(intake, message, "give yourself the right to read it");
    }
    if bytes.len() as u64 > MAX_NFO_BYTES {
        let message = format!("the file is larger than {MAX_NFO_BYTES} bytes: this is no NFO");
        return warn(intake, message, "see what it is");
    }
    match nfo::read(&bytes) {
        Ok(nfo) => Some(nfo),
        Err(error) => {
            let (line, message) = (error.line, format!("this is no NFO: {}", error.message));
            let hint = base::Hinted::hint(&error).unwrap_or_default();
            intake.warn(ProblemKind::BadSidecar, (path, line), message, &hint);
            None
        }
    }
}

fn row(root: &Path, item: &LibraryItem, is_alone: bool, nfo: Nfo) -> Row {
    let relative =
        |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    let folder = relative(&item.folder);
    let id = match folder.as_str() {
        "" => item.stem.clone(),
        folder if is_alone => folder.to_owned(),
        folder => format!("{folder}/{}", item.stem),
    };
    let file: Arc<Path> = item.nfos.first().unwrap_or(&item.folder).as_path().into();
    let number = |number: Option<f64>| number.map(|number| number.to_string());
    let mut ids = nfo.ids;
    Row::at(file, 0)
        .text("id", id)
        .maybe("title", nfo.title.or_else(|| Some(item.name.clone())))
        .maybe("original_title", nfo.original_title)
        .maybe("year", nfo.year.or(item.year).map(|year| year.to_string()))
        .maybe("plot", nfo.plot)
        .maybe("tagline", nfo.tagline)
        .maybe("poster", item.poster.as_ref().map(relative))
        .one_or_list("trailer", item.trailers.iter().map(relative).collect())
        .list("genres", nfo.genres)
        .maybe("group", nfo.set)
        .maybe("imdb_id", ids.remove("imdb").or_else(|| item.imdb_id.clone()))
        .maybe("tmdb_id", ids.remove("tmdb").or_else(|| item.tmdb_id.clone()))
        .maybe("runtime_min", number(nfo.runtime_min))
        .maybe("mpaa", nfo.certificate)
        .list("country", nfo.countries)
        .list("language", nfo.languages)
        .list("studio", nfo.studios)
        .list("director", nfo.directors)
        .list("writer", nfo.writers)
        .list("actors", nfo.actors)
        .list("tags", nfo.tags)
        .maybe("film", item.film.as_ref().map(relative))
        .maybe("nfo", item.nfos.first().map(relative))
        .list("subtitles", item.subtitles.iter().map(relative).collect())
        .maybe("dialogue", item.subtitles.iter().find_map(|file| text(file, dialogue)))
        .maybe("screenplay", item.screenplay.as_ref().and_then(|file| text(file, screenplay)))
}

/// What a text file says, if it can be read and is not larger than a text.
fn text(path: &Path, read: fn(&[u8]) -> Option<String>) -> Option<String> {
    let is_text = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= MAX_TEXT_BYTES);
    file::read(path).ok().filter(|_| is_text).and_then(|bytes| read(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CatalogSpec, Severity, load, spec::Format};

    #[test]
    fn a_library_is_read_like_a_catalog() {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "Quiet Lock (1995)/movie.nfo",
                "<movie><title>The Quiet Lock</title><plot>A door.</plot><genre>Drama</genre>\
                 <uniqueid type='imdb'>tt9900001</uniqueid><director>O. Director</director></movie>",
            ),
            ("Quiet Lock (1995)/poster.jpg", ""),
            ("Quiet Lock (1995)/trailer.mp4", ""),
            ("Broken (2001)/movie.nfo", "<movie>\n<title>"),
            ("One (2002).mkv", ""),
            ("Two (2003).mkv", ""),
        ] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let toml = format!("path = {:?}\nformat = \"library\"", root.path());
        let spec: CatalogSpec = toml::from_str(&toml).unwrap();
        assert_eq!(spec.format, Format::Source("library"));
        let (catalog, problems) = load(&spec).unwrap();
        let ids: Vec<_> = catalog.titles.iter().map(|title| title.id.as_str()).collect();
        assert_eq!(ids, ["One (2002)", "Two (2003)", "Broken (2001)", "Quiet Lock (1995)"]);
        let lock = &catalog.titles[3];
        assert_eq!((lock.name.as_str(), lock.year), ("The Quiet Lock", Some(1995)));
        assert!(lock.poster.as_ref().unwrap().is_file());
        assert!(lock.first_trailer().unwrap().is_file());
        assert!(lock.labelled && lock.plot.is_some());
        assert_eq!(lock.fields["director"], "O. Director");
        assert_eq!(catalog.titles[2].name, "Broken");
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!((problem.severity, problem.line), (Severity::Warning, Some(2)));
        assert!(problem.file.ends_with("Broken (2001)/movie.nfo"));

        let absent = CatalogSpec { path: root.path().join("none"), ..spec };
        assert!(load(&absent).is_err());
    }
}
