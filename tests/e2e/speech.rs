//! Folders of nothing but trailers: what is said in them is heard, read and tagged.
//!
//! A voice synthesiser reads plots of our own over the demo library's pictures. Needs `espeak-ng`
//! and `ffmpeg`, which `scripts/setup --tests` installs; without them the tests say so and pass,
//! but fail where `CI` is set.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    cinetag, run,
    shipped::{demo_open, lines, names},
    weights_are_here,
};

const WEIGHTS: &[&str] =
    &["all-minilm-l6-v2", "efficientnet-lite2", "whisper-tiny.en", "fireredvad-aed"];

/// Plots of no film: a name, a genre that people would give it, and what the narrator says.
const PLOTS: &[(&str, &str, &str)] = &[
    (
        "The Long Watch",
        "Crime",
        "A weary police detective hunts a killer who murders one banker every Friday night. His \
         partner was shot in a robbery that the gang has planned for years. Now the mob wants the \
         detective dead, and the only witness is a thief in prison. To find the murderer he must \
         break into the mafia, steal their drug money and betray the cop who trained him. Every \
         gangster in the city is looking for him, and the police have a warrant for his arrest.",
    ),
    (
        "Snow Day Two",
        "Comedy",
        "When a lazy high school teacher loses a silly bet with his ex girlfriend, he has to coach \
         the worst team in town and plan her wedding in the same week. His crazy roommate, a dog \
         that hates him and a bachelor party in Las Vegas do not help. Now this loser has three \
         days to win the game, get the girl back and convince her parents that he is a doctor. It \
         is going to be the funniest and most embarrassing week of his life.",
    ),
    (
        "The Letters",
        "Romance",
        "She is a lonely young widow who writes love letters for other women. He is the handsome \
         stranger who reads them aloud to his dying mother. When they fall in love over a summer in \
         Paris, neither of them knows that they have met before. Her heart was broken once, and his \
         wedding is in June. A beautiful love story about a man and a woman who must choose between \
         the marriage that they promised and the romance that changed their lives for ever.",
    ),
];

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
        || Command::new(program).arg("-version").output().is_ok()
}

fn tools_are_here() -> bool {
    let all = is_there("espeak-ng") && is_there("ffmpeg");
    if !all {
        assert!(std::env::var_os("CI").is_none(), "run `scripts/setup --tests`");
        println!("espeak-ng or ffmpeg is not here: not tested");
    }
    all && weights_are_here(WEIGHTS)
}

