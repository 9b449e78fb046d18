//! Files that may be gzipped, read ahead on a thread of their own: while one block is parsed the
//! next is decompressed.

use std::{
    io::{self, BufRead, Read},
    path::Path,
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use base::file;
use flate2::read::MultiGzDecoder;

const BLOCK_BYTES: usize = 1 << 20;
/// Blocks that wait to be parsed.
const NUM_WAITING: usize = 4;

/// Opens a file; what begins like gzip is decompressed, whatever its name.
pub(super) fn open(path: &Path) -> io::Result<ReadAhead> {
    let mut file = file::open(path)?;
    let mut magic = [0; 2];
    let is_gz = file.read(&mut magic)? == 2 && magic == [0x1f, 0x8b];
    let file = file::open(path)?;
    Ok(if is_gz { ReadAhead::new(MultiGzDecoder::new(file)) } else { ReadAhead::new(file) })
}

/// Reads on a thread; dropped, the thread ends at its next block.
pub(super) struct ReadAhead {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    num_taken: usize,
}

impl ReadAhead {
    fn new(mut reader: impl Read + Send + 'static) -> Self {
        let (sender, blocks) = sync_channel(NUM_WAITING);
        thread::spawn(move || {
            loop {
                let mut block = Vec::with_capacity(BLOCK_BYTES);
                let read = (&mut reader).take(BLOCK_BYTES as u64).read_to_end(&mut block);
                let is_last = !matches!(read, Ok(1..));
                if sender.send(read.map(|_| block)).is_err() || is_last {
                    return;
                }
            }
        });
        Self { blocks, block: Vec::new(), num_taken: 0 }
    }
}

impl BufRead for ReadAhead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.num_taken == self.block.len() {
            // A thread that is gone has sent its last, empty block.
            self.block = self.blocks.recv().unwrap_or_else(|_| Ok(Vec::new()))?;
            self.num_taken = 0;
        }
        Ok(&self.block[self.num_taken..])
    }

    fn consume(&mut self, num_bytes: usize) {
        self.num_taken += num_bytes;
    }
}

impl Read for ReadAhead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let num_bytes = self.fill_buf()?.read(out)?;
        self.consume(num_bytes);
        Ok(num_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn plain_and_gzipped_files_read_alike_and_a_cut_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..600_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        let read = |bytes: &[u8]| {
            let path = folder.path().join("file");
            fs::write(&path, bytes).unwrap();
            let mut out = Vec::new();
            open(&path).unwrap().read_to_end(&mut out).map(|_| out)
        };
        assert_eq!(read(&text).unwrap(), text);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&text).unwrap();
        let gz = encoder.finish().unwrap();
        assert_eq!(read(&gz).unwrap(), text);
        assert_eq!(read(&[gz.clone(), gz.clone()].concat()).unwrap().len(), 2 * text.len());
        assert!(read(&gz[..gz.len() / 2]).is_err());
        assert!(read(b"").unwrap().is_empty());
    }
}
