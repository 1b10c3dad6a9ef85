/* depth_space.c - blocks of pixels to and from channels: DepthToSpace, SpaceToDepth.
 *
 * Both are a transpose of the same six axes [n, channel, row, block row, column, block column];
 * they differ in which side is the input and in where the block axes stand among the channels. */
#include <string.h>

#include "ops/layout.h"
#include "ops/op.h"

static heed_status check_input(op_infer *c, int64_t *block)
{
    const char *mode = ir_attr_string(c->node, "mode", "DCR");
    *block = ir_attr_int(c->node, "blocksize", 0);
    if (*block < 1 || *block > INT32_MAX)
        return infer_error(c, "a blocksize of at least 1", "%lld", (long long)*block);
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        return infer_error(c, "mode DCR or CRD", "%s", mode);
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 4)
        return infer_error(c, "rank 4", "rank %d", infer_rank(c, 0));
    return HEED_OK;
}

static heed_status divide(op_infer *c, ir_dim *dim, int64_t by)
{
    if (dim_known(*dim) && *dim % by != 0)
        return infer_error(c, "an extent that the block divides", "%lld by %lld", (long long)*dim,
                           (long long)by);
    *dim = dims_floor_div(c->dims, *dim, by);
    return HEED_OK;
}

static heed_status infer_to_space(op_infer *c)
{
    int64_t block;
    ir_dim dims[4];
    TRY(check_input(c, &block));
    if (infer_rank(c, 0) < 0)
        return infer_set_unknown(c, 0, 0, 4);
    memcpy(dims, c->in[0]->dims, sizeof(dims));
    TRY(divide(c, &dims[1], block * block));
    dims[2] = dims_mul(c->dims, dims[2], block);
    dims[3] = dims_mul(c->dims, dims[3], block);
    return infer_set(c, 0, 0, 4, dims);
}

static heed_status infer_to_depth(op_infer *c)
{
    int64_t block;
    ir_dim dims[4];
    TRY(check_input(c, &block));
    if (infer_rank(c, 0) < 0)
        return infer_set_unknown(c, 0, 0, 4);
    memcpy(dims, c->in[0]->dims, sizeof(dims));
    dims[1] = dims_mul(c->dims, dims[1], block * block);
    TRY(divide(c, &dims[2], block));
    TRY(divide(c, &dims[3], block));
    return infer_set(c, 0, 0, 4, dims);
}

/* Strides of [n, channel, row, block row, column, block column] in the tensor that has the
 * depth ([n, deep channels, rows, columns]) and in the one that has the space. */
static void block_strides(const heed_tensor *depth, const heed_tensor *space, int64_t block,
                          bool block_first, layout_box *box, int64_t *deep, int64_t *wide)
{
    int64_t channels = space->dims[1], rows = depth->dims[2], columns = depth->dims[3];
    int64_t plane = rows * columns, per_channel = block_first ? 1 : block * block;
    int64_t per_block = block_first ? channels : 1;
    int64_t dims[6] = {depth->dims[0], channels, rows, block, columns, block};
    box->rank = 6;
    memcpy(box->dims, dims, sizeof(dims));
    deep[0] = depth->dims[1] * plane;
    deep[1] = per_channel * plane;
    deep[2] = columns;
    deep[3] = per_block * block * plane;
    deep[4] = 1;
    deep[5] = per_block * plane;
    layout_strides(6, dims, wide);
}

static bool blocks_first(const ir_node *n)
{
    return strcmp(ir_attr_string(n, "mode", "DCR"), "DCR") == 0;
}

static heed_status run_to_space(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    layout_box box;
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    block_strides(c->in[0], out, ir_attr_int(c->node, "blocksize", 1), blocks_first(c->node), &box,
                  box.src, box.dst);
    layout_copy(out->dtype, &box, tensor_data(out), 0, tensor_data(c->in[0]), 0);
    return HEED_OK;
}

static heed_status run_to_depth(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    layout_box box;
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    block_strides(out, c->in[0], ir_attr_int(c->node, "blocksize", 1), blocks_first(c->node), &box,
                  box.dst, box.src);
    layout_copy(out->dtype, &box, tensor_data(out), 0, tensor_data(c->in[0]), 0);
    return HEED_OK;
}

// clang-format off
static const op_def to_space = {
    .domain = "", .name = "DepthToSpace", .since = 28, .signature = "input:T -> output:T",
    .types = "T=any", .attrs = "mode:string=DCR blocksize:int!",
    .infer = infer_to_space, .run = run_to_space};
static const op_def to_depth = {
    .domain = "", .name = "SpaceToDepth", .since = 28, .signature = "input:T -> output:T",
    .types = "T=any", .attrs = "mode:string=DCR blocksize:int!",
    .infer = infer_to_depth, .run = run_to_depth};
// clang-format on

const op_def *const ops_depth_space[] = {&to_space, &to_depth, NULL};
