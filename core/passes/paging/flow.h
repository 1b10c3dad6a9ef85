/* flow.h - which axis of each value runs over the tokens, where its rows depend on nothing but
 * their own token.
 *
 * The graph is one in which a sequence is computed at once, without a past, in a batch of one. A
 * value is free when it does not know of tokens; of shapes, when it depends on how many there are;
 * it has rows, one a token along one axis, when row i depends on token i, on i itself, and through
 * causal attention on the tokens before; anything else is mixed. Rows may also be the entries of a
 * list of tokens (flow_lists.c), each of which is one token's. */
#ifndef HEED_PASSES_FLOW_H
#define HEED_PASSES_FLOW_H

#include "passes/paging/paging.h"

enum { FLOW_FREE, FLOW_SHAPE, FLOW_ROWS, FLOW_MIXED };

typedef struct flow {
    uint8_t kind;
    int8_t axis;  /* of the rows */
    int32_t each; /* rows that a token has there, side by side: heads behind tokens, in one axis */
    bool data;    /* depends on what the tokens are, not on their number and places alone */
    bool place;   /* is the place of the token, as a number */
    /* Rows are the entries of this list, counted from 1; 0: those of all tokens, in order. */
    uint16_t list;
    uint8_t coordinates; /* 1 + the axis along which those of an entry stand; 0: none */
    bool whole;          /* of an entry: times_token * its token + 0 to `most` */
    int64_t times_token, most;
} flow;

/* Entries for which something is true that depends on their token alone. */
typedef struct flow_list {
    const ir_value *at; /* [rank, entries]: their coordinates */
    const ir_type *of;  /* what has those coordinates */
    int32_t axis, each; /* of the tokens there, as in flow */
} flow_list;

/* What the file has for all positions from 0 on, and a step has for its own: i + first, or rows of
 * a table from `first` on. */
typedef struct flow_positions {
    ir_value *value;
    ir_value *table; /* NULL: numbers */
    int32_t axis;    /* of the value; of the table too */
    int64_t first;
    ir_node *looks_up; /* a Gather: it gets the whole table; or, where there is none, each row is
                          its own, since the indices are the places of the rows */
} flow_positions;

typedef struct flow_map {
    pass_run *run;
    ir_dim tokens;
    flow *of;   /* by id of values */
    uint32_t n; /* values that there were; what came later is free */
    flow_positions *positions;
    size_t n_positions, positions_capacity;
    flow_list *lists;
    uint16_t n_lists;
    struct mask *mask; /* for flow_find_positions */
} flow_map;

static inline flow flow_of(const flow_map *m, const ir_value *v)
{
    return v && v->id < m->n ? m->of[v->id] : (flow){.kind = FLOW_FREE};
}

static inline flow flow_rows(int32_t axis)
{
    return (flow){.kind = FLOW_ROWS, .axis = (int8_t)axis, .each = 1};
}

/* One row for each token, in their order. */
static inline bool flow_has_row_each(flow f)
{
    return f.kind == FLOW_ROWS && f.each == 1 && !f.list;
}

/* flow_rules.c: what comes of rows. The outputs of a node some of whose inputs have rows, and none
 * is mixed. */
flow flow_through(flow_map *m, const ir_node *n, uint32_t output);
/* The axis of the same rows in other extents; -1: they are not there. */
int32_t flow_find_axis(const flow_map *m, const ir_type *from, int32_t axis, const ir_type *to);

/* flow_lists.c: room for all lists of the graph. */
heed_status flow_lists_new(flow_map *m);
/* How many rows there are: tokens, or entries of the list. */
ir_dim flow_count(const flow_map *m, uint16_t list);

/* positions.c: a value of shapes with an axis of as many extents as there are tokens may be
 * positions; then it has rows. */
heed_status flow_find_positions(flow_map *m, ir_value *v, flow *out);
/* What was computed of positions is the place of the token again. */
bool flow_is_place(flow_map *m, ir_value *v);
/* Entry i of a list of whole numbers that does not know of tokens; false: it is not known. */
bool flow_entry(const flow_map *m, const ir_value *v, int64_t i, int64_t *out);
/* The number that a value has as long as all tokens are there at once; false: it is not known. */
bool flow_number(flow_map *m, ir_value *v, ir_dim *out);
/* The table of which the value is the first rows; NULL: it is none. */
ir_value *flow_table_of(const flow_map *m, const ir_value *v);
heed_status flow_look_up(flow_map *m, ir_node *n, ir_value *table);
/* Puts what `positions` [tokens] says in their place. */
heed_status flow_set_positions(flow_map *m, ir_value *positions);

/* replay.c: the value as it would be for `reach` tokens (int64 [1]), when it depends on their
 * number alone; NULL when it cannot be computed again. */
ir_value *flow_replay(flow_map *m, op_body *b, ir_value *v, ir_value *reach);
enum { FLOW_BY_NONE, FLOW_BY_DISTANCE, FLOW_BY_KEY };
/* flow_bias.c: what is added to scores, by which place alone. */
int flow_bias_by(flow_map *m, const ir_node *attention);

/* flow_seen.c: a mask, bias or factor [.., S, S] is this number wherever the key is not behind the
 * query. */
bool flow_is_where_seen(flow_map *m, ir_value *v, ir_dim heads, double wanted);

/* flow.c: all values. The tokens' axis of inputs comes from paging. */
heed_status flow_map_all(flow_map *m);
/* The first node on the way to the value that mixes rows. */
const ir_node *flow_obstacle(const flow_map *m, const ir_value *v);
void flow_map_free(flow_map *m);

#endif
