#!/usr/bin/env python3
"""Golden numbers for the late-fusion head: PyTorch's logits, attention, losses and gradients.

Writes tests/golden/data/torch_head.json. Needs torch, numpy.
Three branches: attention over several rows, a mean over several rows, one row a title; titles
with each modality missing. Parameters are named as in src/learn/heads/fusion_net.rs.
"""
import json
import pathlib

import numpy as np
import torch

F = torch.nn.functional
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/torch_head.json"
HIDDEN, GENRES, TITLES = 4, 3, 5
BRANCHES = [  # dim, queries (0: mean), rows of each title (0: missing)
    (5, 2, [3, 1, 0, 2, 0]),
    (3, 0, [2, 0, 4, 1, 0]),
    (6, 0, [1, 1, 0, 0, 1]),
]
UNIMODAL_LOSS = 0.5

rng = np.random.default_rng(7)


def draw(*shape):
    # Few digits, so that both sides start from the same numbers.
    return torch.tensor(np.round(rng.normal(size=shape), 3), dtype=torch.float32)


params = {}
for m, (dim, queries, _) in enumerate(BRANCHES):
    params[f"branches.{m}.projection.weight"] = draw(HIDDEN, dim)
    params[f"branches.{m}.projection.bias"] = draw(HIDDEN)
    if queries:
        params[f"branches.{m}.pool.queries"] = draw(queries, HIDDEN)
    params[f"branches.{m}.output.weight"] = draw(GENRES, max(queries, 1) * HIDDEN)
    params[f"branches.{m}.output.bias"] = draw(GENRES)
params["fusion.weight"] = draw(GENRES, len(BRANCHES))
params["fusion.gain"] = draw(len(BRANCHES))
inputs = [draw(sum(counts), dim) for dim, _, counts in BRANCHES]
targets = torch.tensor(np.round(rng.random((TITLES, GENRES)), 2), dtype=torch.float32)
pos_weight = torch.tensor([1.0, 2.5, 4.0])
for p in params.values():
    p.requires_grad_()


def branch(m):
    """Logits and attention of each title that has the modality."""
    _, queries, counts = BRANCHES[m]
    p = lambda name: params[f"branches.{m}.{name}"]
    rows = F.gelu(F.linear(inputs[m], p("projection.weight"), p("projection.bias")), approximate="tanh")
    logits, attention, vectors, start = {}, {}, {}, 0
    for title, count in enumerate(counts):
        if not count:
            continue
        own = rows[start : start + count]
        start += count
        if queries:
            weights = torch.softmax(p("pool.queries") @ own.T / HIDDEN**0.5, dim=1)
            attention[title] = weights.mean(0)
            pooled = (weights @ own).reshape(-1)
        else:
            pooled = own.mean(0)
        vectors[title] = pooled
        logits[title] = F.linear(pooled, p("output.weight"), p("output.bias"))
    return logits, attention, vectors


outputs = [branch(m) for m in range(len(BRANCHES))]
weights = F.softplus(params["fusion.weight"])
fused = []
for title in range(TITLES):
    there = [m for m in range(len(BRANCHES)) if title in outputs[m][0]]
    num = sum(weights[:, m] * outputs[m][0][title] for m in there)
    den = sum(weights[:, m] for m in there)
    gain = torch.exp(params["fusion.gain"][len(there) - 1]) if len(there) > 1 else 1.0
    fused.append(gain * num / den)
fused = torch.stack(fused)


def bce(logits, targets):
    return F.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=pos_weight, reduction="none"
    )


def asymmetric(logits, targets):
    """Ridnik et al. 2021, equation 7, gamma 0 and 4, margin 0.05, with weights on positives."""
    p = torch.sigmoid(logits)
    shifted = (p - 0.05).clamp(min=0)
    on_positives = -pos_weight * targets * F.logsigmoid(logits)
    on_negatives = -(1 - targets) * shifted**4 * torch.log(1 - shifted)
    return on_positives + on_negatives


def focal(logits, targets):
    """Lin et al. 2017, equation 5, gamma 2, with weights on positives."""
    p = torch.sigmoid(logits)
    on_positives = -pos_weight * targets * (1 - p) ** 2 * F.logsigmoid(logits)
    on_negatives = -(1 - targets) * p**2 * F.logsigmoid(-logits)
    return on_positives + on_negatives


def mean(losses, weights):
    """Over the labels that are known, each as it weighs."""
    return losses.mean() if weights is None else (losses * weights).sum() / weights.sum()


