//! Still pictures (posters): any common format to the square of RGB pixels.
//!
//! in: a file; out: 8-bit RGB, `[side, side, 3]`, turned as its EXIF orientation says.
//! Palette, gray, 16-bit, CMYK and YCCK are brought to 8-bit RGB by `image`; what is
//! transparent is laid on white, the colour of the page that a poster is seen on; of an
//! animation the first picture counts. Colour profiles are not applied.
//! reference: Pillow 13 `Image.resize((s, s), Image.BICUBIC)`: antialiased, a = −0.5
//! (`fast_image_resize` calls that Catmull–Rom), equal within one gray level
//! (`scripts/golden/pillow_resize.py`).

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::U8x3,
};
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage,
    error::LimitErrorKind,
};

use super::{
    answer::Picture,
    geometry::{Rect, black_square, paste, place},
    limits::Limits,
    request::{Failure, Fit, PictureSpec, ReasonCode},
};

/// Bytes of a picture file; posters have a thousandth of it.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Decodes a still picture and brings it to each of the sizes asked for.
///
/// The errors are the reason why there is no picture. A JPEG that ends before its end mark is
/// `truncated`, even if most of it could be decoded: the rest would be gray.
pub(super) fn decode(
    file: &File,
    specs: &[&PictureSpec],
    limits: &Limits,
) -> Vec<Result<Picture, Failure>> {
    let rgb = read_file(file).and_then(|bytes| decode_rgb(&bytes, limits));
    let square = |spec: &&PictureSpec| {
        let rgb = rgb.as_ref().map_err(Failure::clone)?;
        resize(rgb, spec.side_px, spec.fit)
    };
    specs.iter().map(square).collect()
}

fn read_file(mut file: &File) -> Result<Vec<u8>, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::new(ReasonCode::Unreadable, error.to_string());
    let mut bytes = Vec::new();
    file.rewind().map_err(unreadable)?;
    BufReader::new(file).take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let text = format!("a picture file of more than {MAX_FILE_BYTES} bytes");
        return Err(Failure::new(ReasonCode::TooLarge, text));
    }
    Ok(bytes)
}

fn decode_rgb(bytes: &[u8], limits: &Limits) -> Result<RgbImage, Failure> {
    let format = image::guess_format(bytes)
        .map_err(|error| Failure::new(ReasonCode::UnknownFormat, error.to_string()))?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut image_limits = image::Limits::default();
    image_limits.max_alloc = Some(limits.memory_bytes / 2);
    reader.limits(image_limits);
    let mut decoder = reader.into_decoder().map_err(|error| failure_of(&error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        let text = format!("{width} x {height}, at most {} pixels are read", limits.max_pixels);
        return Err(Failure::new(ReasonCode::TooLarge, text));
    }
    if width == 0 || height == 0 {
        return Err(Failure::new(ReasonCode::Corrupt, format!("{width} x {height} pixels")));
    }
    // A damaged EXIF block is no reason to refuse the picture.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| failure_of(&error))?;
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(Failure::new(ReasonCode::Truncated, "the JPEG has no end mark"));
    }
    picture.apply_orientation(orientation);
    Ok(on_white(picture))
}

fn failure_of(error: &ImageError) -> Failure {
    let code = match error {
        ImageError::Limits(limit) => match limit.kind() {
            LimitErrorKind::InsufficientMemory => ReasonCode::MemoryLimit,
            _ => ReasonCode::TooLarge,
        },
        ImageError::Unsupported(_) => ReasonCode::UnsupportedCodec,
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            ReasonCode::Truncated
        }
        _ => {
            // The decoders wrap what the reader said; only its words tell.
            let words = error.to_string().to_lowercase();
            let signs = ["unexpected eof", "unexpected end", "not enough bytes", "failed to fill"];
            let is_short = signs.iter().any(|sign| words.contains(sign));
            if is_short { ReasonCode::Truncated } else { ReasonCode::Corrupt }
        }
    };
    Failure::new(code, error.to_string())
}

/// 8-bit RGB, transparent parts on white.
fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let rgba = picture.into_rgba8();
    let (width, height) = rgba.dimensions();
    let rgb = rgba
        .pixels()
        .flat_map(|pixel| {
            let [r, g, b, alpha] = pixel.0.map(u32::from);
            [r, g, b].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
        })
        .collect();
    RgbImage::from_raw(width, height, rgb).unwrap_or_default()
}

