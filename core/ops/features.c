/* features.c - what ai.onnx.ml does to rows of features: Binarizer, Scaler, Imputer, Normalizer,
 * OneHotEncoder, ArrayFeatureExtractor, FeatureVectorizer. */
#include <math.h>
#include <string.h>

#include "ops/layout.h"
#include "ops/loops.h"
#include "ops/strings.h"

#define ML      "ai.onnx.ml"
#define NUMBERS "float32|float64|int64|int32"

/* The extent of the last axis; 1 for a scalar. */
static int64_t row_length(const heed_tensor *t)
{
    int32_t rank = tensor_rank(t);
    return rank ? t->dims[rank - 1] : 1;
}

/* ---- One element at a time ------------------------------------------------------------------- */

static heed_status infer_float_same(op_infer *c)
{
    c->out[0].dtype = HEED_FLOAT32;
    return infer_set_like(c, 0, 0);
}

/* Changes element i of x, which stands in column `column`. */
typedef double change_fn(const ir_node *n, double x, int64_t column);

static double binarize(const ir_node *n, double x, int64_t column)
{
    (void)column;
    return x > ir_attr_float(n, "threshold", 0) ? 1 : 0;
}

/* The number of a column, from a list with one for each or one for all. */
static double column_of(const float *list, uint64_t n, int64_t column, double missing)
{
    return n == 0 ? missing : (double)list[n == 1 ? 0 : column];
}

static double scale(const ir_node *n, double x, int64_t column)
{
    uint64_t n_offset = 0, n_scale = 0;
    const float *offset = ir_attr_floats(n, "offset", &n_offset);
    const float *factor = ir_attr_floats(n, "scale", &n_scale);
    return (x - column_of(offset, offset ? n_offset : 0, column, 0)) *
           column_of(factor, factor ? n_scale : 0, column, 1);
}

static double impute(const ir_node *n, double x, int64_t column)
{
    uint64_t count = 0;
    const float *values = ir_attr_floats(n, "imputed_value_floats", &count);
    double replaced = ir_attr_float(n, "replaced_value_float", 0);
    bool hit = isnan(replaced) ? isnan(x) : x >= replaced && x <= replaced;
    return hit ? column_of(values, values ? count : 0, column, x) : x;
}

typedef struct change {
    change_fn *run;
    const char *lists[2]; /* attributes that have one number, or one for each column */
} change;

static heed_status check_list(const op_call *c, const char *name, int64_t columns)
{
    const ir_attr *a = name ? ir_node_attr(c->node, name) : NULL;
    uint64_t n = a ? a->view.n : 0;
    if (n <= 1 || (int64_t)n == columns)
        return HEED_OK;
    return call_error(c, HEED_INVALID, "%s has %llu numbers for %lld columns", name,
                      (unsigned long long)n, (long long)columns);
}

static heed_status run_change(op_call *c)
{
    const change *how = c->node->op->data;
    heed_tensor *out = call_out(c, 0);
    double block[LOOP_BLOCK];
    int64_t columns = row_length(c->in[0]), total = out ? tensor_count(out) : 0;
    for (size_t i = 0; i < 2; i++)
        TRY(check_list(c, how->lists[i], columns));
    for (int64_t first = 0; first < total; first += LOOP_BLOCK) {
        int64_t n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
        loop_load(c->in[0], CLASS_F64, first, n, block);
        for (int64_t i = 0; i < n; i++)
            block[i] = how->run(c->node, block[i], (first + i) % columns);
        loop_store(out, CLASS_F64, first, n, block);
    }
    return HEED_OK;
}

/* Integers have lists of their own, and would lose digits as doubles. */
static heed_status impute_ints(op_call *c)
{
    uint64_t count = 0;
    const int64_t *values = ir_attr_ints(c->node, "imputed_value_int64s", &count);
    int64_t replaced = ir_attr_int(c->node, "replaced_value_int64", 0), x;
    heed_tensor *out = call_out(c, 0);
    int64_t columns = row_length(c->in[0]);
    TRY(check_list(c, "imputed_value_int64s", columns));
    for (int64_t i = 0, total = out ? tensor_count(out) : 0; i < total; i++) {
        x = tensor_get_int(c->in[0], i);
        if (x == replaced && values && count)
            x = values[count == 1 ? 0 : i % columns];
        dtype_store_i64(out->dtype, tensor_data(out), i, 1, &x);
    }
    return HEED_OK;
}

static heed_status run_imputer(op_call *c)
{
    return dtype_is_int(c->in[0]->dtype) ? impute_ints(c) : run_change(c);
}

