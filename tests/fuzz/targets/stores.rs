//! Feature stores: shards, and the small files beside them.

use std::{fs, path::Path, sync::Arc};

use cinetag::{
    base::{Digest, Fingerprint, TitleId},
    store::{
        EncoderIdentity, EncoderStore, FailureRow, FeatureRow, FeatureStore, TextSegment,
        TimedText, digest_of_text,
    },
};
use hdf5::{
    Dataset, H5Type, Location,
    file::LibraryVersion,
    types::{FixedAscii, TypeDescriptor},
};
use serde_json::json;

use super::Target;
use crate::{files, mutate::Form};

const DIM: usize = 3;

/// The part of an encoder, in a store below `root`.
fn open(root: &Path) -> Arc<EncoderStore> {
    let description = json!({"algorithm": 1});
    let identity = EncoderIdentity {
        name: "example".to_owned(),
        fingerprint: Fingerprint::of(&description),
        dim: DIM,
        row_unit: "row".to_owned(),
        description,
    };
    FeatureStore::open(root).encoder(&identity).expect("a store")
}

fn row(title: usize, says: bool) -> FeatureRow {
    let starts: Vec<f32> = (0..=title % 3).map(|n| n as f32).collect();
    let segment = |start: &f32| TextSegment {
        start_secs: *start,
        end_secs: start + 0.5,
        text: format!("words {start}"),
    };
    let text = TimedText {
        segments: starts.iter().map(segment).collect(),
        language: Some("en".to_owned()),
    };
    FeatureRow {
        key: digest_of_text(&title.to_string()),
        title: TitleId::new(&format!("title {title}")),
        data: (0..DIM * starts.len()).map(|n| n as f32).collect(),
        time_secs: starts,
        partial: (title == 1).then(|| "truncated: at 3 s".to_owned()),
        text: says.then_some(text),
    }
}

/// A shard as the program writes it.
fn shard(says: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: Vec<FeatureRow> = (0..5).map(|title| row(title, says)).collect();
    let published = open(folder.path()).publish(&rows).expect("a shard");
    fs::read(published.path.expect("a shard")).expect("a shard")
}

/// The same in HDF5's oldest form, whose metadata has no checksums: HDF5 must not get to see it.
fn without_checksums(bytes: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    fs::write(&from, bytes).expect("a shard");
    let from = hdf5::File::open(&from).expect("HDF5");
    let new = hdf5::File::with_options()
        .with_fapl(|access| access.libver_bounds(LibraryVersion::Earliest, LibraryVersion::V18))
        .create(&to)
        .expect("HDF5");
    attributes(&from, &new);
    for dataset in from.datasets().expect("datasets") {
        let name = dataset.name();
        let name = name.trim_start_matches('/');
        let twin = match dataset.dtype().and_then(|kind| kind.to_descriptor()).expect("a type") {
            TypeDescriptor::Unsigned(hdf5::types::IntSize::U1) => {
                values::<u8>(&dataset, &new, name)
            }
            TypeDescriptor::Unsigned(_) => values::<u64>(&dataset, &new, name),
            TypeDescriptor::Float(hdf5::types::FloatSize::U4) => {
                values::<f32>(&dataset, &new, name)
            }
            _ => values::<half::f16>(&dataset, &new, name),
        };
        attributes(&dataset, &twin);
    }
    new.close().expect("HDF5");
    fs::read(&to).expect("a shard")
}

fn values<T: H5Type + Clone>(dataset: &Dataset, new: &hdf5::File, name: &str) -> Dataset {
    let values = dataset.read_dyn::<T>().expect("values");
    new.new_dataset_builder().with_data(&values).create(name).expect("a dataset")
}

fn attributes(from: &Location, to: &Location) {
    for name in from.attr_names().expect("attributes") {
        let attribute = from.attr(&name).expect("an attribute");
        if let Ok(number) = attribute.read_scalar::<u64>() {
            to.new_attr::<u64>()
                .create(&*name)
                .and_then(|new| new.write_scalar(&number))
                .expect("HDF5");
        } else {
            let text = attribute.read_scalar::<FixedAscii<64>>().expect("a text");
            to.new_attr::<FixedAscii<64>>()
                .create(&*name)
                .and_then(|new| new.write_scalar(&text))
                .expect("HDF5");
        }
    }
}

/// Reads all that a store holds, as every command together would.
fn read_all(root: &Path) {
    let Ok(encoders) = FeatureStore::open(root).encoders() else { return };
    for store in encoders {
        std::hint::black_box(store.verify().map(|report| report.is_sound()).ok());
        std::hint::black_box(store.summary().ok());
        let Ok(index) = store.index() else { continue };
        let keys: Vec<Digest> = (0..5).map(|title| digest_of_text(&title.to_string())).collect();
        std::hint::black_box(store.read_with(&index, &keys).is_ok());
        std::hint::black_box(store.read_texts(&index, &keys).is_ok());
        std::hint::black_box(index.failures().len());
    }
}

pub static SHARD: Target = Target {
    name: "shard",
    form: Form::Bytes,
    tokens: &[
        b"\x89HDF\r\n\x1a\n",
        b"OHDR",
        b"OCHK",
        b"FRHP",
        b"SNOD",
        b"TREE",
        b"HEAP",
        b"GCOL",
        b"data",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
    seeds: || {
        let whole = [shard(false), shard(true)];
        let old = whole.each_ref().map(|bytes| without_checksums(bytes));
        whole.into_iter().chain(old).collect()
    },
    run: |input, folder| {
        // Its name is its digest, or HDF5 never gets to see it.
        let name = format!("shard-{}.h5", Digest::of_bytes(input).short());
        fs::write(open(folder).folder().join(name), input).expect("a shard");
        read_all(folder);
        Ok(())
    },
};

pub static STORE: Target = Target {
    name: "store",
    form: Form::Files,
    tokens: &[
        b"cinetag-features",
        b"null",
        b"\n",
        b"dim",
        b"18446744073709551615",
        b"description",
        b"{",
        b"}",
        b"../x",
        b"fingerprint",
    ],
    seeds: || {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        store.publish(&[row(0, false)]).expect("a shard");
        let failure = FailureRow {
            key: digest_of_text("7"),
            title: TitleId::new("seven"),
            source: "a.mp4".to_owned(),
            code: "corrupt".to_owned(),
            detail: "no".to_owned(),
        };
        store.publish_failures(&[failure]).expect("a log");
        let sources = FeatureStore::open(folder.path()).sources().expect("digests");
        fs::write(folder.path().join("film"), b"x").expect("a film");
        let _ = sources.digest_of_file(&folder.path().join("film"));
        vec![files::pack(&files::read(folder.path()))]
    },
    run: |input, folder| {
        files::write(folder, &files::unpack(input));
        std::hint::black_box(
            FeatureStore::open(folder).sources().map(|sources| sources.len()).ok(),
        );
        read_all(folder);
        Ok(())
    },
};
