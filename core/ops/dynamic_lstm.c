/* dynamic_lstm.c - DynamicQuantizeLSTM of com.microsoft: LSTM with weights of 8 bits, which lie the
 * other way round.
 *
 * ONNX Runtime also rounds what the weights are multiplied with to 8 bits, for speed; what it means
 * is the product with numbers as they are, which is computed here. */
#include "ops/infer_as.h"
#include "ops/recurrent.h"

enum { N_LSTM = 8, FIRST_SCALE = 8 }; /* W_scale, W_zero_point, R_scale, R_zero_point */

static const int32_t turned[] = {0, 2, 1};

/* One for each direction, or for each of its gates too. */
static heed_status check_parameter(op_infer *c, uint32_t i, const ir_type *weights)
{
    int32_t rank = infer_rank(c, i);
    if (rank < 0 || weights->rank != 3)
        return HEED_OK;
    ir_dim columns = rank == 2 ? infer_dim(c, i, 1) : 1, found = infer_dim(c, i, 0);
    bool good = rank == 1 || rank == 2;
    good = good && (!dim_known(found) || !dim_known(weights->dims[0]) || found == weights->dims[0]);
    good = good && (columns == 1 || !dim_known(columns) || !dim_known(weights->dims[2]) ||
                    columns == weights->dims[2]);
    return good ? HEED_OK
                : infer_error(c, "scales and zero points [directions] or [directions, 4 * hidden]",
                              "another input %u", i);
}

static heed_status infer_lstm(op_infer *c)
{
    const ir_type *types[N_LSTM] = {NULL};
    ir_type weights[2];
    for (uint32_t i = 0; i < N_LSTM; i++)
        types[i] = infer_has(c, i) ? c->in[i] : NULL;
    for (uint32_t i = 0; i < 2; i++) {
        const ir_type *from = c->in[RECURRENT_W + i];
        if (from->rank >= 0 && from->rank != 3)
            return infer_error(c, "weights of rank 3", "rank %d", from->rank);
        TRY(check_parameter(c, FIRST_SCALE + 2 * i, from));
        TRY(check_parameter(c, FIRST_SCALE + 2 * i + 1, from));
        TRY(infer_permuted(c, from, turned, &weights[i]));
        weights[i].dtype = HEED_FLOAT32;
        types[RECURRENT_W + i] = &weights[i];
    }
    return infer_as(c, "LSTM", N_LSTM, types);
}

static float parameter(const heed_tensor *t, int64_t direction, int64_t column)
{
    int64_t columns = tensor_rank(t) == 2 ? t->dims[1] : 1;
    float x;
    dtype_load_f32(t->dtype, tensor_data(t), direction * columns + (columns > 1 ? column : 0), 1,
                   &x);
    return x;
}

/* [directions, rows, columns] of bytes as [directions, columns, rows] of floats. */
static heed_status turn(op_call *c, uint32_t i, heed_tensor *out)
{
    const heed_tensor *in = c->in[RECURRENT_W + i];
    int64_t lines = in->dims[1], columns = in->dims[2];
    const int64_t dims[] = {in->dims[0], columns, lines};
    TRY(tensor_shape_set(out, HEED_FLOAT32, 3, dims));
    float *to = call_scratch(c, (size_t)tensor_count(in) * sizeof *to + 1);
    if (!to)
        return HEED_NOMEM;
    out->dl.data = to;
    for (int64_t d = 0; d < dims[0]; d++)
        for (int64_t j = 0; j < columns; j++) {
            float scale = parameter(c->in[FIRST_SCALE + 2 * i], d, j);
            float zero = parameter(c->in[FIRST_SCALE + 2 * i + 1], d, j);
            for (int64_t k = 0; k < lines; k++) {
                float x;
                dtype_load_f32(in->dtype, tensor_data(in), (d * lines + k) * columns + j, 1, &x);
                *to++ = (x - zero) * scale;
            }
        }
    return HEED_OK;
}

static heed_status run_lstm(op_call *c)
{
    const heed_tensor *in[N_LSTM] = {NULL};
    heed_tensor weights[2] = {{.kind = HEED_TENSOR}, {.kind = HEED_TENSOR}};
    ir_node node = *c->node;
    op_call lstm = *c;
    node.op = op_find("", "LSTM");
    lstm.node = &node;
    lstm.n_in = N_LSTM;
    lstm.in = in;
    for (uint32_t i = 0; i < N_LSTM; i++)
        in[i] = call_has(c, i) ? c->in[i] : NULL;
    for (uint32_t i = 0; i < 2; i++) {
        TRY(turn(c, i, &weights[i]));
        in[RECURRENT_W + i] = &weights[i];
    }
    return node.op->run(&lstm);
}

// clang-format off
static const op_def dynamic_lstm = {
    .domain = "com.microsoft", .name = "DynamicQuantizeLSTM", .since = 1,
    .signature = "X:T, W:Q, R:Q, B:T?, sequence_lens:int32?, initial_h:T?, initial_c:T?, P:T?, "
                 "W_scale:T, W_zero_point:Q, R_scale:T, R_zero_point:Q -> Y:T?, Y_h:T?, Y_c:T?",
    .types = "T=float32 Q=int8|uint8",
    .attrs = "activation_alpha:floats activation_beta:floats activations:strings clip:float "
             "direction:string=forward hidden_size:int input_forget:int=0",
    .infer = infer_lstm, .run = run_lstm};

const op_def *const ops_dynamic_lstm[] = {&dynamic_lstm, NULL};
// clang-format on
