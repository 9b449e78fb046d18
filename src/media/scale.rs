//! Decoded frames to the square of RGB pixels that a network takes.
//!
//! in: a frame of any size and pixel format; out: 8-bit sRGB, `[side, side, 3]`, and its luma
//! thumbnail. Bars are cropped, of interlaced frames one field is taken, and one pass of
//! swscale does the rest of the cropping and scaling: bicubic, accurate rounding, full chroma.
//! Colours are changed afterwards (`colour`) by the matrix and range that the frame states;
//! where it states none, BT.601 as in FFmpeg's own scaler. High dynamic range and BT.2020 are
//! scaled in 16 bits and mapped afterwards (`tone`).

use std::{borrow::Cow, ffi::c_int};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{ffi, format::Pixel, frame, software::scaling};

use super::{
    answer::Picture,
    bars::Bars,
    colour::{self, Matrix},
    container::ratio,
    crop,
    geometry::{Rect, Turn, black_square, paste, place},
    request::Fit,
    selection::Still,
    thumbnail::Thumbnail,
    tone::{Light, ToneMap},
};

/// What a scaler was made for.
#[derive(Clone, Copy, PartialEq)]
struct Source {
    format: Pixel,
    width: u32,
    height: u32,
    space: c_int,
    is_full_range: bool,
    light: Option<Light>,
    into: Rect,
}

impl Source {
    /// What becomes of the colours.
    fn colours(&self) -> Colours {
        match self.light {
            Some(light) => Colours::Mapped(ToneMap::new(light)),
            None if colour::has_differences(self.format) => {
                Colours::Planar(Matrix::new(self.space, self.is_full_range))
            }
            None => Colours::Rgb,
        }
    }
}

/// What swscale gives, and how it becomes 8-bit sRGB.
enum Colours {
    /// Luma and colour differences.
    Planar(Matrix),
    /// 16 bits a colour of another light.
    Mapped(ToneMap),
    /// Nothing is left to do: RGB, gray, palettes.
    Rgb,
}

impl Colours {
    fn target(&self) -> Pixel {
        match self {
            Self::Planar(_) => colour::PLANAR,
            Self::Mapped(_) => Pixel::RGB48LE,
            Self::Rgb => Pixel::RGB24,
        }
    }

    /// 8-bit sRGB of what swscale gave, and the bytes of a row.
    fn rgb<'a>(&self, scaled: &'a frame::Video) -> (Cow<'a, [u8]>, usize) {
        let dense = scaled.width() as usize * 3;
        match self {
            Self::Planar(matrix) => (matrix.rgb(scaled).into(), dense),
            Self::Mapped(tone) => (tone.map_rows(scaled).into(), dense),
            Self::Rgb => (scaled.data(0).into(), scaled.stride(0)),
        }
    }
}

/// A scaler with what is done to its colours.
struct Converter {
    made_for: Source,
    scaler: scaling::Context,
    colours: Colours,
}

/// Scales frames; keeps the scaler while the frames stay alike.
pub(super) struct SquareScaler {
    side_px: u32,
    fit: Fit,
    pixel_aspect: Option<f64>,
    turn: Turn,
    bars: Bars,
    converter: Option<Converter>,
}

impl SquareScaler {
    /// The container's pixel aspect, if it states one, goes before the frame's.
    pub(super) fn new(side_px: u32, fit: Fit, pixel_aspect: Option<f64>, turn: Turn) -> Self {
        Self { side_px, fit, pixel_aspect, turn, bars: Bars::default(), converter: None }
    }

    /// From now on these bars are cropped, as far as a frame has them.
    pub(super) fn set_bars(&mut self, bars: Bars) {
        self.bars = bars;
    }

    /// A still of a frame, which is cropped in place.
    pub(super) fn still(
        &mut self,
        frame: &mut frame::Video,
        time_secs: f64,
    ) -> Result<Still, ffmpeg::Error> {
        let (picture, thumbnail) = self.square(frame)?;
        Ok(Still { time_secs, picture, thumbnail })
    }

    fn square(&mut self, frame: &mut frame::Video) -> Result<(Picture, Thumbnail), ffmpeg::Error> {
        if frame.width() == 0 || frame.height() == 0 {
            return Err(ffmpeg::Error::InvalidData);
        }
        if self.bars != Bars::default() {
            let own = Bars::of_frame(frame).unwrap_or(self.bars);
            crop::off_bars(frame, self.bars.min(own))?;
        }
        let aspect = frame.aspect_ratio();
        let mut aspect = self
            .pixel_aspect
            .or_else(|| ratio(aspect.numerator(), aspect.denominator()))
            .unwrap_or(1.0);
        if frame.is_interlaced() && frame.height() > 1 {
            crop::to_one_field(frame);
            aspect /= 2.0;
        }
        let placement = place(frame.width(), frame.height(), aspect, self.side_px, self.fit);
        crop::to_part(frame, placement.crop)?;
        let source = source_of(frame, placement.into);
        let converter = match &mut self.converter {
            Some(converter) if converter.made_for == source => converter,
            slot => {
                let colours = source.colours();
                let scaler = make_scaler(&source, &colours)?;
                slot.insert(Converter { made_for: source, scaler, colours })
            }
        };
        let mut scaled = frame::Video::empty();
        converter.scaler.run(frame, &mut scaled)?;
        let mut square = black_square(self.side_px);
        let (rgb, stride) = converter.colours.rgb(&scaled);
        paste(&mut square, placement.into, &rgb, stride);
        let thumbnail = Thumbnail::of(&square, placement.into);
        Ok((self.turn.apply(square), thumbnail))
    }
}

