//! An error on its way to the person: what went wrong, why, how to mend it, which exit code.

use std::error::Error;

use base::{
    Hinted, Interrupted, OutputError,
    file::{self, NotAFile},
};
use catalog::CatalogError;
use nn::weights::WeightsError;
use pipeline::PipelineError;
use report::ReportError;
use store::StoreError;
use tag::TagError;

/// Exit codes of failures.
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;

/// What is printed when a command fails.
pub(super) struct Failure {
    /// The error and its causes, outermost first.
    pub(super) messages: Vec<String>,
    /// The mend.
    pub(super) hint: Option<String>,
    /// The process' exit code.
    pub(super) code: u8,
}

impl Failure {
    /// A wrong command line.
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { messages: vec![message.into()], hint: Some(hint.into()), code: USAGE }
    }

    /// Something was found to be wrong, and said so in full already.
    pub(super) fn found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { messages: vec![message.into()], hint: Some(hint.into()), code: FAILED }
    }

    fn of(error: &(impl Hinted + 'static), code: u8) -> Self {
        let mut failure = Self { messages: vec![error.to_string()], hint: error.hint(), code };
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if failure.messages.last() != Some(&text) {
                failure.messages.push(text);
            }
            failure.heed(error);
            cause = error.source();
        }
        failure
    }

    /// What a cause in a file tells better than whoever looked into the file: that it is none, and
    /// that Ctrl-C came.
    fn heed(&mut self, cause: &(dyn Error + 'static)) {
        if let Some(found) = NotAFile::in_error(cause) {
            self.hint = Some(found.hint().to_owned());
        }
        if file::is_interrupt(cause) {
            (self.code, self.hint) = (INTERRUPTED, None);
        }
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        let code = if error.is_interrupt() {
            INTERRUPTED
        } else if error.is_usage() {
            USAGE
        } else {
            FAILED
        };
        Self::of(&error, code)
    }
}

impl From<TagError> for Failure {
    fn from(error: TagError) -> Self {
        PipelineError::from(error).into()
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        let code = match error {
            ReportError::NotComparable { .. } | ReportError::File { action: "read", .. } => USAGE,
            _ => FAILED,
        };
        Self::of(&error, code)
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        PipelineError::from(error).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::of(&error, FAILED)
    }
}

impl From<WeightsError> for Failure {
    fn from(error: WeightsError) -> Self {
        let code = match error {
            WeightsError::Interrupted(_) => INTERRUPTED,
            WeightsError::Unknown { .. } => USAGE,
            _ => FAILED,
        };
        Self::of(&error, code)
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        PipelineError::from(error).into()
    }
}

impl From<Interrupted> for Failure {
    fn from(error: Interrupted) -> Self {
        Self { messages: vec![error.to_string()], hint: None, code: INTERRUPTED }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let mut failure = Self { messages: vec![error.to_string()], hint: None, code: FAILED };
        failure.heed(&error);
        failure
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::PathBuf};

    use demo::DemoError;
    use encode::EncodeError;
    use extract::ExtractError;
    use learn::LearnError;

    use super::*;

    /// What each kind of error ends with: the README's table.
    #[test]
    fn every_kind_of_error_has_the_exit_code_that_is_documented() {
        let path = || PathBuf::from("x");
        let file = |action| {
            let source = io::Error::from(io::ErrorKind::NotFound);
            CatalogError::File { path: path(), action, source }
        };
        let stopped = || Interrupted;
        let spec = || PipelineError::Spec { place: "p".into(), message: "m".into(), hint: None };
        let settings = || EncodeError::Settings { modality: "m".into(), message: "m".into() };
        let data = || LearnError::Data { message: "m".into(), hint: None };
        let no_run = || TagError::NoSuchRun { root: path(), run: "r".into(), runs: Vec::new() };
        let no_bundle = || TagError::Bundle { path: path(), message: "m".into(), hint: None };
        let unknown = || WeightsError::Unknown { id: "m".into(), known: Vec::new() };
        let absent = || WeightsError::Absent { id: "m".into(), folder: path() };
        let cases: Vec<(&str, Failure, u8)> = vec![
            ("settings", spec().into(), USAGE),
            ("a modality's settings", PipelineError::from(settings()).into(), USAGE),
            ("a catalog that is not there", file("read").into(), USAGE),
            ("the same in a run", PipelineError::from(file("read")).into(), USAGE),
            ("the same of titles to tag", TagError::from(file("read")).into(), USAGE),
            ("a run that nobody knows", no_run().into(), USAGE),
            ("a model that nobody knows", unknown().into(), USAGE),
            ("a catalog that cannot be written", file("written").into(), FAILED),
            ("the same in a run", PipelineError::from(file("written")).into(), FAILED),
            ("data that cannot be learned", PipelineError::from(data()).into(), FAILED),
            ("a bundle that is none", no_bundle().into(), FAILED),
            ("weights that are not here", absent().into(), FAILED),
            ("a broken disk", io::Error::from(io::ErrorKind::StorageFull).into(), FAILED),
            ("Ctrl-C", stopped().into(), INTERRUPTED),
            ("Ctrl-C in a run", PipelineError::from(stopped()).into(), INTERRUPTED),
            (
                "Ctrl-C in an extraction",
                PipelineError::from(ExtractError::from(stopped())).into(),
                INTERRUPTED,
            ),
            (
                "Ctrl-C while learning",
                PipelineError::from(LearnError::from(stopped())).into(),
                INTERRUPTED,
            ),
            (
                "Ctrl-C while rendering",
                PipelineError::from(DemoError::from(stopped())).into(),
                INTERRUPTED,
            ),
            ("Ctrl-C while tagging", TagError::from(stopped()).into(), INTERRUPTED),
            (
                "Ctrl-C in the extraction of what is tagged",
                TagError::from(ExtractError::from(stopped())).into(),
                INTERRUPTED,
            ),
            ("Ctrl-C while weights are fetched", WeightsError::from(stopped()).into(), INTERRUPTED),
        ];
        let wrong: Vec<_> = cases.iter().filter(|case| case.1.code != case.2).collect();
        let told: Vec<_> = wrong.iter().map(|(name, found, _)| (name, found.code)).collect();
        assert!(wrong.is_empty(), "{told:?}");
    }
}
