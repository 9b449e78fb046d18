//! Rows on their way into the catalog's files, by several threads.
//!
//! One thread reads rows, one checks, joins and cleans them, and each output has one of its own.
//! Rows go back to where they were made, to be dropped there: an allocator takes long over what
//! one thread makes and another one drops.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::{self, Scope, ScopedJoinHandle},
};

use super::{
    parquet_file::ParquetLines,
    record::Line,
    titles::{Taken, Titles},
};
use crate::{CatalogError, Row, load::RowLoader};

/// Rows that go from thread to thread at once, and how many times so many may wait.
const ROWS_PER_BATCH: usize = 1024;
const MAX_WAITING: usize = 8;

/// Where lines go to.
pub(super) struct Outputs<'a> {
    pub(super) jsonl: JsonLines,
    pub(super) parquet: ParquetLines,
    /// What a pipeline will find.
    pub(super) loader: RowLoader<'a>,
}

/// The catalog.
pub(super) struct JsonLines {
    file: BufWriter<File>,
    pub(super) num_titles: usize,
    written: io::Result<()>,
}

impl Outputs<'_> {
    /// Takes all rows that `read` gives.
    ///
    /// # Errors
    /// What `read` returns; an output keeps its own first failure.
    pub(super) fn fill(
        self,
        mut titles: Titles<'_>,
        read: impl FnOnce(&mut dyn FnMut(Row)) -> Result<(), CatalogError>,
    ) -> Result<(Taken, Self), CatalogError> {
        let (sender, receiver) = sync_channel::<Vec<Row>>(MAX_WAITING);
        let (back, spent) = channel();
        thread::scope(|scope| {
            let (to_jsonl, jsonl) = spawn(scope, self.jsonl, JsonLines::write, back.clone());
            let (to_parquet, parquet) =
                spawn(scope, self.parquet, ParquetLines::push, back.clone());
            let (to_loader, loader) = spawn(scope, self.loader, load, back);
            let taken = scope.spawn(move || {
                for rows in receiver {
                    let rows = rows.into_iter().filter_map(|row| titles.take(row)).collect();
                    let rows = Arc::new(rows);
                    for output in [&to_jsonl, &to_parquet, &to_loader] {
                        // One that is gone has panicked; that is told where it is joined.
                        let _ = output.send(Arc::clone(&rows));
                    }
                }
                titles.finish()
            });
            let mut batch = Batch { rows: Vec::new(), sender, spent };
            let read = read(&mut |row| batch.push(row));
            drop(batch);
            let taken = joined(taken);
            let outputs =
                Self { jsonl: joined(jsonl), parquet: joined(parquet), loader: joined(loader) };
            read.map(|()| (taken, outputs))
        })
    }
}

type Rows = Arc<Vec<Row>>;

/// A thread that writes lines of rows to an output, and the way to it.
fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut output: T,
    write: fn(&mut T, &[Line<'_>]),
    back: Sender<Rows>,
) -> (SyncSender<Rows>, ScopedJoinHandle<'scope, T>) {
    let (sender, receiver) = sync_channel::<Rows>(MAX_WAITING);
    let thread = scope.spawn(move || {
        for rows in receiver {
            let lines: Vec<Line> = rows.iter().map(Line::of).collect();
            write(&mut output, &lines);
            drop(lines);
            // A reader that is done wants none of them back.
            let _ = back.send(rows);
        }
        output
    });
    (sender, thread)
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Rows that are sent together.
struct Batch {
    rows: Vec<Row>,
    sender: SyncSender<Vec<Row>>,
    spent: Receiver<Rows>,
}

impl Batch {
    fn push(&mut self, row: Row) {
        self.rows.push(row);
        if self.rows.len() == ROWS_PER_BATCH {
            self.send();
        }
    }

    fn send(&mut self) {
        let _ = self.sender.send(std::mem::take(&mut self.rows));
        self.spent.try_iter().for_each(drop);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.send();
    }
}

impl JsonLines {
    pub(super) fn new(file: File) -> Self {
        Self { file: BufWriter::with_capacity(1 << 20, file), num_titles: 0, written: Ok(()) }
    }

    pub(super) fn write(&mut self, lines: &[Line<'_>]) {
        self.num_titles += lines.len();
        if self.written.is_ok() {
            self.written = lines.iter().try_for_each(|line| {
                serde_json::to_writer(&mut self.file, line)?;
                self.file.write_all(b"\n")
            });
        }
    }

    /// The first failure, if there was one.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.written.and_then(|()| self.file.flush())
    }
}

fn load(loader: &mut RowLoader<'_>, lines: &[Line<'_>]) {
    for line in lines {
        let values = line.values().filter(|(name, _)| loader.uses(name));
        let values = values.map(|(name, value)| (name, value.to_json())).collect::<Vec<_>>();
        loader.push(values);
    }
}
