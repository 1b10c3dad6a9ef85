/* Where plugins are looked for, and which importer gets a file. */
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

static char root[] = "/tmp/heed-search-XXXXXX";

static void shell(const char *format, const char *a, const char *b)
{
    char command[2500];
    snprintf(command, sizeof(command), format, a, b);
    assert_int_equal(system(command), 0);
}

/* root/one and root/two with plugins of the tests in them. */
static int make_folders(void **state)
{
    (void)state;
    const char *build = getenv("HEED_BUILD");
    if (build == NULL || mkdtemp(root) == NULL || chdir(root) != 0)
        return -1;
    shell("mkdir -p %s/one %s/two", root, root);
    shell("cp %s/tests/plugins/tiny.so %s/one/", build, root);
    shell("cp %s/tests/plugins/tiny.so %s/two/", build, root);
    shell("cp %s/tests/plugins/lines.so %s/two/", build, root);
    shell("cp %s/tests/plugins/init_fails.so %s/two/", build, root);
    return 0;
}

static int remove_folders(void **state)
{
    (void)state;
    shell("rm -rf %s%s", root, "");
    return chdir("/");
}

/* HEED_PLUGIN_PATH with $ for root. */
static void use_path(const char *path)
{
    char text[1000];
    size_t used = 0;
    for (const char *c = path; *c; c++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, *c == '$' ? "%s" : "%.1s",
                                 *c == '$' ? root : c);
    text[used] = '\0';
    plugin_shutdown();
    unsetenv("HEED_NO_PLUGINS");
    setenv("HEED_PLUGIN_PATH", text, 1);
}

static void first_folder_wins(void **state)
{
    (void)state;
    const plugin_backend *backend;
    heed_plugin_info info = {.size = sizeof(info)};
    size_t count;
    use_path("$/none::$/one:$/two:");
    assert_int_equal(plugin_open_backend("tiny", &backend), HEED_OK);
    assert_int_equal(plugin_open_backend("lines", &backend), HEED_OK);
    assert_int_equal(heed_plugin_scan(&count), HEED_OK);
    assert_int_equal(heed_plugin_get(1, &info), HEED_OK); /* 0 is the reference */
    assert_non_null(strstr(info.path, "/one/tiny.so"));
    assert_int_equal(heed_plugin_get(2, &info), HEED_OK);
    assert_non_null(strstr(info.path, "/two/init_fails.so"));
}

static void never_the_current_folder(void **state)
{
    (void)state;
    const plugin_backend *backend;
    assert_int_equal(chdir("two"), 0);
    use_path(".:../two:two");
    assert_int_equal(plugin_open_backend("tiny", &backend), HEED_DEVICE);
    assert_non_null(strstr(err_get()->message, "no plugin \"tiny\" in "));
    assert_int_equal(chdir(".."), 0);
}

static void what_was_searched_is_said(void **state)
{
    (void)state;
    const plugin_backend *backend;
    use_path("$/one:$/none");
    assert_int_equal(plugin_open_backend("cuda", &backend), HEED_DEVICE);
    assert_non_null(strstr(err_get()->message, "/one, "));
    assert_non_null(strstr(err_get()->message, "/none"));
    assert_non_null(strstr(err_get()->message, "HEED_PLUGIN_PATH"));
    assert_int_equal(plugin_open_backend("../two/tiny", &backend), HEED_USAGE);
}

static void folders_that_all_may_write_are_passed_over(void **state)
{
    (void)state;
    const char *const *files;
    char path[200];
    arena memory = {0};
    snprintf(path, sizeof(path), "%s/one", root);
    assert_int_equal(plugin_search_files(&memory, path, &files), HEED_OK);
    assert_non_null(files[0]);
    chmod(path, 0777);
    assert_int_equal(plugin_search_files(&memory, path, &files), HEED_OK);
    assert_null(files[0]);
    chmod(path, 0755);
    arena_free(&memory);
}

