//! Black bars above and below (letterbox) or left and right (pillarbox) of a film's picture.
//!
//! in: decoded frames; out: how many pixels of each edge are bars. A single dark frame tells
//! little, so a film's bars are what most of some frames spread over it have; and of each frame
//! no more is taken than what is black in it, so a film that changes its shape loses nothing.

use std::ops::Range;

use ffmpeg_next::{ffi, frame};

use super::scale::is_full_range;

/// Luma (0..255) above black up to which a pixel belongs to a bar: noise and the ringing of
/// codecs stay below.
const BLACK_ABOVE: u16 = 12;

/// Share of a line's pixels that may be brighter: a logo's edge, damaged blocks.
const BRIGHT_FRAC: f64 = 0.01;

/// Of columns every so many rows are looked at.
const ROW_STEP: usize = 4;

/// Bars take at most this share of a direction, both together; else it is a dark picture.
const MAX_FRAC: f64 = 0.6;

/// So many frames must have been seen before bars are believed.
const MIN_FRAMES: usize = 2;

/// Width of bars in pixels of the coded frame, the same on opposite edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bars {
    /// Rows above, and as many below.
    pub(super) rows: u32,
    /// Columns on the left, and as many on the right.
    pub(super) columns: u32,
}

impl Bars {
    /// What is bar in both.
    pub(super) fn min(self, other: Self) -> Self {
        Self { rows: self.rows.min(other.rows), columns: self.columns.min(other.columns) }
    }

    /// The bars of a film: the median over some of its frames, entirely black ones left out.
    pub(super) fn of_film(frames: impl IntoIterator<Item = Option<Self>>) -> Self {
        let mut seen: Vec<Self> = frames.into_iter().flatten().collect();
        if seen.len() < MIN_FRAMES {
            return Self::default();
        }
        let mut median = |length: fn(&Self) -> u32| {
            seen.sort_unstable_by_key(length);
            length(&seen[(seen.len() - 1) / 2])
        };
        Self { rows: median(|bars| bars.rows), columns: median(|bars| bars.columns) }
    }

    /// The bars of one frame. `None` where it tells nothing: it is black all over, or its pixels
    /// hold no luma.
    pub(super) fn of_frame(frame: &frame::Video) -> Option<Self> {
        let luma = Luma::of(frame)?;
        let (width, height) = (luma.width, luma.height);
        let is_dark_row = |y: &usize| luma.is_dark_row(*y);
        let above = (0..height).take_while(is_dark_row).count();
        if above == height {
            return None;
        }
        let below = (0..height).rev().take_while(is_dark_row).count();
        let picture = above..height - below;
        let left = (0..width).take_while(|x| luma.is_dark_column(*x, &picture)).count();
        let right = (0..width).rev().take_while(|x| luma.is_dark_column(*x, &picture)).count();
        Some(Self {
            rows: both_edges(above.min(below), height),
            columns: both_edges(left.min(right), width),
        })
    }
}

/// Rounded up to whole chroma samples; nothing where too little picture would be left.
fn both_edges(num_lines: usize, length: usize) -> u32 {
    let even = num_lines.next_multiple_of(2);
    if 2.0 * even as f64 > MAX_FRAC * length as f64 { 0 } else { even as u32 }
}

/// The luma samples of a frame.
struct Luma<'a> {
    width: usize,
    height: usize,
    plane: &'a [u8],
    stride_bytes: usize,
    offset_bytes: usize,
    /// From a sample to the next.
    step_bytes: usize,
    /// Samples of more than 8 bits are in two bytes, little-endian, so far from the right.
    shift: Option<u32>,
    black: u16,
}

impl<'a> Luma<'a> {
    fn of(frame: &'a frame::Video) -> Option<Self> {
        #[allow(unsafe_code)]
        // SAFETY: descriptors are constants of the library.
        let (flags, sample) = unsafe {
            let descriptor = ffi::av_pix_fmt_desc_get(frame.format().into()).as_ref()?;
            (descriptor.flags as u32, descriptor.comp[0])
        };
        let no_luma = ffi::AV_PIX_FMT_FLAG_RGB
            | ffi::AV_PIX_FMT_FLAG_PAL
            | ffi::AV_PIX_FMT_FLAG_BE
            | ffi::AV_PIX_FMT_FLAG_BITSTREAM
            | ffi::AV_PIX_FMT_FLAG_HWACCEL
            | ffi::AV_PIX_FMT_FLAG_FLOAT;
        if flags & no_luma as u32 != 0 || !(8..=16).contains(&sample.depth) || sample.plane != 0 {
            return None;
        }
        // What is in the samples beyond 8 bits counts as noise.
        let is_wide = sample.depth > 8;
        Some(Self {
            width: frame.width() as usize,
            height: frame.height() as usize,
            plane: frame.data(0),
            stride_bytes: frame.stride(0),
            offset_bytes: sample.offset as usize,
            step_bytes: sample.step as usize,
            shift: is_wide.then(|| (sample.shift + sample.depth - 8) as u32),
            black: if is_full_range(frame) { 0 } else { 16 },
        })
    }

