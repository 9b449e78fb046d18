#!/usr/bin/env python3
"""The join of `cinetag catalog import imdb`, written with polars or pandas, to be timed beside it.

    scripts/join_imdb_dump.py polars /tmp/dump /tmp/out.jsonl

Films with their rating, and the names of directors, writers and the first ten actors, as JSON
Lines in the order of the dump.
"""

import json
import sys
from pathlib import Path

TAKEN = ["movie", "tvMovie", "video"]


def with_polars(dump, out):
    import polars as pl

    def table(name, columns):
        return pl.scan_csv(dump / f"{name}.tsv.gz", separator="\t", quote_char=None,
                           null_values="\\N", infer_schema=False).select(columns)

    basics = table("title.basics", ["tconst", "titleType", "primaryTitle", "originalTitle",
                                    "startYear", "runtimeMinutes", "genres"])
    films = basics.filter(pl.col("titleType").is_in(TAKEN)).with_row_index("row").collect()
    ids = films.lazy().select("tconst")
    names = table("name.basics", ["nconst", "primaryName"])
    crew = table("title.crew", ["tconst", "directors", "writers"]).join(ids, on="tconst", how="semi")

    def people(column):
        long = crew.select("tconst", pl.col(column).str.split(",").alias("nconst"))
        long = long.explode("nconst").drop_nulls().with_row_index("order")
        return named(long, column)

    def named(long, column):
        return (long.join(names, on="nconst", how="left").sort("order")
                .group_by("tconst", maintain_order=True)
                .agg(pl.col("primaryName").alias(column)))

    actors = (table("title.principals", ["tconst", "ordering", "nconst", "category"])
              .filter(pl.col("category").is_in(["actor", "actress"]))
              .join(ids, on="tconst", how="semi")
              .with_columns(pl.col("ordering").cast(pl.Int64).alias("order")))
    actors = named(actors, "actors").with_columns(pl.col("actors").list.head(10))
    joined = (films.lazy()
              .join(table("title.ratings", ["tconst", "averageRating", "numVotes"]), on="tconst", how="left")
              .join(people("directors"), on="tconst", how="left")
              .join(people("writers"), on="tconst", how="left")
              .join(actors, on="tconst", how="left")
              .with_columns(pl.col("genres").str.split(","))
              .sort("row").drop("row").collect())
    joined.write_ndjson(out)
    return joined.height


def with_pandas(dump, out):
    import csv

    import pandas as pd

    def table(name, columns):
        return pd.read_csv(dump / f"{name}.tsv.gz", sep="\t", usecols=columns, dtype=str,
                           na_values="\\N", keep_default_na=False, quoting=csv.QUOTE_NONE)

    films = table("title.basics", ["tconst", "titleType", "primaryTitle", "originalTitle",
                                   "startYear", "runtimeMinutes", "genres"])
    films = films[films["titleType"].isin(TAKEN)]
    names = table("name.basics", ["nconst", "primaryName"]).set_index("nconst")["primaryName"]
    crew = table("title.crew", ["tconst", "directors", "writers"])
    crew = crew[crew["tconst"].isin(films["tconst"])]

    def people(column):
        long = crew[["tconst", column]].dropna()
        long = long.assign(nconst=long[column].str.split(",")).explode("nconst")
        return named(long, column)

    def named(long, column):
        long = long.assign(name=long["nconst"].map(names))
        return long.groupby("tconst", sort=False)["name"].agg(list).rename(column)

    actors = table("title.principals", ["tconst", "ordering", "nconst", "category"])
    actors = actors[actors["category"].isin(["actor", "actress"]) & actors["tconst"].isin(films["tconst"])]
    actors = actors.assign(order=actors["ordering"].astype(int)).sort_values(["tconst", "order"], kind="stable")
    joined = (films.merge(table("title.ratings", ["tconst", "averageRating", "numVotes"]), on="tconst", how="left")
              .join(people("directors"), on="tconst")
              .join(people("writers"), on="tconst")
              .join(named(actors, "actors").str[:10], on="tconst"))
    joined["genres"] = joined["genres"].str.split(",")
    joined.to_json(out, orient="records", lines=True, force_ascii=False)
    return len(joined)


if __name__ == "__main__":
    library, dump, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    num_titles = {"polars": with_polars, "pandas": with_pandas}[library](dump, out)
    print(json.dumps({"library": library, "titles": num_titles}))
