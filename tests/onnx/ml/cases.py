"""Random cases of ai.onnx.ml and of the operators on text: {operator: a function of a generator}.

Each gives (attributes, inputs, number of outputs). What ONNX Runtime does otherwise than the
standard is not drawn, and said where it is left out.
"""
import numpy as np

from ml.trees import New, Old, floats

WORDS = ["", "a", "b", "ab", "Amy", "amy", "Zoë", "ÄÖ", "x y", "日本", "hello world", "a,b,,c",
         "  a  b "]


def words(rng, *shape):
    return np.array(rng.choice(WORDS, shape), dtype=object).reshape(shape)


def rows(rng, dtypes=("float32", "float64", "int64", "int32"), rank=2):
    shape = [int(rng.integers(1, 6)) for _ in range(rank)]
    return (np.round(rng.uniform(-4, 4, shape) * 2) / 2).astype(str(rng.choice(dtypes)))


def shape_of(rng):
    return [int(n) for n in rng.integers(0 if rng.random() < 0.2 else 1, 5, rng.integers(0, 4))]


# ---- Features --------------------------------------------------------------------------------

def binarizer(rng):
    return {"threshold": floats(rng, 1)[0]}, [rows(rng, ("float32",))], 1


def scaler(rng):
    x = rows(rng)
    n = 1 if rng.random() < 0.3 else x.shape[1]
    return {"offset": floats(rng, n), "scale": floats(rng, n)}, [x], 1


def normalizer(rng):
    # ONNX Runtime divides by the greatest magnitude for MAX, the standard by the greatest number.
    x = rows(rng, rank=int(rng.integers(1, 3)))
    norm = str(rng.choice(["MAX", "L1", "L2"]))
    return {"norm": norm}, [np.abs(x) if norm == "MAX" else x], 1


def imputer(rng):
    x = rows(rng, ("float32", "int64"))
    n = 1 if rng.random() < 0.5 else x.shape[1]
    if x.dtype == np.int64:
        return {"imputed_value_int64s": [int(v) for v in rng.integers(-9, 9, n)],
                "replaced_value_int64": int(x[0, 0])}, [x], 1
    if rng.random() < 0.3:
        x[0, 0] = np.nan
    return {"imputed_value_floats": floats(rng, n), "replaced_value_float": float(x[0, 0])}, [x], 1


def one_hot_encoder(rng):
    if rng.random() < 0.5:
        return {"cats_strings": WORDS[1:6]}, [words(rng, 2, 3)], 1
    x = rows(rng, ("int64", "float32"), rank=int(rng.integers(1, 3)))
    return {"cats_int64s": [3, -1, 0, 2], "zeros": 1}, [x], 1


def array_feature_extractor(rng):
    x = rows(rng, rank=int(rng.integers(1, 4)))
    if rng.random() < 0.3:
        x = words(rng, 2, 4)
    picks = rng.integers(0, x.shape[-1], rng.integers(1, 5))
    return {}, [x, picks.astype(np.int64)], 1


def feature_vectorizer(rng):
    dtype = str(rng.choice(["float32", "int64", "float64", "int32"]))
    n = int(rng.integers(1, 4))
    xs = [np.round(rng.uniform(-4, 4, (3, rng.integers(1, 4)))).astype(dtype) for _ in range(n)]
    return {"inputdimensions": [x.shape[1] for x in xs]}, xs, 1


# ---- Labels ----------------------------------------------------------------------------------

def label_encoder(rng):
    keys, values = (str(v) for v in rng.choice(["strings", "int64s", "floats"], 2))
    lists = {"strings": WORDS[1:7], "int64s": [3, -1, 0, 2, 7, 5],
             "floats": [0.5, -1.0, 0.0, 2.0, float("nan"), 1.5]}
    attrs = {"keys_" + keys: lists[keys], "values_" + values: lists[values]}
    if rng.random() < 0.5:
        attrs |= {"strings": {"default_string": "none"}, "int64s": {"default_int64": 42},
                  "floats": {"default_float": 4.5}}[values]
    elif values == "floats":
        attrs["default_float"] = -0.0
    shape = shape_of(rng)
    if keys == "strings":
        return attrs, [words(rng, *shape)], 1
    x = np.round(rng.uniform(-2, 4, shape) * 2) / 2
    return attrs, [np.asarray(x, np.int64 if keys == "int64s" else np.float32)], 1


