/* pool.c - the one thread pool of the process.
 *
 * A job stands in one of a fixed number of slots. Threads that work on it hold a reference to the
 * slot and take piece after piece from a counter; the caller works too, closes the slot when no
 * piece is left, and waits until the references are gone. Slots are static memory, so a worker
 * that looks at one too late finds it closed and goes away: nothing is locked, nothing is freed.
 * `epoch` counts the jobs that were opened; idle workers watch it, then sleep on it as a futex.
 *
 * Callers never wait for a thread that could wait for them: a job is finished by its own caller
 * even when no worker comes. That makes nested jobs, many callers, and a stop at any time safe. */
#include "base/pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cpus.h"

enum { SLOTS = 64, MAX_THREADS = 512, SPIN_NS = 50000, LINE = 128 };

typedef struct slot {
    _Alignas(LINE) atomic_uint_fast64_t next; /* the piece that is taken next */
    _Alignas(LINE) atomic_uint open;          /* there is a job that may be joined */
    atomic_uint references;                   /* threads that are working on it, or just looking */
    atomic_uint owned;                        /* some caller has the slot */
    atomic_uint waiting;                      /* that caller sleeps on `references` */
    pool_body body;
    void *arg;
    uint32_t n;
} slot;

static slot slots[SLOTS];
static _Alignas(LINE) atomic_uint epoch;
static atomic_uint sleepers;
static atomic_uint open_jobs; /* a hint: is there anything to look for? */

/* Starting and stopping, under `control`. */
static pthread_mutex_t control = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static pthread_t workers[MAX_THREADS];
static uint32_t n_workers;
static atomic_uint started, stopping;
static atomic_uint wanted; /* threads with the caller; 0: not determined yet */
static atomic_uint generation;

static _Thread_local uint32_t depth; /* bodies that this thread is in */

/* ---- Waiting ------------------------------------------------------------------------------- */

static void futex_wait(atomic_uint *word, unsigned expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, uint32_t n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n > INT32_MAX ? INT32_MAX : (int)n, NULL, NULL, 0);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* Watches a word for a short while; false when it still has the value. */
static bool spin_until_changed(const atomic_uint *word, unsigned value)
{
    uint64_t end = now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value)
                return true;
            relax();
        }
    } while (now_ns() < end);
    return false;
}

/* ---- Jobs ---------------------------------------------------------------------------------- */

static void take_pieces(slot *s)
{
    depth++;
    while (atomic_load_explicit(&s->next, memory_order_relaxed) < s->n) {
        uint64_t i = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
        if (i >= s->n)
            break;
        s->body(s->arg, (uint32_t)i);
    }
    depth--;
}

/* The last one out wakes the caller, if it sleeps. */
static void leave(slot *s)
{
    if (atomic_fetch_sub(&s->references, 1) == 1 && atomic_load(&s->waiting))
        futex_wake(&s->references, 1);
}

static bool has_pieces(const slot *s)
{
    return atomic_load(&s->open) && atomic_load_explicit(&s->next, memory_order_relaxed) < s->n;
}

static void visit(slot *s)
{
    if (!atomic_load_explicit(&s->open, memory_order_relaxed))
        return;
    atomic_fetch_add(&s->references, 1);
    if (has_pieces(s)) /* it is open while we hold a reference: it stays what it is */
        take_pieces(s);
    leave(s);
}

/* Each worker starts its round elsewhere, so that several jobs get their share. */
static void visit_all(uint32_t first)
{
    for (uint32_t i = 0; i < SLOTS && atomic_load(&open_jobs) > 0; i++)
        visit(&slots[(first + i) % SLOTS]);
}

static void *work(void *arg)
{
    uint32_t self = (uint32_t)(uintptr_t)arg;
    while (!atomic_load(&stopping)) {
        unsigned seen = atomic_load(&epoch);
        visit_all(self);
        if (spin_until_changed(&epoch, seen))
            continue;
        atomic_fetch_add(&sleepers, 1);
        if (!atomic_load(&stopping))
            futex_wait(&epoch, seen);
        atomic_fetch_sub(&sleepers, 1);
    }
    return NULL;
}

static slot *slot_claim(void)
{
    static atomic_uint hint;
    unsigned first = atomic_fetch_add_explicit(&hint, 1, memory_order_relaxed);
    for (unsigned i = 0; i < SLOTS; i++) {
        slot *s = &slots[(first + i) % SLOTS];
        if (!atomic_load_explicit(&s->owned, memory_order_relaxed) &&
            !atomic_exchange(&s->owned, 1))
            return s;
    }
    return NULL;
}

static void announce(uint32_t helpers)
{
    atomic_fetch_add(&epoch, 1);
    if (atomic_load(&sleepers) > 0)
        futex_wake(&epoch, helpers);
}

