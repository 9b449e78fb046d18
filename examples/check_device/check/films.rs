//! Films through the program: tags on the device against the processor's, and how long the device
//! waits for what the processor decodes.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use cinetag::{base::DeviceChoice, extract::ExtractReport};
use serde_json::Value;

use super::{
    Fail, Row, Setup,
    networks::{PICTURES, SPEECH, TEXTS, VOICES},
};

/// The genres given to a title, and the probability of each genre.
type Tagged = (Vec<String>, BTreeMap<String, f64>);
/// By title.
type Tags = BTreeMap<String, Tagged>;

/// A bundle trained on the processor tags the library on both.
pub fn tag(setup: &Setup, say: &mut dyn FnMut(Row)) -> Result<(), Fail> {
    let bundle = setup.out.join("train/bundle");
    call(setup, &["train", &pipeline(setup, "train")?, "--device", "cpu"])?;
    let tags = |device: &str, name: &str| -> Result<Tags, Fail> {
        let path = |file: &str| setup.out.join(file).display().to_string();
        let (library, bundle) =
            (library(setup).display().to_string(), bundle.display().to_string());
        let (store, out) = (path(&format!("store-{name}")), path(&format!("{name}.jsonl")));
        let args = ["--bundle", &bundle, "--store", &store, "--out", &out, "--device", device];
        call(setup, &[&["tag", library.as_str()], &args[..]].concat())?;
        fs::read_to_string(out)?.lines().map(read).collect()
    };
    let cpu = tags("cpu", "tags-processor")?;
    let device = tags(&setup.device.to_string(), "tags-device")?;
    let num_other = cpu
        .iter()
        .filter(|(id, (genres, _))| device.get(*id).is_none_or(|(found, _)| found != genres))
        .count();
    let others = Row::within("tag", "titles", num_other as f64, 0.0, "with other tags");
    say(Row { note: format!("of {}", cpu.len()), ..others });
    let mut apart = 0_f64;
    for (id, (_, probabilities)) in &cpu {
        for (genre, expected) in probabilities {
            let found = device.get(id).and_then(|(_, found)| found.get(genre));
            apart = apart.max(found.map_or(f64::INFINITY, |found| (found - expected).abs()));
        }
    }
    say(Row::within("tag", "probabilities", apart, 1e-3, "apart"));
    if cpu.is_empty() {
        return Err("nothing was tagged".into());
    }
    Ok(())
}

fn read(line: &str) -> Result<(String, Tagged), Fail> {
    let tags: Value = serde_json::from_str(line)?;
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let genres = tags["genres"].as_array().into_iter().flatten().map(words).collect();
    let scores = tags["scores"].as_array().into_iter().flatten();
    let scores =
        scores.map(|s| (words(&s["genre"]), s["probability"].as_f64().unwrap_or(f64::NAN)));
    Ok((words(&tags["id"]), (genres, scores.collect())))
}

/// One title at a time tells how long the device computes; all cores at once, how long that takes.
pub fn decoding(setup: &Setup, say: &mut dyn FnMut(Row)) -> Result<(), Fail> {
    let extract = |name: &str, jobs: &str| -> Result<ExtractReport, Fail> {
        let device = setup.device.to_string();
        let pipeline = pipeline(setup, name)?;
        call(setup, &["extract", &pipeline, "--device", &device, "--jobs", jobs])?;
        Ok(serde_json::from_slice(&fs::read(setup.out.join(name).join("extract.json"))?)?)
    };
    let (alone, together) = (extract("alone", "1")?, extract("together", "0")?);
    let busy: f64 = alone.cpu_secs.encode.values().sum();
    let waits = |wall: f64| 100.0 * (1.0 - busy / wall).clamp(0.0, 1.0);
    for report in [&alone, &together] {
        let what = format!("{} at once", report.jobs);
        let films = Row::number("decoding", &what, report.films_per_minute(), "films a minute");
        say(Row { note: format!("{:.1} s", report.wall_secs), ..films });
        let waits = Row::number("decoding", &what, waits(report.wall_secs), "% the device waits");
        let note =
            report.bottleneck().map_or_else(String::new, |stage| format!("bottleneck: {stage}"));
        let note = if matches!(setup.device, DeviceChoice::Cpu) {
            "a processor as device".to_owned()
        } else {
            note
        };
        say(Row { note, ..waits });
    }
    for (encoder, secs) in &alone.cpu_secs.encode {
        say(Row::number("decoding", &format!("encode {encoder}"), *secs, "s, one at a time"));
    }
    Ok(())
}

