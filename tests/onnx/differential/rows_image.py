"""Rows of operators that look between the elements of images."""
import numpy as np

from differential.table import row

SCALES = (0.5, 2.0, 1.5, 3.0, 1.0, 0.25, 0.75)  # exact in binary: no rounding decides a neighbour


@row("Upsample")
def upsample(d):
    mode = d.pick("nearest", "linear")
    x = d.data(d.shape(rank=4, zero=(0,), high=4), d.dtype(("float32",)))
    scales = [1.0, 1.0, d.pick(1.0, 2.0, 3.0, 1.5), d.pick(1.0, 2.0, 4.0, 2.5)]
    if d.opset < 9:
        return d.case([x], attrs={"mode": mode, "scales": scales})
    return d.case([x, np.array(scales, np.float32)], attrs={"mode": mode})


def resize_attrs(d, mode):
    ways = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    ways += ["half_pixel_symmetric"] if d.opset >= 19 else []
    ways += ["tf_half_pixel_for_nn"] if d.opset < 13 else []
    attrs = {"mode": mode} | d.attrs(coordinate_transformation_mode=d.pick(*ways))
    if mode == "nearest":
        attrs |= d.attrs(nearest_mode=d.pick("round_prefer_floor", "round_prefer_ceil", "floor",
                                             "ceil"))
    if mode == "cubic":
        attrs |= d.attrs(cubic_coeff_a=d.pick(-0.5, -0.75), exclude_outside=d.pick(0, 1))
    return attrs


def crop_and_resize(d, x, mode):
    starts, ends = [d.real(0, 0.4) for _ in range(2)], [d.real(0.6, 1.2) for _ in range(2)]
    roi = np.array([0, 0, *starts, 1, 1, *ends], np.float32)
    attrs = {"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize"}
    return d.case([x, roi, np.array([1, 1, 2, 3], np.float32)], oracle="runtime",
                  attrs=attrs | d.attrs(extrapolation_value=d.real(-2, 2)))


@row("Resize")
def resize(d):
    mode = d.pick("nearest", "linear", "nearest", "linear", "cubic")
    x = d.shape(rank=4, zero=(0,), low=2, high=6)
    d.long = False
    attrs = resize_attrs(d, mode)
    # With corners aligned, a fractional size (3 elements by 0.5) is a fraction in the standard's
    # test data and rounded down in ONNX Runtime.
    # Symmetric ones put nearest neighbours exactly in the middle, where rounding decides.
    way = attrs.get("coordinate_transformation_mode")
    aligned = way == "align_corners" or (way == "half_pixel_symmetric" and mode == "nearest")
    scales = [1.0, 1.0] + [d.pick(1.0, 2.0, 3.0) if aligned else d.pick(*SCALES) for _ in range(2)]
    scales = [s if int(n * s) > 0 else 1.0 for n, s in zip(x, scales)]
    sizes = [int(n * s) for n, s in zip(x, scales)]
    data = d.data(x, d.dtype(("float32", "float32", "float32", "float64")))
    if d.opset < 11:
        mode = d.pick("nearest", "linear")
        return d.case([data, np.array(scales, np.float32)], attrs={"mode": mode})
    if mode != "nearest" and d.opset >= 18:
        attrs |= d.attrs(antialias=d.pick(0, 0, 1))
    if d.opset >= 18 and 0 not in x and d.chance(0.3):
        attrs["axes"], scales, sizes = [2, -1], scales[2:], sizes[2:]
    # The evaluator takes -0.5 for the text's 0 where one element is left.
    half = attrs.get("coordinate_transformation_mode") == "pytorch_half_pixel"
    more = {"attrs": attrs, "oracle": "runtime" if half else None}
    if d.opset >= 11 and d.chance(0.15) and mode != "cubic":
        return crop_and_resize(d, data, mode)
    roi = None if d.opset >= 13 or d.chance() else np.zeros(0, np.float32)
    if d.opset < 13 and roi is None:
        roi = np.zeros(0, np.float32)  # it became optional in 13
    if d.chance(0.3):
        if d.opset >= 18 and len(sizes) == 2:
            attrs["axes"] = [2, 3]  # ONNX Runtime does not find a negative one for this
            attrs |= d.attrs(keep_aspect_ratio_policy=d.pick("not_larger", "not_smaller"))
        # In 11 and 12 the scales had to be there, if empty.
        absent = None if d.opset >= 13 else np.zeros(0, np.float32)
        return d.case([data, roi, absent, np.array(sizes, np.int64)], **more)
    return d.case([data, roi, np.array(scales, np.float32)], **more)


