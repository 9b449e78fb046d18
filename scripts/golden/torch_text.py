#!/usr/bin/env python3
"""Golden numbers for the networks over words: PyTorch's outputs and gradients.

Writes tests/golden/data/torch_text.json. Needs torch, numpy.
Texts of 7, 1, 4 and 12 words, padded with word 0.
"""
import json
import pathlib

import numpy as np
import torch

F = torch.nn.functional
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/torch_text.json"
WORDS, EMBEDDING, HIDDEN, MAX_WORDS = 11, 4, 3, 12
COUNTS = [7, 1, 4, 12]

rng = np.random.default_rng(3)
draw = lambda *shape: torch.tensor(np.round(rng.normal(size=shape), 3), dtype=torch.float32)
ids = [torch.tensor(rng.integers(1, WORDS, n)) for n in COUNTS]
listed = lambda x: [float(f"{v:.9g}") for v in x.detach().reshape(-1).tolist()]


def with_params(module, p, prefix):
    return lambda *a: torch.func.functional_call(module, {k: p[prefix + k] for k, _ in module.named_parameters()}, a)


def rnn(kind):
    module = (torch.nn.LSTM if kind == "lstm" else torch.nn.GRU)(EMBEDDING, HIDDEN, batch_first=True)
    p = {"embedding.weight": draw(WORDS, EMBEDDING)}
    p |= {"rnn." + n: draw(*v.shape) for n, v in module.named_parameters()}
    call = with_params(module, p, "rnn.")
    return p, lambda: torch.stack([call(p["embedding.weight"][t].unsqueeze(0))[0][0, -1] for t in ids])


def conv(x, weight, bias, kernel):
    """weight [filters, kernel * embedding], as one window is laid out."""
    w = weight.reshape(-1, kernel, EMBEDDING).transpose(1, 2)
    return F.relu(F.conv1d(x.transpose(1, 2), w, bias)).transpose(1, 2)


def cnn():
    p = {"embedding.weight": draw(WORDS, EMBEDDING)}
    for k in (3, 4, 5):
        p |= {f"conv{k}.weight": draw(HIDDEN, k * EMBEDDING), f"conv{k}.bias": draw(HIDDEN)}

    def run():
        rows = []
        for t in ids:
            own = []
            for k in (3, 4, 5):
                t_k = F.pad(t, (0, max(0, k - len(t))))
                x = p["embedding.weight"][t_k].unsqueeze(0)
                own.append(conv(x, p[f"conv{k}.weight"], p[f"conv{k}.bias"], k)[0].max(0).values)
            rows.append(torch.cat(own))
        return torch.stack(rows)

    return p, run


def cnn_rnn():
    module = torch.nn.GRU(HIDDEN, HIDDEN, batch_first=True)
    p = {"embedding.weight": draw(WORDS, EMBEDDING)}
    p |= {"rnn." + n: draw(*v.shape) for n, v in module.named_parameters()}
    p |= {"conv.weight": draw(HIDDEN, 3 * EMBEDDING), "conv.bias": draw(HIDDEN)}
    call = with_params(module, p, "rnn.")

    def run():
        rows = []
        for t in ids:
            n = len(t)
            steps = -(-n // 4)
            x = p["embedding.weight"][F.pad(t, (0, 4 * steps + 2 - n))].unsqueeze(0)
            y = conv(x, p["conv.weight"], p["conv.bias"], 3)[0]
            y = torch.cat([y[:n], torch.zeros(4 * steps - n, HIDDEN)])
            pooled = y.reshape(steps, 4, HIDDEN).max(1).values
            rows.append(call(pooled.unsqueeze(0))[0][0, -1])
        return torch.stack(rows)

    return p, run


def transformer():
    module = torch.nn.TransformerEncoderLayer(EMBEDDING, 2, 2 * EMBEDDING, dropout=0.0, batch_first=True)
    p = {"embedding.weight": draw(WORDS, EMBEDDING), "position.weight": draw(MAX_WORDS, EMBEDDING)}
    p |= {n: draw(*v.shape) for n, v in module.named_parameters()}
    call = with_params(module, p, "")

    def run():
        rows = []
        for t in ids:
            x = p["embedding.weight"][t] + p["position.weight"][: len(t)]
            rows.append(call(x.unsqueeze(0))[0].mean(0))
        return torch.stack(rows)

    return p, run


golden = {
    "versions": {"torch": torch.__version__, "numpy": np.__version__},
    "words": WORDS, "embedding": EMBEDDING, "hidden": HIDDEN, "max_words": MAX_WORDS,
    "counts": COUNTS, "ids": [int(i) for t in ids for i in t], "kinds": {},
}
for kind, (p, run) in {
    "lstm": rnn("lstm"), "gru": rnn("gru"), "cnn": cnn(), "cnn-rnn": cnn_rnn(), "transformer": transformer(),
}.items():
    for x in p.values():
        x.requires_grad_()
    out = run()
    toward = draw(*out.shape)
    grads = torch.autograd.grad((out * toward).sum(), list(p.values()))
    golden["kinds"][kind] = {
        "params": {n: {"shape": list(x.shape), "values": listed(x)} for n, x in p.items()},
        "out": listed(out),
        "toward": listed(toward),
        "gradients": {n: listed(g) for n, g in zip(p, grads)},
    }
OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size)
