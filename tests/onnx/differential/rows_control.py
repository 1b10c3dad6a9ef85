"""Rows of control flow, sequences and optionals."""
import numpy as np
from onnx import TensorProto, helper

from differential.draw import tensor_type
from differential.table import row

FLOAT, BOOL, INT64 = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64


def value(name, kind=FLOAT, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def graph(nodes, inputs, outputs):
    return helper.make_graph(nodes, "body", inputs, outputs)


def branch(d, x, y):
    """One output of a random computation on what is captured."""
    op = d.pick("Add", "Mul", "Sub", "Max")
    nodes = [helper.make_node(op, ["a", "b"], ["t"])]
    nodes += [helper.make_node(d.pick("Neg", "Abs", "Exp", "Identity"), ["t"], ["z"])]
    return graph(nodes, [], [value("z")])


@row("If")
def if_case(d):
    a, b = d.broadcast(2)
    captured = {"a": d.data(a, low=-1, high=1), "b": d.data(b, low=-1, high=1)}
    condition = np.array(d.chance()) if d.chance(0.7) else np.array([d.chance()])
    return d.case([condition], captured=captured, constant=(0,) if d.chance(0.2) else (),
                  attrs={"then_branch": branch(d, a, b), "else_branch": branch(d, a, b)})


def loop_body(d, grows):
    """state + captured each time, a scan output, and a condition that may end it."""
    step = helper.make_node("Concat", ["s", "c"], ["s2"], axis=0) if grows else \
        helper.make_node("Add", ["s", "c"], ["s2"])
    stop = helper.make_tensor("limit", FLOAT, [], [d.whole(0, 6)])
    nodes = [step, helper.make_node("Constant", [], ["n"], value=stop),
             helper.make_node("Cast", ["i"], ["at"], to=FLOAT),
             helper.make_node("Less", ["at", "n"], ["going"]),
             helper.make_node("Mul", ["c", "c"], ["e"])]
    return graph(nodes, [value("i", INT64, []), value("k", BOOL, []), value("s")],
                 [value("going", BOOL, []), value("s2"), value("e")])


# The evaluator joins scan outputs where all others stack them.
@row("Loop", order=("runtime",))
def loop(d):
    shape = d.shape(least=1, most=3)
    count = np.array(d.whole(0, 5), np.int64) if d.chance(0.8) else None
    keep = np.array(d.chance(0.9)) if d.chance() else None
    grows = d.chance(0.3)
    return d.case([count, keep, d.data(shape)], 2, captured={"c": d.data(shape)},
                  constant=(0,) if d.chance(0.3) else (), attrs={"body": loop_body(d, grows)})


def scan_body(outputs):
    nodes = [helper.make_node("Add", ["s", "x"], ["s2"]),
             helper.make_node("Mul", ["s", "x"], ["e"])]
    return graph(nodes, [value("s"), value("x")], [value(n) for n in outputs])


@row("Scan")
def scan(d):
    item, length = d.shape(least=1, most=2), d.whole(1, 5)
    attrs = {"num_scan_inputs": 1, "body": scan_body(["s2", "e"])}
    if d.opset < 9:  # with a batch axis in front, and the lengths of its samples
        n = d.whole(1, 3)
        attrs |= d.attrs(directions=[d.pick(0, 1)])
        lengths = d.rng.integers(1, length + 1, n).astype(np.int64) if d.chance() else None
        return d.case([lengths, d.data((n, *item)), d.data((n, length, *item))], 2, attrs=attrs)
    axis = d.whole(0, len(item))
    x = np.moveaxis(d.data((length, *item)), 0, axis)
    attrs |= {"scan_input_axes": [axis - x.ndim if d.opset >= 11 and d.chance(0.4) else axis]}
    attrs |= d.attrs(scan_input_directions=[d.pick(0, 1)], scan_output_directions=[d.pick(0, 1)],
                     scan_output_axes=[d.whole(0, len(item))])
    return d.case([d.data(item), x], 2, attrs=attrs)


# ---- Sequences ----

def items(d, least=1):
    kind = d.pick("float32", "int64")
    return [d.data(d.shape(), kind) for _ in range(d.whole(least, 4))]


def position(d, low, high):
    return np.array(d.whole(low, high), d.pick(np.int64, np.int32))


@row("SequenceConstruct")
def sequence_construct(d):
    return d.case(items(d))


@row("SequenceEmpty")
def sequence_empty(d):
    return d.case([], attrs=d.attrs(dtype=tensor_type(d.pick("float32", "int64", "bool"))),
                  expect=[[]])


@row("SequenceAt")
def sequence_at(d):
    x = items(d)
    return d.case([x, position(d, -len(x), len(x) - 1)])


@row("SequenceErase")
def sequence_erase(d):
    x = items(d, least=2)
    return d.case([x, position(d, -len(x), len(x) - 1) if d.chance(0.8) else None])


@row("SequenceInsert")
def sequence_insert(d):
    x = items(d)
    return d.case([x, d.data(d.shape(), x[0].dtype),
                   position(d, -len(x), len(x)) if d.chance(0.8) else None])


@row("SequenceLength")
def sequence_length(d):
    return d.case([items(d)])


@row("ConcatFromSequence")
def concat_from_sequence(d):
    x = list(d.shape(least=1))
    new = d.chance()
    axis = d.axis(len(x) + new)
    parts = []
    for _ in range(d.whole(1, 4)):
        if not new:
            x[axis] = d.whole(0, 3)
        parts.append(d.data(x))
    return d.case([parts], attrs={"axis": axis} | ({"new_axis": 1} if new else d.attrs(new_axis=0)))


@row("SplitToSequence")
def split_to_sequence(d):
    x = list(d.shape(least=1, zero=False))
    axis = d.axis(len(x))
    attrs = d.attrs(axis=axis)
    axis = attrs.get("axis", 0)
    form = d.pick("none", "size", "sizes")
    if form == "none":
        attrs |= d.attrs(keepdims=d.pick(0, 1))
        return d.case([d.data(x, d.dtype(("float32", "int64")))], attrs=attrs)
    if form == "size":
        return d.case([d.data(x), np.array(d.whole(1, x[axis]), np.int64)], attrs=attrs)
    sizes = [d.whole(0, 3) for _ in range(d.whole(1, 4))]
    x[axis] = sum(sizes)
    return d.case([d.data(x), np.array(sizes, np.int64)], attrs=attrs)


@row("SequenceMap")
def sequence_map(d):
    body = graph([helper.make_node(d.pick("Neg", "Abs", "Exp"), ["t"], ["t2"]),
                  helper.make_node("Add", ["t2", "more"], ["r"])],
                 [value("t"), value("more")], [value("r")])
    parts = [d.data(d.shape(), low=-1, high=1) for _ in range(d.whole(1, 4))]
    return d.case([parts, d.data(())], attrs={"body": body})


# ---- Optionals ----

@row("OptionalHasElement", "OptionalGetElement")
def optional_element(d):
    x = d.data(d.shape(), d.pick("float32", "int64"))
    return d.case([items(d) if d.chance(0.3) else x])
