/* CPU quotas and memory limits of cgroups, version 1 and 2, from made-up hierarchies. */
#include <sched.h>
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

#include "base/cpus.h"
#include "base/ram.h"

static char root[] = "/tmp/heed-cpus-XXXXXX";

/* Writes root/folder/name, making the folders. */
static void put(const char *folder, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof(path), "mkdir -p %s%s", root, folder);
    assert_int_equal(system(path), 0);
    snprintf(path, sizeof(path), "%s%s/%s", root, folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

static void version_2(void **state)
{
    (void)state;
    put("/v2/a/b", "cpu.max", "max 100000\n");
    assert_int_equal(cpus_quota("0::/v2/a/b\n", root), 0);
    put("/v2/a", "cpu.max", "250000 100000\n");
    assert_int_equal(cpus_quota("0::/v2/a/b\n", root), 3); /* rounded up, from the group above */
    put("/v2/a/b", "cpu.max", "50000 100000\n");
    assert_int_equal(cpus_quota("0::/v2/a/b\n", root), 1);
    put("/v2/a/b", "cpu.max", "garbage");
    assert_int_equal(cpus_quota("0::/v2/a/b\n", root), 3);
    put("/v2/a/b", "cpu.max", "9223372036854775807 1");
    assert_int_equal(cpus_quota("0::/v2/a/b\n", root), 3);
}

/* In a container the path of the host is not there, the quota is at the mount. */
static void path_that_is_not_there(void **state)
{
    (void)state;
    put("/box", "cpu.max", "400000 100000\n");
    char mount[64];
    snprintf(mount, sizeof(mount), "%s/box", root);
    assert_int_equal(cpus_quota("0::/system.slice/docker-1.scope\n", mount), 4);
    assert_int_equal(cpus_quota("0::/\n", mount), 4);
    assert_int_equal(cpus_quota("0::/../other\n", mount), 4);
}

static void version_1(void **state)
{
    (void)state;
    put("/cpu,cpuacct/x", "cpu.cfs_quota_us", "-1\n");
    put("/cpu,cpuacct/x", "cpu.cfs_period_us", "100000\n");
    static const char here[] = "5:memory:/x\n4:cpu,cpuacct:/x\n1:cpuset:/x\n0::/none\n";
    assert_int_equal(cpus_quota(here, root), 0);
    put("/cpu,cpuacct/x", "cpu.cfs_quota_us", "200000\n");
    assert_int_equal(cpus_quota(here, root), 2);
    assert_int_equal(cpus_quota("4:cpuset,memory:/x\n", root), 0);
    put("/cpu/y", "cpu.cfs_quota_us", "100000\n");
    put("/cpu/y", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpus_quota("4:cpuacct,cpu:/y\n", root), 1);
}

static void nonsense(void **state)
{
    (void)state;
    assert_int_equal(cpus_quota("", root), 0);
    assert_int_equal(cpus_quota("no colons\n:::\n0:\n", root), 0);
    static char text[10000];
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "0::/", 4);
    assert_int_equal(cpus_quota(text, root), 0);
}

static void affinity_counts(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_in_range(cpus_allowed(), 1, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    }
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(cpus_allowed(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void memory(void **state)
{
    (void)state;
    put("/m/a/b", "memory.max", "max\n");
    assert_int_equal(ram_limit("0::/m/a/b\n", root), 0);
    put("/m/a", "memory.max", "8000000000\n");
    assert_int_equal(ram_limit("0::/m/a/b\n", root), 8000000000u);
    put("/m/a/b", "memory.high", "3000000000\n");
    assert_int_equal(ram_limit("0::/m/a/b\n", root), 3000000000u);
    put("/memory/x", "memory.limit_in_bytes", "5000000\n");
    assert_int_equal(ram_limit("7:memory:/x\n0::/none\n", root), 5000000);
    assert_int_equal(ram_limit("7:cpu:/x\n", root), 0);
    assert_true(ram_allowed() > 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_2), cmocka_unit_test(path_that_is_not_there),
        cmocka_unit_test(version_1), cmocka_unit_test(memory),
        cmocka_unit_test(nonsense),  cmocka_unit_test(affinity_counts),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
