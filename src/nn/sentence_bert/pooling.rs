//! How the vectors of a window's tokens become one, and what a sentence-transformers folder
//! says of it.
//!
//! in: `[tokens, dim]`; out: `[dim]`.
//! source: Reimers and Gurevych 2019, "Sentence-BERT", section 3.
//! reference: `sentence_transformers.models.Pooling`.

use std::{
    io,
    path::{Path, PathBuf},
};

use base::file;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How the vectors of a window's tokens become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Their mean, the special tokens counted.
    #[default]
    Mean,
    /// The first token's.
    Cls,
    /// The greatest of each number.
    Max,
}

impl Pooling {
    /// `[tokens, dim]` to `[dim]`.
    pub(super) fn of(self, states: &[f32], dim: usize) -> Vec<f32> {
        let mut rows = states.chunks_exact(dim);
        let mut pooled = rows.next().unwrap_or_default().to_vec();
        match self {
            Self::Cls => {}
            Self::Max => rows.for_each(|row| fold(&mut pooled, row, f32::max)),
            Self::Mean => {
                rows.for_each(|row| fold(&mut pooled, row, |sum, x| sum + x));
                let tokens = (states.len() / dim) as f32;
                for x in &mut pooled {
                    *x /= tokens;
                }
            }
        }
        pooled
    }

    /// As the folder's `1_Pooling/config.json` has it; the mean where there is none.
    ///
    /// # Errors
    /// The file and what is wrong with it: no JSON, another way of pooling, or a `modules.json`
    /// with a step that is not computed here.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, (PathBuf, String)> {
        let modules = folder.join("modules.json");
        let pooling = folder.join("1_Pooling").join("config.json");
        check_modules(&modules).map_err(|message| (modules, message))?;
        Self::in_file(&pooling).map_err(|message| (pooling, message))
    }

    fn in_file(path: &Path) -> Result<Self, String> {
        let Some(config) = json::<Map<String, Value>>(path)? else {
            return Ok(Self::default());
        };
        match modes(&config).as_slice() {
            ["mean"] => Ok(Self::Mean),
            ["cls"] => Ok(Self::Cls),
            ["max"] => Ok(Self::Max),
            others => {
                Err(format!("pooling must be one of mean, cls, max, got {:?}", others.join(" + ")))
            }
        }
    }
}

fn fold(pooled: &mut [f32], row: &[f32], with: impl Fn(f32, f32) -> f32) {
    for (pooled, x) in pooled.iter_mut().zip(row) {
        *pooled = with(*pooled, *x);
    }
}

/// The ways that are switched on: a name since version 6 of sentence-transformers, before that
/// a flag each, such as `pooling_mode_mean_tokens`.
fn modes(config: &Map<String, Value>) -> Vec<&str> {
    if let Some(mode) = config.get("pooling_mode").and_then(Value::as_str) {
        return vec![mode];
    }
    let flags = config.iter().filter(|(_, value)| **value == Value::Bool(true));
    flags
        .filter_map(|(key, _)| key.strip_prefix("pooling_mode_"))
        .map(|mode| mode.trim_end_matches("_tokens").trim_end_matches("_token"))
        .collect()
}

/// That nothing follows the network but pooling and normalising.
fn check_modules(path: &Path) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Module {
        #[serde(rename = "type")]
        kind: String,
    }
    for module in json::<Vec<Module>>(path)?.unwrap_or_default() {
        let name = module.kind.rsplit('.').next().unwrap_or_default();
        if !["Transformer", "Pooling", "Normalize"].contains(&name) {
            return Err(format!("the step {} is not known here", module.kind));
        }
    }
    Ok(())
}

/// The file's content, `None` where there is no file.
fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    match file::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| e.to_string()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn rows_become_one() {
        let states = [1.0, -4.0, 3.0, 2.0, 5.0, -1.0];
        assert_eq!(Pooling::Mean.of(&states, 2), [3.0, -1.0]);
        assert_eq!(Pooling::Cls.of(&states, 2), [1.0, -4.0]);
        assert_eq!(Pooling::Max.of(&states, 2), [5.0, 2.0]);
    }

    #[test]
    fn the_folder_says_how_in_either_form_and_steps_that_are_not_known_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let read = || Pooling::in_folder(folder.path()).map_err(|(_, message)| message);
        assert_eq!(read(), Ok(Pooling::Mean));
        fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        let write = |text: &str| {
            fs::write(folder.path().join("1_Pooling/config.json"), text).unwrap();
        };
        write(
            r#"{"word_embedding_dimension": 8, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#,
        );
        assert_eq!(read(), Ok(Pooling::Cls));
        write(r#"{"embedding_dimension": 8, "pooling_mode": "max", "include_prompt": true}"#);
        assert_eq!(read(), Ok(Pooling::Max));
        write(r#"{"pooling_mode_max_tokens": true, "pooling_mode_mean_tokens": true}"#);
        assert!(read().unwrap_err().contains("\"max + mean\""));
        write(r#"{"pooling_mode": "lasttoken"}"#);
        assert!(read().unwrap_err().contains("lasttoken"));
        write(r#"{"pooling_mode": "mean"}"#);
        let modules = folder.path().join("modules.json");
        fs::write(&modules, r#"[{"type": "sentence_transformers.models.Transformer"}]"#).unwrap();
        assert_eq!(read(), Ok(Pooling::Mean));
        fs::write(&modules, r#"[{"type": "sentence_transformers.models.Dense"}]"#).unwrap();
        assert!(read().unwrap_err().contains("models.Dense"));
    }
}
