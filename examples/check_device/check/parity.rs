//! Every encoder on the device, in each precision, against the processor's in f32.

use cinetag::nn::{
    Device, ImageEncoder, Precision, SentenceBert, TransNetV2, Whisper, device,
    transnet_v2::{HEIGHT_PX, WIDTH_PX},
    whisper::{RATE_HZ, WhisperSettings},
};

use super::{
    Fail, Row, Setup,
    networks::{PICTURES, PRECISIONS, SHOTS, SPEECH, TEXTS, pictures, sound, texts},
    row::chain,
};

const PART: &str = "parity";

/// How a difference is measured, and how large it may be in a precision.
struct Measure {
    unit: &'static str,
    of: fn(&[f32], &[f32]) -> f64,
    limit: fn(Precision) -> f64,
}

/// The tests' own limits (`tests/golden/devices.rs`).
const LARGEST: Measure = Measure {
    unit: "of the largest",
    of: difference,
    limit: |precision| match precision {
        Precision::F32 | Precision::Int8 => 1e-4,
        Precision::F16 => 5e-3,
        Precision::Bf16 => 4e-2,
    },
};

/// Whisper's encoder has a few numbers in a thousand that any rounding moves far: of a sound that
/// nobody speaks in, f32 in candle's operators is off by 1.9e-4 of the largest and 7e-6 in the mean,
/// on the processor f16 by 0.7 and 0.05, bf16 by 0.3 and 0.01, the default's 8 bits by 1.2 and 0.06.
const MEAN: Measure = Measure {
    unit: "rms, of the rms",
    of: mean_difference,
    limit: |precision| match precision {
        Precision::F32 | Precision::Int8 => 1e-4,
        Precision::F16 | Precision::Bf16 => 0.1,
    },
};

/// See the module's head.
pub fn run(setup: &Setup, say: &mut dyn FnMut(Row)) -> Result<(), Fail> {
    let (device, _) = device::resolve(setup.device)?;
    for network in setup.networks("image_encoders", PICTURES)? {
        let cpu = ImageEncoder::load(&network.files, &Device::Cpu)?;
        let rgb = pictures(3, cpu.side_px());
        compare(say, &network.name, &cpu.embed(&rgb)?, |precision| {
            let network = ImageEncoder::load_in(&network.files, &device, precision)?;
            Ok([network.embed(&rgb)?, network.embed(&rgb)?])
        });
    }
    for network in setup.networks("text_networks", TEXTS)? {
        let cpu = SentenceBert::load(&network.files, &Device::Cpu)?;
        // Of two lengths: those of one are computed together.
        let windows = [texts(&cpu, 3, 24)?, texts(&cpu, 2, 9)?].concat();
        compare(say, &network.name, &cpu.embed(&windows)?, |precision| {
            let network = SentenceBert::load_in(&network.files, &device, precision)?;
            Ok([network.embed(&windows)?, network.embed(&windows)?])
        });
    }
    for network in setup.networks("whisper", SPEECH)? {
        let cpu = Whisper::load(&network.files, &Device::Cpu, Precision::F32)?;
        let samples = sound(window_samples(&network.name));
        let mels = cpu.log_mels(&samples);
        compare_by(say, &MEAN, &network.name, &cpu.encode(&mels)?, &PRECISIONS, |precision| {
            let network = Whisper::load(&network.files, &device, precision)?;
            Ok([network.encode(&mels)?, network.encode(&mels)?])
        });
        let words = |device: &Device, precision| -> Result<Vec<u32>, Fail> {
            let network = Whisper::load(&network.files, device, precision)?;
            let (_, windows) = network.listen(&samples, &WhisperSettings::default())?;
            Ok(windows.into_iter().flat_map(|window| window.tokens).collect())
        };
        let expected = words(&Device::Cpu, Precision::F32)?;
        for (precision, word) in PRECISIONS {
            let what = format!("{}, words", network.name);
            let row = match words(&device, precision) {
                Err(error) => Row::broken(PART, &what, chain(&*error)),
                Ok(found) => {
                    let differ = |(a, b): &(&u32, &u32)| a != b;
                    let num_other = expected.iter().zip(&found).filter(differ).count()
                        + expected.len().abs_diff(found.len());
                    let (unit, num_other) = ("other tokens", num_other as f64);
                    let row = match precision {
                        Precision::F32 => Row::within(PART, &what, num_other, 0.0, unit),
                        _ => Row::number(PART, &what, num_other, unit), // rounding may choose another
                    };
                    Row { note: format!("of {}", expected.len()), ..row }
                }
            };
            say(Row { precision: word.to_owned(), ..row });
        }
    }
    if let Some(files) = setup.trained(SHOTS)? {
        let cpu = TransNetV2::load(&files.weights, &Device::Cpu)?;
        let film: Vec<u8> = (0..60 * HEIGHT_PX * WIDTH_PX * 3)
            .map(|idx| (idx / 3 * 7 + idx / (20 * HEIGHT_PX * WIDTH_PX * 3) * 90) as u8)
            .collect();
        let found = |_| {
            let network = TransNetV2::load(&files.weights, &device)?;
            Ok([network.predict(&film)?, network.predict(&film)?])
        };
        compare_by(say, &LARGEST, SHOTS, &cpu.predict(&film)?, &PRECISIONS[..1], found);
    }
    Ok(())
}

/// Half a minute, or what the tiny network takes for it.
pub fn window_samples(name: &str) -> usize {
    if name == SPEECH { 30 * RATE_HZ } else { 9600 }
}

fn compare(
    say: &mut dyn FnMut(Row),
    what: &str,
    expected: &[f32],
    found: impl Fn(Precision) -> Result<[Vec<f32>; 2], Fail>,
) {
    compare_by(say, &LARGEST, what, expected, &PRECISIONS, found);
}

fn compare_by(
    say: &mut dyn FnMut(Row),
    measure: &Measure,
    what: &str,
    expected: &[f32],
    precisions: &[(Precision, &str)],
    found: impl Fn(Precision) -> Result<[Vec<f32>; 2], Fail>,
) {
    for (precision, name) in precisions {
        let row = match found(*precision) {
            Err(error) => Row::broken(PART, what, chain(&*error)),
            Ok([first, second]) => {
                let error = (measure.of)(&first, expected);
                let limit = (measure.limit)(*precision);
                let row = Row::within(PART, what, error, limit, measure.unit);
                if first == second {
                    row
                } else {
                    let note = "a second time it gave other numbers".to_owned();
                    Row { holds: Some(false), note, ..row }
                }
            }
        };
        say(Row { precision: (*name).to_owned(), ..row });
    }
}

/// As part of the largest number; NaN where one is none, or where there are more or fewer.
pub fn difference(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() || found.iter().any(|x| !x.is_finite()) {
        return f64::NAN;
    }
    let largest = expected.iter().fold(0_f32, |max, x| max.max(x.abs()));
    let error = found.iter().zip(expected).fold(0_f32, |max, (a, b)| max.max((a - b).abs()));
    f64::from(error / largest)
}

/// Root of the mean square, as part of that of the expected; NaN as in [`difference`].
fn mean_difference(found: &[f32], expected: &[f32]) -> f64 {
    if difference(found, expected).is_nan() {
        return f64::NAN;
    }
    let square = |x: f32| f64::from(x).powi(2);
    let error: f64 = found.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    (error / expected.iter().map(|x| square(*x)).sum::<f64>()).sqrt()
}
