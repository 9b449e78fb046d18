//! HTML in texts: tags taken out, entities resolved, white space put right.

use std::borrow::Cow;

use quick_xml::escape::resolve_html5_entity;

/// Tags that end a line; what is inside two is no text.
const BLOCKS: [&str; 9] = ["br", "p", "div", "li", "tr", "h1", "h2", "h3", "blockquote"];
const NO_TEXT: [&str; 2] = ["script", "style"];
/// A tag is not longer than this; `<` before something longer is a sign of its own.
const MAX_TAG_BYTES: usize = 400;

/// A text without HTML; as it is where there is none.
pub(super) fn text_of(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '&']) && has_clean_space(text) {
        return Cow::Borrowed(text);
    }
    let resolved = entities(&without_tags(text));
    // Twice encoded, as scrapers leave it (`&amp;quot;`).
    let resolved = if resolved.contains('&') { entities(&resolved) } else { resolved };
    Cow::Owned(white_space(&resolved))
}

fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let Some((name, len)) = tag(&rest[at..]) else {
            out.push('<');
            rest = &rest[at + 1..];
            continue;
        };
        rest = &rest[at + len..];
        let plain = name.trim_start_matches('/');
        if BLOCKS.contains(&plain) {
            out.push('\n');
        }
        if NO_TEXT.contains(&name.as_str()) {
            let end = rest.to_ascii_lowercase().find(&format!("</{name}")).unwrap_or(rest.len());
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    out
}

/// The name and length of the tag or comment that a text begins with.
fn tag(text: &str) -> Option<(String, usize)> {
    if text.starts_with("<!--") {
        return Some((String::new(), text.find("-->")? + 3));
    }
    let inside = &text[1..];
    let starts = |c: char| c.is_ascii_alphabetic();
    let begins = inside.starts_with(starts)
        || inside.strip_prefix('/').is_some_and(|rest| rest.starts_with(starts));
    let end = inside.find('>').filter(|&end| begins && end < MAX_TAG_BYTES)?;
    // `<` inside belongs to a sum, not to a tag.
    let content = &inside[..end];
    let name = content.split([' ', '\t', '\n', '\r']).next()?.trim_end_matches('/');
    let is_name = name.trim_start_matches('/').chars().all(|c| c.is_ascii_alphanumeric());
    (is_name && !content.contains('<')).then(|| (name.to_ascii_lowercase(), end + 2))
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(32).position(|b| b == b';');
        if let Some((resolved, end)) = end.and_then(|end| Some((resolve(&rest[1..end])?, end))) {
            out.push_str(&resolved);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn resolve(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else {
        return resolve_html5_entity(name).map(str::to_owned);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    // Browsers read these as Windows-1252, and so do those who write them.
    if let 0x80..=0x9f = code {
        let byte = [code as u8];
        let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&byte);
        return Some(text.into_owned());
    }
    char::from_u32(code).filter(|c| *c != '\0').map(String::from)
}

/// Whether [`white_space`] would leave a text as it is.
fn has_clean_space(text: &str) -> bool {
    !text.contains("  ")
        && !text.contains(['\t', '\r', '\u{a0}', '\u{200b}', '\u{feff}', '\u{ad}'])
        && !text.contains("\n\n\n")
        && !text.contains(" \n")
        && !text.contains("\n ")
        && text.trim() == text
}

/// One blank between words, at most one empty line, none at the ends; no characters that
/// cannot be seen.
fn white_space(text: &str) -> String {
    if has_clean_space(text) {
        return text.to_owned();
    }
    let visible = text.replace(['\u{200b}', '\u{feff}', '\u{ad}'], "").replace("\r\n", "\n");
    let lines: Vec<String> = visible
        .split(['\n', '\r'])
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let mut out = lines.join("\n");
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_is_taken_out_and_nothing_else() {
        for (html, text) in [
            ("<p>One &amp; two</p>", "One & two"),
            ("A<br/>B<BR >C", "A\nB\nC"),
            ("Caf&eacute; &#233; &#xe9; &#146;s &amp;quot;x&amp;quot;", "Café é é ’s \"x\""),
            ("<script>var a = 1;</script>kept<!-- not --> too", "kept too"),
            ("<a href=\"x\">link</a>", "link"),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
            ("AT&T &nosuch; R&B;", "AT&T &nosuch; R&B;"),
            ("I <3 you <", "I <3 you <"),
            ("  two\u{a0} words \t", "two words"),
            ("a\n\n\n\nb", "a\n\nb"),
        ] {
            assert_eq!(text_of(html), text, "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_the_end(text in "[<>&;a-p/!\\- #x0-9\n]{0,60}") {
            let once = text_of(&text);
            prop_assert_eq!(once.trim(), &once);
        }
    }
}