# Where one coordinate is outside, ONNX Runtime moves the others too.
@row("GridSample", order=("reference",))
def grid_sample(d):
    new = d.opset >= 20
    mode = d.pick("linear", "nearest", "cubic") if new else d.pick("bilinear", "nearest", "bicubic")
    rank = 3 if new and mode != "cubic" and d.chance(0.3) else 2
    n, c, *size = d.shape(rank=2 + rank, low=2, high=6, zero=False)
    grid = d.data((n, *[d.whole(1, 5) for _ in range(rank)], rank), "float32", -1.3, 1.3)
    if d.zero:
        grid = grid[:, :0]
    attrs = {"mode": mode} | d.attrs(align_corners=d.pick(0, 1),
                                     padding_mode=d.pick("zeros", "border", "reflection"))
    if "cubic" in mode and attrs.get("padding_mode", "zeros") != "zeros":
        # Outside, both oracles move the point to the border and then look around. PyTorch, which
        # the text refers to and exporters mean, moves each neighbour of the point by itself.
        grid = np.clip(grid, -0.7, 0.7)
    return d.case([d.data((n, c, *size)), grid], attrs=attrs)


@row("AffineGrid")
def affine_grid(d):
    rank = d.pick(2, 3)
    n = d.whole(1, 3)
    size = [n, d.whole(1, 3)] + [d.whole(2, 5) for _ in range(rank)]
    return d.case([d.data((n, rank, rank + 1), d.dtype(("float32", "float64"))),
                   np.array(size, np.int64)], attrs=d.attrs(align_corners=d.pick(0, 1)))


def regions(d, count, height, width):
    y = np.sort(d.rng.uniform(0, height - 1, (count, 2)), 1)
    x = np.sort(d.rng.uniform(0, width - 1, (count, 2)), 1)
    return np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1).astype(np.float32)


@row("RoiAlign", runtime_opset=21)
def roi_align(d):
    n, c, h, w = d.shape(rank=4, low=3, high=8, zero=False)
    count = 0 if d.zero else d.whole(1, 4)
    attrs = d.attrs(mode="avg", output_height=d.whole(1, 3), output_width=d.whole(1, 3),
                    sampling_ratio=d.whole(0, 3), spatial_scale=d.pick(0.5, 1.0))
    if d.opset >= 16:
        attrs |= d.attrs(coordinate_transformation_mode=d.pick("half_pixel", "output_half_pixel"))
    return d.case([d.data((n, c, h, w)), regions(d, count, h, w),
                   d.rng.integers(0, n, count).astype(np.int64)], attrs=attrs)


@row("MaxRoiPool", runtime_opset=21)
def max_roi_pool(d):
    n, c, h, w = d.shape(rank=4, low=3, high=8, zero=False)
    count = d.whole(1, 4)
    rois = np.concatenate([d.rng.integers(0, n, (count, 1)), regions(d, count, h, w).round()], 1)
    return d.case([d.data((n, c, h, w)), rois.astype(np.float32)],
                  attrs={"pooled_shape": [d.whole(1, 3), d.whole(1, 3)]})


@row("NonMaxSuppression")
def non_max_suppression(d):
    n, classes, count = d.whole(1, 2), d.whole(1, 3), 0 if d.zero else d.whole(1, 8)
    corner, size = d.rng.uniform(0, 8, (n, count, 2)), d.rng.uniform(1, 5, (n, count, 2))
    centred = d.pick(0, 1)
    boxes = np.concatenate([corner, size if centred else corner + size], 2).astype(np.float32)
    scores = d.distinct((n, classes, count)) / np.float32(8)
    limits = [np.array([d.whole(0, 5)], np.int64), np.array([d.real(0.1, 0.9)], np.float32),
              np.array([d.real(-1, 1)], np.float32)]
    kept = d.whole(0, 3)
    limits = [None if d.chance(0.2) and i else v for i, v in enumerate(limits)][:kept]
    return d.case([boxes, scores, *limits], attrs=d.attrs(center_point_box=centred)
                  if not centred else {"center_point_box": 1})


