"""Random models of ai.onnx.ml and of the operators on text against ONNX Runtime, and models that
must be refused.

    test_ml.py [--seed N] [--count N] [--only OP] [--keep DIR]
"""
import argparse
import os
import sys
import tempfile
import zlib

import corpora

try:
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

    from ml.cases import ML, TEXT
    from ml.hostile import CASES, HARMLESS
except ImportError as error:
    corpora.skip(f"{error}; the packages of tests/requirements.txt are needed")

TRAINING = {"Adagrad", "Adam", "Momentum"}
OLD = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}  # deprecated since 5


def dtype_of(array):
    if array.dtype == object or array.dtype.kind in "US":
        return TensorProto.STRING
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def attribute(name, value):
    if isinstance(value, np.ndarray):
        value = numpy_helper.from_array(value, name)
    return helper.make_attribute(name, value)


def domain_of(op):
    return "ai.onnx.ml" if op in ML else "ai.onnx.preview.training" if op in TRAINING else ""


def make_model(op, attrs, inputs, n_out):
    names = [f"x{i}" for i in range(len(inputs))]
    outs = ["y", "z"][:n_out]
    node = helper.make_node(op, names, outs, domain=domain_of(op))
    node.attribute.extend(attribute(name, value) for name, value in attrs.items()
                          if value is not None)
    graph = helper.make_graph(
        [node], op, [helper.make_tensor_value_info(name, dtype_of(value), value.shape)
                     for name, value in zip(names, inputs)],
        [ValueInfoProto(name=name) for name in outs])
    imports = [helper.make_opsetid("", 26 if op == "BitCast" else 20),
               helper.make_opsetid("ai.onnx.ml", 3 if op in OLD else 5),
               helper.make_opsetid("ai.onnx.preview.training", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10), names


def tensor(value, name):
    value = np.asarray(value)
    if dtype_of(value) != TensorProto.STRING:
        return numpy_helper.from_array(value, name)
    flat = [str(text).encode() for text in value.reshape(-1)]
    return helper.make_tensor(name, TensorProto.STRING, value.shape, flat)


def write(folder, model, values):
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data)
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    for kind, arrays in values.items():
        for i, (name, value) in enumerate(arrays):
            with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as file:
                file.write(tensor(value, name).SerializeToString())


def make_case(folder, op, index, seed):
    """None, or why ONNX Runtime does not run it."""
    rng = np.random.default_rng([seed, zlib.crc32(op.encode()), index])
    attrs, inputs, n_out = (ML | TEXT)[op](rng)
    model, names = make_model(op, attrs, inputs, n_out)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        results = session.run(None, dict(zip(names, inputs)))
    except Exception as error:  # pylint: disable=broad-exception-caught
        return f"{op}:{index}: {str(error)[:500]}"
    write(os.path.join(folder, f"{op}-{index}"), model,
          {"input": list(zip(names, inputs)), "output": list(zip(["y", "z"], results))})
    return None


def make_fixed(folder):
    """The cases of hostile.py; {name: words of the reason, or None}"""
    expected = {}
    for i, (op, attrs, inputs, outcome) in enumerate(CASES + HARMLESS):
        inputs = [np.asarray(value) for value in inputs]
        n_out = 2 if "Classifier" in op else 1
        model, names = make_model(op, attrs, inputs, n_out)
        name = f"{op}-fixed-{i}"
        refused = isinstance(outcome, str)
        expected[name] = outcome if refused else None
        result = np.float32(0) if refused else outcome  # a case must have one
        write(os.path.join(folder, name), model, {"input": list(zip(names, inputs)),
                                                  "output": [("y", result)]})
    return expected


def is_right(row, expected):
    words = expected.get(os.path.basename(row["case"]))
    if words is None:
        return row["status"] == "passed"
    return row["status"] == "failed" and words in row["reason"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    options = parser.parse_args()
    if not os.path.exists(corpora.HEED):
        corpora.skip("there is no heed in the build folder")
    if not os.path.exists(os.path.join(corpora.BUILD, "lib/heed/plugins-1/services/text.so")):
        TEXT.pop("RegexFullMatch")
        TEXT.pop("StringNormalizer")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or temporary
        refused = [make_case(folder, op, index, options.seed) for op in {**ML, **TEXT}
                   if options.only in ("", op) for index in range(options.count)]
        refused = [line for line in refused if line]
        expected = {} if options.only else make_fixed(folder)
        rows = corpora.run(folder, "--rtol", "1e-4", "--atol", "1e-5")
    wrong = [row for row in rows.values() if not is_right(row, expected)]
    for line in refused:
        print("refused " + line)
    for row in wrong:
        print(f"FAILED {os.path.basename(row['case'])}: {row['status']}: {row.get('reason')}")
    print(f"{len(rows) - len(wrong)} passed, {len(wrong) + len(refused)} failed, 0 skipped")
    return 1 if wrong or refused else 0


if __name__ == "__main__":
    sys.exit(main())
