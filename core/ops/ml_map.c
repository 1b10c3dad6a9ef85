/* ml_map.c - operators on maps: CastMap, DictVectorizer, ZipMap of ai.onnx.ml.
 *
 * A map is a value of two lists, keys and values. In the standard it has no order; here ZipMap
 * keeps that of its labels, and CastMap reads by ascending key. */
#include <string.h>

#include "ops/items.h"
#include "ops/loops.h"
#include "ops/text.h"

/* CastMap with max_map, which a file gives: more columns than anybody needs. */
#define MAX_COLUMNS ((int64_t)1 << 24)

static heed_status infer_map_input(const op_infer *c)
{
    if (c->in[0]->kind == HEED_KIND_MAP || !c->in[0]->dtype)
        return HEED_OK;
    return infer_error(c, "a map for input 0", "%s", dtype_name(c->in[0]->dtype));
}

static heed_status read_map(const op_call *c, const heed_tensor **keys, const heed_tensor **values)
{
    if (c->in[0]->kind != HEED_MAP || c->in[0]->n_items != 2)
        return call_error(c, HEED_INVALID, "input 0 is no map");
    *keys = c->in[0]->items[0];
    *values = c->in[0]->items[1];
    return HEED_OK;
}

/* ---- CastMap --------------------------------------------------------------------------------- */

static heed_dtype cast_target(const ir_node *n)
{
    static const struct {
        const char *name;
        heed_dtype dtype;
    } rows[] = {{"TO_FLOAT", HEED_FLOAT32}, {"TO_STRING", HEED_STRING}, {"TO_INT64", HEED_INT64}};
    const char *to = ir_attr_string(n, "cast_to", "TO_FLOAT");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(to, rows[i].name) == 0)
            return rows[i].dtype;
    return HEED_UNDEFINED;
}

static bool is_sparse(const ir_node *n)
{
    return strcmp(ir_attr_string(n, "map_form", "DENSE"), "SPARSE") == 0;
}

static heed_status infer_cast_map(op_infer *c)
{
    heed_dtype to = cast_target(c->node);
    int64_t columns = ir_attr_int(c->node, "max_map", 1);
    ir_dim dims[] = {1, columns};
    TRY(infer_map_input(c));
    if (!to)
        return infer_error(c, "cast_to of TO_FLOAT, TO_STRING or TO_INT64", "\"%s\"",
                           ir_attr_string(c->node, "cast_to", ""));
    if (!is_sparse(c->node))
        return infer_set_unknown(c, 0, to, 2);
    if (columns < 1 || columns > MAX_COLUMNS)
        return infer_error(c, "a max_map of at least 1", "%lld", (long long)columns);
    return infer_set(c, 0, to, 2, dims);
}

/* Where each value goes: its rank among the keys, or its key. */
static heed_status columns_of(op_call *c, const int64_t *keys, int64_t n, int64_t width,
                              int64_t *columns)
{
    for (int64_t i = 0; i < n; i++) {
        columns[i] = is_sparse(c->node) ? keys[i] : 0;
        if (columns[i] < 0 || columns[i] >= width)
            return call_error(c, HEED_INVALID, "key %lld is not in [0, max_map = %lld)",
                              (long long)keys[i], (long long)width);
        for (int64_t k = 0; !is_sparse(c->node) && k < n; k++)
            columns[i] += keys[k] < keys[i] || (keys[k] == keys[i] && k < i);
    }
    return HEED_OK;
}

/* The values in their columns, of their own dtype; empty columns are 0 or "". */
static heed_status spread(op_call *c, const heed_tensor *values, const int64_t *columns,
                          heed_tensor *row)
{
    bool text = values->dtype == HEED_STRING;
    for (int64_t i = 0; text && i < tensor_count(row); i++) /* what is empty casts as 0 */
        TRY(tensor_set_string(row, i, c->out[0]->dtype == HEED_STRING ? "" : "0",
                              c->out[0]->dtype != HEED_STRING));
    for (int64_t i = 0; i < tensor_count(values); i++)
        dtype_copy(values->dtype, tensor_data(row), columns[i], tensor_data(values), i, 1);
    return HEED_OK;
}

