//! Pipeline file → plan → run → lock.
//!
//! in: a TOML file (one file, one reproducible run) and `--set` overrides; out: a run
//! folder with what the stages made, and `lock.json`, by which the next run knows what is
//! still fresh. The stages are thin: they call the rooms below.

mod ablate;
mod check;
mod document;
mod error;
mod explain;
mod folder;
mod lock;
mod plan;
mod run;
mod spec;
mod stage_spec;
mod stages;
mod table;
mod tune;

pub use ablate::{AblateOptions, Ablation, ablate};
pub use error::PipelineError;
pub use explain::explain;
pub use lock::{Lock, LockedStage, Output};
pub use plan::{PlannedStage, Why, plan};
pub use run::{RunOptions, RunSummary, StageSummary, run};
pub use spec::{Override, Pipeline, RunSettings, usual_store};
pub use stage_spec::{StageKind, StageSpec};
pub use stages::{Context, Stage};
pub use tune::{Tuning, tune};
