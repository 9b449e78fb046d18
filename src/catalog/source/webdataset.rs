//! WebDataset shards: tar archives in which files of one key are one sample.
//!
//! source: WebDataset, "The WebDataset Format": members of one key stand next to each other,
//! the key is the path up to the first dot of the file's name, the rest is the kind:
//! `0001.mp4`, `0001.jpg`, `0001.txt` (the plot), `0001.json` (any columns).
//!
//! `path` is a shard (`.tar`, `.tar.gz`) or a folder of them. Media must be unpacked to be
//! decoded: an import does that into its folder; read directly, a shard gives texts alone.

use std::{
    cell::Cell,
    collections::HashMap,
    fs,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use base::file;
use serde_json::Value;

use super::{Intake, Row, Source, files_below, gz, json};
use crate::{
    CatalogError, ProblemKind,
    decode::decode,
    media_kind::{IMAGE, VIDEO},
};

/// Bytes of a text, as of a line of text.
const MAX_TEXT_BYTES: u64 = 16 << 20;
/// Keys of a JSON member.
const MAX_COLUMNS: usize = 2000;
/// Bytes of a film; trailers have a thousandth.
const MAX_MEDIA_BYTES: u64 = 64 << 30;
/// Members of a shard; makers put some thousand into one.
const MAX_MEMBERS: u64 = 10_000_000;
/// Bytes of a member's header with a long name and what else tar has for it.
const MAX_HEAD_BYTES: u64 = 1 << 20;
/// What is compressed unfolds to so many times its size at most; texts unfold to five times, and
/// media to what they are.
const MAX_RATIO: u64 = 100;
/// And to this in any case: a small shard may be nearly nothing but the filling of its members.
const SMALL_BYTES: u64 = 64 << 20;

/// WebDataset.
pub(super) struct WebDataset;

impl Source for WebDataset {
    fn name(&self) -> &'static str {
        "webdataset"
    }

    fn about(&self) -> &'static str {
        "WebDataset tar shards: key.mp4, key.jpg, key.txt, key.json"
    }

    fn terms(&self) -> &'static str {
        "whatever the shards' maker says"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let mut is_told = false;
        for shard in files_below(path, &["tar", "gz", "tgz"])? {
            let cut = |error: io::Error| CatalogError::Format {
                path: shard.clone(),
                message: format!("is no whole tar archive ({error})"),
                hint: "make or download the shard again".to_owned(),
            };
            let shard_bytes = fs::metadata(&shard).map_err(cut)?.len();
            let most = shard_bytes.saturating_mul(MAX_RATIO).saturating_add(SMALL_BYTES);
            let from = gz::open(&shard).map_err(cut)?;
            let head_left = Cell::new(MAX_HEAD_BYTES);
            let mut archive =
                tar::Archive::new(Bounded { from, left: most, head_left: &head_left });
            let mut sample = Sample::default();
            let mut members = archive.entries().map_err(cut)?;
            for number in 0.. {
                file::look_at_interrupt().map_err(cut)?;
                head_left.set(MAX_HEAD_BYTES);
                let Some(member) = members.next() else { break };
                let mut member = Drained(member.map_err(cut)?);
                head_left.set(u64::MAX);
                if number >= MAX_MEMBERS {
                    return Err(cut(io::Error::other(format!(
                        "it has over {MAX_MEMBERS} members"
                    ))));
                }
                if !member.0.header().entry_type().is_file() {
                    continue;
                }
                let name = String::from_utf8_lossy(&member.0.path_bytes()).into_owned();
                let Some((key, kind)) = key_and_kind(&name) else { continue };
                if key != sample.key {
                    sample.finish(&shard, intake);
                    let shard = shard.file_stem().unwrap_or_default().to_string_lossy();
                    sample = Sample {
                        shard: shard.into_owned(),
                        key: key.to_owned(),
                        ..Sample::default()
                    };
                }
                let is_media = VIDEO.contains(&kind) || IMAGE.contains(&kind);
                let most = if is_media { MAX_MEDIA_BYTES } else { MAX_TEXT_BYTES };
                if (is_media || is_text(kind)) && member.0.size() > most {
                    let (bytes, hint) = (member.0.size(), "split it, or leave it out of the shard");
                    let message = format!("member {name} has {bytes} bytes, more than {most}");
                    intake.warn(ProblemKind::LeftOut, (&shard, 0), message, hint);
                    continue;
                }
                if is_media && !intake.unpacks() {
                    if !is_told {
                        is_told = true;
                        intake.warn(
                            ProblemKind::MissingFile,
                            (&shard, 0),
                            "media in a tar archive cannot be decoded where they are",
                            "run `cinetag catalog import webdataset`, which unpacks them",
                        );
                    }
                    continue;
                }
                sample.add(kind, &mut member.0, intake).map_err(cut)?;
            }
            sample.finish(&shard, intake);
        }
        Ok(())
    }
}

