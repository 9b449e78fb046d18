//! An XML document as a tree, for the small files that stand beside media.
//!
//! in: text; out: the root [`Element`]. What follows the root is not read, comments and
//! processing instructions are passed over, entities are resolved (XML's and HTML's; others are
//! kept as they stand), and a bare `&` is taken as one: media managers write them.

use quick_xml::{
    Reader,
    escape::resolve_html5_entity,
    events::{BytesStart, Event},
};

/// Elements inside each other; more is no sidecar.
const MAX_DEPTH: usize = 64;
/// Elements in all; a show with a thousand actors has 10,000.
pub(super) const MAX_ELEMENTS: usize = 50_000;

/// An element with what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Without a namespace prefix, in lower case.
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// All text directly inside it, joined; not trimmed.
    text: String,
    pub(super) children: Vec<Element>,
}

/// Where and why a document is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct XmlFault {
    /// Byte from the text's beginning.
    pub(super) byte_idx: usize,
    pub(super) message: String,
}

impl Element {
    /// The text directly inside, trimmed; `None` where it is blank.
    pub(super) fn text(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty())
    }

    /// The children of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of a name that has any.
    pub(super) fn child_text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).find_map(Self::text)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a document up to the end of its root.
pub(super) fn parse(text: &str) -> Result<Element, XmlFault> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().allow_dangling_amp = true;
    // Elements that are open; the first is the root.
    let mut open: Vec<Element> = Vec::new();
    let mut num_elements = 0;
    loop {
        let event = reader.read_event().map_err(|error| XmlFault {
            byte_idx: reader.error_position() as usize,
            message: error.to_string(),
        })?;
        let fault = |message: &str| XmlFault {
            byte_idx: reader.buffer_position() as usize,
            message: message.to_owned(),
        };
        num_elements += usize::from(matches!(event, Event::Start(_) | Event::Empty(_)));
        if num_elements > MAX_ELEMENTS {
            return Err(fault(&format!("it has more than {MAX_ELEMENTS} elements")));
        }
        let closed = match event {
            Event::Start(start) if open.len() < MAX_DEPTH => {
                open.push(element(&start));
                continue;
            }
            Event::Start(_) => return Err(fault("elements stand too deep inside each other")),
            Event::Empty(start) => element(&start),
            Event::End(_) => match open.pop() {
                Some(element) => element,
                None => return Err(fault("an element is closed that was not opened")),
            },
            Event::Eof if open.is_empty() => return Err(fault("there is no element")),
            Event::Eof => return Err(fault("the file ends before its root is closed")),
            other => {
                if let Some(inside) = open.last_mut() {
                    append(&mut inside.text, other);
                }
                continue;
            }
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => return Ok(closed),
        }
    }
}

fn element(start: &BytesStart) -> Element {
    let attributes = start
        .attributes()
        .with_checks(false)
        .flatten()
        .map(|attribute| {
            let value = quick_xml::escape::unescape_with(&attribute.value, resolve_html5_entity);
            let value = value.map_or_else(|_| attribute.value.to_string(), Into::into);
            (attribute.key.local_name().as_ref().to_lowercase(), value)
        })
        .collect();
    Element { name: start.local_name().as_ref().to_lowercase(), attributes, ..Element::default() }
}

fn append(text: &mut String, event: Event) {
    match event {
        Event::Text(part) => text.push_str(&part.xml10_content()),
        Event::CData(part) => text.push_str(&part.xml10_content()),
        Event::GeneralRef(reference) => {
            let name = reference.xml10_content();
            match (reference.resolve_char_ref(), resolve_html5_entity(&name)) {
                (Ok(Some(character)), _) => text.push(character),
                (_, Some(known)) => text.push_str(known),
                _ => {
                    text.push('&');
                    text.push_str(&name);
                    text.push(';');
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_tree() {
        let root = parse(
            "\u{feff}<?xml version=\"1.0\"?><!-- made by hand --><Movie a='1 &lt; 2'>\
             <title>Tom &amp; J&eacute;r&#244;me &unknown; R&B</title><empty/>\
             <plot><![CDATA[<b>bold</b>]]> and more</plot></Movie>\nhttps://example.org/1",
        )
        .unwrap();
        assert_eq!((root.name.as_str(), root.attribute("a")), ("movie", Some("1 < 2")));
        assert_eq!(root.child_text("title"), Some("Tom & Jérôme &unknown; R&B"));
        assert_eq!(root.child_text("plot"), Some("<b>bold</b> and more"));
        assert_eq!(root.child_text("empty"), None);
        assert_eq!(root.all("empty").count(), 1);
    }

    #[test]
    fn what_is_no_document_says_where() {
        for (text, byte_idx) in [("", 0), ("no element", 10), ("<a><b></a>", 6), ("<a><b>", 6)] {
            assert_eq!(parse(text).unwrap_err().byte_idx, byte_idx, "{text}");
        }
        assert!(parse(&"<a>".repeat(100_000)).unwrap_err().message.contains("deep"));
    }
}
