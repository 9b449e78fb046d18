//! Where a picture lies in the square that a network takes.
//!
//! in: the picture's size in pixels, the shape of a pixel, [`Fit`]; out: [`Placement`]:
//! which part of the source goes to which part of the square.

use super::{answer::Picture, request::Fit};

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rect {
    /// Left edge.
    pub(super) x: u32,
    /// Upper edge.
    pub(super) y: u32,
    /// Pixels, at least 1.
    pub(super) width: u32,
    /// Pixels, at least 1.
    pub(super) height: u32,
}

/// The part `crop` of the source is scaled to the part `into` of the square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// In pixels of the source.
    pub(super) crop: Rect,
    /// In pixels of the square.
    pub(super) into: Rect,
}

/// Places a picture of `width` × `height` pixels, each `pixel_aspect` times as wide as high,
/// in a square of `side_px`. All sizes are at least 1; an aspect that is not a sane number
/// (1/16 to 16) counts as 1.
pub(super) fn place(
    width: u32,
    height: u32,
    pixel_aspect: f64,
    side_px: u32,
    fit: Fit,
) -> Placement {
    let aspect = if (0.0625..=16.0).contains(&pixel_aspect) { pixel_aspect } else { 1.0 };
    let shown_width = f64::from(width) * aspect;
    let shown_height = f64::from(height);
    let whole = Rect { x: 0, y: 0, width, height };
    let square = Rect { x: 0, y: 0, width: side_px, height: side_px };
    match fit {
        Fit::Stretch => Placement { crop: whole, into: square },
        Fit::CenterCrop => {
            let side = shown_width.min(shown_height);
            let crop = centred(width, height, side / aspect, side);
            Placement { crop, into: square }
        }
        Fit::Pad => {
            let scale = f64::from(side_px) / shown_width.max(shown_height);
            let into = centred(side_px, side_px, shown_width * scale, shown_height * scale);
            Placement { crop: whole, into }
        }
    }
}

/// A rectangle of about `inner_width` × `inner_height` in the middle of a larger one.
fn centred(width: u32, height: u32, inner_width: f64, inner_height: f64) -> Rect {
    let inner_width = (inner_width.round() as u32).clamp(1, width);
    let inner_height = (inner_height.round() as u32).clamp(1, height);
    Rect {
        x: (width - inner_width) / 2,
        y: (height - inner_height) / 2,
        width: inner_width,
        height: inner_height,
    }
}

/// A black square of `side_px`.
pub(super) fn black_square(side_px: u32) -> Picture {
    Picture { width: side_px, height: side_px, rgb: vec![0; (side_px * side_px * 3) as usize] }
}

/// Copies rows of RGB pixels, `stride_bytes` apart, to `into` of the square.
pub(super) fn paste(square: &mut Picture, into: Rect, rows: &[u8], stride_bytes: usize) {
    let row_bytes = into.width as usize * 3;
    for row in 0..into.height as usize {
        let from = row * stride_bytes;
        let to = ((into.y as usize + row) * square.width as usize + into.x as usize) * 3;
        square.rgb[to..to + row_bytes].copy_from_slice(&rows[from..from + row_bytes]);
    }
}

/// One of the eight ways to lay a picture on its sides: first the axes are exchanged, then
/// the result is mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// Rows become columns.
    pub(super) transpose: bool,
    /// Left becomes right (after the exchange).
    pub(super) mirror_x: bool,
    /// Up becomes down (after the exchange).
    pub(super) mirror_y: bool,
}

impl Turn {
    /// From a container's display matrix: `x' = a·x + c·y`, `y' = b·x + d·y`.
    ///
    /// Angles between the quarter turns are taken to the nearest; a matrix of zeros is none.
    pub(super) fn of_matrix(a: f64, b: f64, c: f64, d: f64) -> Self {
        let straight = a.abs() + d.abs();
        let crossed = b.abs() + c.abs();
        if straight == 0.0 && crossed == 0.0 {
            Self::default()
        } else if straight >= crossed {
            Self { transpose: false, mirror_x: a < 0.0, mirror_y: d < 0.0 }
        } else {
            Self { transpose: true, mirror_x: c < 0.0, mirror_y: b < 0.0 }
        }
    }

