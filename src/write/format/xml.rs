//! XML documents of our own, indented by two blanks.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

/// A writer of a document.
pub(super) type Xml = Writer<Vec<u8>>;

/// A document, begun.
pub(super) fn document() -> io::Result<Xml> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    Ok(xml)
}

/// `<name attributes>text</name>`
pub(super) fn element(
    xml: &mut Xml,
    name: &str,
    attributes: &[(&str, &str)],
    text: &str,
) -> io::Result<()> {
    let attributes: Vec<_> = attributes.iter().map(|&(key, value)| (key, clean(value))).collect();
    let element = xml
        .create_element(name)
        .with_attributes(attributes.iter().map(|(key, value)| (*key, value.as_str())));
    if text.is_empty() {
        element.write_empty()?;
    } else {
        element.write_text_content(BytesText::new(&clean(text)))?;
    }
    Ok(())
}

/// The document's bytes, with a line end at its end.
pub(super) fn finish(xml: Xml) -> Vec<u8> {
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    bytes
}

/// Characters that XML 1.0 cannot hold are replaced by U+FFFD.
pub(crate) fn clean(text: &str) -> String {
    let allowed = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
            || c >= '\u{10000}'
    };
    text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}
