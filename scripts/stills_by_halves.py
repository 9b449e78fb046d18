#!/usr/bin/env python3
"""Whether thresholds and calibration of pictures, set on half of the stills, hold on the other half.

    scripts/stills_by_halves.py CATALOG STORE

CATALOG is films.csv of scripts/prepare_trailers.py, STORE the feature store of a run of
pipelines/films-research.toml on it. Logistic regressions on the posters' features (scikit-learn; a twin of
the poster branch, not the program's own) score pictures; calibration and thresholds are set on a
random half. A tag must be right at least (1 + prior) / 2 of the time, as counted (one wrong one
more), or by the lower end of Wilson's 95 % interval, which is the program's rule.

First the choice of the rule, without a still: every genre, 200 draws of as many posters as there
are stills, scored by regressions that saw neither film nor group. Then the stills, 20 draws, the genres that
have a vote in the shipped bundle. Needs h5py, numpy, scikit-learn.
"""
import collections
import csv
import hashlib
import pathlib
import sys

import h5py
import numpy as np
from sklearn.linear_model import LogisticRegression

csv.field_size_limit(10**9)
VOTERS = ("War", "Sci-Fi", "Fantasy")
MIN_SUPPORT, NUM_FOLDS = 60, 5
Z = 1.959963984540054


def features(store, kind):
    """Mean row of each source, by key."""
    found = {}
    for shard in sorted(pathlib.Path(store).glob(f"v1/{kind}-*/shard-*.h5")):
        with h5py.File(shard) as file:
            data, at = file["data"][:].astype("float32"), file["offsets"][:].astype(int)
            for idx, key in enumerate(file["keys"][:]):
                found.setdefault(key.tobytes(), data[at[idx] : at[idx + 1]].mean(0))
    return found


def key_of(path):
    return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else None


def as_counted(right, decided):
    return right / (decided + 1)


def lower_end(right, decided):
    share, z2 = right / decided, Z * Z / decided
    return (share + z2 / 2 - Z * np.sqrt((share * (1 - share) + z2 / 4) / decided)) / (1 + z2)


RULES = {"as counted": as_counted, "lower end": lower_end}


def threshold(scores, labels, rule):
    """The lowest score from which on tags halve the error of naming the genre blindly."""
    order = np.argsort(-scores)
    held = rule(np.cumsum(labels[order]), np.arange(1, len(order) + 1)) >= (1 + labels.mean()) / 2
    return scores[order[np.flatnonzero(held)[-1]]] if held.any() else np.inf


def regress(x, labels):
    return LogisticRegression(C=0.003, max_iter=500).fit(x, labels)


def on_halves(scores, truth, size, num_draws):
    """Tags on the other halves, by rule: how many, how many of them right, what was asked of them."""
    counts = {name: np.zeros(3) for name in RULES}
    for draw in range(num_draws):
        drawn = np.random.default_rng(draw).permutation(len(truth))[:size]
        half, other = drawn[: size // 2], drawn[size // 2 :]
        for name, rule in RULES.items():
            given = scores[other] >= threshold(scores[half], truth[half], rule)
            asked = (1 + truth[half].mean()) / 2
            counts[name] += (given.sum(), truth[other][given].sum(), asked * given.sum())
    return counts


def table(name, rows):
    print(f"\n| {name} | rule | tags on the other halves | right | asked |\n| --- | --- | ---: | ---: | ---: |")
    for genre, counts in rows:
        for rule, (tags, right, asked) in counts.items():
            shares = f"{right / tags:.2f} | {asked / tags:.2f}" if tags else " | "
            print(f"| {genre} | {rule} | {tags:.0f} | {shares} |")


def calibration(scores, truth, num_draws):
    """Mean probability, share, and Brier scores of both on the other halves."""
    held = []
    for draw in range(num_draws):
        half = np.random.default_rng(draw).permutation(len(truth)) % 2 == 0
        if truth[half].all() or not truth[half].any():
            continue
        platt = LogisticRegression(C=1.0).fit(scores[half, None], truth[half])
        p = platt.predict_proba(scores[~half, None])[:, 1]
        held.append((p.mean(), truth[~half].mean(), ((p - truth[~half]) ** 2).mean(),
                     ((truth[half].mean() - truth[~half]) ** 2).mean()))
    return np.mean(held, axis=0)


def main(catalog, store):
    posters, frames = features(store, "poster"), features(store, "frames")
    folder = pathlib.Path(catalog).parent
    x, groups, labels, stills = [], [], [], []
    for row in csv.DictReader(open(catalog, newline="", encoding="utf-8")):
        genres, group = set(row["genres"].split("|")), row["group"] or row["imdb_id"]
        if row["trailer"] and (key := key_of(folder / row["trailer"])) in frames:
            stills.append((group, frames[key], genres))
        if (key := key_of(folder / "posters" / (row["poster"] or "-"))) in posters:
            x.append(posters[key])
            groups.append(group)
            labels.append(genres)
    x = np.stack(x)
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    x = (x - mean) / deviation
    shown = (np.stack([row for _, row, _ in stills]) - mean) / deviation
    support = collections.Counter(genre for genres in labels for genre in genres)
    names = sorted(genre for genre, count in support.items() if count >= MIN_SUPPORT)
    of_group = {group: idx for idx, group in enumerate(sorted(set(groups)))}
    fold = np.random.default_rng(0).integers(0, NUM_FOLDS, len(of_group))
    fold = fold[[of_group[group] for group in groups]]

    rows, total = [], {name: np.zeros(3) for name in RULES}
    for genre in names:
        truth, scores = np.array([genre in genres for genres in labels]), np.zeros(len(x))
        for held in range(NUM_FOLDS):
            scores[fold == held] = regress(x[fold != held], truth[fold != held]).decision_function(x[fold == held])
        counts = on_halves(scores, truth, len(stills), 200)
        rows.append((genre, counts))
        for name in RULES:
            total[name] += counts[name]
    print(f"{len(x)} posters, {len(stills)} stills")
    table("posters, 200 draws", [("all", total)] + [row for row in rows if row[1]["lower end"][0] >= 40])

    known = {group for group, _, _ in stills}
    kept = np.array([group not in known for group in groups])
    rows, held = [], []
    for genre in VOTERS:
        model = regress(x[kept], np.array([genre in genres for genres in labels])[kept])
        scores, truth = model.decision_function(shown), np.array([genre in genres for _, _, genres in stills])
        rows.append((genre, on_halves(scores, truth, len(stills), 20)))
        held.append((genre, truth.sum(), calibration(scores, truth, 20)))
    table("stills, 20 draws", rows)
    print("\n| genre | stills | mean probability | share | Brier | of the share |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for genre, num, values in held:
        print(f"| {genre} | {num} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


if __name__ == "__main__":
    main(*sys.argv[1:3])
