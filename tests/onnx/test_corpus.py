#!/usr/bin/env python3
"""The corpus of tiny transformers: every case of expected_corpus.txt passes, and any other fails
because an operator is not there yet, and in no other way. `--update` adds new passes."""

import os
import re

import corpora

MISSING = re.compile(r"operator \S+ not supported")


def main():
    archive = os.path.join(corpora.SHARED, "models", "corpus.tar.xz")
    if not os.path.exists(archive):
        corpora.skip("the corpus is not there: ../shared/models/corpus.tar.xz")
    folder = corpora.unpacked(archive)
    corpora.judge("expected_corpus.txt", {"default": corpora.run(folder)},
                  lambda reason: bool(MISSING.search(reason)))


main()
