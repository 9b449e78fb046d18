//! Long texts in windows of tokens.

use std::ops::Range;

/// A stretch of a text as the network takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextWindow {
    /// Token ids, the special ones and the prefix's included.
    pub ids: Vec<u32>,
    /// Bytes of the text that the other tokens come from.
    pub bytes: Range<usize>,
}

/// Cuts `ids` into windows that begin with `front` and end with `back`, which is what is left
/// out of `bytes`; see [`super::SentenceBert::windows`].
pub(super) fn cut(
    ids: &[u32],
    offsets: &[(usize, usize)],
    max_tokens: usize,
    overlap: usize,
    front: &[u32],
    back: &[u32],
) -> Vec<TextWindow> {
    let room = max_tokens - front.len() - back.len();
    let window = |range: Range<usize>| TextWindow {
        ids: [front, &ids[range.clone()], back].concat(),
        bytes: offsets[range.start].0..offsets[range.end - 1].1,
    };
    if ids.is_empty() {
        return Vec::new();
    }
    if ids.len() <= room {
        return vec![window(0..ids.len())];
    }
    let mut windows = Vec::new();
    let mut start = 0;
    while start + room < ids.len() {
        windows.push(window(start..start + room));
        start += room - overlap;
    }
    windows.push(window(ids.len() - room..ids.len()));
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn windows(count: usize, max_tokens: usize, overlap: usize) -> Vec<TextWindow> {
        let ids: Vec<u32> = (0..count as u32).collect();
        let offsets: Vec<_> = (0..count).map(|idx| (10 * idx, 10 * idx + 7)).collect();
        cut(&ids, &offsets, max_tokens, overlap, &[101], &[102])
    }

    #[test]
    fn short_texts_are_one_window_and_the_last_one_is_full() {
        assert!(windows(0, 6, 1).is_empty());
        assert_eq!(
            windows(4, 6, 1),
            [TextWindow { ids: vec![101, 0, 1, 2, 3, 102], bytes: 0..37 }]
        );
        let ids: Vec<_> = windows(9, 6, 1).into_iter().map(|w| w.ids).collect();
        assert_eq!(ids, [[101, 0, 1, 2, 3, 102], [101, 3, 4, 5, 6, 102], [101, 5, 6, 7, 8, 102]]);
    }

    proptest! {
        #[test]
        fn every_token_is_in_a_window_and_none_is_too_long(
            count in 0_usize..200, max_tokens in 4_usize..40, overlap in 0_usize..20,
        ) {
            prop_assume!(overlap + 2 < max_tokens);
            let windows = windows(count, max_tokens, overlap);
            let mut next = 0;
            for window in &windows {
                prop_assert!(window.ids.len() <= max_tokens);
                let inner = &window.ids[1..window.ids.len() - 1];
                prop_assert!(inner[0] <= next, "nothing is left out");
                next = inner[inner.len() - 1] + 1;
                prop_assert_eq!(window.bytes.clone(), inner[0] as usize * 10..(next as usize - 1) * 10 + 7);
            }
            prop_assert_eq!(next as usize, count);
        }
    }
}
