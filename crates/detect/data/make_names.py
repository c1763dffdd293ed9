#!/usr/bin/env python3
"""Makes the name lists of this directory.

    make_names.py NAMES SCOWL

NAMES is the unpacked PyPI package `names`, SCOWL the word list directory of the Debian package `scowl`. What is
added by hand stands in by_hand.txt. A name that is also an English word goes to a list of its own."""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
GIVEN_MAX = 1450
SURNAMES_MAX = 2450
WORDS_MAX = 1560
# What src/detectors/person/lexicon.rs takes for a word by its ending.
ENDINGS = ("ing", "tion", "sion", "ment", "ness", "ity", "ed", "ly", "able", "ible", "ful", "less", "ship", "ism", "ure", "ive")


def census(path, count):
    """The most frequent names of a Census file, lower-case."""
    return [line.split()[0].lower() for line in path.read_text().splitlines()[:count]]


def by_hand():
    """The sections of by_hand.txt."""
    sections, words = {}, None
    for line in (HERE / "by_hand.txt").read_text().splitlines():
        if line.startswith("# "):
            words = sections.setdefault(line[2:].strip(), [])
        elif line.strip():
            words.extend(line.split())
    return sections


def scowl(directory, sizes):
    """The English words of the given sizes that are written small."""
    words = []
    for size in sizes:
        for region in ("english", "american", "british"):
            path = directory / f"{region}-words.{size}"
            words += [word for word in path.read_text("latin-1").split() if re.fullmatch("[a-z]+", word)]
    return words


def write(name, words):
    """One list, in lines of up to 110 columns."""
    lines, line = [], ""
    for word in sorted(set(words)):
        if len(line) + len(word) > 108:
            lines.append(line)
            line = ""
        line += (" " if line else "") + word
    (HERE / f"{name}.txt").write_text("\n".join([*lines, line]) + "\n")


def main():
    names, words_dir = map(pathlib.Path, sys.argv[1:])
    hand = by_hand()
    ranked = {}
    for sex in ("male", "female"):
        for rank, name in enumerate(census(names / f"dist.{sex}.first", GIVEN_MAX)):
            ranked[name] = min(rank, ranked.get(name, rank))
    given = set(sorted(ranked, key=lambda name: (ranked[name], name))[:GIVEN_MAX]) | set(hand["given"])
    surnames = set(census(names / "dist.all.last", SURNAMES_MAX)) | set(hand["surnames"])
    english = set(scowl(words_dir, (10, 20, 35, 40, 50)))
    no_words = set(hand["no words"])
    ordinary = (english | set(hand["ordinary"])) - no_words
    drop = {name for name in given | surnames if len(name) < 2} | set(hand["no names"])
    given, surnames = given - drop, surnames - drop
    write("given", given - ordinary)
    write("given_ordinary", given & ordinary)
    write("surnames", surnames - ordinary - given)
    write("surnames_ordinary", (surnames & ordinary) - given)
    write("surnames_given", surnames & given)
    common = [word for word in scowl(words_dir, (10,)) if not word.endswith(ENDINGS)]
    plain = [word for word in common if len(word) > 1 and not (word.endswith("s") and word[:-1] in english)]
    chosen = [word for word in plain if word not in given and word not in surnames]
    # Short words begin sentences and headings more often than long ones.
    chosen = sorted(set(chosen), key=lambda word: (len(word), word))
    write("words", chosen[:WORDS_MAX] + hand["words"])


if __name__ == "__main__":
    main()
