#!/usr/bin/env python3
"""Golden numbers for src/encode/audio: librosa's MFCC, deltas and descriptors.

Writes tests/golden/data/librosa_mfcc.json. Needs librosa, numpy, scipy.
The sound is made of integers, so that the Rust side makes the very same samples.
"""
import json
import pathlib
import warnings

import librosa
import numpy as np
import scipy

warnings.filterwarnings("ignore")
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/librosa_mfcc.json"
RATE_HZ = 22050


def sound(num_samples):
    """A chirping square wave over noise, with a silent and a very quiet third."""
    state, phase, samples = 1, 0, []
    for i in range(num_samples):
        state = (state * 1664525 + 1013904223) % 2**32
        phase = (phase + 2**22 + i * 2**9) % 2**32
        value = ((state >> 16) - 2**15) // 8 + (2**14 if phase < 2**31 else -(2**14))
        third = 3 * i // num_samples
        samples.append(0 if third == 1 else value >> (9 if third == 2 else 0))
    return (np.array(samples) / 2**15).astype(np.float32)


def rounded(array):
    return [[float(f"{x:.8g}") for x in row] for row in np.atleast_2d(array)]


y = sound(16000)
magnitude = np.abs(librosa.stft(y, pad_mode="constant"))
mfcc = {
    "slaney": librosa.feature.mfcc(y=y, sr=RATE_HZ, n_mfcc=20),
    "htk": librosa.feature.mfcc(y=y, sr=RATE_HZ, n_mfcc=20, htk=True),
}
# The same without a limit below the loudest mel, and with other frames and filters.
mel = librosa.feature.melspectrogram(
    y=y, sr=RATE_HZ, n_fft=1000, hop_length=300, n_mels=40, fmin=50, fmax=8000
)
mfcc["no_limit"] = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=13)
descriptors = np.concatenate(
    [
        20 * np.log10(np.maximum(1e-5, librosa.feature.rms(y=y))),
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.spectral_centroid(S=magnitude, sr=RATE_HZ) / 1000,
        librosa.feature.spectral_rolloff(S=magnitude, sr=RATE_HZ) / 1000,
        librosa.power_to_db(librosa.feature.spectral_flatness(S=magnitude), top_db=None),
        librosa.onset.onset_strength(y=y, sr=RATE_HZ, center=False)[None],
    ]
)
golden = {
    "script": "scripts/golden/librosa_mfcc.py",
    "versions": {"librosa": librosa.__version__, "numpy": np.__version__, "scipy": scipy.__version__},
    "num_samples": len(y),
    "checksum": int(np.abs(y * 2**15).astype(np.int64).sum()),
    "mfcc": {name: rounded(values) for name, values in mfcc.items()},
    "delta": rounded(librosa.feature.delta(mfcc["slaney"])),
    "delta_delta": rounded(librosa.feature.delta(mfcc["slaney"], order=2)),
    "descriptors": rounded(descriptors),
}
OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
