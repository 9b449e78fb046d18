//! What all errors share: a message, the mend, and a kind that says who can do something about it.

use crate::{Interrupted, file};

/// An error that knows its mend.
///
/// The hint is a full sentence for the person at the keyboard; it is printed on a
/// line of its own (`hint: …`) and is never part of the message.
pub trait Hinted: std::error::Error {
    /// How to mend it, where that is known.
    fn hint(&self) -> Option<String> {
        None
    }

    /// What kind of fault it is.
    fn kind(&self) -> ErrorKind;
}

impl Hinted for std::io::Error {
    fn kind(&self) -> ErrorKind {
        if file::is_interrupt(self) { ErrorKind::Interrupted } else { ErrorKind::System }
    }
}

impl Hinted for Interrupted {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Interrupted
    }
}

/// Kinds of faults, by what whoever asked can do about them. Exit codes follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The command line, a setting or a file that was named is wrong; nothing was computed.
    Usage,
    /// What was given can be read and cannot be worked on.
    Input,
    /// Somebody else is at work on it: the same later may succeed.
    Busy,
    /// A file that cinetag keeps is missing or not what was published.
    Damaged,
    /// The machine lacks something or fails: weights, a device, room on a disk, a network.
    System,
    /// The user asked to stop; what was finished is kept.
    Interrupted,
    /// The program's own fault.
    Bug,
}
