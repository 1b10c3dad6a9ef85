/* label.c - elements looked up in a list of keys: LabelEncoder, CategoryMapper. */
#include <math.h>
#include <string.h>

#include "base/map.h"
#include "ops/strings.h"

#define ML "ai.onnx.ml"

/* Keys or values: a list that an attribute holds. */
typedef struct list {
    heed_dtype dtype; /* 0: no such attribute */
    int64_t n;
    const void *data;
} list;

static list list_of_tensor(const DLTensor *t)
{
    int64_t n;
    if (!t || !shape_count(t->ndim, t->shape, &n))
        return (list){0};
    return (list){dtype_from_dl(t->dtype), n, (const char *)t->data + t->byte_offset};
}

static list list_of_attr(const ir_attr *a)
{
    const heed_attribute *view = &a->view;
    switch (view->type) {
    case HEED_ATTR_INT:
        return (list){HEED_INT64, 1, &view->i};
    case HEED_ATTR_STRING:
        return (list){HEED_STRING, 1, &view->s};
    case HEED_ATTR_INTS:
        return (list){HEED_INT64, (int64_t)view->n, view->ints};
    case HEED_ATTR_FLOATS:
        return (list){HEED_FLOAT32, (int64_t)view->n, view->floats};
    case HEED_ATTR_STRINGS:
        return (list){HEED_STRING, (int64_t)view->n, view->strings};
    case HEED_ATTR_TENSOR:
        return list_of_tensor(view->tensor);
    default:
        return (list){0};
    }
}

/* The first of the attributes, whose names end with NULL, that is there and not empty. */
static list find_list(const ir_node *n, const char *const *names)
{
    for (; *names; names++) {
        const ir_attr *a = ir_node_attr(n, *names);
        list found = a ? list_of_attr(a) : (list){0};
        if (found.dtype && found.n > 0)
            return found;
    }
    return (list){0};
}

typedef struct lookup {
    list keys, values; /* values.dtype 0: a key's value is its place */
    list otherwise;    /* one element of the values' type */
    uint64_t room;     /* of `otherwise` */
    map index;
} lookup;

/* ---- Which lists a node has ------------------------------------------------------------------ */

static const char *const key_names[] = {"keys_tensor", "keys_strings", "keys_int64s", "keys_floats",
                                        NULL};
static const char *const value_names[] = {"values_tensor", "values_strings", "values_int64s",
                                          "values_floats", NULL};
static const char *const default_tensor[] = {"default_tensor", NULL};

/* Without a default, what is not found becomes "_Unused", -0 or -1. */
static list default_of(const ir_node *n, heed_dtype dtype, uint64_t *room)
{
    static const heed_string unused = {"_Unused", 7};
    static const char *const text[] = {"default_string", NULL};
    list given = find_list(n, default_tensor);
    if (given.dtype)
        return given;
    if (dtype == HEED_STRING) {
        given = find_list(n, text);
        return given.dtype ? given : (list){HEED_STRING, 1, &unused};
    }
    int64_t whole = ir_attr_int(n, "default_int64", -1);
    double real = ir_attr_float(n, "default_float", -0.0);
    if (dtype_is_float(dtype))
        dtype_store_f64(dtype, room, 0, 1, &real, false);
    else
        dtype_store_i64(dtype, room, 0, 1, &whole);
    return (list){dtype, 1, room};
}

/* The first version of the operator had one list of strings, and their places as the other. */
static void read_encoder(const ir_node *n, heed_dtype in, lookup *l)
{
    static const char *const classes[] = {"classes_strings", NULL};
    list words = find_list(n, classes);
    l->keys = find_list(n, key_names);
    l->values = find_list(n, value_names);
    if (!l->keys.dtype && words.dtype && in == HEED_STRING)
        l->keys = words;
    else if (!l->keys.dtype && words.dtype)
        l->values = words;
}

static void read_mapper(const ir_node *n, heed_dtype in, lookup *l)
{
    static const char *const numbers[] = {"cats_int64s", NULL}, *const words[] = {"cats_strings",
                                                                                  NULL};
    l->keys = find_list(n, in == HEED_STRING ? words : numbers);
    l->values = find_list(n, in == HEED_STRING ? numbers : words);
}

typedef void read_fn(const ir_node *n, heed_dtype in, lookup *l);
typedef struct reader {
    read_fn *read;
} reader;

static heed_dtype out_dtype(const lookup *l)
{
    return l->values.dtype ? l->values.dtype : HEED_INT64;
}

static void read_lists(const ir_node *n, heed_dtype in, lookup *l)
{
    const reader *r = n->op->data;
    r->read(n, in, l);
    l->otherwise = default_of(n, out_dtype(l), &l->room);
}