def total(loss, fused=fused, weights=None):
    value = mean(loss(fused, targets), weights)
    for logits, *_ in outputs:
        titles = sorted(logits)
        own = loss(torch.stack([logits[t] for t in titles]), targets[titles])
        own = mean(own, None if weights is None else weights[titles])
        value = value + UNIMODAL_LOSS * len(titles) / TITLES * own
    return value


def listed(x):
    return [float(f"{v:.9g}") for v in x.detach().reshape(-1).tolist()]


def losses(weights=None):
    all_losses = {}
    for name, loss in (("bce", bce), ("asymmetric", asymmetric), ("focal", focal)):
        value = total(loss, weights=weights)
        grads = torch.autograd.grad(value, list(params.values()), retain_graph=True)
        all_losses[name] = {
            "value": value.item(),
            "gradients": {n: listed(g) for n, g in zip(params, grads)},
        }
    return all_losses


# 0: nobody knows whether the title has the genre.
label_weights = torch.tensor(
    [[1, 0, 2], [0, 1, 0.5], [1, 1, 0], [0, 0, 0], [2, 1, 1]], dtype=torch.float32
)


def joint(kind):
    """Arevalo et al. 2017: the gated multimodal unit; or one layer over all units side by side."""
    units = [max(queries, 1) * HIDDEN for _, queries, _ in BRANCHES]
    wide = sum(units) + len(BRANCHES)
    own = {}

    def layer(name, inputs, width):
        own[f"joint.{name}.weight"] = draw(width, inputs)
        own[f"joint.{name}.bias"] = draw(width)

    if kind == "gated":
        for m, width in enumerate(units):
            layer(f"value.{m}", width, HIDDEN)
            layer(f"gate.{m}", wide, HIDDEN)
    else:
        layer("hidden", wide, HIDDEN)
    layer("output", HIDDEN, GENRES)
    for p in own.values():
        p.requires_grad_()
    linear = lambda name, x: F.linear(x, own[f"joint.{name}.weight"], own[f"joint.{name}.bias"])
    rows = []
    for title in range(TITLES):
        parts = [outputs[m][2].get(title, torch.zeros(w)) for m, w in enumerate(units)]
        missing = torch.tensor([float(title not in o[2]) for o in outputs])
        everything = torch.cat([*parts, missing])
        if kind == "gated":
            hidden = sum(
                torch.sigmoid(linear(f"gate.{m}", everything)) * torch.tanh(linear(f"value.{m}", x))
                for m, x in enumerate(parts)
                if not missing[m]
            )
        else:
            hidden = F.gelu(linear("hidden", everything), approximate="tanh")
        rows.append(linear("output", hidden))
    logits = torch.stack(rows)
    branches = {n: p for n, p in params.items() if n.startswith("branches.")}
    everything = branches | own
    value = total(bce, logits)
    grads = torch.autograd.grad(value, list(everything.values()), retain_graph=True)
    return {
        "params": {n: {"shape": list(p.shape), "values": listed(p)} for n, p in own.items()},
        "fused": listed(logits),
        "loss": {
            "value": value.item(),
            "gradients": {n: listed(g) for n, g in zip(everything, grads)},
        },
    }


out = {
    "versions": {"torch": torch.__version__, "numpy": np.__version__},
    "script": "scripts/golden/torch_head.py",
    "hidden": HIDDEN,
    "genres": GENRES,
    "titles": TITLES,
    "unimodal_loss": UNIMODAL_LOSS,
    "branches": [
        {"dim": d, "queries": q, "counts": c, "inputs": listed(x)}
        for (d, q, c), x in zip(BRANCHES, inputs)
    ],
    "params": {n: {"shape": list(p.shape), "values": listed(p)} for n, p in params.items()},
    "targets": listed(targets),
    "pos_weight": listed(pos_weight),
    "logits": [[listed(l[t]) for t in sorted(l)] for l, *_ in outputs],
    "attention": [[listed(a[t]) for t in sorted(a)] for _, a, _ in outputs],
    "fused": listed(fused),
    "losses": losses(),
    "label_weights": listed(label_weights),
    "partly_known": losses(label_weights),
    "joint": {kind: joint(kind) for kind in ("gated", "concatenated")},
}
OUT.write_text(json.dumps(out, separators=(",", ":")) + "\n")
print(OUT, fused.detach().numpy())
