use std::os::unix::fs::symlink;

use super::*;

/// A folder with a list of its own, for outputs of several commands.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn outputs(&self, overwrite: bool) -> Outputs {
        let ledger = Ledger::in_folder(&self.path("state"));
        Outputs { ledger, ..Outputs::new(overwrite) }
    }

    /// What a command that writes `text` says.
    fn write(&self, name: &str, text: &str, overwrite: bool) -> Result<(), OutputError> {
        let output = self.outputs(overwrite).claim(&self.path(name))?.begin().unwrap();
        fs::write(output.path(), text).unwrap();
        output.publish()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

fn why(result: Result<impl Sized, OutputError>) -> Why {
    match result {
        Err(OutputError::Refused { why, .. }) => why,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("not refused"),
    }
}

#[test]
fn what_was_made_is_replaced_until_somebody_changes_it() {
    let place = Place::new();
    place.write("tags.csv", "one", false).unwrap();
    place.write("tags.csv", "two", false).unwrap();
    // Moved, it is still what was made.
    fs::rename(place.path("tags.csv"), place.path("other.csv")).unwrap();
    place.write("other.csv", "three", false).unwrap();
    fs::write(place.path("other.csv"), "three, and a correction").unwrap();
    assert_eq!(why(place.write("other.csv", "four", false)), Why::NotOurs);
    assert_eq!(place.text("other.csv"), "three, and a correction");
    place.write("other.csv", "four", true).unwrap();
    place.write("other.csv", "five", false).unwrap();
    assert_eq!(place.text("other.csv"), "five");
    // An empty file, as `mktemp` makes it.
    fs::write(place.path("empty"), "").unwrap();
    place.write("empty", "full", false).unwrap();
}

#[test]
fn no_input_and_no_other_output_is_written_to_under_any_name() {
    let place = Place::new();
    let path = |name: &str| place.path(name);
    place.write("films.csv", "id", false).unwrap();
    fs::hard_link(path("films.csv"), path("twin.csv")).unwrap();
    symlink("films.csv", path("link.csv")).unwrap();
    symlink(".", path("here")).unwrap();
    for overwrite in [false, true] {
        for name in ["films.csv", "twin.csv", "link.csv", "here/films.csv"] {
            let mut outputs = place.outputs(overwrite);
            outputs.reads(&path("films.csv"));
            assert_eq!(why(outputs.claim(&path(name))), Why::Input, "{name}");
            let mut outputs = place.outputs(overwrite);
            outputs.claim(&path("films.csv")).unwrap();
            assert_eq!(why(outputs.claim(&path(name))), Why::Twice, "{name}");
        }
    }
    let mut outputs = place.outputs(true);
    outputs.reads(place.root.path());
    assert_eq!(why(outputs.claim(&path("twin.csv"))), Why::Input);
    outputs.claim(&path("new.csv")).unwrap();
    assert_eq!(why(outputs.claim(&path("here/new.csv"))), Why::Twice);
    assert_eq!(place.text("films.csv"), "id");
}

#[test]
fn links_are_written_through_and_streams_as_they_are() {
    let place = Place::new();
    let path = |name: &str| place.path(name);
    fs::create_dir(path("far")).unwrap();
    symlink("far/tags.csv", path("tags.csv")).unwrap();
    for text in ["one", "two"] {
        place.write("tags.csv", text, false).unwrap();
        assert!(path("tags.csv").is_symlink());
        assert_eq!(place.text("far/tags.csv"), text);
    }
    symlink("loop", path("loop")).unwrap();
    assert!(matches!(place.write("loop", "", false), Err(OutputError::File { .. })));
    for device in ["/dev/null", "/dev/stdout"] {
        let output = place.outputs(false).claim(Path::new(device)).unwrap().begin().unwrap();
        assert_eq!(output.path(), Path::new(device));
        output.publish().unwrap();
    }
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    assert_eq!(why(place.write("far", "", true)), Why::Folder);
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    assert_eq!(why(place.write("socket", "", true)), Why::NoFile);
}

#[test]
fn no_folder_is_made_on_the_way() {
    let place = Place::new();
    let far = place.path("mnt/disk");
    for made in [place.write("mnt/tags.csv", "", true), make_folder(&far)] {
        assert!(matches!(made, Err(OutputError::NoFolder { .. })), "{made:?}");
    }
    assert!(!place.path("mnt").exists());
    make_folder(&place.path("mnt")).unwrap();
    make_folder(&far).unwrap();
    fs::write(place.path("file"), "x").unwrap();
    assert_eq!(why(make_folder(&place.path("file"))), Why::NoFolder);
}

#[test]
fn a_file_that_appears_meanwhile_stays_and_so_does_what_was_made() {
    let place = Place::new();
    for (name, before) in [("a.csv", None), ("b.csv", Some("made"))] {
        if let Some(text) = before {
            place.write(name, text, false).unwrap();
        }
        for made in ["first", "second"] {
            let output = place.outputs(false).claim(&place.path(name)).unwrap().begin().unwrap();
            fs::write(output.path(), made).unwrap();
            fs::remove_file(place.path(name)).ok();
            fs::write(place.path(name), "somebody's").unwrap();
            let Err(OutputError::Meanwhile { kept, .. }) = output.publish() else { panic!() };
            assert_eq!(fs::read_to_string(&kept).unwrap(), made);
            assert_eq!(place.text(name), "somebody's");
            fs::remove_file(place.path(name)).unwrap();
        }
    }
    assert!(place.path("a.new2.csv").is_file());
}

#[test]
fn a_folder_knows_its_files_again_and_nothing_else() {
    let place = Place::new();
    let out = place.path("out");
    let claim = |overwrite| place.outputs(overwrite).claim_folder(&out, ["page.html"], &["media"]);
    {
        let _claimed = claim(false).unwrap();
        fs::write(out.join("page.html"), "one").unwrap();
        fs::create_dir(out.join("media")).unwrap();
        fs::write(out.join("media/1.jpg"), "picture").unwrap();
    }
    // A command that fails writes nothing, and nothing is forgotten.
    drop(claim(false).unwrap());
    drop(claim(false).unwrap());
    fs::write(out.join("page.html"), "changed").unwrap();
    assert_eq!(why(claim(false)), Why::NotOurs);
    drop(claim(true).unwrap());
    assert_eq!(why(claim(false)), Why::NotOurs, "it was not written, and is still theirs");
    fs::remove_file(out.join("page.html")).unwrap();
    assert_eq!(why(claim(false)), Why::NotOurs, "the media of somebody else");
}
