//! Other tools' weights, and networks in safetensors with the JSON files beside them.

use std::{
    fs,
    io::{Cursor, Read, Write},
    path::PathBuf,
};

use cinetag::{
    base::Digest,
    nn::{
        Device, ImageEncoder, ModelFiles, SentenceBert,
        checkpoint::{ctranslate2, ovad, pth, tensor_bundle},
    },
};

use super::{Target, golden};
use crate::{files, mutate::Form};

/// A member of the golden checkpoint.
fn member(name: &str) -> Vec<u8> {
    let bytes = fs::read(golden("zipped.pth")).expect("golden data");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("an archive");
    let full = archive
        .file_names()
        .flatten()
        .find(|full| full.ends_with(name))
        .expect("a member")
        .into_owned();
    let mut bytes = Vec::new();
    archive.by_name(&full).expect("a member").read_to_end(&mut bytes).expect("bytes");
    bytes
}

/// Opcodes, and classes that torch's pickles name.
const PICKLE_WORDS: &[&[u8]] = &[
    b"\x80\x02",
    b".",
    b"(",
    b")",
    b"t",
    b"}",
    b"]",
    b"q\x00",
    b"h\x00",
    b"Q",
    b"R",
    b"\x85",
    b"\x86",
    b"\x87",
    b"s",
    b"u",
    b"e",
    b"a",
    b"2",
    b"0",
    b"1",
    b"b",
    b"\x81",
    b"N",
    b"\x88",
    b"K\x01",
    b"M\xff\xff",
    b"J\xff\xff\xff\x7f",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"X\x01\x00\x00\x00w",
    b"X\xff\xff\xff\xff",
    b"\x94",
    b"j\x00\x00\x00\x00",
    b"ccollections\nOrderedDict\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch\nFloatStorage\n",
    b"cos\nsystem\n",
    b"((((",
    b"]q\x00h\x00h\x00",
    b"\x8b\xff\xff\xff\x7f",
    b"\x95\xff\xff\xff\xff\xff\xff\xff\xff",
];

pub static PICKLE: Target = Target {
    name: "pickle",
    form: Form::Bytes,
    tokens: PICKLE_WORDS,
    seeds: || vec![member("data.pkl")],
    run: |input, _| {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        let storage: Vec<u8> = (0..96).collect();
        for (name, bytes) in [("data.pkl", input), ("data/0", &storage), ("data/1", &storage)] {
            archive.start_file(format!("archive/{name}"), options).expect("a member");
            archive.write_all(bytes).expect("bytes");
        }
        let bytes = archive.finish().expect("an archive").into_inner();
        std::hint::black_box(pth::read(&bytes).is_ok());
        Ok(())
    },
};

pub static PTH: Target = Target {
    name: "pth",
    form: Form::Bytes,
    tokens: &[
        b"PK\x01\x02",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"PK\x06\x06",
        b"PK\x06\x07",
        b"data.pkl",
        b"\x80\x02",
        b"\x8a\x0a",
    ],
    seeds: || {
        ["legacy.pth", "zipped.pth"]
            .map(|name| fs::read(golden(name)).expect("golden data"))
            .to_vec()
    },
    run: |input, _| {
        std::hint::black_box(pth::read(input).is_ok());
        Ok(())
    },
};

/// A small network in OVAD's container: a text that names layers, and their numbers.
fn ovad_seed() -> Vec<u8> {
    let text =
        "7767517\n3 3\nGemm a 1 1 0 1 10=4 8=3 9=1\nReLU r 1 1 1 2\nGemm b 1 1 3 4 10=-1 8=1 9=1\n";
    let numbers = [0_u8; 64];
    let mut bytes = b"OVAD".to_vec();
    for number in [1, text.len() as u32, numbers.len() as u32, 4, 4] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(text.as_bytes());
    bytes.extend(numbers);
    bytes.extend([0; 8]);
    bytes
}

pub static OTHER: Target = Target {
    name: "other",
    form: Form::Files,
    tokens: &[
        b"Gemm",
        b"ConvolutionDepthWise1D",
        b"7767517\n",
        b"10=",
        b"8=-1",
        b"\x08\x01\x12",
        b"\xff\xff\xff\xff\x0f",
    ],
    seeds: || {
        let ctranslate2 = fs::read(golden("whisper/model.bin")).expect("golden data");
        let short = ctranslate2[..4096.min(ctranslate2.len())].to_vec();
        [ctranslate2, short, ovad_seed()]
            .map(|weights| files::pack(&[("weights".to_owned(), weights)]))
            .into_iter()
            .chain([files::pack(&[
                ("index".to_owned(), vec![8; 60]),
                ("weights".to_owned(), vec![0; 64]),
            ])])
            .collect()
    },
    run: |input, _| {
        let all = files::unpack(input);
        let of = |name: &str| all.iter().find(|(own, _)| own == name).map(|(_, bytes)| &bytes[..]);
        let weights = of("weights").unwrap_or_default();
        let read = match of("index") {
            Some(index) => tensor_bundle::read(index, weights).is_ok(),
            None if ovad::is_ovad(weights) => ovad::read(weights).is_ok(),
            None if ctranslate2::is_ctranslate2(weights) => ctranslate2::read(weights).is_ok(),
            None => false,
        };
        std::hint::black_box(read);
        Ok(())
    },
};

const FOLDERS: [&str; 11] = [
    "image_encoders/clip",
    "image_encoders/convnext",
    "image_encoders/dinov2",
    "image_encoders/resnet",
    "image_encoders/resnet-basic",
    "image_encoders/siglip",
    "text_networks/bert",
    "text_networks/distilbert",
    "text_networks/mpnet",
    "text_networks/xlm-roberta",
    "clip_zero_shot",
];

pub static NETWORKS: Target = Target {
    name: "networks",
    form: Form::Files,
    tokens: &[
        b"hidden_size",
        b"num_hidden_layers",
        b"num_attention_heads",
        b"image_size",
        b"patch_size",
        b"model_type",
        b"architectures",
        b"F32",
        b"F16",
        b"I64",
        b"shape",
        b"data_offsets",
        b"[0,0]",
        b"1_Pooling",
        b"../x",
        b"unk_token",
    ],
    seeds: || FOLDERS.iter().map(|name| files::pack(&files::read(&golden(name)))).collect(),
    run: |input, folder| {
        files::write(folder, &files::unpack(input));
        let weights = folder.join("model.safetensors");
        let beside = |name: &str| Some(folder.join(name)).filter(|path: &PathBuf| path.exists());
        let network = ModelFiles {
            weights,
            tokenizer: beside("tokenizer.json"),
            config: beside("config.json"),
            preprocessor: beside("preprocessor_config.json"),
            digest: Digest::of_bytes(input),
        };
        looks(&network);
        reads(&network);
        Ok(())
    },
};

/// As an encoder of pictures.
fn looks(network: &ModelFiles) {
    if let Ok(encoder) = ImageEncoder::load(network, &Device::Cpu) {
        let side = encoder.side_px();
        std::hint::black_box(encoder.embed(&vec![128; side * side * 3]).is_ok());
    }
}

/// As an encoder of sentences.
fn reads(network: &ModelFiles) {
    if let Ok(encoder) = SentenceBert::load(network, &Device::Cpu)
        && let Ok(window) =
            encoder.first_window("love and war, a ghost", encoder.max_tokens().min(64))
    {
        std::hint::black_box(encoder.embed(&[window]).is_ok());
    }
}
