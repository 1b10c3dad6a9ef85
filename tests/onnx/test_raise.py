"""Models of old opsets, one operator each, against what NumPy computes from the old text of the
standard: once with fixed shapes, once with unknown dims, which takes other ways through the
importer.
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("HEED_BUILD") or os.path.join(HERE, "..", "..", "build")
SKIPPED = 77

try:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(SKIPPED)

RANDOM = np.random.default_rng(0)
CASES = []  # (name, opset, nodes, inputs, initializers, outputs)


def case(name, opset, nodes, x, outputs, **initializers):
    nodes = nodes if isinstance(nodes, list) else [nodes]
    CASES.append((f"{name}_{opset}", opset, nodes, x, initializers, outputs))


def op(kind, inputs="x", outputs="y", **attributes):
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def random(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def broadcast(values):
    """One value a channel, against [n, channels, height, width]."""
    return values[:, None, None]


def coerced(x, axis, log):
    """Softmax before opset 13: over all axes from `axis` on."""
    matrix = x.reshape(int(np.prod(x.shape[:axis])), -1)
    powers = np.exp(matrix - matrix.max(1, keepdims=True))
    result = powers / powers.sum(1, keepdims=True)
    return (np.log(result) if log else result).reshape(x.shape)


def softmax_cases(x):
    for kind, log in (("Softmax", False), ("LogSoftmax", True)):
        for axis in range(x.ndim):
            case(f"{kind}_axis_{axis}", 11, op(kind, axis=axis), x, [coerced(x, axis, log)])
        case(f"{kind}_default", 9, op(kind), x, [coerced(x, 1, log)])
        case(f"{kind}_last", 12, op(kind, axis=-1), x, [coerced(x, x.ndim - 1, log)])


def layout_cases(x):
    pads = {"pads": [0, 1, 0, 0, 0, 2], "value": 2.5}
    for kind in (np.float32, np.float64, np.float16):
        y = np.pad(x.astype(kind), [(0, 0), (1, 0), (0, 2)], constant_values=2.5)
        case(f"pad_{kind.__name__}", 10, op("Pad", **pads), x.astype(kind), [y])
    case("slice", 9, op("Slice", starts=[0, 1], ends=[1, 3], axes=[1, 2]), x, [x[:, 0:1, 1:3]])
    case("slice_no_axes", 9, op("Slice", starts=[1], ends=[2]), x, [x[1:2]])
    case("split", 11, op("Split", outputs="y z", axis=2), x, [x[..., :2], x[..., 2:]])
    case("split", 13, op("Split", outputs="y z", axis=2), x, [x[..., :2], x[..., 2:]])
    case("split_sizes", 11, op("Split", outputs="y z", axis=2, split=[1, 3]), x,
         [x[..., :1], x[..., 1:]])
    case("topk", 9, op("TopK", outputs="y z", k=2), x,
         [-np.sort(-x, -1)[..., :2], np.argsort(-x, -1)[..., :2].astype(np.int64)])
    case("squeeze", 11, [op("Unsqueeze", outputs="t", axes=[0, 2]), op("Squeeze", "t", axes=[0])],
         x, [x[:, None]])


def reduce_cases(x):
    kinds = {
        "ReduceSum": np.sum, "ReduceMean": np.mean, "ReduceMax": np.max, "ReduceMin": np.min,
        "ReduceProd": np.prod, "ReduceL1": lambda v, **more: np.sum(np.abs(v), **more),
        "ReduceL2": lambda v, **more: np.sqrt(np.sum(v * v, **more)),
        "ReduceSumSquare": lambda v, **more: np.sum(v * v, **more),
        "ReduceLogSumExp": lambda v, **more: np.log(np.sum(np.exp(v), **more)),
    }
    for kind, compute in kinds.items():
        for opset in (7, 11, 12 if kind == "ReduceSum" else 17):
            case(kind, opset, op(kind, axes=[1], keepdims=0), x, [compute(x, axis=1)])
        case(f"{kind}_all", 11, op(kind), x, [compute(x, keepdims=True).reshape(1, 1, 1)])


def unary_cases(x):
    half = x.astype(np.float16)
    case("clip", 7, op("Clip", max=0.25), x, [np.minimum(x, np.float32(0.25))])
    case("clip_half", 10, op("Clip", min=-0.5, max=0.25), half,
         [np.clip(half, np.float16(-0.5), np.float16(0.25))])
    case("dropout", 7, op("Dropout", outputs="y z", ratio=0.9), x, [x, np.ones_like(x)])
    case("dropout", 10, op("Dropout", outputs="y z", ratio=0.9), x, [x, np.ones(x.shape, bool)])


def norm_cases(x):
    one = {"s": random(4), "b": random(4), "m": random(4), "v": np.abs(random(4))}
    scale, bias, mean, variance = (broadcast(v) for v in one.values())
    y = (x - mean) / np.sqrt(variance + 1e-5) * scale + bias
    for opset in (7, 9, 14):
        case("batch_norm", opset, op("BatchNormalization", "x s b m v"), x, [y], **one)
    each = {"s": random(4, 3, 3), "b": random(4, 3, 3), "m": random(4, 3, 3),
            "v": np.abs(random(4, 3, 3))}
    y = (x - each["m"]) / np.sqrt(each["v"] + 1e-5) * each["s"] + each["b"]
    case("batch_norm_spatial", 7, op("BatchNormalization", "x s b m v", spatial=0), x, [y], **each)

    scale, bias, groups = random(2), random(2), x.reshape(2, 2, -1)
    centred = groups - groups.mean(2, keepdims=True)
    y = centred / np.sqrt(groups.var(2, keepdims=True) + 1e-5)
    y = y * scale[:, None] + bias[:, None]
    case("group_norm", 18, op("GroupNormalization", "x s b", num_groups=2), x, [y.reshape(x.shape)],
         s=scale, b=bias)


def image_cases(x):
    sizes, y = np.array([1, 1, 2, 3], np.float32), x.repeat(2, 2).repeat(3, 3)
    case("upsample", 7, op("Upsample", scales=[1.0, 1.0, 2.0, 3.0], mode="nearest"), x, [y])
    case("upsample", 9, op("Upsample", "x s", mode="nearest"), x, [y], s=sizes)
    case("resize", 10, op("Resize", "x s", mode="nearest"), x, [y], s=sizes)
    shrunk = x[:, :, :, [0, 2]]  # the coordinates 0 and 1.5, the latter rounded up
    case("resize_down", 10, op("Resize", "x s", mode="nearest"), x, [shrunk],
         s=np.array([1, 1, 1, 0.67], np.float32))
    # At (i + 0.5) / scale, where half_pixel takes away a half.
    nearest = op("Resize", "x r s", mode="nearest", nearest_mode="floor",
                 coordinate_transformation_mode="tf_half_pixel_for_nn")
    case("resize_tf_half_pixel_for_nn", 11, nearest, x, [x[:, :, [0, 0, 1, 1, 2, 2]]],
         r=np.zeros(0, np.float32), s=np.array([1, 1, 2, 1], np.float32))


def sampling_cases(x):
    """Without a shift by half an element the middle of a bin is that of the region."""
    rois = np.array([[0.5, 1, 1.5, 2]], np.float32)
    y = x[:1, :, 1:2, 1:2] / 2 + x[:1, :, 2:3, 1:2] / 2
    case("roi_align", 10, op("RoiAlign", "x r i", sampling_ratio=1), x, [y], r=rois,
         i=np.zeros(1, np.int64))
    grid = np.zeros((2, 1, 1, 2), np.float32)
    for mode in ("bilinear", "bicubic", "nearest"):
        case(f"grid_{mode}", 16, op("GridSample", "x g", mode=mode), x, [x[:, :, 1:2, 1:2]], g=grid)


def scattered(x, indices, updates, axis):
    y = x.copy()
    part = tuple(slice(n) if a != axis else slice(None) for a, n in enumerate(indices.shape))
    np.put_along_axis(y[part], indices, updates, axis)
    return y


def hard(x, axis):
    """Hardmax before opset 13: over all axes from `axis` on."""
    matrix = x.reshape(int(np.prod(x.shape[:axis])), -1)
    return np.eye(matrix.shape[1], dtype=x.dtype)[matrix.argmax(1)].reshape(x.shape)


def loop_body():
    """v -> v + v, with v recorded."""
    declare = helper.make_tensor_value_info
    nodes = [op("Identity", "c", "go"), op("Add", "v v", "w"), op("Identity", "v", "seen")]
    inputs = [declare("i", TensorProto.INT64, []), declare("c", TensorProto.BOOL, []),
              declare("v", TensorProto.FLOAT, None)]
    outputs = [declare("go", TensorProto.BOOL, []), declare("w", TensorProto.FLOAT, None),
               declare("seen", TensorProto.FLOAT, None)]
    return helper.make_graph(nodes, "body", inputs, outputs)


def selection_cases(x):
    indices, updates = np.array([[[0, 2]], [[1, 0]]]), random(2, 1, 2)
    for opset in (9, 10, 11):
        case("scatter", opset, op("Scatter", "x i u", axis=2), x,
             [scattered(x, indices, updates, 2)], i=indices, u=updates)
    first = np.zeros((1, 3, 4), np.int64)
    zeros = np.zeros((1, 3, 4), np.float32)
    case("scatter_default", 9, op("Scatter", "x i u"), x, [scattered(x, first, zeros, 0)],
         i=first, u=zeros)
    for axis in range(x.ndim):
        case(f"hardmax_axis_{axis}", 11, op("Hardmax", axis=axis), x, [hard(x, axis)])
    case("hardmax_default", 7, op("Hardmax"), x, [hard(x, 1)])
    case("hardmax", 13, op("Hardmax"), x, [(x == x.max(-1, keepdims=True)).astype(x.dtype)])
    truth = np.array([False, True, True])
    case("compress", 9, op("Compress", "x c", axis=1), x, [x[:, 1:]], c=truth)
    case("reverse_sequence", 10, op("ReverseSequence", "x n", time_axis=1, batch_axis=0), x,
         [np.stack([x[0, ::-1], x[1, [1, 0, 2]]])], n=np.array([3, 2]))
    case("split_concat", 11, [op("SplitToSequence", "x", "s", axis=2),
                              op("ConcatFromSequence", "s", axis=0)], x,
         [np.concatenate(np.split(x, 4, 2), 0)])
    for opset in (7, 11, 13):
        case("loop", opset, op("Loop", "n go x", "y z", body=loop_body()), x,
             [x * 4, np.stack([x, x * 2])], n=np.array(2), go=np.array(True))


def loss_cases(x):
    labels, weights = np.array([[0, 2, 1, 2], [1, 1, 0, 2]]), np.float32([0.5, 1, 2])
    log_prob = x - np.log(np.exp(x).sum(1, keepdims=True))
    scale = weights[labels]

    def loss(scores):
        return -np.take_along_axis(scores, labels[:, None], 1)[:, 0] * scale

    for opset in (12, 13):
        case("nll", opset, op("NegativeLogLikelihoodLoss", "x l w"), x,
             [np.float32(loss(x).sum() / scale.sum())], l=labels, w=weights)
        case("nll_none", opset, op("NegativeLogLikelihoodLoss", "x l w", reduction="none"), x,
             [loss(x)], l=labels, w=weights)
        case("cross_entropy", opset, op("SoftmaxCrossEntropyLoss", "x l w", "y z"), x,
             [np.float32(loss(log_prob).sum() / scale.sum()), log_prob], l=labels, w=weights)


def recurrent_cases(x):
    w, r = random(1, 2, 4), random(1, 2, 2)
    state, steps = np.zeros((3, 2), np.float32), []
    for step in x:
        state = np.tanh(step @ w[0].T + state @ r[0].T)
        steps.append(state[None])
    for opset in (7, 14, 22):
        case("rnn", opset, op("RNN", "x w r", "y z", hidden_size=2), x, [np.stack(steps),
                                                                        state[None]], w=w, r=r)
    case("rnn_batch_first", 14, op("RNN", "x w r", hidden_size=2, layout=1), x.swapaxes(0, 1),
         [np.stack(steps).transpose(2, 0, 1, 3)], w=w, r=r)


def make_value(name, array, dims):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), dims)


def write_tensor(path, array):
    with open(path, "wb") as file:
        file.write(numpy_helper.from_array(np.asarray(array)).SerializeToString())


def write(folder, name, opset, nodes, x, initializers, outputs, dims):
    graph = helper.make_graph(
        nodes, "g", [make_value("x", x, dims)],
        [make_value(n, y, [None] * y.ndim) for n, y in zip("yz", outputs)],
        [numpy_helper.from_array(v, k) for k, v in initializers.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    data = os.path.join(folder, name, "test_data_set_0")
    os.makedirs(data)
    with open(os.path.join(folder, name, "model.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    write_tensor(os.path.join(data, "input_0.pb"), x)
    for i, y in enumerate(outputs):
        write_tensor(os.path.join(data, f"output_{i}.pb"), y)


def main():
    heed = os.path.join(BUILD, "heed")
    if not os.path.exists(heed):
        print("SKIPPED: there is no heed in the build folder")
        return SKIPPED
    x, image = random(2, 3, 4), random(2, 4, 3, 3)
    for make in (softmax_cases, layout_cases, reduce_cases, unary_cases, selection_cases,
                 loss_cases, recurrent_cases):
        make(x)
    for make in (norm_cases, image_cases, sampling_cases):
        make(image)
    with tempfile.TemporaryDirectory() as folder:
        for name, opset, nodes, given, initializers, outputs in CASES:
            for form, dims in (("fixed", given.shape), ("unknown", [None] * given.ndim)):
                write(folder, f"{name}_{form}", opset, nodes, given, initializers, outputs, dims)
        return subprocess.run([heed, "test", folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
