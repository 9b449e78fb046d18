//! Folders made by the tests, and what is found in them.

use std::fs;

use super::*;
use crate::media_kind::has_extension;

fn found(files: &[&str]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let is_nfo = has_extension(&path, &["nfo"]);
        fs::write(path, if is_nfo { "<movie/>" } else { "" }).unwrap();
    }
    let show = |path: &Option<PathBuf>| {
        path.as_ref().map_or_else(|| "-".to_owned(), |path| file_name(path))
    };
    let library = find(root.path()).unwrap();
    assert!(library.unreadable.is_empty());
    library
        .items
        .iter()
        .map(|i| {
            let year = i.year.map_or_else(String::new, |year| format!(" {year}"));
            let nfo = i.nfos.first().cloned();
            let [film, nfo, poster] = [&i.film, &nfo, &i.poster].map(show);
            let trailers: Vec<_> = i.trailers.iter().map(|path| file_name(path)).collect();
            let trailers = if trailers.is_empty() { "-".to_owned() } else { trailers.join(", ") };
            format!("{}{year}: {film} {nfo} {poster} {trailers} {}", i.name, i.subtitles.len())
        })
        .collect()
}

#[test]
fn folders_of_their_own() {
    let items = found(&[
        "A (1995)/A (1995).mkv",
        "A (1995)/A (1995).nfo",
        "A (1995)/poster.jpg",
        "A (1995)/fanart.jpg",
        "A (1995)/A (1995)-trailer.mp4",
        "A (1995)/A (1995).en.srt",
        "A (1995)/extras/making.mkv",
        "B (2001) {imdb-tt9900001}/film.mp4",
        "B (2001) {imdb-tt9900001}/movie.nfo",
        "B (2001) {imdb-tt9900001}/folder.png",
        "B (2001) {imdb-tt9900001}/trailers/two.mp4",
        "B (2001) {imdb-tt9900001}/trailers/one.mp4",
        "C (2002)/movie.nfo",
        "C (2002)/trailer.mp4",
        "D (2003)/VIDEO_TS/VIDEO_TS.IFO",
        "D (2003)/VIDEO_TS/VTS_01_1.VOB",
        "Pictures/poster.jpg",
    ]);
    let expected = [
        "A 1995: A (1995).mkv A (1995).nfo poster.jpg A (1995)-trailer.mp4 1",
        "B 2001: film.mp4 movie.nfo folder.png one.mp4, two.mp4 0",
        "C 2002: - movie.nfo - trailer.mp4 0",
        "D 2003: VIDEO_TS - - - 0",
    ];
    assert_eq!(items, expected);
}

#[test]
fn one_folder_for_many_with_parts_and_shows() {
    let items = found(&[
        "E (1999)-cd1.avi",
        "E (1999)-cd2.avi",
        "E (1999).nfo",
        "E (1999)-poster.jpg",
        "F.mkv",
        "F.jpg",
        "F-trailer1.mp4",
        "F-trailer2.mp4",
        "F-sample.mkv",
        "G (2000)-trailer.mp4",
        "Shows/H/tvshow.nfo",
        "Shows/H/poster.jpg",
        "Shows/H/Season 01/H S01E01.mkv",
        "Shows/H/Season 01/H S01E01.nfo",
        ".hidden/x.mkv",
    ]);
    let expected = [
        "E 1999: E (1999)-cd1.avi E (1999).nfo E (1999)-poster.jpg - 0",
        "F: F.mkv - F.jpg F-trailer1.mp4, F-trailer2.mp4 0",
        "G 2000: - - - G (2000)-trailer.mp4 0",
        "H: - tvshow.nfo poster.jpg - 0",
    ];
    assert_eq!(items, expected);
}

#[test]
fn names_say_the_year_and_parts_their_film() {
    let of = |name: &str, year| (name.to_owned(), year);
    assert_eq!(name_and_year("Heat (1995) [1080p]"), of("Heat", Some(1995)));
    assert_eq!(name_and_year("2001 (A) (1968)"), of("2001 (A)", Some(1968)));
    assert_eq!(name_and_year("(1995)"), of("(1995)", None));
    assert_eq!(name_and_year("[REC]"), of("[REC]", None));
    assert_eq!(name_and_year("1984"), of("1984", None));
    for (stem, film) in [
        ("A-cd1", "A"),
        ("A - part 2", "A"),
        ("Apart 2", "Apart 2"),
        ("Se7en", "Se7en"),
        ("B2", "B2"),
    ] {
        assert_eq!(without_part(stem), film);
    }
    assert!(find(Path::new("no/such")).is_err());
}

