#!/usr/bin/env python3
"""The catalog that `pipelines/films-research.toml` is made from: films, what is said in trailers, stills.

    scripts/prepare_trailers.py DATA OUT
    cinetag run pipelines/films-research.toml --set catalog.path=OUT/films.csv

DATA is the folder of development sets (`../shared/data`; none of it belongs to this repository):
`movies` with posters, `trailer_speech` (transcripts of real trailers) and `film_stills` (a picture
of a film and its genres). OUT gets films.csv, a link to the posters and, for each still, a film of
that one picture, since that is what pictures of trailers come from.

A transcript and a still of a film that `movies` has stand in its row. Other stills are titles of
their own that have nothing else: no view of the head is fitted on them. Their names are short: one
that may be a film of about that year in `movies` is put in its group and fold, right or not, so that
no still is judged by a model that knows the film. They state no year, since a title with metadata
is not one of pictures alone. Needs the program ffmpeg.
"""
import csv
import pathlib
import re
import subprocess
import sys

csv.field_size_limit(10**9)
NUM_FOLDS = 5


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def simple(title):
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^(the|a|an) ", "", title.lower()))


def may_be(name, title):
    """Whether a still's short name, such as `lambs` or `backfuture`, may stand for a title."""
    name, title = re.sub(r"[0-9]", "", name), re.sub(r"[0-9]", "", title)
    cuts = range(3, len(name) - 2)
    return name in title or any(
        name[:cut] in title and name[cut:] in title[title.index(name[:cut]) + cut :] for cut in cuts
    )


def main(data, out):
    films = read(data / "movies/movies.csv")
    by_id = {film["imdb_id"]: film for film in films}
    num_transcripts = 0
    for trailer in read(data / "trailer_speech/trailers.csv"):
        film = by_id.get(trailer["imdb_id"])
        if film and trailer["genres_imdb"]:
            film["transcript"] = trailer["transcript"]
            num_transcripts += 1

    by_name = {}
    for film in films:
        for year in range(int(film["year"]) - 1, int(film["year"]) + 2):
            by_name[simple(film["title"]), year] = film
    (out / "stills").mkdir(parents=True, exist_ok=True)
    stills, num_known, num_kin = [], 0, 0
    for number, still in enumerate(read(data / "film_stills/stills.csv")):
        name = pathlib.Path(still["file"]).stem
        film = by_name.get((simple(name), int(still["year"])))
        num_known += film is not None
        if film is None:
            year = int(still["year"])
            near = [other for other in films if abs(int(other["year"]) - year) < 2]
            near = [other for other in near if may_be(simple(name), simple(other["title"]))]
            near.sort(key=lambda other: abs(int(other["year"]) - year))
            kin = near[0] if near else {"group": "", "fold": number % NUM_FOLDS}
            num_kin += bool(near)
            film = {
                "imdb_id": f"still-{name}",
                "title": f"{name} ({year})",
                "genres": still["genres"],
                "group": kin["group"],
                "fold": kin["fold"],
            }
            stills.append(film)
        film["trailer"] = f"stills/{name}.mkv"
        target = out / film["trailer"]
        if not target.exists():
            picture = data / "film_stills/stills" / still["file"]
            wrap = ["ffmpeg", "-v", "error", "-i", picture, "-c", "copy", target]
            subprocess.run(wrap, check=True)

    posters = out / "posters"
    if not posters.exists():
        posters.symlink_to((data / "movies/posters").resolve())
    columns = [*films[0], "transcript", "trailer"]
    columns = list(dict.fromkeys(columns))
    with open(out / "films.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(films + stills)
    print(f"{len(films)} films, {num_transcripts} of them with a transcript and {num_known} with a still;", end=" ")
    print(f"{len(stills)} further stills, {num_kin} of them held out with a film: {out / 'films.csv'}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
