//! PBCore 2.1: a `pbcoreDescriptionDocument` a title, in a `pbcoreCollection` where there are
//! many.
//!
//! source: pbcore-2.1.xsd. Its sequence: asset type, asset date, identifier (with a source),
//! title, subject, description, genre, relation, coverage, audience, people, rights,
//! instantiation, annotation; identifier, title and description must be there.

use std::io::{self, Write};

use super::{
    TagFormat, TagWriter, Tagged, evidence,
    xml::{self, Xml, element},
};

const NAMESPACE: &str = "http://www.pbcore.org/PBCore/PBCoreNamespace.html";
const ROOT: &str = "pbcoreDescriptionDocument";

pub(super) struct PbCore;

impl TagFormat for PbCore {
    fn name(&self) -> &'static str {
        "pbcore"
    }

    fn about(&self) -> &'static str {
        "PBCore 2.1 XML"
    }

    fn extension(&self) -> &'static str {
        "pbcore.xml"
    }

    fn is_table(&self) -> bool {
        true
    }

    fn table<'a>(
        &self,
        out: Box<dyn Write + 'a>,
        _modalities: &[String],
    ) -> Option<Box<dyn TagWriter + 'a>> {
        Some(Box::new(Collection { out, is_begun: false }))
    }

    fn is_sidecar(&self) -> bool {
        true
    }

    fn document(&self, tagged: Tagged<'_>) -> io::Result<Option<Vec<u8>>> {
        let mut xml = xml::document()?;
        xml.create_element(ROOT)
            .with_attribute(("xmlns", NAMESPACE))
            .write_inner_content(|xml| content(xml, tagged))?;
        Ok(Some(xml::finish(xml)))
    }
}

struct Collection<'a> {
    out: Box<dyn Write + 'a>,
    is_begun: bool,
}

impl Collection<'_> {
    fn begin(&mut self) -> io::Result<()> {
        if !self.is_begun {
            self.is_begun = true;
            self.out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
            writeln!(self.out, "<pbcoreCollection xmlns=\"{NAMESPACE}\">")?;
        }
        Ok(())
    }
}

impl TagWriter for Collection<'_> {
    fn write(&mut self, tagged: Tagged<'_>) -> io::Result<()> {
        self.begin()?;
        let mut xml = Xml::new_with_indent(Vec::new(), b' ', 2);
        xml.create_element(ROOT).write_inner_content(|xml| content(xml, tagged))?;
        self.out.write_all(&xml::finish(xml))
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.begin()?;
        self.out.write_all(b"</pbcoreCollection>\n")?;
        self.out.flush()
    }
}

fn content(xml: &mut Xml, Tagged { title, tags }: Tagged<'_>) -> io::Result<()> {
    if let Some(year) = tags.year {
        element(xml, "pbcoreAssetDate", &[("dateType", "released")], &format!("{year:04}"))?;
    }
    let id = tags.id.to_string();
    element(xml, "pbcoreIdentifier", &[("source", "cinetag catalog")], &id)?;
    element(xml, "pbcoreTitle", &[("titleType", "Main")], &tags.title)?;
    let plot = title.plot.as_deref().unwrap_or("No description is known.");
    element(xml, "pbcoreDescription", &[], plot)?;
    for score in evidence::decided(tags) {
        let attributes = [
            ("source", "cinetag"),
            ("version", tags.model.as_str()),
            ("annotation", &evidence::in_words(score, tags)),
        ];
        element(xml, "pbcoreGenre", &attributes, &score.genre)?;
    }
    let provenance = format!("Genres by {}", evidence::provenance(tags));
    element(xml, "pbcoreAnnotation", &[("annotationType", "provenance")], &provenance)
}
