//! Shards that somebody made: what they hold lies in the file itself, plainly, and is no larger.

use std::fs;

use cinetag::{
    base::{Digest, TitleId},
    store::{EncoderStore, FeatureRow, digest_of_text},
};
use half::f16;
use hdf5::types::FixedAscii;

use super::store::open_of;

const DIM: usize = 3;

fn row() -> FeatureRow {
    FeatureRow {
        key: digest_of_text("film"),
        title: TitleId::new("film"),
        data: vec![0.5; 2 * DIM],
        time_secs: Vec::new(),
        partial: None,
        text: None,
    }
}

/// Changes the one shard, which then bears the name of its bytes, as a stranger's does.
fn damaged(store: &EncoderStore, damage: &dyn Fn(&hdf5::File)) {
    let path = store.publish(&[row()]).unwrap().path.unwrap();
    let file = hdf5::File::append(&path).unwrap();
    damage(&file);
    file.close().unwrap();
    let name = format!("shard-{}.h5", Digest::of_file(&path).unwrap().short());
    fs::rename(&path, path.with_file_name(name)).unwrap();
}

/// What all ways of reading say, which is the same.
#[track_caller]
fn assert_refused(damage: &dyn Fn(&hdf5::File), words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let store = open_of(folder.path(), DIM);
    damaged(&store, damage);
    let said = |error: &dyn std::error::Error| {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        format!("{error}: {cause}")
    };
    let read = said(&store.read(&[digest_of_text("film")]).unwrap_err());
    assert!(read.contains("shard-") && read.contains(words), "{read}");
    assert!(said(&store.index().unwrap_err()).contains(words));
    assert!(!store.verify().unwrap().is_sound());
}

/// The checksum beside a dataset, which anybody can write.
fn sign(dataset: &hdf5::Dataset) {
    let text = FixedAscii::<64>::from_ascii(&[b'0'; 64]).unwrap();
    let attribute = dataset.new_attr::<FixedAscii<64>>().create("sha256").unwrap();
    attribute.write_scalar(&text).unwrap();
}

#[test]
fn a_file_without_checksums_is_not_shown_to_hdf5() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_of(folder.path(), DIM);
    let path = store.publish(&[row()]).unwrap().path.unwrap();
    fs::remove_file(&path).unwrap();
    let old = path.with_extension("old");
    let file = hdf5::File::with_options()
        .with_fapl(|access| {
            let (low, high) =
                (hdf5::file::LibraryVersion::Earliest, hdf5::file::LibraryVersion::V18);
            access.libver_bounds(low, high)
        })
        .create(&old)
        .unwrap();
    file.close().unwrap();
    let name = format!("shard-{}.h5", Digest::of_file(&old).unwrap().short());
    fs::rename(&old, path.with_file_name(name)).unwrap();
    let error = store.index().unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let said = format!("{error}: {cause}");
    assert!(said.contains("does not begin as HDF5 of format bounds v1.8 does"), "{said}");
}

#[test]
fn a_whole_shard_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_of(folder.path(), DIM);
    damaged(&store, &|_| ());
    let rows = store.read(&[digest_of_text("film")]).unwrap();
    assert_eq!((rows.num_rows(0), rows.data.len()), (2, 2 * DIM));
}

#[test]
fn links_to_other_files_and_places_are_not_followed() {
    let words = "is a link to somewhere else";
    let other = tempfile::tempdir().unwrap();
    let secret = other.path().join("secret.h5");
    let file = hdf5::File::create(&secret).unwrap();
    file.new_dataset_builder().with_data(&[f16::ONE; 2 * DIM]).create("data").unwrap();
    file.close().unwrap();
    let secret = secret.to_str().unwrap();
    assert_refused(
        &|file| {
            file.unlink("data").unwrap();
            file.link_external(secret, "/data", "data").unwrap();
        },
        words,
    );
    assert_refused(
        &|file| {
            file.unlink("data").unwrap();
            file.link_soft("/keys", "data").unwrap();
        },
        words,
    );
    // One more that nobody asked for.
    assert_refused(&|file| file.link_external(secret, "/data", "more").unwrap(), words);
}

#[test]
fn values_of_other_files_are_not_read() {
    let words = "does not lie plainly in this file";
    let other = tempfile::tempdir().unwrap();
    let secret = other.path().join("secret");
    fs::write(&secret, [0; 64]).unwrap();
    let secret = secret.to_str().unwrap();
    assert_refused(
        &|file| {
            file.unlink("data").unwrap();
            let builder = file.new_dataset::<f16>().shape((2, DIM)).external(secret, 0, 12);
            sign(&builder.create("data").unwrap());
        },
        words,
    );
    assert_refused(
        &|file| {
            file.unlink("data").unwrap();
            let builder = file.new_dataset::<f16>().shape((2, DIM));
            let builder = builder.virtual_map(secret, "data", (2, DIM), .., (2, DIM), ..);
            sign(&builder.create("data").unwrap());
        },
        words,
    );
    assert_refused(
        &|file| {
            file.unlink("data").unwrap();
            let builder = file.new_dataset::<f16>().shape((2, DIM)).chunk((1, DIM));
            let dataset = builder.create("data").unwrap();
            dataset.write(&ndarray::Array2::<f16>::zeros((2, DIM))).unwrap();
            sign(&dataset);
        },
        words,
    );
}

#[test]
fn a_dataset_is_no_larger_than_its_file() {
    for rows in [1_usize << 40, 1 << 20, usize::MAX / 8] {
        assert_refused(
            &|file| {
                file.unlink("data").unwrap();
                sign(&file.new_dataset::<f16>().shape((rows, DIM)).create("data").unwrap());
            },
            "says it is larger than the file",
        );
    }
    assert_refused(
        &|file| {
            for name in ["num_rows", "num_titles"] {
                file.attr(name).unwrap().write_scalar(&u64::MAX).unwrap();
            }
        },
        "its counts are no counts",
    );
}
