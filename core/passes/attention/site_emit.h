/* site_emit.h - what heed.Attention and heed.AdditiveAttention are written with.
 *
 * Apart from site.h: the walks need none of it. */
#ifndef HEED_PASSES_SITE_EMIT_H
#define HEED_PASSES_SITE_EMIT_H

#include "passes/attention/site.h"

/* What the four axes of an operand are made of. */
typedef struct site_parts {
    axes_list batch, heads, groups, rows; /* groups: heads that share keys, inside of heads */
} site_parts;

/* The axes [b, h, s, d] of one operand, and their letters in the order of
 * memory. */
typedef struct site_arrangement {
    axes_list axis[4];
    char letters[5];
} site_arrangement;

typedef struct site_emission {
    site *s;
    op_body *b;
    axes scores; /* [B, H, S, T] */
    axes_witness witness;
    double fill;
} site_emission;

/* Channels of the values: what the result has and the scores do not. */
axes_list site_channels(const site *s);
void site_sort_atoms(const site *s, const axes_list *channels, site_parts *out);
/* The same of an operator's axes; false when its masks cannot follow its heads. */
bool site_sort_named(const site *s, site_parts *out);
/* What a report says of heads: k_heads, v_heads, over_channels. */
void site_count_heads(site *s, const site_parts *parts);
/* Only letters that the tensor has in one piece can be told apart without
 * moving elements. */
void site_arrange(const axes *at, site_arrangement *a);
/* The operand's axes in the order of its letters. */
axes site_target(const site_arrangement *a);

/* The operand, arranged so. */
ir_value *site_lay_out(const site_emission *e, const site_operand *o, const site_arrangement *a);
/* The operator once more, on other operands. */
void site_emit_named(site_emission *e, const site_arrangement a[4], ir_value *out[2]);

/* Masks that nothing follows stay masks; what is inside of them becomes one
 * bias. */
uint32_t site_count_last_masks(const site *s);
/* What hidden scores become: the number of the last masks, or in the late order that of all weak
 * ones, which is 0 when they differ. */
double site_find_fill(const site *s, uint32_t n_masks, heed_dtype dtype);
ir_value *site_sum_terms(const site_emission *e, uint32_t from, heed_dtype dtype);
/* The last n, or in the late order all weak ones. */
ir_value *site_join_masks(const site_emission *e, uint32_t n);
/* A last extent of 1 would be that of one key. */
ir_value *site_with_keys(op_body *b, ir_value *x, ir_value *k, const char *layout);
/* The tensors that multiply scores key by key. */
ir_value *site_join_factors(const site_emission *e, heed_dtype dtype);
/* Tensors that multiply the scores of a query multiply the query. */
ir_value *site_apply_factors(const site_emission *e, ir_value *q, const site_arrangement *a);
/* Atoms along which the operand is not known to repeat itself. */
axes_list site_differs_in(const site *s, const site_operand *o);
/* A constant that repeats itself along axes that are not wanted has an extent of 1 there. */
site_operand site_say_once(const site_emission *e, const site_operand *o, const axes_list *wanted);
/* One logit for each query head. */
ir_value *site_head_sinks(const site_emission *e, const axes_list *heads, heed_dtype dtype);
/* The changes of the weights that are made to the values, or to the result, arranged like this. */
ir_value *site_apply_changes(const site_emission *e, ir_value *x, int to,
                             const site_arrangement *a);
/* One number for all scores of a row drops out of the softmax, unless what hidden scores become
 * could tell. The bias of the layer that sums up the channels is one. */
void site_drop_numbers(site_terms *terms);

#endif
