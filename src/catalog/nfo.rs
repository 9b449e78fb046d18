//! NFO sidecars as Kodi, Jellyfin, Emby, tinyMediaManager and Radarr write them.
//!
//! in: a file's bytes; out: what it says of the title ([`Nfo`]). Nothing is written here.
//!
//! source: Kodi wiki, "NFO files" (v20); Jellyfin's `lockdata`, `lockedfields`, `imdbid` and
//! `tmdbid`. A file that holds only the address of a page about the film ("parsing NFO") gives
//! the id in that address; an address after the XML ("combination NFO") is not read.

use std::collections::{BTreeMap, HashSet};

use base::{ErrorKind, Hinted};

use super::{
    decode::decode,
    ids::{imdb_id_in, tmdb_id_in},
    xml::{self, Element},
};

/// What an NFO file says; every text is trimmed and not empty, lists are in the file's order
/// without repetitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nfo {
    /// The root element in lower case (`movie`, `tvshow`, `episodedetails`, `musicvideo`);
    /// empty for a file that is only an address.
    pub root: String,
    /// The name people know it by.
    pub title: Option<String>,
    /// The name in the language it was made in.
    pub original_title: Option<String>,
    /// Year of release: of `year`, else of `premiered`, `releasedate` or `aired`.
    pub year: Option<i32>,
    /// What happens in it: `plot`, else `outline`.
    pub plot: Option<String>,
    /// The line on the poster.
    pub tagline: Option<String>,
    /// Genres; an element that names several (`Drama / War`) is taken apart.
    pub genres: Vec<String>,
    /// Genres that the program gave by its own account (`<cinetag><reason genre="…">`); one that is
    /// not among the `genres` any more was taken out by somebody.
    pub given: Vec<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// Running time in minutes.
    pub runtime_min: Option<f64>,
    /// Certificate (`PG-13`).
    pub certificate: Option<String>,
    /// Countries of production.
    pub countries: Vec<String>,
    /// Languages, where the file names them.
    pub languages: Vec<String>,
    /// Studios.
    pub studios: Vec<String>,
    /// Directors.
    pub directors: Vec<String>,
    /// Writers (`credits`, `writer`).
    pub writers: Vec<String>,
    /// Actors by `order`, where given, else as listed.
    pub actors: Vec<String>,
    /// The collection it belongs to.
    pub set: Option<String>,
    /// Ids by the site that gives them, in lower case (`imdb`, `tmdb`, `tvdb`). `imdb` is
    /// only there where it has an IMDb id's form.
    pub ids: BTreeMap<String, String>,
    /// Whether `lockdata` forbids programs to change what stands here.
    pub is_locked: bool,
    /// Single fields that must not be changed, as `lockedfields` names them (`Genres`).
    pub locked_fields: Vec<String>,
}