/* Until everybody who took a piece has finished it. */
static void wait_for_others(slot *s)
{
    unsigned left = atomic_load(&s->references);
    while (left != 0) {
        if (!spin_until_changed(&s->references, left)) {
            atomic_store(&s->waiting, 1);
            left = atomic_load(&s->references);
            if (left != 0)
                futex_wait(&s->references, left);
            atomic_store(&s->waiting, 0);
        }
        left = atomic_load(&s->references);
    }
}

static void run_shared(slot *s, pool_body body, void *arg, uint32_t n)
{
    s->body = body;
    s->arg = arg;
    s->n = n;
    atomic_store(&s->next, 0);
    atomic_store(&s->open, 1);
    atomic_fetch_add(&open_jobs, 1);
    announce(n - 1);
    take_pieces(s);
    atomic_store(&s->open, 0);
    atomic_fetch_sub(&open_jobs, 1);
    wait_for_others(s);
    atomic_store(&s->owned, 0);
}

/* ---- Starting and stopping ------------------------------------------------------------------ */

static void before_fork(void) { pthread_mutex_lock(&control); }

static void after_fork_parent(void) { pthread_mutex_unlock(&control); }

/* Only the thread that forked is there; the others' slots and references went with them. */
static void after_fork_child(void)
{
    for (int i = 0; i < SLOTS; i++) {
        atomic_store(&slots[i].open, 0);
        atomic_store(&slots[i].references, 0);
        atomic_store(&slots[i].owned, 0);
    }
    atomic_store(&sleepers, 0);
    atomic_store(&open_jobs, 0);
    atomic_store(&started, 0);
    atomic_store(&stopping, 0);
    n_workers = 0;
    atomic_fetch_add(&generation, 1);
    pthread_mutex_unlock(&control);
}

static void watch_forks(void) { pthread_atfork(before_fork, after_fork_parent, after_fork_child); }

static bool start_worker(void)
{
    pthread_t thread;
    void *number = (void *)(uintptr_t)(n_workers + 1);
    if (pthread_create(&thread, NULL, work, number) != 0)
        return false;
    char name[16];
    snprintf(name, sizeof(name), "heed-%u", (unsigned)(n_workers + 1));
    pthread_setname_np(thread, name);
    workers[n_workers++] = thread;
    return true;
}

/* The program's signals are not for our threads. Fewer threads than wanted are no error. */
static void start(void)
{
    sigset_t all, before;
    pthread_once(&fork_once, watch_forks);
    pthread_mutex_lock(&control);
    if (!atomic_load(&started)) {
        uint32_t most = pool_get_threads() - 1;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        while (n_workers < most && start_worker())
            continue;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        atomic_store(&started, 1);
    }
    pthread_mutex_unlock(&control);
}

static void stop_locked(void)
{
    atomic_store(&stopping, 1);
    atomic_fetch_add(&epoch, 1);
    futex_wake(&epoch, MAX_THREADS);
    while (n_workers > 0)
        pthread_join(workers[--n_workers], NULL);
    atomic_store(&stopping, 0);
    atomic_store(&started, 0);
}

void pool_stop(void)
{
    if (depth > 0)
        return;
    pthread_mutex_lock(&control);
    stop_locked();
    pthread_mutex_unlock(&control);
}

/* ---- The interface --------------------------------------------------------------------------- */

static void run_alone(pool_body body, void *arg, uint32_t n)
{
    depth++;
    for (uint32_t i = 0; i < n; i++)
        body(arg, i);
    depth--;
}

void pool_run(pool_body body, void *arg, uint32_t n)
{
    if (n < 2 || pool_get_threads() < 2) {
        run_alone(body, arg, n);
        return;
    }
    if (!atomic_load_explicit(&started, memory_order_acquire))
        start();
    slot *s = slot_claim();
    if (s)
        run_shared(s, body, arg, n);
    else
        run_alone(body, arg, n);
}

uint32_t pool_get_threads(void)
{
    static atomic_uint allowed;
    uint32_t n = atomic_load_explicit(&wanted, memory_order_relaxed);
    if (n == 0)
        n = atomic_load_explicit(&allowed, memory_order_relaxed);
    if (n == 0) {
        n = cpus_allowed();
        n = n < MAX_THREADS ? n : MAX_THREADS;
        atomic_store(&allowed, n);
    }
    return n;
}

heed_status pool_set_threads(uint32_t n)
{
    if (depth > 0)
        return err_fail(HEED_USAGE, "the number of threads cannot be set from inside a kernel");
    if (n > MAX_THREADS)
        return err_fail(HEED_USAGE, "%u threads were asked for, %u are possible", (unsigned)n,
                        (unsigned)MAX_THREADS);
    pthread_mutex_lock(&control);
    stop_locked();
    atomic_store(&wanted, n);
    pthread_mutex_unlock(&control);
    return HEED_OK;
}

uint32_t pool_fork_generation(void)
{
    pthread_once(&fork_once, watch_forks);
    return atomic_load(&generation);
}

heed_status heed_set_threads(uint32_t n) { return pool_set_threads(n); }

uint32_t heed_get_threads(void) { return pool_get_threads(); }
