"""Damaged protobuf: lengths, tags, wire types, text, depth, and files that are something else."""

from cases import GOOD, case, graph, graph_attribute, header, w, with_nodes, with_weight


@case
def empty_file():
    """no bytes at all"""
    return b""


@case
def text_file():
    """a text"""
    return b"This is not a model, it is a sentence.\n" * 3


@case
def elf_file():
    """the start of a program"""
    return b"\x7fELF\x02\x01\x01" + bytes(57)


@case
def zero_bytes():
    """64 zeros: field number 0"""
    return bytes(64)


@case
def cut_in_the_middle():
    """half of a good file"""
    return GOOD[: len(GOOD) // 2]


@case
def cut_by_one():
    """the last byte is missing"""
    return GOOD[:-1]


@case
def cut_inside_a_tag():
    """a tag whose second byte is missing"""
    return w.number(1, 8) + b"\xb8"


@case
def graph_length_too_long():
    """the graph claims 4 GB"""
    return w.number(1, 8) + w.varint(7 << 3 | 2) + w.varint(1 << 32)


@case
def node_length_too_long():
    """a node that ends behind its graph"""
    return w.number(1, 8) + w.data(7, w.varint(1 << 3 | 2) + w.varint(40) + b"\x22\x04Relu")


@case
def length_wraps():
    """a length of 2^64 - 1"""
    return w.number(1, 8) + w.varint(7 << 3 | 2) + w.varint((1 << 64) - 1) + b"abc"


@case
def varint_of_eleven_bytes():
    """an ir_version that never ends"""
    return b"\x08" + b"\xff" * 11 + b"\x01"


@case
def group_wire_type():
    """a group, which protobuf has dropped"""
    return w.number(1, 8) + w.varint(7 << 3 | 3)


@case
def reserved_wire_type():
    """wire type 7"""
    return w.number(1, 8) + w.varint(7 << 3 | 7)


@case
def graph_as_number():
    """the graph is a varint"""
    return w.number(1, 8) + w.number(7, 5)


@case
def ir_version_as_text():
    """the ir_version is a text"""
    return w.data(1, "8") + GOOD


@case
def graph_twice():
    """two graphs"""
    return GOOD + w.data(7, w.data(2, "again"))


@case
def float_data_of_seven_bytes():
    """packed floats that are no multiple of four"""
    return with_weight(header([2]) + w.data(4, b"1234567"))


@case
def packed_dims_cut_off():
    """packed dims whose last varint does not end"""
    return with_weight(w.data(1, b"\x02\x82") + w.number(2, 1) + w.data(8, "w"))


@case
def name_not_utf8():
    """a node name in Latin-1"""
    return with_nodes(w.node("Relu", ["x"], ["y"]) + w.data(3, b"caf\xe9"))


@case
def name_overlong_utf8():
    """a slash hidden in two bytes"""
    return with_nodes(w.node("Relu", ["x"], ["y"]) + w.data(3, b"a\xc0\xafb"))


@case
def name_with_surrogate():
    """half of a surrogate pair"""
    return with_nodes(w.node("Relu", ["x"], ["y"]) + w.data(3, b"\xed\xa0\x80"))


@case
def name_with_zero():
    """a name that C would cut"""
    return with_nodes(w.node("Relu", ["x"], ["y\0z"]))


def nested(depth: int) -> bytes:
    inner = graph([w.node("Identity", ["x"], ["r0"])], [w.value("r0", w.FLOAT, [2, 2])])
    for i in range(1, depth):
        node = w.node("If", ["c"], [f"r{i}"])
        node += w.data(5, graph_attribute("then_branch", inner))
        node += w.data(5, graph_attribute("else_branch", graph(
            [w.node("Identity", ["x"], [f"e{i}"])], [w.value(f"e{i}", w.FLOAT, [2, 2])])))
        inner = graph([node], [w.value(f"r{i}", w.FLOAT, [2, 2])])
    return inner


@case
def nested_if_40():
    """40 graphs inside each other"""
    return w.number(1, 8) + w.data(7, nested(40)) + w.data(8, w.number(2, 18))


@case
def nested_if_2000():
    """2000 graphs inside each other"""
    graph_bytes = w.data(2, "innermost")
    for _ in range(2000):
        graph_bytes = w.data(1, w.data(4, "If") + w.data(5, graph_attribute("then_branch",
                                                                            graph_bytes)))
    return w.number(1, 8) + w.data(7, graph_bytes) + w.data(8, w.number(2, 18))


@case
def nested_types():
    """a sequence of sequences, 5000 deep: 30 kB that overflow a recursive decoder"""
    kind = w.tensor_type(w.FLOAT, [1])
    for _ in range(5000):
        kind = w.data(4, w.data(1, kind))
    return w.number(1, 8) + w.data(7, w.data(11, w.data(1, "x") + w.data(2, kind)))


@case
def empty_tensors():
    """half a million tensors of two bytes each"""
    return w.number(1, 8) + w.data(7, b"\x2a\x00" * (1 << 19)) + w.data(8, w.number(2, 18))


@case
def empty_nodes():
    """nodes without anything"""
    return w.number(1, 8) + w.data(7, b"\x0a\x00" * 100) + w.data(8, w.number(2, 18))
