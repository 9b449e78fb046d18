//! Training and tagging see the same of a media library: every column, title by title.
//!
//! The sample holds what people keep: NFO files with all of Kodi's fields, versions, a trailer, posters,
//! subtitles, a screenplay, a folder of many films, a large and a broken NFO file, and a show.

use std::{fs, path::Path};

use cinetag::{
    base::TitleId,
    catalog::{self, CatalogSpec, Format, Hints, Seen, Title},
};

/// All fields that Kodi and Jellyfin write and cinetag reads.
const QUIET_LOCK: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
<movie>
    <title>The Quiet Lock</title>
    <originaltitle>Das stille Schloss</originaltitle>
    <plot>A locksmith opens a door &amp; cannot close it.</plot>
    <tagline>Who knocks?</tagline>
    <runtime>102</runtime>
    <mpaa>Rated PG</mpaa>
    <uniqueid type="tmdb" default="true">900001</uniqueid>
    <uniqueid type="imdb">tt9900001</uniqueid>
    <genre>Drama</genre>
    <genre>Thriller</genre>
    <tag>locks</tag>
    <tag>doors</tag>
    <set><name>Quiet Things</name></set>
    <country>Austria</country>
    <country>Germany</country>
    <language>German</language>
    <credits>Ida Writer</credits>
    <director>Otto Director</director>
    <premiered>1995-12-15</premiered>
    <studio>Door Films</studio>
    <actor><name>Second Player</name><order>1</order></actor>
    <actor><name>First Player</name><order>0</order></actor>
</movie>"#;

const SUBTITLES: &str = "1\n00:00:01,000 --> 00:00:02,000\nWho is there?\n";

fn lay_out(root: &Path) {
    let long = format!(
        "<movie><title>Long</title><plot>P.</plot><trivia>{}</trivia><director>L</director></movie>",
        "x".repeat(5 << 20)
    );
    let files: &[(&str, &str)] = &[
        ("Quiet Lock (1995)/movie.nfo", QUIET_LOCK),
        ("Quiet Lock (1995)/Quiet Lock (1995).mkv", ""),
        ("Quiet Lock (1995)/Quiet Lock (1995).de.srt", SUBTITLES),
        ("Quiet Lock (1995)/screenplay.txt", "INT. HALL - NIGHT\n\nA door.\n"),
        ("Quiet Lock (1995)/poster.jpg", ""),
        ("Quiet Lock (1995)/trailer.mp4", ""),
        ("Quiet Lock (1995)/trailers/teaser.mp4", ""),
        ("Versions (2001) [imdbid-tt9900002]/Versions (2001) - 1080p.mkv", ""),
        ("Versions (2001) [imdbid-tt9900002]/Versions (2001) - Uncut.mkv", ""),
        ("Versions (2001) [imdbid-tt9900002]/folder.jpg", ""),
        ("Long (2002)/movie.nfo", &long),
        ("Broken (2003)/movie.nfo", "<movie>\n<title>"),
        ("Many/One (2004).mkv", ""),
        (
            "Many/One (2004).nfo",
            "<movie><title>One</title><genre>War</genre><year>2005</year></movie>",
        ),
        ("Many/One (2004)-trailer.mp4", ""),
        ("Many/Two [REC] (2006).mkv", ""),
        ("Many/Two [REC] (2006)-poster.jpg", ""),
        ("Show/tvshow.nfo", "<tvshow><title>Show</title><genre>Crime</genre></tvshow>"),
        ("Show/Season 1/Show S01E01.mkv", ""),
    ];
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// All that is known of a title but the order in which it was read.
fn known(title: &Title) -> String {
    format!("{title:#?}")
}

#[test]
fn training_and_tagging_see_the_same_columns_of_a_library() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    lay_out(root);
    let declared = CatalogSpec { format: Format::Source("library"), ..CatalogSpec::new(root) };
    let mut by_tagline = declared.clone();
    by_tagline.columns.plot = Some("tagline".to_owned());
    by_tagline.columns.transcript = Some("dialogue".to_owned());
    by_tagline.metadata.people = vec!["director".to_owned()];
    for spec in [declared, by_tagline] {
        let (trained, _) = catalog::load(&spec).unwrap();
        // The bundle remembers where its catalog was; the library may be anywhere now.
        let remembered = CatalogSpec { path: "somewhere/else".into(), ..spec };
        let trained_on = std::slice::from_ref(&remembered);
        let hints = Hints { trained: trained_on, ..Hints::default() };
        let tagged = catalog::open(&[root.to_owned()], &hints).unwrap();
        assert_eq!(tagged.seen, Seen::Library);
        assert_eq!(tagged.places.len(), tagged.catalog.titles.len());

        // A show has genres to learn from, and is none of the films that are tagged.
        let (shows, films): (Vec<_>, Vec<_>) =
            trained.titles.iter().partition(|title| title.id.as_str() == "Show");
        assert_eq!((shows.len(), films.len()), (1, 6));
        let of_training: Vec<String> = films.into_iter().map(known).collect();
        let mut without_show = tagged.catalog.clone();
        // Genres are numbered by the vocabulary, which the show's belongs to.
        for title in &mut without_show.titles {
            for genre in &mut title.genres {
                let name = tagged.catalog.vocabulary.name(*genre);
                *genre = trained.vocabulary.find(name).unwrap();
            }
        }
        let of_tagging: Vec<String> = without_show.titles.iter().map(known).collect();
        assert_eq!(of_tagging, of_training);
    }
}

#[test]
fn training_and_tagging_see_the_same_of_loose_trailers() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "Quiet Lock (1995) [imdbid-tt9900001].mp4",
        "Quiet Lock (1995) [imdbid-tt9900001].jpg",
        "Quiet Lock (1995) [imdbid-tt9900001].txt",
        "Tin Winter-trailer.mp4",
        "Tin Winter-trailer2.mp4",
        "a/same.mp4",
        "b/same.mp4",
        "alone | [x].png",
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "A door.").unwrap();
    }
    let format = Format::Source("trailers");
    let spec = CatalogSpec { format, ..CatalogSpec::new(folder.path()) };
    let (trained, _) = catalog::load(&spec).unwrap();
    let tagged = catalog::open(&[folder.path().to_owned()], &Hints::default()).unwrap();
    assert_eq!((tagged.seen, tagged.catalog.titles.len()), (Seen::Media, 5));
    for (tagged, trained) in tagged.catalog.titles.into_iter().zip(trained.titles) {
        // What stands in two folders is told apart by its path, which training takes from the folder.
        let id = tagged.id.as_str();
        let id = Path::new(id).strip_prefix(folder.path()).map_or(id, |id| id.to_str().unwrap());
        let id = TitleId::new(id);
        assert_eq!(known(&Title { id, ..tagged }), known(&trained));
    }
}
