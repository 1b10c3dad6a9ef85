/* pointwise.c - heed.Pointwise: elementwise operators one after the other, in one sweep.
 *
 * Every step has the shape of the result; inputs broadcast to it. Rounding is that of the steps:
 * what a step gives is a value of its type. */
#include "ops/pointwise.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/body.h"

/* ---- Text ----------------------------------------------------------------------------------- */

/* The next word of a step; false at its end. */
static bool next_word(const char **at, char *word, size_t size)
{
    *at += strspn(*at, " ");
    size_t n = strcspn(*at, " ;");
    if (n == 0 || n >= size)
        return false;
    memcpy(word, *at, n);
    word[n] = '\0';
    *at += n;
    return true;
}

static bool add_attr(pointwise_step *s, const char *word)
{
    size_t used = strlen(s->attrs);
    int n = snprintf(s->attrs + used, sizeof(s->attrs) - used, "%s%s", used ? " " : "", word);
    return n > 0 && (size_t)n < sizeof(s->attrs) - used;
}

static bool add_operand(pointwise_step *s, const char *word, uint32_t n_values)
{
    char *end;
    unsigned long k = strtoul(word, &end, 10);
    if (*end || k >= n_values || s->n_in == POINTWISE_OPERANDS || !isdigit((unsigned char)*word))
        return false;
    s->in[s->n_in++] = (uint32_t)k;
    return true;
}

static bool read_step(const char **at, uint32_t n_values, pointwise_step *s)
{
    char word[64];
    *s = (pointwise_step){.n_in = 0};
    if (!next_word(at, s->op, sizeof(s->op)))
        return false;
    while (next_word(at, word, sizeof(word)))
        if (!(strchr(word, '=') ? add_attr(s, word) : add_operand(s, word, n_values)))
            return false;
    return s->n_in > 0;
}

bool pointwise_read(const char *text, uint32_t n_inputs, pointwise_program *out)
{
    const char *at = text;
    for (out->n = 0; out->n < POINTWISE_STEPS; at++) {
        if (!read_step(&at, n_inputs + out->n, &out->steps[out->n]))
            return false;
        out->n++;
        if (*at != ';')
            return *at == '\0';
    }
    return false;
}

bool pointwise_write(const pointwise_program *p, char *text, size_t size)
{
    size_t used = 0;
    for (uint32_t i = 0; i < p->n && used < size; i++) {
        const pointwise_step *s = &p->steps[i];
        used += (size_t)snprintf(text + used, size - used, "%s%s%s%s", i ? "; " : "", s->op,
                                 s->attrs[0] ? " " : "", s->attrs);
        for (uint32_t k = 0; k < s->n_in && used < size; k++)
            used += (size_t)snprintf(text + used, size - used, " %u", s->in[k]);
    }
    return used < size;
}

/* ---- The operator --------------------------------------------------------------------------- */

static heed_status infer_pointwise(op_infer *c)
{
    pointwise_program p;
    const char *text = ir_attr_string(c->node, "program", "");
    if (c->n_in > POINTWISE_INPUTS || !pointwise_read(text, c->n_in, &p))
        return infer_error(c, "a program of steps that read inputs and earlier steps", "%s", text);
    for (uint32_t i = 0; i < p.n; i++)
        if (!op_find("", p.steps[i].op))
            return infer_error(c, "steps that are operators of ai.onnx", "%s", p.steps[i].op);
    heed_dtype to = (heed_dtype)ir_attr_int(c->node, "to", HEED_FLOAT32);
    return infer_set_broadcast(c, 0, to, 0, c->n_in - 1);
}

static void decompose_pointwise(op_body *b)
{
    pointwise_program p;
    ir_value *values[POINTWISE_INPUTS + POINTWISE_STEPS];
    uint32_t n = b->node->n_in;
    if (!pointwise_read(ir_attr_string(b->node, "program", ""), n, &p))
        return; /* inference has refused it */
    for (uint32_t i = 0; i < n; i++)
        values[i] = body_in(b, i);
    for (uint32_t i = 0; i < p.n; i++) {
        const pointwise_step *s = &p.steps[i];
        ir_value *in[POINTWISE_OPERANDS];
        for (uint32_t k = 0; k < s->n_in; k++)
            in[k] = values[s->in[k]];
        values[n++] = body_n(b, s->n_in, in, "%s %s", s->op, s->attrs);
    }
    body_set(b, 0, values[n - 1]);
}

// clang-format off
static const op_def pointwise = {
    .domain = "heed", .name = "Pointwise", .since = 1,
    .signature = "X:any* -> Y:any", .attrs = "program:string! to:int=1",
    .infer = infer_pointwise, .decompose = decompose_pointwise};

const op_def *const ops_pointwise[] = {&pointwise, NULL};
// clang-format on
