//! Planets, neon and fire.

use super::{Shot, figures::person};
use crate::canvas::{Canvas, between, blend, shade, unit};

fn stars(canvas: &mut Canvas, shot: &Shot, secs: f32, num_stars: u64) {
    let wide = canvas.aspect();
    for star in 0..num_stars {
        let drift = secs * shot.motion * between(shot.seed, 900 + star, 0.01, 0.08);
        let x = (shot.unit(1000 + star) * wide + drift).rem_euclid(wide);
        let size = between(shot.seed, 1400 + star, 0.002, 0.006);
        canvas.disc([x, shot.unit(1200 + star)], size, [1.0; 3], 0.9, 0.5);
    }
}

/// A planet with a ring, stars, and a ship on its way.
pub(super) fn orbit(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.near);
    canvas.glow([wide * shot.unit(1), shot.unit(2)], 0.9, p.sky_low, 0.5);
    stars(canvas, shot, secs, 90);
    let center = [wide * shot.between(3, 0.25, 0.75), shot.between(4, 0.4, 0.65)];
    let radius = shot.between(5, 0.18, 0.34) * (1.0 + 0.05 * shot.motion * secs);
    let ring = |canvas: &mut Canvas, front: bool| {
        for step in 0..40 {
            let at = |step: usize| {
                let turn = step as f32 / 40.0 * std::f32::consts::PI
                    + if front { 0.0 } else { std::f32::consts::PI };
                let (x, y) = (1.8 * radius * turn.cos(), 0.42 * radius * turn.sin());
                [center[0] + x * 0.97 - y * 0.25, center[1] + y + x * 0.25]
            };
            canvas.line(at(step), at(step + 1), radius * 0.09, p.light, 0.7);
        }
    };
    let ringed = shot.unit(6) < 0.6;
    if ringed {
        ring(canvas, false);
    }
    canvas.glow(center, radius * 1.5, p.accent, 0.5);
    canvas.disc(center, radius, p.sky_low, 1.0, 0.02);
    for band in 0..5_u64 {
        let y = shot.between(20 + band, -0.6, 0.6);
        let half = (1.0 - y * y).sqrt() * 0.97;
        let (a, b) = (
            [center[0] - half * radius, center[1] + y * radius],
            [center[0] + half * radius, center[1] + y * radius],
        );
        canvas.line(a, b, radius * 0.08, p.accent, 0.3);
    }
    let night = [center[0] + radius * 0.45, center[1] + radius * 0.25];
    canvas.disc(night, radius * 0.95, p.near, 0.6, 0.6);
    if ringed {
        ring(canvas, true);
    }
    let x = (shot.unit(7) * wide + secs * 0.35).rem_euclid(wide + 0.3) - 0.15;
    let y = shot.between(8, 0.2, 0.8) - 0.05 * secs;
    canvas.glow([x - 0.1, y + 0.012], 0.13, p.accent, 0.9);
    canvas.polygon(
        &[[x + 0.1, y], [x - 0.09, y - 0.04], [x - 0.05, y + 0.01], [x - 0.09, y + 0.05]],
        [0.75, 0.8, 0.86],
        1.0,
    );
    canvas.polygon(
        &[[x + 0.1, y], [x - 0.05, y + 0.01], [x - 0.09, y + 0.05]],
        [0.4, 0.44, 0.52],
        1.0,
    );
}

