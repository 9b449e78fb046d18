//! FFmpeg reads an open file through this, and opens none itself.

use std::{
    ffi::{c_int, c_void},
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    ptr, slice,
};

use ffmpeg_next::ffi;

/// FFmpeg reads so much at a time, bytes.
const BUFFER_BYTES: usize = 1 << 16;

/// An open file with the callbacks by which FFmpeg reads and seeks in it. It must outlive the
/// format context that uses it.
pub(super) struct FileReader {
    file: Box<File>,
    context: *mut ffi::AVIOContext,
}

#[allow(unsafe_code)]
impl FileReader {
    /// From the file's begin; `None` where memory is lacking.
    pub(super) fn new(file: File) -> Option<Self> {
        let mut file = Box::new(file);
        file.rewind().ok()?;
        // SAFETY: the buffer goes to the context, which is freed with it in `drop`; the file
        // stays where it is in its box as long as the context lives.
        unsafe {
            let buffer = ffi::av_mallocz(BUFFER_BYTES).cast::<u8>();
            if buffer.is_null() {
                return None;
            }
            let context = ffi::avio_alloc_context(
                buffer,
                BUFFER_BYTES as c_int,
                0,
                ptr::from_mut(&mut *file).cast(),
                Some(read),
                None,
                Some(seek),
            );
            if context.is_null() {
                ffi::av_free(buffer.cast());
                return None;
            }
            Some(Self { file, context })
        }
    }

    /// For `AVFormatContext.pb`.
    pub(super) fn context(&self) -> *mut ffi::AVIOContext {
        self.context
    }

    /// The file's first bytes, at most `count`.
    pub(super) fn first_bytes(&self, count: u64) -> std::io::Result<Vec<u8>> {
        let mut file: &File = &self.file;
        file.rewind()?;
        let mut bytes = Vec::new();
        file.take(count).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[allow(unsafe_code)]
impl Drop for FileReader {
    fn drop(&mut self) {
        // SAFETY: the format context that used it is gone; FFmpeg may have put another buffer
        // in the place of ours, and this frees the one that is there.
        unsafe {
            ffi::av_freep((&raw mut (*self.context).buffer).cast());
            ffi::avio_context_free(&raw mut self.context);
        }
    }
}

#[allow(unsafe_code)]
unsafe extern "C" fn read(opaque: *mut c_void, buffer: *mut u8, size: c_int) -> c_int {
    // SAFETY: `opaque` is the box of the reader, `buffer` has `size` bytes, zeroed or written
    // before.
    let (mut file, buffer) = unsafe {
        (&*opaque.cast::<File>(), slice::from_raw_parts_mut(buffer, size.max(0) as usize))
    };
    loop {
        return match file.read(buffer) {
            Ok(0) => ffi::AVERROR_EOF,
            Ok(num_bytes) => num_bytes as c_int,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => ffi::AVERROR(error.raw_os_error().unwrap_or(5)),
        };
    }
}

#[allow(unsafe_code)]
unsafe extern "C" fn seek(opaque: *mut c_void, offset: i64, whence: c_int) -> i64 {
    // SAFETY: `opaque` is the box of the reader.
    let mut file = unsafe { &*opaque.cast::<File>() };
    let whence = whence & !(ffi::AVSEEK_FORCE as c_int);
    let place = match whence {
        size if size == ffi::AVSEEK_SIZE as c_int => {
            // `File::metadata` may take a call that could name any file (`sandbox::calls`).
            return rustix::fs::fstat(file).map_or(-1, |stat| stat.st_size);
        }
        0 => u64::try_from(offset).map(SeekFrom::Start).ok(),
        1 => Some(SeekFrom::Current(offset)),
        2 => Some(SeekFrom::End(offset)),
        _ => None,
    };
    let moved = place.and_then(|place| file.seek(place).ok());
    moved.and_then(|at| i64::try_from(at).ok()).unwrap_or(i64::from(ffi::AVERROR(22)))
}
