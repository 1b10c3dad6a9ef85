"""What a case must give: by ONNX Runtime, or where it has no answer, by the evaluator that the
standard comes with.

ONNX Runtime ends the process on some zero-size shapes. So the cases of a row are made in a child
process; when it dies, the parent starts another at the case that it died of, with the evaluator
alone for this one.
"""
import warnings

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)
warnings.filterwarnings("ignore")
np.seterr(all="ignore")


def options():
    made = onnxruntime.SessionOptions()
    made.intra_op_num_threads = made.inter_op_num_threads = 1
    made.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    made.log_severity_level = 4
    return made


OPTIONS = options()


class Refused(Exception):
    """No oracle has an answer."""


def by_runtime(case, opset):
    session = onnxruntime.InferenceSession(case.model(opset=opset).SerializeToString(), OPTIONS,
                                           providers=["CPUExecutionProvider"])
    return session.run(None, case.given())


def by_reference(case, _):
    return ReferenceEvaluator(case.model()).run(None, case.given())


def clean(results):
    """Arrays, and lists of arrays; the evaluator gives scalars as numbers at times."""
    return [list(map(np.asarray, r)) if isinstance(r, (list, tuple)) else np.asarray(r)
            for r in results]


def judge(case, order, runtime_opset):
    """(outputs, oracle): the first of `order` ("runtime", "reference") that answers. ONNX Runtime
    is asked at `runtime_opset` at most."""
    if case.expect is not None:
        return case.expect, "text"
    ways = {"runtime": by_runtime, "reference": by_reference}
    opset, reasons = min(case.opset, runtime_opset), []
    for name in (case.oracle,) if case.oracle else order:
        try:
            return clean(ways[name](case, opset)), name
        except Exception as error:  # whatever they raise, they have no answer
            reasons.append(f"{name}: {type(error).__name__} {str(error)[:300]}")
    raise Refused("; ".join(reasons))
