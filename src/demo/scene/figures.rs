//! People, and what they hold dear.

use super::Shot;
use crate::canvas::{Canvas, between, blend, shade};

/// Somebody who stands at `foot` or walks: `stride` is the phase of the step.
pub(super) fn person(canvas: &mut Canvas, foot: [f32; 2], high: f32, ink: [f32; 3], stride: f32) {
    let [x, y] = foot;
    let (hip, neck) = (y - high * 0.47, y - high * 0.82);
    let swing = 0.16 * high * stride.sin();
    for side in [-1.0, 1.0] {
        canvas.line([x, hip], [x + side * swing, y], high * 0.09, ink, 1.0);
        canvas.line([x, neck + high * 0.05], [x - side * swing * 0.9, hip], high * 0.065, ink, 1.0);
    }
    let half = high * 0.1;
    let torso = [[x - half, neck], [x + half, neck], [x + half * 0.8, hip], [x - half * 0.8, hip]];
    canvas.polygon(&torso, ink, 1.0);
    canvas.disc([x, neck - high * 0.09], high * 0.09, ink, 1.0, 0.0);
}

/// Rays, bouncing balls and confetti.
pub(super) fn party(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    let middle = [wide / 2.0, 0.6];
    for ray in 0..12 {
        let at = |turn: f32| {
            let turn = (ray as f32 + turn) * 0.5236 + secs * 0.25;
            [middle[0] + 2.0 * turn.cos(), middle[1] + 2.0 * turn.sin()]
        };
        canvas.polygon(&[middle, at(0.0), at(0.5)], p.light, 0.55);
    }
    let colors = [p.accent, p.far, p.near, p.light];
    for ball in 0..6_u64 {
        let pace = shot.between(10 + ball, 0.8, 1.6);
        let hop = (secs * 3.0 * pace + shot.between(20 + ball, 0.0, 3.0)).sin().abs();
        let radius = shot.between(30 + ball, 0.05, 0.11);
        let x = (ball as f32 + 0.5) / 6.0 * wide + 0.06 * (secs * pace).sin();
        let at = [x, 0.94 - radius - hop * 0.55];
        canvas.disc(at, radius, colors[ball as usize % 4], 1.0, 0.03);
        canvas.disc(
            [at[0] - radius * 0.35, at[1] - radius * 0.35],
            radius * 0.22,
            [1.0; 3],
            0.85,
            0.4,
        );
    }
    for scrap in 0..50_u64 {
        let y = (shot.unit(100 + scrap) + secs * shot.between(160 + scrap, 0.15, 0.4)).fract();
        let x = shot.unit(220 + scrap) * wide + 0.03 * (secs * 4.0 + scrap as f32).sin();
        let flat = 0.4 + 0.6 * (secs * 7.0 + scrap as f32).sin().abs();
        canvas.rect([x, y], [x + 0.018, y + 0.02 * flat], colors[scrap as usize % 4], 1.0);
    }
    let dance = (secs * 6.0).sin().abs() * 0.05;
    for (i, place) in [0.3, 0.5, 0.7].into_iter().enumerate() {
        let ink = shade(colors[i], 0.6);
        person(
            canvas,
            [wide * place, 0.99 - dance * (1.0 + i as f32 * 0.4)],
            0.36,
            ink,
            secs * 6.0 + i as f32,
        );
    }
}

/// Two people before a low sun.
pub(super) fn couple(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    let x = wide * shot.between(1, 0.35, 0.65);
    let sun = [x + shot.between(2, -0.15, 0.15), 0.5];
    canvas.glow(sun, 0.8, p.light, 0.45);
    canvas.disc(sun, 0.22, p.light, 0.95, 0.06);
    canvas.rect([0.0, 0.66], [wide, 1.0], p.far, 1.0);
    for glint in 0..26_u64 {
        let y = 0.67 + shot.unit(20 + glint) * 0.2;
        let half =
            shot.between(50 + glint, 0.02, 0.12) * (0.7 + 0.3 * (secs * 3.0 + glint as f32).sin());
        canvas.line([sun[0] - half, y], [sun[0] + half, y], 0.007, p.light, 0.55);
    }
    canvas.ridge(p.near, |at| 0.86 + 0.02 * shot.wave(10, at * 1.5));
    let sway = 0.012 * (secs * 1.6).sin();
    let closer = (0.13 - 0.02 * secs).max(0.075);
    let ink = shade(p.near, 0.55);
    for (side, high) in [(-1.0, 0.46), (1.0, 0.42)] {
        person(canvas, [x + side * closer + sway, 0.93], high, ink, 0.4);
    }
    let dress = [
        [x + closer + sway, 0.66],
        [x + closer + 0.075 + sway, 0.9],
        [x + closer - 0.075 + sway, 0.9],
    ];
    canvas.polygon(&dress, ink, 1.0);
    canvas.line([x - closer + sway, 0.7], [x + closer + sway, 0.7], 0.022, ink, 1.0);
    if shot.unit(3) < 0.5 {
        heart(canvas, [x, 0.28 - 0.02 * (secs * 2.0).sin()], 0.06, p.accent, 0.9);
    }
}

fn heart(canvas: &mut Canvas, [x, y]: [f32; 2], size: f32, color: [f32; 3], alpha: f32) {
    let outline: Vec<[f32; 2]> = (0..28)
        .map(|step| {
            let t = step as f32 / 28.0 * std::f32::consts::TAU;
            let across = t.sin().powi(3);
            let up =
                (13.0 * t.cos() - 5.0 * (2.0 * t).cos() - 2.0 * (3.0 * t).cos() - (4.0 * t).cos())
                    / 16.0;
            [x + size * across, y - size * up]
        })
        .collect();
    canvas.polygon(&outline, color, alpha);
}