/// A reader that ends with an error when far more comes than a file of its size should hold.
struct Bounded<'a, R> {
    from: R,
    left: u64,
    /// What may come before the next member's content: its header, and a long name of it.
    head_left: &'a Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let num_bytes = self.from.read(out)?;
        let spend = |left: u64, what| {
            left.checked_sub(num_bytes as u64).ok_or_else(|| io::Error::other(what))
        };
        self.left = spend(self.left, "it unfolds to far more bytes than a file of its size holds")?;
        self.head_left.set(spend(self.head_left.get(), "a member's name has no end")?);
        Ok(num_bytes)
    }
}

/// A member that is read to its end when it is done with, so that what is read next is a header.
struct Drained<'a, R: Read>(tar::Entry<'a, R>);

impl<R: Read> Drop for Drained<'_, R> {
    fn drop(&mut self) {
        // What goes wrong here goes wrong again with the next header.
        let _ = io::copy(&mut self.0, &mut io::sink());
    }
}

/// Whether a member is read as text.
fn is_text(kind: &str) -> bool {
    ["txt", "plot.txt", "json"].contains(&kind)
}

/// `a/0001.seg.json` has the key `a/0001` and the kind `seg.json`.
fn key_and_kind(name: &str) -> Option<(&str, &str)> {
    let base = name.rfind('/').map_or(0, |at| at + 1);
    let dot = base + name[base..].find('.').filter(|&at| at > 0)?;
    Some((&name[..dot], &name[dot + 1..]))
}

#[derive(Default)]
struct Sample {
    /// The shard's name without extension: keys are unique in one only.
    shard: String,
    key: String,
    texts: HashMap<&'static str, String>,
    columns: json::Object,
}

impl Sample {
    fn add(
        &mut self,
        kind: &str,
        member: &mut impl Read,
        intake: &mut Intake<'_>,
    ) -> io::Result<()> {
        let column = match kind {
            _ if VIDEO.contains(&kind) => "trailer",
            _ if IMAGE.contains(&kind) => "poster",
            "txt" | "plot.txt" => "plot",
            "json" => {
                let mut bytes = Vec::new();
                member.read_to_end(&mut bytes)?;
                let name = format!("{}.json", self.key);
                match serde_json::from_slice(&bytes) {
                    Ok(Value::Object(object)) if object.len() <= MAX_COLUMNS => {
                        self.columns = object;
                    }
                    Ok(Value::Object(_)) => intake.decide(format!(
                        "member {name} has more than {MAX_COLUMNS} keys and is not used"
                    )),
                    _ => {
                        intake.decide(format!("member {name} is no JSON object and is not used"));
                    }
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        let text = if column == "plot" {
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes)?;
            decode(&bytes, None)
        } else {
            // A key is a name that others gave: nothing of it may lead out of the folder.
            let name = format!("{}-{}.{kind}", self.shard, self.key);
            let name = name.replace(['/', '\\', ':'], "_");
            intake.keep_media(&name, member)?.unwrap_or_default()
        };
        self.texts.insert(column, text);
        Ok(())
    }

    /// Hands the sample over, if it is one.
    fn finish(&mut self, shard: &Path, intake: &mut Intake<'_>) {
        if self.key.is_empty() {
            return;
        }
        let stated = |name: &str| json::text(&self.columns, name);
        let file: Arc<Path> = shard.into();
        let mut row = Row::at(file, 0).text("id", stated("id").unwrap_or_else(|| self.key.clone()));
        for column in ["trailer", "poster", "plot"] {
            row = row.maybe(column, self.texts.get(column));
        }
        for (name, value) in &self.columns {
            row = match value {
                _ if name == "id" || self.texts.contains_key(&**name) => row,
                // A path of where the shard was made names nothing here.
                _ if ["poster", "trailer"].contains(&name.as_str()) => row,
                Value::Array(_) => row.list(name, json::names(Some(value), &["name"])),
                _ => row.maybe(name, json::text(&self.columns, name)),
            };
        }
        intake.title(row);
        self.key.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, path::PathBuf};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// A gzipped shard of members that are zeros.
    fn shard(folder: &Path, members: &[(&str, u64)]) -> PathBuf {
        let path = folder.join("films.tar.gz");
        let file = fs::File::create(&path).unwrap();
        let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::best()));
        for (name, bytes) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(*bytes);
            archive.append_data(&mut header, name, io::repeat(b' ').take(*bytes)).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap().flush().unwrap();
        path
    }

