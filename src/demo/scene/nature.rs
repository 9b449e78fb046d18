//! Landscapes and weather.

use super::Shot;
use crate::canvas::{Canvas, between, blend, shade, unit};

/// Three ranges with snow, a lake, birds; a caption in some.
pub(super) fn mountains(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    let camera = shot.pan(secs);
    for (layer, depth) in [0.15, 0.3, 0.55].into_iter().enumerate() {
        let color = blend(blend(p.sky_low, p.far, 0.55), p.near, layer as f32 / 2.0);
        let base = 0.42 + 0.1 * layer as f32;
        let place = 10 * (layer as u64 + 1);
        let peak = |x: f32| {
            let at = x + camera * depth;
            let jag = ((at * 7.0 + shot.between(place, 0.0, 9.0)).sin() * 3.0).abs() * 0.02;
            base - 0.13 * shot.wave(place, at * 1.1) - jag
        };
        if layer == 0 {
            canvas.ridge([0.96, 0.97, 1.0], peak);
            canvas.ridge(color, |x| peak(x).max(0.3) + 0.05 + 0.015 * (x * 43.0).sin());
        } else {
            canvas.ridge(color, peak);
        }
    }
    let shore = 0.74;
    canvas.rect([0.0, shore], [wide, 1.0], blend(p.sky_top, p.sky_low, 0.4), 1.0);
    for ripple in 0..22_u64 {
        let y = shore + 0.01 + shot.unit(100 + ripple) * 0.24;
        let x = (shot.between(130 + ripple, 0.0, wide) + secs * 0.05) % wide;
        canvas.line([x, y], [x + shot.between(160 + ripple, 0.08, 0.3), y], 0.004, p.light, 0.45);
    }
    for bird in 0..4_u64 {
        let x = (shot.between(200 + bird, 0.0, wide) + secs * 0.12) % wide;
        let y = shot.between(210 + bird, 0.1, 0.3);
        let flap = 0.014 * (secs * 9.0 + bird as f32).sin();
        canvas.line([x - 0.022, y - flap], [x, y], 0.006, p.near, 1.0);
        canvas.line([x, y], [x + 0.022, y - flap], 0.006, p.near, 1.0);
    }
    if shot.unit(3) < 0.5 {
        canvas.rect([0.08, 0.82], [0.75, 0.93], p.near, 0.75);
        canvas.rect([0.08, 0.82], [0.095, 0.93], p.accent, 1.0);
        canvas.rect([0.12, 0.845], [0.6, 0.868], p.light, 0.9);
        canvas.rect([0.12, 0.885], [0.45, 0.9], p.light, 0.6);
    }
}

/// Lights of a street through a wet window.
pub(super) fn rain(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(shade(p.sky_top, 0.7), shade(p.far, 0.8));
    for light in 0..9_u64 {
        let drift = 0.03 * shot.motion * secs;
        let at = [shot.between(10 + light, 0.0, wide) + drift, shot.between(30 + light, 0.25, 0.9)];
        let color = if light % 3 == 0 { p.accent } else { p.light };
        canvas.disc(at, shot.between(50 + light, 0.05, 0.13), color, 0.35, 0.35);
    }
    for drop in 0..60_u64 {
        let speed = between(shot.seed, 500 + drop, 0.5, 1.1);
        let y = (unit(shot.seed, 600 + drop) + secs * speed).fract() * 1.2 - 0.1;
        let x = shot.between(700 + drop, 0.0, wide);
        canvas.line([x, y], [x - 0.008, y + 0.07], 0.005, p.sky_low, 0.5);
    }
    for bead in 0..40_u64 {
        let slip = (secs * 0.02 * shot.unit(820 + bead)).fract();
        let at = [shot.between(840 + bead, 0.0, wide), shot.unit(880 + bead) + slip];
        canvas.disc(at, 0.011, blend(p.sky_low, p.light, 0.5), 0.55, 0.3);
    }
    let frame = shade(p.near, 0.6);
    let bar = wide * shot.between(2, 0.3, 0.7);
    canvas.rect([bar, 0.0], [bar + 0.05, 1.0], frame, 1.0);
    canvas.rect([0.0, 0.93], [wide, 1.0], frame, 1.0);
    if shot.unit(4) < 0.6 {
        let x = bar + if bar < wide / 2.0 { 0.5 } else { -0.45 };
        let lean = 0.008 * (secs * 0.9).sin();
        canvas.disc([x + lean, 0.5], 0.12, shade(p.near, 0.35), 1.0, 0.05);
        let coat = [[x - 0.09, 0.6], [x + 0.09, 0.6], [x + 0.25, 1.0], [x - 0.25, 1.0]];
        canvas.polygon(&coat, shade(p.near, 0.35), 1.0);
    }
}

fn branch(canvas: &mut Canvas, shot: &Shot, from: [f32; 2], angle: f32, len: f32, key: u64) {
    let to = [from[0] + len * angle.cos(), from[1] - len * angle.sin()];
    canvas.line(from, to, len * 0.09, shade(shot.palette.near, 0.8), 1.0);
    if len > 0.05 {
        for side in [1_u64, 2] {
            let turn =
                between(shot.seed ^ key, side, 0.25, 0.75) * if side == 1 { 1.0 } else { -1.0 };
            let share = between(shot.seed ^ key, side + 9, 0.55, 0.72);
            branch(
                canvas,
                shot,
                to,
                angle + turn,
                len * share,
                key.wrapping_mul(31).wrapping_add(side),
            );
        }
    }
}

