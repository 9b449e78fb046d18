//! Which stages would run, and why.

use std::{collections::BTreeMap, fmt};

use base::{Digest, DigestBuilder};

use super::{Lock, PipelineError, StageSpec, stages::Context};

/// One stage of a plan.
#[derive(Clone, Debug)]
pub struct PlannedStage {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Why it would run; `None`: it is fresh.
    pub why: Option<Why>,
}

/// Why a stage would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It never ran in this folder.
    NeverRan,
    /// These of its settings and inputs changed.
    Changed(Vec<String>),
    /// This output is missing or was changed.
    Output(String),
    /// This stage, which it needs, will run.
    Upstream(String),
    /// The user asked for it.
    Forced,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRan => f.write_str("it never ran here"),
            Self::Changed(what) => write!(f, "changed: {}", what.join(", ")),
            Self::Output(what) => f.write_str(what),
            Self::Upstream(stage) => write!(f, "stage {stage} will run"),
            Self::Forced => f.write_str("asked for"),
        }
    }
}

/// The key of a stage as things stand: settings, inputs, and what upstream stages made.
pub(super) struct Key {
    pub(super) digest: Digest,
    pub(super) because: BTreeMap<String, Digest>,
}

/// Computes a stage's key; upstream stages must be in the lock.
pub(super) fn key(
    stage: &StageSpec,
    context: &Context<'_>,
    lock: &Lock,
) -> Result<Key, PipelineError> {
    let mut because = BTreeMap::new();
    for (name, value) in context.inputs(stage)? {
        let text = base::digest::canonical_json(&value);
        because.insert(name, Digest::of_bytes(text.as_bytes()));
    }
    for need in &stage.needs {
        if let Some(done) = lock.stages.get(need) {
            let mut digest = DigestBuilder::new();
            for output in &done.outputs {
                digest = digest
                    .part(output.path.to_string_lossy().as_bytes())
                    .part(output.sha256.as_bytes());
            }
            because.insert(format!("results of {need}"), digest.finish());
        }
    }
    let mut digest = DigestBuilder::new().part(stage.kind.name());
    for (name, value) in &because {
        digest = digest.part(name).part(value.as_bytes());
    }
    Ok(Key { digest: digest.finish(), because })
}

/// Why a stage would run, upstream stages being as they are.
pub(super) fn why(
    stage: &StageSpec,
    key: &Key,
    context: &Context<'_>,
    lock: &Lock,
) -> Result<Option<Why>, PipelineError> {
    let Some(done) = lock.stages.get(&stage.name) else { return Ok(Some(Why::NeverRan)) };
    if done.key != key.digest {
        let mut changed: Vec<_> = key
            .because
            .iter()
            .filter(|(name, digest)| done.because.get(*name) != Some(digest))
            .map(|(name, _)| name.clone())
            .collect();
        changed.extend(
            done.because
                .keys()
                .filter(|name| !key.because.contains_key(*name))
                .map(|name| format!("{name} is gone")),
        );
        if changed.is_empty() {
            changed.push("kind of stage".to_owned());
        }
        return Ok(Some(Why::Changed(changed)));
    }
    for output in &done.outputs {
        if let Some(fault) = output.fault(context.folder()) {
            return Ok(Some(Why::Output(format!("{} {fault}", output.path.display()))));
        }
    }
    Ok(context.fault(stage)?.map(Why::Output))
}

/// What a run would do now, without doing it.
///
/// A stage below one that will run is taken to run as well; whether it then really has
/// something to do shows when its turn comes.
///
/// # Errors
/// An input cannot be read.
pub fn plan(context: &Context<'_>, lock: &Lock) -> Result<Vec<PlannedStage>, PipelineError> {
    let mut planned: Vec<PlannedStage> = Vec::new();
    for stage in &context.pipeline.stages {
        let upstream = stage.needs.iter().find(|need| {
            planned.iter().any(|before| before.name == **need && before.why.is_some())
        });
        let why = match upstream {
            Some(upstream) => Some(Why::Upstream(upstream.clone())),
            None => why(stage, &key(stage, context, lock)?, context, lock)?,
        };
        planned.push(PlannedStage { name: stage.name.clone(), kind: stage.kind.name(), why });
    }
    Ok(planned)
}
