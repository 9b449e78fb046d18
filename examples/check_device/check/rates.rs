//! How many pictures, texts and seconds of sound a second, by precision and batch; and what
//! PyTorch is to do the same with.

use std::{fs, path::Path, process::Command, time::Instant};

use cinetag::nn::{
    Device, ImageEncoder, NnError, Precision, SentenceBert, Whisper, device,
    whisper::{RATE_HZ, WhisperSettings},
};
use serde_json::json;

use super::{
    Fail, Row, Setup,
    networks::{PICTURES, PRECISIONS, SPEECH, TEXTS, pictures, sound, texts},
    parity::window_samples,
    row::chain,
};

const PART: &str = "rates";
/// A run of pictures; a device is fed 32 at once by the program.
const PICTURES_AT_ONCE: [usize; 6] = [1, 8, 32, 128, 512, 2048];
/// A device computes 32 windows at once, however many there are.
const TEXTS_AT_ONCE: [usize; 4] = [1, 8, 32, 128];
const TOKENS: usize = 128;
/// The median of so many counts.
const ROUNDS: usize = 3;

/// See the module's head. Leaves `out/torch.json`.
pub fn run(setup: &Setup, say: &mut dyn FnMut(Row)) -> Result<(), Fail> {
    let (device, _) = device::resolve(setup.device)?;
    let mut jobs = Vec::new();
    if let Some(network) = setup.networks("image_encoders", PICTURES)?.pop() {
        let side = ImageEncoder::load(&network.files, &Device::Cpu)?.side_px();
        let rgb = pictures(32, side).repeat(PICTURES_AT_ONCE[5] / 32);
        let rates = Rates { what: &network.name, unit: "pictures a second", of_one: 1.0 };
        for (precision, word) in PRECISIONS {
            let network = ImageEncoder::load_in(&network.files, &device, precision);
            rates.measure(setup, say, word, &PICTURES_AT_ONCE, network, |network, batch| {
                network.embed(&rgb[..batch * side * side * 3]).map(drop)
            });
        }
        jobs.push(
            json!({ "kind": "pictures", "what": network.name, "unit": rates.unit, "side": side,
            "batches": PICTURES_AT_ONCE }),
        );
    }
    if let Some(network) = setup.networks("text_networks", TEXTS)?.pop() {
        let cpu = SentenceBert::load(&network.files, &Device::Cpu)?;
        let tokens = TOKENS.min(cpu.max_tokens());
        let windows = texts(&cpu, 128, tokens)?;
        let rates = Rates { what: &network.name, unit: "texts a second", of_one: 1.0 };
        for (precision, word) in PRECISIONS {
            let network = SentenceBert::load_in(&network.files, &device, precision);
            rates.measure(setup, say, word, &TEXTS_AT_ONCE, network, |network, batch| {
                network.embed(&windows[..batch]).map(drop)
            });
        }
        let folder = network.files.weights.parent();
        jobs.push(
            json!({ "kind": "texts", "what": network.name, "unit": rates.unit, "tokens": tokens,
            "batches": TEXTS_AT_ONCE, "folder": folder }),
        );
    }
    if let Some(network) = setup.networks("whisper", SPEECH)?.pop() {
        let samples = sound(window_samples(&network.name));
        let secs = samples.len() as f64 / RATE_HZ as f64;
        let mels = Whisper::load(&network.files, &Device::Cpu, Precision::F32)?.log_mels(&samples);
        let encoder = format!("{}, encoder", network.name);
        let unit = "seconds of sound a second";
        let mut num_tokens = 0;
        for (precision, word) in PRECISIONS {
            let load = || Whisper::load(&network.files, &device, precision);
            let rates = Rates { what: &encoder, unit, of_one: secs };
            rates.measure(setup, say, word, &[1], load(), |network, _| {
                network.encode(&mels).map(drop)
            });
            let rates = Rates { what: &network.name, unit, of_one: secs };
            rates.measure(setup, say, word, &[1], load(), |network, _| {
                network.listen(&samples, &WhisperSettings::default()).map(drop)
            });
            let tokens = load().and_then(|n| n.listen(&samples, &WhisperSettings::default()));
            let tokens =
                tokens.map_or(0, |(_, windows)| windows.iter().map(|w| w.tokens.len()).sum());
            num_tokens = num_tokens.max(tokens);
        }
        jobs.push(json!({ "kind": "speech", "what": network.name, "unit": unit, "secs": secs,
            "tokens": num_tokens, "batches": [1] }));
    }
    fs::write(setup.out.join("torch.json"), serde_json::to_vec(&jobs)?)?;
    Ok(())
}

/// PyTorch on the same shapes.
pub fn torch(setup: &Setup, script: &Path) -> Command {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command.args(["-W", "ignore"]).arg(script).arg(setup.out.join("torch.json"));
    command.arg(setup.device.to_string()).arg(setup.secs.to_string());
    // Not the libraries that are packed for this program.
    if let Some(path) = std::env::var_os("PLAIN_LIBRARY_PATH") {
        command.env("LD_LIBRARY_PATH", path);
    }
    command
}

struct Rates<'a> {
    what: &'a str,
    unit: &'a str,
    /// What one item counts.
    of_one: f64,
}

impl Rates<'_> {
    /// Raises the batch until one takes as long as three measurements, or does not fit.
    fn measure<N>(
        &self,
        setup: &Setup,
        say: &mut dyn FnMut(Row),
        precision: &str,
        batches: &[usize],
        network: Result<N, NnError>,
        run: impl Fn(&N, usize) -> Result<(), NnError>,
    ) {
        let network = match network {
            Ok(network) => network,
            Err(error) => {
                let row = Row::broken(PART, self.what, chain(&error));
                return say(Row { precision: precision.to_owned(), ..row });
            }
        };
        for &batch in batches {
            let row = match rate(setup.secs, || run(&network, batch)) {
                Ok((rate, secs)) => {
                    let per_second = rate * batch as f64 * self.of_one;
                    let row = Row::number(PART, self.what, per_second, self.unit);
                    (row, secs < 3.0 * setup.secs)
                }
                Err(error) if batch == batches[0] => {
                    (Row::broken(PART, self.what, chain(&error)), false)
                }
                Err(error) => {
                    let row = Row::number(PART, self.what, f64::NAN, self.unit);
                    (Row { note: format!("does not fit: {}", chain(&error)), ..row }, false)
                }
            };
            say(Row { precision: precision.to_owned(), batch, ..row.0 });
            if !row.1 {
                return;
            }
        }
    }
}

/// Calls a second, and the seconds of one.
fn rate(secs: f64, call: impl Fn() -> Result<(), NnError>) -> Result<(f64, f64), NnError> {
    call()?; // kernels are compiled, memory is mapped
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let (started, mut calls) = (Instant::now(), 0);
        while calls == 0 || started.elapsed().as_secs_f64() < secs {
            call()?;
            calls += 1;
        }
        rates.push(f64::from(calls) / started.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    Ok((rates[ROUNDS / 2], 1.0 / rates[ROUNDS / 2]))
}
