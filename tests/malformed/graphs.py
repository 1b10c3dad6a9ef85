"""Models that are well-formed messages and no well-formed graphs."""

from cases import (GOOD, X, Y, case, function, graph, graph_attribute, header, w, with_functions,
                   with_input, with_nodes)

RELU = w.node("Relu", ["x"], ["y"])


# ---- Versions

@case
def no_graph():
    """a model without a graph"""
    return w.number(1, 8) + w.data(8, w.number(2, 18))


@case
def no_ir_version():
    """a model without an IR version"""
    return GOOD[2:]


@case
def ir_99():
    """IR version 99"""
    return w.number(1, 99) + GOOD[2:]


@case
def ir_1():
    """IR version 1"""
    return w.number(1, 1) + GOOD[2:]


@case
def no_opset():
    """no opset import"""
    return w.number(1, 8) + w.data(7, graph([RELU], [Y]) + w.data(11, X))


@case
def opset_999():
    """opset 999"""
    return with_nodes(RELU, opset=999)


@case
def opset_negative():
    """opset -1"""
    return with_nodes(RELU, opset=-1)


@case
def opset_twice():
    """two versions of one domain"""
    return GOOD + w.data(8, w.data(1, "ai.onnx") + w.number(2, 17))


@case
def opset_of_another_domain():
    """no import of ai.onnx, whose operator is used"""
    return w.number(1, 8) + w.data(7, graph([RELU], [Y]) + w.data(11, X)) + w.data(
        8, w.data(1, "com.microsoft") + w.number(2, 1))


@case
def operator_too_old():
    """Add of opset 6, which broadcast by an attribute"""
    return with_nodes(w.node("Add", ["x", "x"], ["y"]), opset=6)


# ---- Operators and attributes

@case
def unknown_operator():
    """an operator that does not exist"""
    return with_nodes(w.node("Frobnicate", ["x"], ["y"]))


@case
def unknown_domain():
    """an operator of a domain that does not exist"""
    return with_nodes(w.node("Relu", ["x"], ["y"], domain="nowhere"))


@case
def node_without_operator():
    """a node without op_type"""
    return with_nodes(w.data(1, "x") + w.data(2, "y"))


@case
def too_many_inputs():
    """Relu with two inputs"""
    return with_nodes(w.node("Relu", ["x", "x"], ["y"]))


@case
def too_few_inputs():
    """Add with one input"""
    return with_nodes(w.node("Add", ["x"], ["y"]))


@case
def required_input_left_out():
    """Add with an empty second input"""
    return with_nodes(w.node("Add", ["x", ""], ["y"]))


@case
def required_attribute_missing():
    """Cast without `to`"""
    return with_nodes(w.node("Cast", ["x"], ["y"]))


@case
def attribute_of_another_type():
    """perm as a text"""
    return with_nodes(w.node("Transpose", ["x"], ["y"], perm="10"))


@case
def attribute_unknown():
    """an attribute that Relu does not have"""
    return with_nodes(w.node("Relu", ["x"], ["y"], frob=1))


@case
def attribute_says_float_holds_int():
    """type FLOAT with an int"""
    return with_nodes(w.node("LeakyRelu", ["x"], ["y"]) +
                      w.data(5, w.data(1, "alpha") + w.number(3, 1) + w.number(20, 1)))


@case
def attribute_type_77():
    """attribute type 77"""
    return with_nodes(RELU + w.data(5, w.data(1, "a") + w.number(20, 77)))


@case
def attribute_without_name():
    """a nameless attribute"""
    return with_nodes(RELU + w.data(5, w.number(3, 1) + w.number(20, 2)))


@case
def attribute_without_value():
    """type TENSOR without a tensor"""
    return with_nodes(w.node("Constant", [], ["y"]) +
                      w.data(5, w.data(1, "value") + w.number(20, 4)))


@case
def attribute_twice():
    """axis given twice"""
    return with_nodes(w.node("Softmax", ["x"], ["y"], axis=0) +
                      w.data(5, w.attribute("axis", 1)))


@case
def attribute_reference_outside():
    """a reference to a function's attribute in the main graph"""
    return with_nodes(w.node("Softmax", ["x"], ["y"]) +
                      w.data(5, w.data(1, "axis") + w.number(20, 2) + w.data(21, "a")))


@case
def attribute_with_many_tensors():
    """a list of tensors"""
    return with_nodes(RELU + w.data(5, w.data(1, "a") + w.number(20, 9) + w.data(
        10, w.tensor("t", w.FLOAT, [1], [1.0]))))


@case
def if_without_branch():
    """If without its branches"""
    condition = w.tensor("c", w.BOOL, [], [True])
    return with_nodes(w.node("If", ["c"], ["y"]), initializers=[condition])


@case
def constant_without_value():
    """Constant without any attribute"""
    return with_nodes(w.node("Constant", [], ["y"]))


