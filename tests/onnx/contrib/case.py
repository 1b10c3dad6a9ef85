"""A case of an operator that is not in the standard: one node, what goes in, what must come out.

The inputs, their declared shapes and the folder that is written are those of ../differential."""
import numpy as np
from onnx import helper, numpy_helper

from differential import case as standard

OPSET = 21  # of ai.onnx in the models
NARROW = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


class Case(standard.Case):
    """`constant`, `expect` and `form` are those of the standard's Case. `mask`: {output: booleans
    that broadcast to it}, False where an element means nothing: neither side's is looked at.
    `tolerance`: a name of TOLERANCES."""

    def __init__(self, op, domain, inputs, outputs=1, mask=None, tolerance=None, **more):
        super().__init__(op, more.pop("opset", OPSET), inputs, outputs, **more)
        self.domain, self.mask, self.tolerance = domain, mask or {}, tolerance

    def model(self, results=None):
        """The model; with `results`, the outputs have types and masks are applied."""
        given = [self.declare(name, value) for name, value in self.given().items()]
        weights = [numpy_helper.from_array(self.inputs[i], f"x{i}") for i in sorted(self.constant)]
        node = helper.make_node(self.op, self.names, self.outputs, domain=self.domain,
                                **self.attrs)
        nodes, kept = [node], [name for name in self.outputs if name]
        if results is None:
            outputs = [standard.ValueInfoProto(name=name) for name in kept]
        else:
            outputs = self._finish(kept, results, nodes, weights)
        graph = helper.make_graph(nodes, "g", given, outputs, weights)
        opsets = [helper.make_opsetid("", self.opset)]
        if self.domain:
            opsets.append(helper.make_opsetid(self.domain, 1))
        return helper.make_model(graph, opset_imports=opsets, ir_version=standard.IR_VERSION)

    def _finish(self, kept, results, nodes, weights):
        """Declares the outputs; those with a mask go through Where."""
        outputs = []
        for i, (name, value) in enumerate(zip(kept, results)):
            final = name
            if i in self.mask:
                final = name + "_masked"
                zero = np.zeros((), value.dtype)
                weights.append(numpy_helper.from_array(np.asarray(self.mask[i]), name + "_mask"))
                weights.append(numpy_helper.from_array(zero, name + "_zero"))
                nodes.append(helper.make_node("Where", [name + "_mask", name, name + "_zero"],
                                              [final]))
            outputs.append(standard.declare_result(final, value))
        return outputs

    def write(self, folder, results):
        masked = [np.where(self.mask[i], value, np.zeros((), value.dtype)).astype(value.dtype)
                  if i in self.mask else value for i, value in enumerate(results)]
        standard.write_case(folder, self.model(results), self.given().values(), masked)

    def tolerance_for(self, results):
        if self.tolerance:
            return self.tolerance
        arrays = [a for r in results for a in (r if isinstance(r, list) else [r])]
        return "half" if any(str(a.dtype) in NARROW for a in arrays) else "full"
