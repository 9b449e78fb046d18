#!/usr/bin/env python3
"""Whether thresholds and calibration of pictures, set on half of the stills, hold on the other half.

    scripts/stills_by_halves.py CATALOG STORE

CATALOG is films.csv of scripts/prepare_trailers.py, STORE the feature store of a run of
pipelines/films-research.toml on it. Logistic regressions on the posters' features (scikit-learn; a twin of
the poster branch, not the program's own) score the stills; what they depart from the prior is
calibrated and thresholds are set on a random half, by the program's rule for titles that show
little: a tag is right at least (1 + prior) / 2 of the time. 20 draws; for the genres that have a
vote in the shipped bundle. Needs h5py, numpy, scikit-learn.
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
GENRES = ("War", "Sci-Fi", "Fantasy")
NUM_DRAWS = 20


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


def threshold(scores, labels):
    """The lowest score from which on tags halve the error of naming the genre blindly."""
    prior, best = labels.mean(), np.inf
    order = np.argsort(-scores)
    right = np.cumsum(labels[order])
    for decided in range(1, len(order) + 1):
        if right[decided - 1] / (decided + 1) >= (1 + prior) / 2:
            best = scores[order[decided - 1]]
    return best


def main(catalog, store):
    posters, frames = features(store, "poster"), features(store, "frames")
    folder = pathlib.Path(catalog).parent
    x, y, stills = [], [], []
    for row in csv.DictReader(open(catalog, newline="", encoding="utf-8")):
        genres = set(row["genres"].split("|"))
        if row["trailer"] and (key := key_of(folder / row["trailer"])) in frames:
            stills.append((row["group"] or row["imdb_id"], frames[key], genres))
        poster = folder / "posters" / (row["poster"] or "-")
        if (key := key_of(poster)) in posters:
            x.append(posters[key])
            y.append((row["group"] or row["imdb_id"], genres))
    known = {group for group, _, _ in stills}
    kept = [idx for idx, (group, _) in enumerate(y) if group not in known]
    x = np.stack(x)[kept]
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    shown = (np.stack([row for _, row, _ in stills]) - mean) / deviation
    print(f"{len(kept)} posters of no still's film or group, {len(stills)} stills, {NUM_DRAWS} draws")
    print("| genre | stills | tags on the other halves | right | asked | mean probability | share | Brier | of the share |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for genre in GENRES:
        labels = np.array([genre in y[idx][1] for idx in kept])
        model = LogisticRegression(C=0.003, max_iter=500).fit((x - mean) / deviation, labels)
        scores = model.decision_function(shown)
        truth = np.array([genre in genres for _, _, genres in stills])
        counts, held = collections.Counter(), []
        for draw in range(NUM_DRAWS):
            half = np.random.default_rng(draw).permutation(len(truth)) % 2 == 0
            given = scores[~half] >= threshold(scores[half], truth[half])
            counts["tags"] += int(given.sum())
            counts["right"] += int(truth[~half][given].sum())
            if truth[half].all() or not truth[half].any():
                continue
            platt = LogisticRegression(C=1.0).fit(scores[half, None], truth[half])
            p = platt.predict_proba(scores[~half, None])[:, 1]
            held.append((p.mean(), truth[~half].mean(), ((p - truth[~half]) ** 2).mean(),
                         ((truth[half].mean() - truth[~half]) ** 2).mean()))
        share = counts["right"] / max(counts["tags"], 1)
        asked = (1 + truth.mean()) / 2
        calibration = " | ".join(f"{mean:.3f}" for mean in np.mean(held, axis=0))
        print(f"| {genre} | {truth.sum()} | {counts['tags']} | {share:.2f} | {asked:.2f} | {calibration} |")


if __name__ == "__main__":
    main(*sys.argv[1:3])
