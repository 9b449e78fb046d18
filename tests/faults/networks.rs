//! Networks whose weights are whole and whose JSON files say what no network can be.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cinetag::{
    base::{Digest, Hinted},
    nn::{Device, ImageEncoder, ModelFiles, ModelSource, SentenceBert, WeightCache},
};
use serde_json::{Value, json};

/// A copy of a tiny network with one JSON file changed.
fn changed(folder: &Path, network: &str, name: &str, change: &dyn Fn(&mut Value)) -> ModelFiles {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data").join(network);
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    let path = folder.join(name);
    let mut tree = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut tree);
    fs::write(&path, tree.to_string()).unwrap();
    let beside = |name: &str| Some(folder.join(name)).filter(|path: &PathBuf| path.exists());
    ModelFiles {
        weights: folder.join("model.safetensors"),
        tokenizer: beside("tokenizer.json"),
        config: beside("config.json"),
        preprocessor: beside("preprocessor_config.json"),
        digest: Digest::of_bytes(b""),
    }
}

#[track_caller]
fn assert_no_images(network: &str, name: &str, change: &dyn Fn(&mut Value), words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let files = changed(folder.path(), network, name, change);
    let Err(error) = ImageEncoder::load(&files, &Device::Cpu) else { panic!("it was opened") };
    assert!(error.to_string().contains(words) && error.hint().is_some(), "{error}");
}

#[test]
fn sizes_that_no_network_has_are_refused() {
    let (config, pixels) = ("config.json", "preprocessor_config.json");
    let convnext = "image_encoders/convnext";
    let too_small = "1 pixels are too small";
    assert_no_images(convnext, pixels, &|c| c["size"]["shortest_edge"] = json!(1), too_small);
    assert_no_images(convnext, config, &|c| c["depths"] = json!([]), "none of a network");
    assert_no_images(convnext, config, &|c| c["patch_size"] = json!(0), "none of a network");
    assert_no_images(convnext, config, &|c| c["hidden_sizes"][0] = json!(0), "none of a network");
    let resnet = "image_encoders/resnet";
    assert_no_images(resnet, config, &|c| c["hidden_sizes"] = json!([8]), "none of a network");
    let siglip = "image_encoders/siglip";
    let heads = "cannot be divided among";
    assert_no_images(siglip, config, &|c| c["num_attention_heads"] = json!(0), heads);
    assert_no_images(siglip, config, &|c| c["num_attention_heads"] = json!(7), heads);
    assert_no_images(siglip, config, &|c| c["patch_size"] = json!(0), "none of a network");
}

#[test]
fn a_tokenizer_whose_library_panics_is_no_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    // "Helper" is expected to be readable.
    let change = |tree: &mut Value| tree["decoder"] = json!([1, 2, 3]);
    let files = changed(folder.path(), "text_networks/bert", "tokenizer.json", &change);
    let Err(error) = SentenceBert::load(&files, &Device::Cpu) else { panic!("it was opened") };
    assert!(error.to_string().contains("tokenizer.json") && error.hint().is_some(), "{error}");

    // Its library nests characters, and runs out of stack with the last of these.
    let change = |tree: &mut Value| tree["model"]["vocab"][42][0] = json!("x".repeat(25_000));
    let files = changed(folder.path(), "text_networks/xlm-roberta", "tokenizer.json", &change);
    let Err(error) = SentenceBert::load(&files, &Device::Cpu) else { panic!("it was opened") };
    assert!(error.to_string().contains("a token of 25000 bytes"), "{error}");
}

#[test]
fn a_checkpoint_that_is_none_is_refused_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let cache = WeightCache::open(Some(folder.path().join("cache"))).unwrap();
    // A pickle without end, a zip file that is none, a file of another kind.
    for bytes in [&b"\x80\x02((((((("[..], b"PK\x03\x04no", b"OVADno", b"no"] {
        let path = folder.path().join("model.pth");
        fs::write(&path, bytes).unwrap();
        let error = cache.resolve(&ModelSource::Path(path)).unwrap_err();
        let hint = error.hint().unwrap_or_else(|| panic!("no hint: {error}"));
        assert!(error.to_string().contains("model.pth") && hint.contains("safetensors"), "{hint}");
    }
}
