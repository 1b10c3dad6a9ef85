"""One small graph for each form of attention, written by hand, and what heed makes of all of them.

Each graph is evaluated in float64 while it is written down; heed runs it with and without fusion.
"""
import tempfile

import judge as judging

try:
    import numpy as np

    from choice import Choices
    from trace import Graph
except ImportError as error:
    judging.corpora.skip(f"{error}; the packages of tests/requirements.txt are needed")

MODES = (("--attention", "off"), ("--attention", "auto"), ("--attention", "mha"),
         ("--attention", "auto", "--backends", "reference"))
SIZES = {"b": 2, "h": 3, "s": 5, "t": 7, "d": 8, "e": 4, "w": 12, "1": 1}


class Form:
    """Inputs by the letters of their axes; b, s and t are symbolic."""

    def __init__(self, name):
        self.g = Graph(Choices(1, len(name)), 20)
        self.rng = np.random.default_rng([3, *name.encode()])

    def data(self, axes):
        return self.rng.standard_normal([SIZES[a] for a in axes])

    def tensor(self, name, axes, dtype="float32"):
        dims = [f"n{a}" if a in "bst" else SIZES[a] for a in axes]
        return self.g.input(name, self.data(axes), dims, dtype)

    def do(self, kind, *inputs, **attrs):
        made = [self.g.constant(np.array(x), "float32") if isinstance(x, (int, float)) else x
                for x in inputs]
        return self.g.op(kind, *made, **attrs)

    def scores(self, q=None, k=None):
        k = k or self.tensor("k", "bhtd")
        turned = self.g.op("Transpose", k, perm=[0, 1, 3, 2])
        return self.g.op("MatMul", q or self.tensor("q", "bhsd"), turned)

    def scaled(self):
        return self.do("Mul", self.scores(), 0.35)

    def softmax(self, x):
        return self.g.op("Softmax", x, axis=-1)

    def total(self, x):
        return self.g.op("ReduceSum", x, self.g.ints(-1))

    def values(self, weights, v=None):
        return self.g.op("MatMul", weights, v or self.tensor("v", "bhtd"))

    def finish(self, y):
        self.g.output(y, "y")


def test(fused, left, half=()):
    """Each function draws a form: those of `fused` are recognised, those of `left` are not."""
    with tempfile.TemporaryDirectory() as folder:
        for make in fused + left:
            form = Form(make.__name__)
            make(form)
            kind = "half" if make in half else "full"
            judging.write_case(f"{folder}/{kind}/{make.__name__}", form.g.model(),
                               form.g.given.values(), form.g.results.values())
        verdicts = judging.judge(folder, MODES)
    failed = 0
    for make in fused + left:
        verdict = verdicts[make.__name__]
        wrong = list(verdict.wrong)
        if make in fused and not verdict.fused:
            wrong.append(f"not recognised: {'; '.join(verdict.reasons)}")
        if make in left and verdict.fused:
            wrong.append("recognised")
        failed += bool(wrong)
        for text in wrong:
            print(f"{make.__name__}: {text}")
    print(f"{len(fused + left) - failed} passed, {failed} failed")
    return 1 if failed else 0