#[test]
fn trailers_are_told_from_films_by_the_names_that_people_use() {
    let items = found(&[
        "Dot (2015)/Dot (2015).mkv",
        "Dot (2015)/Dot (2015).trailer.mp4",
        "Dot (2015)/Dot (2015).en.srt",
        "Dot (2015)/dot (2015).trailer.en.srt",
        "Under (2016)/Under (2016).mkv",
        "Under (2016)/under (2016)_TRAILER.MP4",
        "Space (2017)/Space (2017).mkv",
        "Space (2017)/Space (2017) trailer.mp4",
        "Numbered (2018)/film.mkv",
        "Numbered (2018)/trailer1.mp4",
        "Numbered (2018)/Trailer 2.mp4",
        "Several (2019)/Several (2019).mkv",
        "Several (2019)/Several (2019)-teaser.mp4",
        "Several (2019)/Several (2019)-trailer.mp4",
        "Several (2019)/trailer.mp4",
        "Several (2019)/Trailers/Teaser.mp4",
        "Several (2019)/Trailers/Trailer 2.mp4",
        "Words (2020)/Words (2020) [1080p].mkv",
        "Words (2020)/Words (2020)-trailer.mp4",
        "Words (2020)/Words.(2020).Trailer.1-trailer.mkv",
        "Words (2020)/Official Trailer #2-trailer.mp4",
        "Words (2020)/Before (1999)-trailer.mp4",
        "Without (2021)/First Look-trailer.mp4",
        "The Trailer (2022)/The Trailer.mkv",
    ]);
    let expected = [
        "Dot 2015: Dot (2015).mkv - - Dot (2015).trailer.mp4 1",
        "Numbered 2018: film.mkv - - Trailer 2.mp4, trailer1.mp4 0",
        "Several 2019: Several (2019).mkv - - Several (2019)-trailer.mp4, \
         Several (2019)-teaser.mp4, trailer.mp4, Trailer 2.mp4, Teaser.mp4 0",
        "Space 2017: Space (2017).mkv - - Space (2017) trailer.mp4 0",
        "The Trailer 2022: The Trailer.mkv - - - 0",
        "Under 2016: Under (2016).mkv - - under (2016)_TRAILER.MP4 0",
        "Without 2021: - - - First Look-trailer.mp4 0",
        "Before 1999: - - - Before (1999)-trailer.mp4 0",
        "Words 2020: Words (2020) [1080p].mkv - - Words (2020)-trailer.mp4, \
         Words.(2020).Trailer.1-trailer.mkv, Official Trailer #2-trailer.mp4 0",
    ];
    assert_eq!(items, expected);
}

#[test]
fn a_folder_of_trailers_belongs_to_the_films_beside_it() {
    let of_many = found(&[
        "A (1995).mkv",
        "B.mkv",
        "trailers/a (1995).mp4",
        "trailers/A (1995)-trailer2.mp4",
        "trailers/B.mp4",
        "trailers/C.mp4",
    ]);
    let expected =
        ["A 1995: A (1995).mkv - - A (1995)-trailer2.mp4, a (1995).mp4 0", "B: B.mkv - - B.mp4 0"];
    assert_eq!(of_many, expected);
    // Trailers of many titles are not one title's, whatever the folder is called.
    for collection in [
        &["trailers/a.mp4", "trailers/b.mp4"][..],
        &["demo/trailers/a.mp4", "demo/trailers/b.mp4", "demo/posters/a.jpg"],
    ] {
        assert!(found(collection).is_empty(), "{collection:?}");
    }
    let numbered = found(&["all/trailer1.mp4", "all/trailer2.mp4", "all/trailer003.mp4"]);
    assert_eq!(numbered.len(), 3, "{numbered:?}");
}

#[test]
fn a_release_groups_text_is_no_title_and_names_the_films_id() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("Heat (1995)");
    fs::create_dir(&folder).unwrap();
    for (name, bytes) in [
        ("Heat (1995).mkv", &b""[..]),
        ("poster.jpg", b""),
        ("group.nfo", b"\xdb\xb2 RELEASE \xb2\xdb\n imdb.com/title/tt9900001/\n"),
        ("empty.nfo", b""),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let library = find(root.path()).unwrap();
    let [heat] = &library.items[..] else { panic!("{:?}", library.items) };
    assert_eq!((heat.name.as_str(), heat.year), ("Heat", Some(1995)));
    assert_eq!(heat.imdb_id.as_deref(), Some("tt9900001"));
    assert_eq!(heat.poster, Some(folder.join("poster.jpg")));
    assert!(heat.nfos.is_empty(), "nothing is ever written into it");
    // A sidecar of another film stays one.
    fs::write(folder.join("Other (2001).nfo"), "\u{feff}\n<movie/>").unwrap();
    assert_eq!(find(root.path()).unwrap().items.len(), 2);
}

