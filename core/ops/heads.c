/* heads.c - see heads.h. */
#include "ops/heads.h"

#include <math.h>
#include <string.h>

heed_status heads_dims(const op_infer *c, uint32_t i, int64_t heads, ir_dim out[4])
{
    int32_t rank = infer_rank(c, i);
    if (rank != 3 && rank != 4)
        return infer_error(c, "rank 3 or 4", "rank %d of input %u", rank, i);
    const ir_dim *dims = c->in[i]->dims;
    if (rank == 4) {
        memcpy(out, dims, 4 * sizeof(*out));
        return HEED_OK;
    }
    if (heads < 1 || heads > HEADS_MAX)
        return infer_error(c, "a number of heads for an input of rank 3", "%lld for input %u",
                           (long long)heads, i);
    if (dim_known(dims[2]) && dims[2] % heads != 0)
        return infer_error(c, "heads of one size", "%lld channels of input %u for %lld heads",
                           (long long)dims[2], i, (long long)heads);
    out[0] = dims[0];
    out[1] = heads;
    out[2] = dims[1];
    out[3] = dims_floor_div(c->dims, dims[2], heads);
    return HEED_OK;
}

ir_value *heads_split(op_body *b, ir_value *x, int64_t heads)
{
    ir_value *count = body_ints(b, 1, &heads);
    ir_value *dims[] = {body_dim(b, x, 0), body_dim(b, x, 1), count,
                        body_2(b, body_dim(b, x, 2), count, "Div")};
    return body_transpose(b, body_reshape_to(b, x, 4, dims), "0,2,1,3");
}

ir_value *heads_merge(op_body *b, ir_value *x)
{
    ir_value *dims[] = {body_dim(b, x, 0), body_dim(b, x, 2),
                        body_2(b, body_dim(b, x, 1), body_dim(b, x, 3), "Mul")};
    return body_reshape_to(b, body_transpose(b, x, "0,2,1,3"), 3, dims);
}

/* ---- Inference of q, k, v ---------------------------------------------------------------------
 */

enum { Q, K, V };

/* Extent `axis` of [b, h, s, d] of two inputs. */
static heed_status equal_dims(const op_infer *c, const char *what, ir_dim a, ir_dim b)
{
    if (dim_known(a) && dim_known(b) && a != b)
        return infer_error(c, "equal extents", "%lld and %lld %s", (long long)a, (long long)b,
                           what);
    return HEED_OK;
}

static heed_status check_groups(const op_infer *c, ir_dim heads, ir_dim kv_heads)
{
    bool known = dim_known(heads) && dim_known(kv_heads);
    if (known && heads != kv_heads && (kv_heads == 0 || heads == 0 || heads % kv_heads != 0))
        return infer_error(c, "query heads in groups, one a key head",
                           "%lld query heads, %lld key heads", (long long)heads,
                           (long long)kv_heads);
    return HEED_OK;
}

enum { AXIS_B, AXIS_H, AXIS_S, AXIS_D };

static heed_status check_dims(const op_infer *c, bool alike, ir_dim dims[3][4])
{
    TRY(equal_dims(c, "sequences in query and key", dims[Q][AXIS_B], dims[K][AXIS_B]));
    TRY(equal_dims(c, "sequences in key and value", dims[K][AXIS_B], dims[V][AXIS_B]));
    if (alike)
        TRY(equal_dims(c, "heads in key and value", dims[K][AXIS_H], dims[V][AXIS_H]));
    TRY(check_groups(c, dims[Q][AXIS_H], dims[V][AXIS_H]));
    TRY(equal_dims(c, "keys and values", dims[K][AXIS_S], dims[V][AXIS_S]));
    TRY(equal_dims(c, "channels in query and key", dims[Q][AXIS_D], dims[K][AXIS_D]));
    return check_groups(c, dims[Q][AXIS_H], dims[K][AXIS_H]);
}

heed_status heads_infer_in(op_infer *c, const heads_layout in[3], const heads_layout *out,
                           bool alike, ir_dim scores[4])
{
    ir_dim dims[3][4], result[4];
    for (uint32_t i = Q; i <= V; i++) {
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != 4)
            return infer_error(c, "query, key and value of rank 4", "rank %d", infer_rank(c, i));
        for (int32_t k = 0; k < 4; k++)
            dims[i][k] = infer_dim(c, i, in[i].place[k]);
    }
    TRY(check_dims(c, alike, dims));
    memcpy(scores, dims[Q], sizeof(dims[Q]));
    scores[3] = dims[K][AXIS_S];
    dims[Q][AXIS_D] = dims[V][AXIS_D];
    for (int32_t k = 0; k < 4; k++)
        result[out->place[k]] = dims[Q][k];
    return infer_set(c, 0, 0, 4, result);
}

