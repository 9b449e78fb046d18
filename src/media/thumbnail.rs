//! Black and near-duplicate frames, told by 16 × 16 thumbnails of their luma.
//!
//! in: RGB pixels; out: luma (ITU-R BT.601 weights, 0..255) averaged over 16 × 16 cells.

use super::{answer::Picture, geometry::Rect};

/// Cells in each direction.
const CELLS: usize = 16;

/// A picture's luma in 16 × 16 cells.
#[derive(Clone, Debug)]
pub(super) struct Thumbnail([f32; CELLS * CELLS]);

impl Thumbnail {
    /// Thumbnail of the part of a picture that is not padding.
    pub(super) fn of(picture: &Picture, part: Rect) -> Self {
        let mut cells = [0.0; CELLS * CELLS];
        for (cell, value) in cells.iter_mut().enumerate() {
            let rows = cell_range(cell / CELLS, part.height);
            let columns = cell_range(cell % CELLS, part.width);
            let mut sum = 0.0;
            let mut num_pixels = 0.0;
            for y in rows {
                for x in columns.clone() {
                    let at =
                        ((part.y as usize + y) * picture.width as usize + part.x as usize + x) * 3;
                    let [r, g, b] = [0, 1, 2].map(|c| f32::from(picture.rgb[at + c]));
                    sum += 0.299 * r + 0.587 * g + 0.114 * b;
                    num_pixels += 1.0;
                }
            }
            *value = sum / num_pixels;
        }
        Self(cells)
    }

    /// Mean luma, 0..255.
    pub(super) fn mean(&self) -> f32 {
        self.0.iter().sum::<f32>() / self.0.len() as f32
    }

    /// Mean absolute difference of luma, 0..255.
    pub(super) fn difference(&self, other: &Self) -> f32 {
        let sum: f32 = self.0.iter().zip(&other.0).map(|(a, b)| (a - b).abs()).sum();
        sum / self.0.len() as f32
    }
}

/// The pixels of one cell: at least one, even where there are fewer pixels than cells.
fn cell_range(cell: usize, num_pixels: u32) -> std::ops::Range<usize> {
    let num_pixels = num_pixels as usize;
    let from = cell * num_pixels / CELLS;
    let to = ((cell + 1) * num_pixels / CELLS).max(from + 1).min(num_pixels);
    from..to
}

#[cfg(test)]
mod tests {
    use super::{super::geometry::black_square, *};

    const WHOLE: Rect = Rect { x: 0, y: 0, width: 32, height: 32 };

    fn gray(value: u8) -> Picture {
        Picture { width: 32, height: 32, rgb: vec![value; 32 * 32 * 3] }
    }

    #[test]
    fn luma_of_gray_is_gray_and_difference_is_the_step() {
        let (dark, light) = (Thumbnail::of(&gray(10), WHOLE), Thumbnail::of(&gray(70), WHOLE));
        assert!((dark.mean() - 10.0).abs() < 1e-3);
        assert!((dark.difference(&light) - 60.0).abs() < 1e-3);
        assert_eq!(dark.difference(&dark), 0.0);
    }

    #[test]
    fn padding_is_not_part_of_the_picture() {
        let mut picture = black_square(32);
        for y in 8..24 {
            picture.rgb[y * 96..(y + 1) * 96].fill(200);
        }
        let content = Rect { x: 0, y: 8, width: 32, height: 16 };
        assert!((Thumbnail::of(&picture, content).mean() - 200.0).abs() < 1e-3);
        assert!((Thumbnail::of(&picture, WHOLE).mean() - 100.0).abs() < 1e-3);
    }

    #[test]
    fn pictures_smaller_than_the_grid_have_thumbnails() {
        let tiny = Picture { width: 1, height: 1, rgb: vec![255; 3] };
        let part = Rect { x: 0, y: 0, width: 1, height: 1 };
        assert!((Thumbnail::of(&tiny, part).mean() - 255.0).abs() < 1e-2);
    }
}
