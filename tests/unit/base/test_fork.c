/* A forked child has a pool that works, and knows that it is a child. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pool.h"

static atomic_uint ran;

static void count(void *arg, uint32_t i)
{
    (void)arg;
    (void)i;
    atomic_fetch_add(&ran, 1);
}

/* Two pieces that wait for each other: only a pool with a second thread gets through. */
static void meet(void *arg, uint32_t i)
{
    (void)i;
    atomic_uint *here = arg;
    atomic_fetch_add(here, 1);
    while (atomic_load(here) < 2)
        sched_yield();
}

/* 0: all is well. */
static int look_around(uint32_t parents_generation)
{
    atomic_uint here = 0;
    if (pool_fork_generation() == parents_generation)
        return 1;
    atomic_store(&ran, 0);
    pool_run(count, NULL, 1000);
    if (atomic_load(&ran) != 1000)
        return 2;
    pool_run(meet, &here, 2);
    pool_stop();
    return 0;
}

static void fork_and_look(uint32_t generation)
{
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60); /* a pool that hangs must not hang the test */
        _exit(look_around(generation));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(pool_fork_generation(), generation);
}

static void child_of_an_idle_pool(void **state)
{
    (void)state;
    uint32_t generation = pool_fork_generation();
    assert_int_equal(pool_set_threads(3), HEED_OK);
    fork_and_look(generation); /* not started yet */
    pool_run(count, NULL, 1000);
    fork_and_look(generation);
    usleep(2000); /* the workers sleep by now */
    fork_and_look(generation);
}

static atomic_uint stop;

static void *keep_busy(void *arg)
{
    while (!atomic_load(&stop))
        pool_run(count, arg, 100);
    return NULL;
}

static void child_of_a_busy_pool(void **state)
{
    (void)state;
    pthread_t thread;
    uint32_t generation = pool_fork_generation();
    assert_int_equal(pthread_create(&thread, NULL, keep_busy, NULL), 0);
    for (int i = 0; i < 30; i++)
        fork_and_look(generation);
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_of_an_idle_pool),
        cmocka_unit_test(child_of_a_busy_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
