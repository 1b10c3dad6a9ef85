"""The table: one row an operator, and which operators have none, with the reason."""
from onnx import defs

LAST_OPSET = 28


class Row:
    """`draw(d)` gives a case from random draws. `order`: which oracles are asked; where these are
    not ONNX Runtime first and then the evaluator, a comment at the row says why. `runtime_opset`:
    the newest opset of which ONNX Runtime has the operator; newer ones only let it have more
    types. `ranked`: heed has to know the ranks of the inputs when it loads the model."""

    def __init__(self, op, draw, order, runtime_opset, ranked):
        self.op, self.draw, self.order = op, draw, order
        self.runtime_opset, self.ranked = runtime_opset, ranked


ROWS = {}


def row(*ops, order=("runtime", "reference"), runtime_opset=LAST_OPSET, ranked=False):
    def add(draw):
        for op in ops:
            assert op not in ROWS, op
            ROWS[op] = Row(op, draw, order, runtime_opset, ranked)
        return draw
    return add


def versions():
    """{operator: [since_version, ...]} of ai.onnx."""
    found = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "":
            found.setdefault(schema.name, []).append(schema.since_version)
    return {op: sorted(since) for op, since in found.items()}


def last_opset(op):
    """The newest opset that has the operator."""
    newest = max(versions()[op])
    return newest - 1 if defs.get_schema(op, newest, "").deprecated else LAST_OPSET
