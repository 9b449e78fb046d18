//! Every command with an output, over everything that may lie where the output goes: nothing that
//! is not ours changes, and the exit code says what happened.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt::Write as _,
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

const DONE: i32 = 0;
const FAILED: i32 = 1;
const REFUSED: i32 = 2;
const NOBODY: u32 = 65534;
/// What a person wrote.
const FOREIGN: &str = "years of work\n";

/// A catalog, a library, a pipeline that needs no weights, and its bundle.
struct World {
    root: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let world = Self { root };
        // Others than root must be able to run the program here.
        fs::set_permissions(world.root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_cinetag"), world.path("cinetag")).unwrap();
        let genres = ["Drama", "Comedy", "Horror"];
        let mut catalog = String::from("id,title,year,genres,director\n");
        for idx in 0..36 {
            let genre = idx % genres.len();
            // Writing to a String cannot fail.
            let _ = writeln!(catalog, "t{idx},Film {idx},1980,{},Name {genre}", genres[genre]);
            let film = world.path(&format!("library/Film {idx} (1980)"));
            fs::create_dir_all(&film).unwrap();
            let nfo = format!(
                "<movie><title>Film {idx}</title><genre>{}</genre><plot>A film.</plot></movie>",
                genres[genre]
            );
            fs::write(film.join("movie.nfo"), nfo).unwrap();
        }
        fs::write(world.path("films.csv"), catalog).unwrap();
        let pipeline = "[run]\nname = \"small\"\nfolder = \"run\"\nstore = \"store\"\n\
             [catalog]\npath = \"films.csv\"\n[catalog.metadata]\npeople = [\"director\"]\n\
             [modality.metadata]\npeople = [\"director\"]\n\
             [learn]\nmembers = 2\nepochs = 3\n\
             [[stage]]\nname = \"features\"\nkind = \"extract\"\n\
             [[stage]]\nname = \"folds\"\nkind = \"split\"\nfolds = 3\n\
             [[stage]]\nname = \"model\"\nkind = \"train\"\nneeds = [\"features\"]\n\
             [[stage]]\nname = \"tags\"\nkind = \"tag\"\nneeds = [\"model\"]\nout = [\"tags.csv\"]\n";
        fs::write(world.path("p.toml"), pipeline).unwrap();
        let space = "method = \"random\"\ntrials = 1\n[space]\ndropout = [0.1, 0.2]\n";
        fs::write(world.path("space.toml"), space).unwrap();
        let (code, said) = world.run(&["run", "p.toml"]);
        assert_eq!(code, DONE, "{said}");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> (i32, String) {
        self.end(Command::new(self.path("cinetag")).args(args))
    }

    /// The exit code, and what was said on standard error.
    fn end(&self, command: &mut Command) -> (i32, String) {
        let output = command
            .current_dir(self.root.path())
            .env("CINETAG_WEIGHTS", self.path("no-weights"))
            .env("CINETAG_STATE", self.path("state"))
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A command with one output.
struct Job {
    args: &'static [&'static str],
    /// The first of the files in the folder that it writes; `None`: it writes one file.
    first: Option<&'static str>,
    /// Whether a folder with anything else in it is refused.
    wants_own: bool,
}

const JOBS: &[Job] = &[
    file(&["tag", "films.csv", "--bundle", "run/bundle", "--store", "store", "-o", "{}"]),
    file(&["tag", "films.csv", "--bundle", "run/bundle", "--store", "store", "--untagged", "{}"]),
    file(&["run", "p.toml", "--force", "tags", "--set", "stage.tags.out=[\"{}\"]"]),
    folder(
        &["tag", "films.csv", "--bundle", "run/bundle", "--store", "store", "--review", "{}"],
        "index.html",
    ),
    folder(&["catalog", "import", "library", "library", "--out", "{}"], "catalog.jsonl"),
    folder(&["catalog", "export", "films.csv", "--out", "{}"], "README.md"),
    run_folder(&["extract", "p.toml", "--set", "run.folder={}"], "pipeline.toml"),
    run_folder(&["train", "p.toml", "--set", "run.folder={}"], "bundle/README.md"),
    run_folder(&["run", "p.toml", "--set", "run.folder={}"], "tags.csv"),
    run_folder(&["ablate", "p.toml", "--seeds", "1", "--set", "run.folder={}"], "ablation.html"),
    run_folder(
        &["tune", "p.toml", "--space", "space.toml", "--set", "run.folder={}"],
        "tuned.toml",
    ),
];

const fn file(args: &'static [&'static str]) -> Job {
    Job { args, first: None, wants_own: false }
}

const fn folder(args: &'static [&'static str], first: &'static str) -> Job {
    Job { args, first: Some(first), wants_own: false }
}

