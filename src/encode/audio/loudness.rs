//! Loudness as people hear it.
//!
//! in: mono samples; out: for each window its integrated loudness and its loudest 400 ms, and
//! in every row the integrated loudness and the loudness range of the whole sound. LUFS and LU;
//! what is quieter than the absolute gate counts as −70 LUFS.
//! source: EBU R 128, EBU Tech 3341 and 3342, ITU-R BS.1770.
//! reference: FFmpeg 5.1 `ebur128` on the mono mix.

use std::ops::Range;

use ebur128::{EbuR128, Error, Mode};

/// What it gives, in order.
pub(super) const NAMES: [&str; 4] =
    ["loudness_lufs", "loudness_max_lufs", "title_loudness_lufs", "title_loudness_range_lu"];

/// The absolute gate.
const GATE_LUFS: f64 = -70.0;

/// Readings of the momentary loudness, one every 100 ms.
const READINGS_PER_SEC: u32 = 10;

/// Readings that a block of 400 ms, which momentary loudness is measured over, spans.
const READINGS_PER_BLOCK: usize = 4;

/// `[windows, 4]` in the order of [`NAMES`]. `windows` are ranges of samples.
///
/// # Errors
/// A sampling rate that the meter refuses.
pub(super) fn loudness(
    samples: &[f32],
    rate_hz: u32,
    windows: &[Range<usize>],
) -> Result<Vec<[f32; 4]>, Error> {
    let step_len = (rate_hz / READINGS_PER_SEC) as usize;
    let block_len = step_len * READINGS_PER_BLOCK;
    let mut whole = EbuR128::new(1, rate_hz, Mode::I | Mode::LRA)?;
    let mut of_windows = Vec::with_capacity(windows.len());
    for window in windows {
        let mut meter = EbuR128::new(1, rate_hz, Mode::I)?;
        let mut loudest = GATE_LUFS;
        for (step_idx, step) in samples[window.clone()].chunks(step_len).enumerate() {
            meter.add_frames_f32(step)?;
            if step_idx * step_len + step.len() >= block_len {
                loudest = loudest.max(meter.loudness_momentary()?);
            }
        }
        whole.add_frames_f32(&samples[window.clone()])?;
        of_windows.push((meter.loudness_global()?.max(GATE_LUFS), loudest));
    }
    let title = [whole.loudness_global()?.max(GATE_LUFS), whole.loudness_range()?];
    let row = |(integrated, loudest)| [integrated, loudest, title[0], title[1]].map(|x| x as f32);
    Ok(of_windows.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    const RATE_HZ: u32 = 48_000;

    /// A sine of 997 Hz at `dbfs`, as EBU Tech 3341 has it.
    fn sine(dbfs: f64, secs: usize) -> impl Iterator<Item = f32> {
        let amplitude = 10f64.powf(dbfs / 20.0);
        (0..secs * RATE_HZ as usize)
            .map(move |i| (amplitude * (2.0 * PI * 997.0 * i as f64 / 48_000.0).sin()) as f32)
    }

    fn whole(samples: &[f32]) -> [f32; 4] {
        loudness(samples, RATE_HZ, std::slice::from_ref(&(0..samples.len()))).unwrap()[0]
    }

    #[test]
    fn a_full_sine_in_one_channel_is_3_lu_below_0() {
        let [integrated, loudest, title, range] = whole(&sine(0.0, 5).collect::<Vec<_>>());
        assert!((integrated + 3.01).abs() < 0.02 && (loudest + 3.01).abs() < 0.02, "{integrated}");
        assert_eq!(integrated, title);
        assert!(range.abs() < 0.01);
    }

    #[test]
    fn the_range_is_tech_3342s() {
        // Its first case: 20 s each at two levels 10 dB apart.
        let samples: Vec<f32> = sine(-20.0, 20).chain(sine(-30.0, 20)).collect();
        let range = whole(&samples)[3];
        assert!((range - 10.0).abs() < 0.1, "{range}");
    }

    #[test]
    fn windows_are_measured_on_their_own_and_the_title_as_a_whole() {
        let samples: Vec<f32> = sine(-20.0, 4).chain(sine(-30.0, 4)).collect();
        let half = samples.len() / 2;
        let rows = loudness(&samples, RATE_HZ, &[0..half, half..samples.len()]).unwrap();
        assert!((rows[0][0] - rows[1][0] - 10.0).abs() < 0.05, "{rows:?}");
        assert_eq!(rows[0][2..], rows[1][2..]);
        assert_eq!(rows[0][2], whole(&samples)[2]);
    }

    #[test]
    fn silence_and_less_than_a_block_are_at_the_gate() {
        assert_eq!(whole(&vec![0.0; 48_000]), [-70.0, -70.0, -70.0, 0.0]);
        assert_eq!(whole(&[0.5; 100]), [-70.0, -70.0, -70.0, 0.0]);
    }
}
