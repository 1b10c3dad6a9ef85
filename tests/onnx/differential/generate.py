"""Draws the cases of rows, asks the oracles, writes folders.

A row is made in a child process (see oracle.py) that reports each case over a pipe, before and
after its oracle; the parent knows so which case a child died of.
"""
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


def child(pipe, row, opset, seed, indices, wanted, folder, alone):
    for index in indices:
        if wanted == 0:
            break
        pipe.send(("start", index, None))
        order = ("reference",) if index in alone else row.order
        try:
            pipe.send(("done", index, make_one(row, opset, seed, index, folder, order)))
            wanted -= 1
        except Refused as error:
            pipe.send(("refused", index, str(error)))
        except Exception:  # a mistake in the row
            pipe.send(("wrong", index, traceback.format_exc()))
            return
    pipe.send(("end", 0, None))


def listen(pipe, made):
    """(index of the last case that was begun, did the child come to an end?)"""
    last = 0
    try:
        while True:
            what, index, detail = pipe.recv()
            last = max(last, index)
            if what == "refused":
                made.refused.append((index, detail))
            elif what == "done":
                made.by[detail] += 1
            elif what == "wrong":
                raise RowError(f"{name_of(made.op, made.opset, index)}: {detail}")
            elif what == "end":
                return last, True
    except EOFError:
        return last, False


def make_row(op, opset, seed, wanted, folder, first=0):
    """Makes `wanted` cases of an operator, from draw `first` on."""
    made, alone, end = Made(op, opset), set(), first + wanted * MOST_DRAWS
    while made.count() < wanted and first < end:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        worker = multiprocessing.Process(
            target=child, args=(theirs, ROWS[op], opset, seed, range(first, end),
                                wanted - made.count(), folder, alone))
        worker.start()
        theirs.close()
        first, finished = listen(ours, made)
        worker.join()
        if finished:
            break
        if first in alone:
            raise RowError(f"{name_of(op, opset, first)}: the reference ended the process")
        made.died += 1
        alone.add(first)
    return made
