/* recurrent.h - one layer that runs over time: what LSTM, GRU and RNN share.
 *
 * The driver walks directions and steps, does the matrix products, and knows nothing of gates; a
 * cell is a row that says how many there are and what becomes of them. Products are done in the
 * product type of the dtype, everything else in double. */
#ifndef HEED_OPS_RECURRENT_H
#define HEED_OPS_RECURRENT_H

#include "ops/op.h"

/* Inputs, as LSTM has them; the others end earlier. */
enum {
    RECURRENT_X,
    RECURRENT_W,
    RECURRENT_R,
    RECURRENT_BIAS,
    RECURRENT_LENGTHS,
    RECURRENT_H0,
    RECURRENT_C0,
    RECURRENT_PEEPHOLES
};

enum { RECURRENT_MAX_ACTS = 6 }; /* three for each direction */

typedef struct recurrent_act {
    double (*apply)(double x, double alpha, double beta);
    double alpha, beta;
} recurrent_act;

/* One step of one sequence. */
typedef struct recurrent_row {
    int64_t size;              /* of the hidden state */
    const recurrent_act *acts; /* of this direction */
    double clip;               /* bound of what activations get, or 0 */
    bool option;               /* the cell's attribute is set */
    const double *peepholes;   /* [3, size], or NULL */
    double *x, *u;             /* [gates, size]: from the input, from the state; with biases */
    double *h, *c;             /* [size]: the old state, to be replaced */
    double *operand;           /* [size]: what the later gates are multiplied with */
} recurrent_row;

typedef struct recurrent_cell {
    uint32_t gates;          /* how many there are in W, R and B */
    uint32_t first;          /* that many are multiplied with h, the others with `operand` */
    uint32_t n_acts;         /* activations of one direction */
    const char *const *acts; /* their names by default */
    const char *option;      /* an attribute that is 0 or 1, or NULL */
    bool has_c;              /* has a second state */
    void (*before)(recurrent_row *r); /* makes `operand`, when first < gates */
    void (*step)(recurrent_row *r);
} recurrent_cell;

/* For operators whose `data` is the cell. Outputs: Y, Y_h, Y_c. */
heed_status recurrent_infer(op_infer *c);
heed_status recurrent_run(op_call *c);

int64_t recurrent_directions(const ir_node *n); /* 0: not one of the standard's */
bool recurrent_batch_first(const ir_node *n);
/* activation `i` of the row's direction, of x within the clip. */
double recurrent_apply(const recurrent_row *r, uint32_t i, double x);
/* The activations that the node's attributes name, for all directions. */
heed_status recurrent_acts(const op_call *c, const recurrent_cell *cell, uint32_t directions,
                           recurrent_act *acts);

#endif
