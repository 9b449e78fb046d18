//! High dynamic range and wide gamut to 8-bit sRGB.
//!
//! in: 16-bit RGB in the film's own transfer function (PQ, HLG, or ordinary gamma) and BT.2020
//! primaries; out: 8-bit sRGB. Diffuse white, 203 cd/m² (ITU-R BT.2408), becomes white; what
//! is brighter is rolled off by the curve of ITU-R BT.2390-10 (5.4.1) on the greatest of the
//! three channels, so that hues stay; primaries are converted as in ITU-R BT.2087, and what
//! BT.709 cannot show is clipped.

use ffmpeg_next::color::{Primaries, TransferCharacteristic};
use ffmpeg_next::{frame, util::frame::side_data::Type as SideDataType};

/// Diffuse white of HDR, cd/m².
const WHITE_NITS: f32 = 203.0;

/// Brightest light of HDR where the film states none, cd/m².
const PEAK_NITS: f32 = 1000.0;

/// Linear BT.2020 to linear BT.709 (ITU-R BT.2087, inverted).
const BT2020_TO_BT709: [[f32; 3]; 3] = [
    [1.660_491, -0.587_641, -0.072_850],
    [-0.124_550, 1.132_9, -0.008_349],
    [-0.018_151, -0.100_579, 1.118_73],
];

/// How the numbers of a film stand for light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Light {
    /// Perceptual quantiser (SMPTE ST 2084), with the brightest light in cd/m².
    Pq { peak_nits: f32 },
    /// Hybrid log-gamma (ARIB STD-B67), on a display of 1000 cd/m².
    Hlg,
    /// Standard dynamic range in BT.2020 primaries.
    WideGamut,
}

impl Light {
    /// What must be mapped for this frame; `None` for ordinary video.
    pub(super) fn of(frame: &frame::Video) -> Option<Self> {
        match frame.color_transfer_characteristic() {
            TransferCharacteristic::SMPTE2084 => Some(Self::Pq { peak_nits: peak_nits(frame) }),
            TransferCharacteristic::ARIB_STD_B67 => Some(Self::Hlg),
            _ if frame.color_primaries() == Primaries::BT2020 => Some(Self::WideGamut),
            _ => None,
        }
    }
}

/// The brightest light of the display that the film was mastered on.
///
/// `AVMasteringDisplayMetadata` is ten ratios of two 32-bit numbers (primaries, white, least
/// and greatest luminance) and two flags, of which the second says that luminance is known.
fn peak_nits(frame: &frame::Video) -> f32 {
    let stated = frame.side_data(SideDataType::MasteringDisplayMetadata).and_then(|side| {
        let number = |place: usize| {
            let bytes = side.data().get(place * 4..place * 4 + 4)?;
            bytes.try_into().ok().map(i32::from_ne_bytes)
        };
        (number(21)? != 0).then_some(number(18)? as f32 / number(19)? as f32)
    });
    stated.filter(|nits| (WHITE_NITS..=10_000.0).contains(nits)).unwrap_or(PEAK_NITS)
}

/// Maps pixels of one kind of light.
pub(super) struct ToneMap {
    light: Light,
    /// `[65536]`: linear light of a code; 1 is diffuse white.
    linear: Vec<f32>,
}

impl ToneMap {
    pub(super) fn new(light: Light) -> Self {
        let decode = |code: u16| {
            let signal = f32::from(code) / f32::from(u16::MAX);
            match light {
                Light::Pq { .. } => pq_to_nits(signal) / WHITE_NITS,
                Light::Hlg => hlg_to_scene(signal),
                Light::WideGamut => signal.powf(2.4),
            }
        };
        Self { light, linear: (0..=u16::MAX).map(decode).collect() }
    }

