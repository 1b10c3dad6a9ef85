/* heads.h - heads side by side in one axis, [B, S, heads * D], and apart, [B, heads, S, D];
 * and the products of attention over them. */
#ifndef HEED_OPS_HEADS_H
#define HEED_OPS_HEADS_H

#include "ops/body.h"

/* More than any model has; where heads are empty, nothing else bounds loops over them. */
#define HEADS_MAX ((int64_t)1 << 20)
/* Hidden scores at or below this stay what they are when a score or a bias is added to them. */
#define HEADS_ABSORBS (-1e30)

/* Dims of input i with its heads apart: as they are at rank 4, split at rank 3. */
heed_status heads_dims(const op_infer *c, uint32_t i, int64_t heads, ir_dim out[4]);

/* [B, S, heads * D] becomes [B, heads, S, D]. */
ir_value *heads_split(op_body *b, ir_value *x, int64_t heads);
/* [B, heads, S, D] becomes [B, S, heads * D]. */
ir_value *heads_merge(op_body *b, ir_value *x);

/* The products of attention, for q [B, Hq, Sq, D], k [B, Hk, Skv, D], v [B, Hv, Skv, Dv]. Query
 * head h reads key head h / (Hq / Hk) and value head h / (Hq / Hv); nothing is copied for that. */

/* Checks inputs 0, 1, 2 (q, k, v), sets output 0 and gives the dims of the scores. */
heed_status heads_infer(op_infer *c, ir_dim scores[4]);

/* How the four axes lie: letters b, h, s, d in the order of memory, "bshd". NULL attribute: "bhsd".
 */
typedef struct heads_layout {
    int32_t place[4]; /* place[0] is the axis of b, place[1] that of h, s, d */
} heads_layout;

/* From an attribute of the node; false when it is no layout. */
bool heads_layout_read(const ir_node *n, const char *attr, heads_layout *out);
/* The same, for inputs and output 0 in layouts of their own. `alike`: keys have as many heads as
 * values; otherwise each divides the queries'. */
heed_status heads_infer_in(op_infer *c, const heads_layout in[3], const heads_layout *out,
                           bool alike, ir_dim scores[4]);
/* x in this layout becomes [b, h, s, d], and the way back. */
ir_value *heads_from(op_body *b, ir_value *x, const heads_layout *layout);
ir_value *heads_to(op_body *b, ir_value *x, const heads_layout *layout);
/* x in this layout with each head so many times, one after the other. */
ir_value *heads_repeat(op_body *b, ir_value *x, const heads_layout *layout, int64_t times);
/* scale * q k^T as [B, Hq, Sq, Skv]; scale 0 is 1 / sqrt(D). */
ir_value *heads_scores(op_body *b, ir_value *q, ir_value *k, double scale);
/* weights [B, Hq, Sq, Skv] times v as [B, Hq, Sq, Dv]. */
ir_value *heads_weigh(op_body *b, ir_value *weights, ir_value *q, ir_value *v);

#endif
