/* See one_op.h. */
#include "one_op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/concrete.h"
#include "ops/evaluate.h"

enum { MAX_VALUES = 8 };

heed_tensor *one_op_tensor(heed_dtype dtype, int32_t rank, const int64_t *dims,
                           const double *values)
{
    heed_tensor *t = NULL;
    if (tensor_new(dtype, rank, dims, &t) != HEED_OK)
        return NULL;
    if (values && tensor_count(t) > 0)
        dtype_store_f64(dtype, tensor_data(t), 0, tensor_count(t), values, false);
    return t;
}

heed_tensor *one_op_vector(heed_dtype dtype, int64_t n, const double *values)
{
    return one_op_tensor(dtype, 1, &n, values);
}

heed_tensor *one_op_scalar(heed_dtype dtype, double value)
{
    return one_op_tensor(dtype, 0, NULL, &value);
}

static heed_status set_attr(ir_node *n, const char *name, const char *value)
{
    char text[64] = "";
    int64_t ints[MAX_VALUES];
    heed_attribute a = {.size = sizeof(a), .type = HEED_ATTR_INT, .name = name};
    if (value[0] == '\'') {
        memcpy(text, value + 1, strlen(value) - 2);
        a.type = HEED_ATTR_STRING;
        a.s = (heed_string){text, strlen(text)};
    } else if (value[0] == '[') {
        a.type = HEED_ATTR_INTS;
        a.ints = ints;
        for (const char *at = value + 1; *at && *at != ']' && a.n < MAX_VALUES; a.n++) {
            char *end;
            ints[a.n] = strtoll(at, &end, 10);
            at = *end == ',' ? end + 1 : end;
        }
    } else if (strpbrk(value, ".e")) {
        a.type = HEED_ATTR_FLOAT;
        a.f = strtod(value, NULL);
    } else {
        a.i = strtoll(value, NULL, 10);
    }
    return ir_node_set_attr(n, &a, NULL);
}

static heed_status set_attrs(ir_node *n, const char *attrs)
{
    char text[256] = "", *rest = NULL;
    strncpy(text, attrs ? attrs : "", sizeof(text) - 1);
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        if (!equals)
            return err_fail(HEED_USAGE, "an attribute without a value");
        *equals = 0;
        TRY(set_attr(n, word, equals + 1));
    }
    return HEED_OK;
}

/* "com.microsoft.FastGelu": the domain ends at the last dot. */
static const op_def *find_op(const char *name)
{
    char domain[64];
    const char *dot = strrchr(name, '.');
    snprintf(domain, sizeof(domain), "%.*s", dot ? (int)(dot - name) : 0, name);
    return op_find(domain, dot ? dot + 1 : name);
}

/* A node whose inputs are the graph's inputs. */
static heed_status make_node(ir_model *m, const char *name, const char *attrs, uint32_t n_in,
                             const bool *present, uint32_t n_out, ir_node **out)
{
    ir_value *in[MAX_VALUES] = {NULL};
    const op_def *op = find_op(name);
    ir_graph *g = ir_graph_new(m, NULL, "test");
    if (!op || !g)
        return err_fail(HEED_NOTFOUND, "no operator %s", name);
    for (uint32_t i = 0; i < n_in; i++)
        if (present[i])
            in[i] = ir_value_new(g, "in");
    *out = ir_node_new(g, NULL, op, "node", n_in, in, n_out, NULL);
    if (!*out)
        return HEED_NOMEM;
    TRY(set_attrs(*out, attrs));
    return op_check_node(*out);
}

static heed_status evaluate(ir_node *n, const heed_tensor *const *in, arena *memory,
                            heed_tensor **out)
{
    ir_type types[MAX_VALUES], out_types[MAX_VALUES];
    const ir_type *pointers[MAX_VALUES] = {NULL};
    ir_dim *content[MAX_VALUES] = {NULL};
    int64_t n_content[MAX_VALUES] = {0};
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (!in[i])
            continue;
        types[i] = op_type_of(in[i]);
        pointers[i] = &types[i];
    }
    op_concrete c = {pointers, in, out_types, content, n_content, false};
    TRY(op_infer_concrete(n, memory, &c));
    return op_evaluate(n, in, out_types, memory, out);
}

heed_status one_op_run(const char *op, const char *attrs, uint32_t n_in, heed_tensor *const *in,
                       uint32_t n_out, heed_tensor **out)
{
    bool present[MAX_VALUES] = {false};
    const heed_tensor *inputs[MAX_VALUES] = {NULL};
    arena memory = {0};
    ir_node *n = NULL;
    ir_model *m = ir_model_new();
    for (uint32_t i = 0; i < n_in; i++) {
        present[i] = in[i] != NULL;
        inputs[i] = in[i];
    }
    for (uint32_t i = 0; i < n_out; i++)
        out[i] = NULL;
    heed_status status = m ? make_node(m, op, attrs, n_in, present, n_out, &n) : HEED_NOMEM;
    if (status == HEED_OK)
        status = evaluate(n, inputs, &memory, out);
    arena_free(&memory);
    ir_model_free(m);
    return status;
}

/* ---- Content --------------------------------------------------------------------------------- */

static int64_t content_of(ir_node *n, ir_dims *dims, const ir_dim *const *content,
                          const int64_t *n_content, arena *memory, ir_dim *out)
{
    ir_type types[MAX_VALUES], out_types[1] = {{.rank = -1}};
    const ir_type *pointers[MAX_VALUES];
    const heed_tensor *tensors[MAX_VALUES] = {NULL};
    ir_dim extents[MAX_VALUES];
    ir_dim *out_content[1] = {NULL};
    int64_t out_n[1] = {-1};
    for (uint32_t i = 0; i < n->n_in; i++) {
        extents[i] = n_content[i];
        types[i] = (ir_type){HEED_KIND_TENSOR, HEED_INT64, 1, 0, &extents[i]};
        pointers[i] = &types[i];
    }
    op_infer c = {.node = n, .op = n->op, .dims = dims, .n_in = n->n_in, .n_out = 1};
    c.in = pointers;
    c.in_tensors = tensors;
    c.in_content = content;
    c.in_n_content = n_content;
    c.out = out_types;
    c.out_content = out_content;
    c.out_n_content = out_n;
    c.memory = memory;
    if (op_bind_types(n, pointers, out_types) || n->op->infer(&c) || !n->op->content)
        return -1;
    n->op->content(&c);
    for (int64_t i = 0; i < out_n[0]; i++)
        out[i] = out_content[0][i];
    return out_n[0];
}

int64_t one_op_content(ir_dims *dims, const char *op, const char *attrs, uint32_t n_in,
                       const ir_dim *const *content, const int64_t *n_content, ir_dim *out)
{
    const bool present[MAX_VALUES] = {true, true, true, true, true, true, true, true};
    arena memory = {0};
    ir_node *n = NULL;
    int64_t count = -1;
    ir_model *m = ir_model_new();
    if (m && make_node(m, op, attrs, n_in, present, 1, &n) == HEED_OK)
        count = content_of(n, dims, content, n_content, &memory, out);
    arena_free(&memory);
    ir_model_free(m);
    return count;
}

/* ---- Numbers -------------------------------------------------------------------------------- */

uint64_t one_op_random(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 24;
}

int64_t one_op_between(int64_t low, int64_t high)
{
    return low + (int64_t)(one_op_random() % (uint64_t)(high - low + 1));
}
