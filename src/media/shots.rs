//! Hard cuts, found while the frames go by.
//!
//! in: every frame of a film, in order, as [`SmallFrame`]s; out: the numbers of the frames that
//! begin a new shot.
//! A frame begins a shot if it differs from the one before by much more than its neighbours
//! differ from theirs, and if the frame before still differs from the one after (else it is a
//! flash). A difference is the mean over luma and chroma, and over the shift of a few pixels at
//! which it is smallest: a camera that moves is no cut. Fades and dissolves are not found.
//!
//! source: the content and adaptive detectors of `PySceneDetect`, with motion allowed for.
//! reference: hand-checked cuts of four films (`tests/golden/shots.rs`), where the constants
//! below were chosen.

use std::collections::VecDeque;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{format::Pixel, frame, software::scaling::Flags};

use super::shrink::Shrinker;

/// Size of the frames that are compared, pixels.
const WIDTH: usize = 64;
const HEIGHT: usize = 36;
/// Neighbours on each side that a frame is measured by.
const WINDOW: usize = 6;
/// A cut differs more than each of so many neighbours on both sides.
const NEAR: usize = 3;
/// The least difference of a cut (sum of three planes, 0..765).
const FLOOR: f32 = 16.0;
/// A cut differs by at least `RATIO` times its neighbours' mean and `MARGIN` more.
const RATIO: f32 = 2.0;
const MARGIN: f32 = 6.0;
/// The frame before a cut differs from the one after it by at least this share.
const FLASH: f32 = 0.6;
/// Shifts that are tried in each direction, pixels.
const SHIFTS_X: [isize; 3] = [-3, 0, 3];
const SHIFTS_Y: [isize; 3] = [-2, 0, 2];

/// Luma and two chroma planes of 64 × 36 pixels.
#[derive(Clone)]
pub(super) struct SmallFrame([[u8; WIDTH * HEIGHT]; 3]);

impl SmallFrame {
    /// What makes frames small for [`of`](Self::of).
    pub(super) fn shrinker() -> Shrinker {
        Shrinker::new(Pixel::YUV444P, WIDTH as u32, HEIGHT as u32, Flags::AREA)
    }

    pub(super) fn of(frame: &frame::Video, shrinker: &mut Shrinker) -> Result<Self, ffmpeg::Error> {
        let small = shrinker.shrink(frame)?;
        let mut planes = [[0; WIDTH * HEIGHT]; 3];
        for (idx, plane) in planes.iter_mut().enumerate() {
            let stride = small.stride(idx);
            for (to, from) in plane.chunks_mut(WIDTH).zip(small.data(idx).chunks(stride)) {
                to.copy_from_slice(&from[..WIDTH]);
            }
        }
        Ok(Self(planes))
    }

    /// The smallest difference over all shifts, 0..765.
    fn difference(&self, other: &Self) -> f32 {
        let mut least = f32::INFINITY;
        for dy in SHIFTS_Y {
            for dx in SHIFTS_X {
                least = least.min(self.difference_at(other, dx, dy));
            }
        }
        least
    }

    fn difference_at(&self, other: &Self, dx: isize, dy: isize) -> f32 {
        let (width, height) = (WIDTH - dx.unsigned_abs(), HEIGHT - dy.unsigned_abs());
        let [x, y] = [dx, dy].map(|shift| shift.max(0).unsigned_abs());
        let [other_x, other_y] = [dx, dy].map(|shift| (-shift).max(0).unsigned_abs());
        let mut sum = 0_u32;
        for (plane, other) in self.0.iter().zip(&other.0) {
            for row in 0..height {
                let line = &plane[(row + y) * WIDTH + x..][..width];
                let other = &other[(row + other_y) * WIDTH + other_x..][..width];
                let line = line.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(*b)));
                sum += line.sum::<u32>();
            }
        }
        sum as f32 / (width * height) as f32
    }
}

/// Takes frame after frame and says, [`WINDOW`] frames late, which of them begin a shot.
#[derive(Default)]
pub(super) struct CutDetector {
    before: Option<SmallFrame>,
    before_that: Option<SmallFrame>,
    /// Differences of the last frames, the newest last: to the frame before, and from the frame
    /// before to the frame after.
    recent: VecDeque<[f32; 2]>,
    num_frames: usize,
}

