"""The table: one row an operator. Modules cases_*.py of this folder fill it when they are loaded."""
import glob
import importlib
import os

CASES = 40  # of an operator, where its row does not say

ROWS = {}


class Row:
    def __init__(self, op, draw, domain, cases):
        self.op, self.draw, self.domain, self.cases = op, draw, domain, cases


def row(*ops, domain="com.microsoft", cases=CASES):
    """The function draws a case of these operators: `draw(d)` gives d.case(...)."""
    def add(draw):
        for op in ops:
            assert op not in ROWS, op
            ROWS[op] = Row(op, draw, domain, cases)
        return draw
    return add


def load():
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "cases_*.py"))):
        importlib.import_module("contrib." + os.path.basename(path)[:-3])
    return dict(sorted(ROWS.items()))
