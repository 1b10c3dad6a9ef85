"""Random decision trees, in the spelling of TreeEnsemble and in the older one."""
import numpy as np

MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def floats(rng, n, low=-2.0, high=2.0):
    """Few different numbers, so that comparisons for equality are met."""
    return [float(x) for x in np.round(rng.uniform(low, high, n) * 2) / 2]


def grow(rng, depth):
    """A tree as nested lists: [true, false] is a branch, None a leaf."""
    if depth == 0 or rng.random() < 0.2:
        return None
    return [grow(rng, depth - 1), grow(rng, depth - 1)]


class Old:
    """The lists of TreeEnsembleRegressor and TreeEnsembleClassifier; `votes` is their prefix.

    Each leaf votes for every target: where one gets no vote, ONNX Runtime forgets its base value
    and does not let it be the best."""

    def __init__(self, rng, n_trees, n_features, n_targets, votes, weights):
        self.rng, self.n_features, self.n_targets = rng, n_features, n_targets
        self.votes, self.weights = votes, weights
        names = ["treeids", "nodeids", "featureids", "values", "modes", "truenodeids",
                 "falsenodeids", "missing_value_tracks_true"]
        self.lists = {"nodes_" + name: [] for name in names}
        for name in ("treeids", "nodeids", "ids", "weights"):
            self.lists[f"{votes}_{name}"] = []
        for tree in range(n_trees):
            self.count = 0
            self.add(tree, grow(rng, 3) or [None, None])

    def append(self, tree, mode):
        rows = self.lists
        rows["nodes_treeids"].append(tree)
        rows["nodes_nodeids"].append(self.count)
        rows["nodes_featureids"].append(int(self.rng.integers(self.n_features)))
        rows["nodes_values"] += floats(self.rng, 1)
        rows["nodes_modes"].append(mode)
        rows["nodes_truenodeids"].append(0)
        rows["nodes_falsenodeids"].append(0)
        rows["nodes_missing_value_tracks_true"].append(int(self.rng.integers(2)))
        self.count += 1
        return len(rows["nodes_treeids"]) - 1, self.count - 1

    def vote(self, tree, node):
        for target in self.rng.permutation(self.n_targets):
            self.lists[self.votes + "_treeids"].append(tree)
            self.lists[self.votes + "_nodeids"].append(node)
            self.lists[self.votes + "_ids"].append(int(target))
            self.lists[self.votes + "_weights"] += floats(self.rng, 1, *self.weights)

    def add(self, tree, shape):
        if shape is None:
            _, node = self.append(tree, "LEAF")
            self.vote(tree, node)
            return node
        # NaN at BRANCH_NEQ is decided otherwise by ONNX Runtime than by the standard.
        place, node = self.append(tree, MODES[self.rng.integers(len(MODES) - 1)])
        self.lists["nodes_truenodeids"][place] = self.add(tree, shape[0])
        self.lists["nodes_falsenodeids"][place] = self.add(tree, shape[1])
        return node


class New:
    """The attributes of TreeEnsemble; sets are in the order of the nodes that ask for them."""

    def __init__(self, rng, n_trees, n_features, n_targets, dtype):
        self.rng, self.n_features, self.n_targets = rng, n_features, n_targets
        self.roots, self.nodes, self.leaves = [], [], []
        for _ in range(n_trees):
            self.roots.append(self.add(grow(rng, 3) or [None, None])[0])
        members = []
        for node in self.nodes:
            if node["mode"] == 6:
                # ONNX Runtime knows sets of small integers only.
                members += [float(m) for m in rng.integers(1, 5, rng.integers(1, 4))]
                members.append(float("nan"))
        self.attrs = {"tree_roots": self.roots, "n_targets": n_targets,
                      "nodes_modes": np.array([n["mode"] for n in self.nodes], np.uint8),
                      "nodes_splits": np.array([n["split"] for n in self.nodes], dtype),
                      "leaf_weights": np.array([w for w, _ in self.leaves], dtype),
                      "leaf_targetids": [t for _, t in self.leaves]}
        for key in ("featureids", "truenodeids", "falsenodeids", "trueleafs", "falseleafs",
                    "missing_value_tracks_true"):
            self.attrs["nodes_" + key] = [n[key] for n in self.nodes]
        if members:
            self.attrs["membership_values"] = np.array(members, dtype)

    def add(self, shape):
        """(place, 1 for a leaf)"""
        if shape is None:
            self.leaves.append((floats(self.rng, 1)[0], int(self.rng.integers(self.n_targets))))
            return len(self.leaves) - 1, 1
        node = {"mode": int(self.rng.choice([0, 1, 2, 3, 4, 6])),
                "split": floats(self.rng, 1)[0],
                "featureids": int(self.rng.integers(self.n_features)),
                "missing_value_tracks_true": int(self.rng.integers(2))}
        place = len(self.nodes)
        self.nodes.append(node)
        node["truenodeids"], node["trueleafs"] = self.add(shape[0])
        node["falsenodeids"], node["falseleafs"] = self.add(shape[1])
        return place, 0
