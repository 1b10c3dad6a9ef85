"""The table: one row an operator. Modules cases_*.py of this folder fill it as they are loaded."""
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


def load(names=()):
    """All rows, or those of the modules named, when nothing else is."""
    here = os.path.dirname(os.path.abspath(__file__))
    modules = [os.path.basename(path)[:-3]
               for path in sorted(glob.glob(os.path.join(here, "cases_*.py")))]
    if names and set(names) <= set(modules):
        modules = names
    for module in modules:
        importlib.import_module("contrib." + module)
    return dict(sorted(ROWS.items()))
