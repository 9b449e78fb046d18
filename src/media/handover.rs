//! Passing an open file to a worker: it reads what it was given and can open nothing.
//!
//! source: unix(7), `SCM_RIGHTS`.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};

/// The byte that a handle travels with.
const BYTE: u8 = b'F';

/// Sends a handle of the file.
pub(super) fn send_file(to: &UnixStream, file: &File) -> io::Result<()> {
    let handles = [file.as_raw_fd()];
    let content = [IoSlice::new(&[BYTE])];
    let rights = [ControlMessage::ScmRights(&handles)];
    sendmsg::<UnixAddr>(to.as_raw_fd(), &content, &rights, MsgFlags::empty(), None)?;
    Ok(())
}

/// Receives a file; `None` when the other side has closed the connection.
///
/// # Errors
/// The connection broke, or what came is no file.
pub(super) fn receive_file(from: &UnixStream) -> io::Result<Option<File>> {
    let mut byte = [0];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let mut content = [IoSliceMut::new(&mut byte)];
    let message =
        recvmsg::<UnixAddr>(from.as_raw_fd(), &mut content, Some(&mut space), MsgFlags::empty())?;
    if message.bytes == 0 {
        return Ok(None);
    }
    let mut handles = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = part {
            #[allow(unsafe_code)]
            // SAFETY: the kernel made these handles for this process just now; nobody else
            // knows them.
            handles.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    match handles.pop() {
        Some(handle) if byte == [BYTE] => Ok(Some(File::from(handle))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no file came with the request")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_file_arrives_open_and_the_end_is_none() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"moving pictures").unwrap();
        send_file(&ours, &file).unwrap();
        (&ours).write_all(b"behind it").unwrap();
        drop((file, ours));

        let mut received = receive_file(&theirs).unwrap().unwrap();
        io::Seek::rewind(&mut received).unwrap();
        let mut text = String::new();
        received.read_to_string(&mut text).unwrap();
        assert_eq!(text, "moving pictures");
        let mut rest = [0; 9];
        (&theirs).read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"behind it");
        assert!(receive_file(&theirs).unwrap().is_none());
    }

    #[test]
    fn bytes_without_a_file_are_no_request() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (&ours).write_all(b"F").unwrap();
        assert_eq!(receive_file(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
