"""Operators on images: regions, grids, masks, channels last."""
import numpy as np
import onnxruntime
from onnx import helper

from contrib.table import row


def image(d, low=2, high=7):
    """[N, C, H, W]"""
    return tuple([d.whole(1, 2), d.whole(1, 3), d.whole(low, high), d.whole(low, high)])


def first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def standard(op, inputs, **attrs):
    """What ONNX Runtime gives for an operator of ai.onnx."""
    names = [str(i) for i in range(len(inputs))]
    values = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
              for n, x in zip(names, inputs)]
    y = helper.make_tensor_value_info("y", values[0].type.tensor_type.elem_type, None)
    graph = helper.make_graph([helper.make_node(op, names, ["y"], **attrs)], "g", values, [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, inputs)))[0]


@row("CropAndResize")
def crop_and_resize(d):
    shape, count = image(d, 1), d.whole(1, 4)
    corners = np.sort(d.rng.uniform(-0.2, 1.2, (count, 2, 2)), 1).reshape(count, 4)
    return d.case([d.data(shape), corners.astype(np.float32),
                   d.rng.integers(0, shape[0], count).astype(np.int32),
                   np.array([d.whole(1, 4), d.whole(1, 4)], np.int32)],
                  attrs=d.attrs(mode=d.pick("bilinear", "nearest"),
                                extrapolation_value=d.real(-1, 1)))


@row("GridSample")
def grid_sample(d):
    shape = image(d)
    grid = d.data((shape[0], d.whole(1, 5), d.whole(1, 5), 2), "float32", -1.3, 1.3)
    return d.case([d.data(shape), grid],
                  attrs=d.attrs(align_corners=d.pick(0, 1),
                                mode=d.pick("bilinear", "nearest", "bicubic"),
                                padding_mode=d.pick("zeros", "border", "reflection")))


def window(d, shape, dilations=True):
    """Attributes of a window that fits into the last two axes."""
    kernel = [d.whole(1, min(3, extent)) for extent in shape[-2:]]
    attrs = {"kernel_shape": kernel} | d.attrs(strides=[d.whole(1, 2), d.whole(1, 2)])
    if d.chance():
        return attrs | {"pads": [d.whole(0, k - 1) for k in kernel + kernel]}
    if dilations and "strides" not in attrs and min(shape[-2:]) > 4:
        return attrs | d.attrs(dilations=[d.whole(1, 2), d.whole(1, 2)])
    return attrs | d.attrs(auto_pad=d.pick("SAME_UPPER", "SAME_LOWER", "VALID"))


@row("MaxpoolWithMask")
def max_pool_with_mask(d):
    """One plane of masks: ONNX Runtime reads those of several planes at the wrong places."""
    shape = image(d)
    mask = (d.rng.uniform(size=(1, 1) + shape[2:]) < 0.8).astype(np.int32)
    return d.case([d.data(shape), mask], attrs=window(d, shape, False))


@row("NhwcMaxPool")
def nhwc_max_pool(d):
    shape = image(d)
    x = d.data(shape, d.pick("int8", "uint8"))
    return d.case([last(x)], attrs=window(d, shape) | d.attrs(ceil_mode=d.pick(0, 1)))


def convolution(d):
    """(x, w, bias or None, attributes) with channels first."""
    group = d.pick(1, 1, 2)
    n, c, h, w = image(d, 3)
    attrs = window(d, (h, w)) | {"group": group}
    weights = d.data((group * d.whole(1, 3), c, *attrs["kernel_shape"]))
    bias = d.data(weights.shape[:1]) if d.chance() else None
    return d.data((n, group * c, h, w)), weights, bias, attrs


ACTIVATIONS = {  # ONNX Runtime does them for FusedConv, with channels first
    "Relu": (lambda x: np.maximum(x, 0), []),
    "Tanh": (np.tanh, []),
    "LeakyRelu": (lambda x: np.where(x < 0, np.float32(0.25) * x, x), [0.25]),
    "Clip": (lambda x: np.clip(x, -0.5, 0.75), [-0.5, 0.75]),
}


