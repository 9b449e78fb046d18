//! MMIF, the Multi-Media Interchange Format of the CLAMS project: the title's files as
//! documents, the tags as one view over them.
//!
//! source: <https://mmif.clams.ai/1.0.5> (specification and JSON schema), vocabulary
//! `Annotation` v5, `TimePoint` v4

use std::{collections::BTreeMap, fmt::Write as _, io, path::Path};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tag::TitleTags;

use super::{TagFormat, Tagged, evidence};

const SPECIFICATION: &str = "http://mmif.clams.ai/1.0.5";
const ANNOTATION: &str = "http://mmif.clams.ai/vocabulary/Annotation/v5";
const TIME_POINT: &str = "http://mmif.clams.ai/vocabulary/TimePoint/v4";

pub(super) struct Mmif;

impl TagFormat for Mmif {
    fn name(&self) -> &'static str {
        "mmif"
    }

    fn about(&self) -> &'static str {
        "MMIF of the CLAMS project, one document a title"
    }

    fn extension(&self) -> &'static str {
        "mmif"
    }

    fn is_sidecar(&self) -> bool {
        true
    }

    fn document(&self, tagged: Tagged<'_>) -> io::Result<Option<Vec<u8>>> {
        let documents = documents(tagged)?;
        // What a moment is a moment of: the trailer comes first where there is one.
        let first = documents[0]["properties"]["id"].clone();
        let mmif = Document {
            metadata: json!({ "mmif": SPECIFICATION }),
            documents,
            views: [view(tagged.tags, &first)],
        };
        let mut bytes = serde_json::to_vec_pretty(&mmif)?;
        bytes.push(b'\n');
        Ok(Some(bytes))
    }
}

/// An MMIF file.
#[derive(Serialize)]
struct Document {
    metadata: Value,
    documents: Vec<Value>,
    views: [View; 1],
}

/// What one application says of the documents.
#[derive(Serialize)]
struct View {
    id: &'static str,
    metadata: Value,
    annotations: Vec<Value>,
}

/// At least one: trailer, poster, plot; the title's name where it has none of them.
fn documents(Tagged { title, tags }: Tagged<'_>) -> io::Result<Vec<Value>> {
    let mut documents: Vec<Value> = Vec::new();
    let mut add = |kind: &str, mut properties: Map<String, Value>| {
        properties.insert("id".to_owned(), json!(format!("d{}", documents.len() + 1)));
        documents.push(json!({
            "@type": format!("http://mmif.clams.ai/vocabulary/{kind}/v1"),
            "properties": properties,
        }));
    };
    let at = |location: String| Map::from_iter([("location".to_owned(), json!(location))]);
    let text = |text: &str| Map::from_iter([("text".to_owned(), json!({ "@value": text }))]);
    let trailers = title.trailers.iter().map(|path| ("VideoDocument", path));
    for (kind, path) in trailers.chain(title.poster.iter().map(|path| ("ImageDocument", path))) {
        add(kind, at(file_uri(path)?));
    }
    if let Some(plot) = &title.plot {
        add("TextDocument", text(plot));
    }
    if documents.is_empty() {
        let mut properties = text(&tags.title);
        properties.insert("id".to_owned(), json!("d1"));
        documents.push(json!({
            "@type": "http://mmif.clams.ai/vocabulary/TextDocument/v1",
            "properties": properties,
        }));
    }
    Ok(documents)
}

fn view(tags: &TitleTags, document: &Value) -> View {
    let mut metadata = json!({
        "app": format!("https://github.com/cinetag/cinetag/{}", tags.version),
        "contains": { ANNOTATION: {} },
        "parameters": { "model": tags.model, "title": tags.title, "id": tags.id },
    });
    if let Some(time) = tags.tagged_at {
        metadata["timestamp"] = json!(time);
    }
    let mut annotations = Vec::new();
    for (modality, moments) in &tags.moments {
        for moment in moments {
            metadata["contains"][TIME_POINT] =
                json!({ "timeUnit": "milliseconds", "document": document });
            annotations.push(json!({
                "@type": TIME_POINT,
                "properties": {
                    "id": format!("t{}", annotations.len() + 1),
                    "timePoint": (f64::from(moment.time_secs) * 1000.0).round() as i64,
                    "label": modality,
                    "weight": moment.weight,
                },
            }));
        }
    }
    for (idx, score) in evidence::decided(tags).enumerate() {
        let contributions: BTreeMap<&String, f64> = score
            .contributions
            .iter()
            .map(|(name, part)| (name, evidence::double(*part)))
            .collect();
        annotations.push(json!({
            "@type": ANNOTATION,
            "properties": {
                "id": format!("g{}", idx + 1),
                "document": document,
                "label": score.genre,
                "classification": { score.genre.as_str(): evidence::double(score.probability) },
                "threshold": score.threshold,
                "base": evidence::double(score.base),
                "contributions": contributions,
            },
        }));
    }
    View { id: "v1", metadata, annotations }
}

/// RFC 8089, with every byte that is not unreserved or a slash percent-encoded.
fn file_uri(path: &Path) -> io::Result<String> {
    let path = std::path::absolute(path)?;
    let mut uri = "file://".to_owned();
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    Ok(uri)
}
