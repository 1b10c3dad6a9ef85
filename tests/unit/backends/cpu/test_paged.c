/* heed.PagedAttention on the CPU backend: random sequences in random steps against the meaning, and
 * the same bits however steps, pages and threads are chosen. */
#include "paged_case.h"

static paged_world draw_world(int64_t longest)
{
    static const int64_t sizes[] = {1, 3, 8, 16, 20, 32, 64, 80, 128};
    static const heed_dtype types[] = {HEED_FLOAT32, HEED_FLOAT32, HEED_BFLOAT16, HEED_FLOAT16};
    static const heed_dtype pages[] = {HEED_FLOAT32, HEED_FLOAT32, HEED_BFLOAT16, HEED_FLOAT16,
                                       HEED_INT8};
    paged_world w = {.n = 1 + any(MOST), .group = 1 + any(chance(4) ? 16 : 4)};
    w.kv_heads = 1 + any(3);
    w.d = sizes[any(9)];
    w.dv = chance(3) ? sizes[any(9)] : w.d;
    w.type = types[any(4)];
    w.pages = pages[any(5)];
    w.scale = chance(2) ? 0.3 : 0;
    w.cap = chance(4) ? 2 : 0;
    w.left = chance(3) ? any((uint32_t)longest) : -1;
    w.by_key = chance(2);
    w.bias = chance(3) ? 1 + any((uint32_t)longest * 2) : 0;
    w.alike = chance(3);
    w.sinks = chance(3);
    for (int64_t b = 0; b < w.n; b++)
        w.length[b] = 1 + any((uint32_t)longest);
    make_world(&w);
    return w;
}

static int64_t any_page(void)
{
    static const int64_t sizes[] = {16, 16, 32, 1, 3, 20, 48, 256, 700};
    return sizes[any(9)];
}

/* ---- Values --------------------------------------------------------------------------------- */

static void values(void)
{
    for (int i = 0; i < 60; i++) {
        paged_world w = draw_world(i % 10 == 0 ? 300 : 40);
        paged_way x;
        start_way(&w, &x, any_page());
        take_steps(&w, &x, chance(2) ? 3 : 400);
        check_cache(&w, &x);
        check_way(&w, &x);
        free_way(&w, &x);
        free_world(&w);
    }
}

/* ---- Bits ----------------------------------------------------------------------------------- */

/* Once token by token, once at once, once at random. */
static void bits(void)
{
    for (int i = 0; i < 24; i++) {
        paged_world w = draw_world(i % 4 == 0 ? 600 : 60);
        static const int64_t most[3] = {1, 4096, 50};
        paged_way x[3];
        for (int k = 0; k < 3; k++) {
            mini_threads(k == 1 ? 3 : 1);
            start_way(&w, &x[k], any_page());
            take_steps(&w, &x[k], most[k]);
            check_cache(&w, &x[k]);
            if (k)
                check_same(&w, &x[0], &x[k]);
        }
        for (int k = 0; k < 3; k++)
            free_way(&w, &x[k]);
        free_world(&w);
    }
}

/* Two sequences begin alike and have the pages of that in common: the first one reads in the same
 * step what the second one writes. */
static void pages_in_common(void)
{
    enum { PAGE = 16, COMMON = 2 * PAGE, REST = 20 };
    for (int threads = 1; threads <= 3; threads += 2) {
        paged_world w = {.n = 2, .group = 1 + any(3), .kv_heads = 2, .d = 64, .dv = 32, .left = -1};
        paged_way x[2];
        w.type = w.pages = HEED_FLOAT32;
        w.length[0] = COMMON + REST, w.length[1] = COMMON;
        make_world(&w);
        mini_threads((unsigned)threads);
        for (int k = 0; k < 2; k++) {
            start_way(&w, &x[k], PAGE);
            memcpy(x[k].table, x[k].table + x[k].most, COMMON / PAGE * sizeof(*x[k].table));
            memset(x[k].y[0], 0, (size_t)(COMMON * w.group * w.kv_heads * w.dv) * sizeof(float));
            x[k].done[0] = COMMON;
            take_step(&w, &x[k], (int64_t[]){k ? REST : 0, COMMON});
        }
        take_step(&w, &x[0], (int64_t[]){REST, 0});
        check_same(&w, &x[0], &x[1]);
        free_way(&w, &x[0]), free_way(&w, &x[1]);
        free_world(&w);
    }
    mini_threads(1);
}

/* The last panel of rows is narrower than others, with few tiles of keys and many, which threads
 * share: rows of a group of 3 fill panels of 8, 16 or 32 rows in all ways. */
