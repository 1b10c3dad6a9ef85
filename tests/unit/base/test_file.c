/* Mapped files, and every way out of the model's folder that is known; each is tried with openat2
 * and again in a child where the kernel refuses openat2, which takes the walk. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

static char root[] = "/tmp/heed-file-XXXXXX";

static void write_file(const char *path, const char *text)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), strlen(text));
    close(descriptor);
}

/* model/{data,sub/data,link,linkdir,hard,pipe}, secret outside. */
static int make_tree(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL || chdir(root) != 0)
        return -1;
    write_file("secret", "secret");
    mkdir("model", 0700);
    mkdir("model/sub", 0700);
    write_file("model/data", "12345");
    write_file("model/sub/data", "678");
    write_file("model/empty", "");
    write_file("model/hard", "hard");
    return symlink("../secret", "model/link") | symlink("..", "model/linkdir") |
           symlink("data", "model/inner") | symlink("sub", "model/innerdir") |
           link("model/hard", "model/hard2") | mkfifo("model/pipe", 0600);
}

static int remove_tree(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return chdir("/") | system(command);
}

/* ---- Plain files
 * --------------------------------------------------------------------------------- */

static void files_are_mapped(void **state)
{
    (void)state;
    file_map m;
    assert_int_equal(file_map_open("model/data", &m), HEED_OK);
    assert_int_equal(m.n_bytes, 5);
    assert_memory_equal(m.bytes, "12345", 5);
    file_map_close(&m);
    assert_null(m.bytes);
    assert_int_equal(file_map_open("model/empty", &m), HEED_OK);
    assert_null(m.bytes);
    file_map_close(&m);
    assert_int_equal(file_map_open("model/link", &m), HEED_OK); /* the user's own path may */
    file_map_close(&m);
}

enum { LARGE = 4 << 20, A_PAGE = 4096 };

static long faults_of_reading(const uint8_t *bytes)
{
    struct rusage before, after;
    unsigned sum = 0;
    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < LARGE; i += A_PAGE)
        sum += ((const volatile uint8_t *)bytes)[i];
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(sum, 'x' * (LARGE / A_PAGE));
    return after.ru_minflt - before.ru_minflt;
}

static void what_was_touched_needs_no_faults(void **state)
{
    (void)state;
    file_map m;
    char *text = malloc(LARGE + 1);
    memset(text, 'x', LARGE);
    text[LARGE] = 0;
    write_file("model/large", text);
    file_touch(text, LARGE); /* no mapping: nothing happens to it */
    file_touch(text + 1, 0);
    assert_int_equal(text[LARGE - 1], 'x');
    assert_int_equal(file_map_open("model/large", &m), HEED_OK);
    long without = faults_of_reading(m.bytes);
    file_map_close(&m);
    assert_int_equal(file_map_open("model/large", &m), HEED_OK);
    bool can = madvise((void *)(uintptr_t)m.bytes, A_PAGE, 22) == 0; /* Linux 5.14 */
    file_touch(m.bytes + 5, LARGE - 5);
    assert_true(!can || faults_of_reading(m.bytes) * 4 < without);
    file_map_close(&m);
    free(text);
    unlink("model/large");
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    file_map m;
    assert_int_equal(file_map_open("model/none", &m), HEED_NOTFOUND);
    assert_string_equal(err_get()->message,
                        "model/none: cannot be opened: No such file or directory");
    assert_int_equal(file_map_open("model", &m), HEED_INVALID);
    assert_string_equal(err_get()->message, "model: expected a regular file, found a folder");
    assert_int_equal(file_map_open("model/pipe", &m), HEED_INVALID); /* and does not wait */
    assert_string_equal(err_get()->found, "a pipe");
    assert_int_equal(file_map_open("/dev/null", &m), HEED_INVALID);
    assert_string_equal(err_get()->found, "a device");
}

/* ---- Below a folder
 * -------------------------------------------------------------------------------- */

static const struct {
    const char *location;
    const char *found; /* NULL: it is allowed */
} locations[] = {
    {"data", NULL},
    {"sub/data", NULL},
    {"./sub//data", NULL},
    {"empty", NULL},
    {"none", "no such file"},
    {"sub/none", "no such file"},
    {"", "an empty location"},
    {"/etc/passwd", "an absolute path"},
    {"../secret", "a path with \"..\""},
    {"sub/../data", "a path with \"..\""},
    {"sub/..", "a path with \"..\""},
    {"link", "a symbolic link or a file on the way"},
    {"linkdir/secret", "a symbolic link or a file on the way"},
    {"inner", "a symbolic link or a file on the way"},
    {"innerdir/data", "a symbolic link or a file on the way"},
    {"data/x", "a symbolic link or a file on the way"},
    {"hard", "a file with several"},
    {"sub", "a folder"},
    {".", "a folder"},
    {"pipe", "a pipe"},
};

/* Counts what went wrong, so that a child can report it. */
static int wrong_answers(void)
{
    file_folder folder;
    int wrong = file_folder_open("model/model.onnx", &folder) != HEED_OK;
    for (size_t i = 0; i < sizeof(locations) / sizeof(locations[0]); i++) {
        file_map m;
        heed_status status = file_map_below(&folder, locations[i].location, &m);
        bool right = locations[i].found ? status == HEED_INVALID &&
                                              !strcmp(err_get()->found, locations[i].found) &&
                                              strstr(err_get()->element, locations[i].location)
                                        : status == HEED_OK;
        if (!right)
            fprintf(stderr, "\"%s\": %s\n", locations[i].location, err_get()->message);
        wrong += !right;
        file_map_close(&m);
    }
    file_folder_close(&folder);
    return wrong;
}

static void nothing_leads_out_of_the_folder(void **state)
{
    (void)state;
    assert_int_equal(wrong_answers(), 0);
}

/* From now on openat2 does not exist. */
static bool forget_openat2(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void nothing_leads_out_without_openat2(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(forget_openat2() ? wrong_answers() : 77);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void folders(void **state)
{
    (void)state;
    file_folder folder;
    file_map m;
    assert_int_equal(file_folder_open_dir("model", &folder), HEED_OK);
    assert_int_equal(file_map_below(&folder, "data", &m), HEED_OK);
    file_map_close(&m);
    file_folder_close(&folder);
    assert_int_equal(folder.descriptor, -1);
    assert_int_equal(file_map_below(&folder, "data", &m), HEED_INVALID); /* a model in memory */
    assert_int_equal(file_folder_open_dir("none", &folder), HEED_NOTFOUND);
    assert_int_equal(file_folder_open("secret", &folder), HEED_OK); /* the current folder */
    assert_int_equal(file_map_below(&folder, "secret", &m), HEED_OK);
    file_map_close(&m);
    file_folder_close(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_mapped),
        cmocka_unit_test(what_was_touched_needs_no_faults),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(nothing_leads_out_of_the_folder),
        cmocka_unit_test(nothing_leads_out_without_openat2),
        cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