static heed_status cast_row(op_call *c, const heed_tensor *row)
{
    heed_tensor *out = c->out[0];
    if (row->dtype == HEED_STRING && out->dtype == HEED_STRING)
        return tensor_copy_content(out, row);
    if (row->dtype == HEED_STRING || out->dtype == HEED_STRING)
        return text_cast(out, row) ? ir_node_error(c->node) : HEED_OK;
    double block[LOOP_BLOCK];
    for (int64_t n, first = 0; first < tensor_count(row); first += n) {
        n = tensor_count(row) - first < LOOP_BLOCK ? tensor_count(row) - first : LOOP_BLOCK;
        loop_load(row, CLASS_F64, first, n, block);
        loop_store(out, CLASS_F64, first, n, block);
    }
    return HEED_OK;
}

static heed_status run_cast_map(op_call *c)
{
    const heed_tensor *keys = NULL, *values = NULL;
    heed_tensor *row = NULL;
    TRY(read_map(c, &keys, &values));
    int64_t n = tensor_count(keys);
    int64_t width = is_sparse(c->node) ? ir_attr_int(c->node, "max_map", 1) : n;
    int64_t dims[] = {1, width};
    int64_t *numbers = call_scratch(c, ((size_t)n + 1) * sizeof(*numbers));
    int64_t *columns = call_scratch(c, ((size_t)n + 1) * sizeof(*columns));
    if (!numbers || !columns)
        return HEED_NOMEM;
    if (keys->dtype != HEED_INT64)
        return call_error(c, HEED_INVALID, "CastMap takes maps with int64 keys");
    dtype_load_i64(HEED_INT64, tensor_data(keys), 0, n, numbers);
    TRY(columns_of(c, numbers, n, is_sparse(c->node) ? width : INT64_MAX, columns));
    TRY(call_output(c, 0, cast_target(c->node), 2, dims));
    TRY(tensor_new(values->dtype, 2, dims, &row));
    heed_status status = spread(c, values, columns, row);
    status = status ? status : cast_row(c, row);
    tensor_free(row);
    return status;
}

/* ---- DictVectorizer -------------------------------------------------------------------------- */

static int64_t vocabulary_size(const ir_node *n)
{
    const ir_attr *numbers = ir_node_attr(n, "int64_vocabulary");
    const ir_attr *words = ir_node_attr(n, "string_vocabulary");
    return (int64_t)(numbers ? numbers->view.n : words ? words->view.n : 0);
}

static heed_status infer_vectorizer(op_infer *c)
{
    ir_dim dims[] = {1, vocabulary_size(c->node)};
    TRY(infer_map_input(c));
    return infer_set(c, 0, c->in[0]->dtype, 2, dims);
}

