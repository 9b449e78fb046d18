#!/usr/bin/env python3
"""Golden numbers for the descriptors that src/encode/audio computes on request.

librosa's log mels, chroma, spectral contrast and tempo; FFmpeg's EBU R 128.
Writes tests/golden/data/librosa_extra.json. Needs librosa, numpy and the program ffmpeg.
The sound is made of integers, so that the Rust side makes the very same samples.
"""
import json
import pathlib
import re
import subprocess
import warnings

import librosa
import numpy as np

warnings.filterwarnings("ignore")
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/librosa_extra.json"
RATE_HZ = 22050
SECS = 12
EVERY = 25  # frames of which series are written down


def sound():
    """Bursts of two square waves over noise, 128 a minute, quieter by the second."""
    state, phase, samples = 1, 0, []
    beat = RATE_HZ * 60 // 128
    for i in range(RATE_HZ * SECS):
        state = (state * 1664525 + 1013904223) % 2**32
        note = 85704 * (3 if (i // beat) % 2 else 2)  # 440 Hz and 660 Hz in parts of 2**32 / 50
        phase = (phase + note * 1000) % 2**32
        tone = (2**13 if phase < 2**31 else -(2**13)) if i % beat < beat // 4 else 0
        value = ((state >> 16) - 2**15) // 64 + tone
        samples.append(value >> (i // RATE_HZ // 3))
    return (np.array(samples) / 2**15).astype(np.float32)


def rounded(array):
    return [[float(f"{x:.8g}") for x in row] for row in np.atleast_2d(array)]


def r128(samples):
    run = subprocess.run(
        ["ffmpeg", "-nostdin", "-f", "f32le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "-",
         "-af", "ebur128", "-f", "null", "-"],
        input=samples.tobytes(), capture_output=True, check=True,
    )
    log = run.stderr.decode()
    summary = log[log.rindex("Summary:"):]
    number = lambda name: float(re.search(rf"\b{name}:\s+(-?[\d.]+)", summary)[1])
    momentary = [float(x) for x in re.findall(r"\bM:\s*(-?[\d.]+)", log)]
    return {"integrated": number("I"), "range": number("LRA"), "momentary_max": max(momentary)}


y = sound()
magnitude = np.abs(librosa.stft(y, pad_mode="constant"))
mel = librosa.feature.melspectrogram(y=y, sr=RATE_HZ, pad_mode="constant")
onsets = librosa.onset.onset_strength(y=y, sr=RATE_HZ, center=False)
tempo = librosa.feature.tempo(onset_envelope=onsets, sr=RATE_HZ)[0]
tempogram = librosa.feature.tempogram(onset_envelope=onsets, sr=RATE_HZ, win_length=344)
period = int(round(60 * RATE_HZ / 512 / tempo))
golden = {
    "script": "scripts/golden/librosa_extra.py",
    "versions": {
        "librosa": librosa.__version__,
        "numpy": np.__version__,
        "ffmpeg": subprocess.run(["ffmpeg", "-version"], capture_output=True, check=True)
        .stdout.decode().split()[2],
    },
    "checksum": int(np.abs(y * 2**15).astype(np.int64).sum()),
    "every": EVERY,
    "log_mel": rounded(librosa.power_to_db(mel)[:, ::EVERY]),
    "chroma": rounded(librosa.feature.chroma_stft(S=magnitude**2, sr=RATE_HZ, tuning=0)[:, ::EVERY]),
    "contrast": rounded(librosa.feature.spectral_contrast(S=magnitude, sr=RATE_HZ)[:, ::EVERY]),
    "tempo_bpm": float(tempo),
    "pulse": float(tempogram.mean(axis=1)[period]),
    "r128": r128(y),
}
OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
