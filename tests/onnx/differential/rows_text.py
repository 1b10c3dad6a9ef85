"""Rows of operators on strings."""
import numpy as np

from differential.table import row

WORDS = ("", "a", "A", "ab", "aB cd", "  ab  cd ", "x,y,,z", ",", "cd", "CD", "é", "日本 語",
         "a1", "12")
PATTERNS = ("a*", "[a-z]+", "(a|b)+[0-9]?", ".*", "\\d+", "[^,]*", "é|ab", "a{2,3}|CD")


def words(d, shape):
    return d.rng.choice(np.array(WORDS, object), shape).astype(object)


@row("StringConcat")
def string_concat(d):
    a, b = d.broadcast(2)
    return d.case([words(d, a), words(d, b)], constant=())


@row("RegexFullMatch")
def regex(d):
    return d.case([words(d, d.shape())], attrs={"pattern": d.pick(*PATTERNS)})


@row("StringSplit")
def string_split(d):
    attrs = d.attrs(delimiter=d.pick("", " ", ",", "a"), maxsplit=d.whole(1, 3))
    # By the text there is one empty string in an empty string, and white space at the end goes:
    # ONNX Runtime has the second, the evaluator the first.
    return d.case([words(d, d.shape(least=1))], 2, attrs=attrs,
                  oracle="reference" if attrs.get("delimiter") else "runtime")


# The evaluator drops accents, and words that are empty.
@row("StringNormalizer", order=("runtime",))
def string_normalizer(d):
    shape = (d.whole(1, 6),) if d.chance() else (1, d.whole(1, 6))
    attrs = d.attrs(case_change_action=d.pick("NONE", "LOWER", "UPPER"),
                    is_case_sensitive=d.pick(0, 1), stopwords=["a", "CD"])
    return d.case([words(d, shape)], attrs=attrs)
