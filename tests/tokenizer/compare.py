"""heed against the package `tokenizers`, string by string: tokens, and the text that they give."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer as Reference

from client import Refused, Tokenizer
from strings import strings

SHOWN = 5


def reference(path: Path) -> Reference:
    """Without truncation and padding, which belong to batches."""
    known = Reference.from_file(str(path))
    known.no_padding()
    known.no_truncation()
    return known


def difference(ours: Tokenizer, known: Reference, text: str, special: bool) -> str | None:
    """What is not the same for one string, or None."""
    try:
        want = known.encode(text, add_special_tokens=special).ids
    except Exception as error:  # what it cannot do, heed need not do
        try:
            ours.encode(text, special)
        except Refused:
            return None
        return "it refuses: %s" % error
    try:
        got = ours.encode(text, special)
        if got != want:
            return "tokens %s instead of %s" % (got, want)
        expected = known.decode(want, skip_special_tokens=not special)
        decoded = ours.decode(want, special)
    except Refused as refused:
        return "heed refuses: %s" % refused
    return None if decoded == expected else "text %r instead of %r" % (decoded, expected)


def compare(name: str, path: Path, n: int, seed: int = 1) -> int:
    """How many of n strings differ; the first few are printed."""
    known = reference(path)
    added = [token.content for token in known.get_added_tokens_decoder().values()][:20]
    ours = Tokenizer(path)
    wrong = 0
    for i, text in enumerate(strings(n, seed, added)):
        found = difference(ours, known, text, i % 2 == 0)
        wrong += found is not None
        if found and wrong <= SHOWN:
            print("%s: %r: %s" % (name, text, found))
    ours.close()
    print("%s: %d strings, %d differ" % (name, n, wrong), flush=True)
    return wrong
