//! Draws a poster: one setting or two, the title, and a line that says what it is.

use media::Picture;

use super::{
    canvas::{Canvas, shade},
    lettering,
    recipe::Sheet,
    scene,
};

const WIDTH: u32 = 240;
const HEIGHT: u32 = 360;

/// The poster, `[height, width, 3]`.
pub(super) fn draw(sheet: &Sheet) -> Picture {
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    let wide = canvas.aspect();
    scene::draw(&mut canvas, &sheet.shots[0], sheet.at_secs);
    for shot in &sheet.shots[1..] {
        let mut lower = Canvas::new(WIDTH, HEIGHT);
        scene::draw(&mut lower, shot, sheet.at_secs);
        let edge = [[0.0, 0.5], [wide, 0.4]];
        canvas.paste_below(&lower, edge);
        canvas.line(edge[0], edge[1], 0.012, shot.palette.light, 1.0);
    }
    let dark = shade(sheet.shots[0].palette.near, 0.35);
    let top = if sheet.title_above { 0.06 } else { 0.72 };
    // A veil under the letters, so that they can be read on anything.
    for step in 0..20 {
        let y = top - 0.06 + step as f32 * 0.0145;
        let strength = 0.55 * (std::f32::consts::PI * (step as f32 + 0.5) / 20.0).sin();
        canvas.rect([0.0, y], [wide, y + 0.0145], dark, strength);
    }
    let space = [wide * 0.86, 0.2];
    lettering::write_block(&mut canvas, &sheet.name, top, space, 0.062, [0.97, 0.95, 0.9]);
    canvas.rect([0.0, 0.955], [wide, 1.0], dark, 0.85);
    lettering::write(&mut canvas, "synthetic demo", wide / 2.0, 0.967, 0.02, [0.8; 3]);
    canvas.develop(0.012, sheet.shots[0].seed)
}
