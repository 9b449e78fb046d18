#!/usr/bin/env python3
"""A made-up dump in the form of IMDb's non-commercial TSV files, as large as asked.

    scripts/make_imdb_dump.py --titles 11000000 --out /tmp/dump

The shares of kinds of titles are about those of the real one (three quarters are episodes);
names, people and facts are arithmetic on the row's number, so that every run gives the same
bytes. Ratings are for every seventh title; there are three principals a title (the real dump has
about eight) and a person for every four titles.
"""

import argparse
import gzip
from pathlib import Path

KINDS = (["tvEpisode"] * 150 + ["short"] * 19 + ["movie"] * 13 + ["video"] * 6 + ["tvSeries"] * 6
         + ["tvMovie"] * 3 + ["tvMiniSeries"] * 2 + ["videoGame"])
GENRES = ["Drama", "Comedy", "Documentary", "Action", "Romance", "Thriller", "Crime", "Horror",
          "Adventure", "Family", "Animation", "Mystery", "Sci-Fi", "Fantasy"]
WORDS = ["Quiet", "Lock", "Winter", "Boat", "Tin", "North", "Letter", "Glass", "River", "Seven",
         "Old", "Garden", "Last", "Night", "Salt", "Paper", "House", "Blue", "Iron", "Bell"]
ROLES = ["actor", "actress", "director", "writer", "producer", "actor", "self"]
CHUNK = 200_000


def mixed(number):
    return (number * 2654435761) & 0xFFFFFFFF


def name(number):
    h = mixed(number)
    return f"{WORDS[h % 20]} {WORDS[h // 20 % 20]} {number % 9973}"


def basics(i):
    h = mixed(i)
    year = "\\N" if h % 29 == 0 else str(1900 + h % 125)
    runtime = "\\N" if h % 3 == 0 else str(20 + h % 140)
    genres = "\\N" if h % 31 == 0 else ",".join({GENRES[h % 14], GENRES[h // 14 % 14]})
    # Sets of strings have an order of their own a run; sorted, every run is alike.
    genres = ",".join(sorted(genres.split(",")))
    title = name(i)
    return (f"tt{i:07}\t{KINDS[h % 200]}\t{title}\t{title}\t0\t{year}\t\\N\t{runtime}\t{genres}\n",)


def ratings(i):
    return (f"tt{i:07}\t{1 + mixed(i) % 90 / 10:.1f}\t{5 + mixed(i) % 9000}\n",) if i % 7 == 0 else ()


def crew(i, people):
    h = mixed(i)
    writers = "\\N" if h % 2 else f"nm{1 + h // 3 % people:07},nm{1 + h // 5 % people:07}"
    return (f"tt{i:07}\tnm{1 + h % people:07}\t{writers}\n",)


def principals(i, people):
    h = mixed(i)
    return [f"tt{i:07}\t{k}\tnm{1 + (h + 977 * k) % people:07}\t{ROLES[(h + k) % 7]}\t\\N\t\\N\n"
            for k in (1, 2, 3)]


def people_rows(i):
    return (f"nm{i:07}\t{WORDS[mixed(i) % 20]} Person{i}\t19{i % 90 + 10}\t\\N\tactor\t\\N\n",)


def write(path, header, rows, number):
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(("\t".join(header) + "\n").encode())
        for begin in range(1, number + 1, CHUNK):
            end = min(begin + CHUNK, number + 1)
            file.write("".join(line for i in range(begin, end) for line in rows(i)).encode())
    print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--titles", type=int, default=11_000_000)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    people = max(args.titles // 4, 10)
    write(args.out / "title.basics.tsv.gz",
          ["tconst", "titleType", "primaryTitle", "originalTitle", "isAdult", "startYear",
           "endYear", "runtimeMinutes", "genres"], basics, args.titles)
    write(args.out / "title.ratings.tsv.gz", ["tconst", "averageRating", "numVotes"], ratings,
          args.titles)
    write(args.out / "title.crew.tsv.gz", ["tconst", "directors", "writers"],
          lambda i: crew(i, people), args.titles)
    write(args.out / "title.principals.tsv.gz",
          ["tconst", "ordering", "nconst", "category", "job", "characters"],
          lambda i: principals(i, people), args.titles)
    write(args.out / "name.basics.tsv.gz",
          ["nconst", "primaryName", "birthYear", "deathYear", "primaryProfession",
           "knownForTitles"], people_rows, people)


if __name__ == "__main__":
    main()
