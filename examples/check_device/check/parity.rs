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

/// How near, as part of the largest number: the tests' own (`tests/golden/devices.rs`).
fn limit(precision: Precision) -> f64 {
    match precision {
        Precision::F32 | Precision::Int8 => 1e-4,
        Precision::F16 => 5e-3,
        Precision::Bf16 => 4e-2,
    }
}

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
        compare(say, &network.name, &cpu.encode(&mels)?, |precision| {
            let network = Whisper::load(&network.files, &device, precision)?;
            Ok([network.encode(&mels)?, network.encode(&mels)?])
        });
        let words = |network: &Whisper| -> Result<Vec<u32>, Fail> {
            let (_, windows) = network.listen(&samples, &WhisperSettings::default())?;
            Ok(windows.into_iter().flat_map(|window| window.tokens).collect())
        };
        let expected = words(&cpu)?;
        let found = Whisper::load(&network.files, &device, Precision::F32)
            .map_err(Fail::from)
            .and_then(|network| words(&network));
        say(match found {
            Err(error) => Row::broken(PART, &format!("{}, words", network.name), chain(&*error)),
            Ok(found) => {
                let num_other = expected.iter().zip(&found).filter(|(a, b)| a != b).count()
                    + expected.len().abs_diff(found.len());
                let note = format!("of {}", expected.len());
                let what = format!("{}, words", network.name);
                let row = Row::within(PART, &what, num_other as f64, 0.0, "other tokens");
                Row { precision: "f32".to_owned(), note, ..row }
            }
        });
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
        compare_in(say, SHOTS, &cpu.predict(&film)?, &PRECISIONS[..1], found);
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
    compare_in(say, what, expected, &PRECISIONS, found);
}

fn compare_in(
    say: &mut dyn FnMut(Row),
    what: &str,
    expected: &[f32],
    precisions: &[(Precision, &str)],
    found: impl Fn(Precision) -> Result<[Vec<f32>; 2], Fail>,
) {
    for (precision, name) in precisions {
        let row = match found(*precision) {
            Err(error) => Row::broken(PART, what, chain(&*error)),
            Ok([first, second]) => {
                let error = difference(&first, expected);
                let row = Row::within(PART, what, error, limit(*precision), "of the largest");
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
