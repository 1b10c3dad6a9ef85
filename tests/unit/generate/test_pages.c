/* Pages and block tables against a shadow: sequences as plain arrays of tokens. A store of bytes is
 * simulated by one number a token, the hash of everything up to it, so that a page shared by
 * mistake or written while shared shows at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "draw.h"
#include "generate/page_table.h"

enum { EACH = 4, LIMIT = 96, SEQUENCES = 24, LONGEST = 60, STEPS = 1000000 };

typedef struct shadow {
    bool alive;
    size_t n;
    int32_t tokens[LONGEST];
    page_table table;
} shadow;

typedef struct world {
    page_pool *pool;
    uint64_t seed;
    shadow sequences[SEQUENCES];
    uint64_t store[LIMIT][EACH];
    size_t found, refused, copied;
} world;

static uint32_t draw(world *w, uint32_t n) { return draw_below(&w->seed, n); }

static uint64_t content(const int32_t *tokens, size_t n)
{
    uint64_t hash = 7;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint64_t)tokens[i]) * 0x9E3779B97F4A7C15u + n;
    return hash ^ hash >> 29;
}

static uint64_t *slot(world *w, const shadow *s, size_t i)
{
    return &w->store[s->table.pages[i / EACH]][i % EACH];
}

static void agree(world *w, const shadow *s)
{
    assert_int_equal(s->table.n_tokens, s->n);
    assert_int_equal(s->table.n_pages, (s->n + EACH - 1) / EACH);
    for (size_t i = 0; i < s->n; i++)
        assert_true(*slot(w, s, i) == content(s->tokens, i + 1));
}

/* Appends n tokens as a scheduler would: places, copy, bytes, names. */
static void extend(world *w, shadow *s, size_t n)
{
    n = s->n + n > LONGEST ? LONGEST - s->n : n;
    page_copy copy;
    page_table before = s->table;
    heed_status status = page_table_extend(&s->table, w->pool, n, &copy);
    if (status) {
        assert_int_equal(status, HEED_NOMEM);
        assert_int_equal(s->table.n_pages, before.n_pages);
        w->refused++;
        return;
    }
    if (copy.to != PAGE_NONE) {
        memcpy(w->store[copy.to], w->store[copy.from], copy.tokens * sizeof(uint64_t));
        w->copied++;
    }
    for (size_t i = 0; i < n; i++, s->n++) {
        s->tokens[s->n] = (int32_t)draw(w, 2);
        *slot(w, s, s->n) = content(s->tokens, s->n + 1);
    }
    if (draw(w, 4))
        assert_int_equal(page_table_name(&s->table, w->pool, s->tokens), HEED_OK);
}

static void begin(world *w, shadow *s)
{
    int32_t prompt[LONGEST];
    size_t n = 1 + draw(w, 24);
    for (size_t i = 0; i < n; i++)
        prompt[i] = (int32_t)draw(w, 2);
    *s = (shadow){.alive = true};
    assert_int_equal(page_table_find(&s->table, w->pool, prompt, n), HEED_OK);
    s->n = s->table.n_tokens;
    memcpy(s->tokens, prompt, s->n * sizeof(*prompt));
    w->found += s->n;
}

static void end(world *w, shadow *s)
{
    page_table_free(&s->table, w->pool);
    s->alive = false;
}

static void step(world *w)
{
    shadow *s = &w->sequences[draw(w, SEQUENCES)];
    if (!s->alive) {
        shadow *parent = &w->sequences[draw(w, SEQUENCES)];
        if (!parent->alive || draw(w, 2)) {
            begin(w, s);
        } else {
            *s = *parent;
            assert_int_equal(page_table_fork(&parent->table, w->pool, &s->table), HEED_OK);
        }
    } else if (draw(w, 16) == 0) {
        end(w, s);
    } else if (draw(w, 8) == 0) {
        size_t n = draw(w, (uint32_t)s->n + 1);
        page_table_cut(&s->table, w->pool, n);
        s->n = n;
    } else {
        extend(w, s, draw(w, 3) ? 1 : draw(w, 12));
    }
    if (s->alive)
        agree(w, s);
}

