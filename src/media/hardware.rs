//! Decoding of pictures by the graphics card, where one was asked for and is there.
//!
//! in: [`Hwaccel`]; out: a device that decoders are opened with, and frames brought back from
//! it. Opened once in a process, before the worker gives up opening files. What the card cannot
//! decode, FFmpeg decodes on the processor.
//!
//! source: `doc/examples/hw_decode.c` of FFmpeg shows the calls.

use std::{fmt, ptr, str::FromStr, sync::OnceLock};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Codec, codec::decoder::Decoder, ffi, frame};
use serde::{Deserialize, Serialize};

/// Which hardware decodes pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hwaccel {
    /// The processor.
    #[default]
    None,
    /// The first that there is, or the processor.
    Auto,
    /// NVIDIA.
    Cuda,
    /// Apple.
    Videotoolbox,
    /// Intel and AMD on Linux.
    Vaapi,
}

/// All with their names.
const NAMES: [(Hwaccel, &str); 5] = [
    (Hwaccel::None, "none"),
    (Hwaccel::Auto, "auto"),
    (Hwaccel::Cuda, "cuda"),
    (Hwaccel::Videotoolbox, "videotoolbox"),
    (Hwaccel::Vaapi, "vaapi"),
];

impl Hwaccel {
    /// Which devices are tried, in this order.
    fn candidates(self) -> &'static [Self] {
        match self {
            Self::None => &[],
            Self::Auto => &[Self::Cuda, Self::Videotoolbox, Self::Vaapi],
            Self::Cuda => &[Self::Cuda],
            Self::Videotoolbox => &[Self::Videotoolbox],
            Self::Vaapi => &[Self::Vaapi],
        }
    }

    /// FFmpeg's device and the format of frames that lie on it.
    fn device(self) -> Option<(ffi::AVHWDeviceType, ffi::AVPixelFormat)> {
        use ffi::{AVHWDeviceType as Device, AVPixelFormat as Format};
        match self {
            Self::None | Self::Auto => None,
            Self::Cuda => Some((Device::AV_HWDEVICE_TYPE_CUDA, Format::AV_PIX_FMT_CUDA)),
            Self::Videotoolbox => {
                Some((Device::AV_HWDEVICE_TYPE_VIDEOTOOLBOX, Format::AV_PIX_FMT_VIDEOTOOLBOX))
            }
            Self::Vaapi => Some((Device::AV_HWDEVICE_TYPE_VAAPI, Format::AV_PIX_FMT_VAAPI)),
        }
    }

    pub(super) fn to_byte(self) -> u8 {
        NAMES.iter().position(|(hwaccel, _)| *hwaccel == self).unwrap_or(0) as u8
    }

    pub(super) fn from_byte(byte: u8) -> Self {
        NAMES.get(usize::from(byte)).map_or(Self::None, |(hwaccel, _)| *hwaccel)
    }
}

impl fmt::Display for Hwaccel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES[usize::from(self.to_byte())].1)
    }
}

impl FromStr for Hwaccel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(_, name)| *name == text);
        let names = NAMES.map(|(_, name)| name).join(", ");
        found.map(|(hwaccel, _)| *hwaccel).ok_or_else(|| format!("expected one of {names}"))
    }
}

/// A device that is open; it stays so until the process ends.
struct Device {
    hwaccel: Hwaccel,
    buffer: *mut ffi::AVBufferRef,
    /// Of frames that lie on it.
    format: ffi::AVPixelFormat,
}

#[allow(unsafe_code)]
// SAFETY: FFmpeg's references to a device may be made on any thread.
unsafe impl Send for Device {}
#[allow(unsafe_code)]
// SAFETY: as above; the fields are never written again.
unsafe impl Sync for Device {}

static DEVICE: OnceLock<Option<Device>> = OnceLock::new();

/// Opens the device, the first time that it is called; says which there is.
pub(super) fn open(wanted: Hwaccel) -> Hwaccel {
    super::libav::start();
    let device = DEVICE.get_or_init(|| wanted.candidates().iter().find_map(|one| create(*one)));
    device.as_ref().map_or(Hwaccel::None, |device| device.hwaccel)
}

fn create(hwaccel: Hwaccel) -> Option<Device> {
    let (kind, format) = hwaccel.device()?;
    let mut buffer = ptr::null_mut();
    #[allow(unsafe_code)]
    // SAFETY: `buffer` takes a new reference, or stays null where there is no such device.
    let created = unsafe {
        ffi::av_hwdevice_ctx_create(&raw mut buffer, kind, ptr::null(), ptr::null_mut(), 0)
    };
    (created >= 0 && !buffer.is_null()).then_some(Device { hwaccel, buffer, format })
}

fn device() -> Option<&'static Device> {
    DEVICE.get().and_then(Option::as_ref)
}

/// Lets a decoder that is not open yet use the device, where the codec can.
pub(super) fn attach(context: &mut Decoder, codec: Codec) {
    let Some(device) = device() else { return };
    #[allow(unsafe_code)]
    // SAFETY: the codec's list ends with null; the decoder owns the new reference.
    unsafe {
        let by_device = ffi::AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX as i32;
        let fits = (0..)
            .map_while(|place| ffi::avcodec_get_hw_config(codec.as_ptr(), place).as_ref())
            .any(|config| config.pix_fmt == device.format && config.methods & by_device != 0);
        if fits {
            let raw = context.as_mut_ptr();
            (*raw).hw_device_ctx = ffi::av_buffer_ref(device.buffer);
            (*raw).get_format = Some(choose_format);
        }
    }
}

/// The device's format where the stream can be decoded there, else what FFmpeg would choose.
#[allow(unsafe_code)]
unsafe extern "C" fn choose_format(
    context: *mut ffi::AVCodecContext,
    formats: *const ffi::AVPixelFormat,
) -> ffi::AVPixelFormat {
    // SAFETY: FFmpeg's list ends with "none".
    unsafe {
        let offered = (0..)
            .map(|place| *formats.add(place))
            .take_while(|format| *format != ffi::AVPixelFormat::AV_PIX_FMT_NONE);
        match device().and_then(|device| offered.into_iter().find(|f| *f == device.format)) {
            Some(format) => format,
            None => ffi::avcodec_default_get_format(context, formats),
        }
    }
}

/// Brings a frame that lies on the device into memory; others stay as they are.
pub(super) fn fetch(frame: &mut frame::Video) -> Result<(), ffmpeg::Error> {
    let Some(device) = device() else { return Ok(()) };
    if ffi::AVPixelFormat::from(frame.format()) != device.format {
        return Ok(());
    }
    let mut plain = frame::Video::empty();
    #[allow(unsafe_code)]
    // SAFETY: both frames are alive; the first is empty and gets buffers of its own.
    let copied = unsafe {
        match ffi::av_hwframe_transfer_data(plain.as_mut_ptr(), frame.as_ptr(), 0) {
            done if done < 0 => done,
            _ => ffi::av_frame_copy_props(plain.as_mut_ptr(), frame.as_ptr()),
        }
    };
    if copied < 0 {
        return Err(copied.into());
    }
    *frame = plain;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes_come_back() {
        for (hwaccel, name) in NAMES {
            assert_eq!(name.parse(), Ok(hwaccel));
            assert_eq!(hwaccel.to_string(), name);
            assert_eq!(Hwaccel::from_byte(hwaccel.to_byte()), hwaccel);
            assert_eq!(serde_json::to_value(hwaccel).unwrap(), name);
        }
        let error = "gpu".parse::<Hwaccel>().unwrap_err();
        assert_eq!(error, "expected one of none, auto, cuda, videotoolbox, vaapi");
    }
}
