//! Which titles are kept aside to judge bundles by, for ever.
//!
//! in: the name of a title's group; out: whether its titles are pinned; the digest of a pinned test
//!
//! The name alone decides: a title that is pinned stays so whatever else is added, taken out or put in
//! another order, so the test grows with the library and never moves. One in five groups is pinned.
//! A group that gets another name (a film whose sequel came, where groups are named by series) is drawn
//! anew: groups want names that stay.

use base::{Digest, DigestBuilder};

/// One in so many groups is pinned.
const ONE_IN: u64 = 5;

/// Whether the titles of this group are pinned: the first 8 bytes of the SHA-256 of its name, as a number
/// with the highest byte first, divide by 5. A title that is alone is a group by its id.
///
/// ```
/// # use cinetag_eval as eval;
/// use eval::pinned::is_pinned;
///
/// let pinned = (0..1000).filter(|k| is_pinned(&format!("tt{k:07}"))).count();
/// assert!((150..250).contains(&pinned));
/// ```
#[must_use]
pub fn is_pinned(group: &str) -> bool {
    let digest = Digest::of_bytes(group.as_bytes());
    let start = digest.as_bytes().iter().take(8);
    start.fold(0_u64, |number, &byte| number << 8 | u64::from(byte)).is_multiple_of(ONE_IN)
}

/// The digest of a test by the ids of its titles, in any order.
#[must_use]
pub fn digest_of<'a>(ids: impl IntoIterator<Item = &'a str>) -> Digest {
    let mut ids: Vec<&str> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.iter().fold(DigestBuilder::new(), DigestBuilder::part).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_and_what_was_pinned_stays() {
        // python: int.from_bytes(hashlib.sha256(b"tt0000004").digest()[:8], "big") % 5 == 0
        let pinned: Vec<u32> = (0..20).filter(|k| is_pinned(&format!("tt{k:07}"))).collect();
        assert_eq!(pinned, [2, 8, 14, 18]);
        let many = (0..10_000).filter(|k| is_pinned(&format!("tt{k:07}"))).count();
        assert!((1_850..2_150).contains(&many), "{many} of 10,000: one in five");
    }

    #[test]
    fn the_digest_names_the_titles_and_not_their_order() {
        assert_eq!(digest_of(["b", "a", "c"]), digest_of(["a", "b", "c"]));
        assert_ne!(digest_of(["ab", "c"]), digest_of(["a", "bc"]));
        assert_ne!(digest_of(["a"]), digest_of(["a", "b"]));
    }
}
