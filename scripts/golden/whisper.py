#!/usr/bin/env python3
"""Golden numbers for Whisper: a tiny network with random weights, and real clips where they are.

    scripts/golden/whisper.py                        the tiny network
    scripts/golden/whisper.py MODEL FOLDER CLIP...   clips in a folder; MODEL is a CTranslate2 folder

Writes tests/golden/data/whisper/ and whisper.json, or whisper_clips.json. Needs ctranslate2 4.8.5,
faster-whisper 1.2.1 and numpy 2.4; ffmpeg for clips. Greedy decoding with timestamps, in float32,
without the text before a window. The sound is made of integers, so that the Rust side makes the
very same samples.
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.feature_extractor import FeatureExtractor

DATA = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data"
DIM, HEADS, LAYERS, MELS, SOUND, TEXT = 16, 2, 2, 80, 30, 32
STEERING = ["endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
WORDS = [*"abcdefghijklmnopqrstuvwxyz", *".,!?-'", "Ġ", *"ABCDEFG"]
VOCABULARY = WORDS + [f"<|{name}|>" for name in STEERING] + [f"<|{step * 0.02:.2f}|>" for step in range(SOUND + 1)]
SUPPRESSED = [VOCABULARY.index(name) for name in ["-", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]]
SUPPRESSED_FIRST = [VOCABULARY.index("Ġ"), VOCABULARY.index("<|endoftext|>")]


def variables(rng):
    def numbers(*shape, scale=1.0):
        return (rng.standard_normal(shape) * scale).astype(np.float16)

    def norm(name):
        return {f"{name}/gamma": 1 + numbers(DIM, scale=0.2), f"{name}/beta": numbers(DIM, scale=0.1)}

    def linear(name, width, depth, key=None):
        bias = numbers(width, scale=0.1)
        if key is not None:
            bias[key] = 0
        return {f"{name}/weight": numbers(width, depth, scale=1.5 * depth**-0.5), f"{name}/bias": bias}

    made = {"encoder/conv1/weight": numbers(DIM, MELS, 3, scale=0.1), "encoder/conv1/bias": numbers(DIM, scale=0.1),
            "encoder/conv2/weight": numbers(DIM, DIM, 3, scale=0.2), "encoder/conv2/bias": numbers(DIM, scale=0.1),
            "encoder/position_encodings/encodings": numbers(SOUND, DIM, scale=0.3),
            "decoder/position_encodings/encodings": numbers(TEXT, DIM),
            "decoder/embeddings/weight": numbers(len(VOCABULARY), DIM)}
    made |= norm("encoder/layer_norm") | norm("decoder/layer_norm")
    for part in ("encoder", "decoder"):
        for idx in range(LAYERS):
            layer = f"{part}/layer_{idx}"
            made |= norm(f"{layer}/self_attention/layer_norm") | norm(f"{layer}/ffn/layer_norm")
            made |= linear(f"{layer}/self_attention/linear_0", 3 * DIM, DIM, slice(DIM, 2 * DIM))
            made |= linear(f"{layer}/self_attention/linear_1", DIM, DIM)
            made |= linear(f"{layer}/ffn/linear_0", 4 * DIM, DIM) | linear(f"{layer}/ffn/linear_1", DIM, 4 * DIM)
            if part == "decoder":
                made |= norm(f"{layer}/attention/layer_norm") | linear(f"{layer}/attention/linear_0", DIM, DIM)
                made |= linear(f"{layer}/attention/linear_1", 2 * DIM, DIM, slice(0, DIM)) | linear(f"{layer}/attention/linear_2", DIM, DIM)
    flags = {"decoder/activation": 3, "decoder/alibi": 0, "decoder/pre_norm": 1, "decoder/scale_embeddings": 0, "decoder/start_from_zero_embedding": 0}
    made |= {name: np.int8(flag) for name, flag in flags.items()}
    made |= {"decoder/alignment_heads": np.int16(1), "decoder/alignment_layer": np.int16(-1)}
    made |= {"decoder/num_heads": np.int16(HEADS), "encoder/num_heads": np.int16(HEADS)}
    return made


def write_model(folder, made):
    text = lambda s: struct.pack("<H", len(s) + 1) + s.encode() + b"\0"
    kinds = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
    out = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(made))
    for name, x in sorted(made.items()):
        x = np.asarray(x)
        out += text(name) + struct.pack(f"<B{x.ndim}IBI", x.ndim, *x.shape, kinds[str(x.dtype)], x.nbytes) + x.tobytes()
    out += struct.pack("<I", 1) + text("decoder/projection/weight") + text("decoder/embeddings/weight")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_bytes(out)
    config = {"is_multilingual": True, "suppress_ids": SUPPRESSED, "suppress_ids_begin": SUPPRESSED_FIRST}
    (folder / "config.json").write_text(json.dumps(config) + "\n")
    special = [{"id": idx, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
               for idx, name in enumerate(VOCABULARY) if name.startswith("<|") and idx < len(WORDS) + len(STEERING)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
                 "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
                 "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                           "fuse_unk": False, "byte_fallback": False, "vocab": {w: i for i, w in enumerate(WORDS)}, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n")


def sound(num_samples):
    """Notes over noise, with gaps."""
    state, phase, samples = 1, 0, []
    for i in range(num_samples):
        state = (state * 1664525 + 1013904223) % 2**32
        note = i // 1000
        phase = (phase + 29527900 * (8 + note * 5 % 12) // 8) % 2**32
        tone = 2**12 if phase < 2**31 else -(2**12)
        samples.append(((state >> 16) - 2**15) // 256 + (tone if note % 7 else 0))
    return (np.array(samples) / 2**15).astype(np.float32)


def rounded(array):
    return [float(f"{x:.7g}") for x in np.asarray(array).ravel()]


def tiny():
    made = variables(np.random.default_rng(SEED))
    folder = DATA / "whisper"
    write_model(folder, made)
    with tempfile.TemporaryDirectory() as temporary:  # the reference wants a list of its own
        there = pathlib.Path(temporary)
        for name in ("model.bin", "config.json"):
            (there / name).write_bytes((folder / name).read_bytes())
        (there / "vocabulary.json").write_text(json.dumps(VOCABULARY))
        model = ctranslate2.models.Whisper(str(there), compute_type="float32", intra_threads=1)
        samples = sound(9600)
        mels = FeatureExtractor(feature_size=MELS)(samples)[:, : 2 * SOUND]
        features = ctranslate2.StorageView.from_array(np.ascontiguousarray(mels[None]))
        encoded = np.array(model.encode(features))[0]
        texts = {}
        for language, task in (("en", "transcribe"), ("de", "translate")):
            prompt = [VOCABULARY.index(f"<|{name}|>") for name in ("startoftranscript", language, task)]
            result = model.generate(features, [prompt], beam_size=1, max_length=TEXT, return_scores=True, return_no_speech_prob=True,
                                    suppress_blank=True, suppress_tokens=[-1], max_initial_timestamp_index=50)[0]
            tokens = result.sequences_ids[0]
            texts[language] = {"tokens": tokens, "no_speech": result.no_speech_prob,
                               "avg_logprob": result.scores[0] * len(tokens) / (len(tokens) + 1)}
    golden = {"log_mels": rounded(mels.T), "encoded": rounded(encoded), "texts": texts}
    (DATA / "whisper.json").write_text(json.dumps(golden) + "\n")
    return texts


VOICE = "A detective returns to the city where her brother was killed. She has one night to find the man who did it, before the trial begins. This summer, nobody tells the truth."


def clips(folder, root, paths):
    """Tokens of the windows that the reference does not take for silent, by their first frame."""
    model = WhisperModel(folder, compute_type="float32", cpu_threads=1)
    golden = {}
    for path in [*paths, "espeak-ng"]:
        source = str(pathlib.Path(root) / path)
        if path == "espeak-ng":
            source = str(pathlib.Path(tempfile.mkdtemp()) / "voice.wav")
            subprocess.run(["espeak-ng", "-s", "150", "-w", source, VOICE], check=True)
        pcm = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", source, "-ac", "1", "-ar", "16000", "-f", "f32le", "-"],
                             check=True, capture_output=True).stdout
        samples = np.frombuffer(pcm, np.float32)
        segments, info = model.transcribe(samples, beam_size=1, temperature=[0.0], condition_on_previous_text=False)
        windows = {}
        for segment in segments:
            windows.setdefault(segment.seek, []).extend(segment.tokens)
        golden[path] = windows
    version = subprocess.run(["espeak-ng", "--version"], check=True, capture_output=True, text=True).stdout
    golden = {"espeak-ng": version.strip().split("  ")[0], "voice": VOICE, "clips": golden}
    (DATA / "whisper_clips.json").write_text(json.dumps(golden) + "\n")
    return golden


SEED = 4
if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(tiny())
    else:
        print(clips(sys.argv[1], sys.argv[2], sys.argv[3:]))