/// A file that is no NFO.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, character {column}: {message}")]
pub struct NfoError {
    /// 1-based.
    pub line: u64,
    /// 1-based.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

impl Hinted for NfoError {
    fn hint(&self) -> Option<String> {
        Some("mend the XML there, or let the media manager write the file anew".to_owned())
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// An NFO file is no larger; those of shows with a thousand actors have half a megabyte.
pub const MAX_BYTES: usize = 8 << 20;

/// Reads an NFO file.
///
/// Its encoding is what a byte order mark or the XML declaration says, else UTF-8, else
/// Windows-1252.
///
/// # Errors
/// It is neither XML nor an address.
pub fn read(bytes: &[u8]) -> Result<Nfo, NfoError> {
    if bytes.len() > MAX_BYTES {
        let message = format!("it has {} bytes, more than {MAX_BYTES}", bytes.len());
        return Err(NfoError { line: 1, column: 1, message });
    }
    let text = decode(bytes, declared_encoding(bytes));
    match xml::parse(&text) {
        Ok(root) => Ok(Nfo::of(&root)),
        Err(fault) => address(&text).ok_or_else(|| {
            let before = String::from_utf8_lossy(&text.as_bytes()[..fault.byte_idx]);
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            NfoError {
                line: before.matches('\n').count() as u64 + 1,
                column: before[line_start..].chars().count() as u64 + 1,
                message: fault.message,
            }
        }),
    }
}

/// `encoding="…"` of the XML declaration.
fn declared_encoding(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(200)];
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let declaration = str::from_utf8(&head[..end]).ok()?;
    let (_, rest) = declaration.split_once("encoding")?;
    rest.split(['"', '\'']).nth(1)
}

/// The id in a file that is only the address of a page about the film.
fn address(text: &str) -> Option<Nfo> {
    let mut nfo = Nfo::default();
    if !text.contains('<') && text.contains("://") {
        nfo.ids.extend(imdb_id_in(text).map(|id| ("imdb".to_owned(), id)));
        nfo.ids.extend(tmdb_id_in(text).map(|id| ("tmdb".to_owned(), id)));
    }
    (!nfo.ids.is_empty()).then_some(nfo)
}

impl Nfo {
    fn of(root: &Element) -> Self {
        let text = |name| root.child_text(name).map(str::to_owned);
        let first = |names: &[&'static str]| names.iter().find_map(|name| text(name));
        let several = |names: &[&'static str]| {
            let named = root.children.iter().filter(|child| names.contains(&child.name.as_str()));
            each_once(named.flat_map(|child| parts(child.text().unwrap_or_default())))
        };
        Self {
            root: root.name.clone(),
            title: text("title"),
            original_title: text("originaltitle"),
            year: ["year", "premiered", "releasedate", "aired"]
                .iter()
                .find_map(|name| root.child_text(name).and_then(year_of)),
            plot: first(&["plot", "outline"]),
            tagline: text("tagline"),
            genres: several(&["genre"]),
            given: given(root),
            tags: several(&["tag"]),
            runtime_min: root.child_text("runtime").and_then(leading_number),
            certificate: first(&["mpaa", "certification", "customrating"]),
            countries: several(&["country"]),
            languages: several(&["language", "languages"]),
            studios: several(&["studio"]),
            directors: several(&["director"]),
            writers: several(&["credits", "writer"]),
            actors: actors(root),
            set: set(root),
            ids: ids(root),
            is_locked: root.child_text("lockdata").is_some_and(|v| v.eq_ignore_ascii_case("true")),
            locked_fields: root
                .child_text("lockedfields")
                .map(|list| list.split('|').map(|field| field.trim().to_owned()).collect())
                .unwrap_or_default(),
        }
    }

    /// Whether programs must not change the genres.
    #[must_use]
    pub fn genres_are_locked(&self) -> bool {
        self.is_locked || self.locked_fields.iter().any(|f| f.eq_ignore_ascii_case("genres"))
    }
}

/// `Drama / War` names two; `AC/DC` is one.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(" / ")
        .flat_map(|part| part.split('|'))
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// The names in their order, each where it comes first.
fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}

/// `1995`, `1995-12-15`.
fn year_of(text: &str) -> Option<i32> {
    let digits = text.get(..4)?;
    let stands_alone = text[4..].chars().next().is_none_or(|next| !next.is_ascii_digit());
    digits.parse().ok().filter(|year| stands_alone && (1870..=2100).contains(year))
}

/// `102`, `102 min`.
fn leading_number(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].parse().ok().filter(|&number| number > 0.0)
}

fn actors(root: &Element) -> Vec<String> {
    let mut ordered: Vec<(f64, &str)> = root
        .all("actor")
        .filter_map(|actor| {
            let order = actor.child_text("order").and_then(|order| order.parse().ok());
            // Kodi's <actor><name>…; some write the name itself inside.
            Some((order.unwrap_or(f64::INFINITY), actor.child_text("name").or(actor.text())?))
        })
        .collect();
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    each_once(ordered.into_iter().map(|(_, name)| name))
}

/// What `write` puts beside genres that the program gave.
fn given(root: &Element) -> Vec<String> {
    let reasons = root.all("cinetag").flat_map(|own| own.all("reason"));
    each_once(reasons.filter_map(|reason| reason.attribute("genre")))
}

/// `<set><name>…</name></set>`, before Kodi 17 `<set>…</set>`.
fn set(root: &Element) -> Option<String> {
    let set = root.all("set").next()?;
    set.child_text("name").or(set.text()).map(str::to_owned)
}

fn ids(root: &Element) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    let mut add = |site: &str, id: Option<&str>| {
        let Some(id) = id else { return };
        let site = match site.to_lowercase().as_str() {
            "themoviedb" | "tmdbid" => "tmdb".to_owned(),
            "imdbid" | "imdb_id" => "imdb".to_owned(),
            other => other.to_owned(),
        };
        let id = if site == "imdb" { imdb_id_in(id) } else { Some(id.to_owned()) };
        if let Some(id) = id {
            ids.entry(site).or_insert(id);
        }
    };
    for unique in root.all("uniqueid") {
        add(unique.attribute("type").unwrap_or("unknown"), unique.text());
    }
    for name in ["imdbid", "imdb_id", "tmdbid"] {
        add(name, root.child_text(name));
    }
    // Before Kodi 17 the IMDb id stood here; now whatever is the default stands here.
    for id in root.all("id") {
        add("imdb", id.attribute("imdb").or(id.text()));
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kodi 20's form: ratings, uniqueids, set with a name, actors with an order.
    const KODI: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
<movie>
    <title>The Quiet Lock</title>
    <originaltitle>Das stille Schloss</originaltitle>
    <ratings><rating name="imdb" max="10" default="true"><value>7.1</value><votes>1200</votes></rating></ratings>
    <outline>Short.</outline>
    <plot>A locksmith opens a door &amp; cannot close it.</plot>
    <runtime>102</runtime>
    <mpaa>Rated PG</mpaa>
    <uniqueid type="tmdb" default="true">900001</uniqueid>
    <uniqueid type="imdb">tt9900001</uniqueid>
    <genre>Drama</genre>
    <genre>Thriller</genre>
    <tag>locks</tag>
    <set><name>Quiet Things</name><overview></overview></set>
    <country>Austria</country>
    <credits>Ida Writer</credits>
    <director>Otto Director</director>
    <premiered>1995-12-15</premiered>
    <studio>Door Films</studio>
    <actor><name>Second Player</name><role>Key</role><order>1</order></actor>
    <actor><name>First Player</name><role>Lock</role><order>0</order></actor>
</movie>"#;

    #[test]
    fn kodi() {
        let nfo = read(KODI.as_bytes()).unwrap();
        assert_eq!(nfo.root, "movie");
        assert_eq!(nfo.title.as_deref(), Some("The Quiet Lock"));
        assert_eq!(nfo.year, Some(1995));
        assert_eq!(nfo.plot.as_deref(), Some("A locksmith opens a door & cannot close it."));
        assert_eq!((nfo.genres.len(), nfo.runtime_min), (2, Some(102.0)));
        assert_eq!(nfo.actors, ["First Player", "Second Player"]);
        assert_eq!(nfo.set.as_deref(), Some("Quiet Things"));
        assert_eq!((nfo.ids["imdb"].as_str(), nfo.ids["tmdb"].as_str()), ("tt9900001", "900001"));
        assert!(!nfo.genres_are_locked());
    }

    #[test]
    fn jellyfin_locks() {
        let nfo = |inside: &str| read(format!("<movie>{inside}</movie>").as_bytes()).unwrap();
        let one = nfo("<lockdata>false</lockdata><lockedfields>Cast|Genres</lockedfields>\
                       <imdbid>tt9900002</imdbid><tmdbid>12</tmdbid><writer>A</writer>");
        assert!(one.genres_are_locked() && !one.is_locked);
        assert_eq!((one.ids["imdb"].as_str(), one.ids["tmdb"].as_str()), ("tt9900002", "12"));
        assert_eq!(one.writers, ["A"]);
        assert!(nfo("<lockdata>True</lockdata>").genres_are_locked());
    }

    #[test]
    fn older_and_odd_forms() {
        let nfo = read(
            b"<movie><id>tt9900003</id><set>Old Set</set><genre>Drama / War</genre>\
              <genre>Drama</genre><year>0</year><releasedate>2001-02-03</releasedate>\
              <outline>Only this.</outline><runtime>95 min</runtime></movie>\n\
              https://www.themoviedb.org/movie/77",
        )
        .unwrap();
        assert_eq!(nfo.ids["imdb"], "tt9900003");
        assert_eq!(nfo.genres, ["Drama", "War"]);
        assert_eq!((nfo.year, nfo.runtime_min), (Some(2001), Some(95.0)));
        assert_eq!(
            (nfo.plot.as_deref(), nfo.set.as_deref()),
            (Some("Only this."), Some("Old Set"))
        );
        let id_only = read(b"<movie><id>900001</id></movie>").unwrap();
        assert_eq!(id_only.ids.get("imdb"), None, "a number is no IMDb id");
    }

    #[test]
    fn what_is_too_large_is_refused_and_many_names_are_read_once_each() {
        let named = |num: usize| {
            let names: Vec<String> =
                (0..num).map(|n| format!("<director>{n}</director>")).collect();
            let names = names.concat();
            format!("<movie>{names}{names}</movie>")
        };
        let nfo = read(named(2_000).as_bytes()).unwrap();
        assert_eq!((nfo.directors.len(), nfo.directors[1_999].as_str()), (2_000, "1999"));
        let error = read(named(40_000).as_bytes()).unwrap_err();
        assert!(error.message.contains("more than 50000 elements"), "{error}");
        let long = format!("<movie><plot>{}</plot></movie>", "a".repeat(MAX_BYTES));
        assert!(read(long.as_bytes()).unwrap_err().message.contains("bytes, more than"));
    }

    #[test]
    fn addresses_encodings_and_garbage() {
        let nfo = read(b"https://www.imdb.com/title/tt9900004/?ref=x\n").unwrap();
        assert_eq!((nfo.root.as_str(), nfo.ids["imdb"].as_str()), ("", "tt9900004"));
        let nfo = read(b"https://www.themoviedb.org/movie/603-some-name").unwrap();
        assert_eq!(nfo.ids["tmdb"], "603");
        let latin =
            b"<?xml version='1.0' encoding='iso-8859-1'?><movie><title>Caf\xe9</title></movie>";
        assert_eq!(read(latin).unwrap().title.as_deref(), Some("Café"));
        let error = read(b"<movie>\n  <title>x</movie>").unwrap_err();
        assert_eq!(error.line, 2, "{error}");
        assert!(error.hint().is_some());
        for garbage in [&b""[..], b"plain words", b"\x00\xff\xfe", b"<movie>"] {
            assert!(read(garbage).is_err());
        }
    }
}