    /// Turns a square picture. Since placement in the square is the same in both directions
    /// (to a pixel of rounding), turning after scaling is turning before it.
    pub(super) fn apply(self, square: Picture) -> Picture {
        if self == Self::default() {
            return square;
        }
        let side = square.width as usize;
        let mut rgb = vec![0; square.rgb.len()];
        for y in 0..side {
            for x in 0..side {
                let (mut from_x, mut from_y) = (
                    if self.mirror_x { side - 1 - x } else { x },
                    if self.mirror_y { side - 1 - y } else { y },
                );
                if self.transpose {
                    std::mem::swap(&mut from_x, &mut from_y);
                }
                let (to, from) = ((y * side + x) * 3, (from_y * side + from_x) * 3);
                rgb[to..to + 3].copy_from_slice(&square.rgb[from..from + 3]);
            }
        }
        Picture { rgb, ..square }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect { x, y, width, height }
    }

    #[test]
    fn wide_pictures_are_placed_by_hand_arithmetic() {
        let stretch = place(1280, 720, 1.0, 224, Fit::Stretch);
        assert_eq!((stretch.crop, stretch.into), (rect(0, 0, 1280, 720), rect(0, 0, 224, 224)));
        let crop = place(1280, 720, 1.0, 224, Fit::CenterCrop);
        assert_eq!((crop.crop, crop.into), (rect(280, 0, 720, 720), rect(0, 0, 224, 224)));
        let pad = place(1280, 720, 1.0, 224, Fit::Pad);
        assert_eq!((pad.crop, pad.into), (rect(0, 0, 1280, 720), rect(0, 49, 224, 126)));
    }

    #[test]
    fn pixels_that_are_not_square_count_as_wide_as_they_are_shown() {
        // PAL wide screen: 720 × 576 with pixels of 64:45 is shown 1024 × 576.
        let aspect = 64.0 / 45.0;
        let crop = place(720, 576, aspect, 100, Fit::CenterCrop);
        assert_eq!(crop.crop, rect(157, 0, 405, 576));
        let pad = place(720, 576, aspect, 128, Fit::Pad);
        assert_eq!(pad.into, rect(0, 28, 128, 72));
    }

    #[test]
    fn no_size_is_too_odd() {
        for fit in [Fit::Stretch, Fit::CenterCrop, Fit::Pad] {
            for (width, height) in [(1, 1), (1, 4000), (4000, 1), (3, 7)] {
                for aspect in [1.0, 0.0, f64::NAN, 1e9] {
                    let Placement { crop, into } = place(width, height, aspect, 16, fit);
                    assert!(crop.width >= 1 && crop.x + crop.width <= width);
                    assert!(crop.height >= 1 && crop.y + crop.height <= height);
                    assert!(into.width >= 1 && into.x + into.width <= 16);
                    assert!(into.height >= 1 && into.y + into.height <= 16);
                }
            }
        }
    }

    #[test]
    fn a_quarter_turn_clockwise_takes_the_left_column_up() {
        // x' = -y, y' = x: the matrix of a telephone held upright (b = 1, c = -1).
        let turn = Turn::of_matrix(0.0, 1.0, -1.0, 0.0);
        let square =
            Picture { width: 2, height: 2, rgb: [[1; 3], [2; 3], [3; 3], [4; 3]].concat() };
        // 1 2      3 1
        // 3 4  ->  4 2
        let turned = turn.apply(square.clone());
        assert_eq!(turned.rgb, [[3; 3], [1; 3], [4; 3], [2; 3]].concat());
        let half = Turn::of_matrix(-1.0, 0.0, 0.0, -1.0);
        assert_eq!(half.apply(square.clone()).rgb, [[4; 3], [3; 3], [2; 3], [1; 3]].concat());
        assert_eq!(Turn::of_matrix(1.0, 0.0, 0.0, 1.0).apply(square.clone()), square);
        assert_eq!(Turn::of_matrix(0.0, 0.0, 0.0, 0.0).apply(square.clone()), square);
    }
}
