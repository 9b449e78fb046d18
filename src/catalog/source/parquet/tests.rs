//! Files that say more than they hold.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    column::writer::ColumnWriter,
    data_type::ByteArray,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use super::*;

/// A file with one column of texts, each cell as often as it is asked for.
fn file_of(folder: &Path, cells: &[(&[u8], usize)]) -> PathBuf {
    let path = folder.join("films.parquet");
    let schema = parse_message_type("message films { required binary id (UTF8); }").unwrap();
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .set_dictionary_page_size_limit(1 << 30)
        .build();
    let out = fs::File::create(&path).unwrap();
    let mut writer =
        SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let ColumnWriter::ByteArrayColumnWriter(typed) = column.untyped() else { panic!("texts") };
    for (cell, times) in cells {
        let cell = ByteArray::from(cell.to_vec());
        typed.write_batch(&vec![cell; *times], None, None).unwrap();
    }
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    path
}

/// Rows, or what is said.
fn rows(path: &Path) -> Result<usize, String> {
    let mut num_rows = 0;
    let mut take = |_: Row| num_rows += 1;
    let mut intake = Intake::new(&mut take);
    let read = Parquet.read(path, &mut intake);
    drop(intake);
    read.map(|()| num_rows).map_err(|error| error.to_string())
}

#[test]
fn a_file_unfolds_to_a_multiple_of_its_size_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let text = vec![b'x'; 100];
    assert_eq!(rows(&file_of(folder.path(), &[(&text, 100_000)])), Ok(100_000));
    // One text of a megabyte in a dictionary, a million times.
    let long = vec![b'x'; 1 << 20];
    let said = rows(&file_of(folder.path(), &[(&long, 2000)])).unwrap_err();
    assert!(said.contains("unfolds to far more than its size"), "{said}");
    let huge = vec![b'x'; MAX_CELL_BYTES + 1];
    let said = rows(&file_of(folder.path(), &[(&huge, 1)])).unwrap_err();
    assert!(said.contains("a cell of id has 16777217 bytes"), "{said}");
}

/// A number as Thrift's compact protocol writes it.
fn zigzag(mut number: u64) -> Vec<u8> {
    number <<= 1;
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[test]
fn headers_that_claim_gigabytes_or_billions_of_values_are_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_of(folder.path(), &[(b"a", 64)]);
    let whole = fs::read(&path).unwrap();
    // The first page begins behind the magic number: kind, bytes, stored bytes, and of the
    // dictionary the number of values.
    let claim = |bytes: u64, num_values: u64| {
        let mut page = vec![0x15, 4, 0x15];
        page.extend(zigzag(bytes));
        page.extend([0x15, 0, 0x4c, 0x15]);
        page.extend(zigzag(num_values));
        page.extend([0x15, 0, 0, 0]);
        let mut damaged = whole.clone();
        damaged[4..4 + page.len()].copy_from_slice(&page);
        fs::write(&path, damaged).unwrap();
        rows(&path).unwrap_err()
    };
    assert!(claim(4 << 30, 1).contains("more than 256 MiB"));
    assert!(claim(200 << 20, 1).contains("unfolds to far more"));
    assert!(claim(1, 1 << 30).contains("unfolds to far more"));
}

#[test]
fn columns_within_columns_are_refused_before_anybody_follows_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep.parquet");
    // Elements that have one child each: repetition 0, name "a", one child.
    let element = [0x35, 0, 0x18, 1, b'a', 0x15, 2, 0];
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    footer.extend([0xa0, 0x8d, 0x06]); // 100,000 of them
    footer.extend(element.repeat(100_000));
    footer.extend([0x16, 0, 0x19, 0x0c, 0]);
    let len = (footer.len() as u32).to_le_bytes();
    fs::write(&path, [&b"PAR1"[..], &footer, &len, b"PAR1"].concat()).unwrap();
    let said = rows(&path).unwrap_err();
    assert!(said.contains("columns within columns"), "{said}");
    for bytes in [&b""[..], b"PAR1", b"PAR1\xff\xff\xff\xffPAR1"] {
        fs::write(&path, bytes).unwrap();
        rows(&path).unwrap_err();
    }
}