#[test]
fn versions_of_a_film_are_one_title_with_one_poster() {
    let items = found(&[
        "One (1999)/One (1999) - 1080p.mkv",
        "One (1999)/One (1999) - 1080p.nfo",
        "One (1999)/One (1999) - 1080p.en.srt",
        "One (1999)/One (1999) - 4K.mkv",
        "One (1999)/One (1999) - 4K.nfo",
        "One (1999)/One (1999) - 4K-trailer.mp4",
        "One (1999)/poster.jpg",
        "Two (2004)/Two (2004) {edition-Director's Cut}.mkv",
        "Two (2004)/Two (2004).mkv",
        "Two (2004)/folder.jpg",
        "Two (2004)/movie.nfo",
        "Uncut/Uncut-cd1.avi",
        "Uncut/Uncut-cd2.avi",
        "Uncut/Uncut - Extended-cd1.avi",
        "Uncut/poster.jpg",
        "Three (2005) - 1080p.mkv",
        "Three (2005) - Theatrical Cut.mkv",
        "Three (2005)-poster.jpg",
        "Four (2006) - 4K.mkv",
        "Four (2006).nfo",
        "Shorts (2004) - The Cat.mkv",
        "Shorts (2004) - The Dog.mkv",
    ]);
    let expected = [
        "Four 2006: Four (2006) - 4K.mkv Four (2006).nfo - - 0",
        "Shorts 2004: Shorts (2004) - The Cat.mkv - - - 0",
        "Shorts 2004: Shorts (2004) - The Dog.mkv - - - 0",
        "Three 2005: Three (2005) - 1080p.mkv - Three (2005)-poster.jpg - 0",
        "One 1999: One (1999) - 1080p.mkv One (1999) - 1080p.nfo poster.jpg \
         One (1999) - 4K-trailer.mp4 1",
        "Two 2004: Two (2004).mkv movie.nfo folder.jpg - 0",
        "Uncut: Uncut-cd1.avi - poster.jpg - 0",
    ];
    assert_eq!(items, expected);
}

#[test]
fn a_discs_sidecar_is_its_films() {
    let items = found(&[
        "A (1999)/VIDEO_TS/VIDEO_TS.IFO",
        "A (1999)/VIDEO_TS/VIDEO_TS.nfo",
        "A (1999)/poster.jpg",
        "B (2000)/BDMV/index.bdmv",
        "B (2000)/BDMV/index.nfo",
        "B (2000)/BDMV/STREAM/00001.m2ts",
        "C (2001)/VIDEO_TS.IFO",
        "C (2001)/VIDEO_TS.nfo",
        "C (2001)/VTS_01_1.VOB",
        "D (2002)/video_ts/video_ts.ifo",
        "D (2002)/video_ts/video_ts.NFO",
        "E (2003)/VIDEO_TS/VIDEO_TS.nfo",
        "E (2003)/E (2003).mkv",
        "E (2003)/E (2003).nfo",
        "F (2004)/VIDEO_TS/VIDEO_TS.nfo",
        "F (2004)/movie.nfo",
    ]);
    let expected = [
        "A 1999: VIDEO_TS VIDEO_TS.nfo poster.jpg - 0",
        "B 2000: BDMV index.nfo - - 0",
        "C 2001: VIDEO_TS.IFO VIDEO_TS.nfo - - 0",
        "D 2002: video_ts video_ts.NFO - - 0",
        "E 2003: E (2003).mkv E (2003).nfo - - 0",
        "F 2004: VIDEO_TS VIDEO_TS.nfo - - 0",
    ];
    assert_eq!(items, expected);
}

#[test]
fn all_sidecars_of_a_film_are_found_and_the_one_of_its_file_is_first() {
    let root = tempfile::tempdir().unwrap();
    for file in ["A (1999).mkv", "A (1999).nfo", "movie.nfo", "VIDEO_TS/VIDEO_TS.nfo"] {
        let path = root.path().join("A (1999)").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "<movie/>").unwrap();
    }
    let library = find(root.path()).unwrap();
    let [film] = &library.items[..] else { panic!("{:?}", library.items) };
    let names: Vec<String> = film.nfos.iter().map(|nfo| file_name(nfo)).collect();
    assert_eq!(names, ["A (1999).nfo", "VIDEO_TS.nfo", "movie.nfo"]);
    assert_eq!(film.num_versions, 2);
}

#[test]
fn linked_films_are_found_and_the_folders_own_path_is_what_counts() {
    use std::os::unix::fs::symlink;
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [root.path().join("B (2000)"), other.path().join("C (2001)")] {
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("movie.nfo"), "<movie/>").unwrap();
    }
    symlink("B (2000)", root.path().join("A link")).unwrap();
    symlink(other.path().join("C (2001)"), root.path().join("A (2001)")).unwrap();
    symlink(root.path(), root.path().join("B (2000)/round")).unwrap();
    let library = find(root.path()).unwrap();
    let folders: Vec<String> = library.items.iter().map(|item| file_name(&item.folder)).collect();
    assert_eq!(folders, ["A (2001)", "B (2000)"], "in the order of their names");
    assert!(library.unreadable.is_empty());
}
