//! Genres in an NFO file of Kodi and Jellyfin, given and taken back without touching a byte
//! that is somebody else's.
//!
//! in: the file's bytes, what the program gave before, the new tags; out: the new bytes.
//!
//! A genre is a `<genre>` element in the root, which is what both media centres filter by
//! (`<tag>` is left to people). Why it was given stands in one `<cinetag>` element, which both
//! pass over. Elements, comments, order, encoding, line ends, and an address after the XML stay
//! as they are: the new file is the old one with a few ranges of bytes replaced.
//!
//! source: <https://kodi.wiki/view/NFO_files/Movies>, Jellyfin's `BaseNfoParser`

use std::ops::Range;

use quick_xml::escape::escape;
use tag::{GenreScore, TitleTags};

use super::new::without_genres;
use crate::{
    format::{Existing, Update, evidence::in_words, xml::clean},
    xml_text::{Element, XmlText},
};

/// Roots whose `<genre>` means a genre.
const ROOTS: [&str; 4] = ["movie", "tvshow", "episodedetails", "musicvideo"];
const OURS: &str = "cinetag";
const REASON: &str = "reason";

/// The genres of a file, and who gave them.
struct Genres<'a> {
    ours: Vec<(&'a Element, String)>,
    /// Of people and scrapers, lower case.
    others: Vec<String>,
    /// Given by the program and taken out by somebody since.
    taken_out: Vec<String>,
}

/// The file with the tags in it.
pub(crate) fn update(tags: &TitleTags, existing: Existing<'_>) -> Update {
    let Some(bytes) = existing.bytes else {
        return new_file(tags, existing);
    };
    let xml = match XmlText::parse(bytes) {
        Ok(xml) => xml,
        Err(reason) => return Update::leave(reason),
    };
    if !ROOTS.contains(&xml.root().name.as_str()) {
        return Update::leave(format!("it is about a <{}>", xml.root().name));
    }
    if let Some(lock) = lock(&xml) {
        return Update::leave(lock);
    }
    let genres = genres(&xml, existing.given);
    let mut removed = existing.removed.to_vec();
    removed
        .extend(genres.taken_out.iter().filter(|name| !existing.removed.contains(name)).cloned());
    let is_unwanted = |name: &str| {
        let is_same = |other: &String| other.to_lowercase() == name.to_lowercase();
        removed.iter().any(is_same) || genres.others.iter().any(is_same)
    };
    let wanted: Vec<&GenreScore> =
        tags.scores.iter().filter(|s| s.decision && !is_unwanted(&s.genre)).collect();
    let given: Vec<String> = wanted.iter().map(|score| score.genre.clone()).collect();

    let old = xml.children().find(|child| child.name == OURS);
    let with = |tags: &TitleTags| splice(bytes, edits(&xml, &genres, &wanted, old, tags));
    let mut new = with(tags);
    if let Some(tagged_at) = existing.tagged_at.or_else(|| old.and_then(|old| time(&xml, old))) {
        // What differs in nothing but the time is not written again.
        let as_before = with(&TitleTags { tagged_at: Some(tagged_at), ..tags.clone() });
        if as_before == bytes {
            new = as_before;
        }
    }
    Update::Write { bytes: new, given, removed }
}

/// A file of the program's own, where there was none.
fn new_file(tags: &TitleTags, existing: Existing<'_>) -> Update {
    if !existing.given.is_empty() {
        return Update::leave("it was written before and taken away since");
    }
    if tags.genres.is_empty() {
        return Update::leave("no genre is given, and there is no file to keep");
    }
    let text = without_genres(tags, existing.ids);
    update(tags, Existing { bytes: Some(text.as_bytes()), ..existing })
}

