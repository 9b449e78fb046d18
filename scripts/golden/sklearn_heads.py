#!/usr/bin/env python3
"""Golden numbers for TF-IDF and the classical learners: scikit-learn's on real plots.

usage: sklearn_heads.py movies.csv      writes tests/golden/data/sklearn_heads.json
Needs scikit-learn 1.9, numpy. The first 1,200 films with a plot train, the next 300 are scored.
Only scores are written: the films themselves are not part of the repository.
"""
import csv
import json
import pathlib
import sys

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.kernel_ridge import KernelRidge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/sklearn_heads.json"
GENRES = ["Comedy", "Horror", "Romance"]
NUM_TRAIN, NUM_TEST = 1200, 300

csv.field_size_limit(10**9)
rows = [r for r in csv.DictReader(open(sys.argv[1])) if r["plot"].strip()][: NUM_TRAIN + NUM_TEST]
train, test = rows[:NUM_TRAIN], rows[NUM_TRAIN:]
texts = lambda rows: [r["plot"] for r in rows]
labels = lambda rows, genre: np.array([genre in r["genres"].split("|") for r in rows], int)


def tfidf(**settings):
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", **settings)
    return vectorizer.fit_transform(texts(train)), vectorizer.transform(texts(test))


a, b = tfidf(ngram_range=(1, 2), min_df=2)
words_a, words_b = tfidf(min_df=20)  # few columns, for trees
rounded = lambda x: [float(f"{v:.7g}") for v in x]
golden = {
    "train": NUM_TRAIN,
    "test": NUM_TEST,
    "genres": GENRES,
    "tfidf": {
        "dim": a.shape[1],
        "entries": int(a.nnz),
        "row_sums": rounded(np.asarray(b.sum(1)).ravel()),
        "column_sums": rounded(np.asarray(b.sum(0)).ravel()[:500]),
    },
    "logistic": [], "linear_svm": [], "kernel_svm": [], "kernel_ridge": [], "neighbours": [], "forest": [],
    "tree_columns": words_a.shape[1],
}
for genre in GENRES:
    y, z = labels(train, genre), labels(test, genre)
    golden["logistic"].append(rounded(LogisticRegression(C=3, tol=1e-8, max_iter=2000).fit(a, y).decision_function(b)))
    golden["linear_svm"].append(rounded(LinearSVC(C=1, tol=1e-7, max_iter=100000, random_state=0).fit(a, y).decision_function(b)))
    golden["kernel_svm"].append(rounded(SVC(C=3, gamma=1.0, tol=1e-4).fit(a, y).decision_function(b)))
    mean = (2 * y - 1).mean()
    golden["kernel_ridge"].append(rounded(mean + KernelRidge(alpha=1 / 3, kernel="rbf", gamma=1.0).fit(a, 2 * y - 1 - mean).predict(b)))
    golden["neighbours"].append(rounded(KNeighborsClassifier(30, metric="cosine", algorithm="brute").fit(a, y).predict_proba(b)[:, 1]))
    forests = [RandomForestClassifier(100, min_samples_leaf=2, random_state=s).fit(words_a.toarray(), y) for s in range(5)]
    golden["forest"].append([float(average_precision_score(z, f.predict_proba(words_b.toarray())[:, 1])) for f in forests])
OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print({k: golden[k] for k in ("tree_columns", "forest")}, golden["tfidf"]["dim"])
