"""Writes a small checkpoint in both of torch's formats, before and since 1.6, and what is in it.

Usage: python scripts/golden/pth.py

Some tensors are views whose elements do not lie in row-major order, as in the published
EfficientNet-Lite checkpoints; two share one storage.
"""

import json
from collections import OrderedDict
from pathlib import Path

import torch

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "data"


def main() -> None:
    count = torch.arange(24, dtype=torch.float32)
    shared = torch.arange(10, dtype=torch.float32) / 8
    tensors = OrderedDict(
        contiguous=count.reshape(2, 3, 4) / 4,
        channels_last=(count.reshape(2, 3, 2, 2) - 7).contiguous(memory_format=torch.channels_last),
        # Stored as [row, column, in, out], as TensorFlow has it: strides (1, 2, 18, 6).
        from_tensorflow=(torch.arange(36, dtype=torch.float32) / 2).reshape(3, 3, 2, 2).permute(3, 2, 0, 1),
        transposed=count.reshape(4, 6).t(),
        tail_of_shared=shared[3:8],
        every_other_of_shared=shared[::2],
        parameter=torch.nn.Parameter(torch.tensor([1.5, -2.5])),
        half=torch.tensor([0.5, 65504.0], dtype=torch.float16),
        double=torch.tensor([[1e-300], [3.0]], dtype=torch.float64),
        num_batches_tracked=torch.tensor(1234567890123),
        empty=torch.zeros(0, 3),
    )
    torch.save(tensors, OUT / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(tensors, OUT / "zipped.pth")
    content = {
        name: {"shape": list(t.shape), "values": t.detach().double().reshape(-1).tolist()}
        for name, t in tensors.items()
    }
    document = {"made_by": "scripts/golden/pth.py", "torch": torch.__version__, "tensors": content}
    (OUT / "pth.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