static heed_status infer_lookup(op_infer *c)
{
    lookup l = {.keys = {0}};
    heed_dtype in = c->in[0]->dtype;
    read_lists(c->node, in, &l);
    if (!l.keys.dtype && !l.values.dtype)
        return infer_error(c, "a list of keys and a list of values", "none");
    if (l.keys.dtype && l.keys.dtype != in && in)
        return infer_error(c, "an input of the type of the keys", "%s and %s", dtype_name(in),
                           dtype_name(l.keys.dtype));
    if (!l.keys.dtype && in != HEED_INT64)
        return infer_error(c, "an input of the type int64", "%s", dtype_name(in));
    if (l.keys.dtype && l.values.dtype && l.keys.n != l.values.n)
        return infer_error(c, "as many values as keys", "%lld and %lld", (long long)l.values.n,
                           (long long)l.keys.n);
    if (l.otherwise.dtype != out_dtype(&l))
        return infer_error(c, "a default of the type of the values", "%s and %s",
                           dtype_name(l.otherwise.dtype), dtype_name(out_dtype(&l)));
    c->out[0].dtype = out_dtype(&l);
    if (c->out[0].dtype == HEED_STRING)
        strings_infer_made(c);
    return infer_set_like(c, 0, 0);
}

/* ---- Looking up ----------------------------------------------------------------------------- */

/* The bytes by which an element is found: NaN is like NaN, and -0 like 0. `room` is for numbers. */
static heed_string key_of(heed_dtype dtype, const void *data, int64_t i, double *room)
{
    if (dtype == HEED_STRING) {
        heed_string s = ((const heed_string *)data)[i];
        return s.size ? s : (heed_string){"", 0};
    }
    if (dtype_is_float(dtype)) {
        dtype_load_f64(dtype, data, i, 1, room);
        *room = isnan(*room) ? (double)NAN : *room + 0.0;
    } else {
        int64_t value;
        dtype_load_i64(dtype, data, i, 1, &value);
        memcpy(room, &value, sizeof value);
    }
    return (heed_string){(const char *)room, sizeof *room};
}

/* Each key to its place + 1; of equal keys the last one counts. */
static heed_status fill_index(op_call *c, lookup *l)
{
    double *rooms = call_scratch(c, (size_t)l->keys.n * sizeof *rooms + 1);
    if (!rooms)
        return HEED_NOMEM;
    for (int64_t i = 0; i < l->keys.n; i++) {
        heed_string key = key_of(l->keys.dtype, l->keys.data, i, &rooms[i]);
        TRY(map_put(&l->index, key.data, key.size, (void *)(uintptr_t)(i + 1)));
    }
    return HEED_OK;
}

static int64_t find(const lookup *l, const heed_tensor *in, int64_t i)
{
    double room;
    if (!l->keys.dtype) {
        int64_t place = tensor_get_int(in, i);
        return place >= 0 && place < l->values.n ? place : -1;
    }
    heed_string key = key_of(in->dtype, tensor_data(in), i, &room);
    return (int64_t)(uintptr_t)map_get(&l->index, key.data, key.size) - 1;
}

static heed_status give(heed_tensor *out, int64_t i, const lookup *l, int64_t place)
{
    const list *from = place < 0 ? &l->otherwise : &l->values;
    int64_t at = place < 0 ? 0 : place;
    if (out->dtype == HEED_STRING) {
        heed_string s = ((const heed_string *)from->data)[at];
        return tensor_set_string(out, i, s.size ? s.data : "", s.size);
    }
    if (from->dtype)
        dtype_copy(out->dtype, tensor_data(out), i, from->data, at, 1);
    else
        dtype_store_i64(out->dtype, tensor_data(out), i, 1, &at);
    return HEED_OK;
}

static heed_status look_up_all(op_call *c, lookup *l)
{
    heed_tensor *out = call_out(c, 0);
    TRY(fill_index(c, l));
    for (int64_t i = 0, n = out ? tensor_count(out) : 0; i < n; i++)
        TRY(give(out, i, l, find(l, c->in[0], i)));
    return HEED_OK;
}

static heed_status run_lookup(op_call *c)
{
    lookup l = {.keys = {0}};
    read_lists(c->node, c->in[0]->dtype, &l);
    heed_status status = look_up_all(c, &l);
    map_free(&l.index);
    return status;
}

// clang-format off
static const reader encoder_lists = {read_encoder}, mapper_lists = {read_mapper};

static const op_def encoder = {
    .domain = ML, .name = "LabelEncoder", .since = 4, .data = &encoder_lists,
    .signature = "X:A -> Y:B",
    .types = "A=string|int64|float32|int32|int16|float64 B=string|int64|float32|int32|int16|float64",
    .attrs = "classes_strings:strings default_float:float default_int64:int default_string:string "
             "default_tensor:tensor keys_floats:floats keys_int64s:ints keys_strings:strings "
             "keys_tensor:tensor values_floats:floats values_int64s:ints values_strings:strings "
             "values_tensor:tensor",
    .infer = infer_lookup, .run = run_lookup};
static const op_def mapper = {
    .domain = ML, .name = "CategoryMapper", .since = 1, .data = &mapper_lists,
    .signature = "X:A -> Y:B", .types = "A=string|int64 B=string|int64",
    .attrs = "cats_int64s:ints cats_strings:strings default_int64:int default_string:string",
    .infer = infer_lookup, .run = run_lookup};

const op_def *const ops_label[] = {&encoder, &mapper, NULL};
// clang-format on
