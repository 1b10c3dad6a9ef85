"""Which operators need a row, and the reasons of those that have none."""
from onnx import defs

from differential.table import ROWS, versions

ONE_FORM = "of bytes, in one form since it exists: the node tests have it"
RANDOM = "random: tested by its statistics"

# Operators that take float32 or int64 and have no row.
EXCLUDED = {
    "Bernoulli": RANDOM,
    "Multinomial": RANDOM,
    "RandomNormal": RANDOM,
    "RandomNormalLike": RANDOM,
    "RandomUniform": RANDOM,
    "RandomUniformLike": RANDOM,
    "Optional": "neither oracle gives an optional to Python: the node tests have it",
}


def takes_numbers(op):
    """Does an input, or where there is none an output, take float32 or int64 tensors?"""
    schema = defs.get_schema(op)
    places = list(schema.inputs) or list(schema.outputs)
    wanted = ("tensor(float)", "tensor(int64)", "seq(tensor(float))", "optional(tensor(float))")
    return any(t in place.types for place in places for t in wanted)


def missing_rows():
    """What is wrong with the table, a line each."""
    wrong = [f"{op}: it takes float32 or int64 and has neither a row nor a reason in cover.py"
             for op in sorted(versions())
             if takes_numbers(op) and op not in ROWS and op not in EXCLUDED]
    wrong += [f"{op}: excluded, but it has a row" for op in EXCLUDED if op in ROWS]
    wrong += [f"{op}: there is no such operator" for op in (*ROWS, *EXCLUDED)
              if op not in versions()]
    return wrong


# Versions that no case is made for, beside the operators above. 0: all of them.
NO_CASE = {
    ("ImageDecoder", 0): ONE_FORM,
}


def reason_of(op, version):
    """Why there is no case of this version, or None."""
    return EXCLUDED.get(op) or NO_CASE.get((op, version)) or NO_CASE.get((op, 0))
