/* The program of heed.Pointwise, "Mul 0 1; Swish alpha=1 2": each step finds its loop. See
 * pointwise.h. */
#include <stdlib.h>
#include <string.h>

#include "pointwise.h"

static bool next_word(const char **at, char *word, size_t size)
{
    *at += strspn(*at, " ");
    size_t n = strcspn(*at, " ;");
    if (!n || n >= size)
        return false;
    memcpy(word, *at, n);
    word[n] = 0;
    *at += n;
    return true;
}

/* Numbers become parameters in their order, which is that of the rows in lanes/maps.h; a word
 * names a row of its own: "Gelu/tanh". */
static bool read_attr(pointwise_step *s, char *op, size_t size, const char *value,
                      uint32_t *n_parameters)
{
    char *end;
    float number = strtof(value, &end);
    if (end != value && !*end) {
        if (*n_parameters == 2)
            return false;
        s->parameters[(*n_parameters)++] = number;
        return true;
    }
    size_t used = strlen(op), n = strlen(value);
    if (!strcmp(value, "none"))
        return true;
    if (used + n + 2 > size)
        return false;
    op[used] = '/';
    memcpy(op + used + 1, value, n + 1);
    return true;
}

static bool read_words(const char **at, pointwise_step *s, char *op, size_t size, uint32_t n_values)
{
    char word[64];
    uint32_t n_parameters = 0;
    if (!next_word(at, op, size))
        return false;
    while (next_word(at, word, sizeof(word))) {
        const char *value = strchr(word, '=');
        if (value) {
            if (!read_attr(s, op, size, value + 1, &n_parameters))
                return false;
            continue;
        }
        unsigned long k = strtoul(word, NULL, 10);
        if (k >= n_values || s->n_in == POINTWISE_OPERANDS)
            return false;
        s->in[s->n_in++] = (uint32_t)k;
    }
    return s->n_in > 0;
}

/* All numbers are computed as float32. */
static bool find_loop(const cpu_lanes *lanes, pointwise_step *s, const char *op,
                      const heed_dtype *types)
{
    heed_dtype in = types[s->in[0]];
    if (s->n_in == 1) {
        const cpu_map_row *row = cpu_map_find(lanes, op, in);
        s->map = row ? row->run : NULL;
        s->out = row ? row->out : HEED_UNDEFINED;
        return row != NULL;
    }
    if (s->n_in == 2) {
        const cpu_zip_row *row = cpu_zip_find(lanes, op, in);
        s->zip = row ? row->run : NULL;
        s->out = row ? row->out : HEED_UNDEFINED;
        return row && types[s->in[1]] == in;
    }
    s->choice = !strcmp(op, "Where") && in == HEED_BOOL;
    s->out = types[s->in[1]];
    return s->choice && types[s->in[2]] == s->out;
}

static bool read_step(const cpu_lanes *lanes, const char **at, pointwise_step *s, heed_dtype *types,
                      uint32_t n_values)
{
    char op[48];
    *s = (pointwise_step){.n_in = 0};
    if (!read_words(at, s, op, sizeof(op), n_values) || !find_loop(lanes, s, op, types))
        return false;
    types[n_values] = s->out;
    return true;
}

static bool read_program(const cpu_lanes *lanes, const char *text, heed_dtype *types,
                         pointwise_state *out)
{
    for (const char *at = text; out->n_steps < POINTWISE_STEPS; at++) {
        pointwise_step *s = &out->steps[out->n_steps];
        if (!read_step(lanes, &at, s, types, out->n_in + out->n_steps))
            return false;
        out->n_steps++;
        if (*at != ';')
            return !*at;
    }
    return false;
}

/* The inputs' types, halves as what they are computed in; false when one is none of ours. */
static bool read_types(const heed_node *node, heed_dtype *types, heed_dtype *number)
{
    *number = HEED_UNDEFINED;
    for (uint32_t i = 0; i < node->n_in; i++) {
        heed_dtype type = node->in[i] ? cpu_dtype(node->in[i]->dtype) : HEED_UNDEFINED;
        types[i] = type == HEED_BOOL ? HEED_BOOL : HEED_FLOAT32;
        if (type == HEED_BOOL)
            continue;
        if ((type != HEED_FLOAT32 && !cpu_half_is(type)) || (*number && *number != type))
            return false;
        *number = type;
    }
    return true;
}

heed_status pointwise_read(void *device, const heed_node *node, pointwise_state *out)
{
    heed_dtype types[POINTWISE_INPUTS + POINTWISE_STEPS], number;
    const heed_attribute *program = node->attr(node, "program");
    const cpu_lanes *lanes = cpu_lanes_of(device);
    if (!program || !node->n_in || node->n_in > POINTWISE_INPUTS ||
        !read_types(node, types, &number))
        return cpu_refuse_dtype(node, 0);
    *out = (pointwise_state){.n_in = node->n_in, .choose = lanes->choose};
    out->half = cpu_half_find(lanes, number);
    if (!read_program(lanes, program->s.data, types, out))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: no loop for a step of \"%.64s\"",
                              program->s.data);
    return HEED_OK;
}
