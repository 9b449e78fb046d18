//! Luma and colour differences of ordinary video to 8-bit RGB.
//!
//! in: frames of 10-bit `YUV444`, already of the size wanted; out: `[height, width, 3]` bytes.
//! With full chroma swscale sums up rows number by number on its way to RGB, without vectors. So it
//! scales only, and the colours are changed here.
//! reference: swscale to RGB with full chroma and accurate rounding (a level of rounding apart).

use std::ffi::c_int;

use ffmpeg_next::{ffi, format::Pixel, frame};

/// What swscale makes, so that its rounding is a quarter of a level of the result.
pub(super) const PLANAR: Pixel = Pixel::YUV444P10LE;

/// Levels of a 10-bit number to one of 8 bits.
const DEEPER: f32 = 4.0;
/// swscale's tables are in parts of this.
const ONE: f32 = 65_536.0;

/// How much of each plane goes into each colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Matrix {
    luma: f32,
    black: f32,
    red_of_v: f32,
    green_of_u: f32,
    green_of_v: f32,
    blue_of_u: f32,
}

impl Matrix {
    /// The matrix of one of FFmpeg's colour spaces; BT.601 where it is not stated.
    pub(super) fn new(space: c_int, is_full_range: bool) -> Self {
        #[allow(unsafe_code)]
        // SAFETY: whatever the space, this points to four constants of the library.
        let table = unsafe { *ffi::sws_getCoefficients(space).cast::<[c_int; 4]>() };
        // The table is for luma from 16 to 235 and differences from 16 to 240.
        let [red_of_v, blue_of_u, green_of_u, green_of_v] = table.map(|x| {
            let x = x as f32 / ONE / DEEPER;
            if is_full_range { x * (224.0 / 255.0) } else { x }
        });
        let (luma, black) = if is_full_range { (1.0, 0.0) } else { (255.0 / 219.0, 16.0) };
        Self {
            luma: luma / DEEPER,
            black: black * DEEPER,
            red_of_v,
            green_of_u,
            green_of_v,
            blue_of_u,
        }
    }

    /// The colours of a [`PLANAR`] frame.
    pub(super) fn rgb(&self, frame: &frame::Video) -> Vec<u8> {
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let mut rgb = vec![0; width * height * 3];
        let row = |plane: usize, y: usize| {
            let stride = frame.stride(plane);
            frame.data(plane)[y * stride..][..2 * width].as_chunks::<2>().0
        };
        for (y, out) in rgb.chunks_exact_mut(3 * width).enumerate() {
            let planes = row(0, y).iter().zip(row(1, y)).zip(row(2, y));
            for (pixel, ((luma, u), v)) in out.as_chunks_mut::<3>().0.iter_mut().zip(planes) {
                *pixel =
                    self.pixel([luma, u, v].map(|level| f32::from(u16::from_le_bytes(*level))));
            }
        }
        rgb
    }

    fn pixel(&self, [luma, u, v]: [f32; 3]) -> [u8; 3] {
        let luma = (luma - self.black) * self.luma + 0.5;
        let (u, v) = (u - 128.0 * DEEPER, v - 128.0 * DEEPER);
        let red = luma + self.red_of_v * v;
        let green = luma - self.green_of_u * u - self.green_of_v * v;
        let blue = luma + self.blue_of_u * u;
        [red as u8, green as u8, blue as u8] // limited to 0..=255
    }
}

/// Whether frames of this format have luma and colour differences: no RGB, XYZ, gray or palette.
pub(super) fn has_differences(format: Pixel) -> bool {
    let is_of_another_kind = |flags: u64| {
        let others = ffi::AV_PIX_FMT_FLAG_RGB | ffi::AV_PIX_FMT_FLAG_PAL;
        flags & others as u64 != 0
    };
    format.descriptor().is_some_and(|descriptor| {
        #[allow(unsafe_code)]
        // SAFETY: descriptors are constants of the library.
        let (flags, components) =
            unsafe { ((*descriptor.as_ptr()).flags, (*descriptor.as_ptr()).nb_components) };
        let is_xyz = matches!(format, Pixel::XYZ12LE | Pixel::XYZ12BE);
        components >= 3 && !is_of_another_kind(flags) && !is_xyz
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_come_out() {
        let scaled = |levels: [f32; 3]| levels.map(|level| level * DEEPER);
        // ITU-R BT.601 and BT.709: white, black, pure red at full saturation.
        let sd = Matrix::new(5, false);
        assert_eq!(sd.pixel(scaled([235.0, 128.0, 128.0])), [255, 255, 255]);
        assert_eq!(sd.pixel(scaled([16.0, 128.0, 128.0])), [0, 0, 0]);
        assert_eq!(sd.pixel(scaled([81.48, 90.20, 240.0])), [255, 0, 0]);
        let hd = Matrix::new(1, false);
        assert_eq!(hd.pixel(scaled([62.56, 102.34, 240.0])), [255, 0, 0]);
        let full = Matrix::new(5, true);
        assert_eq!(full.pixel(scaled([76.245, 84.97, 255.5])), [255, 0, 0]);
        assert_eq!(full.pixel(scaled([7.0, 128.0, 128.0])), [7, 7, 7]);
        // Below black and above white.
        assert_eq!(sd.pixel(scaled([4.0, 128.0, 128.0])), [0, 0, 0]);
        assert_eq!(sd.pixel(scaled([250.0, 128.0, 128.0])), [255, 255, 255]);
    }

    #[test]
    fn formats_are_told_apart() {
        for format in [Pixel::YUV420P, Pixel::NV12, Pixel::YUV422P10LE, Pixel::YUVJ420P] {
            assert!(has_differences(format), "{format:?}");
        }
        let others =
            [Pixel::RGB24, Pixel::GBRP, Pixel::GRAY8, Pixel::PAL8, Pixel::YA8, Pixel::XYZ12LE];
        for format in others {
            assert!(!has_differences(format), "{format:?}");
        }
    }
}
