//! What people built: streets, houses, rooms, and charts about them.

use super::{Shot, figures::person};
use crate::canvas::{Canvas, between, blend, shade, unit};

const BLACK: [f32; 3] = [0.0; 3];

/// A city at dusk, two rows of towers with lit windows.
pub(super) fn skyline(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    let sun = [wide * shot.between(1, 0.2, 0.8), shot.between(2, 0.5, 0.75)];
    canvas.glow(sun, 0.6, p.accent, 0.5);
    canvas.disc(sun, 0.1, p.light, 0.9, 0.1);
    let shake = shot.motion * 0.012 * (secs * 41.0).sin();
    for (layer, (color, depth, tallest)) in
        [(p.far, 0.35, 0.55), (p.near, 1.0, 0.72)].into_iter().enumerate()
    {
        let seed = shot.seed ^ (layer as u64 + 1) << 20;
        let pace = 0.17 + 0.05 * layer as f32;
        let camera = shot.pan(secs) * depth;
        let first = (camera / pace).floor() as i64 - 1;
        for tower in first..first + (wide / pace) as i64 + 3 {
            let key = tower as u64;
            let left = tower as f32 * pace - camera;
            let width = pace * between(seed, key, 0.6, 1.0);
            let top = 1.0 - tallest * between(seed, key ^ 77, 0.35, 1.0) + shake;
            canvas.rect([left, top], [left + width, 1.0], color, 1.0);
            if unit(seed, key ^ 78) < 0.3 {
                let tip = left + width / 2.0;
                canvas.line([tip, top], [tip, top - 0.09], 0.008, color, 1.0);
            }
            let columns = (width / 0.035) as u64;
            for window in 0..columns * 14 {
                if unit(seed ^ key, window) < 0.25 {
                    let x = left + 0.012 + (window % columns) as f32 * 0.035;
                    let y = top + 0.03 + (window / columns) as f32 * 0.045;
                    canvas.rect([x, y], [x + 0.016, y + 0.02], p.light, 0.75);
                }
            }
        }
    }
}

/// A road to the horizon with a car that is chased or chases.
pub(super) fn road(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    let horizon = 0.45;
    let end = wide * (0.5 + 0.12 * (secs * 0.9 + shot.between(1, 0.0, 6.0)).sin());
    canvas.glow([end, horizon], 0.5, p.accent, 0.6);
    let pan = shot.pan(secs) * 0.2;
    canvas.ridge(p.far, |x| horizon - 0.05 - 0.05 * shot.wave(10, x + pan));
    canvas.rect([0.0, horizon], [wide, 1.0], blend(p.near, p.far, 0.35), 1.0);
    let asphalt = shade(p.near, 0.8);
    canvas.polygon(&[[end, horizon], [wide * 1.05, 1.0], [-wide * 0.05, 1.0]], asphalt, 1.0);
    for dash in 0..9 {
        // Equal steps on the road come closer together towards the horizon.
        let depth = |step: f32| horizon + 0.55 / (1.0 + step * 0.8);
        let step = dash as f32 - (secs * (2.0 + 7.0 * shot.motion)).fract();
        if step > -0.9 {
            let (y0, y1) = (depth(step.max(-0.6)), depth(step + 0.45));
            let x = |y: f32| end + (wide * 0.5 - end) * (y - horizon) / 0.55;
            let half = |y: f32| 0.022 * (y - horizon) / 0.55;
            let corners = [
                [x(y0) - half(y0), y0],
                [x(y0) + half(y0), y0],
                [x(y1) + half(y1), y1],
                [x(y1) - half(y1), y1],
            ];
            canvas.polygon(&corners, p.light, 0.9);
        }
    }
    let x = wide * (0.5 + 0.16 * (secs * 2.3 + shot.between(2, 0.0, 6.0)).sin());
    let y = 0.78 + 0.008 * (secs * 31.0).sin();
    canvas.disc([x, y + 0.11], 0.2, BLACK, 0.35, 0.8);
    let body = [[x - 0.2, y + 0.1], [x - 0.19, y], [x + 0.19, y], [x + 0.2, y + 0.1]];
    canvas.polygon(&body, shade(p.accent, 0.75), 1.0);
    let roof = [[x - 0.14, y], [x - 0.09, y - 0.085], [x + 0.09, y - 0.085], [x + 0.14, y]];
    canvas.polygon(&roof, shade(p.near, 0.5), 1.0);
    for side in [-1.0, 1.0] {
        canvas.rect(
            [x + side * 0.15 - 0.03, y + 0.1],
            [x + side * 0.15 + 0.03, y + 0.15],
            BLACK,
            1.0,
        );
        canvas.glow([x + side * 0.15, y + 0.04], 0.1, [1.0, 0.1, 0.05], 0.9);
        canvas.disc([x + side * 0.15, y + 0.04], 0.02, [1.0, 0.3, 0.2], 1.0, 0.3);
    }
}

