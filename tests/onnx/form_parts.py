"""Decoders of one attention, written node by node, and the run of what a test makes of them.

Where a decoder has pages, what it gives step by step is what it gives at once, and no bit asks how
tokens are cut into steps (tests/tools/stepwise.c); and so it is through the file's own tensors
(past_steps.c). Where it has none, one thing is changed by which a token would see others than those
before it."""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import corpora

HEADS, SIZE, TOKENS = 2, 4, 7
WIDTH = HEADS * SIZE
FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Graph:
    """A graph that is written node by node."""

    def __init__(self):
        self.nodes, self.inputs, self.outputs, self.constants, self.data = [], [], [], [], []
        self.rng = np.random.default_rng(7)

    def input(self, name, dtype, shape, data):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        self.data.append(numpy_helper.from_array(np.ascontiguousarray(data), name))
        return name

    def output(self, value, dtype, shape):
        self.outputs.append(helper.make_tensor_value_info(value, dtype, shape))

    def const(self, value):
        name = "c%d" % len(self.constants)
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def ints(self, *values):
        return self.const(np.array(values, dtype=np.int64))

    def weight(self, *shape):
        return self.const((self.rng.standard_normal(shape) / 2).astype(np.float32))

    def __call__(self, op, *inputs, **attrs):
        name = attrs.pop("name", "v%d" % len(self.nodes))
        self.nodes.append(helper.make_node(op, inputs, [name], **attrs))
        return name

    def save(self, folder):
        graph = helper.make_graph(self.nodes, "decoder", self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[
            helper.make_opsetid("", 24), helper.make_opsetid("com.microsoft", 1)], ir_version=11)
        onnx.save(model, os.path.join(folder, "model.onnx"))
        data = os.path.join(folder, "test_data_set_0")
        os.makedirs(data)
        for i, tensor in enumerate(self.data):
            with open(os.path.join(data, "input_%d.pb" % i), "wb") as file:
                file.write(tensor.SerializeToString())


def tokens_input(g, batch="batch", count="seq", n=TOKENS):
    x = g.rng.standard_normal((2 if batch == "batch" else batch, n, WIDTH)).astype(np.float32)
    return g.input("x", FLOAT, [batch, count, WIDTH], x)


def heads(g, x, shape=(0, 0, HEADS, SIZE)):
    split = g("Reshape", g("MatMul", x, g.weight(WIDTH, WIDTH)), g.ints(*shape))
    return g("Transpose", split, perm=[0, 2, 1, 3])


def scores_of(g, q, k):
    return g("Mul", g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2])), g.const(np.float32(0.5)))


def attend(g, q, k, v, visible):
    scores = scores_of(g, q, k)
    if visible:
        scores = g("Where", visible, scores, g.const(np.float32(-np.inf)))
    return g("MatMul", g("Softmax", scores, axis=-1), v)


def finish(g, y, count="seq", shape=(0, 0, WIDTH)):
    y = g("Reshape", g("Transpose", y, perm=[0, 2, 1, 3]), g.ints(*shape))
    g("MatMul", y, g.weight(WIDTH, 5), name="y")
    g.output("y", FLOAT, ["batch", count, 5])


# ---- The run -------------------------------------------------------------------------------------


def run_without_pages(folder):
    """What past_steps says of the same file."""
    done = subprocess.run([os.path.join(corpora.BUILD, "tests", "past_steps"), folder],
                          capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


def run_case(make, folder):
    """What stepwise says, and the forms that explain names."""
    make().save(folder)
    done = subprocess.run([os.path.join(corpora.BUILD, "tests", "stepwise"), folder],
                          capture_output=True, text=True, check=False)
    told = subprocess.run([corpora.HEED, "explain", "--json", os.path.join(folder, "model.onnx")],
                          capture_output=True, text=True, check=False)
    forms = {c["form"] for c in json.loads(told.stdout)["caches"]} if not told.returncode else set()
    return (done.stdout or done.stderr).strip(), forms


def run_all(pages, no_pages, without=None):
    """Rows of name: what makes the decoder. `without`: those that only have to be right without
    pages."""
    failed = count = 0
    for rows, wanted in ((pages, "same"), (no_pages, "none"), (without or {}, "")):
        for name, make in rows.items():
            with tempfile.TemporaryDirectory() as folder:
                said, forms = run_case(make, folder)
                plain = run_without_pages(folder) if wanted != "none" else "same"
            words = said.split()[1:]
            wrong = wanted and words[0].rstrip(":") != wanted
            wrong = wrong or not plain.startswith("same") or (wanted == "same" and words[-1] != "0")
            count += 1
            failed += bool(wrong)
            if wrong or "-v" in sys.argv:
                print("%s %s: %s; %s; %s" % ("FAILED" if wrong else "passed", name, said, plain,
                                             forms))
    print("%d passed, %d failed, 0 skipped" % (count - failed, failed))
    sys.exit(1 if failed else 0)