static const heads_layout plain = {{0, 1, 2, 3}};

heed_status heads_infer(op_infer *c, ir_dim scores[4])
{
    const heads_layout in[] = {plain, plain, plain};
    return heads_infer_in(c, in, &plain, true, scores);
}

/* ---- Layouts --------------------------------------------------------------------------------- */

bool heads_layout_read(const ir_node *n, const char *attr, heads_layout *out)
{
    static const char letters[] = "bhsd";
    const char *text = ir_attr_string(n, attr, letters);
    bool good = strlen(text) == 4;
    for (int32_t k = 0; k < 4 && good; k++) {
        const char *at = strchr(text, letters[k]);
        good = at != NULL;
        out->place[k] = good ? (int32_t)(at - text) : 0;
    }
    return good;
}

static bool is_plain(const heads_layout *layout)
{
    return memcmp(layout, &plain, sizeof(plain)) == 0;
}

ir_value *heads_from(op_body *b, ir_value *x, const heads_layout *l)
{
    if (is_plain(l))
        return x;
    return body_1(b, x, "Transpose perm=%d,%d,%d,%d", l->place[0], l->place[1], l->place[2],
                  l->place[3]);
}

ir_value *heads_to(op_body *b, ir_value *x, const heads_layout *l)
{
    int32_t perm[4];
    if (is_plain(l))
        return x;
    for (int32_t k = 0; k < 4; k++)
        perm[l->place[k]] = k;
    return body_1(b, x, "Transpose perm=%d,%d,%d,%d", perm[0], perm[1], perm[2], perm[3]);
}

ir_value *heads_repeat(op_body *b, ir_value *x, const heads_layout *l, int64_t times)
{
    ir_value *apart[5], *dims[4], *n = body_ints(b, 1, &times),
                                  *one = body_ints(b, 1, (int64_t[]){1});
    int32_t at = l->place[1];
    if (b->status || times == 1)
        return b->status ? NULL : x;
    for (int32_t i = 0; i < 5; i++)
        apart[i] = i == at + 1 ? n : one;
    for (int32_t i = 0; i < 4; i++)
        dims[i] = i == at ? body_2(b, body_dim(b, x, i), n, "Mul") : body_dim(b, x, i);
    char axis[4] = {(char)('0' + at + 1)};
    x = body_unsqueeze(b, x, axis);
    x = body_2(b, x, body_n(b, 5, apart, "Concat axis=0"), "Expand");
    return body_reshape_to(b, x, 4, dims);
}

/* ---- Products -------------------------------------------------------------------------------- */

static bool one_group(const op_body *b, const ir_value *q, const ir_value *k)
{
    return b->status || q->type.dims[1] == k->type.dims[1];
}

/* The heads of a group are rows of one product: x [B, Hq, Sq, n] is [B, Hkv, Hq / Hkv * Sq, n],
 * the same elements in the same order. */
static ir_value *group(op_body *b, ir_value *x, ir_value *q, ir_value *k)
{
    ir_value *rows = body_2(b, body_dim(b, q, 1), body_dim(b, q, 2), "Mul");
    ir_value *heads = body_2(b, body_dim(b, k, 1), body_ints(b, 1, (int64_t[]){1}), "Max");
    ir_value *dims[] = {body_dim(b, q, 0), body_dim(b, k, 1), body_2(b, rows, heads, "Div"),
                        body_dim(b, x, 3)};
    return body_reshape_to(b, x, 4, dims);
}

static ir_value *product(op_body *b, ir_value *x, ir_value *q, ir_value *k, ir_value *y)
{
    if (one_group(b, q, k))
        return body_2(b, x, y, "MatMul");
    x = body_2(b, group(b, x, q, k), y, "MatMul");
    ir_value *dims[] = {body_dim(b, q, 0), body_dim(b, q, 1), body_dim(b, q, 2), body_dim(b, x, 3)};
    return body_reshape_to(b, x, 4, dims);
}

static ir_value *scaled(op_body *b, ir_value *q, double scale)
{
    int64_t size = body_extent(b, q, 3);
    if (scale == 0 && size > 0)
        scale = 1 / sqrt((double)size);
    if (scale != 0)
        return body_2(b, q, body_like(b, scale, q), "Mul");
    ir_value *root = body_1(b, body_cast(b, body_dim(b, q, 3), HEED_FLOAT32), "Sqrt");
    return b->status ? NULL : body_2(b, q, body_cast(b, root, q->type.dtype), "Div");
}

ir_value *heads_scores(op_body *b, ir_value *q, ir_value *k, double scale)
{
    return product(b, scaled(b, q, scale), q, k, body_transpose(b, k, "0,1,3,2"));
}

ir_value *heads_weigh(op_body *b, ir_value *weights, ir_value *q, ir_value *v)
{
    return product(b, weights, q, v, v);
}
