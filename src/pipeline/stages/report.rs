//! `kind = "report"`: writes the report of the evaluation.

use std::collections::BTreeMap;

use base::file;
use report::{Circumstances, ReferenceRow, StageDuration};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, Outcome, Stage, evaluate};
use crate::{Lock, PipelineError};

/// What the report says besides the figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What a reader must know first.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Figures of others, to compare with.
    #[serde(default)]
    pub references: Vec<Reference>,
}

/// Somebody else's figures on the same task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The method.
    pub name: String,
    /// Where the figures come from and what they stand on.
    #[serde(default)]
    pub source: String,
    /// Micro F1.
    pub micro_f1: Option<f64>,
    /// Macro F1.
    pub macro_f1: Option<f64>,
    /// Samples F1.
    pub samples_f1: Option<f64>,
    /// Mean average precision.
    pub map: Option<f64>,
}

impl Stage for Settings {
    fn inputs(&self, _context: &Context<'_>) -> Result<BTreeMap<String, Value>, PipelineError> {
        Ok(BTreeMap::new())
    }

    fn run(&self, context: &Context<'_>, lock: &Lock) -> Result<Outcome, PipelineError> {
        let path = context.file(evaluate::FILE);
        if !path.exists() {
            return Err(PipelineError::Missing {
                stage: "report".to_owned(),
                message: format!("{} is not there", path.display()),
                hint: "a stage of kind \"evaluate\" must stand before it".to_owned(),
            });
        }
        let mut report = report::read_metrics(&path)?;
        report.notes.extend(self.notes.iter().cloned());
        report.references = self
            .references
            .iter()
            .map(|r| ReferenceRow {
                name: r.name.clone(),
                source: r.source.clone(),
                micro_f1: r.micro_f1,
                macro_f1: r.macro_f1,
                samples_f1: r.samples_f1,
                map: r.map,
            })
            .collect();
        report.circumstances = circumstances(context);
        report.circumstances.stages = context
            .pipeline
            .stages
            .iter()
            .filter_map(|stage| {
                let seconds = lock.stages.get(&stage.name)?.seconds;
                Some(StageDuration { name: stage.name.clone(), seconds: Some(seconds) })
            })
            .collect();
        let written = report::write(context.folder(), &report)?;
        Ok(Outcome {
            summary: written.html.display().to_string(),
            outputs: [vec![written.html, written.markdown, written.metrics], written.tables]
                .concat(),
            skipped: 0,
        })
    }
}

/// When and where this runs.
pub(crate) fn circumstances(context: &Context<'_>) -> Circumstances {
    Circumstances {
        when: jiff::Zoned::now().strftime("%Y-%m-%d %H:%M %Z").to_string(),
        machine: machine(),
        device: context.pipeline.run.device.to_string(),
        command_line: std::env::args().collect::<Vec<_>>().join(" "),
        stages: Vec::new(),
    }
}

/// Processor, cores and system, as far as they can be told.
fn machine() -> String {
    let model = file::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?.to_owned();
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = model.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{model}, {cores} cores, {}", std::env::consts::OS)
}