const fn run_folder(args: &'static [&'static str], first: &'static str) -> Job {
    Job { args, first: Some(first), wants_own: true }
}

impl Job {
    fn args(&self, out: &Path, overwrite: bool) -> Vec<String> {
        let out = out.to_str().unwrap();
        let own = self.args.iter().map(|arg| arg.replace("{}", out));
        own.chain(overwrite.then(|| "--overwrite".to_owned())).collect()
    }

    /// The file that is looked at: the output, or one in it.
    fn file(&self, out: &Path) -> PathBuf {
        self.first.map_or_else(|| out.to_owned(), |name| out.join(name))
    }
}

/// What lies at a path: its kind, rights, and bytes or the link's target.
type Entry = (u32, Vec<u8>);

fn tree(folder: &Path, into: &mut BTreeMap<PathBuf, Entry>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = fs::symlink_metadata(&path).unwrap();
        let bytes = if found.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else if found.is_dir() {
            tree(&path, into);
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        into.insert(path, (found.mode(), bytes));
    }
}

/// One try: what is made ready in a place of its own, and what must come of it.
struct Case<'w> {
    world: &'w World,
    job: &'w Job,
    place: PathBuf,
    out: PathBuf,
}

impl<'w> Case<'w> {
    fn new(world: &'w World, job: &'w Job, name: &str) -> Self {
        let number = JOBS.iter().position(|other| std::ptr::eq(other, job)).unwrap();
        let place = world.path(&format!("{number}-{}", name.replace(' ', "-")));
        fs::create_dir(&place).unwrap();
        let out = place.join(if job.first.is_some() { "out" } else { "out.csv" });
        Self { world, job, place, out }
    }

    fn everything(&self) -> BTreeMap<PathBuf, Entry> {
        let mut found = BTreeMap::new();
        tree(&self.place, &mut found);
        tree(&self.world.path("library"), &mut found);
        for name in ["films.csv", "p.toml", "space.toml"] {
            found.insert(self.world.path(name), (0, fs::read(self.world.path(name)).unwrap()));
        }
        found
    }

    /// Makes the output, as it then is ours.
    fn make_own(&self) {
        let args = self.job.args(&self.out, false);
        let (code, said) = self.world.run(&args);
        assert_eq!(code, DONE, "{args:?}: {said}");
        assert!(self.job.file(&self.out).is_file(), "{args:?} makes no {:?}", self.job.first);
    }

    /// Runs it and compares: where it does not succeed, all that was there is as it was, and where
    /// it is refused, nothing is new either. Gives what it said.
    fn expect(&self, code: i32, overwrite: bool) -> String {
        self.expect_from(code, overwrite, |command| command)
    }

    fn expect_from(
        &self,
        code: i32,
        overwrite: bool,
        how: impl Fn(&mut Command) -> &mut Command,
    ) -> String {
        let mut command = Command::new(self.world.path("cinetag"));
        self.expect_of(code, how(command.args(self.job.args(&self.out, overwrite))))
    }

    fn expect_of(&self, code: i32, command: &mut Command) -> String {
        let before = self.everything();
        let (got, said) = self.world.end(command);
        let label = format!("{:?} in {}: {said}", self.job.args, self.place.display());
        assert_eq!(got, code, "{label}");
        let after = self.everything();
        if code != DONE {
            for (path, entry) in &before {
                assert!(after.get(path) == Some(entry), "{} changed; {label}", path.display());
            }
            assert!(said.contains("error: "), "{label}");
        }
        if code == REFUSED {
            let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
            // A run folder that exists is held while it is looked at.
            let new: Vec<_> = new.iter().filter(|path| !path.ends_with(".running")).collect();
            assert!(new.is_empty(), "{new:?} is new; {label}");
            assert!(said.contains("hint: "), "{label}");
        }
        assert!(!after.keys().any(|path| path.to_string_lossy().contains("/.tmp-")), "{label}");
        said
    }
}

