#!/usr/bin/env python3
"""Golden numbers for the last layers of a sentence network: PyTorch's vectors and gradients.

Writes tests/golden/data/torch_fine_tuning.json. Needs torch, transformers, and the tiny networks
that text_networks.py wrote; transformers' own classes in training mode but for the dropout.
Texts of 9, 3 and 14 tokens, each by itself, without padding. Gradients of matrices stand here for
BERT alone: the others differ from it in names and pooling.
"""
import json
import pathlib

import numpy as np
import torch
import transformers

DATA = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data"
OUT = DATA / "torch_fine_tuning.json"
COUNTS = [9, 3, 14]
FAMILIES = {"bert": 2, "distilbert": 1, "xlm-roberta": 1}  # layers that are trained

rng = np.random.default_rng(5)
listed = lambda x: [float(f"{v:.6g}") for v in x.detach().reshape(-1).tolist()]


def pooled(kind, x):
    return {"cls": lambda: x[0], "max": lambda: x.max(0).values, "mean": lambda: x.mean(0)}[kind]()


golden = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__}, "networks": {}}
for name, layers in FAMILIES.items():
    network = transformers.AutoModel.from_pretrained(DATA / "text_networks" / name, attn_implementation="eager").eval()
    pooling = json.loads((DATA / "text_networks" / f"{name}/1_Pooling/config.json").read_text())
    kind = pooling.get("pooling_mode") or next(k.split("_")[2] for k, v in pooling.items() if v is True)
    below = network.config.num_hidden_layers - layers
    trained = {n: p for n, p in network.named_parameters() if any(f"layer.{i}." in n for i in range(below, below + layers))}
    texts = [rng.integers(4, network.config.vocab_size, n).tolist() for n in COUNTS]
    rows = [pooled(kind, network(torch.tensor([ids])).last_hidden_state[0]) for ids in texts]
    out = torch.nn.functional.normalize(torch.stack(rows))
    toward = torch.tensor(np.round(rng.normal(size=out.shape), 3), dtype=torch.float32)
    grads = torch.autograd.grad((out * toward).sum(), list(trained.values()))
    golden["networks"][name] = {
        "layers": layers,
        "texts": texts,
        "out": listed(out),
        "toward": listed(toward),
        "gradients": {n: listed(g) for n, g in zip(trained, grads) if layers > 1 or g.dim() == 1},
    }
OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size)
