//! ESC-10 by its own folds: the audio encoder's cepstral statistics and a random forest.
//!
//! source: Piczak 2015, "ESC: Dataset for environmental sound classification" (random forest on
//! MFCC and zero crossings: 72.7 %)

use cinetag::{
    base::{DeviceChoice, Seed},
    encode::{EncoderContext, Input, Opened, registry},
    learn::heads::classical::{Binned, Design, TreeSettings, Trees, each_row},
    media::{DecodeRequest, Limits, decode},
};
use serde_json::json;

use super::catalog::shared;

const NUM_CLASSES: usize = 10;
const NUM_COEFFS: usize = 20;
/// Mean and spread of the coefficients, spread of their slopes and of their curvatures.
const NUM_COLUMNS: usize = 4 * NUM_COEFFS;

struct Clip {
    row: Vec<f32>,
    class: usize,
    fold: usize,
}

fn clips() -> Option<Vec<Clip>> {
    let folder = shared("audio_esc10")?;
    let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
    let settings = json!({ "num_coeffs": NUM_COEFFS });
    let Ok(Opened::Encoder(encoder)) = registry::find("audio").unwrap().open(&settings, &context)
    else {
        panic!("the audio encoder does not open");
    };
    let mut reader = csv::Reader::from_path(folder.join("meta.csv")).unwrap();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let request = DecodeRequest::new(folder.join("clips").join(&row[0]), encoder.wants());
        let decoded = decode(&request, &Limits::default());
        let sound = decoded.parts[0].as_ref();
        let mut features = encoder.encode(Input::Parts(&[sound])).unwrap().data;
        features.truncate(NUM_COLUMNS);
        Clip { row: features, class: row[2].parse().unwrap(), fold: row[3].parse().unwrap() }
    });
    Some(rows.collect())
}

#[test]
fn a_forest_on_cepstral_statistics_knows_the_sounds() {
    let Some(clips) = clips() else { return };
    assert_eq!(clips.len(), 400);
    let settings = TreeSettings { trees: 300, min_leaf_titles: 1, ..TreeSettings::default() };
    let mut num_right = 0;
    for fold in 1..=5 {
        let (test, train): (Vec<&Clip>, Vec<&Clip>) = clips.iter().partition(|c| c.fold == fold);
        let design = |clips: &[&Clip]| {
            Design::dense(clips.len(), clips.iter().flat_map(|c| c.row.clone()).collect())
        };
        let (binned, probe) = (Binned::new(&design(&train)), design(&test));
        let of_class = |class: usize| -> Vec<f32> {
            let labels: Vec<bool> = train.iter().map(|c| c.class == class).collect();
            let weights = vec![1.0; labels.len()];
            let seed = Seed(1).derive(&format!("class {class}"));
            let forest = Trees::forest(&binned, &labels, &weights, &settings, seed);
            let mut scores = Vec::with_capacity(test.len());
            each_row(&probe, |_, values| scores.push(forest.score(values)));
            scores
        };
        let scores: Vec<Vec<f32>> = (0..NUM_CLASSES).map(of_class).collect();
        for (row, clip) in test.iter().enumerate() {
            let best = (0..NUM_CLASSES).max_by(|&a, &b| scores[a][row].total_cmp(&scores[b][row]));
            num_right += usize::from(best == Some(clip.class));
        }
    }
    let accuracy = num_right as f64 / clips.len() as f64;
    println!("ESC-10: {:.1} %", 100.0 * accuracy);
    assert!(accuracy >= 0.72, "ESC-10: {:.1} %", 100.0 * accuracy);
}
