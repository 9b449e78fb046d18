//! An XML file of somebody else: where its elements stand, byte by byte, in whatever encoding.
//!
//! in: the file's bytes; out: elements with the ranges of bytes that they take up. Nothing is
//! ever written from what was parsed: who changes the file replaces ranges of its bytes.
//!
//! Encodings: UTF-8 and UTF-16 (with or without a byte order mark), and every declared one in
//! which ASCII stands for itself.

use std::{borrow::Cow, fmt::Write as _, ops::Range};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use quick_xml::{Reader, escape, events::Event};

/// An XML file, taken apart.
pub(crate) struct XmlText<'a> {
    bytes: &'a [u8],
    encoding: &'static Encoding,
    /// In the order of their beginnings; the first is the root.
    elements: Vec<Element>,
}

/// An element.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// 0: the root.
    pub(crate) depth: usize,
    /// Bytes from `<` to the last `>`.
    pub(crate) span: Range<usize>,
    /// Bytes between its tags; empty, at the end of the span, for `<name/>`.
    pub(crate) content: Range<usize>,
}

impl Element {
    /// Whether it is written as `<name/>`.
    pub(crate) fn is_self_closing(&self) -> bool {
        self.content.start == self.span.end
    }
}

impl<'a> XmlText<'a> {
    /// Takes a file apart.
    ///
    /// # Errors
    /// In words: what keeps the file from being understood.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let (encoding, start) = encoding_of(bytes)?;
        let unit = if encoding == UTF_16LE || encoding == UTF_16BE { 2 } else { 1 };
        if !(bytes.len() - start).is_multiple_of(unit) {
            return Err("it is UTF-16 and ends in the middle of a character".to_owned());
        }
        // One ASCII character for each code unit, so that places in the one are places in the
        // other; what is not ASCII cannot be markup and becomes a letter.
        let skeleton: String = bytes[start..]
            .chunks_exact(unit)
            .map(|unit| match (unit, encoding == UTF_16BE) {
                ([byte], _) | ([byte, 0], false) | ([0, byte], true) if byte.is_ascii() => {
                    char::from(*byte)
                }
                _ => 'x',
            })
            .collect();
        let elements = elements(&skeleton, |place| start + place * unit)?;
        Ok(Self { bytes, encoding, elements })
    }

    /// The outermost element.
    pub(crate) fn root(&self) -> &Element {
        &self.elements[0]
    }

    /// The elements directly in the root, in their order.
    pub(crate) fn children(&self) -> impl DoubleEndedIterator<Item = &Element> {
        self.elements.iter().filter(|element| element.depth == 1)
    }

    /// The elements directly in a child of the root.
    pub(crate) fn inside(&self, child: &Element) -> impl Iterator<Item = &Element> {
        // They stand in the order of their starts: looked through once, not once for each child.
        let span = child.span.clone();
        let first = self.elements.partition_point(|element| element.span.start < span.start);
        let within = self.elements[first..].iter();
        let within = within.take_while(move |element| element.span.start < span.end);
        within.filter(|element| element.depth == 2)
    }

    /// The text of an element: references and CDATA resolved, comments left out, trimmed.
    pub(crate) fn text(&self, element: &Element) -> String {
        plain(&self.markup(element.content.clone())).trim().to_owned()
    }

    /// The value of an attribute.
    pub(crate) fn attribute(&self, element: &Element, name: &str) -> Option<String> {
        let tag = self.markup(element.span.start..element.content.start);
        let inside = tag.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/');
        let attributes = quick_xml::events::BytesStart::from_content(inside, element.name.len());
        let found = attributes.attributes().flatten().find(|a| a.key.0 == name)?;
        Some(plain(&found.value))
    }

    /// The white space before an element, back to the tag or text that it follows.
    pub(crate) fn white_space_before(&self, element: &Element) -> Range<usize> {
        let unit = self.unit();
        let mut start = element.span.start;
        while start >= unit {
            let before = &self.bytes[start - unit..start];
            let is_space = |byte: &u8| b" \t\r\n".contains(byte);
            let is_white = match (before, self.encoding == UTF_16BE) {
                ([byte], _) | ([byte, 0], false) | ([0, byte], true) => is_space(byte),
                _ => false,
            };
            if !is_white {
                break;
            }
            start -= unit;
        }
        start..element.span.start
    }

    /// Markup in the file's encoding; what it cannot hold becomes character references.
    pub(crate) fn encode(&self, markup: &str) -> Vec<u8> {
        if self.encoding == UTF_16LE {
            return markup.encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
        if self.encoding == UTF_16BE {
            return markup.encode_utf16().flat_map(u16::to_be_bytes).collect();
        }
        if self.encoding == UTF_8 {
            return markup.as_bytes().to_vec();
        }
        let mut ascii = String::new();
        for c in markup.chars() {
            if c.is_ascii() {
                ascii.push(c);
            } else {
                // Writing to a String cannot fail.
                let _ = write!(ascii, "&#{};", u32::from(c));
            }
        }
        ascii.into_bytes()
    }

    /// What stands in a range of bytes, as it is written.
    pub(crate) fn markup(&self, range: Range<usize>) -> Cow<'a, str> {
        self.encoding.decode_without_bom_handling(&self.bytes[range]).0
    }

    fn unit(&self) -> usize {
        if [UTF_16LE, UTF_16BE].contains(&self.encoding) { 2 } else { 1 }
    }
}

