//! Pipes and devices where a file is expected: they never end, so they must not be read.

use std::{
    fs,
    io::Read,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use cinetag::{
    media::{DecodePool, DecodeRequest, Fit, PictureSpec, PoolSettings, ReasonCode, Want},
    store::FeatureStore,
};
use serde_json::{Value, json};

/// Whoever waits for a pipe waits for ever; this is long enough for any answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The exit code and what was said on standard error; a command that hangs is killed and fails.
fn cinetag(args: &[&str], folder: &Path) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cinetag"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("CINETAG_WEIGHTS", folder.join("no-weights"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let (sender, said) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        let _ = sender.send(text);
    });
    let Ok(text) = said.recv_timeout(PATIENCE) else {
        child.kill().unwrap();
        panic!("cinetag {args:?} hangs");
    };
    (child.wait().unwrap().code().unwrap(), text)
}

/// A folder with `fifo`, which nobody writes to, and `zero`, a link to a device without end.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, fifo, 0o600.into()).unwrap();
    symlink("/dev/zero", folder.path().join("zero")).unwrap();
    folder
}

#[test]
fn what_a_command_is_given_is_a_file_or_the_command_says_what_it_is() {
    let folder = folder();
    for (name, words) in [("fifo", "it is a named pipe (FIFO)"), ("zero", "it is a device")] {
        let lists = [".csv", ".jsonl", ".toml", ".parquet"].map(|ending| {
            let list = format!("{name}{ending}");
            symlink(name, folder.path().join(&list)).unwrap();
            list
        });
        let [csv, jsonl, toml, parquet] = &lists;
        let bundle = folder.path().join(format!("bundle-{name}"));
        fs::create_dir(&bundle).unwrap();
        symlink(folder.path().join(name), bundle.join("bundle.json")).unwrap();
        let bundle = bundle.to_str().unwrap();
        for args in [
            vec!["catalog", "check", csv],
            vec!["catalog", "check", jsonl],
            vec!["catalog", "import", "parquet", parquet, "--out", "imported"],
            vec!["run", toml],
            vec!["tag", csv, "--bundle", bundle],
        ] {
            let (code, said) = cinetag(&args, folder.path());
            assert_ne!(code, 0, "{args:?}");
            assert!(said.contains(words) && said.contains("hint: "), "{args:?}: {said}");
        }
    }
}

#[test]
fn a_bundle_that_names_a_device_among_its_files_is_refused() {
    let folder = folder();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/bundles/plots-open");
    let text = fs::read(shipped.join("bundle.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&text).unwrap();
    config["files"] = json!({ "/dev/zero": "0".repeat(64) });
    let bundle = folder.path().join("bundle");
    fs::create_dir(&bundle).unwrap();
    fs::write(bundle.join("bundle.json"), config.to_string()).unwrap();
    fs::write(folder.path().join("films.csv"), "id,title,plot\na,A,murder\n").unwrap();
    let (code, said) = cinetag(&["tag", "films.csv", "--bundle", "bundle"], folder.path());
    assert!(code != 0 && said.contains("/dev/zero"), "{said}");
}

#[test]
fn a_poster_that_never_ends_costs_its_title_only() {
    let folder = folder();
    let digests = FeatureStore::open(&folder.path().join("store")).sources().unwrap();
    let settings = PoolSettings {
        program: Some(env!("CARGO_BIN_EXE_cinetag").into()),
        ..PoolSettings::default()
    };
    let pool = DecodePool::new(settings).unwrap();
    for (name, words) in [("fifo", "named pipe"), ("zero", "a device")] {
        let path = folder.path().join(name);
        assert!(digests.digest_of_file(&path).unwrap_err().to_string().contains(words));
        let want = Want::Picture(PictureSpec { side_px: 8, fit: Fit::Stretch });
        let mut decoded = pool.decode(&DecodeRequest::new(&path, [want]));
        let failure = decoded.take::<cinetag::media::Picture>(0).unwrap_err();
        assert_eq!(failure.code, ReasonCode::Unreadable);
        assert!(failure.detail.contains(words), "{failure}");
    }
    // In a catalog: one warning, and the catalog is whole.
    fs::write(folder.path().join("films.csv"), "id,title,plot,poster\na,A,guns,fifo\n").unwrap();
    let (_, said) = cinetag(&["catalog", "check", "films.csv"], folder.path());
    assert!(!said.contains("hangs"), "{said}");
}

/// A file without end but in name: it takes longer to read than anybody waits.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_the_reading_of_one_long_file() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("model.safetensors");
    fs::File::create(&weights).unwrap().set_len(1 << 42).unwrap();
    fs::write(folder.path().join("films.csv"), "id,title,genres,poster\na,A,Drama,a.png\n")
        .unwrap();
    let pipeline = [
        "[run]\nname = \"long\"\nfolder = \"run\"",
        "[catalog]\npath = \"films.csv\"",
        "[modality.poster]\nmodel = \"./model.safetensors\"",
        "[[stage]]\nname = \"features\"\nkind = \"extract\"",
    ];
    fs::write(folder.path().join("p.toml"), pipeline.join("\n")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cinetag"))
        .args(["extract", "p.toml"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let handles = format!("/proc/{}/fd", child.id());
    let is_open = || {
        let mut links = fs::read_dir(&handles).into_iter().flatten().flatten();
        links.any(|link| fs::read_link(link.path()).is_ok_and(|to| to == weights))
    };
    while !is_open() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it read the file");
        thread::yield_now();
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let (sender, ended) = channel();
    let mut stderr = child.stderr.take().unwrap();
    thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        let _ = sender.send(text);
    });
    let Ok(said) = ended.recv_timeout(PATIENCE) else {
        child.kill().unwrap();
        panic!("it reads on");
    };
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
}
