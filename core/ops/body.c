/* body.c - see body.h. */
#include "ops/body.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 256 };

void body_fail(op_body *b, heed_status status, const char *format, ...)
{
    char message[TEXT_SIZE];
    va_list args;
    if (b->status)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    err_fail(status, "%s", message);
    b->status = ir_node_error(b->node);
}

const char *body_word(op_body *b, const char *name, const char *missing)
{
    const char *word = ir_attr_string(b->node, name, missing);
    size_t n = strcspn(word, " =,");
    if (n < 64 && !word[n])
        return word;
    body_fail(b, HEED_INVALID, "%s of %s is \"%.64s\"", name, b->node->op->name, word);
    return missing;
}

/* What failed has set the error. */
static void stick(op_body *b, heed_status status)
{
    if (!b->status)
        b->status = status;
}

/* ---- The node that is replaced -------------------------------------------------------------- */

ir_value *body_in(const op_body *b, uint32_t i) { return ir_input(b->node, i); }

bool body_wants(const op_body *b, uint32_t o)
{
    const ir_value *v = ir_output(b->node, o);
    return v && ir_value_used(v);
}

void body_set(op_body *b, uint32_t o, ir_value *value)
{
    if (!b->status && o < b->node->n_out)
        b->out[o] = value;
}

/* ---- Nodes ---------------------------------------------------------------------------------- */

/* "com.microsoft.FastGelu": the domain ends at the last dot. */
static const op_def *find_op(char *name)
{
    char *dot = strrchr(name, '.');
    if (!dot)
        return op_find("", name);
    *dot = '\0';
    return op_find(name, dot + 1);
}

static heed_status emit(op_body *b, char *text, uint32_t n_in, ir_value *const *in, uint32_t n_out,
                        ir_value **out)
{
    char *attrs = text + strcspn(text, " ");
    if (*attrs)
        *attrs++ = '\0';
    const op_def *op = find_op(text);
    if (!op)
        return err_fail(HEED_INTERNAL, "the body of %s needs %s", b->node->op->name, text);
    ir_node *n = ir_node_new(b->node->graph, b->last, op, b->node->name, n_in, in, n_out, NULL);
    if (!n)
        return HEED_NOMEM;
    b->last = n;
    n->path = b->node->path;
    n->offset = b->node->offset;
    TRY(op_set_attrs(n, attrs));
    TRY(op_check_node(n));
    TRY(b->infer(b, n));
    for (uint32_t i = 0; i < n_out; i++)
        out[i] = n->out[i];
    return HEED_OK;
}

static void emit_text(op_body *b, uint32_t n_in, ir_value *const *in, uint32_t n_out,
                      ir_value **out, const char *format, va_list args) HEED_PRINTF(6, 0);

static void emit_text(op_body *b, uint32_t n_in, ir_value *const *in, uint32_t n_out,
                      ir_value **out, const char *format, va_list args)
{
    char text[TEXT_SIZE];
    for (uint32_t i = 0; i < n_out; i++)
        out[i] = NULL;
    if (b->status)
        return;
    int n = vsnprintf(text, sizeof(text), format, args);
    if (n < 0 || (size_t)n >= sizeof(text))
        body_fail(b, HEED_INTERNAL, "the text of a node is too long: %s", text);
    else
        stick(b, emit(b, text, n_in, in, n_out, out));
}

void body_nodes(op_body *b, uint32_t n_in, ir_value *const *in, uint32_t n_out, ir_value **out,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit_text(b, n_in, in, n_out, out, format, args);
    va_end(args);
}

ir_value *body_again(op_body *b, const ir_node *n, ir_value *const *in)
{
    if (b->status)
        return NULL;
    ir_node *made =
        ir_node_new(b->node->graph, b->last, n->op, n->name, n->n_in, in, n->n_out, NULL);
    stick(b, made ? HEED_OK : HEED_NOMEM);
    for (uint32_t i = 0; made && i < n->n_attrs && !b->status; i++)
        stick(b, ir_node_set_attr(made, &n->attrs[i].view, NULL));
    if (b->status)
        return NULL;
    b->last = made;
    stick(b, b->infer(b, made));
    return b->status ? NULL : made->out[0];
}

ir_value *body_n(op_body *b, uint32_t n_in, ir_value *const *in, const char *format, ...)
{
    ir_value *out;
    va_list args;
    va_start(args, format);
    emit_text(b, n_in, in, 1, &out, format, args);
    va_end(args);
    return out;
}

ir_value *body_1(op_body *b, ir_value *x, const char *format, ...)
{
    ir_value *out;
    va_list args;
    va_start(args, format);
    emit_text(b, 1, &x, 1, &out, format, args);
    va_end(args);
    return out;
}

ir_value *body_2(op_body *b, ir_value *x, ir_value *y, const char *format, ...)
{
    ir_value *out, *in[] = {x, y};
    va_list args;
    va_start(args, format);
    emit_text(b, 2, in, 1, &out, format, args);
    va_end(args);
    return out;
}

ir_value *body_3(op_body *b, ir_value *x, ir_value *y, ir_value *z, const char *format, ...)
{
    ir_value *out, *in[] = {x, y, z};
    va_list args;
    va_start(args, format);
    emit_text(b, 3, in, 1, &out, format, args);
    va_end(args);
    return out;
}

