//! Catalogs and what is imported: NFO, CSV, JSON Lines, Parquet, tar archives, other sources.

use std::{collections::BTreeMap, fs, path::Path};

use cinetag::{
    base::TitleId,
    catalog::{
        self, CatalogSpec, Title,
        import::{Origin, import},
        nfo,
        source::{self, Intake},
    },
    tag::TitleTags,
    write::format::{Existing, Tagged, Update, registry},
};

use super::{Target, file, golden};
use crate::{files, mutate::Form};

const XML: &[&[u8]] = &[
    b"<movie>",
    b"</movie>",
    b"<genre>",
    b"</genre>",
    b"<genre/>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"&b;",
    b"&#x0;",
    b"&#99999999;",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"<a>",
    b"</a>",
    b"a=\"b\" ",
    b"<cinetag/>",
    b"<cinetag run=\"x\">Drama</cinetag>",
    b"<director>x</director>",
    b" / ",
    b"|",
    b"\r\n",
    b"\0",
];

pub static NFO: Target = Target {
    name: "nfo",
    form: Form::Bytes,
    tokens: XML,
    seeds: || {
        let plain = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<movie>\n  <title>A</title>\n  \
            <uniqueid type=\"imdb\">tt9900001</uniqueid>\n  <genre>Drama / War</genre>\n  <set><name>S</name></set>\n  \
            <actor><name>B</name><order>1</order></actor>\n  <!-- c -->\n  <runtime>95 min</runtime>\n</movie>\n";
        let samples = ["jellyfin", "kodi", "latin1", "radarr", "tinymediamanager"].map(|name| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/write/format/nfo/samples");
            fs::read(format!("{folder}/{name}.nfo")).expect("a sample")
        });
        let ours = match update(b"<movie/>") {
            Update::Write { bytes, .. } => bytes,
            Update::Leave { reason } => panic!("{reason}"),
        };
        let address = b"https://www.imdb.com/title/tt9900001/".to_vec();
        [plain.to_vec(), ours, address].into_iter().chain(samples).collect()
    },
    run: |input, _| {
        let was_read = nfo::read(input).is_ok();
        if let Update::Write { bytes, .. } = update(input)
            && was_read
        {
            nfo::read(&bytes).map_err(|error| format!("what was written is no NFO: {error}"))?;
        }
        Ok(())
    },
};

/// What becomes of an NFO file that is there.
fn update(bytes: &[u8]) -> Update {
    let title = Title::new(TitleId::new("film"));
    let tags = TitleTags {
        id: title.id.clone(),
        title: "Film".to_owned(),
        year: Some(1995),
        genres: vec!["Drama".to_owned(), "Film-Noir".to_owned()],
        doubtful: Vec::new(),
        scores: Vec::new(),
        from_speech_alone: false,
        said: Vec::new(),
        transcript: None,
        moments: BTreeMap::new(),
        missing: BTreeMap::new(),
        model: "films@9f86d081884c7d65".to_owned(),
        version: "0.1.0".to_owned(),
        tagged_at: None,
    };
    let given = ["War".to_owned()];
    let existing = Existing { bytes: Some(bytes), given: &given, ..Existing::default() };
    let format = registry::find("nfo").expect("NFO is a format");
    format.update(Tagged { title: &title, tags: &tags }, existing).expect("tags can be expressed")
}

/// Loads a catalog as a command would, and says its problems.
fn load(folder: &Path, name: &str, bytes: &[u8]) {
    let spec = CatalogSpec::new(file(folder, name, bytes));
    if let Ok((catalog, problems)) = catalog::load(&spec) {
        let words: usize = problems.iter().map(|problem| problem.to_string().len()).sum();
        std::hint::black_box((catalog.titles.len(), words));
    }
}

pub static CSV: Target = Target {
    name: "csv",
    form: Form::Bytes,
    tokens: &[
        b",",
        b"\"",
        b"\n",
        b"\r\n",
        b";",
        b"\t",
        b"id",
        b"genres",
        b"trailer",
        b"fold",
        b"a|b|c",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\"\"",
        b"{\"id\": 1, \"name\": \"Drama\"}",
        b"['Drama', 'War']",
        b"\0",
        b"year",
    ],
    seeds: || {
        let small = b"id,title,year,plot,genres,fold,group\na,\"A, B\",1999,\"He says \"\"no\"\".\",Drama|War,0,g\n\
            b,C,x,,\"['Drama', 'Crime']\",1,\nc,,2001,\"two\nlines\",Drama,2,g\n";
        let nested = b"id;genres;director\n1;[{\"id\": 18, \"name\": \"Drama\"}];A\n2;[{\"id\": 1, \"name\": \"War\"}];B\n";
        let nasty = fs::read(golden("catalog/nasty.csv")).expect("golden data");
        vec![small.to_vec(), nested.to_vec(), nasty]
    },
    run: |input, folder| {
        load(folder, "catalog.csv", input);
        Ok(())
    },
};

pub static JSONL: Target = Target {
    name: "jsonl",
    form: Form::Bytes,
    tokens: &[
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"id\"",
        b"\"genres\"",
        b":",
        b",",
        b"null",
        b"1e999",
        b"\"\\ud800\"",
        b"\"\\u0000\"",
        b"{\"a\":",
        b"\n",
        b"\xff",
        b"\"name\"",
        b"\"trailer\"",
    ],
    seeds: || {
        let small = b"{\"id\": \"a\", \"year\": 1999, \"genres\": [\"Drama\", {\"id\": 3, \"name\": \"War\"}], \
            \"plot\": \"x\"}\n{\"id\": \"b\", \"genres\": \"Drama\", \"fold\": 1, \"trailer\": [\"a.mp4\", \"b.mp4\"]}\n";
        vec![small.to_vec(), fs::read(golden("catalog/plain.jsonl")).expect("golden data")]
    },
    run: |input, folder| {
        load(folder, "catalog.jsonl", input);
        Ok(())
    },
};

