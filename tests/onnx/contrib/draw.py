"""Random choices for one case: those of ../differential, for any operator and any domain."""
import ml_dtypes
import numpy as np

from contrib.case import Case
from differential import draw as standard


class Draw(standard.Draw):
    def __init__(self, row, seed, index):
        super().__init__(row.op, 0, seed, index)
        self.domain = row.domain

    def case(self, inputs, outputs=1, **more):
        """The case with this operator's node. `more` is that of Case: attrs, constant, expect,
        mask, tolerance, form."""
        return Case(self.op, self.domain, inputs, outputs, rng=self.rng, **more)

    def ranked(self):
        """A form for operators that must know the rank of their inputs."""
        return self.pick("fixed", "symbolic", "unknown dims")

    def dtype(self, among=standard.FLOATS, of=0):
        name = self.pick(*among)
        return np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else np.dtype(name)