/// Bare trees, fog and a moon.
pub(super) fn woods(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    let moon = [wide * shot.between(1, 0.25, 0.75), shot.between(2, 0.22, 0.38)];
    canvas.glow(moon, 0.6, p.light, 0.3);
    canvas.disc(moon, 0.08, p.light, 0.8, 0.1);
    let camera = shot.motion * 0.35 * secs;
    for (depth, num_trees, size) in [(0.3, 7_u64, 0.2), (1.0, 4, 0.34)] {
        for tree in 0..num_trees {
            let key = tree + (depth * 100.0) as u64;
            let place = (tree as f32 + shot.unit(300 + key)) / num_trees as f32;
            let x = place * (wide + 0.4) - 0.2 - camera * depth;
            let lean = std::f32::consts::FRAC_PI_2 + shot.between(320 + key, -0.12, 0.12);
            branch(canvas, shot, [x, 1.02], lean, size * shot.between(340 + key, 0.9, 1.3), key);
        }
        for fog in 0..4_u64 {
            let x = (shot.between(360 + fog, 0.0, wide + 1.0) + secs * 0.08 * depth) % (wide + 1.0);
            canvas.disc([x - 0.5, 0.9 - 0.1 * depth], 0.35, p.sky_low, 0.22, 1.0);
        }
    }
    if shot.unit(5) < 0.5 {
        let blink = f32::from((secs * 1.3 + shot.unit(6)).fract() < 0.8);
        let eyes = [wide * shot.between(7, 0.2, 0.8), 0.72];
        for dx in [-0.022, 0.022] {
            canvas.glow([eyes[0] + dx, eyes[1]], 0.05, p.accent, blink);
            canvas.disc([eyes[0] + dx, eyes[1]], 0.008, p.accent, blink, 0.2);
        }
    }
    canvas.expose(0.85 + 0.3 * unit(shot.seed, (secs * 12.0) as u64));
}

fn cactus(canvas: &mut Canvas, [x, y]: [f32; 2], high: f32, ink: [f32; 3]) {
    canvas.line([x, y], [x, y - high], high * 0.16, ink, 1.0);
    for (side, at) in [(-1.0, 0.45), (1.0, 0.6)] {
        let elbow = [x + side * high * 0.26, y - high * at];
        canvas.line([x, elbow[1]], elbow, high * 0.12, ink, 1.0);
        canvas.line(elbow, [elbow[0], elbow[1] - high * 0.25], high * 0.12, ink, 1.0);
    }
}

/// Mesas, cacti, a large sun and a tumbleweed.
pub(super) fn desert(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    let sun = [wide * shot.between(1, 0.2, 0.8), shot.between(2, 0.28, 0.5)];
    canvas.glow(sun, 0.55, p.light, 0.35);
    canvas.disc(sun, 0.13, p.light, 1.0, 0.05);
    let camera = shot.pan(secs);
    let first = (camera * 0.3 / 0.6).floor() as i64 - 1;
    for mesa in first..first + 5 {
        let key = mesa as u64;
        let x = mesa as f32 * 0.6 - camera * 0.3 + between(shot.seed, key, 0.0, 0.2);
        let (half, top) =
            (between(shot.seed, key ^ 3, 0.1, 0.24), between(shot.seed, key ^ 4, 0.38, 0.56));
        let shape =
            [[x - half, top], [x + half, top], [x + half * 1.5, 0.75], [x - half * 1.5, 0.75]];
        canvas.polygon(&shape, p.far, 1.0);
        canvas.polygon(
            &[[x, top], [x + half, top], [x + half * 1.5, 0.75], [x, 0.75]],
            p.near,
            0.35,
        );
    }
    let ground = blend(p.far, p.sky_low, 0.45);
    canvas.ridge(ground, |x| 0.7 + 0.02 * shot.wave(10, x + camera * 0.5));
    canvas.ridge(p.near, |x| 0.86 + 0.03 * shot.wave(30, x * 1.3 + camera));
    let first = (camera / 0.7).floor() as i64 - 1;
    for plant in first..first + 5 {
        let key = plant as u64 ^ 50;
        let x = plant as f32 * 0.7 - camera + between(shot.seed, key, 0.0, 0.4);
        cactus(canvas, [x, 0.92], between(shot.seed, key ^ 9, 0.15, 0.38), p.accent);
    }
    let x = (secs * 0.5 + shot.unit(60)).rem_euclid(1.4) / 1.4 * (wide + 0.3) - 0.15;
    let y = 0.92 - (secs * 4.0).sin().abs() * 0.05;
    for spoke in 0..7 {
        let turn = secs * 6.0 + spoke as f32 * 0.9;
        let reach = [x + 0.05 * turn.cos(), y + 0.05 * turn.sin()];
        canvas.line([2.0 * x - reach[0], 2.0 * y - reach[1]], reach, 0.006, p.accent, 0.9);
    }
}
