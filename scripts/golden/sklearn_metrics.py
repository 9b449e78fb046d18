#!/usr/bin/env python3
"""Golden numbers for src/eval: scikit-learn's answers on small multi-label tables.

Writes tests/golden/data/sklearn_metrics.json. Needs scikit-learn, numpy, scipy.
"""
import json
import pathlib
import warnings

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize
from sklearn import metrics as m
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression

warnings.filterwarnings("ignore")
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/sklearn_metrics.json"


def averaged(labels, decisions, average):
    p, r, f, _ = m.precision_recall_fscore_support(
        labels, decisions, average=average, zero_division=0
    )
    return {"precision": p, "recall": r, "f1": f}


def one_error(scores, labels):
    """Not in scikit-learn: share of wrong genres tied at the top, titles with a genre only."""
    errors = []
    for s, l in zip(scores, labels):
        if l.any():
            top = s == s.max()
            errors.append((top & ~l).sum() / top.sum())
    return float(np.mean(errors)) if errors else 0.0


def all_metrics(scores, decisions, labels):
    with_positive = labels.any(axis=0)
    with_both = with_positive & ~labels.all(axis=0)
    p, r, f, support = m.precision_recall_fscore_support(
        labels, decisions, average=None, zero_division=0
    )
    ap = [
        m.average_precision_score(labels[:, g], scores[:, g]) if with_positive[g] else None
        for g in range(labels.shape[1])
    ]
    auc = [
        m.roc_auc_score(labels[:, g], scores[:, g]) if with_both[g] else None
        for g in range(labels.shape[1])
    ]
    l1, s1 = labels[:, with_positive], scores[:, with_positive]
    l2, s2 = labels[:, with_both], scores[:, with_both]
    jaccard = lambda average: m.jaccard_score(labels, decisions, average=average, zero_division=0)
    return {
        "num_titles": len(labels),
        "label_cardinality": labels.sum() / len(labels),
        "decided_cardinality": decisions.sum() / len(labels),
        "micro": averaged(labels, decisions, "micro"),
        "macro": averaged(labels, decisions, "macro"),
        "weighted": averaged(labels, decisions, "weighted"),
        "samples": averaged(labels, decisions, "samples"),
        "map": m.average_precision_score(l1, s1, average="macro"),
        "micro_ap": m.average_precision_score(labels, scores, average="micro"),
        "weighted_ap": m.average_precision_score(l1, s1, average="weighted"),
        "micro_auc": m.roc_auc_score(labels.ravel(), scores.ravel()),
        "macro_auc": m.roc_auc_score(l2, s2, average="macro") if with_both.any() else None,
        "subset_accuracy": m.accuracy_score(labels, decisions),
        "hamming_loss": m.hamming_loss(labels, decisions),
        "micro_jaccard": jaccard("micro"),
        "macro_jaccard": jaccard("macro"),
        "samples_jaccard": jaccard("samples"),
        "lrap": m.label_ranking_average_precision_score(labels, scores),
        "coverage_error": m.coverage_error(labels, scores),
        "ranking_loss": m.label_ranking_loss(labels, scores),
        "one_error": one_error(scores, labels),
        "genres": [
            {
                "support": int(support[g]),
                "precision": p[g],
                "recall": r[g],
                "f1": f[g],
                "ap": ap[g],
                "auc": auc[g],
            }
            for g in range(labels.shape[1])
        ],
    }


def table(rng, titles, genres, step, rare=True):
    labels = rng.random((titles, genres)) < np.linspace(0.5, 0.08, genres)
    scores = 0.25 * labels + 0.75 * rng.random((titles, genres))
    scores = np.round(scores / step) * step if step else scores
    return scores, scores >= 0.5, labels


def curve(scores, labels):
    precision, recall, thresholds = m.precision_recall_curve(labels, scores)
    return {"precision": precision, "recall": recall, "thresholds": thresholds}


