/* Offsets of blocks with known lives: none that live together share a byte, and what a walk from
 * birth to death leaves apart fits together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "draw.h"
#include "plan/pack.h"

enum { MOST = 60, ROUNDS = 500 };

static uint32_t any(uint32_t below)
{
    static uint64_t seed = 5;
    return draw_below(&seed, below);
}

static size_t end_of(const pack_block *b) { return b->offset + (b->bytes + 63) / 64 * 64; }

/* The most that lives at one time: no plan needs less. */
static size_t least(const pack_block *blocks, size_t n)
{
    size_t most = 0;
    for (uint32_t at = 0; at < MOST; at++) {
        size_t sum = 0;
        for (size_t i = 0; i < n; i++)
            if (blocks[i].born <= at && at <= blocks[i].dies)
                sum += (blocks[i].bytes + 63) / 64 * 64;
        most = sum > most ? sum : most;
    }
    return most;
}

static void nothing_is_shared(void **state)
{
    (void)state;
    double sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        pack_block blocks[MOST];
        size_t n = 1 + any(MOST - 1), peak = 0, top = 0;
        for (size_t i = 0; i < n; i++) {
            uint32_t born = any(MOST), dies = born + any(6);
            blocks[i] = (pack_block){any(5) ? any(2000) : 0, 1, born, dies};
        }
        assert_int_equal(pack_blocks(blocks, n, &peak), HEED_OK);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(blocks[i].offset % MEM_ALIGNMENT, 0);
            top = end_of(&blocks[i]) > top ? end_of(&blocks[i]) : top;
            for (size_t k = 0; k < i; k++)
                if (blocks[i].born <= blocks[k].dies && blocks[k].born <= blocks[i].dies)
                    assert_true(end_of(&blocks[i]) <= blocks[k].offset ||
                                end_of(&blocks[k]) <= blocks[i].offset);
        }
        assert_int_equal(top, peak);
        assert_true(peak >= least(blocks, n));
        sum += least(blocks, n) ? (double)peak / (double)least(blocks, n) : 1;
    }
    assert_true(sum / ROUNDS < 1.1); /* nearly the least on average */
}

/* In the order of births the large one ends above three that are kept apart. */
static void large_ones_lie_below(void **state)
{
    (void)state;
    pack_block blocks[] = {
        {64, 0, 0, 1}, {64, 0, 1, 9}, {64, 0, 2, 3}, {64, 0, 3, 9}, {192, 0, 5, 9}};
    size_t peak;
    assert_int_equal(pack_blocks(blocks, 5, &peak), HEED_OK);
    assert_int_equal(blocks[4].offset, 0);
    assert_int_equal(peak, 320);
}

/* The largest first leave a gap, and the next tries do not. */
static void gaps_are_tried_again(void **state)
{
    (void)state;
    pack_block blocks[] = {{576, 0, 0, 18},  {576, 0, 5, 15},   {576, 0, 5, 15}, {576, 0, 13, 17},
                           {576, 0, 17, 22}, {1152, 0, 19, 21}, {576, 0, 21, 31}};
    size_t peak;
    assert_int_equal(pack_blocks(blocks, 7, &peak), HEED_OK);
    assert_int_equal(peak, 4 * 576);
}

static void sizes_that_do_not_fit(void **state)
{
    (void)state;
    pack_block blocks[] = {{SIZE_MAX - 63, 0, 0, 1}, {SIZE_MAX - 63, 0, 1, 2}};
    size_t peak;
    assert_int_equal(pack_blocks(blocks, 2, &peak), HEED_NOMEM);
    assert_int_equal(pack_blocks(blocks, 0, &peak), HEED_OK);
    assert_int_equal(peak, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_shared),
        cmocka_unit_test(large_ones_lie_below),
        cmocka_unit_test(gaps_are_tried_again),
        cmocka_unit_test(sizes_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