/// A row of friendly houses under a blue sky.
pub(super) fn suburb(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    canvas.disc([wide * shot.between(1, 0.1, 0.9), 0.18], 0.1, p.light, 1.0, 0.05);
    for cloud in 0..4 {
        let x = (shot.between(20 + cloud, 0.0, wide + 0.6) + secs * 0.05) % (wide + 0.6) - 0.3;
        let y = shot.between(30 + cloud, 0.1, 0.35);
        for puff in [-0.09, -0.03, 0.05, 0.1] {
            canvas.disc([x + puff, y + puff.abs() * 0.2], 0.06, [1.0; 3], 0.9, 0.1);
        }
    }
    let camera = shot.pan(secs);
    canvas.ridge(p.far, |x| 0.58 - 0.05 * shot.wave(10, x * 0.7 + camera * 0.4));
    canvas.rect([0.0, 0.8], [wide, 1.0], p.near, 1.0);
    let walls = [p.accent, p.light, blend(p.accent, p.light, 0.5), p.sky_top];
    let first = (camera / 0.52).floor() as i64 - 1;
    for house in first..first + 6 {
        let key = house as u64;
        let x = house as f32 * 0.52 - camera;
        let high = between(shot.seed, key, 0.2, 0.3);
        let wall = walls[(unit(shot.seed, key ^ 5) * 4.0) as usize % 4];
        let top = 0.84 - high;
        canvas.rect([x, top], [x + 0.36, 0.84], wall, 1.0);
        let roof = [[x - 0.04, top], [x + 0.18, top - 0.16], [x + 0.4, top]];
        canvas.polygon(&roof, shade(walls[key as usize % 3], 0.6), 1.0);
        canvas.rect([x + 0.15, 0.84 - 0.13], [x + 0.22, 0.84], shade(wall, 0.45), 1.0);
        for window in [0.04, 0.26] {
            canvas.rect([x + window, top + 0.05], [x + window + 0.07, top + 0.12], [1.0; 3], 1.0);
            canvas.rect(
                [x + window + 0.03, top + 0.05],
                [x + window + 0.04, top + 0.12],
                wall,
                1.0,
            );
        }
    }
    let mut x = -(camera % 0.06);
    while x < wide {
        canvas.rect([x, 0.86], [x + 0.03, 0.97], [1.0; 3], 1.0);
        x += 0.06;
    }
    let hop = (secs * 5.0).sin().abs() * 0.06;
    person(canvas, [wide * shot.between(3, 0.25, 0.75), 0.97 - hop], 0.3, p.accent, secs * 6.0);
}

/// Paper, a grid, a growing curve and bars, a globe: somebody explains.
pub(super) fn chart(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    let paper = blend(p.light, p.sky_low, 0.25);
    canvas.gradient(p.light, paper);
    let ink = blend(p.near, BLACK, 0.3);
    for line in 1..10 {
        let at = line as f32 * 0.1;
        canvas.line([0.0, at], [wide, at], 0.003, p.sky_top, 0.5);
    }
    for line in 1..(wide * 10.0) as usize {
        let at = line as f32 * 0.1;
        canvas.line([at, 0.0], [at, 1.0], 0.003, p.sky_top, 0.5);
    }
    let (left, right) = (0.14, wide * 0.62);
    canvas.line([left, 0.12], [left, 0.84], 0.01, ink, 1.0);
    canvas.line([left, 0.84], [right, 0.84], 0.01, ink, 1.0);
    let shown = (0.35 + secs * 0.3).min(1.0);
    for bar in 0..7_u64 {
        let x = left + 0.04 + bar as f32 * (right - left - 0.05) / 7.0;
        let high = 0.5 * shot.between(40 + bar, 0.2, 1.0) * shown;
        canvas.rect([x, 0.84 - high], [x + 0.05, 0.835], p.far, 0.8);
    }
    let curve = |share: f32| {
        let x = left + share * (right - left);
        [x, 0.7 - 0.4 * share * share - 0.06 * shot.wave(10, x * 3.0)]
    };
    for step in 0..(shown * 30.0) as usize {
        let (a, b) = (step as f32 / 30.0, (step + 1) as f32 / 30.0);
        canvas.line(curve(a), curve(b), 0.018, p.accent, 1.0);
    }
    let globe = [wide * 0.82, 0.4];
    canvas.disc(globe, 0.2, p.sky_top, 1.0, 0.0);
    for land in 0..5_u64 {
        let turn = shot.between(60 + land, 0.0, 6.28) + secs * 0.6;
        if turn.cos() > 0.0 {
            let x = globe[0] + 0.15 * turn.sin();
            let y = globe[1] + shot.between(70 + land, -0.12, 0.12);
            canvas.disc([x, y], 0.055 * turn.cos(), p.far, 1.0, 0.2);
        }
    }
    canvas.rect([0.0, 0.88], [wide, 1.0], ink, 0.85);
    for line in 0..2 {
        let y = 0.91 + line as f32 * 0.04;
        let len = shot.between(80 + line, 0.5, 1.1);
        canvas.rect([0.14, y], [0.14 + len, y + 0.018], p.light, 0.8);
    }
}

