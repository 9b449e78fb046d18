#!/usr/bin/env python3
"""scikit-learn's stack on the folds, titles and features of a run: what its heads are compared with.

    scripts/peer_stack.py CATALOG.csv RUN STORE OUT [FOLD…]
    cinetag compare OUT RUN
    scripts/peer_stack.py CATALOG.csv RUN STORE OUT --ablate

RUN is an evaluated run folder (its folds and labels are taken), STORE the feature store it read.
Logistic regressions, one for each genre, on TF-IDF (words and bigrams), plot embedding, poster
embedding and metadata; a logistic regression on their out-of-fold scores; a threshold for each
genre from the stack's own. All of it is fitted on the folds that are not held out. FOLD… computes
these folds alone and leaves them in OUT; the last one writes held-out.jsonl and evaluation.json.
`--ablate` stacks every subset of the modalities on all folds and writes OUT/ablation.md: the study of
`cinetag ablate`, but for its seeds, since nothing here is drawn. A view's regressions are fitted
once for all subsets.
Needs scikit-learn 1.9, scipy, numpy, h5py.
"""
import csv
import hashlib
import itertools
import json
import pathlib
import sys
import time
import warnings

import h5py
import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")  # max_iter is reached now and then
csv.field_size_limit(10**9)
VIEWS = {"tfidf": 10, "plot": 0.03, "poster": 0.001, "metadata": 0.3}  # inverse penalties
MODALITIES = {"plot": ["tfidf", "plot"], "poster": ["poster"], "metadata": ["metadata"]}


def features(store, name, fingerprint, keys):
    """Mean row of each key, NaN where the store has none; [keys, dim] in single precision."""
    folder = pathlib.Path(store, "v1", f"{name}-{fingerprint}")
    found = {}
    for path in sorted(folder.glob("shard-*.h5"), reverse=True):
        with h5py.File(path) as shard:
            data, at = shard["data"][:].astype(np.float32), shard["offsets"][:].astype(int)
            for k, key in enumerate(shard["keys"][:]):
                found[key.tobytes()] = data[at[k] : at[k + 1]].mean(0)
    nothing = np.full(len(next(iter(found.values()))), np.nan, np.float32)
    return np.stack([found.get(key, nothing) for key in keys])


def words_of(row):
    tokens = ["mpaa=" + (row["mpaa"] or "")]
    for column in ("language", "country", "director", "writer", "actors"):
        tokens += [f"{column}={value.strip()}" for value in (row[column] or "").split(",")]
    return tokens


def numbers_of(row):
    def number(text):
        try:
            return float(text)
        except ValueError:
            return np.nan

    return [number(row["year"]), number(row["runtime_min"])]


def filled(train, test):
    """Missing numbers as the training mean, then to mean 0 and deviation 1."""
    mean = np.nanmean(train, 0)
    train, test = (np.where(np.isnan(x), mean, x) for x in (train, test))
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


class Films:
    def __init__(self, catalog, run, store):
        lines = [json.loads(line) for line in open(pathlib.Path(run, "held-out.jsonl"))]
        self.evaluation = json.load(open(pathlib.Path(run, "evaluation.json")))
        self.genres = [genre["name"] for genre in self.evaluation["genres"]]
        self.ids = [line["id"] for line in lines]
        self.fold = np.array([line["fold"] for line in lines])
        self.labels = np.array([[g in line["labels"] for g in self.genres] for line in lines], int)
        rows = {row["imdb_id"]: row for row in csv.DictReader(open(catalog))}
        self.rows = [rows[title] for title in self.ids]
        self.plots = [row["plot"].strip() for row in self.rows]
        posters = pathlib.Path(catalog).parent / "posters"
        digest = lambda data: hashlib.sha256(data).digest()
        poster = lambda title: posters / f"{title}.jpg"
        encoders = json.loads(dict(self.evaluation["provenance"]["settings"])["encoders"])
        texts = [digest(plot.encode()) for plot in self.plots]
        self.plot = features(store, "plot", encoders["plot"], texts)
        self.poster = features(
            store,
            "poster",
            encoders["poster"],
            [digest(poster(t).read_bytes()) if poster(t).exists() else b"" for t in self.ids],
        )

    def views(self, train, test):
        """Each view's rows of both, fitted on `train`."""
        of = lambda values, titles: [values[t] for t in titles]
        tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, stop_words="english")
        counts = CountVectorizer(analyzer=words_of, min_df=3, binary=True)
        numbers = np.array([numbers_of(row) for row in self.rows])
        a, b = filled(numbers[train], numbers[test])
        return {
            "tfidf": (tfidf.fit_transform(of(self.plots, train)), tfidf.transform(of(self.plots, test))),
            "plot": filled(self.plot[train], self.plot[test]),
            "poster": filled(self.poster[train], self.poster[test]),
            "metadata": (
                sp.hstack([counts.fit_transform(of(self.rows, train)), a]).tocsr(),
                sp.hstack([counts.transform(of(self.rows, test)), b]).tocsr(),
            ),
        }

    def scores(self, train, test):
        """[views][test, genres] by regressions that were fitted on `train`."""
        views = self.views(train, test)
        fit = lambda view, c: OneVsRestClassifier(LogisticRegression(C=c, max_iter=500)).fit(
            views[view][0], self.labels[train]
        )
        return np.stack([fit(view, c).decision_function(views[view][1]) for view, c in VIEWS.items()])

    def fitted(self, fold):
        """Titles and scores [views][titles, genres] of the folds that are kept, each by regressions
        on the other ones, and of the fold that is held out, by regressions on all that are kept."""
        train, test = np.where(self.fold != fold)[0], np.where(self.fold == fold)[0]
        inner = np.zeros((len(VIEWS), len(train), len(self.genres)))
        for other in sorted(set(self.fold) - {fold}):
            inside = self.fold[train] == other
            inner[:, inside] = self.scores(train[~inside], train[inside])
        return train, test, inner, self.scores(train, test)

    def stacked(self, train, inner, outer):
        """Probabilities and decisions by a stack of some views' scores."""
        own, scores = np.zeros(inner.shape[1:]), np.zeros(outer.shape[1:])
        for g in range(len(self.genres)):
            stack = LogisticRegression(C=1).fit(inner[:, :, g].T, self.labels[train, g])
            own[:, g] = stack.decision_function(inner[:, :, g].T)
            scores[:, g] = stack.decision_function(outer[:, :, g].T)
        thresholds = np.array([best(self.labels[train, g], own[:, g]) for g in range(len(self.genres))])
        decided = scores >= thresholds
        empty = ~decided.any(1)
        decided[empty, np.argmax((scores - thresholds)[empty], 1)] = True
        return 1 / (1 + np.exp(-scores)), decided


