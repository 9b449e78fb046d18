//! Films whose cuts are known: `ground_truth.json` of `../shared/data/shots`, or a folder with
//! `cuts/ID.txt` (seconds, one a line) and `clips/ID.*`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cinetag::eval::{Counts, shots::match_cuts};
use serde::Deserialize;

/// A film and its cuts.
pub struct CutList {
    pub film: PathBuf,
    /// Seconds, where a new shot begins.
    pub cuts: Vec<f64>,
    /// Neither right nor wrong, seconds.
    neither: Vec<[f64; 2]>,
    /// Seconds; a frame, and half of one for rounding.
    tolerance: f64,
}

impl CutList {
    /// What `found`, seconds, is worth.
    pub fn score(&self, found: &[f64]) -> Counts {
        match_cuts(found, &self.cuts, self.tolerance, &self.neither)
    }
}

#[derive(Deserialize)]
struct GroundTruth {
    videos: Vec<Video>,
}

#[derive(Deserialize)]
struct Video {
    file: String,
    #[serde(default)]
    fps: String,
    /// Frames.
    cuts: Option<Vec<usize>>,
    /// Fades and dissolves: neither right nor wrong within four frames of them.
    #[serde(default)]
    gradual: Vec<[usize; 2]>,
    #[serde(default)]
    ignore: Vec<[usize; 2]>,
}

/// All films of a folder whose cuts are known, in order.
pub fn of_folder(folder: &Path) -> Vec<CutList> {
    if let Ok(text) = fs::read(folder.join("ground_truth.json")) {
        let truth: GroundTruth = serde_json::from_slice(&text).unwrap();
        return truth.videos.into_iter().filter_map(|video| of_video(folder, video)).collect();
    }
    let lists = fs::read_dir(folder.join("cuts")).unwrap();
    let mut lists: Vec<PathBuf> = lists.map(|entry| entry.unwrap().path()).collect();
    lists.sort();
    lists.iter().map(|list| of_list(folder, list)).collect()
}

fn of_video(folder: &Path, video: Video) -> Option<CutList> {
    let (numerator, denominator) = video.fps.split_once('/').unwrap_or((&video.fps, "1"));
    let cuts = video.cuts?;
    let fps = numerator.parse::<f64>().unwrap() / denominator.parse::<f64>().unwrap();
    let secs = |frame: usize| frame as f64 / fps;
    let around = |ranges: Vec<[usize; 2]>, more: f64| {
        ranges
            .into_iter()
            .map(move |[from, to]| {
                [(from as f64 - more - 0.5) / fps, (to as f64 + more + 0.5) / fps]
            })
            .collect::<Vec<_>>()
    };
    Some(CutList {
        film: folder.join(video.file),
        cuts: cuts.into_iter().map(secs).collect(),
        neither: [around(video.gradual, 4.0), around(video.ignore, 0.0)].concat(),
        tolerance: 1.5 / fps,
    })
}

fn of_list(folder: &Path, list: &Path) -> CutList {
    let id = list.file_stem().unwrap();
    let film = fs::read_dir(folder.join("clips"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_stem() == Some(id))
        .unwrap_or_else(|| panic!("clips/ holds no {}", id.display()));
    let text = fs::read_to_string(list).unwrap();
    let cuts = text.split_whitespace().map(|secs| secs.parse().unwrap()).collect();
    // Frame rates of 24 to 60; the lists are made with that precision.
    CutList { film, cuts, neither: Vec::new(), tolerance: 1.5 / 24.0 }
}
