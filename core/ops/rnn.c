/* rnn.c - the cells of recurrent layers: LSTM (Hochreiter 1997; Gers 2000), GRU (Cho 2014), RNN
 * (Elman 1990). What they share is in recurrent.c. */
#include "ops/recurrent.h"

/* ---- RNN ------------------------------------------------------------------------------------- */

static void step_rnn(recurrent_row *r)
{
    for (int64_t i = 0; i < r->size; i++)
        r->h[i] = recurrent_apply(r, 0, r->x[i] + r->u[i]);
}

/* ---- GRU: gates update, reset, hidden -------------------------------------------------------- */

/* Update and reset gate take the place of x. The hidden gate multiplies the state that the reset
 * gate let through, or, with linear_before_reset, all of it. */
static void before_gru(recurrent_row *r)
{
    for (int64_t i = 0; i < 2 * r->size; i++)
        r->x[i] = recurrent_apply(r, 0, r->x[i] + r->u[i]);
    for (int64_t i = 0; i < r->size; i++)
        r->operand[i] = r->option ? r->h[i] : r->x[r->size + i] * r->h[i];
}

static void step_gru(recurrent_row *r)
{
    const double *update = r->x, *reset = update + r->size;
    const double *x = reset + r->size, *u = r->u + 2 * r->size;
    for (int64_t i = 0; i < r->size; i++) {
        double hidden = recurrent_apply(r, 1, x[i] + (r->option ? reset[i] * u[i] : u[i]));
        r->h[i] = (1 - update[i]) * hidden + update[i] * r->h[i];
    }
}

/* ---- LSTM: gates input, output, forget, cell; peepholes input, output, forget ---------------- */

static double peep(const recurrent_row *r, int64_t gate, int64_t i, double cell)
{
    return r->peepholes ? r->peepholes[gate * r->size + i] * cell : 0;
}

static double gate_of(const recurrent_row *r, int64_t gate, int64_t i)
{
    return r->x[gate * r->size + i] + r->u[gate * r->size + i];
}

/* The clip bounds what gates get, not the cell's way out: the text of the standard can be read both
 * ways, and this is what ONNX Runtime does. */
static void step_lstm(recurrent_row *r)
{
    for (int64_t i = 0; i < r->size; i++) {
        double old = r->c[i];
        double in = recurrent_apply(r, 0, gate_of(r, 0, i) + peep(r, 0, i, old));
        double forget = recurrent_apply(r, 0, gate_of(r, 2, i) + peep(r, 2, i, old));
        double cell = recurrent_apply(r, 1, gate_of(r, 3, i));
        r->c[i] = (r->option ? 1 - in : forget) * old + in * cell;
        double out = recurrent_apply(r, 0, gate_of(r, 1, i) + peep(r, 1, i, r->c[i]));
        r->h[i] = out * r->acts[2].apply(r->c[i], r->acts[2].alpha, r->acts[2].beta);
    }
}

// clang-format off
static const char *const acts[] = {"Sigmoid", "Tanh", "Tanh"};
static const recurrent_cell rnn_cell = {
    .gates = 1, .first = 1, .n_acts = 1, .acts = acts + 1, .step = step_rnn};
static const recurrent_cell gru_cell = {
    .gates = 3, .first = 2, .n_acts = 2, .acts = acts, .option = "linear_before_reset",
    .before = before_gru, .step = step_gru};
static const recurrent_cell lstm_cell = {
    .gates = 4, .first = 4, .n_acts = 3, .acts = acts, .option = "input_forget", .has_c = true,
    .step = step_lstm};

#define INPUTS "X:T, W:T, R:T, B:T?, sequence_lens:int32?, initial_h:T?"
#define ATTRS                                                                                      \
    "activation_alpha:floats activation_beta:floats activations:strings clip:float "               \
    "direction:string=forward hidden_size:int layout:int=0"

static const op_def rnn = {
    .domain = "", .name = "RNN", .since = 22, .data = &rnn_cell,
    .signature = INPUTS " -> Y:T?, Y_h:T?", .types = "T=float", .attrs = ATTRS,
    .infer = recurrent_infer, .run = recurrent_run};
static const op_def gru = {
    .domain = "", .name = "GRU", .since = 22, .data = &gru_cell,
    .signature = INPUTS " -> Y:T?, Y_h:T?", .types = "T=float",
    .attrs = ATTRS " linear_before_reset:int=0",
    .infer = recurrent_infer, .run = recurrent_run};
static const op_def lstm = {
    .domain = "", .name = "LSTM", .since = 22, .data = &lstm_cell,
    .signature = INPUTS ", initial_c:T?, P:T? -> Y:T?, Y_h:T?, Y_c:T?", .types = "T=float",
    .attrs = ATTRS " input_forget:int=0",
    .infer = recurrent_infer, .run = recurrent_run};

const op_def *const ops_rnn[] = {&rnn, &gru, &lstm, NULL};
// clang-format on
