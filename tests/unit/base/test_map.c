/* The hash map against a plain array, over random insertions and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"

enum { KEYS = 500, STEPS = 20000 };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_steps_agree_with_an_array(void **state)
{
    (void)state;
    static char keys[KEYS][32];
    static int values[STEPS];
    int *expected[KEYS] = {0};
    map m = {0};
    uint32_t seed = 1;
    size_t count = 0;
    for (int i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof(keys[i]), "%0*d", 1 + i % 20, i);
    for (int step = 0; step < STEPS; step++) {
        uint32_t k = next_random(&seed) % KEYS;
        if (next_random(&seed) % 3 == 0) {
            map_remove(&m, keys[k], strlen(keys[k]));
            count -= expected[k] != NULL;
            expected[k] = NULL;
        } else {
            assert_int_equal(map_put_string(&m, keys[k], &values[step]), HEED_OK);
            count += expected[k] == NULL;
            expected[k] = &values[step];
        }
        assert_int_equal(m.count, count);
        k = next_random(&seed) % KEYS;
        assert_ptr_equal(map_get_string(&m, keys[k]), expected[k]);
    }
    for (int k = 0; k < KEYS; k++)
        assert_ptr_equal(map_get(&m, keys[k], strlen(keys[k])), expected[k]);
    map_free(&m);
    assert_null(map_get_string(&m, "1"));
}

static void keys_are_bytes(void **state)
{
    (void)state;
    map m = {0};
    int a, b, c;
    assert_int_equal(map_put(&m, "x\0y", 3, &a), HEED_OK);
    assert_int_equal(map_put(&m, "x\0z", 3, &b), HEED_OK);
    assert_int_equal(map_put(&m, NULL, 0, &c), HEED_OK);
    assert_ptr_equal(map_get(&m, "x\0y", 3), &a);
    assert_ptr_equal(map_get(&m, "x\0z", 3), &b);
    assert_ptr_equal(map_get_string(&m, ""), &c);
    assert_null(map_get_string(&m, "x"));
    map_remove(&m, "", 0);
    assert_null(map_get(&m, NULL, 0));
    assert_int_equal(m.count, 2);
    map_free(&m);
}

static void hashes_differ_in_every_bit_position(void **state)
{
    (void)state;
    unsigned char key[24] = {0};
    uint64_t base = map_hash(key, sizeof(key));
    for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
        key[bit / 8] ^= (unsigned char)(1u << bit % 8);
        int changed = __builtin_popcountll(base ^ map_hash(key, sizeof(key)));
        assert_in_range(changed, 6, 58);
        key[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_true(map_hash(key, 8) != map_hash(key, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps_agree_with_an_array),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(hashes_differ_in_every_bit_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
