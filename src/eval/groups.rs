//! Titles that belong together (sequels, cuts of one film) and are therefore drawn and exchanged
//! together.
//!
//! in: a number for each title, equal for titles of one group
//! out: for each draw over groups what it says of titles
//! source: Davison & Hinkley 1997, "Bootstrap methods and their application", §3.8 (of clustered
//! data whole clusters are drawn)

use std::collections::HashMap;

/// Which titles are of one group. By [`Groups::default`] every title is a group of its own,
/// however many titles there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// `[titles]`: numbers from 0, ascending by their first title.
    of_title: Option<Vec<usize>>,
    num_groups: usize,
}

impl Groups {
    /// `names` `[titles]`: equal for titles of one group; what they are has no meaning. Where all
    /// differ the groups are the titles themselves, in their order.
    #[must_use]
    pub fn new<T: std::hash::Hash + Eq>(names: impl IntoIterator<Item = T>) -> Self {
        let mut numbers: HashMap<T, usize> = HashMap::new();
        let of_title = names
            .into_iter()
            .map(|name| {
                let next = numbers.len();
                *numbers.entry(name).or_insert(next)
            })
            .collect();
        Self { num_groups: numbers.len(), of_title: Some(of_title) }
    }

    /// How many titles these are the groups of; `None` for any number.
    #[must_use]
    pub fn num_titles(&self) -> Option<usize> {
        self.of_title.as_ref().map(Vec::len)
    }

    /// How many groups `num_titles` titles form.
    ///
    /// # Panics
    /// The groups are those of another number of titles.
    #[must_use]
    pub fn num_groups(&self, num_titles: usize) -> usize {
        match &self.of_title {
            None => num_titles,
            Some(of_title) => {
                assert_eq!(of_title.len(), num_titles, "one group for each title");
                self.num_groups
            }
        }
    }

    /// The group of a title.
    #[must_use]
    pub fn of(&self, title: usize) -> usize {
        self.of_title.as_ref().map_or(title, |of_title| of_title[title])
    }

    /// The groups of a part of the titles.
    #[must_use]
    pub fn select(&self, titles: &[usize]) -> Self {
        match &self.of_title {
            None => Self::default(),
            Some(of_title) => Self::new(titles.iter().map(|&title| of_title[title])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_numbered_by_their_first_title() {
        let groups = Groups::new(["b", "a", "b", "c", "a"]);
        assert_eq!(groups.num_groups(5), 3);
        assert_eq!((0..5).map(|title| groups.of(title)).collect::<Vec<_>>(), [0, 1, 0, 2, 1]);
        let part = groups.select(&[4, 3, 1]);
        assert_eq!((0..3).map(|title| part.of(title)).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(part.num_groups(3), 2);
    }

    #[test]
    fn without_groups_every_title_is_one() {
        let (none, all) = (Groups::default(), Groups::new([7, 3, 9]));
        assert_eq!((none.num_groups(3), all.num_groups(3)), (3, 3));
        assert!((0..3).all(|title| none.of(title) == title && all.of(title) == title));
        assert_eq!(none.select(&[2, 0]).num_groups(2), 2);
        assert_eq!(Groups::default().num_groups(0), 0);
    }
}