def category_mapper(rng):
    attrs = {"cats_strings": WORDS[1:7], "cats_int64s": [3, -1, 0, 2, 7, 5]}
    if rng.random() < 0.5:
        return attrs | {"default_int64": 9}, [words(rng, 3, 2)], 1
    return attrs | {"default_string": "none"}, [rng.integers(-2, 8, (3, 2))], 1


# ---- Linear models and trees -----------------------------------------------------------------

def linear_regressor(rng):
    x, targets = rows(rng, ("float32",)), int(rng.integers(1, 4))
    attrs = {"coefficients": floats(rng, targets * x.shape[1]), "targets": targets}
    if rng.random() < 0.7:
        attrs["intercepts"] = floats(rng, targets)
    if targets > 1:
        attrs["post_transform"] = str(rng.choice(["NONE", "LOGISTIC", "SOFTMAX"]))
    return attrs, [x], 1


def linear_classifier(rng):
    x, classes = rows(rng), int(rng.integers(2, 5))
    scores = 1 if classes == 2 and rng.random() < 0.5 else classes
    transforms = ["NONE", "LOGISTIC"] if scores == 1 else ["NONE", "LOGISTIC", "SOFTMAX"]
    attrs = {"coefficients": [float(w) for w in rng.uniform(-1, 1, scores * x.shape[1])],
             "intercepts": [float(w) for w in rng.uniform(-1, 1, scores)],
             "post_transform": str(rng.choice(transforms))}
    if rng.random() < 0.5:
        attrs["classlabels_strings"] = WORDS[1:1 + classes]
    else:
        attrs["classlabels_ints"] = [7, 5, 9, -1][:classes]
    return attrs, [x], 2


def tree_regressor(rng):
    x, targets = rows(rng, ("float32",)), int(rng.integers(1, 4))
    if rng.random() < 0.3:
        x[0, 0] = np.nan
    attrs = Old(rng, int(rng.integers(1, 5)), x.shape[1], targets, "target", (-2.0, 2.0)).lists
    attrs |= {"n_targets": targets,
              "aggregate_function": str(rng.choice(["SUM", "AVERAGE", "MIN", "MAX"]))}
    if rng.random() < 0.5:
        attrs["base_values"] = floats(rng, targets)
    if targets > 1:  # ONNX Runtime leaves a single target as it is
        attrs["post_transform"] = str(rng.choice(["NONE", "LOGISTIC", "SOFTMAX"]))
    return attrs, [x], 1


def tree_classifier(rng):
    x, classes = rows(rng, ("float32", "float64", "int64")), int(rng.integers(2, 5))
    two = classes == 2  # votes for one class only; for both, ONNX Runtime forgets the labels
    weights = (-2.0, 2.0) if rng.random() < 0.5 else (0.0, 2.0)
    attrs = Old(rng, int(rng.integers(1, 4)), x.shape[1], 1 if two else classes, "class",
                weights).lists
    transforms = ["NONE", "LOGISTIC"] if two else ["NONE", "LOGISTIC", "SOFTMAX"]
    attrs["post_transform"] = str(rng.choice(transforms))
    if rng.random() < 0.5:
        attrs["classlabels_strings"] = WORDS[1:1 + classes]
    else:
        attrs["classlabels_int64s"] = [7, 5, 9, -1][:classes]
    if not two and rng.random() < 0.5:
        attrs["base_values"] = floats(rng, classes)
    return attrs, [x], 2


def tree_ensemble(rng):
    x, targets = rows(rng, ("float32", "float64")), int(rng.integers(1, 4))
    if rng.random() < 0.3:
        x[0, 0] = np.nan
    attrs = New(rng, int(rng.integers(1, 5)), x.shape[1], targets, x.dtype).attrs
    attrs["aggregate_function"] = int(rng.integers(0, 4))
    attrs["post_transform"] = 0  # ONNX Runtime takes SOFTMAX for LOGISTIC and the other way round
    return attrs, [x], 1


KERNELS = ["LINEAR", "POLY", "RBF", "SIGMOID"]


def reals(rng, n):
    return [float(x) for x in rng.uniform(-1, 1, n)]


def kernel(rng):
    return {"kernel_type": str(rng.choice(KERNELS)), "kernel_params": [0.5, 0.25, 2.0]}