/// The encoding, and where the text begins.
fn encoding_of(bytes: &[u8]) -> Result<(&'static Encoding, usize), String> {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return Ok((encoding, length));
    }
    match bytes {
        [b'<', 0, ..] => return Ok((UTF_16LE, 0)),
        [0, b'<', ..] => return Ok((UTF_16BE, 0)),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(200)];
    let head = String::from_utf8_lossy(head);
    let declaration = head.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    let declared = declaration.and_then(|(inside, _)| {
        let value = inside.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| "\"'".contains(*c))?;
        value[1..].split_once(quote).map(|(label, _)| label.to_owned())
    });
    let encoding = match &declared {
        Some(label) => Encoding::for_label(label.as_bytes())
            .ok_or_else(|| format!("its encoding {label:?} is not known"))?,
        // Undeclared is UTF-8 by the standard; what cannot be that is Western in practice.
        None if std::str::from_utf8(bytes).is_err() => WINDOWS_1252,
        None => UTF_8,
    };
    if [UTF_16LE, UTF_16BE].contains(&encoding) {
        // Declared, but the bytes of the declaration itself say otherwise.
        return Ok((UTF_8, 0));
    }
    if !encoding.is_ascii_compatible() {
        return Err(format!("its encoding {} cannot be changed in place", encoding.name()));
    }
    // In these, the second byte of a character may look like ASCII, though never like `<`.
    Ok((encoding, 0))
}

/// The elements of a document of ASCII; `byte` turns places in it into places in the file.
///
/// What follows the root is not looked at, but that nothing else may begin there: media
/// centres allow an address after the XML.
fn elements(skeleton: &str, byte: impl Fn(usize) -> usize) -> Result<Vec<Element>, String> {
    let mut reader = Reader::from_str(skeleton);
    // People write `Tom & Jerry`, and media centres read it.
    reader.config_mut().allow_dangling_amp = true;
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    loop {
        let start = byte(reader.buffer_position() as usize);
        let event = reader.read_event().map_err(|error| {
            let place = (reader.error_position() as usize).min(skeleton.len());
            let line = skeleton[..place].bytes().filter(|&byte| byte == b'\n').count() + 1;
            format!("it is no well-formed XML (line {line}: {error})")
        })?;
        let end = byte(reader.buffer_position() as usize);
        match event {
            Event::Start(tag) => {
                let name = tag.name().0.to_owned();
                let depth = open.len();
                open.push(elements.len());
                elements.push(Element { name, depth, span: start..end, content: end..end });
            }
            Event::Empty(tag) => {
                let name = tag.name().0.to_owned();
                let depth = open.len();
                elements.push(Element { name, depth, span: start..end, content: end..end });
            }
            Event::End(_) => {
                if let Some(idx) = open.pop() {
                    elements[idx].content.end = start;
                    elements[idx].span.end = end;
                }
            }
            Event::Eof if open.is_empty() => break,
            Event::Eof => return Err("it is no well-formed XML: it ends too early".to_owned()),
            _ => {}
        }
        if open.is_empty() && !elements.is_empty() {
            let after = without_comments(&skeleton[reader.buffer_position() as usize..]);
            if after.contains('<') {
                return Err("after its end something else begins".to_owned());
            }
            return Ok(elements);
        }
    }
    Err("it holds no XML, only text (an address for a scraper, perhaps)".to_owned())
}

fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("<!--") {
        kept += before;
        rest = inside.split_once("-->").map_or("", |(_, after)| after);
    }
    kept + rest
}

/// Text as it is meant: references resolved, CDATA unpacked, comments left out.
fn plain(markup: &str) -> String {
    let unescape =
        |text: &str| escape::unescape(text).map_or_else(|_| text.to_owned(), Cow::into_owned);
    let mut rest = markup;
    let mut text = String::new();
    while let Some(at) = rest.find("<!") {
        text += &unescape(&rest[..at]);
        rest = &rest[at..];
        let (open, close, keep) = if rest.starts_with("<![CDATA[") {
            ("<![CDATA[", "]]>", true)
        } else {
            ("<!", "-->", false)
        };
        let Some((inside, after)) = rest[open.len()..].split_once(close) else { return text };
        if keep {
            text += inside;
        }
        rest = after;
    }
    text + &unescape(rest)
}

/// A file's text, for people to look at.
pub(crate) fn decode(bytes: &[u8]) -> String {
    let (encoding, start) = encoding_of(bytes).unwrap_or((UTF_8, 0));
    encoding.decode_without_bom_handling(&bytes[start..]).0.into_owned()
}
