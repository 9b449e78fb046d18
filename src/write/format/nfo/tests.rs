//! NFO files with genres put into them and taken out again.

use catalog::nfo::{self, Nfo};
use proptest::prelude::*;

use super::{update::update as update_nfo, *};
use crate::{
    testing::{tags_of, title_of},
    xml_text,
};

pub(crate) const KODI: &[u8] = include_bytes!("samples/kodi.nfo");
const JELLYFIN: &[u8] = include_bytes!("samples/jellyfin.nfo");
const TINY_MEDIA_MANAGER: &[u8] = include_bytes!("samples/tinymediamanager.nfo");
pub(crate) const RADARR: &[u8] = include_bytes!("samples/radarr.nfo");
const LATIN1: &[u8] = include_bytes!("samples/latin1.nfo");
const SAMPLES: [&[u8]; 5] = [KODI, JELLYFIN, TINY_MEDIA_MANAGER, RADARR, LATIN1];

fn utf16(text: &str, big_endian: bool, mark: bool) -> Vec<u8> {
    let marked = if mark { format!("\u{feff}{text}") } else { text.to_owned() };
    let bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    marked.encode_utf16().flat_map(bytes).collect()
}

/// All samples, and the first in every encoding.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let text = std::str::from_utf8(KODI).unwrap();
    let utf16_text = text.replace("UTF-8", "UTF-16");
    let mut samples: Vec<Vec<u8>> = SAMPLES.iter().map(|bytes| bytes.to_vec()).collect();
    for (big_endian, mark) in [(false, true), (true, true), (false, false), (true, false)] {
        samples.push(utf16(&utf16_text, big_endian, mark));
    }
    samples.push(b"<movie/>".to_vec());
    samples.push(b"<movie><title>One line</title></movie>".to_vec());
    samples.push(b"<movie></movie>\n".to_vec());
    samples
}

fn write(genres: &[&str], existing: Existing<'_>) -> (Vec<u8>, Vec<String>, Vec<String>) {
    match update_nfo(&tags_of(genres), existing) {
        Update::Write { bytes, given, removed } => (bytes, given, removed),
        Update::Leave { reason } => panic!("left alone: {reason}"),
    }
}

fn of(bytes: &[u8]) -> Existing<'_> {
    Existing { bytes: Some(bytes), ..Existing::default() }
}

/// What a reader of such files makes of it.
fn read(bytes: &[u8]) -> Nfo {
    nfo::read(xml_text::decode(bytes).as_bytes()).unwrap()
}

pub(crate) fn genres_in(bytes: &[u8]) -> Vec<String> {
    read(bytes).genres
}

/// Whether `small` is `large` with some ranges taken out.
fn is_subsequence(small: &[u8], large: &[u8]) -> bool {
    let mut rest = large.iter();
    small.iter().all(|byte| rest.any(|other| other == byte))
}

#[test]
fn genres_come_in_and_go_out_again_and_leave_every_byte() {
    for original in samples() {
        let (tagged, given, removed) = write(&["Thriller", "Sci-Fi"], of(&original));
        assert_eq!(given, ["Thriller", "Sci-Fi"]);
        assert!(removed.is_empty());
        assert!(is_subsequence(&original, &tagged) || original == b"<movie/>");
        let genres = genres_in(&tagged);
        assert!(genres.ends_with(&given), "{genres:?}");
        let before = read(&original);
        let after = read(&tagged);
        let others = Nfo { genres: before.genres.clone(), given: Vec::new(), ..after };
        assert_eq!(others, before, "nothing but the genres reads differently");

        // Given again: the same bytes. Given no more: the bytes before.
        let again = Existing { given: &given, ..of(&tagged) };
        assert_eq!(write(&["Thriller", "Sci-Fi"], again).0, tagged);
        let (back, given, _) = write(&[], again);
        assert!(given.is_empty());
        let has_lines = original != b"<movie/>" && original != b"<movie></movie>\n";
        if has_lines {
            assert_eq!(back, original, "{}", String::from_utf8_lossy(&back));
        } else {
            assert!(genres_in(&back).is_empty());
        }
    }
}