/// The packed library, or the one that [`pipeline`] renders.
fn library(setup: &Setup) -> PathBuf {
    let packed = setup.data.join("library/movies.csv");
    if packed.exists() { packed } else { setup.out.join("library/movies.csv") }
}

/// Writes a pipeline whose run, and whose store, is called `name`.
fn pipeline(setup: &Setup, name: &str) -> Result<String, Fail> {
    let catalog = library(setup);
    if !catalog.exists() {
        let path = setup.out.join("demo.toml");
        fs::write(
            &path,
            format!(
                "[run]\nname = \"demo\"\nfolder = '{}'\nseed = 7\n[catalog]\npath = '{}'\n\
                 [modality.metadata]\n\
                 [[stage]]\nname = \"library\"\nkind = \"demo\"\nfolder = '{}'\ntitles = 4\n",
                setup.out.join("demo").display(),
                catalog.display(),
                setup.out.join("library").display(),
            ),
        )?;
        call(setup, &["run", &path.display().to_string()])?;
    }
    let model = |folder: &str, id: &str| -> Result<String, Fail> {
        let found = setup.networks(folder, id)?.pop().ok_or(format!("no network for {folder}"))?;
        Ok(found.source)
    };
    let (pictures, texts) = (model("image_encoders", PICTURES)?, model("text_networks", TEXTS)?);
    // On the processor 8 bits are its default, on a device they are not: both in f32.
    let hears = setup.trained(SPEECH)?.is_some() && setup.trained(VOICES)?.is_some();
    let speech =
        if hears { "[modality.speech]\nhear = \"always\"\nprecision = \"f32\"\n" } else { "" };
    let path = setup.out.join(format!("{name}.toml"));
    fs::write(
        &path,
        format!(
            "[run]\nname = \"{name}\"\nfolder = '{}'\nstore = '{}'\nseed = 7\n\
             [catalog]\npath = '{}'\n\
             [modality.frames]\nmodel = '{pictures}'\nmax_frames = 16\n\
             [modality.poster]\nmodel = '{pictures}'\n\
             [modality.plot]\nmodel = '{texts}'\nwindow_tokens = 128\n{speech}\
             [learn]\nmembers = 2\nepochs = 10\n\
             [extract.limits]\nmemory_bytes = 8000000000\n\
             [[stage]]\nname = \"features\"\nkind = \"extract\"\n\
             [[stage]]\nname = \"model\"\nkind = \"train\"\nneeds = [\"features\"]\n",
            setup.out.join(name).display(),
            setup.out.join(format!("store-{name}")).display(),
            catalog.display(),
        ),
    )?;
    Ok(path.display().to_string())
}

/// Runs the program to its good end; some titles may be skipped (a silent film).
fn call(setup: &Setup, args: &[&str]) -> Result<(), Fail> {
    let mut command = Command::new(&setup.program);
    command.args(args).env("SOURCE_DATE_EPOCH", "1700000000");
    if setup.weights().exists() {
        command.env("CINETAG_WEIGHTS", setup.weights());
    }
    let output = command.output()?;
    if matches!(output.status.code(), Some(0 | 3)) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = errors[errors.len().saturating_sub(4)..].join(" / ");
    Err(format!("{} ended with {}: {last}", args.join(" "), output.status).into())
}
