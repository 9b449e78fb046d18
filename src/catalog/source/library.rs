//! A media library as a source: what folders, file names and NFO sidecars say.
//!
//! A title's id is the path of its folder in the library, with the film's stem where one folder
//! holds many: copies of one film in two folders are two titles, versions in one folder are one.

use std::path::Path;

use super::{Intake, Source};
use crate::{
    CatalogError,
    library::{Library, Whose, describe},
};

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
        let mut library = Library::of(&[path.to_owned()])?;
        let mut problems = library.problems();
        let mut whose = Whose::default();
        for (item, is_alone) in library.items() {
            let place = (path, is_alone);
            intake.title(describe(item, place, &|_| true, &mut whose, &mut problems).row);
        }
        problems.extend(whose.note(path));
        for problem in problems {
            intake.problem(problem);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{CatalogSpec, Format, Severity, load};

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
