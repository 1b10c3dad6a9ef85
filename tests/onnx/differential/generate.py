"""Draws the cases of rows, asks the oracles, writes folders.

A row is made in a child process (see oracle.py) that reports each case over a pipe, before and
after its oracle; the parent knows so which case a child died of.
"""
import concurrent.futures
import multiprocessing
import os
import traceback

from differential.draw import Draw
from differential.oracle import Refused, judge
from differential.table import ROWS

MOST_DRAWS = 5  # times as many as are wanted; the rest were refused by both oracles


class RowError(Exception):
    """A mistake in the table."""


class Made:
    """What became of the draws of one row at one opset."""

    def __init__(self, op, opset):
        self.op, self.opset = op, opset
        self.by = {"runtime": 0, "reference": 0, "text": 0}
        self.refused, self.died = [], 0

    def count(self):
        return sum(self.by.values())


def name_of(op, opset, index):
    return f"{op}-{opset}-{index:03}"


def narrow(results):
    arrays = [a for r in results for a in (r if isinstance(r, list) else [r])]
    return any(str(a.dtype) in ("float16", "bfloat16") for a in arrays)


def make_one(row, opset, seed, index, folder, order):
    case = row.draw(Draw(row.op, opset, seed, index))
    if row.ranked and case.form == "unknown rank":
        case.form = "unknown dims"
    results, oracle = judge(case, order, row.runtime_opset)
    kind = "half" if narrow(results) else "full"
    case.write(os.path.join(folder, kind, name_of(row.op, opset, index)), results)
    return oracle


class Plan:
    """What a child makes: `wanted` cases at each opset, from draw `first` on. `alone`: draws of
    which ONNX Runtime does not live to tell, as (opset, index)."""

    def __init__(self, row, opsets, seed, wanted, first, folder):
        self.row, self.seed, self.wanted, self.folder = row, seed, wanted, folder
        self.alone = set()
        self.made = [Made(row.op, opset) for opset in opsets]
        self.at, self.first, self.start = 0, first, first

    def end(self):
        return self.start + self.wanted * MOST_DRAWS


def make_cases(pipe, plan, made, first):
    """The draws of one opset from `first` on, until there are enough."""
    left = plan.wanted - made.count()
    for index in range(first, plan.end()):
        if left == 0:
            return
        pipe.send(("start", index, None))
        order = ("reference",) if (made.opset, index) in plan.alone else plan.row.order
        try:
            oracle = make_one(plan.row, made.opset, plan.seed, index, plan.folder, order)
        except Refused as error:
            pipe.send(("refused", index, str(error)))
            continue
        left -= 1
        pipe.send(("done", index, oracle))


def child(pipe, plan):
    first = plan.first
    for made in plan.made[plan.at:]:
        try:
            make_cases(pipe, plan, made, first)
        except Exception:  # a mistake in the row
            pipe.send(("wrong", 0, f"{made.op} at opset {made.opset}: {traceback.format_exc()}"))
            return
        first = plan.start
        pipe.send(("next", 0, None))


def note(plan, what, index, detail):
    """Puts down what a child reports."""
    made = plan.made[plan.at]
    if what == "wrong":
        raise RowError(detail)
    if what == "next":
        plan.at, plan.first = plan.at + 1, plan.start
        return
    plan.first = index
    if what == "refused":
        made.refused.append((index, detail))
    elif what == "done":
        made.by[detail] += 1


def listen(pipe, plan):
    try:
        while plan.at < len(plan.made):
            note(plan, *pipe.recv())
    except EOFError:  # it died of the draw that it began last
        made = plan.made[plan.at]
        if (made.opset, plan.first) in plan.alone:
            raise RowError(f"{name_of(made.op, made.opset, plan.first)} ended the process")
        plan.alone.add((made.opset, plan.first))
        made.died += 1


def make_row(op, opsets, seed, wanted, folder, first=0):
    """Makes `wanted` cases of an operator at each opset, from draw `first` on. [Made]"""
    plan = Plan(ROWS[op], opsets, seed, wanted, first, folder)
    while plan.at < len(plan.made):
        ours, theirs = multiprocessing.Pipe(duplex=False)
        worker = multiprocessing.Process(target=child, args=(theirs, plan))
        worker.start()
        theirs.close()
        listen(ours, plan)
        worker.join()
    return plan.made


def make_rows(jobs, seed, wanted, folder):
    """[Made] of [(operator, opsets)], several operators at a time."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda job: make_row(*job, seed, wanted, folder), jobs)
        return [made for row in done for made in row]
