//! A set of ids such as `tt0076759`, a bit each, that numbers its members.
//!
//! Eleven million ids take a few megabytes, and whether one is a member, and which by rank, is
//! one look.

/// Ids of up to so many digits; the set of all of them takes 125 MB.
const MAX_DIGITS: usize = 9;

/// The number in an id: `prefix` and seven to nine digits.
pub(super) fn number_of(id: &str, prefix: &str) -> Option<u32> {
    let digits = id.strip_prefix(prefix)?.as_bytes();
    if !(7..=MAX_DIGITS).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |number: u32, &byte| {
        byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
    })
}

/// A set that is filled first, then asked.
#[derive(Default)]
pub(super) struct IdSet {
    words: Vec<u64>,
    /// Members before each word, once closed.
    before: Vec<u32>,
}

impl IdSet {
    pub(super) fn add(&mut self, number: u32) {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= bit;
    }

    /// Numbers the members; gives how many there are.
    pub(super) fn close(&mut self) -> usize {
        let mut num = 0;
        self.before.clear();
        for word in &self.words {
            self.before.push(num);
            num += word.count_ones();
        }
        num as usize
    }

    /// The place of a number among the members, in ascending order.
    pub(super) fn rank(&self, number: u32) -> Option<usize> {
        let (word, bit) = (number as usize / 64, 1_u64 << (number % 64));
        let bits = *self.words.get(word)?;
        (bits & bit != 0)
            .then(|| self.before[word] as usize + (bits & (bit - 1)).count_ones() as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_checked() {
        assert_eq!(number_of("tt0076759", "tt"), Some(76759));
        assert_eq!(number_of("nm123456789", "nm"), Some(123_456_789));
        for wrong in ["tt76759", "nm0076759", "tt00767590000", "tt00x6759", "0076759", "tt", ""] {
            assert_eq!(number_of(wrong, "tt"), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn ranks_are_those_of_a_sorted_list(mut numbers in prop::collection::vec(0_u32..5000, 0..200)) {
            let mut set = IdSet::default();
            for &number in &numbers {
                set.add(number);
            }
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(set.close(), numbers.len());
            for number in 0..5100 {
                prop_assert_eq!(set.rank(number), numbers.binary_search(&number).ok());
            }
        }
    }
}
