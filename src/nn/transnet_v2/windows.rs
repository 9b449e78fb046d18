//! Long films are looked at in overlapping windows.
//!
//! source: Souček and Lokoč 2020; the authors' inference: windows of 100 frames, of which the
//! middle 50 count; before the first frame the first is repeated, behind the last the last.

/// Frames that the network sees at once.
const WINDOW: usize = 100;
/// Frames of a window before those that count.
const BEFORE: usize = 25;
/// Frames of a window that count.
pub(super) const STEP: usize = 50;

/// For each [`STEP`] frames of `num_frames`, the frames of the window around them.
pub(super) fn windows(num_frames: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..num_frames.div_ceil(STEP)).map(move |idx| {
        let clamp = |at: usize| (idx * STEP + at).saturating_sub(BEFORE).min(num_frames - 1);
        (0..WINDOW).map(clamp).collect()
    })
}

/// Which of a window's frames count.
pub(super) fn counting() -> std::ops::Range<usize> {
    BEFORE..BEFORE + STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_counts_once_and_the_ends_are_repeated() {
        assert_eq!(windows(0).count(), 0);
        for num_frames in [1, 49, 50, 51, 130] {
            let counted: Vec<usize> =
                windows(num_frames).flat_map(|window| window[counting()].to_vec()).collect();
            let expected: Vec<usize> = (0..num_frames.next_multiple_of(STEP))
                .map(|frame| frame.min(num_frames - 1))
                .collect();
            assert_eq!(counted, expected, "{num_frames}");
        }
        let second = windows(130).nth(1).unwrap();
        assert_eq!((second.len(), second[0], second[99]), (100, 25, 124));
        let first = windows(130).next().unwrap();
        assert_eq!((first[24], first[25], first[26], first[99]), (0, 0, 1, 74));
    }
}