void body_inline(op_body *b, ir_graph *graph, uint32_t n_in, ir_value *const *in, uint32_t n_out,
                 ir_value **out)
{
    for (uint32_t o = 0; o < n_out; o++)
        out[o] = NULL;
    if (!b->status && (!graph || graph->n_inputs != n_in || graph->n_outputs < n_out))
        body_fail(b, HEED_INVALID, "a graph attribute takes %u values and gives %u",
                  graph ? graph->n_inputs : 0, graph ? graph->n_outputs : 0);
    if (b->status)
        return;
    ir_node *before = b->last, *end = before->next;
    for (uint32_t i = 0; i < n_in; i++)
        ir_value_replace(graph->inputs[i], in[i]);
    ir_graph_splice(graph, before);
    for (ir_node *n = before->next; n != end && !b->status; n = n->next) {
        b->last = n;
        stick(b, b->infer(b, n));
    }
    for (uint32_t o = 0; o < n_out && !b->status; o++)
        out[o] = graph->outputs[o];
}

/* ---- Constants ------------------------------------------------------------------------------ */

static ir_value *constant(op_body *b, heed_dtype dtype, int32_t rank, int64_t n, const void *values)
{
    heed_tensor *t;
    if (b->status)
        return NULL;
    stick(b, tensor_new(dtype, rank, &n, &t));
    if (b->status)
        return NULL;
    if (tensor_bytes(t))
        memcpy(tensor_data(t), values, tensor_bytes(t));
    ir_value *v = ir_constant_new(b->node->graph, NULL, t);
    if (!v)
        stick(b, HEED_NOMEM);
    return v;
}

ir_value *body_int(op_body *b, int64_t value) { return constant(b, HEED_INT64, 0, 1, &value); }

ir_value *body_ints(op_body *b, int64_t n, const int64_t *values)
{
    return constant(b, HEED_INT64, 1, n, values);
}

ir_value *body_number(op_body *b, heed_dtype dtype, double value)
{
    uint64_t room[2] = {0, 0};
    if (!b->status && dtype_get_class(dtype) == CLASS_NONE)
        body_fail(b, HEED_INVALID, "a number of type %s", dtype_name(dtype));
    if (b->status)
        return NULL;
    dtype_store_f64(dtype, room, 0, 1, &value, true);
    return constant(b, dtype, 0, 1, room);
}

ir_value *body_like(op_body *b, double value, const ir_value *like)
{
    return body_number(b, like ? like->type.dtype : HEED_UNDEFINED, value);
}

/* ---- What bodies often need ------------------------------------------------------------------ */

int32_t body_rank(op_body *b, const ir_value *x)
{
    if (!b->status && (!x || x->type.rank < 0))
        body_fail(b, HEED_INVALID, "%s needs to know the rank of its inputs", b->node->op->name);
    return b->status ? 0 : x->type.rank;
}

int64_t body_extent(const op_body *b, const ir_value *x, int32_t axis)
{
    if (b->status || !x || x->type.rank < 0)
        return -1;
    int32_t i = axis < 0 ? axis + x->type.rank : axis;
    if (i < 0 || i >= x->type.rank || !dim_known(x->type.dims[i]))
        return -1;
    return x->type.dims[i];
}

ir_value *body_dim(op_body *b, ir_value *x, int32_t axis)
{
    int64_t extent = body_extent(b, x, axis);
    if (extent >= 0)
        return body_ints(b, 1, &extent);
    if (axis == -1)
        return body_1(b, x, "Shape start=-1");
    return body_1(b, x, "Shape start=%d end=%d", axis, axis + 1);
}

ir_value *body_size(op_body *b, ir_value *x, int32_t axis)
{
    return body_reshape(b, body_dim(b, x, axis), "%s", "");
}

static int64_t parse_ints(const char *text, int64_t values[TENSOR_MAX_RANK])
{
    int64_t n = 0;
    for (const char *at = text; *at && n < TENSOR_MAX_RANK; at += *at == ',') {
        char *end;
        values[n++] = strtoll(at, &end, 10);
        at = end;
    }
    return n;
}

static ir_value *ints_of(op_body *b, const char *text)
{
    int64_t values[TENSOR_MAX_RANK];
    int64_t n = parse_ints(text, values);
    return body_ints(b, n, values);
}

ir_value *body_reshape(op_body *b, ir_value *x, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return body_2(b, x, ints_of(b, text), "Reshape");
}

ir_value *body_reshape_to(op_body *b, ir_value *x, uint32_t n, ir_value *const *dims)
{
    return body_2(b, x, body_n(b, n, dims, "Concat axis=0"), "Reshape allowzero=1");
}

ir_value *body_transpose(op_body *b, ir_value *x, const char *perm)
{
    return body_1(b, x, "Transpose perm=%s", perm);
}

ir_value *body_unsqueeze(op_body *b, ir_value *x, const char *axes)
{
    return body_2(b, x, ints_of(b, axes), "Unsqueeze");
}

ir_value *body_cast(op_body *b, ir_value *x, heed_dtype dtype)
{
    return b->status || x->type.dtype == dtype ? x : body_1(b, x, "Cast to=%u", dtype);
}

ir_value *body_slice(op_body *b, ir_value *x, int32_t axis, ir_value *start, ir_value *end)
{
    ir_value *in[] = {x, start, end, body_ints(b, 1, (int64_t[]){axis})};
    in[1] = start ? start : body_ints(b, 1, (int64_t[]){0});
    in[2] = end ? end : body_ints(b, 1, (int64_t[]){INT64_MAX});
    return body_n(b, 4, in, "Slice");
}

ir_value *body_part(op_body *b, ir_value *x, int32_t axis, int64_t start, int64_t end)
{
    return body_slice(b, x, axis, body_ints(b, 1, &start), body_ints(b, 1, &end));
}

ir_value *body_concat(op_body *b, ir_value *x, ir_value *y, int32_t axis)
{
    return body_2(b, x, y, "Concat axis=%d", axis);
}

ir_value *body_range(op_body *b, ir_value *n)
{
    return body_3(b, body_int(b, 0), n, body_int(b, 1), "Range");
}
