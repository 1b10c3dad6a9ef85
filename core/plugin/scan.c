/* scan.c - asks a plugin about itself in a child process, so that one that crashes, hangs or exits
 * becomes a line of the list, and so that listing plugins leaves none of them loaded. */
#include "plugin/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 10, MOST_BYTES = 4 << 20 };

/* ---- The child ------------------------------------------------------------------------------ */

/* A crash must end the child by its signal: no handler of the program, no core file. */
static void become_expendable(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGTERM};
    const struct rlimit none = {0};
    sigset_t nothing;
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
        signal(fatal[i], SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    setrlimit(RLIMIT_CORE, &none);
}

/* What a plugin prints must not get into the program's output. */
static void silence(void)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nowhere < 0)
        return;
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    close(nowhere);
}

/* Never returns: the child ends without running the program's exit handlers. */
static void child(int descriptor, const char *path)
{
    become_expendable();
    int answer_to = fcntl(descriptor, F_DUPFD_CLOEXEC, 3); /* off the places of stdin, stdout */
    silence();
    plugin_describe(answer_to, path);
    for (;;)
        syscall(SYS_exit_group, 0);
}

/* ---- The parent ----------------------------------------------------------------------------- */

/* What came from the child. */
typedef struct answer {
    char *text;
    size_t size, room;
    bool late;  /* it did not end in time */
    int status; /* of waitpid; -1: not known */
} answer;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* True when there is something to read; false when the time is over. */
static bool wait_readable(int descriptor, int64_t end)
{
    for (;;) {
        int64_t left = end - now_ms();
        struct pollfd p = {.fd = descriptor, .events = POLLIN};
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

static heed_status make_room(answer *a)
{
    size_t room = a->room ? 2 * a->room : 8192;
    if (a->size + 1 < a->room)
        return HEED_OK;
    char *text = mem_resize(a->text, a->size, room);
    if (text == NULL)
        return HEED_NOMEM;
    a->text = text;
    a->room = room;
    return HEED_OK;
}

static heed_status read_answer(answer *a, int descriptor)
{
    int64_t end = now_ms() + SECONDS * 1000;
    while (a->size < MOST_BYTES) {
        TRY(make_room(a));
        a->late = !wait_readable(descriptor, end);
        if (a->late)
            return HEED_OK;
        ssize_t n = read(descriptor, a->text + a->size, a->room - 1 - a->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return HEED_OK;
        a->size += (size_t)n;
        a->text[a->size] = '\0';
    }
    return HEED_OK;
}

/* Ends the child if it has not ended, and waits for it. */
static void reap(answer *a, pid_t pid, bool end_it)
{
    if (end_it)
        kill(pid, SIGKILL);
    pid_t waited;
    do
        waited = waitpid(pid, &a->status, 0);
    while (waited < 0 && errno == EINTR);
    if (waited != pid)
        a->status = -1; /* the program reaps all children itself */
}

static heed_status ask(const char *path, answer *a)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_fail(HEED_IO, "no pipe for a child process: %s", strerrordesc_np(errno));
    pid_t pid = fork();
    if (pid == 0)
        child(ends[1], path);
    close(ends[1]);
    heed_status status = HEED_OK;
    if (pid > 0)
        status = read_answer(a, ends[0]);
    else
        status = err_fail(HEED_IO, "no child process: %s", strerrordesc_np(errno));
    close(ends[0]);
    if (pid > 0)
        reap(a, pid, status != HEED_OK || a->late || a->size >= MOST_BYTES);
    return status;
}

static const char *verdict(arena *memory, const answer *a)
{
    if (a->late)
        return arena_printf(memory, "did not answer within %d seconds", SECONDS);
    if (a->size >= MOST_BYTES)
        return arena_printf(memory, "describes itself without end");
    if (a->status == -1)
        return arena_printf(memory, "ended while it was loaded");
    if (WIFSIGNALED(a->status))
        return arena_printf(memory, "crashed while it was loaded: %s",
                            sigdescr_np(WTERMSIG(a->status)));
    return arena_printf(memory, "ended the process while it was loaded (exit status %d)",
                        WEXITSTATUS(a->status));
}

static heed_status understand(arena *memory, const char *path, const answer *a, plugin_report **out)
{
    bool complete = false;
    char *text = arena_copy(memory, a->text, a->size);
    if (text == NULL)
        return HEED_NOMEM;
    TRY(plugin_read_description(memory, text, path, out, &complete));
    if (complete)
        return HEED_OK;
    plugin_report *failed = plugin_report_new(memory, path);
    if (failed == NULL)
        return HEED_NOMEM;
    failed->info.error = verdict(memory, a);
    *out = failed;
    return failed->info.error ? HEED_OK : HEED_NOMEM;
}

heed_status plugin_scan_file(arena *memory, const char *path, plugin_report **out)
{
    answer a = {.status = -1};
    heed_status status = ask(path, &a);
    if (status == HEED_OK)
        status = understand(memory, path, &a, out);
    mem_free(a.text);
    return status;
}
