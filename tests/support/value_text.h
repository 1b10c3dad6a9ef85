/* Runs of whole models as text, for tests that are tables: a model as onnx_text.h reads it, what
 * goes in, and what must come out.
 *
 *     3.5        a scalar            [[1 2][3 4]]   a tensor        [] [[][]]   without elements
 *     ([1][2 3]) a sequence          none           an empty optional (else what it holds)
 *     [a bc]     strings, without blanks and brackets
 *
 * Numbers are printed with six digits.
 */
#ifndef VALUE_TEXT_H
#define VALUE_TEXT_H

#include <stddef.h>

/* Inputs in the model's order, "3; [1 2]", for the types that the model declares. Returns `out`:
 * the outputs in the same form, an optional that holds something with "?" behind it; or "! " and
 * the error. The session checks its graph after every pass. */
const char *value_text_run(const char *model, const char *inputs, char *out, size_t size);

typedef struct value_text_case {
    const char *name, *model, *inputs;
    const char *expected; /* the outputs, or "! " and a part of the error's message */
} value_text_case;

/* How many of the cases do not give what they should; each is printed. */
int value_text_failures(const value_text_case *cases, size_t n);

/* Defines NAME_hold, a cmocka test that none of a table's cases fails. */
#define VALUE_TEXT_HOLDS(name)                                                                     \
    static void name##_hold(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        assert_int_equal(value_text_failures(name, sizeof(name) / sizeof(*name)), 0);              \
    }

#endif
