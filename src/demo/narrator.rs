//! A voice that reads a trailer's plot, where a speech synthesiser is installed.
//!
//! in: a text; out: mono samples. `espeak-ng` is asked, a program of its own; without it trailers
//! have music alone.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::OnceLock,
};

const PROGRAM: &str = "espeak-ng";
/// Words a minute.
const SPEED: &str = "170";
/// A WAV file's head as espeak-ng writes it: 16-bit mono behind 44 bytes.
const HEAD_BYTES: usize = 44;
const RATE_AT: usize = 24;

/// The synthesiser's name and version; `None` where there is none. It is part of what a trailer
/// is made from.
pub(super) fn voice() -> Option<&'static str> {
    static VOICE: OnceLock<Option<String>> = OnceLock::new();
    let ask = || {
        let output = Command::new(PROGRAM).arg("--version").output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        // What follows are folders of this machine.
        let version = said.split("Data at").next()?.trim().to_owned();
        (output.status.success() && !version.is_empty()).then_some(version)
    };
    VOICE.get_or_init(ask).as_deref()
}

/// The text as it is said, at the synthesiser's rate: samples and their rate in Hz. `None` where
/// there is no synthesiser or it fails.
pub(super) fn read_aloud(text: &str) -> Option<(Vec<f32>, u32)> {
    voice()?;
    let mut child = Command::new(PROGRAM)
        .args(["-v", "en-us", "-s", SPEED, "--stdin", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let (head, sound) = output.stdout.split_at_checked(HEAD_BYTES)?;
    let rate_hz = u32::from_le_bytes(head.get(RATE_AT..RATE_AT + 4)?.try_into().ok()?);
    let samples: Vec<f32> = sound
        .as_chunks::<2>()
        .0
        .iter()
        .map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0)
        .collect();
    (output.status.success() && !samples.is_empty() && rate_hz > 0).then_some((samples, rate_hz))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_as_long_as_it_is_long() {
        let Some(voice) = voice() else {
            assert!(read_aloud("a").is_none());
            return;
        };
        assert!(voice.to_lowercase().contains("espeak"), "{voice}");
        let secs = |text: &str| {
            let (samples, rate_hz) = read_aloud(text).unwrap();
            assert!(samples.iter().any(|x| x.abs() > 0.05), "it is to be heard");
            samples.len() as f32 / rate_hz as f32
        };
        let (short, long) = (secs("A locksmith."), secs(&"A locksmith opens a door. ".repeat(4)));
        assert!(short > 0.3 && long > 4.0 * short, "{short} s, {long} s");
    }
}
