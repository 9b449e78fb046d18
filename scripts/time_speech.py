#!/usr/bin/env python3
"""The sounds of `scripts/bench_speech` heard by faster-whisper, one thread.

    scripts/time_speech.py FOLDER MODEL SAMPLES…

FOLDER is CTranslate2's, MODEL its name for the table; SAMPLES are 16 kHz mono floats. One line a
measurement: library, model, sound, seconds, windows, CPU seconds, CPU seconds a window.
"""
import sys
import time

import numpy as np
from faster_whisper import WhisperModel

ROUNDS = 3

folder, name, *paths = sys.argv[1:]
for precision in ("int8", "float32"):
    model = WhisperModel(folder, device="cpu", compute_type=precision, cpu_threads=1)
    encode, windows = model.encode, [0]

    def counted(features):
        windows[0] += 1
        return encode(features)

    model.encode = counted
    for path in paths:
        samples = np.fromfile(path, np.float32)
        least = float("inf")
        for _ in range(ROUNDS):
            windows[0], started = 0, time.process_time()
            segments, _ = model.transcribe(samples, beam_size=1, temperature=[0.0], condition_on_previous_text=False)
            list(segments)
            least = min(least, time.process_time() - started)
        print(f"faster-whisper {precision}\t{name}\t{path}\t{len(samples) / 16000:.1f}\t{windows[0]}\t{least:.2f}\t{least / windows[0]:.3f}", flush=True)