fn call(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `folder/name.mp4`: a text read aloud over moving pictures.
fn narrate(folder: &Path, pictures: &Path, name: &str, text: &str) -> PathBuf {
    let (voice, film) = (folder.join("voice.wav"), folder.join(format!("{name}.mp4")));
    call("espeak-ng", &["-v", "en-us", "-s", "160", "-w", voice.to_str().unwrap(), text]);
    let (pictures, sound) = (pictures.to_str().unwrap(), voice.to_str().unwrap());
    let inputs = ["-v", "error", "-y", "-stream_loop", "-1", "-i", pictures, "-i", sound];
    let streams = ["-map", "0:v", "-map", "1:a", "-shortest", "-c:v", "copy", "-c:a", "aac"];
    call("ffmpeg", &[&inputs[..], &streams[..], &[film.to_str().unwrap()]].concat());
    fs::remove_file(voice).unwrap();
    film
}

/// A trailer of the demo library with pictures in H.264.
fn pictures(scratch: &Path) -> PathBuf {
    let (library, pipeline) = (scratch.join("library"), scratch.join("pictures.toml"));
    let text = format!(
        "[run]\nname = \"pictures\"\nfolder = '{}'\n[catalog]\npath = '{}'\n[[stage]]\n\
         name = \"library\"\nkind = \"demo\"\nfolder = '{}'\ntitles = 2\n",
        scratch.join("run").display(),
        library.join("movies.csv").display(),
        library.display(),
    );
    fs::write(&pipeline, text).unwrap();
    run(&["run", pipeline.to_str().unwrap()]);
    let mut films: Vec<PathBuf> =
        fs::read_dir(library.join("trailers")).unwrap().map(|e| e.unwrap().path()).collect();
    films.sort();
    films.into_iter().find(|film| film.extension().is_some_and(|ext| ext == "mp4")).unwrap()
}

/// A scratch folder, a silent trailer in it, and its empty folder `trailers`; `None` without the tools.
fn laid_out() -> Option<(TempDir, PathBuf, PathBuf)> {
    if !tools_are_here() {
        return None;
    }
    let scratch = tempfile::tempdir().unwrap();
    let pictures = pictures(scratch.path());
    let trailers = scratch.path().join("trailers");
    fs::create_dir(&trailers).unwrap();
    Some((scratch, pictures, trailers))
}

#[test]
fn trailers_alone_get_tags_with_the_words_that_spoke_and_when() {
    let Some((scratch, pictures, trailers)) = laid_out() else { return };
    for (name, _, text) in PLOTS {
        narrate(&trailers, &pictures, name, text);
    }
    narrate(&trailers, &pictures, "Short", "A door opens. Somebody laughs.");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let (folder, store) = (trailers.display().to_string(), path("store"));
    let (said, untagged) = (path("said"), path("untagged.jsonl"));
    let args = ["--store", &store, "--transcripts", &said, "--untagged", &untagged];
    let output = run(&[&["tag", &folder], &args[..]].concat());
    let films = lines(&output.stdout);
    assert_eq!(films.len(), PLOTS.len() + 1);
    let film = |name: &str| films.iter().find(|film| film["title"] == name).unwrap();
    for (name, genre, text) in PLOTS {
        let film = film(name);
        assert!(names(&film["genres"]).contains(genre), "{name} is called {}", film["genres"]);
        let spoken: Vec<&Value> =
            film["said"].as_array().unwrap().iter().filter(|s| s["genre"] == *genre).collect();
        assert!(!spoken.is_empty(), "{name}: no word spoke for {genre}: {film}");
        let narration = text.to_lowercase();
        let is_heard = |said: &&Value| narration.contains(said["word"].as_str().unwrap());
        assert!(spoken.iter().any(is_heard), "{name}: {spoken:?}");
        for said in spoken {
            let secs = said["time_secs"].as_f64().unwrap();
            assert!((0.0..60.0).contains(&secs), "{said}");
            let (quote, word) = (said["quote"].as_str().unwrap(), said["word"].as_str().unwrap());
            assert!(quote.to_lowercase().contains(word), "{said}");
        }
        let transcript = fs::read_to_string(Path::new(&said).join(format!("{name}.vtt"))).unwrap();
        assert!(transcript.starts_with("WEBVTT") && transcript.contains(" --> "), "{transcript}");
        let tags = film["scores"].as_array().unwrap().iter().filter(|s| s["decision"] == true);
        let silent =
            |score: &Value| score["contributions"]["frames"].as_f64().unwrap_or(0.0) == 0.0;
        let is_alone = tags.clone().all(silent);
        assert_eq!(film["from_speech_alone"].as_bool().unwrap_or(false), is_alone, "{film}");
    }
    let short = film("Short");
    let reason = short["missing"]["speech"].as_str().unwrap();
    assert!(reason.starts_with("too_little_speech: "), "{reason}");
    let open = lines(&fs::read(&untagged).unwrap());
    assert!(
        open.iter().any(|film| film["title"] == "Short") || !names(&short["genres"]).is_empty()
    );

    // A second time nothing is decoded, and the tags are the same.
    let again = run(&[&["tag", &folder], &args[..]].concat());
    assert_eq!(again.stdout, output.stdout);
    // Nobody is listened to who does not want it.
    let deaf = run(&["tag", &folder, "--store", &path("deaf"), "--speech", "never"]);
    for film in lines(&deaf.stdout) {
        assert_eq!(film["missing"]["speech"], "not given", "{film}");
        assert!(film["said"].is_null(), "{film}");
    }
}

#[test]
fn subtitles_beside_a_trailer_are_read_and_nobody_is_listened_to() {
    let Some((scratch, pictures, trailers)) = laid_out() else { return };
    let (name, genre, text) = PLOTS[0];
    fs::copy(&pictures, trailers.join("film-trailer.mp4")).unwrap();
    let cue = |(idx, sentence): (usize, &str)| {
        format!("{0}\n00:00:0{idx},000 --> 00:00:0{0},000\n{sentence}\n\n", idx + 1)
    };
    let cues: Vec<String> = text.split_inclusive('.').enumerate().map(cue).collect();
    fs::write(trailers.join("film-trailer.en.srt"), cues.concat()).unwrap();
    // Without Whisper's weights: they are not needed.
    let weights = scratch.path().join("weights");
    without_whisper(&weights);
    let store = scratch.path().join("store").display().to_string();
    let output = cinetag(&["tag", trailers.to_str().unwrap(), "--store", &store])
        .env("CINETAG_WEIGHTS", &weights)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let films = lines(&output.stdout);
    assert_eq!(films.len(), 1, "{name}");
    assert!(names(&films[0]["genres"]).contains(&genre), "{}", films[0]["genres"]);
    assert!(films[0]["said"].as_array().is_some_and(|said| !said.is_empty()), "{}", films[0]);
}

/// A cache of weights that has all but Whisper's.
fn without_whisper(folder: &Path) {
    let listed = run(&["models", "list", "--json"]);
    fs::create_dir(folder).unwrap();
    for model in lines(&listed.stdout) {
        let id = model["id"].as_str().unwrap();
        let from = Path::new(model["folder"].as_str().unwrap());
        if !id.starts_with("whisper") && from.is_dir() {
            std::os::unix::fs::symlink(from, folder.join(id)).unwrap();
        }
    }
}

#[test]
fn without_the_weights_one_command_is_named_that_fetches_them() {
    let Some((scratch, pictures, trailers)) = laid_out() else { return };
    fs::copy(&pictures, trailers.join("film.mp4")).unwrap();
    let weights = scratch.path().join("weights");
    without_whisper(&weights);
    let store = scratch.path().join("store").display().to_string();
    let output = cinetag(&["tag", trailers.to_str().unwrap(), "--store", &store])
        .env("CINETAG_WEIGHTS", &weights)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("cinetag models pull whisper-tiny.en`"), "{words}");
    assert!(output.stdout.is_empty());

    // Where nothing is there one command fetches all.
    let nothing = scratch.path().join("nothing");
    let output = cinetag(&["tag", trailers.to_str().unwrap(), "--store", &store])
        .env("CINETAG_WEIGHTS", &nothing)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let command = words.lines().find(|line| line.contains("models pull")).unwrap_or_default();
    for id in WEIGHTS {
        assert!(command.contains(id), "{id}: {words}");
    }
}

