"""A case: one node, what goes in, what must come out; and how it is written as a folder."""
import os

import numpy as np
from onnx import ValueInfoProto, helper, numpy_helper

IR_VERSION = 10
FORMS = ("fixed", "fixed", "symbolic", "unknown dims", "unknown rank")


class Case:
    """`inputs`: arrays, lists of arrays (sequences), or None for what is left out.
    `outputs`: how many, or a string with a letter for each, "-" for one that is left out.
    `attrs`: the node's. `constant`: inputs that must be weights, "some": a coin for each but the
    first, "none". `expect`: the right outputs where neither oracle is right, with a comment that
    says why. `oracle`: "runtime" or "reference" where it alone is asked.
    `form`: how the model declares the shapes of its inputs. `captured`: {name: array} of inputs of
    the model that only the bodies of a control flow node read."""

    def __init__(self, op, opset, inputs, outputs=1, attrs=None, constant="some", expect=None,
                 oracle=None, form=None, captured=None, rng=None):
        self.op, self.opset, self.inputs, self.attrs = op, opset, inputs, attrs or {}
        letters = "yzuvwpqrst"[:outputs] if isinstance(outputs, int) else outputs
        self.outputs = ["" if c == "-" else c for c in letters]
        self.names = ["" if value is None else f"x{i}" for i, value in enumerate(inputs)]
        self.expect, self.oracle, self.constant = expect, oracle, set()
        self.captured = captured or {}
        self.form = form or "fixed"
        if rng is not None:
            self._draw_form(rng, constant, form)

    def _draw_form(self, rng, constant, form):
        self.form = form or FORMS[int(rng.integers(len(FORMS)))]
        for i, value in enumerate(self.inputs):
            chosen = rng.random() < 0.35 and i > 0
            wanted = chosen if constant == "some" else i in constant
            if wanted and isinstance(value, np.ndarray):
                self.constant.add(i)

    def given(self):
        """{name: value} of the inputs that a run is fed with."""
        return {name: value for i, (name, value) in enumerate(zip(self.names, self.inputs))
                if name and i not in self.constant} | self.captured

    def dims(self, name, array):
        if self.form == "fixed":
            return array.shape
        if self.form == "symbolic":
            return [f"{name}_{axis}" for axis in range(array.ndim)]
        return [None] * array.ndim if self.form == "unknown dims" else None

    def declare(self, name, value):
        if isinstance(value, list):
            kind = tensor_type(value[0].dtype if value else np.dtype("float32"))
            inner = helper.make_tensor_type_proto(kind, None)
            return helper.make_value_info(name, helper.make_sequence_type_proto(inner))
        return helper.make_tensor_value_info(name, tensor_type(value.dtype),
                                             self.dims(name, value))

    def model(self, results=None, opset=None):
        """The model; its outputs get types when their values are given."""
        node = helper.make_node(self.op, self.names, self.outputs, **self.attrs)
        inputs = [self.declare(name, value) for name, value in self.given().items()]
        weights = [numpy_helper.from_array(self.inputs[i], f"x{i}") for i in sorted(self.constant)]
        kept = [name for name in self.outputs if name]
        outputs = [ValueInfoProto(name=name) for name in kept]
        if results is not None:
            outputs = [declare_result(name, value) for name, value in zip(kept, results)]
        graph = helper.make_graph([node], "g", inputs, outputs, weights)
        imports = [helper.make_opsetid("", opset or self.opset)]
        return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)

    def write(self, folder, results):
        write_case(folder, self.model(results), self.given().values(), results)


def tensor_type(dtype):
    return helper.np_dtype_to_tensor_dtype(dtype)


def declare_result(name, value):
    if value is None:
        return ValueInfoProto(name=name)
    if isinstance(value, list):
        return Case("", 1, []).declare(name, value)
    return helper.make_tensor_value_info(name, tensor_type(value.dtype), [None] * value.ndim)


def to_proto(value):
    if isinstance(value, list):
        return numpy_helper.from_list(value, dtype=None if value else 1)
    return numpy_helper.from_array(np.asarray(value))


def write_case(folder, model, inputs, outputs):
    """The form that the node tests of the standard have."""
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data)
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    for kind, values in (("input", inputs), ("output", outputs)):
        for i, value in enumerate(values):
            with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as file:
                file.write(to_proto(value).SerializeToString())