static void counts_agree(world *w)
{
    bool held[LIMIT] = {false};
    uint32_t n = 0;
    for (size_t i = 0; i < SEQUENCES; i++)
        for (size_t j = 0; w->sequences[i].alive && j < w->sequences[i].table.n_pages; j++) {
            page_id page = w->sequences[i].table.pages[j];
            n += !held[page];
            held[page] = true;
        }
    page_counts counts = page_pool_count(w->pool);
    assert_int_equal(counts.held, n);
    assert_int_equal(counts.held + counts.kept + counts.free, LIMIT);
    assert_true(counts.used <= LIMIT);
}

static void random_steps_agree_with_a_shadow(void **state)
{
    (void)state;
    world *w = calloc(1, sizeof(*w));
    w->seed = 42;
    assert_int_equal(page_pool_new(EACH, LIMIT, &w->pool), HEED_OK);
    for (size_t i = 0; i < STEPS; i++) {
        step(w);
        if (i % 64 == 0)
            counts_agree(w);
    }
    assert_true(w->found > STEPS / 100);
    assert_true(w->refused > STEPS / 1000);
    assert_true(w->copied > STEPS / 1000);
    for (size_t i = 0; i < SEQUENCES; i++) {
        if (w->sequences[i].alive)
            agree(w, &w->sequences[i]);
        end(w, &w->sequences[i]);
    }
    assert_int_equal(page_pool_count(w->pool).held, 0);
    page_pool_free(w->pool);
    free(w);
}

static void a_beginning_is_found(void **state)
{
    (void)state;
    static const int32_t text[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    page_pool *pool;
    page_table a = {0}, b = {0}, c = {0};
    page_copy copy;
    assert_int_equal(page_pool_new(4, 3, &pool), HEED_OK);
    assert_int_equal(page_table_extend(&a, pool, 9, &copy), HEED_OK);
    assert_int_equal(page_table_name(&a, pool, text), HEED_OK);
    assert_int_equal(page_table_find(&b, pool, text, 9), HEED_OK);
    assert_int_equal(b.n_tokens, 8);
    assert_int_equal(page_table_find(&c, pool, text + 1, 8), HEED_OK);
    assert_int_equal(c.n_tokens, 0);
    page_table_free(&a, pool);
    assert_int_equal(page_pool_count(pool).held, 2);
    page_table_free(&b, pool);
    assert_int_equal(page_pool_count(pool).kept, 2);
    /* Room is taken from the end of what nobody holds. */
    assert_int_equal(page_table_extend(&c, pool, 8, &copy), HEED_OK);
    assert_int_equal(page_table_find(&b, pool, text, 9), HEED_OK);
    assert_int_equal(b.n_tokens, 4);
    assert_int_equal(page_table_extend(&a, pool, 1, &copy), HEED_NOMEM);
    assert_int_equal(a.n_pages, 0);
    page_table_free(&a, pool);
    page_table_free(&b, pool);
    page_table_free(&c, pool);
    page_pool_free(pool);
}

static void equal_pages_become_one(void **state)
{
    (void)state;
    static const int32_t text[] = {1, 2, 3, 4};
    page_pool *pool;
    page_table a = {0}, b = {0};
    page_copy copy;
    assert_int_equal(page_pool_new(2, 8, &pool), HEED_OK);
    assert_int_equal(page_table_extend(&a, pool, 4, &copy), HEED_OK);
    assert_int_equal(page_table_extend(&b, pool, 4, &copy), HEED_OK);
    assert_int_equal(page_pool_count(pool).held, 4);
    assert_int_equal(page_table_name(&a, pool, text), HEED_OK);
    assert_int_equal(page_table_name(&b, pool, text), HEED_OK);
    assert_int_equal(page_pool_count(pool).held, 2);
    assert_int_equal(a.pages[1], b.pages[1]);
    page_table_free(&a, pool);
    page_table_free(&b, pool);
    page_pool_free(pool);
}

static void wrong_sizes_are_refused(void **state)
{
    (void)state;
    page_pool *pool;
    assert_int_equal(page_pool_new(0, 8, &pool), HEED_USAGE);
    assert_int_equal(page_pool_new(16, 0, &pool), HEED_USAGE);
    assert_int_equal(page_pool_new(1u << 20, 8, &pool), HEED_USAGE);
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps_agree_with_a_shadow),
        cmocka_unit_test(a_beginning_is_found),
        cmocka_unit_test(equal_pages_become_one),
        cmocka_unit_test(wrong_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
