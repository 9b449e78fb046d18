//! Frames made very small, to be compared with each other.
//!
//! in: a frame of any size and pixel format; out: a frame of one size and format, its aspect
//! ratio given up.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{
    format::Pixel,
    frame,
    software::scaling::{Context, Flags},
};

/// Scales frames; keeps the scaler while the frames stay alike.
pub(super) struct Shrinker {
    format: Pixel,
    width_px: u32,
    height_px: u32,
    flags: Flags,
    scaler: Option<((Pixel, u32, u32), Context)>,
}

impl Shrinker {
    pub(super) fn new(format: Pixel, width_px: u32, height_px: u32, flags: Flags) -> Self {
        Self { format, width_px, height_px, flags, scaler: None }
    }

    /// The small frame; its rows may be padded.
    pub(super) fn shrink(&mut self, frame: &frame::Video) -> Result<frame::Video, ffmpeg::Error> {
        let source = (frame.format(), frame.width(), frame.height());
        let scaler = match &mut self.scaler {
            Some((made_for, scaler)) if *made_for == source => scaler,
            slot => {
                let (format, width, height) = source;
                let (to_width, to_height) = (self.width_px, self.height_px);
                let scaler = Context::get(
                    format,
                    width,
                    height,
                    self.format,
                    to_width,
                    to_height,
                    self.flags,
                )?;
                &mut slot.insert((source, scaler)).1
            }
        };
        let mut small = frame::Video::empty();
        scaler.run(frame, &mut small)?;
        Ok(small)
    }
}
