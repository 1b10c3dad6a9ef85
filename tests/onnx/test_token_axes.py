#!/usr/bin/env python3
"""Decoders whose tokens come first, [tokens, batch], without a mask that would say so: what reads
other tokens says it.

Each row is written twice with the same weights: tokens [batch, sequence], which other tests check,
and [sequence, batch]. Both must generate the same, with pages and without."""

import json
import os
import subprocess
import sys
import tempfile

import corpora

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    corpora.skip("numpy and onnx are not there")

from page_parts import EACH, HEADS, MOST, WIDTH, WORDS, Decoder

PROMPT, COUNT = [3, 14, 1, 5], 6
INT = TensorProto.INT64
ONNX, MS = "", "com.microsoft"


class Turned(Decoder):
    """`first`: tokens are [sequence, batch]; `shape`: their extents, tokens last."""

    def __init__(self, first, shape=("batch", "sequence")):
        super().__init__()
        self.first, self.draw = first, np.random.default_rng(11)
        self.shape = list(shape)[::-1] if first else list(shape)
        self.inputs = [helper.make_tensor_value_info("tokens", INT, self.shape)]
        self.outputs = []

    def random(self, *shape):
        return self.const((self.draw.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32))

    def tokens(self):
        return self.op("Shape", "tokens", start=0 if self.first else 1, end=1 if self.first else 2)

    def input(self, name):
        """Beside the tokens, and of their shape; as [batch, sequence]"""
        self.inputs.append(helper.make_tensor_value_info(name, INT, self.shape))
        return self.op("Transpose", name, perm=[1, 0]) if self.first else name

    def grown(self, x, name, perm):
        """x [batch, heads, sequence, EACH] behind a past, of which the axes are turned by perm"""
        shape = [["batch", HEADS, "%s", EACH][k] for k in perm]
        kinds = [[s.replace("%s", end) if isinstance(s, str) else s for s in shape]
                 for end in ("past", "all")]
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, kinds[0]))
        both = self.op("Concat", name, self.op("Transpose", x, perm=perm), axis=perm.index(2))
        self.outputs.append(helper.make_tensor_value_info(both, TensorProto.FLOAT, kinds[1]))
        return self.op("Transpose", both, perm=[perm.index(k) for k in range(4)])

    def placed(self, x):
        return self.op("Add", x, self.op("Gather", self.random(MOST, WIDTH), self.places()))

    def save(self, path, part):
        rows = self.op("Gather", self.random(WORDS, WIDTH), "tokens")
        turn = {"perm": [1, 0, 2]}
        x = self.op("Transpose", rows, **turn) if self.first else rows
        y = self.op("MatMul", part(self, x), self.random(WIDTH, WORDS))
        y = self.op("Transpose", y, **turn) if self.first else y
        y = helper.make_tensor_value_info(y, TensorProto.FLOAT, [*self.shape, WORDS])
        graph = helper.make_graph(self.nodes, "decoder", self.inputs, [y, *self.outputs],
                                  self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[
            helper.make_opsetid(ONNX, 23), helper.make_opsetid(MS, 1)], ir_version=10), path)


# ---- Parts: x [batch, sequence, WIDTH] -> the same -----------------------------------------------


def by_softmax(d, x):
    return d.attend(d.placed(x))


def by_given_places(d, x):
    at = d.input("places")
    return d.attend(d.op("Add", x, d.op("Gather", d.random(MOST, WIDTH), at)))


def with_a_mask(d, x):
    """A row of what is no padding; its extents tell no more than those of the tokens."""
    seen = d.op("Cast", d.op("Unsqueeze", d.input("mask"), [1, 2]), to=TensorProto.BOOL)
    return d.attend(d.placed(x), mask=lambda s: d.op(
        "Where", d.op("And", d.sees(), seen), s, np.float32(-3e38)))


def of_tokens_first(d, x):
    """Heads beside sequences, [sequence, batch * heads, EACH], as some libraries have them."""
    x = d.op("Transpose", d.placed(x), perm=[1, 0, 2])
    q, k, v = (d.op("Transpose", d.op("Reshape", d.op("MatMul", x, d.random(WIDTH, WIDTH)), d.op(
        "Concat", d.tokens(), np.array([-1, EACH]), axis=0)), perm=[1, 0, 2]) for _ in range(3))
    s = d.mask(d.op("MatMul", q, d.op("Transpose", k, perm=[0, 2, 1])))
    y = d.op("Transpose", d.op("MatMul", d.op("Softmax", s, axis=-1), v), perm=[1, 0, 2])
    y = d.op("Reshape", y, d.op("Concat", d.tokens(), np.array([-1, WIDTH]), axis=0))
    return d.op("Transpose", d.op("Add", x, y), perm=[1, 0, 2])


