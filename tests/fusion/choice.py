"""Choices by name: what makes a case, and what shrinking takes back.

A choice depends on the seed, the case and its own name only, so that taking one back leaves all
others as they were. The first option is the plain one.
"""
import zlib

import numpy as np


class Choices:
    """`plain`: names whose choice is the plain one; `fixed`: {name: text of the option}."""

    def __init__(self, seed, index, plain=(), fixed=None):
        self.seed, self.index, self.plain, self.fixed = seed, index, set(plain), fixed or {}
        self.taken = {}  # name: text, of choices that are not plain
        self.counts = {}

    def rng(self, name):
        return np.random.default_rng([self.seed, self.index, zlib.crc32(name.encode())])

    def pick(self, name, *options, odds=None):
        """`odds`: how probable anything but the plain option is; None: all are alike."""
        rng = self.rng(name)
        chosen = int(rng.integers(len(options)))
        if odds is not None:
            rest = 1 + int(rng.integers(max(len(options) - 1, 1)))
            chosen = rest if len(options) > 1 and rng.random() < odds else 0
        if name in self.fixed:
            chosen = [str(o) for o in options].index(self.fixed[name])
        elif name in self.plain:
            chosen = 0
        if chosen:
            self.taken[name] = str(options[chosen])
        return options[chosen]

    def chance(self, name, odds):
        return self.pick(name, False, True, odds=odds)

    def each(self, name, *options, odds=None):
        """A choice that is made anew each time: name, name.1, name.2..."""
        count = self.counts[name] = self.counts.get(name, -1) + 1
        return self.pick(f"{name}.{count}" if count else name, *options, odds=odds)

    def shuffled(self, name, items):
        items = list(items)
        if len(items) < 2 or not self.each(name, False, True):
            return items
        order = self.rng(f"{name} {self.counts[name]}").permutation(len(items))
        return [items[i] for i in order]
