"""Tensors whose dims, type and data disagree."""

from cases import case, header, w, with_nodes, with_weight


def raw(dims, size, dtype=w.FLOAT):
    return header(dims, dtype) + w.data(9, bytes(size))


@case
def raw_too_short():
    """8 bytes for float32[2,2]"""
    return with_weight(raw([2, 2], 8))


@case
def raw_too_long():
    """20 bytes for float32[2,2]"""
    return with_weight(raw([2, 2], 20))


@case
def raw_unaligned():
    """15 bytes for float32[2,2]"""
    return with_weight(raw([2, 2], 15))


@case
def raw_int4_too_short():
    """1 byte for int4[3]"""
    return with_weight(raw([3], 1, 22))


@case
def raw_twice():
    """two raw_data fields"""
    return with_weight(raw([2, 2], 16) + w.data(9, bytes(16)))


@case
def no_data():
    """dims but no data"""
    return with_weight(header([2, 2]))


@case
def huge_dims():
    """2^40 x 2^40 elements in 16 bytes"""
    return with_weight(raw([1 << 40, 1 << 40], 16))


@case
def huge_dims_without_data():
    """2^33 elements, no data"""
    return with_weight(header([1 << 33]))


@case
def product_wraps_to_zero():
    """2^32 x 2^32: the product is 0 modulo 2^64"""
    return with_weight(raw([1 << 32, 1 << 32], 0))


@case
def negative_dim():
    """a dim of -1"""
    return with_weight(raw([-1, 2], 8))


@case
def dim_beyond_the_limit():
    """a dim of 2^62"""
    return with_weight(raw([1 << 62], 8))


@case
def seventeen_dims():
    """rank 17"""
    return with_weight(raw([1] * 17, 4))


@case
def dtype_missing():
    """no data_type"""
    return with_weight(w.number(1, 2) + w.data(8, "w") + w.data(9, bytes(8)))


@case
def dtype_99():
    """data_type 99"""
    return with_weight(raw([2], 8, 99))


@case
def float_in_int64_data():
    """float32 with int64_data"""
    return with_weight(header([2]) + w.data(7, w.varint(1) + w.varint(2)))


@case
def float_data_too_few():
    """three floats for float32[2,2]"""
    return with_weight(header([2, 2]) + w.data(4, bytes(12)))


@case
def uint8_out_of_range():
    """256 as uint8"""
    return with_weight(header([1], w.UINT8) + w.number(5, 256))


@case
def raw_strings():
    """a string tensor with raw_data"""
    return with_weight(raw([1], 16, w.STRING))


@case
def segment():
    """a part of a tensor"""
    return with_weight(raw([2, 2], 16) + w.data(3, w.number(1, 0) + w.number(2, 4)))


@case
def initializer_without_name():
    """an initializer that nothing can read"""
    return with_nodes(w.node("Relu", ["x"], ["y"]), initializers=[header([1], name="") +
                                                                   w.data(9, bytes(4))])


@case
def initializer_twice():
    """two initializers with one name"""
    return with_nodes(w.node("Add", ["x", "w"], ["y"]), initializers=[raw([2, 2], 16)] * 2)


def sparse(dims, values, indices):
    tensor = w.tensor("w", w.FLOAT, [len(values)], values)
    places = w.tensor("", w.INT64, [len(indices)], indices)
    return w.data(1, tensor) + w.data(2, places) + b"".join(w.number(3, d) for d in dims)


def with_sparse(initializer):
    graph = (w.data(1, w.node("Add", ["x", "w"], ["y"])) + w.data(15, initializer) +
             w.data(11, w.value("x", w.FLOAT, [4])) + w.data(12, w.value("y", w.FLOAT, [4])))
    return w.number(1, 8) + w.data(7, graph) + w.data(8, w.number(2, 18))


@case
def sparse_index_outside():
    """an index behind the end"""
    return with_sparse(sparse([4], [1.0, 2.0], [1, 4]))


@case
def sparse_index_descends():
    """indices that are not sorted"""
    return with_sparse(sparse([4], [1.0, 2.0], [2, 1]))


@case
def sparse_bomb():
    """2^38 elements with two values"""
    return with_sparse(sparse([1 << 38], [1.0, 2.0], [1, 2]))


@case
def sparse_without_values():
    """no values"""
    return with_sparse(w.data(2, w.tensor("", w.INT64, [0], [])) + w.number(3, 4))


@case
def sparse_indices_of_int32():
    """indices of another type"""
    return with_sparse(w.data(1, w.tensor("w", w.FLOAT, [1], [1.0])) +
                       w.data(2, w.tensor("", w.INT32, [1], [1])) + w.number(3, 4))