#[test]
fn new_genres_stand_beside_the_old_as_the_file_is_written() {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (kodi, ..) = write(&["Thriller"], of(KODI));
    assert!(
        text(&kodi).contains("    <genre>Mystery</genre>\n    <genre>Thriller</genre>\n    <tag>")
    );
    assert!(text(&kodi).contains("    <cinetag version="));
    let (tmm, ..) = write(&["Thriller"], of(TINY_MEDIA_MANAGER));
    assert!(text(&tmm).contains("<genre>Documentary</genre>\r\n  <genre>Thriller</genre>\r\n"));
    assert!(!text(&tmm).replace("\r\n", "").contains('\n'), "all line ends are the file's");
    let (radarr, ..) = write(&["Thriller"], of(RADARR));
    assert!(text(&radarr).ends_with("</movie>\nhttps://www.themoviedb.org/movie/900004?language=en&x=1\nhttps://www.imdb.com/title/tt9900004"));
    // What the encoding cannot hold is written as a reference.
    let (latin1, ..) = write(&["Комедия"], of(LATIN1));
    assert!(latin1.is_ascii() || latin1.windows(5).any(|w| w == b"Caf\xe9 "));
    assert_eq!(genres_in(&latin1), ["Комедия"]);
    let (line, ..) = write(&["A&B"], of(b"<movie><title>One line</title></movie>"));
    assert!(
        text(&line).starts_with("<movie><title>One line</title><genre>A&amp;B</genre><cinetag ")
    );
}

#[test]
fn what_people_decided_stays() {
    // Their genre is theirs, also where the model agrees, in whatever spelling.
    let (bytes, given, _) = write(&["drama", "Thriller"], of(KODI));
    assert_eq!(given, ["Thriller"]);
    assert_eq!(genres_in(&bytes), ["Drama", "Mystery", "Thriller"]);
    // Several in one element, as older versions wrote them.
    let old = b"<movie><genre>Drama / Sci-Fi</genre></movie>";
    assert_eq!(write(&["Sci-Fi", "Drama"], of(old)).1, Vec::<String>::new());

    // A genre of ours that somebody took out does not come back, also much later.
    let edited =
        String::from_utf8(bytes.clone()).unwrap().replace("    <genre>Thriller</genre>\n", "");
    let existing = Existing { given: &given, ..of(edited.as_bytes()) };
    let (kept, given, removed) = write(&["Thriller", "Horror"], existing);
    assert_eq!(
        (given.as_slice(), removed.as_slice()),
        (&["Horror".to_owned()][..], &["Thriller".to_owned()][..])
    );
    let existing = Existing { given: &given, removed: &removed, ..of(&kept) };
    let (_, given, removed) = write(&["Thriller"], existing);
    assert!(given.is_empty() && removed == ["Thriller"]);
    // Without any memory the file itself says what was given.
    let (_, given, removed) = write(&["Thriller", "Horror"], of(edited.as_bytes()));
    assert_eq!((given, removed), (vec!["Horror".to_owned()], vec!["Thriller".to_owned()]));

    // A file that was ours and is gone stays gone.
    let gone = Existing { given: &["Drama".to_owned()], ..Existing::default() };
    assert!(matches!(update_nfo(&tags_of(&["Drama"]), gone), Update::Leave { .. }));
}

#[test]
fn what_is_locked_or_not_understood_is_left_alone() {
    let reason = |text: &[u8]| match update_nfo(&tags_of(&["Drama"]), of(text)) {
        Update::Leave { reason } => reason,
        Update::Write { bytes, .. } => panic!("written: {}", String::from_utf8_lossy(&bytes)),
    };
    for (text, part) in [
        (&b"<movie><lockdata>True</lockdata></movie>"[..], "lockdata"),
        (b"<movie><lockedfields>Cast|Genres</lockedfields></movie>", "lockedfields"),
        (b"<movie><title>x</movie>", "well-formed"),
        (b"<movie><title>x</title>", "too early"),
        (b"https://www.themoviedb.org/movie/1", "no XML"),
        (b"", "no XML"),
        (b"<movie></movie><movie></movie>", "something else"),
        (b"<rss></rss>", "<rss>"),
        (b"<?xml version='1.0' encoding='x-none'?><movie/>", "x-none"),
        (b"<?xml version='1.0' encoding='ISO-2022-JP'?><movie/>", "ISO-2022-JP"),
        (b"<\0m\0o", "middle"),
    ] {
        assert!(reason(text).contains(part), "{}: {}", String::from_utf8_lossy(text), reason(text));
    }
}

