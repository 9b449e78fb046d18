//! Names that were mistyped, and what was meant.
//!
//! source: optimal string alignment (Damerau 1964): letters put in, left out, replaced, and two
//! neighbours swapped, each one step.

/// The name among `known` that is most like `name`, where one is like it: at most a third of the
/// letters of `name` differ, letter case aside.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let num_letters = name.chars().count();
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&name, &candidate.to_lowercase()), candidate))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, _)| distance * 3 <= num_letters)
        .map(|(_, candidate)| candidate)
}

/// A hint for a name that is not among `known`: what was probably meant, else all of them.
#[must_use]
pub fn mend<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.join(", ")),
    }
}

/// What a name that serde does not know was meant to be: from its words "unknown field `a`,
/// expected one of `b`, `c`", and from ours in the same form.
#[must_use]
pub fn meant(message: &str) -> Option<&str> {
    let (what, known) = message.split_once(", expected ")?;
    let (unknown, name) = what.strip_suffix('`')?.rsplit_once('`')?;
    if !unknown.contains("unknown ") {
        return None;
    }
    nearest(name, known.split('`').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_found_and_a_stranger_is_not() {
        let heads = ["late-fusion", "stacking", "linear-svm"];
        assert_eq!(nearest("stakcing", heads), Some("stacking"));
        assert_eq!(nearest("neesd", ["name", "kind", "needs"]), Some("needs"), "one swap");
        assert_eq!(nearest("Sci-fy", ["Drama", "Sci-Fi"]), Some("Sci-Fi"));
        assert_eq!(nearest("Telenovela", ["Drama", "Sci-Fi"]), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(mend("stakcing", heads), "did you mean `stacking`?");
        assert_eq!(mend("perceptron", heads), "there are late-fusion, stacking, linear-svm");
    }

    #[test]
    fn what_serde_says_is_understood() {
        for (message, near) in [
            ("unknown field `neesd`, expected `notes` or `needs`", Some("needs")),
            ("stage x: unknown variant `trian`, expected one of `demo`, `train`", Some("train")),
            ("unknown field `x`, there are no fields", None),
            ("invalid type: string `a`, expected `b`", None),
            ("a word", None),
        ] {
            assert_eq!(meant(message), near, "{message}");
        }
    }
}