/// Luma from 0 to 255 instead of 16 to 235.
pub(super) fn is_full_range(frame: &frame::Video) -> bool {
    frame.color_range() == ffmpeg::color::Range::JPEG
        || matches!(
            frame.format(),
            Pixel::YUVJ420P | Pixel::YUVJ422P | Pixel::YUVJ444P | Pixel::YUVJ440P | Pixel::YUVJ411P
        )
}

fn source_of(frame: &frame::Video, into: Rect) -> Source {
    #[allow(unsafe_code)]
    // SAFETY: the frame is decoded and whole.
    let space = unsafe { (*frame.as_ptr()).colorspace } as c_int;
    Source {
        format: frame.format(),
        width: frame.width(),
        height: frame.height(),
        space,
        is_full_range: is_full_range(frame),
        light: Light::of(frame),
        into,
    }
}

fn make_scaler(source: &Source, colours: &Colours) -> Result<scaling::Context, ffmpeg::Error> {
    let flags = scaling::Flags::BICUBIC
        | scaling::Flags::ACCURATE_RND
        | scaling::Flags::FULL_CHR_H_INT
        | scaling::Flags::FULL_CHR_H_INP
        | scaling::Flags::BITEXACT;
    let Rect { width, height, .. } = source.into;
    let mut scaler = scaling::Context::get(
        source.format,
        source.width,
        source.height,
        colours.target(),
        width,
        height,
        flags,
    )?;
    #[allow(unsafe_code)]
    // SAFETY: the tables are constants of the library; the context is alive. Formats that
    // have no colour matrix (RGB, gray) refuse the call and need none.
    unsafe {
        let table = ffi::sws_getCoefficients(source.space);
        let range = c_int::from(source.is_full_range);
        let (to_table, to_range) = match colours {
            Colours::Planar(_) => (table, range), // nothing but the size changes
            _ => (ffi::sws_getCoefficients(ffi::SWS_CS_DEFAULT), 1),
        };
        ffi::sws_setColorspaceDetails(
            scaler.as_mut_ptr(),
            table,
            range,
            to_table,
            to_range,
            0,
            1 << 16,
            1 << 16,
        );
    }
    Ok(scaler)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with gradients in all its planes.
    fn gradients(format: Pixel) -> frame::Video {
        let (width, height) = (333, 190);
        let mut rgb = frame::Video::new(Pixel::RGB24, width, height);
        let stride = rgb.stride(0);
        for (y, row) in rgb.data_mut(0).chunks_mut(stride).enumerate() {
            for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                *pixel = [x * 255 / 400, y * 255 / 190, (x + y) % 256].map(|level| level as u8);
            }
        }
        let flags = scaling::Flags::BICUBIC | scaling::Flags::ACCURATE_RND;
        let mut made = frame::Video::empty();
        scaling::Context::get(Pixel::RGB24, width, height, format, width, height, flags)
            .and_then(|mut scaler| scaler.run(&rgb, &mut made))
            .unwrap();
        made
    }

    /// To swscale's own way to RGB.
    #[test]
    fn colours_are_a_level_of_rounding_apart() {
        let formats =
            [Pixel::YUV420P, Pixel::NV12, Pixel::YUV422P10LE, Pixel::YUVJ420P, Pixel::YUV444P];
        for format in formats {
            let frame = gradients(format);
            let source = source_of(&frame, Rect { x: 0, y: 0, width: 101, height: 57 });
            let by = |colours: Colours| {
                let mut scaled = frame::Video::empty();
                make_scaler(&source, &colours).unwrap().run(&frame, &mut scaled).unwrap();
                let (rgb, stride) = colours.rgb(&scaled);
                rgb.chunks(stride).take(57).flat_map(|row| row[..303].to_vec()).collect::<Vec<u8>>()
            };
            assert!(matches!(source.colours(), Colours::Planar(_)));
            let (ours, theirs) = (by(source.colours()), by(Colours::Rgb));
            let apart: Vec<u8> = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).collect();
            let mean = apart.iter().map(|d| f64::from(*d)).sum::<f64>() / apart.len() as f64;
            assert!(
                apart.iter().all(|d| *d <= 2) && mean < 0.5,
                "{format:?}: {mean}, {:?}",
                apart.iter().max()
            );
        }
    }
}
