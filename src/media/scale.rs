//! Decoded frames to the square of RGB pixels that a network takes.
//!
//! in: a frame of any size and pixel format; out: 8-bit RGB, `[side, side, 3]`, and its luma
//! thumbnail. One pass of swscale does cropping, scaling and the change of colours: bicubic,
//! accurate rounding, full chroma. Colours follow the matrix and range that the frame states;
//! where it states none, BT.601 as in FFmpeg's own scaler. High dynamic range is not mapped.

use std::ffi::c_int;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{ffi, format::Pixel, frame, software::scaling};

use super::{
    container::ratio,
    geometry::{Placement, Rect, Turn, black_square, paste, place},
    request::{Fit, Picture},
    thumbnail::Thumbnail,
};

/// What a scaler was made for.
#[derive(Clone, Copy, PartialEq)]
struct Source {
    format: Pixel,
    width: u32,
    height: u32,
    space: c_int,
    is_full_range: bool,
    into: Rect,
}

/// Scales frames; keeps the scaler while the frames stay alike.
pub(super) struct SquareScaler {
    side_px: u32,
    fit: Fit,
    pixel_aspect: Option<f64>,
    turn: Turn,
    scaler: Option<(Source, scaling::Context)>,
}

impl SquareScaler {
    /// The container's pixel aspect, if it states one, goes before the frame's.
    pub(super) fn new(side_px: u32, fit: Fit, pixel_aspect: Option<f64>, turn: Turn) -> Self {
        Self { side_px, fit, pixel_aspect, turn, scaler: None }
    }

    /// Scales a frame; it is cropped in place.
    pub(super) fn square(
        &mut self,
        frame: &mut frame::Video,
    ) -> Result<(Picture, Thumbnail), ffmpeg::Error> {
        if frame.width() == 0 || frame.height() == 0 {
            return Err(ffmpeg::Error::InvalidData);
        }
        let aspect = frame.aspect_ratio();
        let aspect = self
            .pixel_aspect
            .or_else(|| ratio(aspect.numerator(), aspect.denominator()))
            .unwrap_or(1.0);
        let placement = place(frame.width(), frame.height(), aspect, self.side_px, self.fit);
        crop(frame, placement)?;
        let source = source_of(frame, placement.into);
        let scaler = match &mut self.scaler {
            Some((made_for, scaler)) if *made_for == source => scaler,
            slot => &mut slot.insert((source, make_scaler(&source)?)).1,
        };
        let mut scaled = frame::Video::empty();
        scaler.run(frame, &mut scaled)?;
        let mut square = black_square(self.side_px);
        paste(&mut square, placement.into, scaled.data(0), scaled.stride(0));
        let thumbnail = Thumbnail::of(&square, placement.into);
        Ok((self.turn.apply(square), thumbnail))
    }
}

/// Moves the frame's edges inwards; the chroma planes ask for even steps.
fn crop(frame: &mut frame::Video, placement: Placement) -> Result<(), ffmpeg::Error> {
    let Rect { x, y, width, height } = placement.crop;
    if (width, height) == (frame.width(), frame.height()) {
        return Ok(());
    }
    let (left, top) = (x & !1, y & !1);
    let (right, bottom) = (frame.width() - width - left, frame.height() - height - top);
    #[allow(unsafe_code)]
    // SAFETY: the four edges lie within the frame.
    let cropped = unsafe {
        let raw = frame.as_mut_ptr();
        (*raw).crop_left = left as usize;
        (*raw).crop_top = top as usize;
        (*raw).crop_right = right as usize;
        (*raw).crop_bottom = bottom as usize;
        ffi::av_frame_apply_cropping(raw, ffi::AV_FRAME_CROP_UNALIGNED as c_int)
    };
    if cropped < 0 { Err(ffmpeg::Error::from(cropped)) } else { Ok(()) }
}

fn source_of(frame: &frame::Video, into: Rect) -> Source {
    let format = frame.format();
    let is_full_range = frame.color_range() == ffmpeg::color::Range::JPEG
        || matches!(
            format,
            Pixel::YUVJ420P | Pixel::YUVJ422P | Pixel::YUVJ444P | Pixel::YUVJ440P | Pixel::YUVJ411P
        );
    #[allow(unsafe_code)]
    // SAFETY: the frame is decoded and whole.
    let space = unsafe { (*frame.as_ptr()).colorspace } as c_int;
    Source { format, width: frame.width(), height: frame.height(), space, is_full_range, into }
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
        Pixel::RGB24,
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
