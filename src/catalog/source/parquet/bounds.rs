//! How much a Parquet file may unfold to, seen before any of it is.
//!
//! in: the file; out: nothing, or what is too much in it. A page says in its header how many bytes it
//! has once it is decompressed and how many values; a few bytes can say billions of either.
//! source: Apache Parquet, `parquet.thrift` (`FileMetaData`, `SchemaElement`, `PageHeader`)

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::thrift::{LIST, Malformed, STRUCT, Thrift};

/// A catalog's columns are values and lists of values: three levels below the root.
const MAX_DEPTH: usize = 8;
/// Columns, each with what stands above it in the schema.
const MAX_ELEMENTS: u64 = 20_000;
/// Bytes of a page: a thousand times what writers make.
const MAX_PAGE_BYTES: i64 = 256 << 20;
/// A page header is as long as the least and the greatest value that it quotes.
const HEADER_BYTES: [usize; 2] = [4 << 10, 4 << 20];
/// What a value costs once it is read, beside its bytes.
pub(super) const VALUE_BYTES: u64 = 16;

/// Bytes that a file may still unfold to. Columns that say the same in each row are nearly nothing in
/// a file, so this is generous: what it must keep away is a thousandfold.
pub(super) struct Budget(u64);

impl Budget {
    pub(super) fn of_file(file_bytes: u64) -> Self {
        Self(file_bytes.saturating_mul(200).saturating_add(64 << 20))
    }

    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), String> {
        self.0 = self.0.checked_sub(bytes).ok_or("it unfolds to far more than its size")?;
        Ok(())
    }
}

/// The last bytes of a file: its own description, its length and a magic number.
const FOOTER_BYTES: u64 = 8;

/// Whether the columns are not nested in each other without end.
///
/// # Errors
/// They are, there are too many, or there is no description of them.
pub(super) fn check_schema(file: &mut File, file_bytes: u64) -> Result<(), String> {
    let broken = || "it has no description of its columns".to_owned();
    let end = file_bytes.checked_sub(FOOTER_BYTES).ok_or_else(broken)?;
    let len = read_at(file, end, 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))?;
    let begin = end.checked_sub(u64::from(len)).ok_or_else(broken)?;
    let bytes = read_at(file, begin, len as usize)?;
    // How many children are still to come, of each element that is begun.
    let mut open: Vec<i64> = Vec::new();
    let mut too_much = None;
    let schema = |thrift: &mut Thrift<'_>, id: i64, kind: u8| {
        if (id, kind) != (2, LIST) {
            return Ok(());
        }
        let (num, kind) = thrift.list()?;
        if kind != STRUCT {
            return Err(Malformed);
        }
        for element in 0..num {
            let mut children = 0;
            thrift.fields(|thrift, id, kind| {
                if (id, kind) == (5, 5) {
                    children = thrift.number()?;
                }
                Ok(())
            })?;
            while open.pop_if(|left| *left <= 0).is_some() {}
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            open.push(children);
            if open.len() > MAX_DEPTH || element >= MAX_ELEMENTS {
                too_much = Some("it has columns within columns, or more than a catalog has");
                return Err(Malformed);
            }
        }
        Ok(())
    };
    let read = Thrift { rest: &bytes }.fields(schema);
    match (too_much, read) {
        (Some(what), _) => Err(what.to_owned()),
        (None, Err(Malformed)) => Err(broken()),
        (None, Ok(())) => Ok(()),
    }
}

/// Whether all pages together unfold to no more than the budget.
///
/// # Errors
/// They do, or a header is none.
pub(super) fn check_pages(
    file: &mut File,
    file_bytes: u64,
    metadata: &ParquetMetaData,
    budget: &mut Budget,
) -> Result<(), String> {
    for column in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let begin = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = begin.checked_add(column.compressed_size()).filter(|end| *end >= begin);
        let outside = || "it has a column that lies outside of it".to_owned();
        let mut at = u64::try_from(begin).map_err(|_| outside())?;
        let end = end.and_then(|end| u64::try_from(end).ok()).filter(|end| *end <= file_bytes);
        let end = end.ok_or_else(outside)?;
        while at < end {
            let page = page_at(file, at, end)?;
            budget.spend(page.bytes)?;
            budget.spend(page.num_values.saturating_mul(VALUE_BYTES))?;
            at = page.end;
        }
    }
    Ok(())
}

struct Page {
    /// Decompressed.
    bytes: u64,
    num_values: u64,
    /// Where it ends in the file.
    end: u64,
}

fn page_at(file: &mut File, at: u64, end: u64) -> Result<Page, String> {
    let broken = || "it has a page without a header".to_owned();
    for len in HEADER_BYTES {
        let bytes = read_at(file, at, len.min((end - at) as usize))?;
        let mut thrift = Thrift { rest: &bytes };
        let (mut whole, mut stored, mut num_values) = (None, None, 0);
        let read = thrift.fields(|thrift, id, kind| {
            match (id, kind) {
                (2, 5) => whole = Some(thrift.number()?),
                (3, 5) => stored = Some(thrift.number()?),
                // Of a data page in either version, of a dictionary.
                (5 | 7 | 8, STRUCT) => thrift.fields(|thrift, id, kind| {
                    if (id, kind) == (1, 5) {
                        num_values = thrift.number()?;
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        });
        if read.is_err() {
            continue; // a longer one, perhaps
        }
        let header_bytes = (bytes.len() - thrift.rest.len()) as u64;
        let size = |size: Option<i64>| {
            let size = size.filter(|size| (0..=MAX_PAGE_BYTES).contains(size));
            size.map(|size| size as u64)
        };
        let (Some(whole), Some(stored)) = (size(whole), size(stored)) else {
            return Err(format!("it has a page of more than {} MiB", MAX_PAGE_BYTES >> 20));
        };
        let num_values = u64::try_from(num_values).map_err(|_| broken())?;
        return Ok(Page { bytes: whole, num_values, end: at + header_bytes + stored });
    }
    Err(broken())
}

fn read_at(file: &mut File, at: u64, len: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; len];
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}