static void all_of_it_can_be_turned_off(void **state)
{
    (void)state;
    const plugin_backend *backend;
    const plugin_backend *const *defaults;
    const heed_importer *importer;
    char path[200];
    size_t count;
    use_path("$/one:$/two");
    setenv("HEED_NO_PLUGINS", "1", 1);
    assert_int_equal(plugin_open_backend("tiny", &backend), HEED_DEVICE);
    assert_non_null(strstr(err_get()->message, "HEED_NO_PLUGINS"));
    snprintf(path, sizeof(path), "%s/one/tiny.so", root);
    assert_int_equal(heed_plugin_load(path), HEED_USAGE);
    assert_int_equal(plugin_default_backends(&defaults), HEED_OK);
    assert_null(defaults[0]);
    assert_int_equal(heed_plugin_scan(&count), HEED_OK);
    assert_int_equal(count, 1);
    assert_int_equal(plugin_find_importer((const uint8_t *)"LINES", 5, NULL, &importer),
                     HEED_UNSUPPORTED);
    assert_non_null(strstr(err_get()->message, "HEED_NO_PLUGINS"));
    use_path("$/one:$/two");
}

static void explicit_paths_come_first(void **state)
{
    (void)state;
    const plugin_backend *a, *b;
    char path[200];
    use_path("$/one");
    snprintf(path, sizeof(path), "%s/two/tiny.so", root);
    assert_int_equal(heed_plugin_load(path), HEED_OK);
    assert_int_equal(plugin_open_backend("tiny", &a), HEED_OK);
    assert_int_equal(plugin_open_backend(path, &b), HEED_OK);
    assert_ptr_equal(a, b);
}

/* ---- Importers
 * --------------------------------------------------------------------------------------- */

static heed_status find(const char *bytes, const char *path, const heed_importer **out)
{
    return plugin_find_importer((const uint8_t *)bytes, strlen(bytes), path, out);
}

static void content_finds_the_importer(void **state)
{
    (void)state;
    const heed_importer *importer = NULL;
    use_path("$/one:$/two");
    assert_int_equal(find("LINES 1", "/x/model.bin", &importer), HEED_OK);
    assert_string_equal(importer->name, "lines");
    assert_int_equal(find("LINES 1", NULL, &importer), HEED_OK);
    assert_int_equal(find("damaged", "/x/model.ln", &importer), HEED_OK); /* by its extension */
    assert_string_equal(importer->name, "lines");
    assert_int_equal(find("what", "/x/model.bin", &importer), HEED_UNSUPPORTED);
    assert_null(importer);
    assert_non_null(strstr(err_get()->message, ".lines, .ln"));
    assert_non_null(strstr(err_get()->message, "/x/model.bin"));
    assert_int_equal(find("what", ".lines", &importer), HEED_UNSUPPORTED); /* no extension */
}

static bool count_one(plugin_module *m, void *arg)
{
    (void)m;
    ++*(int *)arg;
    return true;
}

/* model.lines is read without loading the plugins that come before lines.so. */
static void the_namesake_is_asked_first(void **state)
{
    (void)state;
    const heed_importer *importer;
    int loaded = 0;
    use_path("$/one:$/two");
    assert_int_equal(find("LINES", "/x/model.lines", &importer), HEED_OK);
    plugin_lock();
    plugin_visit_loaded(count_one, &loaded);
    plugin_unlock();
    assert_int_equal(loaded, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_folder_wins),
        cmocka_unit_test(never_the_current_folder),
        cmocka_unit_test(what_was_searched_is_said),
        cmocka_unit_test(folders_that_all_may_write_are_passed_over),
        cmocka_unit_test(all_of_it_can_be_turned_off),
        cmocka_unit_test(explicit_paths_come_first),
        cmocka_unit_test(content_finds_the_importer),
        cmocka_unit_test(the_namesake_is_asked_first),
    };
    int failed = cmocka_run_group_tests(tests, make_folders, remove_folders);
    plugin_shutdown();
    heed_memory_use use = {.size = sizeof(use)};
    heed_memory_get(&use, 0);
    return failed + (use.bytes != 0); /* everything was given back */
}