def svm_regressor(rng):
    x = rows(rng, ("float32",))
    attrs = {"kernel_type": "LINEAR", "kernel_params": [0.0] * 3, "rho": reals(rng, 1),
             "coefficients": reals(rng, x.shape[1])}
    if rng.random() < 0.8:
        n = int(rng.integers(1, 6))
        attrs |= kernel(rng) | {"n_supports": n, "coefficients": reals(rng, n),
                                "support_vectors": reals(rng, n * x.shape[1])}
    if rng.random() < 0.3:
        attrs["one_class"] = 1
    return attrs, [x], 1


def svm_classifier(rng):
    x, classes = rows(rng), int(rng.integers(2, 5))
    counts = [int(n) for n in rng.integers(1, 4, classes)]
    n, pairs = sum(counts), classes * (classes - 1) // 2
    attrs = kernel(rng) | {"vectors_per_class": counts, "rho": reals(rng, pairs),
                           "coefficients": reals(rng, n * (classes - 1)),
                           "support_vectors": reals(rng, n * x.shape[1])}
    if classes > 2 and rng.random() < 0.3:  # of two, ONNX Runtime takes the second one
        attrs = {"kernel_type": "LINEAR", "kernel_params": [0.0] * 3, "rho": reals(rng, 2),
                 "coefficients": reals(rng, classes * x.shape[1])}
    elif rng.random() < 0.6:
        attrs |= {"prob_a": reals(rng, pairs), "prob_b": reals(rng, pairs)}
    if rng.random() < 0.5:
        attrs["classlabels_strings"] = WORDS[1:1 + classes]
    else:
        attrs["classlabels_ints"] = [7, 5, 9, -1][:classes]
    return attrs, [x], 2


# ---- Text ------------------------------------------------------------------------------------

def string_concat(rng):
    shape = shape_of(rng)
    return {}, [words(rng, *shape), words(rng, *shape[-1:])], 1


def string_split(rng):
    attrs = {}
    if rng.random() < 0.7:
        attrs["delimiter"] = str(rng.choice([",", " ", "", "a", "b,"]))
    if rng.random() < 0.5 and attrs.get("delimiter"):
        attrs["maxsplit"] = int(rng.integers(1, 4))
    x = words(rng, *shape_of(rng))
    if attrs.get("delimiter"):  # of an empty text ONNX Runtime gives no part, the standard one
        x[x == ""] = "a"
    return attrs, [x], 2


PATTERNS = ["a*", "(?i)AMY", r"\w+ \w+", "[^a]+", "", ".*b", r"\p{L}+", "(a|b|,)*c?", "a{1,2}.?",
            r"(?P<first>\S+)\s\S+", "^ab$", "日.", r"\x61\x{62}?", "[[:alpha:]]+"]


def regex_full_match(rng):
    return {"pattern": str(rng.choice(PATTERNS))}, [words(rng, 7)], 1


def string_normalizer(rng):
    attrs = {"case_change_action": str(rng.choice(["LOWER", "UPPER", "NONE"])),
             "is_case_sensitive": int(rng.integers(2)), "locale": "C.UTF-8"}
    if rng.random() < 0.8:
        attrs["stopwords"] = [str(w) for w in rng.choice(WORDS[1:], 3)]
    n = int(rng.integers(1, 6))
    return attrs, [words(rng, *((1, n) if rng.random() < 0.5 else (n,)))], 1


ML = {"ArrayFeatureExtractor": array_feature_extractor, "Binarizer": binarizer,
      "CategoryMapper": category_mapper, "FeatureVectorizer": feature_vectorizer,
      "Imputer": imputer, "LabelEncoder": label_encoder, "LinearClassifier": linear_classifier,
      "LinearRegressor": linear_regressor, "Normalizer": normalizer,
      "OneHotEncoder": one_hot_encoder, "SVMClassifier": svm_classifier,
      "SVMRegressor": svm_regressor, "Scaler": scaler, "TreeEnsemble": tree_ensemble,
      "TreeEnsembleClassifier": tree_classifier, "TreeEnsembleRegressor": tree_regressor}
TEXT = {"RegexFullMatch": regex_full_match, "StringConcat": string_concat,
        "StringNormalizer": string_normalizer, "StringSplit": string_split}
