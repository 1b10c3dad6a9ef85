/* The pool under stress: every piece runs exactly once, whatever else is going on. Runs under
 * ThreadSanitizer too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/pool.h"

enum { MOST = 3000, CALLERS = 8, ROUNDS = 300 };

typedef struct marks {
    uint32_t counts[MOST]; /* plain: a piece that ran twice at once is a race */
} marks;

static void mark(void *arg, uint32_t i) { ((marks *)arg)->counts[i]++; }

static bool all_once(const marks *m, uint32_t n)
{
    for (uint32_t i = 0; i < MOST; i++) {
        if (m->counts[i] != (i < n))
            return false;
    }
    return true;
}

static void every_piece_runs_once(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 3, 7, 64, 100, MOST};
    for (uint32_t threads = 1; threads <= 6; threads++) {
        assert_int_equal(pool_set_threads(threads), HEED_OK);
        assert_int_equal(pool_get_threads(), threads);
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            marks m = {0};
            pool_run(mark, &m, sizes[s]);
            assert_true(all_once(&m, sizes[s]));
        }
    }
}

/* ---- Many callers
 * ---------------------------------------------------------------------------------- */

static void *call_often(void *arg)
{
    uint32_t self = (uint32_t)(uintptr_t)arg;
    uintptr_t wrong = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        static _Thread_local marks m;
        uint32_t n = (self * 37 + round * 11) % 200;
        memset(&m, 0, sizeof(m));
        pool_run(mark, &m, n);
        wrong += !all_once(&m, n);
    }
    return (void *)wrong;
}

static void many_callers_at_once(void **state)
{
    (void)state;
    pthread_t threads[CALLERS];
    assert_int_equal(pool_set_threads(4), HEED_OK);
    for (uintptr_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, (void *)i), 0);
    for (int i = 0; i < CALLERS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

static void stopping_under_load(void **state)
{
    (void)state;
    pthread_t threads[CALLERS];
    for (uintptr_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, (void *)i), 0);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(pool_set_threads(1 + i % 4), HEED_OK);
        pool_stop();
    }
    for (int i = 0; i < CALLERS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

/* ---- Nested
 * ---------------------------------------------------------------------------------------- */

enum { FANOUT = 6 };

static atomic_uint leaves;

static void descend(void *arg, uint32_t i)
{
    (void)i;
    uintptr_t depth = (uintptr_t)arg;
    if (depth == 0)
        atomic_fetch_add(&leaves, 1);
    else
        pool_run(descend, (void *)(depth - 1), FANOUT);
}

static void nested_jobs(void **state)
{
    (void)state;
    assert_int_equal(pool_set_threads(4), HEED_OK);
    atomic_store(&leaves, 0);
    pool_run(descend, (void *)(uintptr_t)3, FANOUT);
    assert_int_equal(atomic_load(&leaves), FANOUT * FANOUT * FANOUT * FANOUT);
}

/* More jobs at once than there are slots: the rest run on their callers. */
static void deeper_than_the_slots(void **state)
{
    (void)state;
    atomic_store(&leaves, 0);
    for (uintptr_t depth = 0; depth < 9; depth++)
        pool_run(descend, (void *)(uintptr_t)4, 2);
    assert_int_equal(atomic_load(&leaves), 9 * 2 * FANOUT * FANOUT * FANOUT * FANOUT);
}

static void nest_linearly(void *arg, uint32_t i)
{
    uintptr_t depth = (uintptr_t)arg;
    atomic_fetch_add(&leaves, 1);
    if (depth > 0 && i == 0)
        pool_run(nest_linearly, (void *)(depth - 1), 2);
}

static void a_hundred_levels(void **state)
{
    (void)state;
    atomic_store(&leaves, 0);
    pool_run(nest_linearly, (void *)(uintptr_t)99, 2);
    assert_int_equal(atomic_load(&leaves), 200);
}

/* ---- Sharing, misuse
 * -------------------------------------------------------------------------------- */

typedef struct meeting {
    atomic_uint here;
} meeting;

/* Two pieces that wait for each other finish only if two threads work on the job. */
static void meet(void *arg, uint32_t i)
{
    (void)i;
    meeting *m = arg;
    atomic_fetch_add(&m->here, 1);
    while (atomic_load(&m->here) < 2)
        sched_yield();
}

static void pieces_run_on_several_threads(void **state)
{
    (void)state;
    assert_int_equal(pool_set_threads(2), HEED_OK);
    for (int i = 0; i < 20; i++) {
        meeting m = {0};
        pool_run(meet, &m, 2);
        assert_int_equal(atomic_load(&m.here), 2);
    }
}

static void set_from_inside(void *arg, uint32_t i)
{
    atomic_uint *refused = arg;
    (void)i;
    pool_stop(); /* does nothing here */
    if (pool_set_threads(2) == HEED_USAGE)
        atomic_fetch_add(refused, 1);
}

static void threads_cannot_be_set_from_inside(void **state)
{
    (void)state;
    atomic_uint refused = 0;
    pool_run(set_from_inside, &refused, 5);
    assert_int_equal(atomic_load(&refused), 5);
    assert_int_equal(pool_set_threads(100000), HEED_USAGE);
    assert_int_equal(heed_set_threads(0), HEED_OK);
    assert_true(heed_get_threads() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_runs_once),
        cmocka_unit_test(many_callers_at_once),
        cmocka_unit_test(stopping_under_load),
        cmocka_unit_test(nested_jobs),
        cmocka_unit_test(deeper_than_the_slots),
        cmocka_unit_test(a_hundred_levels),
        cmocka_unit_test(pieces_run_on_several_threads),
        cmocka_unit_test(threads_cannot_be_set_from_inside),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pool_stop();
    return failed;
}
