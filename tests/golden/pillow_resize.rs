//! Still pictures against Pillow's antialiased bicubic (`scripts/golden/pillow_resize.py`).

use cinetag::media::{DecodeRequest, Fit, Limits, Picture, PictureSpec, Want, decode};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    width: u32,
    height: u32,
    side_px: u32,
    fit: Fit,
    rgb_hex: String,
}

/// The picture that the script makes.
fn made_up(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        let flip = if (x / 9 + y / 7) % 2 == 1 { 255 } else { 0 };
        image::Rgb([x * 7 + y * 3, x * x + 5 * y, (x ^ y) * 11].map(|v| (v % 256) as u8 ^ flip))
    })
}

#[test]
fn resized_pictures_equal_pillows_within_one_gray_level() {
    let golden: Golden = serde_json::from_str(include_str!("data/pillow_resize.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(!golden.cases.is_empty());
    for case in golden.cases {
        let path = folder.path().join("made-up.png");
        made_up(case.width, case.height).save(&path).unwrap();
        let spec = PictureSpec { side_px: case.side_px, fit: case.fit };
        let request = DecodeRequest::new(path, [Want::Picture(spec)]);
        let picture: Picture = decode(&request, &Limits::default()).take(0).unwrap();
        let pillow: Vec<u8> = case
            .rgb_hex
            .as_bytes()
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(picture.rgb.len(), pillow.len());
        let worst = picture.rgb.iter().zip(&pillow).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        let Case { width, height, side_px, fit, .. } = case;
        assert!(worst <= 1, "{width} x {height} to {side_px} {fit:?}: off by {worst}");
    }
}