def platt(scores, labels):
    """Platt's objective (the one of sklearn.calibration._SigmoidCalibration), minimised to rounding."""
    n1 = labels.sum()
    n0 = len(labels) - n1
    t = np.where(labels, (n1 + 1.0) / (n1 + 2.0), 1.0 / (n0 + 2.0))
    loss = lambda ab: np.sum(np.logaddexp(0, ab[0] * scores + ab[1]) - t * (ab[0] * scores + ab[1]))

    def gradient(ab):
        e = 1 / (1 + np.exp(-(ab[0] * scores + ab[1]))) - t
        return np.array([np.sum(e * scores), np.sum(e)])

    def hessian(ab):
        p = 1 / (1 + np.exp(-(ab[0] * scores + ab[1])))
        w = p * (1 - p)
        return np.array([[np.sum(w * scores**2), np.sum(w * scores)], [np.sum(w * scores), np.sum(w)]])

    x = minimize(loss, [0.0, 0.0], jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-12}).x
    for _ in range(5):
        x = x - np.linalg.solve(hessian(x), gradient(x))
    from sklearn.calibration import _SigmoidCalibration

    theirs = _SigmoidCalibration().fit(scores, labels.astype(int))
    assert abs(-theirs.a_ - x[0]) < 1e-3 and abs(-theirs.b_ - x[1]) < 1e-3, (theirs.a_, theirs.b_, x)
    return {"a": x[0], "b": x[1], "sklearn_a": -theirs.a_, "sklearn_b": -theirs.b_}


def isotonic(scores, labels):
    """The curve at its points and between them, kept 1 / (n + 2) away from 0 and 1."""
    margin = 1.0 / (len(labels) + 2.0)
    curve = IsotonicRegression(y_min=margin, y_max=1 - margin, out_of_bounds="clip")
    curve.fit(scores, labels.astype(float))
    at = np.unique(scores)
    at = np.unique(np.concatenate([at, (at[1:] + at[:-1]) / 2, [at[0] - 1, at[-1] + 1]]))
    return {"at": at, "probability": curve.predict(at)}


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    return value


def main():
    rng = np.random.default_rng(20)
    cases = {}
    cases["plain"] = table(rng, 40, 6, None)
    cases["ties"] = table(rng, 50, 5, 0.125)
    scores, decisions, labels = table(rng, 30, 5, 0.05)
    labels[:, 4] = False  # a genre that no title has, but that is decided
    labels[:, 0] = True  # a genre that every title has
    labels[3] = False  # a title without labels
    decisions[4] = False  # a title without decisions
    labels[5] = decisions[5] = False  # neither
    labels[6] = True  # a title with every genre
    labels[6, 4] = False
    cases["gaps"] = (scores, decisions, labels)
    scores, decisions, labels = table(rng, 20, 3, 0.25)
    decisions[:] = False  # nothing decided at all
    cases["undecided"] = (scores, decisions, labels)
    scores, decisions, labels = table(rng, 24, 4, None)
    cases["constant"] = (np.full_like(scores, 0.5), np.ones_like(decisions), labels)

    out = {
        "script": "scripts/golden/sklearn_metrics.py",
        "versions": {
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "cases": {},
    }
    for name, (scores, decisions, labels) in cases.items():
        case = {
            "scores": scores,
            "decisions": decisions,
            "labels": labels,
            "metrics": all_metrics(scores, decisions, labels),
            "curve_of_genre_1": curve(scores[:, 1], labels[:, 1]),
            "brier": float(np.mean((scores - labels) ** 2)),
        }
        positive, probability = calibration_curve(
            labels.ravel(), scores.ravel(), n_bins=8, strategy="uniform"
        )
        case["reliability_8_bins"] = {"positive_frac": positive, "mean_probability": probability}
        out["cases"][name] = case
    for name in ["plain", "ties"]:
        scores, _, labels = cases[name]
        logits = 6 * scores - 3
        out["cases"][name]["platt"] = [
            platt(logits[:, g], labels[:, g]) for g in range(labels.shape[1])
        ]
        out["cases"][name]["logits"] = logits
        out["cases"][name]["isotonic"] = [
            isotonic(logits[:, g], labels[:, g]) for g in range(labels.shape[1])
        ]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(plain(out), separators=(",", ":")) + "\n")


main()