    /// Titles and problems, or what is said.
    fn read(path: &Path, media: Option<&Path>) -> Result<(usize, Vec<String>), String> {
        let mut num_titles = 0;
        let mut take = |_: Row| num_titles += 1;
        let mut intake = Intake::new(&mut take);
        if let Some(media) = media {
            intake = intake.unpacking_into(media);
        }
        let read = WebDataset.read(path, &mut intake).map_err(|error| error.to_string());
        let (problems, ..) = intake.finish();
        let problems = problems.into_iter().map(|problem| problem.message).collect();
        read.map(|()| (num_titles, problems))
    }

    #[test]
    fn a_shard_unfolds_to_a_multiple_of_its_size_and_a_large_text_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = shard(folder.path(), &[("1.jpg", 1 << 20), ("2.txt", 1 << 20), ("3.jpg", 9)]);
        assert_eq!(read(&path, Some(folder.path())).unwrap(), (3, Vec::new()));
        let unpacked = fs::metadata(folder.path().join("films.tar-1.jpg")).unwrap();
        assert_eq!(unpacked.len(), 1 << 20);

        let path = shard(folder.path(), &[("1.txt", MAX_TEXT_BYTES + 1), ("2.txt", 9)]);
        let (num_titles, problems) = read(&path, None).unwrap();
        assert!(problems[0].contains("member 1.txt has 16777217 bytes"), "{problems:?}");
        assert_eq!((num_titles, problems.len()), (2, 1));

        // Blanks are a two-hundredth of their size here.
        let path = shard(folder.path(), &[("1.jpg", 256 << 20)]);
        for media in [None, Some(folder.path())] {
            let said = read(&path, media).unwrap_err();
            assert!(said.contains("unfolds to far more bytes"), "{said}");
        }
        assert_eq!(fs::metadata(folder.path().join("films.tar-1.jpg")).unwrap().len(), 1 << 20);
    }

    #[test]
    fn a_name_without_end_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("films.tar");
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(2 << 20);
        archive.append_data(&mut header, "name", io::repeat(b'x').take(2 << 20)).unwrap();
        fs::write(&path, archive.into_inner().unwrap()).unwrap();
        let said = read(&path, None).unwrap_err();
        assert!(said.contains("a member's name has no end"), "{said}");
    }

    #[test]
    fn a_member_that_says_it_is_larger_than_its_shard_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("films.tar");
        let mut header = tar::Header::new_gnu();
        header.set_path("1.jpg").unwrap();
        header.set_size(1 << 40);
        header.set_cksum();
        fs::write(&path, [&header.as_bytes()[..], b"x"].concat()).unwrap();
        let (_, problems) = read(&path, Some(folder.path())).unwrap_or_default();
        assert!(problems.is_empty() || problems[0].contains("1099511627776"), "{problems:?}");
        assert!(!folder.path().join("films-1.jpg").exists());
    }

    #[test]
    fn a_key_ends_at_the_first_dot_of_the_name() {
        assert_eq!(key_and_kind("0001.mp4"), Some(("0001", "mp4")));
        assert_eq!(key_and_kind("a.b/0001.seg.json"), Some(("a.b/0001", "seg.json")));
        assert_eq!(key_and_kind("./x.jpg"), Some(("./x", "jpg")));
        assert_eq!(key_and_kind("README"), None);
        assert_eq!(key_and_kind("a/.hidden"), None);
    }
}
