"""Makes cases as folders: DIR/TOLERANCE/OPERATOR-INDEX/.

What ONNX Runtime says counts, or what the case says itself. ONNX Runtime may end the process on
what it does not expect; so each row is made in a child process, which reports every case before
and after, and is started again behind the case that it died of.
"""
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor

from contrib.draw import Draw
from contrib.oracle import judge
from differential.oracle import Refused

SEED = 20261122
FORK = multiprocessing.get_context("fork")
MOST_DRAWS = 3  # times as many as are wanted; the rest were refused


class Made:
    """What became of the draws of one row."""

    def __init__(self, row):
        self.row, self.cases = row, {}  # name: tolerance
        self.refused, self.died = [], []

    def __str__(self):
        more = f", {len(self.refused)} refused" if self.refused else ""
        more += f", {len(self.died)} killed ONNX Runtime" if self.died else ""
        return f"{self.row.op}: {len(self.cases)} cases{more}"


def name_of(row, index):
    return f"{row.op}-{index:03}"


def make_one(row, index, folder):
    case = row.draw(Draw(row, SEED, index))
    results = judge(case)
    tolerance = case.tolerance_for(results)
    case.write(os.path.join(folder, tolerance, name_of(row, index)), results)
    return tolerance


def child(pipe, row, indices, folder):
    for index in indices:
        pipe.send(("start", index, None))
        try:
            pipe.send(("done", index, make_one(row, index, folder)))
        except Refused as error:
            pipe.send(("refused", index, str(error)))
        except Exception as error:  # of the row itself: to be mended there
            pipe.send(("refused", index, f"the row raises {type(error).__name__}: {error}"))
    pipe.send(("end", 0, None))


def listen(pipe, made, wanted):
    """The draw that a child died of, or None when it has made what is wanted."""
    last = 0
    try:
        while len(made.cases) < wanted:
            what, index, detail = pipe.recv()
            last = max(last, index)
            if what == "refused":
                made.refused.append((index, detail))
            elif what == "done":
                made.cases[name_of(made.row, index)] = detail
            elif what == "end":
                return None
    except EOFError:
        return last
    return None


def make_row(row, folder, indices=None):
    """Made: row.cases cases of an operator, or those draws that `indices` names."""
    made = Made(row)
    wanted = len(indices) if indices else row.cases
    left = list(indices or range(row.cases * MOST_DRAWS))
    while left and len(made.cases) < wanted:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        worker = FORK.Process(target=child, args=(theirs, row, left, folder))
        worker.start()
        theirs.close()
        died = listen(ours, made, wanted)
        if worker.is_alive():
            os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        if died is None:
            break
        made.died.append(died)
        left = [index for index in left if index > died]
    return made


def make_all(rows, folder):
    with ProcessPoolExecutor(2, FORK) as pool:
        return list(pool.map(make_row, rows, [folder] * len(rows)))