def by_softmax_of_a_batch_of_keys(d, x):
    """Keys in front: the softmax is along axis 2 of [batch, heads, keys, queries]."""
    x = d.placed(x)
    q, k, v = (d.heads(d.op("MatMul", x, d.random(WIDTH, WIDTH)), HEADS) for _ in range(3))
    s = d.op("MatMul", k, d.op("Transpose", q, perm=[0, 1, 3, 2]))
    s = d.op("Where", d.op("Transpose", d.sees(), perm=[1, 0]), s, np.float32(-3e38))
    s = d.op("Transpose", d.op("Softmax", s, axis=2), perm=[0, 1, 3, 2])
    y = d.op("Reshape", d.op("Transpose", d.op("MatMul", s, v), perm=[0, 2, 1, 3]), [0, -1, WIDTH])
    return d.op("Add", x, y)


def without_a_softmax(d, x):
    x = d.placed(x)
    q, k, v = (d.op("MatMul", x, d.random(WIDTH, WIDTH)) for _ in range(3))
    s = d.op("Relu", d.op("MatMul", q, d.op("Transpose", k, perm=[0, 2, 1])))
    return d.op("Add", x, d.op("MatMul", d.op("Trilu", s, upper=0), v))


def with_past(perm):
    def part(d, x):
        q, k, v = (d.heads(d.op("MatMul", x, d.random(WIDTH, WIDTH)), HEADS) for _ in range(3))
        k, v = d.grown(k, "past_k", perm), d.grown(v, "past_v", perm)
        n, all_n = d.tokens(), d.op("Shape", k, start=2, end=3)
        seen = d.op("Trilu", d.op("Expand", np.array(True), d.op("Concat", n, all_n, axis=0)),
                    d.number(d.op("Sub", all_n, n)), upper=0)
        s = d.op("MatMul", q, d.op("Transpose", k, perm=[0, 1, 3, 2]))
        s = d.op("Softmax", d.op("Where", seen, s, np.float32(-3e38)), axis=-1)
        y = d.op("Transpose", d.op("MatMul", s, v), perm=[0, 2, 1, 3])
        return d.op("Add", x, d.op("Reshape", y, [0, -1, WIDTH]))
    return part


def by_operator(kind, domain, **attributes):
    def part(d, x):
        x = d.placed(x)
        q, k, v = (d.op("MatMul", x, d.random(WIDTH, WIDTH)) for _ in range(3))
        return d.op("Add", x, d.op(kind, q, k, v, domain=domain, **attributes))
    return part


def by_recurrence(d, x):
    y = d.op("LSTM", d.op("Transpose", x, perm=[1, 0, 2]), d.random(1, 4 * WIDTH, WIDTH),
             d.random(1, 4 * WIDTH, WIDTH), outputs=2, hidden_size=WIDTH)[0]
    return d.op("Transpose", d.op("Squeeze", y, [1]), perm=[1, 0, 2])


# part, whether it gets pages, extents
CASES = {
    "scores": (by_softmax, True),
    "places that are given": (by_given_places, True),
    "a mask of the same extents": (with_a_mask, True),
    "tokens first within": (of_tokens_first, True),
    "keys before queries": (by_softmax_of_a_batch_of_keys, None),
    "no softmax": (without_a_softmax, False),
    "Attention": (by_operator("Attention", ONNX, q_num_heads=HEADS, kv_num_heads=HEADS,
                              is_causal=1), True),
    "MultiHeadAttention": (by_operator("MultiHeadAttention", MS, num_heads=HEADS,
                                       unidirectional=1), True),
    "a recurrence": (by_recurrence, False),
    "a past": (with_past([0, 1, 2, 3]), True),
    "a past of tokens first": (with_past([2, 0, 1, 3]), True),
    "one sequence": (by_softmax, True, (1, "sequence")),
    "one name for both": (by_softmax, None, ("n", "n")),
    "numbers": (by_softmax, True, (1, MOST)),
    "numbers, and an operator": (by_operator("MultiHeadAttention", MS, num_heads=HEADS,
                                             unidirectional=1), True, (1, MOST)),
}


def generate(path, *options):
    done = subprocess.run(
        [corpora.HEED, "generate", path, "--tokens", ",".join(map(str, PROMPT)), "--max-tokens",
         str(COUNT), "--ignore-end", "--json", *options], capture_output=True, text=True,
        check=False)
    if done.returncode:
        return done.stderr.strip(), False
    said = json.loads(done.stdout.strip().split("\n")[-1])
    return said["tokens"], said["cache"]["paged"]


def judge(folder, part, pages, shape=("batch", "sequence")):
    """None: right; or what is wrong. Extents that are alike tell nothing: the batch is first."""
    path = os.path.join(folder, "model.onnx")
    Turned(False).save(path, part)
    wanted, _ = generate(path, "--no-pages")
    for first in (False, True)[:1 if shape[0] == shape[1] else 2]:
        Turned(first, shape).save(path, part)
        for options in ((), ("--no-pages",)):
            said, paged = generate(path, *options)
            if not isinstance(said, list) or said != wanted:
                return "%s, and wanted %s" % (said, wanted)
            if pages is not None and paged != (pages and not options):
                return "pages: %s" % paged
    return None


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, row in CASES.items():
            wrong = judge(folder, *row)
            if wrong:
                print("FAILED %s: %s" % (name, wrong))
                failed += 1
    print("%d passed, %d failed, 0 skipped" % (len(CASES) - failed, failed))
    return 1 if failed else 0


sys.exit(main())
