"""Operators that ai.onnx had as experiments up to opset 9, which ONNX Runtime still runs."""
from contrib.table import row


@row("Affine", domain="")
def affine(d):
    attrs = d.attrs(alpha=d.real(-2, 2), beta=d.real(-2, 2))
    return d.case([d.data(d.shape())], attrs=attrs, opset=9)


@row("Scale", domain="")
def scale(d):
    return d.case([d.data(d.shape())], attrs=d.attrs(scale=d.real(-2, 2)), opset=9)


@row("ParametricSoftplus", "ScaledTanh", domain="")
def scaled(d):
    attrs = {"alpha": d.real(-2, 2), "beta": d.real(0.2, 2)}
    return d.case([d.data(d.shape())], attrs=attrs, opset=9)


@row("ImageScaler", domain="")
def image_scaler(d):
    x = d.shape(4, zero=False)
    attrs = d.attrs(scale=d.real(-2, 2)) | {"bias": [d.real(-1, 1) for _ in range(x[1])]}
    return d.case([d.data(x)], attrs=attrs, opset=9)


@row("Crop", domain="")
def crop(d):
    x = d.shape(4, low=4, high=9, zero=False)
    border = [d.whole(0, 1) for _ in range(4)]
    attrs = {"border": border} | d.attrs(scale=[d.whole(1, 3), d.whole(1, 3)])
    return d.case([d.data(x)], attrs=attrs, opset=9)
