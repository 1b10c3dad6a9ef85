"""The Gelu family: other curves, and a bias first."""
from contrib.table import row


@row("Gelu")
def gelu(d):
    return d.case([d.data(d.shape(), "float32")])


@row("QuickGelu")
def quick_gelu(d):
    attrs = d.attrs(alpha=d.real(0.3, 3))
    return d.case([d.data(d.shape(), d.dtype(("float32", "float32", "float16")))], attrs=attrs)


@row("BiasGelu")
def bias_gelu(d):
    x = d.shape(least=1, zero=False)
    return d.case([d.data(x, "float32"), d.data(x[-1:], "float32")])


@row("FastGelu")
def fast_gelu(d):
    x = d.shape(least=1, zero=False)
    bias = d.data(x[-1:], "float32") if d.chance(0.6) else None
    return d.case([d.data(x, "float32"), bias])
