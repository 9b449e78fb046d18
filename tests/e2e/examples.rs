//! The programs in `examples/`, as somebody runs them who reads them.

use std::{env, fs, process::Command};

use super::weights_are_here;

#[test]
fn a_program_of_ones_own_tags_a_folder() {
    if !weights_are_here(&["all-minilm-l6-v2"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("films/Quiet Lock (1995)");
    fs::create_dir_all(&film).unwrap();
    let plot = "Two soldiers desert in the last winter of the war and walk home through the snow.";
    let nfo = format!("<movie><title>Quiet Lock</title><plot>{plot}</plot></movie>");
    fs::write(film.join("movie.nfo"), nfo).unwrap();

    // Cargo builds examples before tests, beside the program.
    let program = env::current_exe().unwrap();
    let built = program.parent().unwrap().parent().unwrap();
    let output = Command::new(built.join("examples/tag_a_folder"))
        .arg("films")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("a media library: 1 titles\nQuiet Lock: "), "{said}");
    assert!(said.contains("War") && said.contains("\"plot\""), "{said}");
    assert!(folder.path().join("feature_store/v1").is_dir(), "what was seen is kept");
}
