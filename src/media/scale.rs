//! Decoded frames to the square of RGB pixels that a network takes.
//!
//! in: a frame of any size and pixel format; out: 8-bit sRGB, `[side, side, 3]`, and its luma
//! thumbnail. Bars are cropped, of interlaced frames one field is taken, and one pass of
//! swscale does the rest of the cropping, scaling and the change of colours: bicubic, accurate
//! rounding, full chroma. Colours follow the matrix and range that the frame states; where it
//! states none, BT.601 as in FFmpeg's own scaler. High dynamic range and BT.2020 are scaled in
//! 16 bits and mapped afterwards (`tone`).

use std::ffi::c_int;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{ffi, format::Pixel, frame, software::scaling};

use super::{
    bars::Bars,
    container::ratio,
    crop,
    geometry::{Rect, Turn, black_square, paste, place},
    request::{Fit, Picture},
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
    /// What swscale gives.
    fn target(&self) -> Pixel {
        if self.light.is_some() { Pixel::RGB48LE } else { Pixel::RGB24 }
    }
}

/// A scaler with the mapping of its colours, where they need one.
struct Converter {
    made_for: Source,
    scaler: scaling::Context,
    tone: Option<ToneMap>,
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
            slot => slot.insert(Converter {
                made_for: source,
                scaler: make_scaler(&source)?,
                tone: source.light.map(ToneMap::new),
            }),
        };
        let mut scaled = frame::Video::empty();
        converter.scaler.run(frame, &mut scaled)?;
        let mut square = black_square(self.side_px);
        match &converter.tone {
            None => paste(&mut square, placement.into, scaled.data(0), scaled.stride(0)),
            Some(tone) => {
                let rgb = tone.map_rows(&scaled);
                paste(&mut square, placement.into, &rgb, placement.into.width as usize * 3);
            }
        }
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

fn make_scaler(source: &Source) -> Result<scaling::Context, ffmpeg::Error> {
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
        source.target(),
        width,
        height,
        flags,
    )?;
    #[allow(unsafe_code)]
    // SAFETY: the tables are constants of the library; the context is alive. Formats that
    // have no colour matrix (RGB, gray) refuse the call and need none.
    unsafe {
        let table = ffi::sws_getCoefficients(source.space);
        let rgb = ffi::sws_getCoefficients(ffi::SWS_CS_DEFAULT);
        ffi::sws_setColorspaceDetails(
            scaler.as_mut_ptr(),
            table,
            c_int::from(source.is_full_range),
            rgb,
            1,
            0,
            1 << 16,
            1 << 16,
        );
    }
    Ok(scaler)
}