/// Reads a source and counts what comes.
fn read(name: &str, path: &Path, media: Option<&Path>) {
    let mut num_bytes = 0;
    let mut take = |row: source::Row| num_bytes += format!("{row:?}").len();
    let mut intake = Intake::new(&mut take);
    if let Some(media) = media {
        intake = intake.unpacking_into(media);
    }
    let _ = source::find(name).expect("a source").read(path, &mut intake);
    std::hint::black_box(intake.finish());
}

pub static PARQUET: Target = Target {
    name: "parquet",
    form: Form::Bytes,
    tokens: &[
        b"PAR1",
        b"\x15\x02",
        b"\x15\x00",
        b"\x19\x1c",
        b"id",
        b"genres",
        b"list",
        b"element",
    ],
    seeds: || {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out");
        // Written by the program's own writer of tables, through an import of a library of NFO files.
        for n in 0..20 {
            let film = folder.path().join(format!("library/Film {n} ({})", 1990 + n));
            fs::create_dir_all(&film).expect("a folder");
            fs::write(film.join("film.mkv"), b"x").expect("a film");
            let plot = "word ".repeat(n * 5);
            let nfo = format!(
                "<movie><title>Film {n}</title><plot>{plot}</plot><genre>Drama</genre><genre>War</genre></movie>"
            );
            fs::write(film.join("film.nfo"), nfo).expect("an NFO");
        }
        let library = Origin {
            source: source::find("library").expect("a source"),
            path: folder.path().join("library"),
        };
        import(&library, &[], &out).expect("an import");
        vec![fs::read(out.join(catalog::import::PARQUET_FILE)).expect("a Parquet file")]
    },
    run: |input, folder| {
        read("parquet", &file(folder, "catalog.parquet", input), None);
        Ok(())
    },
};

/// A tar archive of these members.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).expect("a member");
    }
    archive.into_inner().expect("an archive")
}

pub static TAR: Target = Target {
    name: "tar",
    form: Form::Bytes,
    tokens: &[
        b"ustar\x0000",
        b"ustar  \0",
        b"L",
        b"x",
        b"g",
        b"S",
        b"1",
        b"2",
        b"../",
        b"/",
        b"0001.json",
        b"\0\0\0\0\0\0\0\0",
        b"77777777777",
        b"\x80\0\0\0\0\0\0\0\xff\xff\xff\xff",
        b"path=../../x\n",
        b"27 path=../../../../etc/x.jpg\n",
        b"GNU.sparse.size=99999999\n",
    ],
    seeds: || {
        let plain = archive(&[
            ("0001.mp4", b"film"),
            ("0001.json", br#"{"title": "A", "genres": ["Drama"], "poster": "/etc/passwd"}"#),
            ("0001.txt", b"A plot."),
            ("0002.jpg", b"picture"),
            ("0002.plot.txt", b"Another."),
            (&format!("{}/0003.jpg", "long".repeat(60)), b"picture"),
        ]);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &plain).expect("bytes");
        vec![plain, encoder.finish().expect("a gzip file")]
    },
    run: |input, folder| {
        let (inner, media) = (folder.join("shards"), folder.join("shards/media"));
        fs::create_dir_all(&media).expect("a folder");
        let shard = file(&inner, "a.tar", input);
        read("webdataset", &shard, None);
        read("webdataset", &shard, Some(&media));
        let names = |folder: &Path| -> Vec<_> {
            fs::read_dir(folder)
                .expect("a folder")
                .flatten()
                .map(|entry| entry.file_name())
                .collect()
        };
        let (outer, mut inside) = (names(folder), names(&inner));
        inside.sort();
        if outer != ["shards"] || inside != ["a.tar", "media"] {
            return Err(format!("it wrote elsewhere: {outer:?} {inside:?}"));
        }
        Ok(())
    },
};

pub static SOURCES: Target = Target {
    name: "sources",
    form: Form::Files,
    tokens: &[
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b",",
        b"\t",
        b"\n",
        b"\\N",
        b"\x1f\x8b",
        b"<movie>",
        b"[{\"id\": 1}]",
        b"[{'name': 'x'}]",
        b"null",
        b"-1",
        b"id",
        b"tt9900001",
        b"genres",
        b"names",
        b"../x",
    ],
    seeds: || {
        source::SOURCES
            .iter()
            .filter_map(|source| {
                let folder = golden("sources").join(source.name());
                let files = files::read(&folder);
                let prefixed = |(name, bytes): &(String, Vec<u8>)| {
                    (format!("{}/{name}", source.name()), bytes.clone())
                };
                let files: Vec<_> = files.iter().map(prefixed).collect();
                (!files.is_empty()).then(|| files::pack(&files))
            })
            .collect()
    },
    run: |input, folder| {
        files::write(folder, &files::unpack(input));
        for source in source::SOURCES {
            let path = folder.join(source.name());
            if path.is_dir() {
                read(source.name(), &path, Some(&folder.join("media")));
            }
        }
        Ok(())
    },
};
