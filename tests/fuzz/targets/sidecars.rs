//! The journal of a tagged library: nothing outside of the library changes, whatever it says.

use std::{fs, path::Path};

use cinetag::{
    base::Digest,
    write::sidecar::{FOLDER, last_header, last_run, memory, undo},
};
use serde_json::json;

use super::Target;
use crate::{files, mutate::Form};

const RUN: &str = "20260101-000000";

pub static JOURNAL: Target = Target {
    name: "journal",
    form: Form::Files,
    tokens: &[
        b"../victim.nfo",
        b"/tmp/victim.nfo",
        b"movie.nfo",
        b".cinetag/runs/x.jsonl",
        b"begin",
        b"done",
        b"kept",
        b"undone",
        b"run",
        b"path",
        b"before",
        b"after",
        b"modified",
        b"null",
        b"9999-12-31T23:59:59Z",
        b"-9999-01-01T00:00:00Z",
        b"\n",
        b"a/b.nfo",
        b"movie.nfo/x.nfo",
        b"deep/../../victim.nfo",
        b"\\u0000.nfo",
        b"tagged_at",
    ],
    seeds: || {
        let (old, new) = (b"<movie/>".to_vec(), b"<movie><genre>Drama</genre></movie>".to_vec());
        let digest = |bytes: &[u8]| Digest::of_bytes(bytes).to_string();
        let header = json!({"event": "run", "began": "2026-01-01T00:00:00Z", "cinetag": "0.1.0", "model": "m@0", "format": "nfo"});
        let begin = |path: &str, before: Option<String>| {
            json!({"event": "begin", "path": path, "before": before, "modified": "2025-01-01T00:00:00Z",
                   "inputs": digest(b"x"), "after": digest(&new), "given": ["Drama"]})
        };
        let kept = json!({"event": "kept", "path": "a/b.nfo", "inputs": digest(b"y"), "after": digest(&old), "given": []});
        let lines = [
            header,
            begin("movie.nfo", Some(digest(&old))),
            json!({"event": "done", "path": "movie.nfo"}),
            begin("a/new.nfo", None),
            json!({"event": "done", "path": "a/new.nfo"}),
            kept,
        ];
        let mut text = lines.map(|line| line.to_string()).join("\n");
        text.push('\n');
        vec![files::pack(&[
            (format!("{FOLDER}/runs/{RUN}.jsonl"), text.into_bytes()),
            (format!("{FOLDER}/before/{}", digest(&old)), old.clone()),
            ("movie.nfo".to_owned(), new.clone()),
            ("a/new.nfo".to_owned(), new),
            ("a/b.nfo".to_owned(), old),
        ])]
    },
    run: |input, folder| {
        let root = folder.join("library");
        fs::create_dir_all(&root).expect("a folder");
        fs::write(folder.join("victim.nfo"), b"<movie>mine</movie>").expect("a file");
        files::write(&root, &files::unpack(input));
        let film = fs::read(root.join("film.mkv"));
        let _ = (memory(&root), last_header(&root));
        if let Ok(Some(run)) = last_run(&root, Path::new("")) {
            let _ = undo(&root, Path::new(""), &run, false);
        }
        let _ = undo(&root, Path::new(""), RUN, true);
        let outside: Vec<_> = files::read(folder)
            .into_iter()
            .filter(|(name, _)| !name.starts_with("library/"))
            .collect();
        if outside != [("victim.nfo".to_owned(), b"<movie>mine</movie>".to_vec())] {
            return Err("a file outside of the library was touched".to_owned());
        }
        if fs::read(root.join("film.mkv")).ok() != film.ok() {
            return Err("a file that is no sidecar was touched".to_owned());
        }
        Ok(())
    },
};