#[test]
fn a_new_file_of_a_known_film_lets_media_centres_look_it_up() {
    let ids = |imdb: Option<&str>, tmdb: Option<&str>| FilmIds {
        imdb: imdb.map(str::to_owned),
        tmdb: tmdb.map(str::to_owned),
    };
    for (ids, address) in [
        (ids(None, Some("603")), "https://www.themoviedb.org/movie/603"),
        (ids(Some("tt9900001"), None), "https://www.imdb.com/title/tt9900001/"),
        (ids(Some("tt9900001"), Some("603")), "https://www.themoviedb.org/movie/603"),
    ] {
        let (bytes, given, _) =
            write(&["Drama"], Existing { ids: Some(&ids), ..Existing::default() });
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.ends_with(&format!("</movie>\n{address}\n")), "{text}");
        let nfo = read(&bytes);
        assert_eq!(
            (nfo.title, nfo.year),
            (None, None),
            "a guess would stay where a name is looked up"
        );
        assert_eq!(
            (nfo.ids.get("imdb"), nfo.ids.get("tmdb")),
            (ids.imdb.as_ref(), ids.tmdb.as_ref())
        );
        assert_eq!(nfo.genres, given);
        assert_eq!(text.matches("default=\"true\"").count(), 1);
        // The file is changed like any other from then on.
        let (bytes, ..) = write(&["War"], Existing { given: &given, ..of(&bytes) });
        assert!(String::from_utf8(bytes).unwrap().ends_with(&format!("</movie>\n{address}\n")));
    }
    assert_eq!(NewNfo::ALL.map(|(_, new)| new.makes(&ids(None, None))), [false, true, false]);
    assert_eq!(
        NewNfo::ALL.map(|(_, new)| new.makes(&ids(Some("tt9900001"), None))),
        [true, true, false]
    );
    let mut title = title_of("tt9900001");
    assert_eq!(FilmIds::of_title(&title), ids(Some("tt9900001"), None));
    title.fields.insert("tmdb_id".into(), "603".into());
    title.fields.insert("imdb_id".into(), "tt1</x>".into());
    assert_eq!(FilmIds::of_title(&title), ids(Some("tt9900001"), Some("603")));
}

#[test]
fn a_new_file_says_title_and_year() {
    let (bytes, given, _) = write(&["Drama"], Existing::default());
    let nfo = read(&bytes);
    assert_eq!((nfo.title.as_deref(), nfo.year), (Some("A <Film> & more"), Some(1995)));
    assert_eq!((nfo.genres, given), (vec!["Drama".to_owned()], vec!["Drama".to_owned()]));
    assert!(matches!(update_nfo(&tags_of(&[]), Existing::default()), Update::Leave { .. }));
}

proptest! {
    /// Whatever stands in a file: giving tags twice gives the same bytes, no byte of the file
    /// is lost, and taking the tags back gives the file.
    #[test]
    fn any_file_keeps_its_bytes(
        parts in prop::collection::vec((
            prop::sample::select(vec!["title", "genre", "x:y", "outline", "actor", "cinetagged"]),
            "[a-zA-Zäöü &;\\n\\t'\"/|-]{0,20}",
            prop::sample::select(vec!["\n  ", "\r\n\t", "", " ", "\n<!-- <genre>no</genre> -->\n"]),
        ), 1..12),
        end in prop::sample::select(vec!["\n", "", "\nhttp://example.org/?a=1&b", "\r\n<!-- x -->"]),
        first in prop::sample::subsequence(vec!["Drama", "Sci-Fi", "Film-Noir", "War"], 0..4),
        second in prop::sample::subsequence(vec!["Drama", "Sci-Fi", "Film-Noir", "War"], 0..4),
    ) {
        let mut inside = String::new();
        for (name, text, space) in &parts {
            inside += &[space, "<", name, ">", text, "</", name, ">"].concat();
        }
        let original = format!("<movie>{inside}\n</movie>{end}").into_bytes();
        let (once, given, removed) = write(&first, of(&original));
        prop_assert!(removed.is_empty());
        prop_assert!(is_subsequence(&original, &once));
        let existing = Existing { given: &given, ..of(&once) };
        prop_assert_eq!(&write(&first, existing).0, &once);
        let (other, other_given, removed) = write(&second, existing);
        prop_assert!(removed.is_empty());
        prop_assert!(is_subsequence(&original, &other));
        let existing = Existing { given: &other_given, ..of(&other) };
        prop_assert_eq!(&write(&[], existing).0, &original);
    }

    #[test]
    fn arbitrary_bytes_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = update_nfo(&tags_of(&["Drama"]), of(&bytes));
    }
}