/// A room with one window, its light on the floor, and somebody who waits.
pub(super) fn room(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.far, blend(p.far, p.near, 0.5));
    canvas.rect([0.0, 0.78], [wide, 1.0], p.near, 1.0);
    let slide = shot.motion * 0.25 * secs;
    let left = wide * shot.between(1, 0.1, 0.5) - slide;
    let (right, low) = (left + 0.42, 0.56);
    canvas.glow([left + 0.2, 0.35], 0.7, p.light, 0.18);
    canvas.rect([left - 0.02, 0.12], [right + 0.02, low + 0.02], shade(p.near, 0.8), 1.0);
    canvas.rect([left, 0.14], [right, low], p.light, 1.0);
    canvas.rect([left, 0.36], [right, low], p.sky_low, 0.6);
    canvas.rect([left + 0.2, 0.14], [left + 0.215, low], p.near, 1.0);
    canvas.rect([left, 0.33], [right, 0.345], p.near, 1.0);
    let sway = 0.02 * (secs * 0.8).sin();
    for side in [left - 0.1, right - 0.02] {
        let curtain = [
            [side, 0.1],
            [side + 0.12, 0.1],
            [side + 0.13 + sway, 0.72],
            [side - 0.01 + sway, 0.72],
        ];
        canvas.polygon(&curtain, blend(p.accent, p.far, 0.55), 0.9);
    }
    let patch = [[left + 0.1, 0.8], [right + 0.1, 0.8], [right + 0.35, 0.98], [left + 0.3, 0.98]];
    canvas.polygon(&patch, p.light, 0.35);
    let x = right + shot.between(2, 0.15, 0.4);
    let nod = 0.006 * (secs * 1.3).sin();
    let ink = shade(p.near, 0.45);
    canvas.disc([x, 0.44 + nod], 0.06, ink, 1.0, 0.0);
    let torso = [[x - 0.05, 0.5], [x + 0.05, 0.5], [x + 0.1, 0.8], [x - 0.1, 0.8]];
    canvas.polygon(&torso, ink, 1.0);
    canvas.rect([x - 0.22, 0.72], [x + 0.22, 0.745], shade(p.accent, 0.5), 1.0);
    canvas.rect([x - 0.2, 0.745], [x - 0.175, 1.0], shade(p.accent, 0.4), 1.0);
    canvas.rect([x + 0.175, 0.745], [x + 0.2, 1.0], shade(p.accent, 0.4), 1.0);
}

/// A house on a hill by moonlight; one window is lit, and not always.
pub(super) fn manor(canvas: &mut Canvas, shot: &Shot, secs: f32) {
    let p = &shot.palette;
    let wide = canvas.aspect();
    canvas.gradient(p.sky_top, p.sky_low);
    let moon = [wide * shot.between(1, 0.12, 0.35), shot.between(2, 0.18, 0.3)];
    canvas.glow(moon, 0.5, p.light, 0.3);
    canvas.disc(moon, 0.09, p.light, 0.85, 0.06);
    let x = wide * shot.between(3, 0.55, 0.7) - shot.motion * 0.1 * secs;
    canvas.ridge(p.near, |at| 0.72 + 0.5 * (at - x) * (at - x) + 0.02 * shot.wave(10, at * 2.0));
    let ink = shade(p.near, 0.7);
    for (dx, half, top, gable) in
        [(0.0, 0.14, 0.46, 0.15), (-0.17, 0.06, 0.38, 0.2), (0.17, 0.08, 0.55, 0.1)]
    {
        let x = x + dx;
        canvas.rect([x - half, top], [x + half, 0.8], ink, 1.0);
        canvas.polygon(
            &[[x - half - 0.02, top], [x, top - gable], [x + half + 0.02, top]],
            ink,
            1.0,
        );
    }
    let lit = f32::from(unit(shot.seed, (secs * 7.0) as u64) > 0.2);
    for (window, strength) in [([x - 0.19, 0.45], lit), ([x + 0.03, 0.56], 0.35)] {
        canvas.glow([window[0] + 0.02, window[1] + 0.03], 0.16, p.accent, 0.8 * strength);
        canvas.rect(window, [window[0] + 0.035, window[1] + 0.06], p.accent, strength);
    }
    for fog in 0..5_u64 {
        let drift = (shot.between(20 + fog, 0.0, wide + 1.0) + secs * 0.06) % (wide + 1.0) - 0.5;
        canvas.disc([drift, shot.between(30 + fog, 0.85, 1.0)], 0.28, p.sky_low, 0.28, 1.0);
    }
    if unit(shot.seed, 400 + (secs * 3.0) as u64) > 0.88 {
        canvas.glow([wide * 0.5, 0.0], 1.6, p.light, 0.45);
    }
}