/* ---- Normalizer ----------------------------------------------------------------------------- */

static double size_max(int64_t n, const double *x)
{
    double most = -(double)INFINITY;
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

static double size_l1(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs(x[i]);
    return sum;
}

static double size_l2(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

static const struct norm {
    const char *name;
    double (*size)(int64_t n, const double *x);
} norms[] = {{"MAX", size_max}, {"L1", size_l1}, {"L2", size_l2}};

static heed_status run_normalizer(op_call *c)
{
    const char *name = ir_attr_string(c->node, "norm", "MAX");
    const struct norm *norm = NULL;
    heed_tensor *out = call_out(c, 0);
    int64_t n = row_length(c->in[0]), total = out ? tensor_count(out) : 0;
    for (size_t i = 0; i < sizeof(norms) / sizeof(norms[0]); i++)
        norm = strcmp(name, norms[i].name) == 0 ? &norms[i] : norm;
    if (!norm)
        return call_error(c, HEED_INVALID, "the norm of Normalizer is \"%.40s\"", name);
    double *row = call_scratch(c, (size_t)n * sizeof *row + 1);
    if (!row)
        return HEED_NOMEM;
    for (int64_t first = 0; first < total; first += n) {
        loop_load(c->in[0], CLASS_F64, first, n, row);
        double size = norm->size(n, row);
        for (int64_t i = 0; i < n && (size > 0 || size < 0); i++)
            row[i] /= size;
        loop_store(out, CLASS_F64, first, n, row);
    }
    return HEED_OK;
}

/* ---- OneHotEncoder --------------------------------------------------------------------------- */

static int64_t count_categories(const ir_node *n)
{
    const ir_attr *words = ir_node_attr(n, "cats_strings"),
                  *numbers = ir_node_attr(n, "cats_int64s");
    uint64_t count = words && words->view.n ? words->view.n : numbers ? numbers->view.n : 0;
    return (int64_t)count;
}

static heed_status infer_one_hot(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK + 1];
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    dims[rank] = count_categories(c->node);
    return infer_set(c, 0, 0, rank + 1, dims);
}

/* The place of element i among the categories, or -1. */
static int64_t category(const op_call *c, int64_t i)
{
    uint64_t n = 0;
    const heed_tensor *x = c->in[0];
    if (x->dtype == HEED_STRING) {
        const ir_attr *words = ir_node_attr(c->node, "cats_strings");
        for (uint64_t k = 0; words && k < words->view.n; k++)
            if (strings_equal(words->view.strings[k], strings_get(x, i)))
                return (int64_t)k;
        return -1;
    }
    const int64_t *numbers = ir_attr_ints(c->node, "cats_int64s", &n);
    int64_t value = tensor_get_int(x, i);
    for (uint64_t k = 0; numbers && k < n; k++)
        if (numbers[k] == value)
            return (int64_t)k;
    return -1;
}

static heed_status run_one_hot(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    int64_t categories = count_categories(c->node);
    if (!out)
        return HEED_OK;
    layout_zero(out->dtype, tensor_data(out), 0, tensor_count(out));
    for (int64_t i = 0, n = tensor_count(c->in[0]); i < n; i++) {
        int64_t at = category(c, i);
        if (at < 0 && !ir_attr_int(c->node, "zeros", 1))
            return call_error(c, HEED_INVALID, "element %lld is in no category", (long long)i);
        if (at >= 0 && at < categories)
            ((float *)tensor_data(out))[i * categories + at] = 1;
    }
    return HEED_OK;
}

/* ---- ArrayFeatureExtractor ------------------------------------------------------------------ */

/* A vector is one row. */
static heed_status infer_extractor(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), n = 0;
    ir_dim dims[TENSOR_MAX_RANK], picked = infer_rank(c, 1) >= 0 ? 1 : DIM_UNKNOWN;
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank == 0)
        return infer_error(c, "features of rank 1 or more", "a scalar");
    for (int32_t i = 0; i < infer_rank(c, 1); i++)
        picked = dims_mul(c->dims, picked, c->in[1]->dims[i]);
    for (int32_t i = 0; i < rank - 1; i++)
        dims[n++] = c->in[0]->dims[i];
    if (rank == 1)
        dims[n++] = 1;
    dims[n++] = picked;
    return infer_set(c, 0, 0, n, dims);
}