static bool same_text(const heed_string *a, const heed_string *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* Which entry of the map has key `i` of the vocabulary; -1: none. */
static int64_t find_key(const ir_node *n, const heed_tensor *keys, int64_t i)
{
    const ir_attr *numbers = ir_node_attr(n, "int64_vocabulary");
    const ir_attr *words = ir_node_attr(n, "string_vocabulary");
    for (int64_t k = 0; k < tensor_count(keys); k++) {
        if (keys->dtype == HEED_INT64 && numbers &&
            tensor_get_int(keys, k) == numbers->view.ints[i])
            return k;
        if (keys->dtype == HEED_STRING && !numbers && words &&
            same_text((const heed_string *)tensor_data(keys) + k, &words->view.strings[i]))
            return k;
    }
    return -1;
}

static heed_status run_vectorizer(op_call *c)
{
    const heed_tensor *keys = NULL, *values = NULL;
    int64_t n = vocabulary_size(c->node), dims[] = {1, n};
    TRY(read_map(c, &keys, &values));
    TRY(call_output(c, 0, values->dtype, 2, dims));
    for (int64_t i = 0; i < n; i++) {
        int64_t k = find_key(c->node, keys, i);
        if (k >= 0)
            dtype_copy(values->dtype, tensor_data(c->out[0]), i, tensor_data(values), k, 1);
    }
    return items_own_text(c->out[0]);
}

/* ---- ZipMap ---------------------------------------------------------------------------------- */

static const ir_attr *labels_of(const ir_node *n)
{
    const ir_attr *words = ir_node_attr(n, "classlabels_strings");
    return words && words->view.n ? words : ir_node_attr(n, "classlabels_int64s");
}

static bool is_text(const ir_attr *labels) { return labels->view.type == HEED_ATTR_STRINGS; }

static heed_status infer_zip(op_infer *c)
{
    const ir_attr *labels = labels_of(c->node);
    ir_dim classes = infer_dim(c, 0, infer_rank(c, 0) - 1);
    if (!labels)
        return infer_error(c, "class labels", "none");
    if (infer_rank(c, 0) == 0 || infer_rank(c, 0) > 2)
        return infer_error(c, "scores of rank 1 or 2", "rank %d", infer_rank(c, 0));
    if (infer_rank(c, 0) > 0 && dim_known(classes) && classes != (ir_dim)labels->view.n)
        return infer_error(c, "a label for each class", "%llu labels, %lld classes",
                           (unsigned long long)labels->view.n, (long long)classes);
    TRY(items_infer(c, 0, HEED_KIND_SEQUENCE, HEED_FLOAT32, false));
    c->out[0].keys = is_text(labels) ? HEED_STRING : HEED_INT64;
    return HEED_OK;
}

static heed_status new_keys(const ir_attr *labels, heed_tensor **out)
{
    int64_t n = (int64_t)labels->view.n;
    TRY(tensor_new(is_text(labels) ? HEED_STRING : HEED_INT64, 1, &n, out));
    heed_status status = HEED_OK;
    if (!is_text(labels) && n)
        dtype_store_i64(HEED_INT64, tensor_data(*out), 0, n, labels->view.ints);
    for (int64_t i = 0; is_text(labels) && i < n && !status; i++)
        status =
            tensor_set_string(*out, i, labels->view.strings[i].data, labels->view.strings[i].size);
    return status;
}

static heed_status new_map(const ir_attr *labels, const heed_tensor *scores, int64_t row,
                           heed_tensor **out)
{
    heed_tensor *keys = NULL, *values = NULL;
    int64_t n = (int64_t)labels->view.n;
    heed_status status = new_keys(labels, &keys);
    if (!status)
        status = tensor_new(HEED_FLOAT32, 1, &n, &values);
    if (!status) {
        dtype_copy(HEED_FLOAT32, tensor_data(values), 0, tensor_data(scores), row * n, n);
        return heed_tensor_new_map(keys, values, out); /* takes both */
    }
    tensor_free(keys);
    return status;
}

static heed_status run_zip(op_call *c)
{
    const ir_attr *labels = labels_of(c->node);
    const heed_tensor *scores = c->in[0];
    control_list list = {0};
    heed_status status = HEED_OK;
    int32_t rank = tensor_rank(scores);
    if (rank < 1 || rank > 2)
        return call_error(c, HEED_INVALID, "scores of rank 1 or 2, not %d", rank);
    if (scores->dims[rank - 1] != (int64_t)labels->view.n)
        return call_error(c, HEED_INVALID, "%lld classes with %llu labels",
                          (long long)scores->dims[rank - 1], (unsigned long long)labels->view.n);
    int64_t rows = rank == 2 ? scores->dims[0] : 1;
    for (int64_t i = 0; i < rows && !status; i++) {
        heed_tensor *item;
        status = new_map(labels, scores, i, &item);
        status = status ? status : control_push(&list, item);
    }
    if (!status)
        return items_give(c, 0, HEED_SEQUENCE, HEED_FLOAT32, &list);
    control_free(&list);
    return status;
}

// clang-format off
static const op_def cast_map = {
    .domain = "ai.onnx.ml", .name = "CastMap", .since = 1, .flags = OP_DATA_SHAPE,
    .signature = "X:M -> Y:V", .types = "M=map V=float32|string|int64",
    .attrs = "cast_to:string=TO_FLOAT map_form:string=DENSE max_map:int=1",
    .infer = infer_cast_map, .run = run_cast_map};
static const op_def vectorizer = {
    .domain = "ai.onnx.ml", .name = "DictVectorizer", .since = 1, .flags = OP_DATA_SHAPE,
    .signature = "X:M -> Y:V", .types = "M=map V=float32|float64|string|int64",
    .attrs = "int64_vocabulary:ints string_vocabulary:strings",
    .infer = infer_vectorizer, .run = run_vectorizer};
static const op_def zip_map = {
    .domain = "ai.onnx.ml", .name = "ZipMap", .since = 1, .flags = OP_DATA_SHAPE,
    .signature = "X:float32 -> Z:M", .types = "M=sequence",
    .attrs = "classlabels_int64s:ints classlabels_strings:strings",
    .infer = infer_zip, .run = run_zip};

const op_def *const ops_ml_map[] = {&cast_map, &vectorizer, &zip_map, NULL};
// clang-format on
