//! What each format writes, held against the rules of its schema.
//!
//! One file, though long: every format writes the same title.

use std::{cell::RefCell, collections::HashSet, io::Write, rc::Rc};

use quick_xml::{Reader, events::Event};
use serde_json::Value;
use tag::TitleTags;

use super::{TagFormat, Tagged, registry};
use crate::testing::{tags_of, title_of};

fn document(name: &str, genres: &[&str]) -> String {
    let (title, tags) = (title_of("film"), tags_of(genres));
    let format = registry::find(name).unwrap();
    let bytes = format.document(Tagged { title: &title, tags: &tags }).unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One file about titles with these genres each; `None` where the format knows none.
fn table(name: &str, titles: &[&[&str]]) -> Option<Vec<u8>> {
    let out = Shared::default();
    let modalities = ["eyes", "ears"].map(str::to_owned);
    let mut writer = registry::find(name).unwrap().table(Box::new(out.clone()), &modalities)?;
    for genres in titles {
        writer.write(Tagged { title: &title_of("film"), tags: &tags_of(genres) }).unwrap();
    }
    writer.finish().unwrap();
    let bytes = out.0.borrow().clone();
    Some(bytes)
}

#[test]
fn a_format_that_says_so_writes_tables() {
    for format in registry::FORMATS {
        assert_eq!(format.is_table(), table(format.name(), &[]).is_some(), "{}", format.name());
    }
}

/// Path of names, attributes, text.
type Parsed = (String, Vec<(String, String)>, String);

/// Every element, in the order of their ends.
fn elements(xml: &str) -> Vec<Parsed> {
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<Parsed> = Vec::new();
    let mut found = Vec::new();
    let attributes = |tag: &quick_xml::events::BytesStart<'_>| {
        tag.attributes()
            .map(|attribute| {
                let attribute = attribute.unwrap();
                let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
                (attribute.key.0.to_owned(), value)
            })
            .collect::<Vec<_>>()
    };
    let path = |open: &[Parsed], name: &str| {
        open.last().map_or(name.to_owned(), |(above, ..)| format!("{above}/{name}"))
    };
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                let name = path(&open, tag.name().0);
                open.push((name, attributes(&tag), String::new()));
            }
            Event::Empty(tag) => {
                found.push((path(&open, tag.name().0), attributes(&tag), String::new()));
            }
            Event::End(_) => found.extend(open.pop()),
            Event::Text(text) => {
                if let Some((.., inside)) = open.last_mut() {
                    inside.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(name) => {
                if let Some((.., inside)) = open.last_mut() {
                    let reference = format!("&{};", name.xml10_content());
                    inside.push_str(&quick_xml::escape::unescape(&reference).unwrap());
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "{xml}");
    found
}

/// Names of the elements directly below `parent`, in order.
fn children(xml: &str, parent: &str) -> Vec<String> {
    let prefix = format!("{parent}/");
    let below = |(path, ..): (String, _, _)| path.strip_prefix(&prefix).map(str::to_owned);
    elements(xml).into_iter().filter_map(below).filter(|name| !name.contains('/')).collect()
}

/// That names stand in the order of a schema's sequence.
fn assert_sequence(names: &[String], sequence: &[&str]) {
    let place = |name: &String| {
        sequence.iter().position(|known| known == name).unwrap_or_else(|| panic!("{name}"))
    };
    let places: Vec<usize> = names.iter().map(place).collect();
    assert!(places.is_sorted(), "{names:?}");
}

#[test]
fn names_endings_and_files_are_the_registrys() {
    let names = registry::names();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    for format in registry::FORMATS {
        let path = format!("folder/films.{}", format.extension());
        assert_eq!(registry::of_path(path.as_ref()).unwrap().name(), format.name(), "{path}");
        assert!(!format.about().is_empty());
        let (title, tags) = (title_of("film"), tags_of(&["Drama"]));
        let document = format.document(Tagged { title: &title, tags: &tags }).unwrap();
        let has_table = format.table(Box::new(Vec::new()), &[]).is_some();
        assert!(document.is_some() || has_table, "{} writes nothing", format.name());
    }
    assert!(registry::of_path("films.txt".as_ref()).is_none());
    assert!(registry::of_path("csv".as_ref()).is_none());
}

/// Every format, as a file and as a sidecar: model, version, time, probability and evidence
/// are in it, a score that is no tag is no tag there, and twice is the same.
#[test]
fn every_format_says_what_and_why() {
    for format in registry::FORMATS {
        let name = format.name();
        let (title, tags) = (title_of("film"), tags_of(&["Drama", "War"]));
        let tagged = Tagged { title: &title, tags: &tags };
        let document = format.document(tagged).unwrap();
        assert_eq!(document, format.document(tagged).unwrap(), "{name}");
        let file = table(name, &[&["Drama", "War"], &[]]);
        assert_eq!(file, table(name, &[&["Drama", "War"], &[]]), "{name}");
        if ["parquet", "xlsx"].contains(&name) {
            continue; // no text: see their own tests
        }
        for bytes in [document, file].into_iter().flatten() {
            let text = String::from_utf8(bytes).unwrap();
            let time = if name == "ebucore" { "2026-01-31" } else { "2026-01-31T12:00:00Z" };
            for part in ["Drama", "War", "films@9f86d081884c7d65", "0.1.0", time, "0.7"] {
                assert!(text.contains(part), "{name} lacks {part}: {text}");
            }
            // The moment of the trailer, in seconds or milliseconds, and the contributions.
            assert!(text.contains("12.4") || text.contains("12400"), "{name}: {text}");
            assert!(text.contains("1.3"), "{name}: {text}");
        }
    }
}

#[test]
fn pbcore_follows_its_schema() {
    let sequence = [
        "pbcoreAssetType",
        "pbcoreAssetDate",
        "pbcoreIdentifier",
        "pbcoreTitle",
        "pbcoreSubject",
        "pbcoreDescription",
        "pbcoreGenre",
        "pbcoreRelation",
        "pbcoreCoverage",
        "pbcoreAudienceLevel",
        "pbcoreAudienceRating",
        "pbcoreCreator",
        "pbcoreContributor",
        "pbcorePublisher",
        "pbcoreRightsSummary",
        "pbcoreInstantiation",
        "pbcoreAnnotation",
        "pbcorePart",
        "pbcoreExtension",
    ];
    let collection =
        String::from_utf8(table("pbcore", &[&["Drama", "War"], &[]]).unwrap()).unwrap();
    let one = document("pbcore", &["Drama", "War"]);
    for (xml, root) in [
        (&one, "pbcoreDescriptionDocument"),
        (&collection, "pbcoreCollection/pbcoreDescriptionDocument"),
    ] {
        let all = elements(xml);
        let (_, attributes, _) = all.last().unwrap();
        let namespace = "http://www.pbcore.org/PBCore/PBCoreNamespace.html".to_owned();
        assert!(attributes.contains(&("xmlns".to_owned(), namespace)), "{xml}");
        let names = children(&one, "pbcoreDescriptionDocument");
        assert_sequence(&names, &sequence);
        for required in ["pbcoreIdentifier", "pbcoreTitle", "pbcoreDescription"] {
            assert!(names.iter().any(|name| name == required), "{required}");
        }
        for (path, attributes, text) in &all {
            let has = |name: &str| attributes.iter().any(|(key, _)| key == name);
            if path == &format!("{root}/pbcoreIdentifier") {
                assert!(has("source"), "an identifier must say its source");
            }
            // What a string with source, version and times may have.
            if path == &format!("{root}/pbcoreGenre") {
                let allowed = [
                    "source",
                    "ref",
                    "version",
                    "annotation",
                    "startTime",
                    "endTime",
                    "timeAnnotation",
                ];
                assert!(attributes.iter().all(|(key, _)| allowed.contains(&key.as_str())));
                assert!(["Drama", "War"].contains(&text.as_str()), "{text}");
            }
            if path.ends_with("pbcoreTitle") {
                assert_eq!(text, "A <Film> & more");
            }
            assert!(!text.contains('\u{1}'), "what XML cannot hold is replaced");
        }
    }
    let documents = children(&collection, "pbcoreCollection");
    assert_eq!(documents, ["pbcoreDescriptionDocument"; 2]);
    let empty = String::from_utf8(table("pbcore", &[]).unwrap()).unwrap();
    assert_eq!(elements(&empty).len(), 1, "a collection of nothing is still a document");
}

#[test]
fn ebucore_follows_its_schema() {
    let xml = document("ebucore", &["Drama", "War"]);
    // The beginning of coreMetadata's sequence.
    let sequence = [
        "title",
        "alternativeTitle",
        "creator",
        "subject",
        "description",
        "publisher",
        "contributor",
        "date",
        "type",
        "format",
        "identifier",
    ]
    .map(|name| format!("ebucore:{name}"));
    let sequence: Vec<&str> = sequence.iter().map(String::as_str).collect();
    assert_eq!(children(&xml, "ebucore:ebuCoreMain"), ["ebucore:coreMetadata"]);
    assert_sequence(&children(&xml, "ebucore:ebuCoreMain/ebucore:coreMetadata"), &sequence);
    let all = elements(&xml);
    let genres: Vec<_> = all
        .iter()
        .filter(|(path, ..)| path.ends_with("ebucore:type/ebucore:genre"))
        .map(|(_, attributes, text)| {
            let group = ["typeLabel", "typeDefinition", "typeLink", "typeSource"];
            assert!(attributes.iter().all(|(key, _)| group.contains(&key.as_str())));
            assert!(text.is_empty());
            attributes[0].1.as_str()
        })
        .collect();
    assert_eq!(genres, ["Drama", "War"]);
    let (_, root, _) = all.last().unwrap();
    let value = |name: &str| root.iter().find(|(key, _)| key == name).unwrap().1.as_str();
    assert_eq!((value("dateLastModified"), value("timeLastModified")), ("2026-01-31", "12:00:00Z"));
    assert!(table("ebucore", &[]).is_none(), "the schema knows one title a document");
    assert!(!document("ebucore", &[]).contains("ebucore:type"), "no genre, no type");
}

#[test]
fn json_ld_is_a_movie() {
    let one: Value = serde_json::from_str(&document("json-ld", &["Drama", "War"])).unwrap();
    assert_eq!((&one["@context"], &one["@type"]), (&"https://schema.org".into(), &"Movie".into()));
    assert_eq!(one["genre"], serde_json::json!(["Drama", "War"]));
    assert_eq!(one["subjectOf"]["variableMeasured"].as_array().unwrap().len(), 2);
    for titles in [&[][..], &[&["Drama"][..]], &[&["Drama"][..], &[]]] {
        let graph: Value = serde_json::from_slice(&table("json-ld", titles).unwrap()).unwrap();
        assert_eq!(graph["@graph"].as_array().unwrap().len(), titles.len());
    }
}

#[test]
fn mmif_follows_its_schema() {
    let mut title = title_of("film");
    title.trailers = vec!["/films/A b ü/trailer.mp4".into()];
    title.poster = Some("/films/poster.jpg".into());
    let tags = tags_of(&["Drama", "War"]);
    let bytes =
        registry::find("mmif").unwrap().document(Tagged { title: &title, tags: &tags }).unwrap();
    let mmif: Value = serde_json::from_slice(&bytes.unwrap()).unwrap();
    assert_eq!(mmif.as_object().unwrap().len(), 3, "nothing else is allowed");
    assert!(mmif.pointer("/metadata/mmif").is_some_and(Value::is_string));
    let documents = mmif["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 3);
    assert_eq!(documents[0]["properties"]["location"], "file:///films/A%20b%20%C3%BC/trailer.mp4");
    let view = &mmif["views"][0];
    let annotations = view["annotations"].as_array().unwrap();
    let mut ids = HashSet::new();
    for annotation in annotations.iter().chain(documents) {
        assert_eq!(annotation.as_object().unwrap().len(), 2, "@type and properties");
        assert!(ids.insert(annotation["properties"]["id"].as_str().unwrap()), "ids are unique");
    }
    for annotation in annotations {
        let kind = annotation["@type"].as_str().unwrap();
        assert!(
            mmif.pointer("/views/0/metadata/contains").unwrap().get(kind).is_some(),
            "{kind} is not announced"
        );
        let classes = annotation["properties"].get("classification");
        assert_eq!(classes.is_some(), kind.contains("/Annotation/"));
    }
    assert_eq!(annotations.len(), 4);
    let parameters = mmif.pointer("/views/0/metadata/parameters").unwrap().as_object().unwrap();
    assert!(parameters.values().all(Value::is_string));
    // A title without files and plot is a document of its name.
    let bare = catalog::Title { plot: None, ..title_of("film") };
    let bytes = registry::find("mmif").unwrap().document(Tagged { title: &bare, tags: &tags });
    let mmif: Value = serde_json::from_slice(&bytes.unwrap().unwrap()).unwrap();
    assert_eq!(mmif["documents"][0]["properties"]["text"]["@value"], "A <Film> & more");
}

#[test]
fn csv_and_jsonl_hold_every_score() {
    let text = String::from_utf8(table("csv", &[&["Drama"], &[]]).unwrap()).unwrap();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3, "also those that are no tags");
    let cell = |row: usize, name: &str| {
        &rows[row][header.iter().position(|column| column == name).unwrap()]
    };
    assert_eq!(
        (cell(0, "genre"), cell(0, "decision"), cell(0, "probability")),
        ("Drama", "true", "0.7")
    );
    assert_eq!((cell(1, "genre"), cell(1, "decision")), ("Western", "false"));
    assert_eq!((cell(0, "contribution_eyes"), cell(0, "moments")), ("1.3", "12.40 3.00"));
    let empty = String::from_utf8(table("csv", &[]).unwrap()).unwrap();
    assert_eq!(empty.lines().count(), 1, "a table of nothing has a header");

    let lines = String::from_utf8(table("jsonl", &[&["Drama"], &[]]).unwrap()).unwrap();
    let parsed: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(parsed[0]["scores"].as_array().unwrap().len(), 2);
    assert_eq!(parsed[1]["genres"], serde_json::json!([]));
}

#[test]
fn no_spreadsheet_computes_what_stands_in_a_title() {
    let title = title_of("film");
    let written = |format: &dyn TagFormat| {
        let out = Shared::default();
        let mut writer = format.table(Box::new(out.clone()), &["eyes".to_owned()]).unwrap();
        for name in ["=HYPERLINK(\"http://x\")", "'=1", "-1+2", "-3", "Heat"] {
            let tags = TitleTags { title: name.to_owned(), ..tags_of(&["Drama"]) };
            writer.write(Tagged { title: &title, tags: &tags }).unwrap();
        }
        writer.finish().unwrap();
        out.0.take()
    };
    let cells = |bytes: Vec<u8>, column: usize| -> Vec<String> {
        let mut rows = csv::Reader::from_reader(&bytes[..]);
        let mut cells: Vec<String> =
            rows.records().map(|row| row.unwrap()[column].to_owned()).collect();
        cells.dedup();
        cells
    };
    let defused = written(registry::find("csv").unwrap());
    let expected = ["'=HYPERLINK(\"http://x\")", "''=1", "'-1+2", "-3", "Heat"];
    assert_eq!(cells(defused.clone(), 1), expected);
    assert_eq!(cells(defused.clone(), 7), ["-0.9"], "numbers stay numbers");
    assert_eq!(cells(written(registry::RAW_CSV), 1)[..2], ["=HYPERLINK(\"http://x\")", "'=1"]);
    assert_eq!(registry::RAW_CSV.name(), "csv");

    // Read as a catalog, it says what it said.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tags.csv");
    std::fs::write(&path, defused).unwrap();
    let mut spec = catalog::CatalogSpec::new(&path);
    spec.columns.id = Some("title".to_owned());
    let (catalog, _) = catalog::load(&spec).unwrap();
    let ids: Vec<&str> = catalog.titles.iter().map(|title| title.id.as_str()).collect();
    assert_eq!(ids, ["=HYPERLINK(\"http://x\")", "'=1", "-1+2", "-3", "Heat"]);

    // Texts of a workbook are texts, not formulas: it has none.
    let workbook = written(registry::find("xlsx").unwrap());
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(workbook)).unwrap();
    let mut sheet = String::new();
    let mut member = archive.by_name("xl/worksheets/sheet1.xml").unwrap();
    std::io::Read::read_to_string(&mut member, &mut sheet).unwrap();
    assert!(sheet.contains("t=\"s\"") && !sheet.contains("<f>") && !sheet.contains("<f "));
    assert!(!sheet.contains("hyperlink"));
}

#[test]
fn xlsx_is_a_workbook_with_all_cells() {
    let bytes = table("xlsx", &[&["Drama"], &[]]).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut part = |name: &str| {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut archive.by_name(name).unwrap(), &mut text).unwrap();
        text
    };
    let sheet = part("xl/worksheets/sheet1.xml");
    let all = elements(&sheet);
    let count = |end: &str| all.iter().filter(|(path, ..)| path.ends_with(end)).count();
    assert_eq!(count("sheetData/row"), 4);
    assert_eq!(count("row/c"), 4 * 13);
    assert!(all.iter().any(|(path, _, text)| path.ends_with("c/v") && text == "0.7"), "{sheet}");
    let strings = part("xl/sharedStrings.xml");
    for text in ["contribution_eyes", "Drama", "films@9f86d081884c7d65", "2026-01-31T12:00:00Z"] {
        assert!(strings.contains(text), "{text}: {strings}");
    }
}