fn write_foreign(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, FOREIGN).unwrap();
}

/// On a full disk nothing can be written; a limit on the size of files stands for it.
fn on_a_full_disk(case: &Case<'_>) {
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
    command.args(["-c", script, "sh"]).arg(case.world.path("cinetag"));
    command.args(case.job.args(&case.out, false));
    if case.job.wants_own {
        // Something is to be written anew.
        command.args(["--set", "run.about=full"]);
    }
    case.expect_of(FAILED, &mut command);
}

/// In a folder that is not the caller's.
fn in_a_read_only_folder(case: &Case<'_>, folder: &Path) {
    // All that it keeps for itself is anybody's, so that the folder is the only fault.
    let own = ["run", "store", "state"].map(|name| case.world.path(name));
    assert!(Command::new("chmod").args(["-R", "a+rwX"]).args(own).status().unwrap().success());
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let said = case.expect_from(FAILED, false, |command| {
        if is_root { command.uid(NOBODY).gid(NOBODY) } else { command }
    });
    assert!(said.contains(folder.to_str().unwrap()), "{said}");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn one_file_replaces_nothing_that_is_not_its_own() {
    let world = World::new();
    for job in JOBS.iter().filter(|job| job.first.is_none()) {
        let case = |name| Case::new(&world, job, name);
        let own = case("own");
        own.make_own();
        own.make_own();
        let ours = fs::read(&own.out).unwrap();
        on_a_full_disk(&own);
        fs::write(&own.out, [&ours[..], b"t1,corrected\n"].concat()).unwrap();
        own.expect(REFUSED, false);

        let foreign = case("foreign");
        write_foreign(&foreign.out);
        foreign.expect(REFUSED, false);
        foreign.expect(DONE, true);
        assert_eq!(fs::read(&foreign.out).unwrap(), ours);

        let link = case("link");
        let target = link.place.join("target.csv");
        symlink("target.csv", &link.out).unwrap();
        link.make_own();
        link.make_own();
        assert!(link.out.is_symlink() && fs::read(&target).unwrap() == ours);
        fs::write(&target, FOREIGN).unwrap();
        link.expect(REFUSED, false);

        let folder = case("folder");
        fs::create_dir(&folder.out).unwrap();
        for overwrite in [false, true] {
            folder.expect(REFUSED, overwrite);
        }

        for (name, is_hard) in [("hard link", true), ("input", false)] {
            let input_case = case(name);
            let catalog = world.path("films.csv");
            let made = if is_hard {
                fs::hard_link(&catalog, &input_case.out)
            } else {
                symlink(&catalog, &input_case.out)
            };
            made.unwrap();
            for overwrite in [false, true] {
                let said = input_case.expect(REFUSED, overwrite);
                assert!(said.contains("one of the files that are read"), "{said}");
            }
            fs::remove_file(&input_case.out).unwrap();
        }

        let mut absent = case("absent parent");
        absent.out = absent.place.join("disk/films/out.csv");
        absent.expect(REFUSED, false);

        let read_only = case("read only");
        in_a_read_only_folder(&read_only, &read_only.place);
    }
}

#[test]
fn a_folder_of_outputs_replaces_nothing_that_is_not_its_own() {
    let world = World::new();
    for job in JOBS.iter().filter(|job| job.first.is_some()) {
        let case = |name| Case::new(&world, job, name);
        let own = case("own");
        own.make_own();
        own.make_own();
        on_a_full_disk(&own);
        let file = job.file(&own.out);
        let ours = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{ours}<!-- corrected -->\n")).unwrap();
        own.expect(REFUSED, false);
        own.expect(DONE, true);
        own.make_own();

        let foreign = case("foreign");
        write_foreign(&job.file(&foreign.out));
        foreign.expect(REFUSED, false);

        let other = case("other");
        let notes = other.out.join("notes.txt");
        write_foreign(&notes);
        other.expect(if job.wants_own { REFUSED } else { DONE }, false);
        assert_eq!(fs::read_to_string(&notes).unwrap(), FOREIGN);

        let link = case("link");
        let target = link.place.join("target");
        fs::create_dir(&target).unwrap();
        symlink("target", &link.out).unwrap();
        link.make_own();
        assert!(link.out.is_symlink() && job.file(&target).is_file());

        let file = case("file");
        write_foreign(&file.out);
        for overwrite in [false, true] {
            file.expect(REFUSED, overwrite);
        }

        let mut absent = case("absent parent");
        absent.out = absent.place.join("disk/films/out");
        absent.expect(REFUSED, false);
        if !job.wants_own {
            // Only what a project keeps is made with its parents, in the working folder.
            absent.out = absent.out.strip_prefix(world.root.path()).unwrap().to_owned();
            absent.expect(REFUSED, false);
        }

        let read_only = case("read only");
        in_a_read_only_folder(&read_only, &read_only.place);
    }
}

#[test]
fn two_outputs_are_two_files_a_device_stays_one_and_no_folder_is_made_on_the_way() {
    let world = World::new();
    let tag = ["tag", "films.csv", "--bundle", "run/bundle", "--store", "store"];
    let run = |more: &[&str]| world.run(&[&tag[..], more].concat());
    let (code, said) = run(&["-o", "t.csv", "--untagged", "./t.csv"]);
    assert!(code == REFUSED && said.contains("another output"), "{said}");
    assert!(!world.path("t.csv").exists());
    let (code, said) = run(&["-o", "/dev/null", "--untagged", "/dev/null"]);
    assert_eq!(code, DONE, "{said}");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    for more in [
        &["tag", "films.csv", "--bundle", "run/bundle", "--store", "disk/store"][..],
        &["models", "pull", "all-minilm-l6-v2", "--cache", "disk/weights", "--offline"],
        &["tag", "films.csv", "--bundle", "run/bundle", "--transcripts", "disk/said"],
        &["tag", "library", "--bundle", "run/bundle", "--sidecars", "disk/sidecars"],
    ] {
        let (code, said) = world.run(more);
        assert!(code == REFUSED && said.contains("there is no folder disk"), "{more:?}: {said}");
        assert!(!world.path("disk").exists());
    }
    let (code, said) = run(&["-o", "/dev/full"]);
    assert!(code == FAILED && said.contains("/dev/full"), "{said}");
}

#[test]
fn a_pipeline_is_not_written_over_by_its_own_run() {
    let world = World::new();
    let project = world.path("project");
    fs::create_dir(&project).unwrap();
    let text = fs::read_to_string(world.path("p.toml")).unwrap();
    let text = format!("# mine\n{}", text.replace("\"run\"", "\"project\""));
    fs::write(project.join("pipeline.toml"), &text).unwrap();
    let run = |more: &[&str]| {
        let args = [&["extract", "project/pipeline.toml"], more].concat();
        world.run(&args)
    };
    let (code, said) = run(&[]);
    assert!(code == REFUSED && said.contains("run.folder"), "{said}");
    let (code, said) = run(&["--overwrite"]);
    assert!(code == REFUSED && said.contains("one of the files that are read"), "{said}");
    assert_eq!(fs::read_to_string(project.join("pipeline.toml")).unwrap(), text);
    // A run's own copy gives the same run again.
    let (code, said) = world.run(&["extract", "run/pipeline.toml"]);
    assert_eq!(code, DONE, "{said}");
}

#[test]
fn a_bundle_is_replaced_only_where_nothing_else_lies_in_it() {
    let world = World::new();
    let notes = world.path("run/bundle/model/notes.txt");
    write_foreign(&notes);
    let train = |args: &[&str]| world.run(&[&["run", "p.toml", "--force", "model"], args].concat());
    for more in [&[][..], &["--overwrite"]] {
        let (code, said) = train(more);
        assert!(code == REFUSED && said.contains("notes.txt: would be gone"), "{said}");
    }
    assert_eq!(fs::read_to_string(&notes).unwrap(), FOREIGN);
    fs::remove_file(&notes).unwrap();
    let (code, said) = train(&[]);
    assert_eq!(code, DONE, "{said}");
    // A folder of somebody's is no bundle.
    let photos = world.path("photos/one.jpg");
    write_foreign(&photos);
    let (code, said) = train(&["--set", "stage.model.bundle=../photos"]);
    assert!(code == REFUSED && said.contains("one.jpg: would be gone"), "{said}");
    assert_eq!(fs::read_to_string(&photos).unwrap(), FOREIGN);
}
