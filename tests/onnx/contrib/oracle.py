"""What a case must give, by ONNX Runtime on the CPU, in every dtype.

Its Python interface takes and gives no bfloat16 and nothing narrower. So such inputs are made
weights of the model that it is asked with, and such outputs are cast to float32 there and back
here, which is exact."""
import ml_dtypes
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from differential.oracle import OPTIONS, Refused

WIDE = {"tensor(bfloat16)": "bfloat16", "tensor(float8e4m3fn)": "float8_e4m3fn",
        "tensor(float8e5m2)": "float8_e5m2"}


def foreign(value):
    return isinstance(value, np.ndarray) and value.dtype.type.__module__ == "ml_dtypes"


def session_of(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), OPTIONS,
                                        providers=["CPUExecutionProvider"])


def hide_inputs(model, given):
    """Inputs of foreign dtypes become weights; the rest is left to be fed."""
    for name, value in list(given.items()):
        if foreign(value):
            model.graph.initializer.append(numpy_helper.from_array(given.pop(name), name))
    kept = [i for i in model.graph.input if i.name in given]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def widen_outputs(model, types):
    for output, kind in zip(model.graph.output, types):
        if kind in WIDE:
            name = output.name + "_wide"
            model.graph.node.append(helper.make_node("Cast", [output.name], [name],
                                                     to=TensorProto.FLOAT))
            output.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def by_runtime(case):
    model, given = case.model(), case.given()
    hide_inputs(model, given)
    session = session_of(model)
    types = [output.type for output in session.get_outputs()]
    if any(kind in WIDE for kind in types):
        widen_outputs(model, types)
        session = session_of(model)
    results = session.run(None, given)
    return [value.astype(getattr(ml_dtypes, WIDE[kind])) if kind in WIDE else value
            for kind, value in zip(types, results)]


def judge(case):
    """The outputs; Refused when there is no answer."""
    if case.expect is not None:
        return [value if isinstance(value, list) else np.asarray(value) for value in case.expect]
    try:
        return by_runtime(case)
    except Exception as error:  # whatever it raises, it has no answer
        raise Refused(f"{type(error).__name__} {str(error)[:300]}") from error