@case
def constant_with_two_values():
    """Constant with an int and a float"""
    return with_nodes(w.node("Constant", [], ["y"], value_int=1, value_float=1.0))


# ---- Connections

@case
def cycle():
    """two nodes that feed each other"""
    return with_nodes(w.node("Add", ["x", "b"], ["a"]), w.node("Relu", ["a"], ["b"]),
                      w.node("Relu", ["b"], ["y"]))


@case
def node_that_feeds_itself():
    """a node that reads what it makes"""
    return with_nodes(w.node("Add", ["x", "y"], ["y"]))


@case
def missing_input():
    """a node that reads what nothing makes"""
    return with_nodes(w.node("Add", ["x", "nope"], ["y"]))


@case
def missing_output():
    """a graph output that nothing makes"""
    return w.model([RELU], [X], [w.value("z", w.FLOAT, [2, 2])])


@case
def output_made_twice():
    """two nodes that make one value"""
    return with_nodes(RELU, w.node("Neg", ["x"], ["y"]))


@case
def output_is_an_input():
    """a node that makes a graph input"""
    return with_nodes(RELU, w.node("Neg", ["y"], ["x"]))


@case
def input_twice():
    """two inputs with one name"""
    return w.model([RELU], [X, X], [Y])


@case
def input_without_name():
    """an input without a name"""
    return w.model([RELU], [X, w.value("", w.FLOAT, [1])], [Y])


@case
def branch_reads_outside():
    """a branch that reads what nothing around it makes"""
    inner = graph([w.node("Relu", ["nope"], ["r"])], [w.value("r", w.FLOAT, [2, 2])])
    node = w.node("If", ["c"], ["y"]) + w.data(5, graph_attribute("then_branch", inner))
    node += w.data(5, graph_attribute("else_branch", inner))
    return with_nodes(node, initializers=[w.tensor("c", w.BOOL, [], [True])])


# ---- Types and shapes

@case
def dim_of_an_input_negative():
    """an input dim of -5"""
    return w.model([RELU], [w.value("x", w.FLOAT, [-5])], [Y])


@case
def elem_type_99():
    """an input of element type 99"""
    return w.model([RELU], [w.value("x", 99, [2, 2])], [Y])


@case
def input_of_sparse_type():
    """a sparse tensor as input"""
    kind = w.data(8, w.number(1, w.FLOAT))
    return w.model([RELU], [w.data(1, "x") + w.data(2, kind)], [Y])


@case
def types_differ():
    """float32 + int64"""
    return with_nodes(w.node("Add", ["x", "w"], ["y"]),
                      initializers=[w.tensor("w", w.INT64, [2, 2], [1, 2, 3, 4])])


@case
def type_not_allowed():
    """Sqrt of bool"""
    return with_nodes(w.node("Sqrt", ["w"], ["y"]),
                      initializers=[w.tensor("w", w.BOOL, [2], [True, False])])


@case
def broadcast_impossible():
    """[2,2] + [3]"""
    return with_nodes(w.node("Add", ["x", "w"], ["y"]),
                      initializers=[w.tensor("w", w.FLOAT, [3], [1.0, 2.0, 3.0])])


@case
def matmul_of_other_sizes():
    """[2,2] times [3,2]"""
    return with_nodes(w.node("MatMul", ["x", "w"], ["y"]),
                      initializers=[w.tensor("w", w.FLOAT, [3, 2], [0.0] * 6)])


@case
def reshape_of_other_size():
    """4 elements as [3]"""
    return with_input([2, 2], w.node("Reshape", ["x", "s"], ["y"]),
                      [w.tensor("s", w.INT64, [1], [3])])


@case
def reshape_with_two_unknowns():
    """[-1, -1]"""
    return with_input([2, 2], w.node("Reshape", ["x", "s"], ["y"]),
                      [w.tensor("s", w.INT64, [2], [-1, -1])])


@case
def transpose_axis_twice():
    """perm [0,0]"""
    return with_input([2, 2], w.node("Transpose", ["x"], ["y"], perm=[0, 0]))


@case
def concat_axis_outside():
    """axis 5 of rank 2"""
    return with_input([2, 2], w.node("Concat", ["x", "x"], ["y"], axis=5))


@case
def gather_index_outside():
    """index 7 of 2"""
    return with_input([2, 2], w.node("Gather", ["x", "i"], ["y"]),
                      [w.tensor("i", w.INT64, [1], [7])])


@case
def squeeze_of_two():
    """an axis of size 2 squeezed"""
    return with_input([2, 2], w.node("Squeeze", ["x", "a"], ["y"]),
                      [w.tensor("a", w.INT64, [1], [0])])


@case
def split_sizes_do_not_add_up():
    """2 split into 1 and 5"""
    return with_input([2, 2], w.node("Split", ["x", "s"], ["y", "z"]),
                      [w.tensor("s", w.INT64, [2], [1, 5])])


