/* Real files: every model.onnx and every tensor below the data folders is read without an error,
 * and what it makes is what the file holds. The folders are HEED_TEST_DATA (separated by colons),
 * or build/data; without them this test is skipped. */
#define _XOPEN_SOURCE 700
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "onnx_record.h"

enum { SKIPPED = 77 };

static size_t files, failures;
static uint64_t nodes;

static uint8_t *slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size + 1);
    if (fread(bytes, 1, *size, file) != *size)
        *size = 0;
    fclose(file);
    return bytes;
}

static int visit(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    onnx_record r;
    size_t size;
    (void)info;
    uint8_t *bytes;
    if (type != FTW_F || strcmp(path + walk->base, "model.onnx") != 0)
        return 0;
    bytes = slurp(path, &size);
    if (!bytes)
        return 0;
    files++;
    onnx_record_open(&r);
    heed_status status = onnx_record_load(&r, bytes, size);
    nodes += r.n_nodes;
    if (status || onnx_record_importer()->probe(bytes, size) != 100) {
        failures++;
        print_message("%s: %s\n", path, status ? r.error : "not recognised");
    }
    onnx_record_close(&r);
    free(bytes);
    return 0;
}

static void test_every_file_is_read(void **state)
{
    (void)state;
    print_message("%zu models, %llu nodes, %zu failures\n", files, (unsigned long long)nodes,
                  failures);
    assert_int_equal(failures, 0);
    assert_int_equal(onnx_record_live, 0);
    assert_true(nodes >= files / 2);
}

static void walk_folders(char *folders)
{
    for (char *folder = strtok(folders, ":"); folder; folder = strtok(NULL, ":"))
        nftw(folder, visit, 32, FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_file_is_read)};
    char folders[4096];
    const char *data = getenv("HEED_TEST_DATA"), *build = getenv("HEED_BUILD");
    if (data)
        snprintf(folders, sizeof(folders), "%s", data);
    else
        snprintf(folders, sizeof(folders), "%s/data", build ? build : "build");
    walk_folders(folders);
    if (!files) {
        puts("no model.onnx below HEED_TEST_DATA or build/data");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
