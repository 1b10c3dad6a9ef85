/* The allocator and the arena: alignment, counting, limits, overflow, the program's own one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static uint64_t live(void)
{
    heed_memory_use use = {.size = sizeof(use)};
    heed_memory_get(&use, 0);
    return use.bytes;
}

static void blocks_are_aligned_and_counted(void **state)
{
    (void)state;
    uint64_t before = live();
    char *a = mem_alloc(0), *b = mem_alloc(100), *c = mem_zero(1);
    assert_non_null(a);
    assert_int_equal((uintptr_t)a % MEM_ALIGNMENT, 0);
    assert_int_equal((uintptr_t)b % MEM_ALIGNMENT, 0);
    assert_int_equal(c[0], 0);
    memset(b, 1, 100);
    b = mem_resize(b, 100, 5000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(b[i], 1);
    assert_true(live() >= before + 5000);
    mem_free(a), mem_free(b), mem_free(c), mem_free(NULL);
    assert_int_equal(live(), before);
}

static void what_does_not_fit_is_an_error(void **state)
{
    (void)state;
    err_clear();
    assert_null(mem_array(SIZE_MAX / 2, 3));
    assert_int_equal(err_get()->status, HEED_NOMEM);
    assert_null(mem_alloc(SIZE_MAX));
    assert_null(mem_alloc(SIZE_MAX - 63));
    assert_null(mem_alloc((size_t)PTRDIFF_MAX));
    size_t capacity = SIZE_MAX / 2;
    void *items = NULL;
    assert_int_equal(mem_grow(&items, &capacity, capacity, 8), HEED_NOMEM);
}

static void the_limit_is_hard_and_recoverable(void **state)
{
    (void)state;
    uint64_t before = live();
    heed_set_memory_limit(before + 10000);
    void *a = mem_alloc(9000);
    assert_non_null(a);
    assert_null(mem_alloc(9000));
    assert_int_equal(err_get()->status, HEED_NOMEM);
    assert_non_null(strstr(err_get()->message, "memory limit"));
    mem_free(a);
    a = mem_alloc(9000);
    assert_non_null(a);
    mem_free(a);
    heed_set_memory_limit(0);
    heed_memory_use use = {.size = sizeof(use)};
    heed_memory_get(&use, 1);
    assert_true(use.peak_bytes >= before + 9000);
    heed_memory_get(&use, 0);
    assert_int_equal(use.peak_bytes, use.bytes);
}

static void growing_keeps_the_content(void **state)
{
    (void)state;
    int *items = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(mem_grow(&items, &capacity, i, sizeof(*items)), HEED_OK);
        items[i] = (int)i;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    mem_free(items);
}

/* ---- The program's own allocator ------------------------------------------------------------- */

typedef struct counter {
    int64_t bytes;
    int left; /* allocations until one fails; -1: none does */
    size_t shift;
} counter;

static void *count_alloc(void *self, size_t bytes, size_t alignment)
{
    counter *c = self;
    if (c->left == 0)
        return NULL;
    c->left -= c->left > 0;
    c->bytes += (int64_t)bytes;
    char *block = aligned_alloc(alignment, bytes + alignment);
    return block ? block + c->shift : NULL;
}

static void count_free(void *self, void *pointer, size_t bytes)
{
    counter *c = self;
    c->bytes -= (int64_t)bytes;
    free((char *)pointer - c->shift);
}

static void the_program_may_bring_its_own(void **state)
{
    (void)state;
    counter c = {.left = 2};
    heed_allocator own = {
        .size = sizeof(own), .self = &c, .alloc = count_alloc, .free = count_free};
    assert_int_equal(live(), 0);
    assert_int_equal(heed_set_allocator(&own), HEED_OK);
    own.alloc = NULL; /* it was copied */
    void *a = mem_alloc(10), *b = mem_alloc(20);
    assert_true(c.bytes >= 30);
    assert_null(mem_alloc(1));
    assert_int_equal(err_get()->status, HEED_NOMEM);
    assert_int_equal(heed_set_allocator(NULL), HEED_USAGE);
    mem_free(a), mem_free(b);
    assert_int_equal(c.bytes, 0);
    assert_int_equal(heed_set_allocator(&own), HEED_USAGE);
    c = (counter){.left = -1, .shift = 8};
    assert_null(mem_alloc(10));
    assert_non_null(strstr(err_get()->message, "alignment"));
    assert_int_equal(c.bytes, 0);
    assert_int_equal(live(), 0);
    assert_int_equal(heed_set_allocator(NULL), HEED_OK);
}

/* ---- Arena ---------------------------------------------------------------------------------- */

static void arena_memory_is_zeroed_and_separate(void **state)
{
    (void)state;
    uint64_t before = live();
    arena a = {0};
    char *pieces[300];
    for (size_t i = 0; i < 300; i++) {
        pieces[i] = arena_alloc(&a, i * 7);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t j = 0; j < i * 7; j++)
            assert_int_equal(pieces[i][j], 0);
        memset(pieces[i], (int)(i % 127) + 1, i * 7);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t j = 0; j < i * 7; j++)
            assert_int_equal(pieces[i][j], (int)(i % 127) + 1);
    arena_free(&a);
    assert_int_equal(live(), before);
    assert_null(arena_alloc(&a, SIZE_MAX - 3));
    assert_null(arena_array(&a, SIZE_MAX / 4, 8));
    arena_free(&a);
}

static void arena_texts(void **state)
{
    (void)state;
    arena a = {0};
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 12), "x-12");
    assert_string_equal(arena_string(&a, "text"), "text");
    assert_null(arena_string(&a, NULL));
    assert_memory_equal(arena_copy(&a, "a\0b", 3), "a\0b", 4);
    assert_string_equal(arena_copy(&a, NULL, 0), "");
    arena_free(&a);
}

/* The second round finds room for everything in one block. */
static void arena_that_is_reset_stops_allocating(void **state)
{
    (void)state;
    counter c = {.left = -1};
    heed_allocator own = {
        .size = sizeof(own), .self = &c, .alloc = count_alloc, .free = count_free};
    assert_int_equal(heed_set_allocator(&own), HEED_OK);
    arena a = {0};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 20; i++)
            assert_non_null(arena_alloc(&a, 10000 * i));
        arena_reset(&a);
        c.left = 0; /* from now on every allocation fails */
    }
    arena_free(&a);
    assert_int_equal(c.bytes, 0);
    assert_int_equal(heed_set_allocator(NULL), HEED_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_counted),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(the_limit_is_hard_and_recoverable),
        cmocka_unit_test(growing_keeps_the_content),
        cmocka_unit_test(the_program_may_bring_its_own),
        cmocka_unit_test(arena_memory_is_zeroed_and_separate),
        cmocka_unit_test(arena_texts),
        cmocka_unit_test(arena_that_is_reset_stops_allocating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
