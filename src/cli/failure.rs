//! An error on its way to the person: what went wrong, why, how to mend it, which exit code.

use std::error::Error;

use base::{
    ErrorKind, Hinted,
    file::{self, NotAFile},
};

/// Wrong command line, settings or catalog.
const USAGE: u8 = 2;
const FAILED: u8 = 1;
/// Interrupted by Ctrl-C or SIGTERM: 128 + SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;
/// The same command may succeed later: `EX_TEMPFAIL` of `sysexits.h`.
const LATER: u8 = 75;

fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Usage => USAGE,
        ErrorKind::Busy => LATER,
        ErrorKind::Interrupted => INTERRUPTED,
        ErrorKind::Input | ErrorKind::Damaged | ErrorKind::System | ErrorKind::Bug => FAILED,
    }
}

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

impl<E: Hinted + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let (hint, code) = (error.hint(), exit_code(error.kind()));
        let mut failure = Self { messages: vec![error.to_string()], hint, code };
        failure.heed(&error);
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
}

#[cfg(test)]
mod tests {
    use std::{io, path::PathBuf};

    use base::Interrupted;
    use catalog::CatalogError;
    use demo::DemoError;
    use encode::EncodeError;
    use extract::ExtractError;
    use learn::LearnError;
    use nn::weights::WeightsError;
    use pipeline::PipelineError;
    use tag::TagError;
    use write::WriteError;

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
        let no_run = || WriteError::NoSuchRun { root: path(), run: "r".into(), runs: Vec::new() };
        let no_bundle = || TagError::Bundle { path: path(), message: "m".into(), hint: None };
        let unknown = || WeightsError::Unknown { id: "m".into(), known: Vec::new() };
        let absent = || WeightsError::Absent { id: "m".into(), folder: path() };
        let cases: Vec<(&str, Failure, u8)> = vec![
            ("settings", spec().into(), USAGE),
            ("a modality's settings", PipelineError::from(settings()).into(), USAGE),
            ("a catalog that is not there", file("read").into(), USAGE),
            ("the same in a run", PipelineError::from(file("read")).into(), USAGE),
            ("a run that nobody knows", no_run().into(), USAGE),
            ("a model that nobody knows", unknown().into(), USAGE),
            ("a catalog that cannot be written", file("written").into(), FAILED),
            ("the same in a run", PipelineError::from(file("written")).into(), FAILED),
            ("data that cannot be learned", PipelineError::from(data()).into(), FAILED),
            ("a bundle that is none", no_bundle().into(), FAILED),
            ("weights that are not here", absent().into(), FAILED),
            ("a run folder in use", PipelineError::Busy { folder: path() }.into(), LATER),
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