static heed_status run_extractor(op_call *c)
{
    const heed_tensor *x = c->in[0];
    heed_tensor *out = call_out(c, 0);
    int64_t columns = row_length(x), n = tensor_count(c->in[1]), *indices = call_ints(c, 1);
    if (!indices || !out)
        return indices ? HEED_OK : HEED_NOMEM;
    for (int64_t i = 0; i < n; i++)
        if (indices[i] < 0 || indices[i] >= columns)
            return call_error(c, HEED_INVALID, "index %lld of %lld columns", (long long)indices[i],
                              (long long)columns);
    for (int64_t to = 0, row = 0, total = tensor_count(out); to < total; row += columns)
        for (int64_t i = 0; i < n; i++, to++)
            dtype_copy(x->dtype, tensor_data(out), to, tensor_data(x), row + indices[i], 1);
    return HEED_OK;
}

/* ---- FeatureVectorizer ----------------------------------------------------------------------- */

/* A vector is one row; all inputs have as many rows. */
static heed_status infer_vectorizer(op_infer *c)
{
    ir_dim rows = 1, columns = 0;
    for (uint32_t i = 0; i < c->n_in; i++) {
        int32_t rank = infer_rank(c, i);
        if (rank < 0)
            return infer_set_unknown(c, 0, 0, 2);
        if (rank < 1 || rank > 2)
            return infer_error(c, "features of rank 1 or 2", "rank %d", rank);
        ir_dim here = rank == 2 ? c->in[i]->dims[0] : 1;
        if (i > 0 && dim_known(rows) && dim_known(here) && rows != here)
            return infer_error(c, "as many rows in all inputs", "%lld and %lld", (long long)rows,
                               (long long)here);
        rows = here;
        columns = dims_add(c->dims, columns, c->in[i]->dims[rank - 1]);
    }
    ir_dim dims[2] = {rows, columns};
    return infer_set(c, 0, 0, 2, dims);
}

static heed_status run_vectorizer(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    if (!out)
        return HEED_OK;
    float *to = tensor_data(out);
    for (int64_t row = 0; row < out->dims[0]; row++)
        for (uint32_t i = 0; i < c->n_in; i++) {
            int64_t n = row_length(c->in[i]);
            loop_load(c->in[i], CLASS_F32, row * n, n, to);
            to += n;
        }
    return HEED_OK;
}

// clang-format off
static const change binarizing = {binarize, {NULL, NULL}};
static const change scaling = {scale, {"offset", "scale"}};
static const change imputing = {impute, {"imputed_value_floats", NULL}};

static const op_def binarizer = {
    .domain = ML, .name = "Binarizer", .since = 1, .flags = OP_INPLACE, .data = &binarizing,
    .signature = "X:T -> Y:T", .types = "T=" NUMBERS, .attrs = "threshold:float=0",
    .infer = infer_same, .run = run_change};
static const op_def scaler = {
    .domain = ML, .name = "Scaler", .since = 1, .data = &scaling,
    .signature = "X:T -> Y:float32", .types = "T=" NUMBERS, .attrs = "offset:floats scale:floats",
    .infer = infer_float_same, .run = run_change};
static const op_def imputer = {
    .domain = ML, .name = "Imputer", .since = 1, .flags = OP_INPLACE, .data = &imputing,
    .signature = "X:T -> Y:T", .types = "T=" NUMBERS,
    .attrs = "imputed_value_floats:floats imputed_value_int64s:ints replaced_value_float:float=0 "
             "replaced_value_int64:int=0",
    .infer = infer_same, .run = run_imputer};
static const op_def normalizer = {
    .domain = ML, .name = "Normalizer", .since = 1,
    .signature = "X:T -> Y:float32", .types = "T=" NUMBERS, .attrs = "norm:string=MAX",
    .infer = infer_float_same, .run = run_normalizer};
static const op_def one_hot = {
    .domain = ML, .name = "OneHotEncoder", .since = 1,
    .signature = "X:T -> Y:float32", .types = "T=string|" NUMBERS,
    .attrs = "cats_int64s:ints cats_strings:strings zeros:int=1",
    .infer = infer_one_hot, .run = run_one_hot};
static const op_def extractor = {
    .domain = ML, .name = "ArrayFeatureExtractor", .since = 1,
    .signature = "X:T, Y:int64 -> Z:T", .types = "T=string|" NUMBERS,
    .infer = infer_extractor, .run = run_extractor};
static const op_def vectorizer = {
    .domain = ML, .name = "FeatureVectorizer", .since = 1,
    .signature = "X:T* -> Y:float32", .types = "T=" NUMBERS, .attrs = "inputdimensions:ints",
    .infer = infer_vectorizer, .run = run_vectorizer};

const op_def *const ops_features[] = {&binarizer, &scaler, &imputer, &normalizer, &one_hot,
                                      &extractor, &vectorizer, NULL};
// clang-format on
