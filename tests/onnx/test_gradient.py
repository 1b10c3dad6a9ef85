"""Gradient of ai.onnx.preview.training, rule by rule, against differences of what the standard's
evaluator computes in float64.
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("HEED_BUILD") or os.path.join(HERE, "..", "..", "build")
SKIPPED = 77
STEP = 1e-5

try:
    import numpy as np
    from onnx import numpy_helper, parser
    from onnx.reference import ReferenceEvaluator
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(SKIPPED)

RANDOM = np.random.default_rng(0)
HEAD = '<ir_version: 8, opset_import: ["" : 18, "ai.onnx.preview.training" : 1]>\n'
A, B, C = (2, 3), (2, 3), (3, 4)

# What computes `v` from a, b and c: its shapes, its text.
CASES = {
    "add": (A, B, "v = Add(a, b)"),
    "sub_broadcast": (A, (3,), "v = Sub(a, b)"),
    "mul_broadcast": (A, (2, 1), "v = Mul(a, b)"),
    "mul_scalar": (A, (), "v = Mul(b, a)"),
    "square": (A, B, "v = Mul(a, a)"),
    "div": (A, B, "v = Div(a, b)"),
    "div_broadcast": ((3,), (2, 1), "v = Div(a, b)"),
    "pow": (A, B, "v = Pow(a, b)"),
    "where": (A, B, "t = Greater(a, b)\n v = Where(t, a, b)"),
    "matmul": (A, C, "v = MatMul(a, b)"),
    "matmul_batch": ((5, 2, 3), C, "v = MatMul(a, b)"),
    "gemm": (A, C, "v = Gemm<alpha=0.5>(a, b)"),
    "gemm_a": ((3, 2), C, "v = Gemm<transA=1>(a, b)"),
    "gemm_b": (A, (4, 3), "v = Gemm<transB=1>(a, b)"),
    "gemm_ab": ((3, 2), (4, 3), "v = Gemm<transA=1, transB=1, alpha=2.0>(a, b)"),
    "gemm_c": ((3, 3), (3, 3), "v = Gemm<beta=0.25>(a, b, a)"),
    "reduce": (A, B, "n = Constant<value_ints=[1]>()\n s = ReduceSum<keepdims=0>(a, n)\n"
                     "m = ReduceMean(b, n)\n v = Add(s, m)"),
    "reduce_all": (A, B, "s = ReduceSum(a)\n m = ReduceMean<keepdims=0>(b)\n v = Mul(s, m)"),
    "shapes": (A, B, "n = Constant<value_ints=[1]>()\n u = Unsqueeze(a, n)\n"
                     "q = Squeeze(u, n)\n f = Flatten(q)\n k = Constant<value_ints=[3, 2]>()\n"
                     "r = Reshape(f, k)\n t = Transpose(b)\n v = Mul(r, t)"),
    "transpose": ((2, 3, 4), (3, 4, 2), "t = Transpose<perm=[1, 2, 0]>(a)\n v = Mul(t, b)"),
    "expand": ((3, 1), (3, 4), "k = Constant<value_ints=[2, 3, 4]>()\n e = Expand(a, k)\n"
                               "v = Mul(e, b)"),
    "softmax": (A, B, "s = Softmax<axis=0>(a)\n v = Mul(s, b)"),
    "log_softmax": (A, B, "s = LogSoftmax(a)\n v = Mul(s, b)"),
    "cast": (A, B, "s = Cast<to=11>(a)\n v = Mul(s, b)"),
    "network": (A, C, "h = MatMul(a, b)\n t = Tanh(h)\n s = Sigmoid(t)\n m = Mul(s, t)\n"
                      "v = Add(m, h)"),
}
# Erf is missing because the evaluator rounds it to float32.
for name in ("Identity", "Neg", "Exp", "Log", "Sqrt", "Tanh", "Sigmoid", "Relu", "Sin", "Cos",
             "Abs", "Reciprocal", "Softplus"):
    CASES[name] = (A, B, f"u = {name}(a)\n v = Mul(u, b)")


def declare(name, shape):
    return f"double[{','.join(map(str, shape))}] {name}" if shape else f"double {name}"


def model(case, grad):
    a, b, text = CASES[case]
    last = ('da, db = ai.onnx.preview.training.Gradient<xs=["a", "b"], y="y">(a, b)\n'
            if grad else "")
    results = f"{declare('da', a)}, {declare('db', b)}" if grad else "double y"
    weights = "w = Cos(v)\n p = Mul(v, w)\n y = ReduceSum<keepdims=0>(p)\n"
    return parser.parse_model(f"{HEAD}g ({declare('a', a)}, {declare('b', b)}) => ({results}) {{\n"
                              f"{text}\n {weights}{last}}}")


def differences(case, values):
    run = ReferenceEvaluator(model(case, False)).run
    results = []
    for name in "ab":
        slope = np.zeros(values[name].shape)
        for at in np.ndindex(*slope.shape):
            ends = []
            for step in (STEP, -STEP):
                moved = {k: np.array(v) for k, v in values.items()}
                moved[name][at] += step
                ends.append(run(None, moved)[0])
            slope[at] = (ends[0] - ends[1]) / (2 * STEP)
        results.append(slope)
    return results


def write(path, array):
    with open(path, "wb") as file:
        file.write(numpy_helper.from_array(np.asarray(array)).SerializeToString())


def main():
    heed = os.path.join(BUILD, "heed")
    if not os.path.exists(heed):
        print("SKIPPED: there is no heed in the build folder")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        for case, (a, b, _) in CASES.items():
            values = {k: np.asarray(RANDOM.uniform(0.3, 1.7, s)) for k, s in (("a", a), ("b", b))}
            data = os.path.join(folder, case, "test_data_set_0")
            os.makedirs(data)
            with open(os.path.join(folder, case, "model.onnx"), "wb") as file:
                file.write(model(case, True).SerializeToString())
            for i, value in enumerate(values.values()):
                write(os.path.join(data, f"input_{i}.pb"), value)
            for i, value in enumerate(differences(case, values)):
                write(os.path.join(data, f"output_{i}.pb"), value)
        return subprocess.run([heed, "test", folder, "--rtol", "1e-6", "--atol", "1e-6"],
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