#[test]
fn parquet_has_typed_columns_and_nulls_where_nothing_is_known() {
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::Field,
    };
    let opened = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        SerializedFileReader::new(file).unwrap()
    };
    let reader = opened(&table("parquet", &[&["Drama", "War"], &[]]).unwrap());
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4, "a row for each score, those that are no tag too");
    let cell = |row: usize, column: &str| {
        let found = rows[row].get_column_iter().find(|(name, _)| *name == column);
        found.unwrap_or_else(|| panic!("no column {column}")).1.clone()
    };
    assert_eq!(cell(0, "genre"), Field::Str("Drama".to_owned()));
    assert_eq!(cell(0, "probability"), Field::Float(0.7));
    assert_eq!(cell(0, "threshold"), Field::Double(0.38));
    assert_eq!((cell(0, "decision"), cell(3, "decision")), (Field::Bool(true), Field::Bool(false)));
    assert_eq!(cell(0, "contribution_eyes"), Field::Float(1.3));
    assert_eq!(cell(0, "tagged_at"), Field::Str("2026-01-31T12:00:00Z".to_owned()));
    // A modality that gave nothing is null, not zero.
    let mut tags = tags_of(&["Drama"]);
    tags.scores[0].contributions.remove("ears");
    let out = Shared::default();
    let modalities = ["eyes", "ears"].map(str::to_owned);
    let format = registry::find("parquet").unwrap();
    let mut writer = format.table(Box::new(out.clone()), &modalities).unwrap();
    writer.write(Tagged { title: &title_of("film"), tags: &tags }).unwrap();
    writer.finish().unwrap();
    let reader = opened(&out.0.borrow());
    let first = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    let ears = first.get_column_iter().find(|(name, _)| *name == "contribution_ears").unwrap();
    assert_eq!(ears.1, &Field::Null);
}