@case
def pad_count_odd():
    """three pads for rank 2"""
    return with_input([2, 2], w.node("Pad", ["x", "p"], ["y"]),
                      [w.tensor("p", w.INT64, [3], [1, 1, 1])])


@case
def conv_channels_differ():
    """3 channels, kernels for 4"""
    return with_input([1, 3, 8, 8], w.node("Conv", ["x", "w"], ["y"]),
                      [w.tensor("w", w.FLOAT, [1, 4, 1, 1], [0.0] * 4)])


@case
def constant_of_shape_huge():
    """2^20 x 2^20 x 2^20 elements"""
    return with_input([2, 2], w.node("ConstantOfShape", ["s"], ["y"]),
                      [w.tensor("s", w.INT64, [3], [1 << 20] * 3)])


@case
def constant_of_shape_negative():
    """a shape of -1"""
    return with_input([2, 2], w.node("ConstantOfShape", ["s"], ["y"]),
                      [w.tensor("s", w.INT64, [1], [-1])])


@case
def expand_huge():
    """[2,2] expanded to 2^40 x 2^40"""
    return with_input([1, 1], w.node("Expand", ["x", "s"], ["y"]),
                      [w.tensor("s", w.INT64, [2], [1 << 40, 1 << 40])])


@case
def tile_huge():
    """repeated 2^62 times"""
    return with_input([2, 2], w.node("Tile", ["x", "r"], ["y"]),
                      [w.tensor("r", w.INT64, [2], [1 << 62, 1 << 62])])


@case
def range_huge():
    """0 to 2^62"""
    node = w.node("Range", ["a", "b", "c"], ["y"])
    return w.model([node], [], [w.value("y", w.INT64, None)], [
        w.tensor("a", w.INT64, [], [0]), w.tensor("b", w.INT64, [], [1 << 62]),
        w.tensor("c", w.INT64, [], [1])])


@case
def range_without_step():
    """a step of 0"""
    node = w.node("Range", ["a", "b", "c"], ["y"])
    return w.model([node], [], [w.value("y", w.INT64, None)], [
        w.tensor("a", w.INT64, [], [0]), w.tensor("b", w.INT64, [], [5]),
        w.tensor("c", w.INT64, [], [0])])


@case
def einsum_equation_broken():
    """an arrow too many"""
    return with_input([2, 2], w.node("Einsum", ["x"], ["y"], equation="ij->i->j"))


# ---- Functions

@case
def function_calls_itself():
    """F calls F"""
    body = [w.node("F", ["a"], ["b"], domain="local")]
    return with_functions([function("F", ["a"], ["b"], body)],
                          w.node("F", ["x"], ["y"], domain="local"))


@case
def functions_call_each_other():
    """F calls G in a branch, G calls F"""
    call = graph([w.node("G", ["a"], ["r"], domain="local")], [w.value("r", w.FLOAT, None)])
    choice = w.node("If", ["c"], ["b"]) + w.data(5, graph_attribute("then_branch", call))
    choice += w.data(5, graph_attribute("else_branch", call))
    back = [w.node("F", ["a", "a"], ["b"], domain="local")]
    return with_functions([function("F", ["a", "c"], ["b"], [choice]),
                           function("G", ["a"], ["b"], back)],
                          w.node("F", ["x", "x"], ["y"], domain="local"))


@case
def function_twice():
    """two functions of one name"""
    body = [w.node("Neg", ["a"], ["b"])]
    return with_functions([function("F", ["a"], ["b"], body)] * 2,
                          w.node("F", ["x"], ["y"], domain="local"))


@case
def function_with_too_many_inputs():
    """two inputs for one"""
    body = [w.node("Neg", ["a"], ["b"])]
    return with_functions([function("F", ["a"], ["b"], body)],
                          w.node("F", ["x", "x"], ["y"], domain="local"))


@case
def function_reads_outside():
    """a body that reads a value of the main graph"""
    body = [w.node("Add", ["a", "x"], ["b"])]
    return with_functions([function("F", ["a"], ["b"], body)],
                          w.node("F", ["x"], ["y"], domain="local"))


@case
def function_does_not_make_its_output():
    """an output that no node of the body makes"""
    return with_functions([function("F", ["a"], ["b"], [w.node("Neg", ["a"], ["c"])])],
                          w.node("F", ["x"], ["y"], domain="local"))


@case
def function_bomb():
    """sixteen functions that call the next one four times each"""
    functions = []
    for i in range(16):
        calls = [w.node(f"F{i + 1}", ["a"], [f"c{k}"], domain="local") for k in range(4)]
        functions.append(function(f"F{i}", ["a"], ["c0"], calls))
    functions.append(function("F16", ["a"], ["c0"], [w.node("Neg", ["a"], ["c0"])]))
    return with_functions(functions, w.node("F0", ["x"], ["y"], domain="local"))
