"""Small decoders of one layer, of which a test writes some part in another form.

A case is a part, (decoder, x [1, S, WIDTH]) -> [1, S, WIDTH], and whether it gets pages. Where rows
of that part are those of the tokens, it gets pages and gives step by step what it gives at once
(`stepwise`). Where they are not, though it looks alike, there are no pages: results would depend on
how tokens are cut into steps, or on who else is in a step."""

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

WORDS, WIDTH, HEADS, EACH, MOST = 19, 16, 2, 8, 12
LOW = -3e38
draw = np.random.default_rng(7)


class Decoder:
    """tokens [1, S] -> logits [1, S, WORDS], in parts that a case may write otherwise."""

    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = ["v%d" % (self.count + i) for i in range(outputs)]
        self.count += outputs
        inputs = [x if isinstance(x, str) else self.const(x) for x in inputs]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def const(self, value):
        name = "c%d" % len(self.weights)
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def random(self, *shape):
        return self.const((draw.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32))

    def tokens(self):
        """S as int64 [1]"""
        return self.op("Shape", "tokens", start=1, end=2)

    def number(self, length):
        return self.op("Squeeze", length, [0])

    def places(self):
        return self.op("Range", np.int64(0), self.number(self.tokens()), np.int64(1))

    def floats(self, x):
        return self.op("Cast", x, to=TensorProto.FLOAT)

    def minimum(self, most):
        """min(S, most) as int64 [1]"""
        return self.op("Reshape", self.op("Min", self.number(self.tokens()), np.int64(most)), [1])

    def heads(self, x, count):
        return self.op("Transpose", self.op("Reshape", x, [0, -1, count, EACH]), perm=[0, 2, 1, 3])

    def sees(self):
        """key <= query [S, S]"""
        places = self.places()
        return self.op("LessOrEqual", places, self.op("Unsqueeze", places, [1]))

    def window(self, before):
        """key > query - before [S, S], and key <= query"""
        places = self.places()
        first = self.op("Sub", self.op("Unsqueeze", places, [1]), np.int64(before))
        return self.op("And", self.op("Greater", places, first), self.sees())

    def mask(self, scores):
        return self.op("Where", self.sees(), scores, np.float32(LOW))

    def attend(self, x, turn=None, mask=None, counts=(HEADS, HEADS, HEADS)):
        q, k, v = (self.heads(self.op("MatMul", x, self.random(WIDTH, count * EACH)), count)
                   for count in counts)
        if turn:
            q, k = turn(q), turn(k)
        scores = self.op("MatMul", q, self.op("Transpose", k, perm=[0, 1, 3, 2]))
        scores = (mask or self.mask)(self.op("Mul", scores, np.float32(0.35)))
        y = self.op("MatMul", self.op("Softmax", scores, axis=-1), v)
        y = self.op("Reshape", self.op("Transpose", y, perm=[0, 2, 1, 3]), [0, -1, WIDTH])
        return self.op("Add", x, self.op("MatMul", y, self.random(WIDTH, WIDTH)))

    def model(self, part):
        x = self.op("Gather", self.random(WORDS, WIDTH), "tokens")
        x = part(self, x)
        logits = self.op("MatMul", x, self.random(WIDTH, WORDS))
        graph = helper.make_graph(
            self.nodes, "decoder",
            [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "sequence"])],
            [helper.make_tensor_value_info(logits, TensorProto.FLOAT, None)], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)


# ---- Parts that several tests use ----------------------------------------------------------------


def backwards(d):
    return d.op("Sub", d.op("Sub", d.number(d.tokens()), np.int64(1)), d.places())


def by_length(d):
    return d.floats(d.tokens())


# ---- Running ------------------------------------------------------------------------------------


def run_case(folder, part):
    onnx.save(Decoder().model(part), os.path.join(folder, "model.onnx"))
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    tokens = numpy_helper.from_array(draw.integers(0, WORDS, (2, MOST - 1)), "tokens")
    with open(os.path.join(data, "input_0.pb"), "wb") as file:
        file.write(tokens.SerializeToString())
    tool = os.path.join(corpora.BUILD, "tests", "stepwise")
    done = subprocess.run([tool, folder], capture_output=True, text=True, check=False)
    form, _, said = done.stdout.strip().partition(" ")
    return said if form else "failed: " + done.stderr.strip()


def judge(said, wanted):
    """None: right; or what is wrong. What need not get pages must be right where it has them."""
    pages = said.startswith("same") and said.endswith(" moved 0")
    none = said.startswith("none: no pages")
    if wanted is None:
        return None if pages or none else said
    return None if (pages if wanted else none) else said


def run_all(cases):
    """name: (part, whether it gets pages; None: only right where it does)"""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, (part, wanted) in cases.items():
            wrong = judge(run_case(folder, part), wanted)
            if wrong:
                print("FAILED %s: %s" % (name, wrong))
                failed += 1
    print("%d passed, %d failed, 0 skipped" % (len(cases) - failed, failed))
    sys.exit(1 if failed else 0)
