//! Networks in f16 and bf16 on the processor, and in every precision on a CUDA device where there is
//! one, against our kernels in f32, which the other tests compare with PyTorch.

use std::fs;

use cinetag::{
    base::{DeviceChoice, Hinted as _},
    nn::{
        Device, ImageEncoder, ModelFiles, ModelSource, Precision, SentenceBert, TextWindow,
        WeightCache, device,
    },
};

use crate::networks::{assert_close, data, picture, pretrained};

/// How near to f32, as part of the largest number. Measured on the processor in f16: EfficientNet-
/// Lite0 2.2e-3, a `BERT` of random weights 1.7e-3, the others less, all-MiniLM-L6-v2 0.9e-3; in bf16,
/// where products alone are rounded, 1.2e-2, nothing (no product is deep enough) and 4e-3. A device
/// keeps everything in bf16.
fn tolerance(precision: Precision) -> f32 {
    match precision {
        Precision::F32 | Precision::Int8 => 1e-4,
        Precision::F16 => 5e-3,
        Precision::Bf16 => 4e-2,
    }
}

/// Where networks are tested. Without a CUDA device it says so.
fn places() -> Vec<(Device, Precision)> {
    let mut places = [Precision::F16, Precision::Bf16].map(|p| (Device::Cpu, p)).to_vec();
    match device::resolve(DeviceChoice::Cuda(0)) {
        Ok((cuda, _)) => places
            .extend([Precision::F32, Precision::F16, Precision::Bf16].map(|p| (cuda.clone(), p))),
        Err(error) => eprintln!("NOT CHECKED on CUDA: {error}"),
    }
    places
}

/// Compares what is `found` at every place with what is `expected`.
fn at_every_place(what: &str, expected: &[f32], found: impl Fn(&Device, Precision) -> Vec<f32>) {
    for (device, precision) in places() {
        let what = format!("{what}, {precision:?} on {}", device::name(&device));
        assert_close(&what, &found(&device, precision), expected, tolerance(precision));
    }
}

fn in_folder(kind: &str) -> Vec<(String, ModelFiles)> {
    let cache = WeightCache::open(Some(data("no-cache"))).unwrap();
    let folders = fs::read_dir(data(kind)).unwrap().map(|entry| entry.unwrap().path());
    folders
        .map(|folder| {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            (name, cache.resolve(&ModelSource::Path(folder)).unwrap())
        })
        .collect()
}

#[test]
fn image_networks_are_the_same_on_every_device_in_every_precision() {
    let mut networks = in_folder("image_encoders");
    networks.extend(pretrained("efficientnet-lite0").map(|files| ("lite0".to_owned(), files)));
    for (name, files) in networks {
        let network = ImageEncoder::load(&files, &Device::Cpu).unwrap();
        let rgb = picture(network.side_px() as i64);
        let rgb = [rgb.iter().rev().copied().collect(), rgb].concat();
        at_every_place(&name, &network.embed(&rgb).unwrap(), |device, precision| {
            ImageEncoder::load_in(&files, device, precision).unwrap().embed(&rgb).unwrap()
        });
    }
}

#[test]
fn text_networks_are_the_same_on_every_device_in_every_precision() {
    let mut networks = in_folder("text_networks");
    networks.extend(pretrained("all-minilm-l6-v2").map(|files| ("minilm".to_owned(), files)));
    for (name, files) in networks {
        let network = SentenceBert::load(&files, &Device::Cpu).unwrap();
        // Of two lengths: those of one are computed together.
        let windows: Vec<TextWindow> = [("a ghost waits ", 30), ("her brother ", 9)]
            .into_iter()
            .flat_map(|(words, count)| network.windows(&words.repeat(count), 24, 4).unwrap())
            .collect();
        at_every_place(&name, &network.embed(&windows).unwrap(), |device, precision| {
            SentenceBert::load_in(&files, device, precision).unwrap().embed(&windows).unwrap()
        });
    }
}

#[test]
fn efficientnet_lite_says_that_its_numbers_changed_where_they_did() {
    let Some(files) = pretrained("efficientnet-lite0") else { return };
    let description = |precision| {
        let network = ImageEncoder::load_in(&files, &Device::Cpu, precision).unwrap();
        network.description().clone()
    };
    assert!(description(Precision::F32).is_null());
    assert_eq!(description(Precision::F16)["algorithm"], 2);
}

#[test]
fn what_is_not_computed_in_bf16_on_the_processor_is_refused_when_it_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(data("text_networks/bert")).unwrap().map(|file| file.unwrap().path()) {
        let to = folder.path().join(file.file_name().unwrap());
        if file.is_file() {
            fs::copy(&file, to).unwrap();
        }
    }
    let config = folder.path().join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("\"gelu\""), "{text}");
    fs::write(&config, text.replace("\"gelu\"", "\"relu\"")).unwrap();
    let cache = WeightCache::open(Some(data("no-cache"))).unwrap();
    let files = cache.resolve(&ModelSource::Path(folder.path().to_owned())).unwrap();
    let load = |precision| SentenceBert::load_in(&files, &Device::Cpu, precision).err();
    assert!(load(Precision::F16).is_none());
    let error = load(Precision::Bf16).expect("bf16 is refused");
    assert_eq!(error.to_string(), "the processor does not compute this network in bf16");
    assert!(error.hint().unwrap().contains("`f32`"));
}