#[test]
fn the_open_films_say_honestly_what_is_said_in_them() {
    let Some(folder) = demo_open().filter(|_| tools_are_here()) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let trailers = scratch.path().join("trailers");
    fs::create_dir(&trailers).unwrap();
    for entry in fs::read_dir(folder.join("trailers")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, trailers.join(path.file_name().unwrap())).unwrap();
    }
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let (folder, store, said) = (trailers.display().to_string(), path("store"), path("said"));
    let untagged = path("untagged.jsonl");
    let output =
        run(&["tag", &folder, "--store", &store, "--transcripts", &said, "--untagged", &untagged]);
    let films = lines(&output.stdout);
    assert_eq!(films.len(), 3);
    let open: Vec<Value> = lines(&fs::read(&untagged).unwrap());
    for film in &films {
        let id = film["id"].as_str().unwrap();
        let reason = film["missing"]["speech"].as_str().unwrap_or_default();
        // Tiny Whisper understands nothing of Tears of Steel's ten words over music, as faster-whisper
        // does not with the same weights.
        if id.contains("bunny") || id.contains("steel") {
            assert!(reason.starts_with("no_speech"), "{id}: {reason}");
        } else if reason.is_empty() {
            assert!(!film["said"].is_null() || names(&film["genres"]).is_empty(), "{film}");
        } else {
            assert!(reason.starts_with("too_little_speech"), "{id}: {reason}");
            let text = fs::read_to_string(Path::new(&said).join(format!("{id}.vtt"))).unwrap();
            assert!(text.contains(" --> "), "{text}");
        }
        let is_listed = open.iter().any(|open| open["id"] == film["id"]);
        assert_eq!(is_listed, names(&film["genres"]).is_empty(), "{id}");
    }
}