/// Lights out of focus, hearts and petals.
pub(super) fn bokeh(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.far, p.sky_low);
    for light in 0..18_u64 {
        let rise = (shot.unit(10 + light) + 1.0
            - (secs * shot.between(40 + light, 0.02, 0.07)).fract())
        .fract();
        let at = [
            shot.between(70 + light, 0.0, wide) + 0.02 * (secs + light as f32).sin(),
            rise * 1.2 - 0.1,
        ];
        let color = blend(p.light, p.accent, shot.unit(100 + light) * 0.7);
        let radius = shot.between(130 + light, 0.05, 0.15);
        canvas.disc(at, radius, color, 0.28, 0.12);
        canvas.disc(at, radius * 0.85, color, 0.15, 0.1);
    }
    for petal in 0..16_u64 {
        let y = (shot.unit(200 + petal) + secs * 0.1).fract() * 1.1 - 0.05;
        let x = shot.unit(220 + petal) * wide + 0.06 * (secs * 1.2 + petal as f32).sin();
        let turn = secs + petal as f32;
        let (dx, dy) = (0.025 * turn.cos(), 0.025 * turn.sin());
        canvas.polygon(
            &[
                [x - dx, y - dy],
                [x - dy * 0.4, y + dx * 0.4],
                [x + dx, y + dy],
                [x + dy * 0.4, y - dx * 0.4],
            ],
            p.accent,
            0.85,
        );
    }
    let beat = 1.0 + 0.08 * (secs * 4.0).sin();
    for each in 0..2_u64 {
        let at = [wide * shot.between(300 + each, 0.25, 0.75), shot.between(310 + each, 0.3, 0.7)];
        heart(canvas, at, shot.between(320 + each, 0.1, 0.2) * beat, p.accent, 0.9);
    }
}

/// A rider on the ridge at sundown.
pub(super) fn rider(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    let sun = [wide * shot.between(1, 0.3, 0.7), 0.55];
    canvas.glow(sun, 0.7, p.light, 0.4);
    canvas.disc(sun, 0.22, p.light, 1.0, 0.04);
    let pan = shot.pan(secs) * 0.3;
    canvas.ridge(p.far, |x| 0.66 - 0.06 * shot.wave(20, x + pan));
    let ground = |x: f32| 0.8 + 0.02 * shot.wave(40, x * 1.2 + pan);
    canvas.ridge(p.near, ground);
    let num_riders = 1 + (shot.unit(2) * 2.4) as u64;
    for each in 0..num_riders {
        let run = secs * (0.12 + 0.4 * shot.motion) + shot.unit(3) * 0.5 * wide;
        let x = (run + each as f32 * 0.42).rem_euclid(wide + 0.5) - 0.25;
        let step = secs * 9.0 + each as f32 * 2.0;
        horse(canvas, [x, ground(x) + 0.01], step, shade(p.accent, 0.6));
    }
    for grain in 0..24_u64 {
        let x = (shot.unit(400 + grain) * wide - secs * 0.3).rem_euclid(wide);
        let y = between(shot.seed, 430 + grain, 0.78, 0.98);
        canvas.disc([x, y], 0.012, p.sky_low, 0.3, 0.8);
    }
}

fn horse(canvas: &mut Canvas, [x, ground]: [f32; 2], step: f32, ink: [f32; 3]) {
    let y = ground - 0.15 - 0.012 * step.sin();
    for (dx, phase) in [(-0.09, 0.0), (-0.07, 2.2), (0.07, 1.1), (0.09, 3.3)] {
        let knee = [x + dx + 0.025 * (step + phase).sin(), y + 0.08];
        let hoof = [knee[0] + 0.03 * (step + phase + 0.8).sin(), ground];
        canvas.line([x + dx, y + 0.01], knee, 0.022, ink, 1.0);
        canvas.line(knee, hoof, 0.015, ink, 1.0);
    }
    canvas.line([x - 0.085, y], [x + 0.085, y - 0.005], 0.085, ink, 1.0);
    canvas.line([x + 0.09, y - 0.01], [x + 0.15, y - 0.1], 0.045, ink, 1.0);
    canvas.line([x + 0.145, y - 0.1], [x + 0.2, y - 0.07], 0.033, ink, 1.0);
    canvas.line([x - 0.12, y - 0.01], [x - 0.17, y + 0.06 + 0.02 * step.sin()], 0.018, ink, 1.0);
    let seat = y - 0.03;
    canvas.line([x - 0.005, seat], [x + 0.01, seat - 0.12], 0.055, ink, 1.0);
    canvas.line([x, seat], [x + 0.03, seat + 0.09], 0.03, ink, 1.0);
    canvas.line([x + 0.01, seat - 0.09], [x + 0.09, seat - 0.03], 0.02, ink, 1.0);
    canvas.disc([x + 0.015, seat - 0.165], 0.03, ink, 1.0, 0.0);
    canvas.line([x - 0.04, seat - 0.18], [x + 0.07, seat - 0.18], 0.012, ink, 1.0);
    canvas.line([x - 0.005, seat - 0.2], [x + 0.035, seat - 0.2], 0.03, ink, 1.0);
}