def best(labels, scores):
    """The threshold of the best F1, of 200 quantiles."""
    cuts = np.unique(np.quantile(scores, np.linspace(0, 1, 200)))
    return cuts[int(np.argmax([f1_score(labels, scores >= cut, zero_division=0) for cut in cuts]))]


def ablate(films, out):
    """Every subset of the modalities on all folds."""
    began = time.perf_counter(), time.process_time()
    sizes = range(1, len(MODALITIES) + 1)
    subsets = [names for size in sizes for names in itertools.combinations(MODALITIES, size)]
    decided = {names: np.zeros(films.labels.shape, bool) for names in subsets}
    for fold in sorted(set(films.fold)):
        train, test, inner, outer = films.fitted(fold)
        for names in subsets:
            views = [list(VIEWS).index(view) for name in names for view in MODALITIES[name]]
            decided[names][test] = films.stacked(train, inner[views], outer[views])[1]
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    lines = ["| modalities | micro F1 | macro F1 | samples F1 |", "| --- | ---: | ---: | ---: |"]
    for names in subsets:
        kinds = ("micro", "macro", "samples")
        f1 = (f1_score(films.labels, decided[names], average=kind, zero_division=0) for kind in kinds)
        lines.append(" | ".join([f"| {' + '.join(names)}", *(f"{x:.3f}" for x in f1)]) + " |")
    lines.append(f"\n{len(subsets)} subsets, {len(set(films.fold))} folds: {wall:.0f} s, {cpu:.0f} CPU s")
    (out / "ablation.md").write_text("\n".join(lines) + "\n")
    print(*lines, sep="\n")


def main(catalog, run, store, out, *folds):
    films, out = Films(catalog, run, store), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    has_plot = np.array([bool(plot) for plot in films.plots])
    found = ~np.isnan(films.plot[:, 0])
    print(f"plots {has_plot.sum()}, embedded {found.sum()}; posters {(~np.isnan(films.poster[:, 0])).sum()}")
    assert (found == has_plot).all(), "the store lacks plots of the catalog"
    if folds == ("--ablate",):
        ablate(films, out)
        return
    for fold in map(int, folds) if folds else sorted(set(films.fold)):
        began = time.perf_counter(), time.process_time()
        train, _, inner, outer = films.fitted(fold)
        probability, decided = films.stacked(train, inner, outer)
        np.savez(out / f"fold-{fold}.npz", probability=probability, decided=decided)
        wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
        print(f"fold {fold}: {wall:.0f} s, {cpu:.0f} CPU s", flush=True)
    parts = {fold: out / f"fold-{fold}.npz" for fold in sorted(set(films.fold))}
    if not all(path.exists() for path in parts.values()):
        return
    probability = np.zeros(films.labels.shape)
    decided = np.zeros(films.labels.shape, bool)
    for fold, path in parts.items():
        part = np.load(path)
        probability[films.fold == fold], decided[films.fold == fold] = part["probability"], part["decided"]
    named = lambda which: [genre for genre, has in zip(films.genres, which) if has]
    with open(out / "held-out.jsonl", "w") as lines:
        for t, title in enumerate(films.ids):
            line = {
                "id": title,
                "fold": int(films.fold[t]),
                "labels": named(films.labels[t]),
                "decided": named(decided[t]),
                "probability": dict(zip(films.genres, map(float, probability[t]))),
            }
            lines.write(json.dumps(line) + "\n")
    heading = {
        "title": "scikit-learn stack",
        "provenance": {"split_digest": films.evaluation["provenance"]["split_digest"]},
        "genres": [{"name": genre} for genre in films.genres],
    }
    (out / "evaluation.json").write_text(json.dumps(heading) + "\n")


main(*sys.argv[1:])
