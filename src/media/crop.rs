//! Smaller views of a decoded frame; no pixel is copied.

use std::ffi::c_int;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{ffi, frame};

use super::{bars::Bars, geometry::Rect};

/// The same frame once more, for one of several who crop it; no pixel is copied.
pub(super) fn view(frame: &frame::Video) -> Result<frame::Video, ffmpeg::Error> {
    let mut view = frame::Video::empty();
    #[allow(unsafe_code)]
    // SAFETY: both frames are alive; the empty one becomes a reference to the other's buffers,
    // which nobody writes to.
    let referenced = unsafe { ffi::av_frame_ref(view.as_mut_ptr(), frame.as_ptr()) };
    if referenced < 0 { Err(ffmpeg::Error::from(referenced)) } else { Ok(view) }
}

/// Moves the frame's edges inwards to a part of it; the chroma planes ask for even steps.
pub(super) fn to_part(frame: &mut frame::Video, part: Rect) -> Result<(), ffmpeg::Error> {
    let Rect { x, y, width, height } = part;
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

/// Takes bars off; they are narrower than the frame.
pub(super) fn off_bars(frame: &mut frame::Video, bars: Bars) -> Result<(), ffmpeg::Error> {
    let inner = |length: u32, bar: u32| length.saturating_sub(2 * bar).max(1);
    let part = Rect {
        x: bars.columns,
        y: bars.rows,
        width: inner(frame.width(), bars.columns),
        height: inner(frame.height(), bars.rows),
    };
    to_part(frame, part)
}

/// Leaves the field that is in the even rows: of two moments that are woven into each other the
/// first in space. Rows are then twice as high.
pub(super) fn to_one_field(frame: &mut frame::Video) {
    #[allow(unsafe_code)]
    // SAFETY: half of the rows, twice as far apart, lie within the frame's planes: an odd height
    // is rounded down.
    unsafe {
        let raw = frame.as_mut_ptr();
        for stride in &mut (*raw).linesize {
            *stride *= 2;
        }
        (*raw).height /= 2;
    }
}
