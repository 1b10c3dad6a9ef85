"""Models that must be refused, each with words of the reason: trees that are circles, lists that do
not fit together, numbers out of range. (operator, attributes, inputs, words)."""
import numpy as np

X = np.ones((2, 2), np.float32)
TEXT = np.array(["a", "b"], dtype=object)
BIG = 2**62
MEMBER = np.array([6], np.uint8)


def one_node(**changes):
    """TreeEnsemble of one node and two leaves."""
    attrs = {"tree_roots": [0], "n_targets": 1, "nodes_modes": np.array([0], np.uint8),
             "nodes_splits": np.array([0.5], np.float32), "nodes_featureids": [0],
             "nodes_truenodeids": [0], "nodes_falsenodeids": [1], "nodes_trueleafs": [1],
             "nodes_falseleafs": [1], "leaf_targetids": [0, 0],
             "leaf_weights": np.array([1, 2], np.float32)}
    return {key: value for key, value in (attrs | changes).items() if value is not None}


def old(**changes):
    """TreeEnsembleRegressor of one node and two leaves."""
    attrs = {"nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
             "nodes_values": [0.5, 0.0, 0.0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
             "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
             "target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0],
             "target_weights": [1.0, 2.0], "n_targets": 1}
    return {key: value for key, value in (attrs | changes).items() if value is not None}


def grams(**changes):
    """TfIdfVectorizer of three single tokens and one pair."""
    return {"mode": "TF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 0,
            "ngram_counts": [0, 3], "ngram_indexes": [0, 1, 2, 3],
            "pool_int64s": [1, 2, 3, 1, 2]} | changes


ROW = np.array([1, 2, 3], np.int64)

CASES = [
    ("TreeEnsemble", one_node(nodes_trueleafs=[0]), [X * 0], "leads back"),
    ("TreeEnsemble", one_node(nodes_truenodeids=[2]), [X * 0], "no true branch"),
    ("TreeEnsemble", one_node(nodes_falsenodeids=[-1]), [X], "no false branch"),
    ("TreeEnsemble", one_node(nodes_falsenodeids=[BIG]), [X], "no false branch"),
    ("TreeEnsemble", one_node(nodes_featureids=[2]), [X], "feature 2 of 2"),
    ("TreeEnsemble", one_node(nodes_featureids=[-1]), [X], "feature -1"),
    ("TreeEnsemble", one_node(tree_roots=[1]), [X], "no root"),
    ("TreeEnsemble", one_node(leaf_targetids=[0, 1]), [X], "target 1 of 1"),
    ("TreeEnsemble", one_node(leaf_targetids=[0]), [X], "leaf_weights"),
    ("TreeEnsemble", one_node(nodes_truenodeids=[0, 0]), [X], "nodes_truenodeids"),
    ("TreeEnsemble", one_node(nodes_modes=np.array([7], np.uint8)), [X], "mode of node 0"),
    ("TreeEnsemble", one_node(nodes_modes=MEMBER), [X], "membership_values"),
    ("TreeEnsemble", one_node(aggregate_function=4), [X], "aggregate_function"),
    ("TreeEnsemble", one_node(post_transform=-1), [X], "post_transform"),
    ("TreeEnsemble", one_node(n_targets=-1), [X], "n_targets"),
    ("TreeEnsemble", one_node(), [X[0]], "rank 1"),
    ("TreeEnsembleRegressor", old(nodes_truenodeids=[0, 0, 0]), [X * 0], "leads back"),
    ("TreeEnsembleRegressor", old(nodes_falsenodeids=[9, 0, 0]), [X], "no false branch"),
    ("TreeEnsembleRegressor", old(nodes_modes=["LEQ", "LEAF", "LEAF"]), [X], "mode of node 0"),
    ("TreeEnsembleRegressor", old(nodes_modes=["LEAF"]), [X], "nodes_modes"),
    ("TreeEnsembleRegressor", old(target_ids=[0, -1]), [X], "target -1"),
    ("TreeEnsembleRegressor", old(target_ids=[0]), [X], "votes"),
    ("TreeEnsembleRegressor", old(aggregate_function="MEDIAN"), [X], "aggregate_function"),
    ("TreeEnsembleRegressor", old(post_transform="TANH"), [X], "post_transform"),
    ("TreeEnsembleClassifier", {"classlabels_int64s": None}, [X], "classlabels"),
    ("LabelEncoder", {"keys_int64s": [1], "values_int64s": [1, 2]}, [ROW], "as many values"),
    ("LabelEncoder", {"keys_strings": ["a"], "values_int64s": [1]}, [ROW], "type of the keys"),
    ("LabelEncoder", {"keys_int64s": [1], "values_tensor": np.array([2], np.int16),
                      "default_tensor": np.array([2], np.int32)}, [ROW], "default"),
    ("LabelEncoder", {"default_int64": 3}, [ROW], "keys"),
    ("ArrayFeatureExtractor", {}, [X, np.array([2])], "index 2"),
    ("ArrayFeatureExtractor", {}, [X, np.array([-BIG])], "index -"),
    ("Scaler", {"offset": [1.0, 2.0, 3.0]}, [X], "offset"),
    ("Imputer", {"imputed_value_floats": [1.0, 2.0, 3.0]}, [X], "imputed_value_floats"),
    ("Imputer", {"imputed_value_int64s": [1, 2]}, [ROW], "imputed_value_int64s"),
    ("Normalizer", {"norm": "L3"}, [X], "L3"),
    ("OneHotEncoder", {"cats_int64s": [7], "zeros": 0}, [ROW], "no category"),
    ("FeatureVectorizer", {}, [X, X[:1]], "as many rows"),
    ("LinearRegressor", {"coefficients": [1.0, 2.0, 3.0]}, [X], "coefficients"),
    ("LinearRegressor", {"coefficients": [1.0, 2.0], "targets": BIG}, [X], "2^40"),
    ("LinearRegressor", {"coefficients": [1.0, 2.0], "targets": 0}, [X], "target"),
    ("LinearClassifier", {"coefficients": [1.0] * 4, "classlabels_ints": [1, 2, 3]}, [X], "labels"),
    ("SVMRegressor", {"n_supports": BIG, "rho": [1.0]}, [X], "n_supports"),
    ("SVMRegressor", {"n_supports": -1, "rho": [1.0]}, [X], "n_supports"),
    ("SVMRegressor", {"coefficients": [1.0, 2.0]}, [X], "rho"),
    ("SVMRegressor", {"kernel_type": "TREE"}, [X], "TREE"),
    ("SVMClassifier", {"classlabels_ints": [1, 2], "vectors_per_class": [BIG, BIG],
                       "support_vectors": [1.0]}, [X], "vectors_per_class"),
    ("SVMClassifier", {"classlabels_ints": [1, 2], "vectors_per_class": [1]}, [X], "1 of 2"),
    ("SVMClassifier", {"classlabels_ints": [1, 2], "vectors_per_class": [1, 0], "rho": [1.0],
                       "support_vectors": [1.0, 2.0], "coefficients": [1.0, 2.0]}, [X],
     "coefficients"),
    ("SVMClassifier", {"classlabels_ints": [1, 2], "coefficients": [1.0] * 4}, [X], "rho"),
    ("TfIdfVectorizer", grams(ngram_counts=[0, 9]), [ROW], "ngram_counts"),
    ("TfIdfVectorizer", grams(ngram_counts=[3, 0]), [ROW], "ngram_counts"),
    ("TfIdfVectorizer", grams(ngram_indexes=[0, 1, -1]), [ROW], "ngram_indexes"),
    ("TfIdfVectorizer", grams(ngram_indexes=[0, 1, BIG]), [ROW], "ngram_indexes"),
    ("TfIdfVectorizer", grams(ngram_indexes=[0, 1]), [ROW], "ngram_indexes"),
    ("TfIdfVectorizer", grams(mode="IDFTF"), [ROW], "mode"),
    ("TfIdfVectorizer", grams(max_skip_count=-1), [ROW], "max_skip_count"),
    ("TfIdfVectorizer", grams(min_gram_length=0), [ROW], "min_gram_length"),
    ("TfIdfVectorizer", grams(), [TEXT], "pool"),
    ("Adam", {}, [np.float32(1), np.int64(0), X, X, X], "a gradient and states"),
    ("Adagrad", {}, [np.float32(1), np.int64(0), X, X[:1], X], "tensor's type"),
    ("Adagrad", {}, [ROW.astype(np.float32), np.int64(0), X, X, X], "scalars"),
    ("Momentum", {"alpha": 0.5, "beta": 0.5, "norm_coefficient": 0.0, "mode": "fast"},
     [np.float32(1), np.int64(0), X, X, X], "fast"),
    ("BitCast", {"to": 11}, [X], "same width"),
    ("BitCast", {"to": 8}, [X], "to"),
    ("EyeLike", {"dtype": 8}, [X], "dtype"),
    ("EyeLike", {}, [ROW], "matrix"),
]

def transformed(number, *scores):
    """TreeEnsemble whose one leaf for each target gives these scores, then a transform."""
    n = len(scores)
    return one_node(n_targets=n, tree_roots=list(range(n)), post_transform=number,
                    nodes_modes=np.zeros(n, np.uint8), nodes_splits=np.zeros(n, np.float32),
                    nodes_featureids=[0] * n, nodes_truenodeids=list(range(n)),
                    nodes_falsenodeids=list(range(n)), nodes_trueleafs=[1] * n,
                    nodes_falseleafs=[1] * n, leaf_targetids=list(range(n)),
                    leaf_weights=np.array(scores, np.float32))


def once(*values):
    return np.array([values], np.float32)


E = float(np.e)
# Right answers by the standard's text, where ONNX Runtime has others; and large numbers that are no
# fault, which must not make a long loop.
HARMLESS = [
    ("TfIdfVectorizer", grams(max_skip_count=BIG, max_gram_length=BIG), [ROW],
     np.array([1, 1, 1, 1], np.float32)),
    ("EyeLike", {"k": BIG}, [X], X * 0),
    ("TreeEnsemble", transformed(1, 0.0, 1.0), [X[:1]], once(1 / (1 + E), E / (1 + E))),
    ("TreeEnsemble", transformed(2, 0.0, 1.0), [X[:1]], once(0.5, E / (1 + E))),
    ("TreeEnsemble", transformed(3, 0.0, 2.0), [X[:1]], once(0, 1)),
    ("TreeEnsemble", transformed(3, 0.0, 0.0), [X[:1]], once(0.5, 0.5)),
    ("TreeEnsemble", transformed(4, 0.5, 0.8), [X[:1]], once(0, 0.8417561)),
    ("EyeLike", {"k": -2**63}, [X], X * 0),
    ("TreeEnsembleRegressor", old(), [X[:0]], np.zeros((0, 1), np.float32)),
    ("LabelEncoder", {"classes_strings": ["b", "a"]}, [TEXT], np.array([1, 0], np.int64)),
    ("LabelEncoder", {"classes_strings": ["b", "a"], "default_string": "?"},
     [np.array([1, 0, 2, -BIG])], np.array(["a", "b", "?", "?"], dtype=object)),
    ("LabelEncoder", {"keys_tensor": np.array([np.nan, -0.0, 1, 1]),
                      "values_tensor": np.array([5, 6, 7, 8], np.int16)},
     [np.array([-np.nan, 0.0, 1, 2])], np.array([5, 6, 8, -1], np.int16)),
]
