//! Several modalities that want the same sound and the same pictures, in one run.

use std::{collections::BTreeMap, fs, path::Path};

use super::{run, weights_are_here};

const WEIGHTS: &[&str] = &[
    "all-minilm-l6-v2",
    "efficientnet-lite0",
    "efficientnet-lite1",
    "whisper-tiny.en",
    "fireredvad-aed",
];

/// Tables of a pipeline: two that listen, two that look.
const MODALITIES: &[&str] = &[
    "[modality.audio]\n",
    "[modality.speech]\nhear = \"always\"\n",
    "[modality.frames]\nmodel = \"efficientnet-lite0\"\nmax_frames = 4\n",
    "[modality.frames-large]\nkind = \"frames\"\nmodel = \"efficientnet-lite1\"\nmax_frames = 6\n",
];

/// Extracts these modalities of the library; by the encoder's folder the names of its shards,
/// which are the digests of their bytes.
fn shards(scratch: &Path, name: &str, modalities: &[&str]) -> BTreeMap<String, Vec<String>> {
    let (folder, library) = (scratch.join(name), scratch.join("library"));
    fs::create_dir(&folder).unwrap();
    let pipeline = folder.join("pipeline.toml");
    let head = format!(
        "[run]\nname = \"together\"\nfolder = '{}'\nstore = '{}'\n[catalog]\npath = '{}'\n\
         [extract]\njobs = 1\nshard_secs = 100000\n",
        folder.join("run").display(),
        folder.join("store").display(),
        library.join("movies.csv").display(),
    );
    let stages = format!(
        "[[stage]]\nname = \"library\"\nkind = \"demo\"\nfolder = '{}'\ntitles = 4\n\
         [[stage]]\nname = \"features\"\nkind = \"extract\"\nneeds = [\"library\"]\n",
        library.display()
    );
    fs::write(&pipeline, format!("{head}{}{stages}", modalities.concat())).unwrap();
    run(&["run", pipeline.to_str().unwrap()]);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder.join("store/v1")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let names = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name());
            let mut names: Vec<String> =
                names.map(|name| name.to_string_lossy().into_owned()).collect();
            names.sort();
            found.insert(path.file_name().unwrap().to_string_lossy().into_owned(), names);
        }
    }
    found
}

#[test]
fn features_are_equal_to_the_byte_whoever_else_wants_something_of_the_film() {
    if !weights_are_here(WEIGHTS) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let together = shards(scratch.path(), "together", MODALITIES);
    let mut alone = BTreeMap::new();
    for (idx, modality) in MODALITIES.iter().enumerate() {
        alone.extend(shards(scratch.path(), &format!("alone-{idx}"), &[modality]));
    }
    assert_eq!(together, alone);
    let with_shards = |prefix: &str| {
        let folders = together.iter().filter(|(name, _)| name.starts_with(prefix));
        folders.filter(|(_, names)| names.iter().any(|name| name.starts_with("shard-"))).count()
    };
    assert_eq!(with_shards("frames-"), 2, "two networks look at the same frames: {together:?}");
    assert_eq!(with_shards("audio-"), 1, "{together:?}");
    assert!(together.keys().any(|name| name.starts_with("speech-")), "{together:?}");
}
