/* Ranges of the arena: none overlaps another that is taken, freed ones are used again, neighbours
 * grow together, and sizes that do not fit are an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "draw.h"
#include "plan/layout.h"

enum { MOST = 64 };

static size_t take(layout *l, size_t bytes)
{
    size_t offset = 1;
    assert_int_equal(layout_take(l, bytes, &offset), HEED_OK);
    assert_int_equal(offset % MEM_ALIGNMENT, 0);
    return offset;
}

static void freed_ranges_are_used_again(void **state)
{
    (void)state;
    layout l = {0};
    size_t a = take(&l, 100), b = take(&l, 64), c = take(&l, 1);
    assert_int_equal(a, 0);
    assert_int_equal(b, 128);
    assert_int_equal(c, 192);
    assert_int_equal(l.peak, 256);
    layout_give(&l, a, 100);
    assert_int_equal(take(&l, 128), 0);
    layout_give(&l, 0, 128);
    layout_give(&l, b, 64); /* grows together with the hole before it */
    assert_int_equal(take(&l, 192), 0);
    assert_int_equal(l.peak, 256);
    layout_give(&l, c, 1);
    layout_give(&l, 0, 192);
    assert_int_equal(l.top, 0);
    assert_int_equal(l.n_holes, 0);
    layout_free(&l);
}

static void the_best_hole_is_taken(void **state)
{
    (void)state;
    layout l = {0};
    size_t large = take(&l, 640);
    take(&l, 64);
    size_t small = take(&l, 128);
    take(&l, 64);
    layout_give(&l, large, 640);
    layout_give(&l, small, 128);
    assert_int_equal(take(&l, 128), small);
    assert_int_equal(take(&l, 128), large);
    layout_free(&l);
}

static void sizes_that_do_not_fit(void **state)
{
    (void)state;
    layout l = {0};
    size_t offset;
    assert_int_equal(layout_take(&l, SIZE_MAX, &offset), HEED_NOMEM);
    take(&l, 64);
    assert_int_equal(layout_take(&l, SIZE_MAX - 100, &offset), HEED_NOMEM);
    assert_int_equal(l.top, 64);
    take(&l, 0);
    layout_free(&l);
}

static uint32_t random_number(void)
{
    static uint64_t seed = 9;
    return draw_below(&seed, UINT32_MAX);
}

static void random_ranges_never_overlap(void **state)
{
    (void)state;
    layout l = {0};
    size_t offset[MOST], bytes[MOST] = {0}, live = 0, most = 0;
    for (int round = 0; round < 20000; round++) {
        uint32_t i = random_number() % MOST;
        if (bytes[i]) {
            assert_int_equal(layout_give(&l, offset[i], bytes[i]), HEED_OK);
            live -= (bytes[i] + 63) / 64 * 64;
            bytes[i] = 0;
            continue;
        }
        bytes[i] = 1 + random_number() % 5000;
        offset[i] = take(&l, bytes[i]);
        live += (bytes[i] + 63) / 64 * 64;
        most = live > most ? live : most;
        assert_true(offset[i] + bytes[i] <= l.peak);
        for (int k = 0; k < MOST; k++)
            assert_true(k == (int)i || !bytes[k] || offset[k] + bytes[k] <= offset[i] ||
                        offset[i] + bytes[i] <= offset[k]);
    }
    assert_true(l.peak >= most);
    assert_true(l.peak <= 2 * most);
    for (int i = 0; i < MOST; i++)
        if (bytes[i])
            layout_give(&l, offset[i], bytes[i]);
    assert_int_equal(l.top, 0);
    assert_int_equal(l.n_holes, 0);
    layout_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freed_ranges_are_used_again),
        cmocka_unit_test(the_best_hole_is_taken),
        cmocka_unit_test(sizes_that_do_not_fit),
        cmocka_unit_test(random_ranges_never_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
