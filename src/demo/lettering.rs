//! Capital letters on a canvas, from a 5 × 7 letter shape.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::{canvas::Canvas, style::Rgb};

pub(super) const FONT_TOML: &str = include_str!("../../assets/demo/font.toml");

static GLYPHS: LazyLock<BTreeMap<String, [u8; 7]>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct File {
        glyphs: BTreeMap<String, [u8; 7]>,
    }
    toml::from_str::<File>(FONT_TOML).expect("assets/demo/font.toml is checked by a test").glyphs
});

/// Width of a text whose letters are `height` high, in units.
fn width(text: &str, height: f32) -> f32 {
    (text.chars().count() as f32 * 6.0 - 1.0).max(0.0) * height / 7.0
}

/// Writes one line, centred on `center_x`, its upper edge at `top`.
pub(super) fn write(
    canvas: &mut Canvas,
    text: &str,
    center_x: f32,
    top: f32,
    height: f32,
    ink: Rgb,
) {
    let dot = height / 7.0;
    let mut left = center_x - width(text, height) / 2.0;
    for letter in text.to_uppercase().chars() {
        if let Some(rows) = GLYPHS.get(letter.encode_utf8(&mut [0; 4]) as &str) {
            for (row, bits) in rows.iter().enumerate() {
                let y = top + row as f32 * dot;
                for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                    let x = left + column as f32 * dot;
                    canvas.rect([x, y], [x + dot, y + dot], ink, 1.0);
                }
            }
        }
        left += 6.0 * dot;
    }
}

/// Breaks a text into lines, then writes them as large as fits `max_width` by `max_height`
/// for the whole block and `max_letter` for one line; returns where they end.
pub(super) fn write_block(
    canvas: &mut Canvas,
    text: &str,
    top: f32,
    [max_width, max_height]: [f32; 2],
    max_letter: f32,
    ink: Rgb,
) -> f32 {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < 13 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let widest = lines.iter().map(|line| width(line, 1.0)).fold(0.1, f32::max);
    let fits = max_height / (lines.len() as f32 * 1.4 - 0.4).max(1.0);
    let height = (max_width / widest).min(fits).min(max_letter);
    let center_x = canvas.aspect() / 2.0;
    for (i, line) in lines.iter().enumerate() {
        write(canvas, line, center_x, top + i as f32 * height * 1.4, height, ink);
    }
    top + lines.len() as f32 * height * 1.4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_and_digit_has_a_shape() {
        for letter in ('A'..='Z').chain('0'..='9').chain("':-.,".chars()) {
            assert!(GLYPHS.contains_key(&letter.to_string()), "{letter}");
        }
    }
}