/// Why the genres may not be changed, if so.
fn lock(xml: &XmlText<'_>) -> Option<&'static str> {
    xml.children().find_map(|child| match child.name.as_str() {
        "lockdata" if xml.text(child).eq_ignore_ascii_case("true") => {
            Some("it is locked (lockdata)")
        }
        "lockedfields" => xml
            .text(child)
            .split(['|', ','])
            .any(|field| field.trim().eq_ignore_ascii_case("genres"))
            .then_some("its genres are locked (lockedfields)"),
        _ => None,
    })
}

fn genres<'a>(xml: &'a XmlText<'_>, given: &[String]) -> Genres<'a> {
    let mut known: Vec<String> = given.to_vec();
    // Where the program's memory was lost, the file itself says what it gave.
    for ours in xml.children().filter(|child| child.name == OURS) {
        let reasons = xml.inside(ours).filter(|element| element.name == REASON);
        known.extend(reasons.filter_map(|reason| xml.attribute(reason, "genre")));
    }
    let mut genres = Genres { ours: Vec::new(), others: Vec::new(), taken_out: Vec::new() };
    for element in xml.children().filter(|child| child.name == "genre") {
        let text = xml.text(element);
        let is_given = known.contains(&text);
        if is_given && !genres.ours.iter().any(|(_, name)| *name == text) {
            genres.ours.push((element, text));
        } else {
            // Several may stand in one element, as older Kodi versions wrote them.
            let parts = text.split(['/', '|', ',']).map(|part| part.trim().to_lowercase());
            genres.others.extend(parts.filter(|part| !part.is_empty()));
            genres.others.push(text.to_lowercase());
        }
    }
    for name in known {
        let is_there = genres.ours.iter().any(|(_, ours)| *ours == name);
        if !is_there && !genres.taken_out.contains(&name) {
            genres.taken_out.push(name);
        }
    }
    genres
}

/// A range of bytes and what comes in its place.
type Edit = (Range<usize>, Vec<u8>);

fn edits(
    xml: &XmlText<'_>,
    genres: &Genres<'_>,
    wanted: &[&GenreScore],
    old: Option<&Element>,
    tags: &TitleTags,
) -> Vec<Edit> {
    let mut edits = Vec::new();
    let is_wanted = |name: &String| wanted.iter().any(|score| score.genre == *name);
    for (element, _) in genres.ours.iter().filter(|(_, name)| !is_wanted(name)) {
        edits.push((xml.white_space_before(element).start..element.span.end, Vec::new()));
    }
    let has = |name: &String| genres.ours.iter().any(|(_, ours)| ours == name);
    let new: Vec<String> = wanted
        .iter()
        .filter(|score| !has(&score.genre))
        .map(|score| format!("<genre>{}</genre>", escape(clean(&score.genre))))
        .collect();
    // Beside the genres that are there, else at the end.
    let last = xml.children().rfind(|child| child.name != OURS);
    let beside = xml.children().rfind(|child| child.name == "genre").or(last);
    let reasons =
        (!wanted.is_empty()).then(|| wanted.iter().map(|s| reason(s, tags)).collect::<Vec<_>>());
    let mut at_end: Vec<String> = Vec::new();
    match beside {
        Some(beside) if !new.is_empty() => {
            edits.push((beside.span.end..beside.span.end, after(xml, beside, &new)));
        }
        Some(_) => {}
        None => at_end.extend(new),
    }
    let own = reasons.map(|reasons| {
        let before = xml.children().next_back().map(|child| xml.white_space_before(child));
        let indent =
            before.map_or_else(|| "\n  ".to_owned(), |range| xml.markup(range).into_owned());
        own_element(&reasons, &indent, tags)
    });
    match (old, own) {
        (Some(old), Some(own)) => edits.push((old.span.clone(), xml.encode(&own))),
        (Some(old), None) => {
            edits.push((xml.white_space_before(old).start..old.span.end, Vec::new()));
        }
        (None, Some(own)) => match last {
            Some(last) => edits.push((last.span.end..last.span.end, after(xml, last, &[own]))),
            None => at_end.push(own),
        },
        (None, None) => {}
    }
    if !at_end.is_empty() {
        edits.push(into_empty_root(xml, &at_end));
    }
    edits
}

/// Elements to stand behind `element`, each indented as it is.
fn after(xml: &XmlText<'_>, element: &Element, new: &[String]) -> Vec<u8> {
    let indent = xml.markup(xml.white_space_before(element));
    xml.encode(&each_behind(&indent, new))
}

/// Each piece of markup behind the same white space.
fn each_behind(space: &str, markup: &[String]) -> String {
    markup.iter().flat_map(|one| [space, one]).collect()
}

/// A root without any element gets its first.
fn into_empty_root(xml: &XmlText<'_>, new: &[String]) -> Edit {
    let root = xml.root();
    let inside = each_behind("\n  ", new);
    if root.is_self_closing() {
        let slash = root.span.end - xml.encode("/>").len();
        return (slash..root.span.end, xml.encode(&format!(">{inside}\n</{}>", root.name)));
    }
    (root.content.end..root.content.end, xml.encode(&format!("{inside}\n")))
}

/// `<cinetag …>` with a reason for each genre, on lines of their own where the file has lines.
fn own_element(reasons: &[String], indent: &str, tags: &TitleTags) -> String {
    let time = tags
        .tagged_at
        .map_or_else(String::new, |time| format!(" time=\"{}\"", escape(time.to_string())));
    let deeper = match indent.rsplit_once('\n') {
        Some((_, blanks)) => {
            let step = if blanks.contains('\t') { "\t" } else { "  " };
            format!("{indent}{step}")
        }
        None => String::new(),
    };
    let lines = each_behind(&deeper, reasons);
    let (version, model) = (escape(&tags.version), escape(clean(&tags.model)));
    format!("<{OURS} version=\"{version}\" model=\"{model}\"{time}>{lines}{indent}</{OURS}>")
}

fn reason(score: &GenreScore, tags: &TitleTags) -> String {
    let words = in_words(score, tags);
    format!(
        "<{REASON} genre=\"{}\" probability=\"{:.3}\">{}</{REASON}>",
        escape(clean(&score.genre)),
        score.probability,
        escape(clean(&words))
    )
}

fn time(xml: &XmlText<'_>, ours: &Element) -> Option<jiff::Timestamp> {
    xml.attribute(ours, "time")?.parse().ok()
}

/// The bytes with the edits done.
fn splice(bytes: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    // Where one range ends and another begins, what is taken out goes first; the order of
    // insertions at one place is that in which they were asked for.
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut new = Vec::with_capacity(bytes.len() + 512);
    let mut at = 0;
    for (range, with) in edits {
        new.extend_from_slice(&bytes[at..range.start]);
        new.extend_from_slice(&with);
        at = range.end;
    }
    new.extend_from_slice(&bytes[at..]);
    new
}
