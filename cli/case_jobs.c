/* case_jobs.c - runs many test cases, one after another or in several child processes.
 *
 * Children are forked before the library has done anything. They take cases from a shared counter
 * and leave results in shared memory; a byte through a pipe says that something is new. A child
 * that dies leaves a case in the state "started": that one failed, and a new child goes on. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "session.h"

enum { MAX_JOBS = 64 };

typedef struct shared {
    atomic_size_t next;
    case_result results[]; /* one a case */
} shared;

typedef struct crew {
    const case_setup *setup;
    const case_list *list;
    shared *shared;
    size_t bytes; /* of shared */
    size_t jobs, alive;
    pid_t pids[MAX_JOBS]; /* 0: none */
    int pipe[2];
    size_t reported;
    case_done_fn done;
    void *arg;
} crew;

static int run_here(const case_setup *setup, const case_list *list, case_done_fn done, void *arg)
{
    int code = session_prepare(setup->args);
    for (size_t i = 0; i < list->n && !code; i++) {
        case_result result = {0};
        case_run(setup, list->folders[i], &result);
        done(arg, i, &result);
    }
    return code;
}

/* ---- In a child ---- */

static void tell_parent(const crew *c)
{
    while (write(c->pipe[1], "", 1) < 0 && errno == EINTR)
        continue;
}

static _Noreturn void work(crew *c)
{
    close(c->pipe[0]);
    int code = session_prepare(c->setup->args);
    if (code)
        _exit(code);
    if (!args_get(c->setup->args, "threads")) {
        uint32_t share = heed_get_threads() / (uint32_t)c->jobs; /* children share the machine */
        heed_set_threads(share ? share : 1);
    }
    size_t i;
    while ((i = atomic_fetch_add(&c->shared->next, 1)) < c->list->n) {
        case_result *result = &c->shared->results[i];
        result->state = CASE_STARTED;
        snprintf(result->reason, sizeof result->reason, "%d", (int)getpid());
        case_run(c->setup, c->list->folders[i], result);
        tell_parent(c);
    }
    _exit(EXIT_OK);
}

/* ---- In the parent ---- */

static bool start_child(crew *c, size_t slot)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        work(c);
    c->pids[slot] = pid > 0 ? pid : 0;
    c->alive += pid > 0;
    return pid > 0;
}

/* The case that a dead child was at has failed. */
static void bury(crew *c, pid_t pid, int status)
{
    char name[32];
    snprintf(name, sizeof name, "%d", (int)pid);
    for (size_t i = c->reported; i < c->list->n; i++) {
        case_result *result = &c->shared->results[i];
        if (result->state != CASE_STARTED || strcmp(result->reason, name))
            continue;
        if (WIFSIGNALED(status))
            snprintf(result->reason, sizeof result->reason, "crashed: %s",
                     strsignal(WTERMSIG(status)));
        else
            snprintf(result->reason, sizeof result->reason, "ended its process with exit code %d",
                     WEXITSTATUS(status));
        result->state = CASE_FAILED;
    }
}

static void report(crew *c)
{
    while (c->reported < c->list->n && c->shared->results[c->reported].state > CASE_STARTED) {
        size_t i = c->reported++;
        c->done(c->arg, i, &c->shared->results[i]);
    }
}

/* Takes the exits of children; a setup that failed ends it all with the child's code. */
static int reap(crew *c)
{
    int status, code = EXIT_OK;
    for (size_t slot = 0; slot < c->jobs; slot++) {
        pid_t pid = c->pids[slot];
        if (!pid || waitpid(pid, &status, WNOHANG) != pid)
            continue;
        c->pids[slot] = 0;
        c->alive--;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK)
            continue;
        bury(c, pid, status);
        bool tried = atomic_load(&c->shared->next) > 0;
        if (!tried)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_INTERNAL;
        else if (atomic_load(&c->shared->next) < c->list->n)
            start_child(c, slot);
    }
    return code;
}

static int wait_for_all(crew *c)
{
    char news[256];
    int code = EXIT_OK;
    while (c->alive > 0 && !code) {
        struct pollfd wait = {.fd = c->pipe[0], .events = POLLIN};
        /* The limit is for children that die without a word. */
        if (poll(&wait, 1, 50) > 0 && read(c->pipe[0], news, sizeof news) < 0 && errno != EAGAIN)
            code = exit_with(EXIT_INTERNAL, "cannot hear the workers: %s", strerror(errno));
        report(c);
        int ended = reap(c);
        code = code ? code : ended;
    }
    report(c);
    return code;
}

static bool open_crew(crew *c)
{
    if (__builtin_mul_overflow(c->list->n, sizeof(case_result), &c->bytes))
        return false;
    c->bytes += sizeof(shared);
    void *memory = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    c->shared = memory; /* zeros: no case is tried */
    return !pipe2(c->pipe, O_NONBLOCK);
}

static int run_crew(crew *c)
{
    if (!open_crew(c))
        return exit_with(EXIT_INTERNAL, "cannot set up workers: %s", strerror(errno));
    for (size_t slot = 0; slot < c->jobs; slot++)
        if (!start_child(c, slot) && slot == 0)
            return exit_with(EXIT_INTERNAL, "cannot start a worker: %s", strerror(errno));
    int code = wait_for_all(c);
    close(c->pipe[0]);
    close(c->pipe[1]);
    munmap(c->shared, c->bytes);
    return code;
}

int case_run_all(const case_setup *setup, const case_list *list, size_t jobs, case_done_fn done,
                 void *arg)
{
    crew c = {.setup = setup, .list = list, .jobs = jobs, .done = done, .arg = arg};
    if (c.jobs > list->n)
        c.jobs = list->n;
    if (c.jobs > MAX_JOBS)
        c.jobs = MAX_JOBS;
    return c.jobs <= 1 ? run_here(setup, list, done, arg) : run_crew(&c);
}
