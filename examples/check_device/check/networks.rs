//! Which networks there are, and what is put into them.

use std::{fs, path::PathBuf};

use cinetag::nn::{ModelFiles, ModelSource, Precision, SentenceBert, TextWindow, WeightCache};

use super::{Fail, Setup};

/// With their names.
pub const PRECISIONS: [(Precision, &str); 3] =
    [(Precision::F32, "f32"), (Precision::F16, "f16"), (Precision::Bf16, "bf16")];
/// The image network that is trained.
pub const PICTURES: &str = "efficientnet-lite2";
/// The text network that is trained.
pub const TEXTS: &str = "all-minilm-l6-v2";
/// The speech network that is trained.
pub const SPEECH: &str = "whisper-tiny.en";
/// The shot network.
pub const SHOTS: &str = "transnetv2";
/// The network that hears whether somebody speaks.
pub const VOICES: &str = "fireredvad-aed";

/// A network with its name and where a user would say it is.
pub struct Found {
    /// For the table.
    pub name: String,
    /// An id, or a folder.
    pub source: String,
    /// Its files.
    pub files: ModelFiles,
}

impl Setup {
    /// The tiny networks in `networks/FOLDER`, then the trained one; those that are there.
    pub fn networks(&self, folder: &str, id: &str) -> Result<Vec<Found>, Fail> {
        let mut found = Vec::new();
        let cache = WeightCache::open(Some(self.out.join("converted")))?;
        let folder = self.data.join("networks").join(folder);
        let mut folders: Vec<PathBuf> = match fs::read_dir(&folder) {
            Err(_) => Vec::new(),
            Ok(_) if folder.join("config.json").exists() => vec![folder],
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<Result<_, Fail>>()?,
        };
        folders.sort();
        for folder in folders {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            found.push(Found {
                name: format!("tiny {name}"),
                source: folder.display().to_string(),
                files: cache.resolve(&ModelSource::Path(folder.clone()))?,
            });
        }
        if let Some(files) = self.trained(id)? {
            found.push(Found { name: id.to_owned(), source: id.to_owned(), files });
        }
        Ok(found)
    }

    /// The trained network of this id, where its folder is there.
    pub fn trained(&self, id: &str) -> Result<Option<ModelFiles>, Fail> {
        let weights = self.weights();
        if !weights.join(id).exists() {
            return Ok(None);
        }
        Ok(Some(WeightCache::open(Some(weights))?.require(id)?))
    }

    /// The cache of trained weights.
    pub fn weights(&self) -> PathBuf {
        self.data.join("weights")
    }
}

/// `[count, side, side, 3]`: coloured gradients with some noise.
pub fn pictures(count: usize, side_px: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut rgb = Vec::with_capacity(count * side_px * side_px * 3);
    for idx in 0..count * side_px * side_px * 3 {
        let (pixel, colour) = (idx / 3, idx % 3);
        let (x, y) = (pixel % side_px, pixel / side_px % side_px);
        let picture = pixel / side_px / side_px;
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = (x * (colour + 1) + y * (picture % 5 + 1)) % 251;
        rgb.push((wave as u8).wrapping_add((state >> 28) as u8));
    }
    rgb
}

/// Windows of `tokens` tokens each.
pub fn texts(network: &SentenceBert, count: usize, tokens: usize) -> Result<Vec<TextWindow>, Fail> {
    let words = ["a", "detective", "follows", "the", "letter", "through", "winter", "and", "her"];
    let text = |seed: usize| {
        let word = |n: usize| words[(n * (seed % 7 + 2) + n / 7) % words.len()];
        (0..2 * tokens).map(word).collect::<Vec<_>>().join(" ")
    };
    (0..count)
        .map(|seed| {
            let first = network.windows(&text(seed), tokens, 0)?.into_iter().next();
            first.ok_or_else(|| "a text without words".into())
        })
        .collect()
}

/// 16 kHz: tones with pauses, and noise.
pub fn sound(num_samples: usize) -> Vec<f32> {
    let (mut state, mut phase) = (1_u32, 0_u32);
    let sample = |idx: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let note = idx as u32 / 1000;
        phase = phase.wrapping_add(3_690_987 * (8 + note * 5 % 12));
        let tone = if phase < 1 << 31 { 0.125 } else { -0.125 };
        let noise = (state >> 16) as f32 / 65_536.0 / 128.0;
        if note.is_multiple_of(7) { noise } else { noise + tone }
    };
    (0..num_samples).map(sample).collect()
}
