//! A small painter: shapes with soft edges on a picture of floats.
//!
//! in: shapes in units of the picture's height (0..1 downwards, 0..aspect rightwards), so
//! that one drawing fits trailers and posters; out: a [`Picture`].

use media::Picture;

use super::style::Rgb;

/// A picture in the making, `[height, width]`.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<Rgb>,
    /// Of the centre's brightness at each pixel; made once.
    vignette: Vec<f32>,
}

/// A number in 0..1 that is always the same for the same seed and place.
pub(super) fn unit(seed: u64, place: u64) -> f32 {
    (mix(seed ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 40) as f32 / (1_u64 << 24) as f32
}

/// `unit`, spread over a range.
pub(super) fn between(seed: u64, place: u64, low: f32, high: f32) -> f32 {
    low + (high - low) * unit(seed, place)
}

/// The finaliser of splitmix64 (Steele, Lea & Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A colour between two.
pub(super) fn blend(a: Rgb, b: Rgb, share: f32) -> Rgb {
    [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * share)
}

/// Darker (`factor` below 1) or brighter.
pub(super) fn shade(color: Rgb, factor: f32) -> Rgb {
    color.map(|v| v * factor)
}

impl Canvas {
    pub(super) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        let radius = |x: usize, y: usize| {
            let dx = (x as f32 + 0.5) / width as f32 - 0.5;
            let dy = (y as f32 + 0.5) / height as f32 - 0.5;
            1.0 - 0.55 * (dx * dx + dy * dy)
        };
        let vignette = (0..width * height).map(|i| radius(i % width, i / width)).collect();
        Self { width, height, rgb: vec![[0.0; 3]; width * height], vignette }
    }

    /// Width in units of the height.
    pub(super) fn aspect(&self) -> f32 {
        self.width as f32 / self.height as f32
    }

    fn px(&self, units: f32) -> f32 {
        units * self.height as f32
    }

    /// First and last + 1 pixel of a stretch of `len` pixels that touch `low..high`.
    fn span(low: f32, high: f32, len: usize) -> std::ops::Range<usize> {
        let first = low.floor().max(0.0) as usize;
        first..(high.ceil().max(0.0) as usize).min(len)
    }

    fn cover(pixel: &mut Rgb, color: Rgb, share: f32) {
        let share = share.clamp(0.0, 1.0);
        *pixel = blend(*pixel, color, share);
    }

    /// Fills everything, from above to below.
    pub(super) fn gradient(&mut self, top: Rgb, low: Rgb) {
        for (y, row) in self.rgb.chunks_mut(self.width).enumerate() {
            row.fill(blend(top, low, (y as f32 + 0.5) / self.height as f32));
        }
    }

    /// A disc; its edge fades over `soft` of its radius.
    pub(super) fn disc(
        &mut self,
        center: [f32; 2],
        radius: f32,
        color: Rgb,
        alpha: f32,
        soft: f32,
    ) {
        let ([cx, cy], r) = (center.map(|v| self.px(v)), self.px(radius));
        let fade = (r * soft).max(1.0);
        let columns = Self::span(cx - r - 1.0, cx + r + 1.0, self.width);
        for y in Self::span(cy - r - 1.0, cy + r + 1.0, self.height) {
            let dy = y as f32 + 0.5 - cy;
            for x in columns.clone() {
                let dx = x as f32 + 0.5 - cx;
                let distance = (dx * dx + dy * dy).sqrt();
                let share = ((r - distance) / fade + 0.5 * f32::from(soft == 0.0)).min(1.0);
                if share > 0.0 {
                    Self::cover(&mut self.rgb[y * self.width + x], color, alpha * share);
                }
            }
        }
    }

    /// Light that adds up and fades with the distance.
    pub(super) fn glow(&mut self, center: [f32; 2], radius: f32, color: Rgb, strength: f32) {
        let ([cx, cy], r) = (center.map(|v| self.px(v)), self.px(radius).max(1.0));
        let columns = Self::span(cx - r, cx + r, self.width);
        for y in Self::span(cy - r, cy + r, self.height) {
            let dy = (y as f32 + 0.5 - cy) / r;
            for x in columns.clone() {
                let dx = (x as f32 + 0.5 - cx) / r;
                let near = 1.0 - dx * dx - dy * dy;
                if near > 0.0 {
                    let share = strength * near * near;
                    let pixel = &mut self.rgb[y * self.width + x];
                    for (value, light) in pixel.iter_mut().zip(color) {
                        *value += light * share;
                    }
                }
            }
        }
    }

    /// Fills everything below a line of hills: `top(x)` in units.
    pub(super) fn ridge(&mut self, color: Rgb, top: impl Fn(f32) -> f32) {
        for x in 0..self.width {
            let line = self.px(top((x as f32 + 0.5) / self.height as f32));
            for y in Self::span(line, self.height as f32, self.height) {
                let share = (y as f32 + 1.0 - line).min(1.0);
                Self::cover(&mut self.rgb[y * self.width + x], color, share);
            }
        }
    }

    /// A rectangle from corner to corner.
    pub(super) fn rect(&mut self, from: [f32; 2], to: [f32; 2], color: Rgb, alpha: f32) {
        let ([x0, y0], [x1, y1]) = (from.map(|v| self.px(v)), to.map(|v| self.px(v)));
        let part = |low: f32, high: f32, i: usize| {
            (high.min(i as f32 + 1.0) - low.max(i as f32)).clamp(0.0, 1.0)
        };
        for y in Self::span(y0, y1, self.height) {
            let share = alpha * part(y0, y1, y);
            for x in Self::span(x0, x1, self.width) {
                let share = share * part(x0, x1, x);
                Self::cover(&mut self.rgb[y * self.width + x], color, share);
            }
        }
    }

    /// A polygon, even-odd, with four scan lines to a pixel.
    pub(super) fn polygon(&mut self, corners: &[[f32; 2]], color: Rgb, alpha: f32) {
        const LINES: usize = 4;
        let corners: Vec<[f32; 2]> = corners.iter().map(|c| c.map(|v| self.px(v))).collect();
        let low = corners.iter().map(|c| c[1]).fold(f32::INFINITY, f32::min);
        let high = corners.iter().map(|c| c[1]).fold(f32::NEG_INFINITY, f32::max);
        let mut cover = vec![0.0_f32; self.width];
        for y in Self::span(low, high, self.height) {
            cover.fill(0.0);
            for line in 0..LINES {
                let at = y as f32 + (line as f32 + 0.5) / LINES as f32;
                let mut crossings: Vec<f32> = corners
                    .iter()
                    .zip(corners.iter().cycle().skip(1))
                    .filter(|(a, b)| (a[1] <= at) != (b[1] <= at))
                    .map(|(a, b)| a[0] + (at - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
                    .collect();
                crossings.sort_by(f32::total_cmp);
                for pair in crossings.chunks_exact(2) {
                    for x in Self::span(pair[0], pair[1], self.width) {
                        let right = pair[1].min(x as f32 + 1.0);
                        cover[x] += (right - pair[0].max(x as f32)).max(0.0) / LINES as f32;
                    }
                }
            }
            let row = &mut self.rgb[y * self.width..(y + 1) * self.width];
            for (pixel, share) in row.iter_mut().zip(&cover).filter(|(_, share)| **share > 0.0) {
                Self::cover(pixel, color, alpha * share);
            }
        }
    }

    /// A line with round ends.
    pub(super) fn line(
        &mut self,
        from: [f32; 2],
        to: [f32; 2],
        thickness: f32,
        color: Rgb,
        alpha: f32,
    ) {
        let ([ax, ay], [bx, by]) = (from.map(|v| self.px(v)), to.map(|v| self.px(v)));
        let half = (self.px(thickness) / 2.0).max(0.4);
        let (dx, dy) = (bx - ax, by - ay);
        let len2 = (dx * dx + dy * dy).max(1e-6);
        for y in Self::span(ay.min(by) - half - 1.0, ay.max(by) + half + 1.0, self.height) {
            for x in Self::span(ax.min(bx) - half - 1.0, ax.max(bx) + half + 1.0, self.width) {
                let (px, py) = (x as f32 + 0.5 - ax, y as f32 + 0.5 - ay);
                let along = ((px * dx + py * dy) / len2).clamp(0.0, 1.0);
                let distance = (px - along * dx).hypot(py - along * dy);
                let share = half + 0.5 - distance;
                if share > 0.0 {
                    Self::cover(&mut self.rgb[y * self.width + x], color, alpha * share.min(1.0));
                }
            }
        }
    }

    /// Lays another canvas of this size below the line from the left edge to the right one,
    /// moved down by a fifth.
    pub(super) fn paste_below(&mut self, other: &Self, [left, right]: [[f32; 2]; 2]) {
        for x in 0..self.width {
            let share = (x as f32 + 0.5) / self.width as f32;
            let line = self.px(left[1] + (right[1] - left[1]) * share).max(0.0) as usize;
            // Moved down, so that what shows is the middle of the setting and not its ground.
            let lift = self.height / 5;
            for y in line..self.height {
                self.rgb[y * self.width + x] = other.rgb[(y - lift.min(line)) * self.width + x];
            }
        }
    }

    /// Makes everything darker or brighter.
    pub(super) fn expose(&mut self, factor: f32) {
        for pixel in &mut self.rgb {
            *pixel = shade(*pixel, factor);
        }
    }

    /// Moves everything towards grey; 1 is grey.
    pub(super) fn fade_colors(&mut self, share: f32) {
        for pixel in &mut self.rgb {
            let luma = 0.3 * pixel[0] + 0.59 * pixel[1] + 0.11 * pixel[2];
            *pixel = blend(*pixel, [luma; 3], share);
        }
    }

    /// Black bars that leave a picture of this aspect ratio.
    pub(super) fn letterbox(&mut self, aspect: f32) {
        let bar = ((1.0 - self.aspect() / aspect) / 2.0).max(0.0);
        let wide = self.aspect();
        self.rect([0.0, 0.0], [wide, bar], [0.0; 3], 1.0);
        self.rect([0.0, 1.0 - bar], [wide, 1.0], [0.0; 3], 1.0);
    }

    /// The picture, darker towards the corners and with film grain of this strength.
    pub(super) fn develop(&self, grain: f32, seed: u64) -> Picture {
        let mut rgb = Vec::with_capacity(self.rgb.len() * 3);
        for (i, (pixel, vignette)) in self.rgb.iter().zip(&self.vignette).enumerate() {
            let noise = (mix(seed ^ i as u64) >> 40) as f32 / (1_u64 << 24) as f32 - 0.5;
            let dither = noise * (2.0 * grain + 1.0 / 255.0);
            rgb.extend(
                pixel.map(|v| ((v * vignette + dither).clamp(0.0, 1.0) * 255.0 + 0.5) as u8),
            );
        }
        Picture { width: self.width as u32, height: self.height as u32, rgb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(canvas: &Canvas) -> f32 {
        canvas.rgb.iter().map(|p| p[0]).sum::<f32>() / canvas.rgb.len() as f32
    }

    #[test]
    fn shapes_cover_their_area() {
        let black = || Canvas::new(80, 40);
        let area = |paint: &dyn Fn(&mut Canvas)| {
            let mut canvas = black();
            paint(&mut canvas);
            mean(&canvas) * canvas.aspect()
        };
        let white = [1.0; 3];
        let close = |a: f32, b: f32| assert!((a - b).abs() < 0.01, "{a} for {b}");
        close(area(&|c| c.rect([0.21, 0.33], [0.81, 0.73], white, 1.0)), 0.24);
        close(area(&|c| c.disc([1.0, 0.5], 0.3, white, 1.0, 0.0)), 0.2827);
        close(area(&|c| c.polygon(&[[0.5, 0.1], [0.9, 0.9], [0.1, 0.9]], white, 1.0)), 0.32);
        close(area(&|c| c.ridge(white, |x| 1.0 - x / 2.0)), 1.0);
        close(area(&|c| c.rect([-1.0, -1.0], [5.0, 5.0], white, 0.5)), 1.0);
    }

    #[test]
    fn numbers_by_place_are_spread_and_repeat() {
        let drawn: Vec<f32> = (0..1000).map(|i| unit(7, i)).collect();
        let mean = drawn.iter().sum::<f32>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
        assert_eq!(unit(7, 3), drawn[3]);
        assert_ne!(unit(8, 3), drawn[3]);
    }
}
