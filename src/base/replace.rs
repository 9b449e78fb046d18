//! A file gets other bytes and stays what it was besides: owner, group, rights, access lists,
//! extended attributes, hard links.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::Path,
};

use super::{Draft, file::NotAFile, publish_bytes};

/// Writes `bytes` into the file at `path`, which is no link.
///
/// In one step, by a file of the same owner, rights and attributes that takes its place. Where there
/// may be none, because the file has other names too (hard links), or its owner, attributes or
/// folder are not the caller's to set, the bytes are written over the old ones, once there is room for
/// them: whoever keeps a copy of these first can mend what a crash in between leaves.
///
/// A file that is new belongs to whom its folder belongs, where this may be set.
///
/// # Errors
/// The system's error; the file is then what it was, unless writing over it failed half-way.
pub fn replace_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let Some(old) = no_link(path)? else {
        publish_bytes(path, bytes)?;
        own_like_folder(path);
        return Ok(());
    };
    if old.nlink() > 1 {
        return write_over(path, bytes);
    }
    match twin(path, &old, bytes) {
        Ok(twin) => twin.publish(),
        Err(error) if is_forbidden(&error) => write_over(path, bytes),
        Err(error) => Err(error),
    }
}

/// Makes a file or folder belong to whom its folder belongs, where this may be set: what root
/// writes into a library must stay readable for its owner.
pub fn own_like_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = std::fs::metadata(folder.unwrap_or(Path::new("."))) {
        let _ = std::os::unix::fs::lchown(path, Some(folder.uid()), Some(folder.gid()));
    }
}

fn no_link(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(io::Error::other("it is a link")),
        Ok(found) => match NotAFile::of(found.file_type()) {
            None => Ok(Some(found)),
            Some(other) => Err(other.into()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a file of the same kind may not be made, or cannot be on this file system.
fn is_forbidden(error: &io::Error) -> bool {
    [io::ErrorKind::PermissionDenied, io::ErrorKind::Unsupported].contains(&error.kind())
}

/// A file beside the old one that is like it but for its bytes.
fn twin(path: &Path, old: &Metadata, bytes: &[u8]) -> io::Result<Draft> {
    let draft = Draft::begin(path)?;
    let mut file = OpenOptions::new().write(true).open(draft.path())?;
    file.write_all(bytes)?;
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(std::fs::Permissions::from_mode(old.mode() & 0o7777))?;
    copy_attributes(&File::open(path)?, &file)?;
    Ok(draft)
}

/// Copies extended attributes, access lists among them. What the security module sets itself is
/// its own affair.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    use rustix::{
        fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr},
        io::Errno,
    };
    // The limits of Linux: 64 KiB for all names, and for each value.
    let (mut names, mut value) = (vec![0_u8; 1 << 16], vec![0_u8; 1 << 16]);
    let num = match flistxattr(from, &mut names[..]) {
        Ok(num) => num,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for name in names[..num].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let len = fgetxattr(from, name, &mut value[..])?;
        let set = fsetxattr(to, name, &value[..len], XattrFlags::empty());
        if !name.starts_with(b"security.") {
            set?;
        }
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn copy_attributes(_from: &File, _to: &File) -> io::Result<()> {
    Ok(())
}

fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let mut file = OpenOptions::new().write(true).custom_flags(flags).open(path)?;
    make_room(&file, bytes.len() as u64)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

/// Has the disk set this many bytes aside, so that it is not found full half-way.
#[cfg(target_os = "linux")]
fn make_room(file: &File, num_bytes: u64) -> io::Result<()> {
    use rustix::{fs::FallocateFlags, io::Errno};
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, num_bytes) {
        Ok(()) | Err(Errno::NOTSUP | Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn make_room(_file: &File, _num_bytes: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn all_but_the_bytes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("movie.nfo");
        fs::write(&path, "old and long").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let file = File::open(&path).unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        let has_attributes = rustix::fs::fsetxattr(&file, "user.rating", b"seven", flags).is_ok();
        // Only root may give a file away.
        let is_given = std::os::unix::fs::chown(&path, Some(1234), Some(4321)).is_ok();
        let before = fs::metadata(&path).unwrap();
        replace_bytes(&path, b"new").unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(after.mode(), before.mode());
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert!(!is_given || after.uid() == 1234);
        let mut value = [0_u8; 16];
        let read = rustix::fs::getxattr(&path, "user.rating", &mut value[..]);
        assert!(!has_attributes || read == Ok(5));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn hard_links_stay_linked_and_links_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("one"), "old and long").unwrap();
        fs::hard_link(path("one"), path("two")).unwrap();
        replace_bytes(&path("one"), b"new").unwrap();
        assert_eq!(fs::read(path("two")).unwrap(), b"new");
        assert_eq!(fs::metadata(path("two")).unwrap().nlink(), 2);
        std::os::unix::fs::symlink(path("one"), path("link")).unwrap();
        assert!(replace_bytes(&path("link"), b"other").is_err());
        assert_eq!(fs::read(path("one")).unwrap(), b"new");
    }

    #[test]
    fn a_new_file_belongs_to_the_folders_owner() {
        let folder = tempfile::tempdir().unwrap();
        let is_given = std::os::unix::fs::chown(folder.path(), Some(1234), Some(4321)).is_ok();
        let path = folder.path().join("movie.nfo");
        replace_bytes(&path, b"new").unwrap();
        let (own, of_folder) = (fs::metadata(&path).unwrap(), fs::metadata(folder.path()).unwrap());
        assert_eq!((own.uid(), own.gid()), (of_folder.uid(), of_folder.gid()));
        assert!(!is_given || own.uid() == 1234);
    }
}
