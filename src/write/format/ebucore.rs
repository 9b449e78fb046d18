//! EBUCore (EBU Tech 3293): one document a title, since the schema knows no list of them.
//!
//! source: ebucore.xsd 1.8. `coreMetadata` is a sequence; of it are written title, date, type
//! and identifier, in this order. A genre stands in `type`, its label in `typeLabel`.

use std::io;

use super::{
    TagFormat, Tagged, evidence,
    xml::{self, element},
};

pub(super) struct EbuCore;

impl TagFormat for EbuCore {
    fn name(&self) -> &'static str {
        "ebucore"
    }

    fn about(&self) -> &'static str {
        "EBUCore XML (EBU Tech 3293), one document a title"
    }

    fn extension(&self) -> &'static str {
        "ebucore.xml"
    }

    fn is_sidecar(&self) -> bool {
        true
    }

    fn document(&self, Tagged { tags, .. }: Tagged<'_>) -> io::Result<Option<Vec<u8>>> {
        let mut xml = xml::document()?;
        let zoned = tags.tagged_at.map(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
        let mut root = xml.create_element("ebucore:ebuCoreMain").with_attributes([
            ("xmlns:ebucore", "urn:ebu:metadata-schema:ebucore"),
            ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
            ("version", "1.8"),
        ]);
        if let Some(time) = &zoned {
            root = root.with_attributes([
                ("dateLastModified", time.strftime("%Y-%m-%d").to_string().as_str()),
                ("timeLastModified", time.strftime("%H:%M:%SZ").to_string().as_str()),
            ]);
        }
        root.write_inner_content(|xml| {
            xml.create_element("ebucore:coreMetadata").write_inner_content(|xml| {
                xml.create_element("ebucore:title")
                    .write_inner_content(|xml| element(xml, "dc:title", &[], &tags.title))?;
                if let Some(year) = tags.year {
                    let year = format!("{year:04}");
                    xml.create_element("ebucore:date").write_inner_content(|xml| {
                        element(xml, "ebucore:created", &[("startYear", &year)], "")
                    })?;
                }
                if !tags.genres.is_empty() {
                    xml.create_element("ebucore:type").write_inner_content(|xml| {
                        for score in evidence::decided(tags) {
                            let attributes = [
                                ("typeLabel", score.genre.as_str()),
                                ("typeDefinition", &evidence::in_words(score, tags)),
                                ("typeSource", &evidence::provenance(tags)),
                            ];
                            element(xml, "ebucore:genre", &attributes, "")?;
                        }
                        Ok(())
                    })?;
                }
                xml.create_element("ebucore:identifier")
                    .write_inner_content(|xml| element(xml, "dc:identifier", &[], tags.id.as_str()))
                    .map(|_| ())
            })?;
            Ok(())
        })?;
        Ok(Some(xml::finish(xml)))
    }
}