    /// All pixels of a frame of RGB48LE: 8-bit RGB without gaps between the rows.
    pub(super) fn map_rows(&self, frame: &frame::Video) -> Vec<u8> {
        let row_bytes = frame.width() as usize * 6;
        let rows = frame.data(0).chunks(frame.stride(0)).take(frame.height() as usize);
        rows.flat_map(|row| row[..row_bytes].chunks_exact(6))
            .flat_map(|pixel| {
                let code = |at: usize| u16::from_le_bytes([pixel[at], pixel[at + 1]]);
                self.map([code(0), code(2), code(4)])
            })
            .collect()
    }

    /// One pixel, `[red, green, blue]`.
    pub(super) fn map(&self, pixel: [u16; 3]) -> [u8; 3] {
        let mut light = pixel.map(|code| self.linear[usize::from(code)]);
        match self.light {
            Light::WideGamut => {}
            Light::Hlg => {
                // The display's part of HLG (ITU-R BT.2100, gamma 1.2 at 1000 cd/m²).
                let [red, green, blue] = light;
                let scene = 0.2627 * red + 0.6780 * green + 0.0593 * blue;
                let gain = PEAK_NITS / WHITE_NITS * scene.max(1e-6).powf(0.2);
                light = roll_off(light.map(|channel| channel * gain), PEAK_NITS);
            }
            Light::Pq { peak_nits } => light = roll_off(light, peak_nits),
        }
        let encode = |channel: f32| match self.light {
            Light::WideGamut => channel.max(0.0).powf(1.0 / 2.4),
            Light::Pq { .. } | Light::Hlg => linear_to_srgb(channel.max(0.0)),
        };
        BT2020_TO_BT709.map(|row| {
            let channel: f32 =
                row.iter().zip(light).map(|(weight, channel)| weight * channel).sum();
            (encode(channel) * 255.0).round().clamp(0.0, 255.0) as u8
        })
    }
}

/// Brings light of up to `peak_nits` to at most diffuse white.
fn roll_off(light: [f32; 3], peak_nits: f32) -> [f32; 3] {
    let brightest = light.into_iter().fold(0.0, f32::max);
    if brightest <= 0.0 {
        return light;
    }
    let (top, white) = (nits_to_pq(peak_nits), nits_to_pq(WHITE_NITS));
    let signal = (nits_to_pq(brightest * WHITE_NITS) / top).min(1.0);
    let mapped = pq_to_nits(bt2390(signal, white / top) * top) / WHITE_NITS;
    light.map(|channel| channel * mapped / brightest)
}

/// The EETF of ITU-R BT.2390 without lift of black: `signal` and `most` in 0..1 of the
/// source's range in PQ; the result is at most `most`.
fn bt2390(signal: f32, most: f32) -> f32 {
    let knee = 1.5 * most - 0.5;
    if signal < knee || knee >= 1.0 {
        return signal;
    }
    let t = (signal - knee) / (1.0 - knee);
    let (t2, t3) = (t * t, t * t * t);
    (2.0 * t3 - 3.0 * t2 + 1.0) * knee
        + (t3 - 2.0 * t2 + t) * (1.0 - knee)
        + (-2.0 * t3 + 3.0 * t2) * most
}

const M1: f32 = 2610.0 / 16384.0;
const M2: f32 = 2523.0 / 4096.0 * 128.0;
const C1: f32 = 3424.0 / 4096.0;
const C2: f32 = 2413.0 / 4096.0 * 32.0;
const C3: f32 = 2392.0 / 4096.0 * 32.0;

/// The EOTF of SMPTE ST 2084: signal 0..1 to cd/m².
fn pq_to_nits(signal: f32) -> f32 {
    let power = signal.powf(1.0 / M2);
    10_000.0 * ((power - C1).max(0.0) / (C2 - C3 * power)).powf(1.0 / M1)
}

/// Its inverse.
fn nits_to_pq(nits: f32) -> f32 {
    let power = (nits / 10_000.0).max(0.0).powf(M1);
    ((C1 + C2 * power) / (1.0 + C3 * power)).powf(M2)
}