    fn is_dark_row(&self, y: usize) -> bool {
        let begin = y * self.stride_bytes + self.offset_bytes;
        let limit = self.black + BLACK_ABOVE;
        let most = (self.width as f64 * BRIGHT_FRAC) as usize;
        if self.step_bytes == 1 {
            let row = &self.plane[begin..begin + self.width];
            // In pieces: a row of the picture is given up early, a bar is counted by vectors.
            let mut num_bright = 0;
            return row.chunks(256).all(|piece| {
                num_bright += piece.iter().filter(|luma| u16::from(**luma) > limit).count();
                num_bright <= most
            });
        }
        let bright = (0..self.width).filter(|x| self.at(*x, y) > limit);
        bright.take(most + 1).count() <= most
    }

    fn is_dark_column(&self, x: usize, rows: &Range<usize>) -> bool {
        let most = (rows.len().div_ceil(ROW_STEP) as f64 * BRIGHT_FRAC) as usize;
        let bright =
            rows.clone().step_by(ROW_STEP).filter(|y| self.at(x, *y) > self.black + BLACK_ABOVE);
        bright.take(most + 1).count() <= most
    }

    /// A sample, 0..255.
    fn at(&self, x: usize, y: usize) -> u16 {
        let place = y * self.stride_bytes + self.offset_bytes + x * self.step_bytes;
        match self.shift {
            None => u16::from(self.plane[place]),
            Some(shift) => u16::from_le_bytes([self.plane[place], self.plane[place + 1]]) >> shift,
        }
    }
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::format::Pixel;

    use super::*;

    /// A frame with gray luma in `rows` × `columns` and black around it.
    fn framed(format: Pixel, rows: Range<usize>, columns: Range<usize>) -> frame::Video {
        let mut frame = frame::Video::new(format, 64, 48);
        let stride = frame.stride(0);
        let (bytes, black, gray): (usize, [u8; 2], [u8; 2]) = match format {
            Pixel::YUV420P => (1, [16, 0], [120, 0]),
            Pixel::YUV420P10LE => (2, 64_u16.to_le_bytes(), 480_u16.to_le_bytes()),
            Pixel::P010LE => (2, (64_u16 << 6).to_le_bytes(), (480_u16 << 6).to_le_bytes()),
            other => panic!("{other:?}"),
        };
        for y in 0..48 {
            for x in 0..64 {
                let inside = rows.contains(&y) && columns.contains(&x);
                let sample = if inside { gray } else { black };
                let at = y * stride + x * bytes;
                frame.data_mut(0)[at..at + bytes].copy_from_slice(&sample[..bytes]);
            }
        }
        frame
    }

    #[test]
    fn bars_are_found_in_every_depth() {
        for format in [Pixel::YUV420P, Pixel::YUV420P10LE, Pixel::P010LE] {
            let letterbox = framed(format, 6..42, 0..64);
            assert_eq!(Bars::of_frame(&letterbox), Some(Bars { rows: 6, columns: 0 }));
            let pillarbox = framed(format, 0..48, 8..56);
            assert_eq!(Bars::of_frame(&pillarbox), Some(Bars { rows: 0, columns: 8 }));
            let whole = framed(format, 0..48, 0..64);
            assert_eq!(Bars::of_frame(&whole), Some(Bars::default()));
        }
    }

    #[test]
    fn a_frame_that_tells_nothing_has_no_say() {
        assert_eq!(Bars::of_frame(&framed(Pixel::YUV420P, 0..0, 0..0)), None);
        assert_eq!(Bars::of_frame(&frame::Video::new(Pixel::RGB24, 64, 48)), None);
        // A lamp in the dark: so little picture would be left that there are no bars.
        let lamp = framed(Pixel::YUV420P, 20..26, 30..34);
        assert_eq!(Bars::of_frame(&lamp), Some(Bars::default()));
    }

    #[test]
    fn what_stands_in_one_bar_only_is_not_symmetric_and_stays() {
        let subtitled = framed(Pixel::YUV420P, 6..46, 0..64);
        assert_eq!(Bars::of_frame(&subtitled), Some(Bars { rows: 2, columns: 0 }));
    }

    #[test]
    fn a_films_bars_are_those_of_most_frames() {
        let wide = Some(Bars { rows: 92, columns: 0 });
        let night = Some(Bars { rows: 200, columns: 0 });
        let card = Some(Bars::default());
        let of_film = Bars::of_film([wide, night, card, wide, None, wide]);
        assert_eq!(of_film, Bars { rows: 92, columns: 0 });
        assert_eq!(Bars::of_film([card, card, wide, card]), Bars::default());
        assert_eq!(Bars::of_film([wide, None]), Bars::default(), "too few to tell");
    }
}
