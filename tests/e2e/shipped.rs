//! What comes with the program: titles are tagged before anything was trained.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{cinetag, repository, run, weights_are_here};

/// What the bundles need.
const WEIGHTS: &[&str] = &["all-minilm-l6-v2", "efficientnet-lite2"];

pub(super) fn demo_open() -> Option<PathBuf> {
    let shared = std::env::var_os("CINETAG_SHARED_DATA")
        .map_or_else(|| repository().join("../shared/data"), PathBuf::from);
    let folder = shared.join("demo_open");
    if !folder.is_dir() {
        println!("no shared data: the open films were not tagged");
        return None;
    }
    Some(folder)
}

pub(super) fn lines(text: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(super) fn names(value: &Value) -> Vec<&str> {
    value.as_array().map_or_else(Vec::new, |all| all.iter().filter_map(Value::as_str).collect())
}

#[test]
fn the_open_films_get_sensible_genres_out_of_the_box() {
    let Some(folder) = demo_open().filter(|_| weights_are_here(WEIGHTS)) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let store = scratch.path().join("store").display().to_string();
    let folder = folder.display().to_string();
    let output = run(&["tag", &folder, "--store", &store]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("bundle: films-research@") && said.contains("Non-commercial"), "{said}");
    let films = lines(&output.stdout);
    assert_eq!(films.len(), 3, "the catalog's titles, not one for each file");

    // As people call these films (`genres` of the catalog, which tagging does not look at).
    let known = [
        ("sintel", &["Animation", "Adventure", "Fantasy", "Drama"][..]),
        ("big_buck_bunny", &["Animation", "Comedy", "Family"]),
        ("tears_of_steel", &["Sci-Fi", "Action", "Romance"]),
    ];
    for (film, (id, genres)) in films.iter().zip(known) {
        assert_eq!(film["id"], id);
        let given = names(&film["genres"]);
        let right = given.iter().filter(|genre| genres.contains(genre)).count();
        assert!(right >= 1 && 2 * right >= given.len(), "{id} is called {given:?}");
        // Picture and text had their say, and what they say sums to the log-odds. The catalog
        // states too little for metadata.
        let missing = film["missing"].as_object().unwrap();
        assert_eq!(missing.len(), 3, "{film}");
        // There is a plot: nobody listens to the trailer, or looks at pictures that count for nothing.
        assert_eq!(
            (&missing["speech"], &missing["frames"]),
            (&"not given".into(), &"not given".into())
        );
        assert_eq!(missing["metadata"], "too little is stated", "{film}");
        for score in film["scores"].as_array().unwrap() {
            let parts = score["contributions"].as_object().unwrap();
            assert_eq!(parts.len(), 2, "{score}");
            let sum: f64 = parts.values().map(|part| part.as_f64().unwrap()).sum();
            let logit = sum + score["base"].as_f64().unwrap();
            let probability = score["probability"].as_f64().unwrap();
            assert!((1.0 / (1.0 + (-logit).exp()) - probability).abs() < 1e-5, "{score}");
        }
    }

    // What is asked to be surer gives fewer tags; those left out are named for a person.
    let sure = run(&["tag", &folder, "--store", &store, "--precision", "0.9"]);
    for (sure, usual) in lines(&sure.stdout).iter().zip(&films) {
        let (given, doubtful) = (names(&sure["genres"]), names(&sure["doubtful"]));
        for genre in names(&usual["genres"]) {
            assert!(given.contains(&genre) || doubtful.contains(&genre), "{genre}: {sure}");
        }
    }
    let refused = cinetag(&["tag", &folder, "--precision", "0.99"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("0.95") && said.contains("hint:"), "{said}");

    // The contact sheet marks the words that spoke.
    let sheet = scratch.path().join("sheet");
    run(&["tag", &folder, "--store", &store, "--review", &sheet.display().to_string()]);
    let page = fs::read_to_string(sheet.join("index.html")).unwrap();
    assert!(page.contains("Sintel") && page.matches("<mark>").count() >= 3, "{page}");
    assert_eq!(page.matches("<img ").count(), 3, "a poster each: {page}");
}

#[test]
fn plots_alone_are_tagged_by_the_bundle_that_is_free_to_use() {
    if !weights_are_here(WEIGHTS) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let films = scratch.path().join("films.csv");
    let text = "id,title,plot\n\
        a,One,\"A sheriff and a gang of outlaws ride into a frontier town; the ranchers fear a gunfight over the cattle.\"\n\
        b,Two,\"Astronauts on a spaceship fight aliens and a robot that has taken over a colony on Mars.\"\n\
        c,Three,\n";
    fs::write(&films, text).unwrap();
    let store = scratch.path().join("store").display().to_string();
    let films = films.display().to_string();
    let open = scratch.path().join("open.jsonl").display().to_string();
    let output = run(&["tag", &films, "--store", &store, "--untagged", &open]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("bundle: plots-open@") && said.contains("CC BY-SA"), "{said}");
    let tagged = lines(&output.stdout);
    assert!(names(&tagged[0]["genres"]).contains(&"Western"), "{}", tagged[0]);
    assert!(names(&tagged[1]["genres"]).contains(&"Sci-Fi"), "{}", tagged[1]);
    assert!(names(&tagged[2]["genres"]).is_empty(), "nothing was looked at: {}", tagged[2]);
    let left: Vec<Value> = lines(&fs::read(&open).unwrap());
    assert!(left.iter().any(|title| title["id"] == "c"), "{left:?}");
}

/// A guess is never presented as a tag: a trailer alone shows nothing that a bundle was measured
/// on.
#[test]
fn a_trailer_alone_is_left_to_a_person() {
    let Some(folder) = demo_open().filter(|_| weights_are_here(WEIGHTS)) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let trailer = scratch.path().join("untitled.mp4");
    fs::copy(folder.join("trailers/sintel.mp4"), &trailer).unwrap();
    let store = scratch.path().join("store").display().to_string();
    let open = scratch.path().join("open.csv").display().to_string();
    let trailer = trailer.display().to_string();
    let output = run(&["tag", &trailer, "--store", &store, "--untagged", &open]);
    let film = &lines(&output.stdout)[0];
    assert!(names(&film["genres"]).is_empty(), "{film}");
    assert!(!film["missing"].as_object().unwrap().is_empty(), "{film}");
}
