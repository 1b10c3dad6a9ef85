#!/usr/bin/env python3
"""Attention against its formula in float64, on random cases: ai.onnx Attention in its newest form
and heed.Attention. The formula itself is checked against the standard's evaluator, which also
judges what stands around attention.

    test_attention.py [NAME-INDEX]... [--keep DIR]
"""
import argparse
import os
import sys
import tempfile

import corpora

try:
    import numpy as np
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    from attention import cases, family
    from differential.case import declare_result, write_case
except ImportError as error:
    corpora.skip("attention cases are made by NumPy and onnx: %s" % error)

SEED, CASES = 20261122, 260
OPSETS = [helper.make_opsetid(*o) for o in (("", 27), ("heed", 1), ("ai.onnx.preview", 1))]
KINDS = {"standard": cases.standard_case, "heed": cases.heed_case}
FAMILY = {"rotary": family.rotary_case, "scatter": family.scatter_case, "conv": family.conv_case,
          "linear": family.linear_case, "flex": family.flex_case}
FAMILY_CASES = 80
TOLERANCES = {"full": ("--rtol", "1e-4", "--atol", "2e-5"),
              "half": ("--rtol", "2e-2", "--atol", "2e-2")}
BACKENDS = ((), ("--backends", "reference"))


def tensor_type(array):
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def declare(name, array, form):
    dims = list(array.shape)
    if form == "symbolic":
        dims = [f"{name}_{axis}" for axis in range(array.ndim)]
    if form == "heads only" and array.ndim == 4:
        dims = [None, array.shape[1], None, array.shape[3]]
    return helper.make_tensor_value_info(name, tensor_type(array), dims)


def model_of(node, given, outputs, form="fixed"):
    graph = helper.make_graph([node], "g", [declare(n, x, form) for n, x in given.items()],
                              [declare_result(n, x) for n, x in outputs.items()])
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=12)


def write(kind, index, folder, drawn, case):
    node, given, outputs = case
    form = ("fixed", "symbolic", "heads only")[index % 3]
    results = {name: value.astype(drawn.dtype) for name, value in outputs.items()}
    tolerance = "full" if drawn.dtype == np.float32 else "half"
    model = model_of(node, given, results, form)
    write_case(os.path.join(folder, tolerance, f"{kind}-{index:03}"), model, given.values(),
               results.values())
    return model


def make(kind, index, folder):
    """Writes a case; returns what the standard's evaluator must agree with, or None."""
    drawn = cases.Drawn(SEED, index)
    if kind in FAMILY:
        write(kind, index, folder, drawn, judged(*FAMILY[kind](drawn)))
        return None
    node, given, outputs = KINDS[kind](drawn)
    model = write(kind, index, folder, drawn, (node, given, outputs))
    comparable = kind == "standard" and drawn.dtype == np.float32 and knows(drawn, given, outputs)
    return (model, given, outputs) if comparable else None


def judged(node, given):
    """With the outputs that the standard's evaluator gives, in float32 for what is narrower."""
    wide = {n: x if x.dtype.kind == "i" else x.astype(np.float32) for n, x in given.items()}
    model = model_of(node, wide, {name: np.zeros(0, np.float32) for name in node.output})
    model.graph.ClearField("output")
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in node.output)
    return node, given, dict(zip(node.output, ReferenceEvaluator(model).run(None, wide)))


def knows(drawn, given, outputs):
    """Is the standard's evaluator (1.23) right about a case?"""
    if 0 in given["q"].shape or 0 in given["k"].shape:
        return False
    if drawn.softcap and drawn.stage == 0 and "scores" in outputs:
        return False  # gives scores after softcap where the text says before
    bias = given.get("bias")  # makes the causal mask as high as the bias, not as the queries
    return bias is None or not drawn.causal or bias.ndim > 1 and bias.shape[-2] == drawn.queries


def agrees(index, model, given, outputs):
    """Is the formula what the standard's evaluator says?"""
    results = ReferenceEvaluator(model).run(list(outputs), given)
    for (name, want), have in zip(outputs.items(), results):
        if not np.allclose(have, want, rtol=1e-3, atol=1e-4, equal_nan=True):
            print(f"standard-{index:03}: the formula's {name} is not the standard's")
            return False
    return True


def failures(folder):
    failed = total = 0
    for tolerance, options in TOLERANCES.items():
        part = os.path.join(folder, tolerance)
        for flags in BACKENDS if os.path.isdir(part) else ():
            for case, row in corpora.run(part, *options, *flags).items():
                total += 1
                if row["status"] != "passed":
                    failed += 1
                    print(f"{os.path.basename(case)} {' '.join(flags)}: {row['reason']}")
    return failed, total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--keep")
    args = parser.parse_args()
    wanted = [c.rsplit("-", 1) for c in args.cases]
    wanted = wanted or [(kind, index) for kind in KINDS for index in range(CASES)]
    if not args.cases:
        wanted += [(kind, index) for kind in FAMILY for index in range(FAMILY_CASES)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or temporary
        comparable = [(index, make(kind, int(index), folder)) for kind, index in wanted]
        wrong = sum(not agrees(int(index), *case) for index, case in comparable if case)
        failed, total = failures(folder)
    compared = sum(case is not None for _, case in comparable)
    print(f"{total - failed} passed, {failed} failed; the formula agrees with the standard's "
          f"evaluator in {compared - wrong} of {compared} cases")
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
