/* Which files may be loaded: place, owner, mode, links. The refused ones are copies of a plugin
 * that loads, so that nothing else can be the reason. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "plugin/module.h"
#include "plugin/registry.h"

static char root[] = "/tmp/heed-policy-XXXXXX";

static const char *at(const char *name)
{
    static char path[4][200];
    static int turn;
    char *text = path[turn++ % 4];
    snprintf(text, sizeof(path[0]), "%s/%s", root, name);
    return text;
}

static void shell(const char *format, const char *a, const char *b)
{
    char command[2500];
    snprintf(command, sizeof(command), format, a, b);
    assert_int_equal(system(command), 0);
}

static int make_folder(void **state)
{
    (void)state;
    char plugin[1000];
    const char *build = getenv("HEED_BUILD");
    if (build == NULL || mkdtemp(root) == NULL)
        return -1;
    snprintf(plugin, sizeof(plugin), "%s/tests/plugins/tiny.so", build);
    shell("cp %s %s", plugin, at("tiny.so"));
    chmod(at("tiny.so"), 0755);
    return chdir(root);
}

static int remove_folder(void **state)
{
    (void)state;
    plugin_shutdown();
    shell("rm -rf %s%s", root, "");
    return chdir("/");
}

/* Loading fails with this status, and the message has this text. */
static void refused(const char *path, heed_status status, const char *text)
{
    heed_status got = heed_plugin_load(path);
    if (got != status || !strstr(err_get()->message, text))
        fail_msg("%s: %s: \"%s\" lacks \"%s\"", path, heed_status_name(got), err_get()->message,
                 text);
}

static void a_file_of_my_own_loads(void **state)
{
    (void)state;
    char canonical[PATH_MAX];
    assert_int_equal(plugin_policy_file(at("tiny.so"), canonical), HEED_OK);
    assert_string_equal(canonical, at("tiny.so"));
    assert_int_equal(heed_plugin_load(at("tiny.so")), HEED_OK);
    plugin_shutdown();
}

static void relative_paths_are_refused(void **state)
{
    (void)state;
    refused("tiny.so", HEED_INVALID, "found a relative one");
    refused("./tiny.so", HEED_INVALID, "found a relative one");
    refused("", HEED_INVALID, "found a relative one");
    refused(at("none.so"), HEED_NOTFOUND, "No such file");
    refused(at("tiny.so/x"), HEED_NOTFOUND, "Not a directory");
    refused("/tmp", HEED_INVALID, "");
    assert_int_equal(heed_plugin_load(NULL), HEED_USAGE);
    const plugin_backend *backend;
    assert_int_equal(plugin_open_backend("./tiny.so", &backend), HEED_USAGE);
    assert_int_equal(plugin_open_backend("", &backend), HEED_USAGE);
}

static void what_all_may_write_is_refused(void **state)
{
    (void)state;
    chmod(at("tiny.so"), 0757);
    refused(at("tiny.so"), HEED_INVALID, "expected a file that only its owner can change");
    chmod(at("tiny.so"), 0755);
    chmod(root, 0777);
    refused(at("tiny.so"), HEED_INVALID, "expected a folder that only its owner can change");
    chmod(root, 01777);
    refused(at("tiny.so"), HEED_INVALID, "expected a folder that only its owner can change");
    chmod(root, 0700);
}

static void a_folder_above_that_all_may_write_is_refused(void **state)
{
    (void)state;
    mkdir(at("open"), 0700);
    mkdir(at("open/inner"), 0700);
    shell("cp %s %s", at("tiny.so"), at("open/inner/tiny.so"));
    chmod(at("open"), 0777);
    refused(at("open/inner/tiny.so"), HEED_INVALID, "found one that everybody can write");
    chmod(at("open"), 01777); /* as /tmp: nobody can exchange what is not his */
    assert_int_equal(heed_plugin_load(at("open/inner/tiny.so")), HEED_OK);
    plugin_shutdown();
}

static void links_may_not_lead_outside(void **state)
{
    (void)state;
    mkdir(at("links"), 0700);
    shell("ln -sf %s %s", "../tiny.so", at("links/tiny.so"));
    refused(at("links/tiny.so"), HEED_INVALID, "found a link that leads outside its folder");
    shell("cp %s %s", at("tiny.so"), at("links/tiny.so.1"));
    unlink(at("links/tiny.so"));
    shell("cp %s %s", at("tiny.so"), at("links/real.so"));
    shell("ln -sf %s %s", "real.so", at("links/tiny.so"));
    char canonical[PATH_MAX];
    assert_int_equal(plugin_policy_file(at("links/tiny.so"), canonical), HEED_OK);
    assert_string_equal(canonical, at("links/real.so"));
    /* A folder may be reached by a link: what it leads to is checked. */
    shell("ln -sf %s %s", at("links"), at("folder"));
    assert_int_equal(plugin_policy_file(at("folder/real.so"), canonical), HEED_OK);
    chmod(at("links"), 0777);
    assert_int_equal(plugin_policy_file(at("folder/real.so"), canonical), HEED_INVALID);
    chmod(at("links"), 0700);
}

static void what_belongs_to_others_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(at("tiny.so"), 65534, 65534), 0);
    refused(at("tiny.so"), HEED_INVALID, "expected a file that belongs to root or to you");
    assert_int_equal(chown(at("tiny.so"), 0, 0), 0);
    assert_int_equal(chown(root, 65534, 65534), 0);
    refused(at("tiny.so"), HEED_INVALID, "expected a folder that belongs to root or to you");
    assert_int_equal(chown(root, 0, 0), 0);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    mkdir(at("folder.so"), 0700);
    refused(at("folder.so"), HEED_INVALID, "which is a regular file");
    mkfifo(at("pipe.so"), 0600);
    refused(at("pipe.so"), HEED_INVALID, "which is a regular file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_my_own_loads),
        cmocka_unit_test(relative_paths_are_refused),
        cmocka_unit_test(what_all_may_write_is_refused),
        cmocka_unit_test(a_folder_above_that_all_may_write_is_refused),
        cmocka_unit_test(links_may_not_lead_outside),
        cmocka_unit_test(what_belongs_to_others_is_refused),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
