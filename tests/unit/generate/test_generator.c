/* Generators on the embedded model: its golden tokens, one sequence at a time and many at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"

static const int32_t prompt[] = {296, 303, 833};
static const int32_t golden[] = {259, 816, 345, 269, 259, 341, 12,  268, 259, 341, 368, 352, 629,
                                 648, 511, 332, 12,  268, 309, 388, 12,  443, 812, 12,  303, 394,
                                 539, 332, 260, 301, 440, 289, 301, 505, 591, 12,  268, 303, 393,
                                 344, 409, 591, 289, 259, 306, 866, 14,  199, 296, 259, 341, 388,
                                 320, 332, 12,  817, 279, 401, 335, 380, 12,  297, 309, 313};

static heed_generator *open_verse(const heed_generator_options *options)
{
    char path[4096];
    heed_generator *g;
    const char *source = getenv("HEED_SOURCE");
    snprintf(path, sizeof(path), "%s/examples/verse/verse.onnx", source ? source : ".");
    if (heed_generator_open(path, options, &g))
        fail_msg("%s", heed_error_get()->message);
    return g;
}

static void gives_golden_tokens(void **state)
{
    (void)state;
    heed_generator *g = open_verse(NULL);
    heed_sequence *s[20];
    heed_request ask = {.size = sizeof(ask), .tokens = prompt, .n_tokens = 3, .max_tokens = 64};
    for (int i = 0; i < 20; i++)
        assert_int_equal(heed_generator_add(g, &ask, &s[i]), HEED_OK);
    for (int i = 0; i < 20; i++) {
        heed_piece piece = {.size = sizeof(piece)};
        while (!piece.finish)
            assert_int_equal(heed_sequence_next(s[i], &piece), HEED_OK);
        size_t n;
        const int32_t *tokens = heed_sequence_get_tokens(s[i], &n);
        assert_int_equal(n, 64);
        assert_memory_equal(tokens, golden, sizeof(golden));
        heed_sequence_free(s[i]);
    }
    heed_generator_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gives_golden_tokens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