/// The inverse OETF of HLG (ITU-R BT.2100): signal 0..1 to scene light 0..1.
fn hlg_to_scene(signal: f32) -> f32 {
    const A: f32 = 0.178_832_77;
    const B: f32 = 0.284_668_92;
    const C: f32 = 0.559_910_7;
    if signal <= 0.5 { signal * signal / 3.0 } else { (((signal - C) / A).exp() + B) / 12.0 }
}

/// The sRGB transfer function (IEC 61966-2-1); 1 and above are white.
fn linear_to_srgb(linear: f32) -> f32 {
    if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(signal: f32) -> u16 {
        (signal * 65535.0).round() as u16
    }

    fn gray(map: &ToneMap, signal: f32) -> u8 {
        let [red, green, blue] = map.map([code(signal); 3]);
        assert!(red.abs_diff(green) <= 1 && green.abs_diff(blue) <= 1, "{red} {green} {blue}");
        green
    }

    #[test]
    fn transfer_functions_meet_the_values_of_their_standards() {
        // ITU-R BT.2408, table 1: PQ and HLG signal of reference levels.
        assert!((nits_to_pq(100.0) - 0.508).abs() < 1e-3);
        assert!((nits_to_pq(203.0) - 0.581).abs() < 1e-3);
        assert!((nits_to_pq(1000.0) - 0.752).abs() < 1e-3);
        assert!((nits_to_pq(10_000.0) - 1.0).abs() < 1e-6);
        for nits in [0.1, 10.0, 500.0, 4000.0] {
            assert!((pq_to_nits(nits_to_pq(nits)) / nits - 1.0).abs() < 1e-3);
        }
        // HLG of 75 % is diffuse white: 203 cd/m² on a display of 1000.
        let scene = hlg_to_scene(0.75);
        assert!((PEAK_NITS * scene.powf(1.2) - 203.0).abs() < 1.0);
        assert!((hlg_to_scene(1.0) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn grays_stay_gray_and_in_order_and_the_peak_is_white() {
        let pq = Light::Pq { peak_nits: 1000.0 };
        for (light, peak) in [(pq, 0.7518), (Light::Hlg, 1.0), (Light::WideGamut, 1.0)] {
            let map = ToneMap::new(light);
            assert_eq!(gray(&map, 0.0), 0, "{light:?}");
            assert_eq!(gray(&map, peak), 255, "{light:?}");
            let grays: Vec<u8> = (0..=50).map(|n| gray(&map, peak * n as f32 / 50.0)).collect();
            assert!(grays.is_sorted(), "{light:?}: {grays:?}");
        }
    }

    #[test]
    fn shadows_and_faces_keep_their_light() {
        // 20 cd/m² is below the knee: a tenth of diffuse white, as sRGB encodes it.
        let map = ToneMap::new(Light::Pq { peak_nits: 1000.0 });
        let expected = 255.0 * linear_to_srgb(20.0 / 203.0);
        assert!((f32::from(gray(&map, nits_to_pq(20.0))) - expected).abs() <= 1.0);
        // Without highlights nothing is rolled off.
        let map = ToneMap::new(Light::Pq { peak_nits: 203.0 });
        assert_eq!(gray(&map, nits_to_pq(203.0)), 255);
    }

    #[test]
    fn colours_of_bt709_come_back_and_others_are_clipped() {
        // BT.709 red within BT.2020 is (0.6274, 0.0691, 0.0164) of light (ITU-R BT.2087).
        let map = ToneMap::new(Light::WideGamut);
        let pixel = [0.627_404_f32, 0.069_097, 0.016_391].map(|light| code(light.powf(1.0 / 2.4)));
        let [red, green, blue] = map.map(pixel);
        assert!(red >= 254 && green <= 6 && blue <= 6, "{red} {green} {blue}");
        let [red, green, blue] = map.map([0, u16::MAX, 0]);
        assert_eq!((red, green, blue), (0, 255, 0));
    }
}