static void narrow_last_panels(void)
{
    enum { LONG = 600 };
    static const int64_t fresh[] = {3, 6, 10, 11, 16, 19, 22, 27};
    for (size_t i = 0; i < sizeof(fresh) / sizeof(*fresh); i++) {
        paged_world w = {.n = 1, .group = 3, .kv_heads = 2, .d = 64, .dv = 64, .left = -1};
        paged_way x[2];
        w.type = w.pages = HEED_FLOAT32;
        w.length[0] = (i % 2 ? LONG : 0) + fresh[i];
        make_world(&w);
        for (int k = 0; k < 2; k++) {
            mini_threads(k ? 3 : 1);
            start_way(&w, &x[k], 16);
            if (w.length[0] > fresh[i])
                take_step(&w, &x[k], (int64_t[]){LONG});
            for (int64_t t = 0; t < fresh[i]; t += k ? fresh[i] : 1)
                take_step(&w, &x[k], (int64_t[]){k ? fresh[i] : 1});
        }
        check_same(&w, &x[0], &x[1]);
        check_way(&w, &x[1]);
        free_way(&w, &x[0]), free_way(&w, &x[1]);
        free_world(&w);
    }
    mini_threads(1);
}

/* Values that are no numbers show in rows that see them, and in no others. */
static void wild_values(void)
{
    for (int i = 0; i < 12; i++) {
        paged_world w = draw_world(100);
        paged_way x[2];
        for (int k = 0; k < 3; k++) {
            int64_t b = any((uint32_t)w.n), at = any((uint32_t)w.length[b]) * w.kv_heads;
            (k == 0 ? w.k[b] + at * w.d : w.v[b] + at * w.dv)[0] = k == 1 ? NAN : INFINITY;
        }
        for (int k = 0; k < 2; k++) {
            start_way(&w, &x[k], any_page());
            take_steps(&w, &x[k], k ? 4096 : 1);
        }
        check_same(&w, &x[0], &x[1]);
        free_way(&w, &x[0]), free_way(&w, &x[1]);
        free_world(&w);
    }
}

/* ---- What is refused ------------------------------------------------------------------------ */

static void wrong_places(void)
{
    static const struct {
        int64_t starts[3], past[2], table[2];
        const char *message;
    } cases[] = {{{0, 1, 2}, {0, 0}, {0, 7}, "page 7 of sequence 1"},
                 {{0, 1, 2}, {0, 0}, {-1, 1}, "page -1 of sequence 0"},
                 {{0, 1, 2}, {4, 0}, {0, 1}, "4 tokens before those of sequence 0"},
                 {{0, 2, 1}, {0, 0}, {0, 1}, "tokens 2 to 1 of sequence 1"},
                 {{0, 1, 1}, {0, 0}, {0, 1}, "1 of 2 tokens"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        mini_node node = {.op = "PagedAttention", .n_in = 8, .n_out = 3};
        int64_t tokens[] = {1, 1, 2, 4}, pages[] = {2, 1, 4, 4};
        for (int k = 0; k < 3; k++)
            node.in[k] = tensor(HEED_FLOAT32, 4, tokens);
        node.in[KEY_PAGES] = tensor(HEED_FLOAT32, 4, pages);
        node.in[VALUE_PAGES] = tensor(HEED_FLOAT32, 4, pages);
        node.in[STARTS] = step_integers(1, (int64_t[]){3}, cases[i].starts);
        node.in[PAST] = step_integers(1, (int64_t[]){2}, cases[i].past);
        node.in[TABLE] = step_integers(2, (int64_t[]){2, 1}, cases[i].table);
        node.out[0] = tensor(HEED_FLOAT32, 4, tokens);
        node.out[1] = tensor(HEED_FLOAT32, 4, pages);
        node.out[2] = tensor(HEED_FLOAT32, 4, pages);
        assert_int_equal(mini_run(&node), HEED_INVALID);
        if (!strstr(mini_message(), cases[i].message))
            fail_msg("\"%s\" does not say \"%s\"", mini_message(), cases[i].message);
        drop(&node);
    }
}

static void all_values(void **state)
{
    (void)state;
    for_each_isa(values);
}

static void all_bits(void **state)
{
    (void)state;
    for_each_isa(bits);
}

static void all_pages_in_common(void **state)
{
    (void)state;
    for_each_isa(pages_in_common);
}

static void all_narrow_last_panels(void **state)
{
    (void)state;
    for_each_isa(narrow_last_panels);
}

static void all_wild_values(void **state)
{
    (void)state;
    for_each_isa(wild_values);
}

static void all_wrong_places(void **state)
{
    (void)state;
    for_each_isa(wrong_places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_values),          cmocka_unit_test(all_bits),
        cmocka_unit_test(all_pages_in_common), cmocka_unit_test(all_narrow_last_panels),
        cmocka_unit_test(all_wild_values),     cmocka_unit_test(all_wrong_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
