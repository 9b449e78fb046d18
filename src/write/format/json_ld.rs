//! schema.org as JSON-LD: a `Movie` with its `genre`, and a `Dataset` about it that says by
//! what and why.
//!
//! source: schema.org 29, types Movie, Dataset, PropertyValue and `SoftwareApplication`

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{TagFormat, TagWriter, Tagged, evidence};

const CONTEXT: &str = "https://schema.org";

pub(super) struct JsonLd;

impl TagFormat for JsonLd {
    fn name(&self) -> &'static str {
        "json-ld"
    }

    fn about(&self) -> &'static str {
        "schema.org as JSON-LD: a Movie with its genres, and a Dataset that says why"
    }

    fn extension(&self) -> &'static str {
        "jsonld"
    }

    fn is_table(&self) -> bool {
        true
    }

    fn table<'a>(
        &self,
        out: Box<dyn Write + 'a>,
        _modalities: &[String],
    ) -> Option<Box<dyn TagWriter + 'a>> {
        Some(Box::new(Graph { out, is_begun: false }))
    }

    fn is_sidecar(&self) -> bool {
        true
    }

    fn document(&self, tagged: Tagged<'_>) -> io::Result<Option<Vec<u8>>> {
        let mut movie = json!({ "@context": CONTEXT });
        if let (Value::Object(all), Value::Object(fields)) = (&mut movie, movie_of(tagged)) {
            all.extend(fields);
        }
        let mut bytes = serde_json::to_vec_pretty(&movie)?;
        bytes.push(b'\n');
        Ok(Some(bytes))
    }
}

/// All titles as nodes of one `@graph`, one a line.
struct Graph<'a> {
    out: Box<dyn Write + 'a>,
    is_begun: bool,
}

impl Graph<'_> {
    fn begin(&mut self) -> io::Result<()> {
        let before = if self.is_begun { ",\n" } else { "" };
        self.out.write_all(before.as_bytes())?;
        if !self.is_begun {
            self.is_begun = true;
            writeln!(self.out, "{{\"@context\":\"{CONTEXT}\",\"@graph\":[")?;
        }
        Ok(())
    }
}

impl TagWriter for Graph<'_> {
    fn write(&mut self, tagged: Tagged<'_>) -> io::Result<()> {
        self.begin()?;
        serde_json::to_writer(&mut self.out, &movie_of(tagged))?;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if !self.is_begun {
            self.begin()?;
        }
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()
    }
}

fn movie_of(Tagged { title, tags }: Tagged<'_>) -> Value {
    let mut movie = json!({
        "@type": "Movie",
        "identifier": tags.id,
        "name": tags.title,
    });
    if let Some(year) = tags.year {
        movie["datePublished"] = json!(format!("{year:04}"));
    }
    if let Some(plot) = &title.plot {
        movie["description"] = json!(plot);
    }
    movie["genre"] = json!(tags.genres);
    let mut dataset = json!({
        "@type": "Dataset",
        "name": format!("Genres of {}", tags.title),
        "creator": {
            "@type": "SoftwareApplication",
            "name": "cinetag",
            "softwareVersion": tags.version,
        },
        "measurementTechnique": tags.model,
    });
    if let Some(time) = tags.tagged_at {
        dataset["dateCreated"] = json!(time);
    }
    let measured: Vec<Value> = evidence::decided(tags)
        .map(|score| {
            json!({
                "@type": "PropertyValue",
                "name": score.genre,
                "value": evidence::double(score.probability),
                "minValue": 0,
                "maxValue": 1,
                "description": evidence::in_words(score, tags),
            })
        })
        .collect();
    dataset["variableMeasured"] = json!(measured);
    movie["subjectOf"] = dataset;
    movie
}
