//! Other people's readers that panic where they should say no.
//!
//! in: work that reads a file which a stranger may have made; out: its result, or what it panicked with.
//! A few libraries claim of their input what only they have written; a panic of theirs is an error of
//! that file and ends no program. Our own readers panic nowhere: what panics outside of here is a bug.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

/// A reader panicked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not what its reader expects: {0}")]
pub struct Panicked(String);

thread_local! {
    /// Whether a panic of this thread is about to be caught.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Does the work; a panic in it, on this thread, says nothing and becomes an error. What the work
/// holds is dropped, so nothing half done is seen afterwards.
///
/// # Errors
/// The work panicked.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let tell = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                tell(panic);
            }
        }));
    });
    let before = IS_GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(before);
    done.map_err(|panic| Panicked(words(&*panic).to_owned()))
}

/// The first line of what was said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.and_then(|text| text.lines().next()).unwrap_or("it panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_within_is_an_error_and_one_outside_is_a_panic() {
        assert_eq!(guarded(|| 7), Ok(7));
        let fail = |what: &str| guarded(|| -> u8 { panic!("claimed {what}\nmore") });
        let words = fail("four").unwrap_err().to_string();
        assert_eq!(words, "it is not what its reader expects: claimed four");
        let nested = guarded(|| fail("five").is_err() && IS_GUARDED.get());
        assert_eq!((nested, IS_GUARDED.get()), (Ok(true), false));
        std::thread::spawn(|| panic!("seen in the test's output")).join().unwrap_err();
    }
}