impl CutDetector {
    /// Takes the next frame; gives the number of an earlier one that begins a shot.
    pub(super) fn push(&mut self, frame: SmallFrame) -> Option<usize> {
        if let (Some(before_that), Some(last)) = (&self.before_that, self.recent.back_mut()) {
            last[1] = before_that.difference(&frame);
        }
        // The first frame has none before it.
        let step = self.before.as_ref().map_or(0.0, |before| before.difference(&frame));
        self.recent.push_back([step, 0.0]);
        self.before_that = self.before.replace(frame);
        self.num_frames += 1;
        if self.recent.len() > 2 * WINDOW + 1 {
            self.recent.pop_front();
        }
        let place = self.recent.len().checked_sub(WINDOW + 1)?;
        self.is_cut(place).then(|| self.num_frames - 1 - WINDOW)
    }

    /// The cuts among the last frames of the film. Its very last two can begin no shot.
    pub(super) fn finish(&self) -> Vec<usize> {
        let num_recent = self.recent.len();
        (num_recent.saturating_sub(WINDOW)..num_recent.saturating_sub(2))
            .filter(|place| self.is_cut(*place))
            .map(|place| self.num_frames - num_recent + place)
            .collect()
    }

    fn is_cut(&self, place: usize) -> bool {
        let [step, across] = self.recent[place];
        let from = place.saturating_sub(WINDOW);
        let neighbours: Vec<(usize, f32)> = self
            .recent
            .iter()
            .enumerate()
            .skip(from)
            .take(place + WINDOW + 1 - from)
            .filter(|(other, _)| *other != place)
            // The very first frame differs from none.
            .filter(|(other, _)| self.num_frames > self.recent.len() || *other > 0)
            .map(|(other, [step, _])| (other.abs_diff(place), *step))
            .collect();
        if step < FLOOR || across < FLASH * step {
            return false;
        }
        if neighbours.iter().any(|(distance, other)| *distance <= NEAR && *other >= step) {
            return false;
        }
        // Without the greatest: another cut may be close by.
        let greatest = neighbours.iter().map(|(_, step)| *step).fold(0.0, f32::max);
        let sum: f32 = neighbours.iter().map(|(_, step)| step).sum();
        let mean = (sum - greatest) / (neighbours.len().max(2) - 1) as f32;
        step >= RATIO * mean + MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of broad stripes that moves by `shift` pixels.
    fn stripes(shift: usize, light: u8) -> SmallFrame {
        let is_light = |at: usize| ((at % WIDTH + shift) / 8).is_multiple_of(2);
        let luma = |at: usize| if is_light(at) { light } else { light / 2 };
        SmallFrame([std::array::from_fn(luma), [128; WIDTH * HEIGHT], [128; WIDTH * HEIGHT]])
    }

    fn cuts(frames: impl IntoIterator<Item = SmallFrame>) -> Vec<usize> {
        let mut detector = CutDetector::default();
        let mut cuts: Vec<usize> =
            frames.into_iter().filter_map(|frame| detector.push(frame)).collect();
        cuts.extend(detector.finish());
        cuts
    }

    #[test]
    fn cuts_are_found_and_motion_flashes_and_fades_are_none() {
        let shots = |idx: usize| match idx {
            0..20 => stripes(idx, 200),
            20..27 => stripes(0, 60),
            _ => stripes(4, 250),
        };
        assert_eq!(cuts((0..50).map(shots)), [20, 27]);
        assert_eq!(cuts((0..40).map(|idx| stripes(idx, 200))), [] as [usize; 0]);
        let flash = |idx: usize| stripes(0, if idx == 15 { 255 } else { 80 });
        assert_eq!(cuts((0..40).map(flash)), [] as [usize; 0]);
        assert_eq!(cuts((0..40).map(|idx| stripes(0, 250 - idx as u8 * 6))), [] as [usize; 0]);
    }

    #[test]
    fn short_films_have_no_cuts_at_their_ends() {
        for len in 0..4 {
            assert_eq!(cuts((0..len).map(|idx| stripes(0, 50 * (idx as u8 + 1)))).len(), 0);
        }
        let late = |at: usize| cuts((0..20).map(|idx| stripes(0, if idx < at { 40 } else { 240 })));
        assert_eq!(late(1), [1]);
        assert_eq!(late(16), [16]);
        assert_eq!(late(17), [17]);
        assert_eq!(late(19), [] as [usize; 0]);
    }
}
