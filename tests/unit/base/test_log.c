/* The log: silent by default, the callback's level, the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

typedef struct seen {
    int count;
    uint32_t level;
    char text[64];
} seen;

static void note(uint32_t level, const char *message, void *arg)
{
    seen *s = arg;
    s->count++;
    s->level = level;
    strncpy(s->text, message, sizeof(s->text) - 1);
}

static void callback_gets_its_levels(void **state)
{
    (void)state;
    seen s = {0};
    heed_set_log(note, &s, LOG_WARN);
    log_write(LOG_WARN, "w %d", 1);
    log_write(LOG_INFO, "i");
    assert_int_equal(s.count, 1);
    assert_int_equal(s.level, LOG_WARN);
    assert_string_equal(s.text, "w 1");
    assert_true(log_enabled(LOG_ERROR));
    assert_false(log_enabled(LOG_INFO));
    heed_set_log(NULL, NULL, LOG_DEBUG);
    log_write(LOG_ERROR, "nobody hears it");
    assert_false(log_enabled(LOG_ERROR));
    assert_int_equal(s.count, 1);
}

static void setting_from_inside_a_callback(uint32_t level, const char *message, void *arg)
{
    note(level, message, arg);
    heed_set_log(NULL, NULL, 0);
}

static void callback_may_replace_itself(void **state)
{
    (void)state;
    seen s = {0};
    heed_set_log(setting_from_inside_a_callback, &s, LOG_DEBUG);
    log_write(LOG_DEBUG, "a");
    log_write(LOG_DEBUG, "b");
    assert_int_equal(s.count, 1);
}

/* The program itself, started again with HEED_LOG and stderr in a pipe. */
static size_t stderr_of_child(const char *wish, char *text, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        setenv("HEED_LOG", wish, 1);
        execl("/proc/self/exe", "test_log", "child", (char *)NULL);
        _exit(9);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t n; (n = read(ends[0], text + used, size - 1 - used)) > 0;)
        used += (size_t)n;
    close(ends[0]);
    text[used] = '\0';
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return used;
}

static void environment_sends_to_stderr(void **state)
{
    (void)state;
    char text[256];
    stderr_of_child("info", text, sizeof(text));
    assert_string_equal(text, "heed: error: e\nheed: info: i\n");
    stderr_of_child("error", text, sizeof(text));
    assert_string_equal(text, "heed: error: e\n");
    assert_int_equal(stderr_of_child("", text, sizeof(text)), 0);
    assert_int_equal(stderr_of_child("nonsense", text, sizeof(text)), 0);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "child") == 0) {
        log_write(LOG_ERROR, "e");
        log_write(LOG_INFO, "i");
        log_write(LOG_DEBUG, "d");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callback_gets_its_levels),
        cmocka_unit_test(callback_may_replace_itself),
        cmocka_unit_test(environment_sends_to_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
