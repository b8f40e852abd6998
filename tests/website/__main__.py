"""Looks at all pages of the built site in a browser: python -m tests.website dist/site [--pictures FOLDER] [PAGES]."""

import argparse
import sys
from pathlib import Path

from tests.website.looking import chromium, look


def main():
    """Say what is wrong; exit with 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("pages", nargs="*", help="such as course/01_neuron.html; without any, all")
    parser.add_argument("--pictures", type=Path, help="a folder for pictures of the pages")
    options = parser.parse_intermixed_args()  # pages may stand behind an option
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    pages = [options.site / page for page in options.pages] or sorted(options.site.rglob("*.html"))
    with chromium() as browser:
        found = [line for page in pages for line in look(browser, page, pictures=options.pictures)]
    print(*found, f"{len(pages)} pages looked at, {len(found)} complaints", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
