#!/usr/bin/env python3
"""Makes a test case of one operator: what goes in is drawn, what must come out is computed by the
evaluator that the standard comes with.

    make_case.py DIR OP [NAME=VALUE...] [--opset N] [--outputs N] [--seed N] [--dims fixed|unknown]

NAME is an input or an attribute of the operator's schema. An input is a dtype and a shape
(`A=float32:2x3`, a scalar `float32:`), with bounds if it matters (`A=float32:2x3:0..1`), or values
(`axes=int64[0,-1]`); one that is not named is left out. Those of a variadic input are
`inputs.0=...`, `inputs.1=...`. An attribute is a number, a list (`pads=0,1,0,1`) or a text.

    make_case.py build/swiglu SwiGLU A=float32:2x3 B=float32:2x3 alpha=1.5
    build/heed test build/swiglu
"""
import argparse
import re
import sys

import numpy as np
from onnx import defs
from onnx.reference import ReferenceEvaluator

from differential.case import Case

LITERAL = re.compile(r"(\w+)\[(.*)\]")
DRAWN = re.compile(r"(\w+):((?:\d+(?:x\d+)*)?)(?::(-?[\d.]+?)\.\.(-?[\d.]+))?")


class Mistake(Exception):
    """In the words of the command line."""


def read_input(text, rng):
    """An array from `float32:2x3:0..1` or `int64[0,-1]`."""
    match = LITERAL.fullmatch(text)
    if match:
        return np.array([float(v) for v in match[2].split(",") if v]).astype(match[1])
    match = DRAWN.fullmatch(text)
    if not match:
        raise Mistake(f"'{text}' is no input: write dtype:2x3, dtype:2x3:0..1 or dtype[1,2]")
    shape = [int(n) for n in match[2].split("x")] if match[2] else []
    return draw(np.dtype(match[1]), shape, match[3], match[4], rng)


def draw(dtype, shape, low, high, rng):
    if dtype == bool:
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        low = int(low or (0 if dtype.kind == "u" else -9))
        return rng.integers(low, int(high or 9) + 1, shape).astype(dtype)
    if low is None:
        return np.asarray(rng.standard_normal(shape)).astype(dtype)
    return np.asarray(rng.uniform(float(low), float(high), shape)).astype(dtype)


def read_attribute(attribute, text):
    kind = attribute.type.name
    one = {"INT": int, "FLOAT": float, "STRING": str}.get(kind.rstrip("S"))
    if one is None:
        raise Mistake(f"{attribute.name} is of the type {kind}, which has no form here")
    return [one(v) for v in text.split(",")] if kind.endswith("S") else one(text)


def sort_words(schema, words, rng):
    """({input: array}, {attribute: value}) of the words NAME=VALUE."""
    inputs, attributes = {}, {}
    names = {i.name: i for i in schema.inputs}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise Mistake(f"'{word}' is not NAME=VALUE")
        if name.split(".")[0] in names:
            inputs[name] = read_input(text, rng)
        elif name in schema.attributes:
            attributes[name] = read_attribute(schema.attributes[name], text)
        else:
            raise Mistake(f"{schema.name} has no input or attribute '{name}': it has "
                          + ", ".join([*names, *schema.attributes]))
    return inputs, attributes


def in_order(schema, inputs):
    """The arrays by the schema's order; None for what is left out in the middle."""
    found = []
    for parameter in schema.inputs:
        if parameter.option == defs.OpSchema.FormalParameterOption.Variadic:
            found += [inputs[n] for n in sorted(inputs) if n.split(".")[0] == parameter.name]
        else:
            found.append(inputs.get(parameter.name))
    while found and found[-1] is None:
        found.pop()
    return found


def make(folder, op, words, opset=28, outputs=1, seed=0, dims="fixed"):
    try:
        schema = defs.get_schema(op, opset, "")
    except defs.SchemaError:
        raise Mistake(f"opset {opset} has no operator {op}") from None
    inputs, attributes = sort_words(schema, words, np.random.default_rng(seed))
    form = "fixed" if dims == "fixed" else "unknown dims"
    case = Case(op, opset, in_order(schema, inputs), outputs, attrs=attributes, form=form)
    results = ReferenceEvaluator(case.model()).run(None, case.given())
    case.write(folder, [r if isinstance(r, list) else np.asarray(r) for r in results])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("op")
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--opset", type=int, default=28)
    parser.add_argument("--outputs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dims", choices=("fixed", "unknown"), default="fixed")
    try:
        make(**vars(parser.parse_args()))
    except (Mistake, FileExistsError) as error:
        print(f"make_case: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