@row("NhwcConv")
def nhwc_conv(d):
    """ONNX Runtime has it for CUDA only; so its Conv says."""
    x, w, bias, attrs = convolution(d)
    y = standard("Conv", [x, w] if bias is None else [x, w, bias], **attrs)
    return d.case([last(x), w, bias], expect=[last(y)], attrs=attrs)


@row("NhwcFusedConv")
def nhwc_fused_conv(d):
    """ONNX Runtime has it for half precision on some processors only; so its Conv says."""
    x, w, bias, attrs = convolution(d)
    y = standard("Conv", [x, w] if bias is None else [x, w, bias], **attrs)
    more = d.data(last(y).shape) if d.chance() else None
    y = last(y) + (0 if more is None else more)
    name = d.pick("", *ACTIVATIONS)
    if name:
        compute, parameters = ACTIVATIONS[name]
        y = compute(y).astype(np.float32)
        attrs |= {"activation": name} | ({"activation_params": parameters} if parameters else {})
    return d.case([last(x), w, bias, more], expect=[y], attrs=attrs)


def group_norm(x, gamma, beta, groups, epsilon, activation):
    """Of an image with channels first."""
    parts = x.astype(np.float64).reshape(x.shape[0], groups, -1)
    parts = (parts - parts.mean(2, keepdims=True)) / np.sqrt(parts.var(2, keepdims=True) + epsilon)
    y = parts.reshape(x.shape) * gamma[:, None, None] + beta[:, None, None]
    return y / (1 + np.exp(-y)) if activation else y


def norm_case(d):
    """(x with channels first, gamma, beta, attributes)"""
    groups = d.whole(1, 3)
    n, c, h, w = image(d)
    dtype = d.pick("float32", "float32", "float16")
    gamma, beta = (d.data((groups * c,), d.pick("float32", dtype)) for _ in range(2))
    attrs = {"groups": groups, "activation": d.pick(0, 1)}
    attrs |= d.attrs(epsilon=d.pick(1e-3, 1e-2), channels_last=d.pick(0, 1))
    return d.data((n, groups * c, h, w), dtype), gamma, beta.astype(gamma.dtype), attrs


def placed(x, attrs):
    return last(x) if attrs.get("channels_last", 1) else x


@row("GroupNorm")
def group_norm_case(d):
    """ONNX Runtime has it for CUDA only; so NumPy says."""
    x, gamma, beta, attrs = norm_case(d)
    y = group_norm(x, gamma, beta, attrs["groups"], attrs.get("epsilon", 1e-5), attrs["activation"])
    return d.case([placed(x, attrs), gamma, beta], expect=[placed(y, attrs).astype(x.dtype)],
                  attrs=attrs)


@row("SkipGroupNorm")
def skip_group_norm(d):
    """ONNX Runtime has it for CUDA only; so NumPy says."""
    x, gamma, beta, attrs = norm_case(d)
    n, c, h, w = x.shape
    skip = d.data(d.pick((n, c), (n, c, 1, 1), x.shape), x.dtype.name)
    bias = d.data((c,), x.dtype.name) if d.chance() else None
    whole = x + (skip[:, :, None, None] if skip.ndim == 2 else skip)
    whole = whole if bias is None else whole + bias[:, None, None]
    y = group_norm(whole, gamma, beta, attrs["groups"], attrs.get("epsilon", 1e-5),
                   attrs["activation"])
    given = skip if skip.ndim == 2 else placed(skip, attrs)
    return d.case([placed(x, attrs), gamma, beta, given, bias], 2,
                  expect=[placed(y, attrs).astype(x.dtype), placed(whole, attrs)], attrs=attrs)


@row("ConvTransposeWithDynamicPads")
def conv_transpose(d):
    n, c, h, w = image(d, 3)
    kernel = [d.whole(1, 3), d.whole(1, 3)]
    weights = d.data((c, d.whole(1, 3), *kernel))
    pads = np.array([d.whole(0, k - 1) for k in kernel + kernel], np.int64)
    bias = d.data(weights.shape[1:2]) if d.chance() else None
    return d.case([d.data((n, c, h, w)), weights, pads, bias],
                  attrs={"kernel_shape": kernel} | d.attrs(strides=[d.whole(1, 3), d.whole(1, 2)]))
