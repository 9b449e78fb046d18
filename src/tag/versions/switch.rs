//! Another version becomes current: the next one on its grounds, or the one before.

use std::{
    fs::{File, TryLockError},
    io,
};

use base::{ErrorKind, json, publish_bytes};
use eval::{Outcome, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CURRENT, Event, HISTORY, LOCK, Version, Versions, Way, history};
use crate::TagError;

/// The gate's report on two versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The version that was current.
    pub from: Version,
    /// The new one.
    pub to: Version,
    /// What the gate says.
    pub verdict: Verdict,
}

/// Why a version may become current.
#[derive(Clone, Debug, Default)]
pub struct Grounds {
    /// What the gate says of it.
    pub judged: Option<Judged>,
    /// Who wants it whatever the gate says.
    pub approved_by: Option<String>,
}

impl Versions {
    /// Makes a version current, on the grounds given. Gives what was current before.
    ///
    /// # Errors
    /// The gate's report is of other versions or does not promote, and nobody approves; the version is
    /// damaged; somebody else is at work here.
    pub fn promote(
        &self,
        version: &Version,
        grounds: &Grounds,
        at: Timestamp,
    ) -> Result<Option<Version>, TagError> {
        let _lock = self.lock()?;
        self.config(version)?;
        let from = self.current()?;
        if from.as_ref() == Some(version) {
            return Ok(from);
        }
        self.check(from.as_ref(), version, grounds)?;
        let verdict = grounds.judged.as_ref().map(|judged| judged.verdict.clone());
        let (who, to, way) = (grounds.approved_by.clone(), version.clone(), Way::Promote);
        self.switch(Event { at, who, from: from.clone(), to, way, verdict })?;
        Ok(from)
    }

    /// Makes that current which was so before; done again it goes back further. Gives the version that
    /// was left and the one that is current now.
    ///
    /// # Errors
    /// Nothing was current before; the history or that version is damaged; somebody else is at work here.
    pub fn rollback(&self, who: &str, at: Timestamp) -> Result<(Version, Version), TagError> {
        let _lock = self.lock()?;
        let current = self.current()?;
        let before = history::before(&self.history()?, current.as_ref());
        let (Some(from), Some(to)) = (current, before) else {
            return Err(TagError::Versions {
                kind: ErrorKind::Usage,
                message: format!("no other version of {} was current before", self.name),
                hint: format!(
                    "`cinetag bundle promote {} VERSION --approve WHO` makes any version current",
                    self.name
                ),
            });
        };
        self.config(&to)?;
        let (who, way) = (Some(who.to_owned()), Way::Rollback);
        self.switch(Event {
            at,
            who,
            from: Some(from.clone()),
            to: to.clone(),
            way,
            verdict: None,
        })?;
        Ok((from, to))
    }

    /// Whether the grounds are enough.
    fn check(
        &self,
        from: Option<&Version>,
        to: &Version,
        grounds: &Grounds,
    ) -> Result<(), TagError> {
        let refuse = |message: String, hint: String| {
            Err(TagError::Versions { kind: ErrorKind::Input, message, hint })
        };
        let approve = format!("--approve WHO makes {to} current on somebody's word");
        if let Some(judged) = &grounds.judged
            && (from != Some(&judged.from) || *to != judged.to)
        {
            let from = from.map_or_else(|| "none".to_owned(), Version::to_string);
            return refuse(
                format!(
                    "the report is on {} in the place of {}, and this would be {to} in the place of \
                     {from}",
                    judged.to, judged.from
                ),
                "judge it anew against the version that is current".to_owned(),
            );
        }
        if grounds.approved_by.is_some() {
            return Ok(());
        }
        match &grounds.judged {
            None if from.is_none() => refuse(
                format!("no version of {} is current that {to} could be compared with", self.name),
                approve,
            ),
            None => refuse(format!("nothing says that {to} is no worse than what is current"), {
                format!("give the gate's report with --report FILE; {approve}")
            }),
            Some(judged) if judged.verdict.outcome == Outcome::Promote => Ok(()),
            Some(judged) => refuse(
                format!(
                    "{to} is not promoted ({}): {}",
                    judged.verdict.outcome.word(),
                    judged.verdict.reasons.join("; ")
                ),
                approve,
            ),
        }
    }

    /// Writes down a switch, then makes it.
    fn switch(&self, event: Event) -> Result<(), TagError> {
        let mut history = self.history_text()?;
        history += &json::line(&event);
        history.push('\n');
        for (name, text) in [(HISTORY, history), (CURRENT, format!("{}\n", event.to))] {
            let path = self.folder.join(name);
            publish_bytes(&path, text.as_bytes()).map_err(TagError::file(path))?;
        }
        Ok(())
    }

    /// Keeps all others from changing anything, for as long as it is held. Where the file system knows no
    /// locks there is none; files are then still published whole.
    pub(super) fn lock(&self) -> Result<File, TagError> {
        let path = self.folder.join(LOCK);
        let file = match File::create(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(TagError::Versions {
                    kind: ErrorKind::Usage,
                    message: format!("there is no bundle called {}", self.name),
                    hint: format!("`cinetag bundle add {} DIR` adds the first version", self.name),
                });
            }
            made => made.map_err(TagError::file(&path))?,
        };
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => Ok(file),
            Err(TryLockError::Error(e)) => Err(TagError::file(path)(e)),
            Err(TryLockError::WouldBlock) => Err(TagError::Versions {
                kind: ErrorKind::Busy,
                message: format!("another process changes the versions of {}", self.name),
                hint: "try again when it is done".to_owned(),
            }),
        }
    }
}
