/* The registry from many threads at once: everybody gets the same backend, and an importer. Runs
 * under ThreadSanitizer too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/pool.h"
#include "plugin/registry.h"

enum { THREADS = 16, ROUNDS = 20 };

typedef struct result {
    const plugin_backend *backend;
    const heed_importer *importer;
    int wrong;
} result;

static void *use_everything(void *arg)
{
    result *r = arg;
    const plugin_backend *backend;
    const plugin_backend *const *defaults;
    for (int i = 0; i < ROUNDS; i++) {
        r->wrong += plugin_open_backend("lines", &r->backend) != HEED_OK;
        r->wrong += plugin_open_backend("init_fails", &backend) != HEED_DEVICE;
        r->wrong += strstr(err_get()->message, "12 years old") == NULL;
        r->wrong += plugin_default_backends(&defaults) != HEED_OK;
        r->wrong +=
            plugin_find_importer((const uint8_t *)"LINES", 5, "/x.lines", &r->importer) != HEED_OK;
        r->wrong += heed_plugin_get_offer(100000, 0) != NULL;
    }
    return NULL;
}

static void everybody_gets_the_same(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    result results[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_everything, &results[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(results[i].wrong, 0);
        assert_non_null(results[i].backend);
        assert_ptr_equal(results[i].backend, results[0].backend);
        assert_ptr_equal(results[i].importer, results[0].importer);
    }
}

/* What plugins hear of the number of threads follows what the program asks for. */
static void host_knows_threads(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 3; n++) {
        assert_int_equal(pool_set_threads(n), HEED_OK);
        assert_int_equal(plugin_host()->threads(), n);
    }
    assert_int_equal(pool_set_threads(0), HEED_OK);
    assert_int_equal(plugin_host()->threads(), pool_get_threads());
}

static int use_folder(void **state)
{
    (void)state;
    char path[1000];
    const char *build = getenv("HEED_BUILD");
    if (build == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/tests/plugins", build);
    return setenv("HEED_PLUGIN_PATH", path, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everybody_gets_the_same),
                                       cmocka_unit_test(host_knows_threads)};
    int failed = cmocka_run_group_tests(tests, use_folder, NULL);
    plugin_shutdown();
    return failed;
}