/// Is there an end mark behind the picture's data? Marks inside of segments (thumbnails)
/// do not count, and the data itself cannot hold one.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xff, mark, high, low]) =
        bytes.get(at..at + 4).and_then(|four| four.first_chunk())
    {
        match mark {
            0xff => at += 1,
            // Start of scan: from here on the marks can be looked for.
            0xda => return bytes[at..].windows(2).any(|two| two == [0xff, 0xd9]),
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
        }
    }
    false
}

/// Antialiased bicubic into the square. Pillow goes along the rows first and rounds in
/// between; `fast_image_resize` would go along the columns first, which differs by up to five
/// gray levels at hard edges, so it is called once for each direction.
fn resize(source: &RgbImage, side_px: u32, fit: Fit) -> Result<Picture, Failure> {
    let placement = place(source.width(), source.height(), 1.0, side_px, fit);
    let Rect { width, height, .. } = placement.into;
    let failed =
        |error: &dyn std::error::Error| Failure::new(ReasonCode::Corrupt, error.to_string());
    // Cut out first: what lies outside has no part in the edges.
    let crop = placement.crop;
    let cut: RgbImage;
    let source = if (crop.width, crop.height) == source.dimensions() {
        source
    } else {
        cut = image::imageops::crop_imm(source, crop.x, crop.y, crop.width, crop.height).to_image();
        &cut
    };
    let bicubic = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    let mut resizer = Resizer::new();
    // The typed functions: the others compile the library for every kind of pixel.
    let mut resized = |from: &[u8], from_size: [u32; 2], size: [u32; 2]| {
        let mut pixels = vec![0; size[0] as usize * size[1] as usize * 3];
        let from = TypedImageRef::<U8x3>::from_buffer(from_size[0], from_size[1], from)
            .map_err(|error| failed(&error))?;
        let mut to = TypedImage::<U8x3>::from_buffer(size[0], size[1], &mut pixels)
            .map_err(|error| failed(&error))?;
        resizer.resize_typed(&from, &mut to, &bicubic).map_err(|error| failed(&error))?;
        Ok(pixels)
    };
    let narrow = resized(source.as_raw(), [crop.width, crop.height], [width, crop.height])?;
    let scaled = resized(&narrow, [width, crop.height], [width, height])?;
    let mut square = black_square(side_px);
    paste(&mut square, placement.into, &scaled, width as usize * 3);
    Ok(square)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Rgba};

    fn jpeg() -> Vec<u8> {
        let picture = RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, 90]));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_jpeg_that_ends_early_is_truncated() {
        let bytes = jpeg();
        assert!(decode_rgb(&bytes, &Limits::default()).is_ok());
        for len in [bytes.len() - 2, bytes.len() * 9 / 10, bytes.len() / 2 + 200] {
            let failure = decode_rgb(&bytes[..len], &Limits::default()).unwrap_err();
            assert_eq!(failure.code, ReasonCode::Truncated, "{len}: {failure}");
        }
    }

    #[test]
    fn an_end_mark_in_a_thumbnail_is_not_the_end() {
        let bytes = jpeg();
        let mut with_thumbnail = bytes[..2].to_vec();
        with_thumbnail.extend([0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9]);
        with_thumbnail.extend(&bytes[2..]);
        assert!(jpeg_is_whole(&with_thumbnail));
        assert!(!jpeg_is_whole(&with_thumbnail[..with_thumbnail.len() - 40]));
    }

    #[test]
    fn transparent_is_white_and_opaque_is_itself() {
        let picture: ImageBuffer<Rgba<u8>, _> = ImageBuffer::from_fn(2, 1, |x, _| {
            if x == 0 { Rgba([10, 20, 30, 0]) } else { Rgba([10, 20, 30, 255]) }
        });
        let rgb = on_white(DynamicImage::ImageRgba8(picture));
        assert_eq!(rgb.as_raw(), &[255, 255, 255, 10, 20, 30]);
    }

    #[test]
    fn pictures_beyond_the_limits_are_too_large() {
        let limits = Limits { max_pixels: 1199, ..Limits::default() };
        let failure = decode_rgb(&jpeg(), &limits).unwrap_err();
        assert_eq!(failure.code, ReasonCode::TooLarge);
    }

    #[test]
    fn every_fit_fills_or_pads_the_square() {
        let white = RgbImage::from_pixel(40, 20, image::Rgb([255; 3]));
        for (fit, num_white) in [(Fit::Stretch, 256), (Fit::CenterCrop, 256), (Fit::Pad, 128)] {
            let square = resize(&white, 16, fit).unwrap();
            let count = square.rgb.chunks(3).filter(|pixel| *pixel == [255; 3]).count();
            assert_eq!(count, num_white, "{fit:?}");
        }
    }
}
