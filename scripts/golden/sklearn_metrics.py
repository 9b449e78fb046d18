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


def partly_known(scores, decisions, labels, weights):
    """The same figures over the labels that are known (weight above 0), each as it weighs: genres by
    themselves, all cells as one binary problem, and titles by their known genres, a title weighing
    as much as its known labels on average."""
    titles, genres = labels.shape
    known = weights > 0

    def binary(cells):
        w, l, d = weights[cells], labels[cells], decisions[cells]
        options = {"sample_weight": w, "average": "binary", "zero_division": 0}
        p, r, f, _ = m.precision_recall_fscore_support(l, d, **options)
        j = m.jaccard_score(l, d, **options)
        return {"precision": p, "recall": r, "f1": f}, j

    def ranked(measure, cells):
        return measure(labels[cells], scores[cells], sample_weight=weights[cells])

    def mean(rows, w=None):
        return np.average(rows, weights=w) if len(rows) else 0.0

    def averages(rows, w=None):
        return {k: mean([row[k] for row in rows], w) for k in ("precision", "recall", "f1")}

    of_genre = [np.s_[known[:, g], g] for g in range(genres)]
    genre_figures, genre_jaccard = zip(*(binary(cells) for cells in of_genre))
    support_w = [(weights * labels)[cells].sum() for cells in of_genre]
    has = [labels[cells].any() for cells in of_genre]
    both = [a and not labels[cells].all() for a, cells in zip(has, of_genre)]
    ap = [ranked(m.average_precision_score, c) if h else None for c, h in zip(of_genre, has)]
    auc = [ranked(m.roc_auc_score, c) if b else None for c, b in zip(of_genre, both)]
    there = [t for t in range(titles) if known[t].any()]
    title_w = np.array([weights[t][known[t]].mean() for t in there])
    title_figures, title_jaccard = zip(*(binary(np.s_[t, known[t]]) for t in there))
    right = [(labels[t] == decisions[t])[known[t]].all() for t in there]

    def title(measure, t, alone):
        l, s = labels[t][known[t]], scores[t][known[t]]
        return measure([l], [s]) if len(l) > 1 else alone(l[0])

    lrap = [title(m.label_ranking_average_precision_score, t, lambda _: 1.0) for t in there]
    coverage = [title(m.coverage_error, t, float) for t in there]
    ranking = [title(m.label_ranking_loss, t, lambda _: 0.0) for t in there]
    labelled = [k for k, t in enumerate(there) if labels[t][known[t]].any()]
    first = [
        one_error([scores[there[k]][known[there[k]]]], [labels[there[k]][known[there[k]]]])
        for k in labelled
    ]
    micro, micro_jaccard = binary(known)
    wrong = (weights * (labels != decisions)).sum()
    return {
        "num_titles": len(there),
        "label_cardinality": sum(support_w) / title_w.sum(),
        "decided_cardinality": (weights * decisions).sum() / title_w.sum(),
        "micro": micro,
        "macro": averages(genre_figures),
        "weighted": averages(genre_figures, support_w),
        "samples": averages(title_figures, title_w),
        "map": mean([a for a in ap if a is not None]),
        "micro_ap": ranked(m.average_precision_score, known),
        "weighted_ap": mean([a or 0.0 for a in ap], support_w),
        "micro_auc": ranked(m.roc_auc_score, known),
        "macro_auc": mean([a for a in auc if a is not None]),
        "subset_accuracy": mean(right, title_w),
        "hamming_loss": wrong / weights.sum(),
        "micro_jaccard": micro_jaccard,
        "macro_jaccard": mean(genre_jaccard),
        "samples_jaccard": mean(title_jaccard, title_w),
        "lrap": mean(lrap, title_w),
        "coverage_error": mean(coverage, title_w),
        "ranking_loss": mean(ranking, title_w),
        "one_error": mean(first, title_w[labelled]),
        "genres": [
            {"support": int(labels[c].sum()), **genre_figures[g], "ap": ap[g], "auc": auc[g]}
            for g, c in enumerate(of_genre)
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


def platt(scores, labels, weights=None):
    """Platt's objective (the one of sklearn.calibration._SigmoidCalibration), minimised to rounding."""
    v = np.ones(len(labels)) if weights is None else weights
    n1 = v[labels].sum()
    n0 = v.sum() - n1
    t = np.where(labels, (n1 + 1.0) / (n1 + 2.0), 1.0 / (n0 + 2.0))
    loss = lambda ab: np.sum(v * (np.logaddexp(0, ab[0] * scores + ab[1]) - t * (ab[0] * scores + ab[1])))

    def gradient(ab):
        e = v * (1 / (1 + np.exp(-(ab[0] * scores + ab[1]))) - t)
        return np.array([np.sum(e * scores), np.sum(e)])

    def hessian(ab):
        p = 1 / (1 + np.exp(-(ab[0] * scores + ab[1])))
        w = v * p * (1 - p)
        return np.array([[np.sum(w * scores**2), np.sum(w * scores)], [np.sum(w * scores), np.sum(w)]])

    x = minimize(loss, [0.0, 0.0], jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-12}).x
    for _ in range(5):
        x = x - np.linalg.solve(hessian(x), gradient(x))
    from sklearn.calibration import _SigmoidCalibration

    theirs = _SigmoidCalibration().fit(scores, labels.astype(int), weights)
    assert abs(-theirs.a_ - x[0]) < 1e-3 and abs(-theirs.b_ - x[1]) < 1e-3, (theirs.a_, theirs.b_, x)
    return {"a": x[0], "b": x[1], "sklearn_a": -theirs.a_, "sklearn_b": -theirs.b_}


def isotonic(scores, labels, weights=None):
    """The curve at its points and between them, kept 1 / (n + 2) away from 0 and 1."""
    margin = 1.0 / ((len(labels) if weights is None else weights.sum()) + 2.0)
    curve = IsotonicRegression(y_min=margin, y_max=1 - margin, out_of_bounds="clip")
    curve.fit(scores, labels.astype(float), weights)
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
    out["partly_known"] = {}
    for name, choices in (("plain", [0, 1]), ("ties", [0, 0.5, 1, 3]), ("gaps", [0, 1, 1])):
        scores, decisions, labels = cases[name]
        weights = rng.choice(choices, size=labels.shape).astype(float)
        weights[0] = 0  # a title of which nothing is known
        weights[1] = 0
        weights[1, 1] = 1  # and one of which a single genre is
        logits = 6 * scores - 3
        case = {"weights": weights, "metrics": partly_known(scores, decisions, labels, weights)}
        if name != "gaps":
            columns = [(g, weights[:, g] > 0) for g in range(labels.shape[1])]
            args = [(logits[k, g], labels[k, g], weights[k, g]) for g, k in columns]
            case["platt"] = [platt(*own) for own in args]
            case["isotonic"] = [isotonic(*own) for own in args]
        out["partly_known"][name] = case
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(plain(out), separators=(",", ":")) + "\n")


main()