/// A grid of light that rushes towards a striped sun.
pub(super) fn grid(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    stars(canvas, shot, secs, 40);
    let horizon = shot.between(1, 0.5, 0.6);
    let sun = [wide * shot.between(2, 0.35, 0.65), horizon - 0.12];
    canvas.glow(sun, 0.6, p.accent, 0.6);
    canvas.disc(sun, 0.2, blend(p.accent, p.light, 0.35), 1.0, 0.02);
    for stripe in 0..4 {
        let y = sun[1] + 0.03 + stripe as f32 * 0.042;
        canvas.rect([sun[0] - 0.22, y], [sun[0] + 0.22, y + 0.014], p.sky_low, 0.9);
    }
    let towers = (wide / 0.13) as u64 + 1;
    for tower in 0..towers {
        let x = tower as f32 * 0.13;
        let top = horizon - shot.between(30 + tower, 0.0, 0.16);
        canvas.rect([x, top], [x + 0.1, horizon], p.near, 0.95);
        canvas.rect([x, top], [x + 0.1, top + 0.006], p.accent, 0.8);
    }
    canvas.rect([0.0, horizon], [wide, 1.0], p.near, 1.0);
    for line in -12..=12 {
        let x = wide / 2.0 + line as f32 * 0.07;
        let low = wide / 2.0 + line as f32 * 0.42;
        canvas.line([x, horizon], [low, 1.0], 0.006, p.accent, 0.85);
    }
    for line in 0..10 {
        let depth = line as f32 + 1.0 - (secs * (0.6 + 2.5 * shot.motion)).fract();
        let y = horizon + (1.0 - horizon) / depth.max(0.05);
        if y < 1.0 {
            canvas.line([0.0, y], [wide, y], 0.006, p.accent, 0.85);
        }
    }
    let hover = 0.02 * (secs * 3.0).sin();
    let x = wide * (0.5 + 0.2 * (secs + shot.unit(3) * 6.0).sin());
    canvas.glow([x, 0.86 + hover], 0.16, p.light, 0.4);
    let hull =
        [[x - 0.14, 0.85 + hover], [x, 0.8 + hover], [x + 0.14, 0.85 + hover], [x, 0.88 + hover]];
    canvas.polygon(&hull, p.light, 0.9);
}

/// A fireball behind somebody who runs.
pub(super) fn blast(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, shade(p.far, 0.8));
    let center = [wide * shot.between(1, 0.3, 0.7), 0.55];
    let grown = 1.0 - (-(secs + 0.12) * 3.0).exp();
    for cloud in 0..14_u64 {
        let (angle, reach) =
            (shot.between(10 + cloud, 0.0, 6.28), shot.between(30 + cloud, 0.1, 0.42) * grown);
        let at = [center[0] + reach * angle.cos(), center[1] - (reach * angle.sin()).abs() * 0.9];
        canvas.disc(at, 0.2 * grown, shade(p.near, 1.4), 0.8, 0.5);
        canvas.glow(at, 0.26 * grown, [1.0, 0.42, 0.08], 0.75);
    }
    canvas.glow(center, 0.75 * grown, p.accent, 0.9);
    canvas.disc(center, 0.18 * grown, [1.0, 0.93, 0.7], 0.95, 0.6);
    for piece in 0..26_u64 {
        let angle = shot.between(60 + piece, 0.1, 3.04);
        let reach = between(shot.seed, 90 + piece, 0.3, 1.1) * (secs + 0.1);
        let at =
            [center[0] + reach * angle.cos(), center[1] - reach * angle.sin() + 0.5 * secs * secs];
        let turn = secs * between(shot.seed, 120 + piece, 3.0, 14.0);
        let size = between(shot.seed, 150 + piece, 0.008, 0.028);
        let corner = |quarter: f32| {
            [at[0] + size * (turn + quarter).cos(), at[1] + size * (turn + quarter).sin()]
        };
        canvas.polygon(&[corner(0.0), corner(2.1), corner(4.0)], p.near, 1.0);
    }
    canvas.rect([0.0, 0.88], [wide, 1.0], p.near, 1.0);
    let x = wide * shot.between(2, 0.3, 0.5) + secs * 0.45;
    person(canvas, [x, 0.94], 0.4, [0.02; 3], secs * 13.0);
    if secs < 0.1 || unit(shot.seed, 700 + (secs * 10.0) as u64) > 0.9 {
        canvas.glow(center, 2.0, [1.0, 0.9, 0.7], 0.5);
    }
}
