/* What this machine is: the choice of vector code by CPUID, and the words that describe the
 * processor. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

typedef struct isa_row {
    cpu_device device;
    bool (*available)(void);
} isa_row;

static bool always(void) { return true; }

#if defined(__x86_64__)
/* The builtin reads CPUID and asks XGETBV whether the kernel saves the registers. */
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx512_bf16(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

/* Tiles need memory that the kernel gives a process which asks for it; it may refuse, and knows
 * whether the processor has them. */
enum { CPUID_TILES = 1 << 24, CPUID_TILES_BF16 = 1 << 22, ASK_PERMISSION = 0x1023, TILE_DATA = 18 };

static bool has_amx_bf16(void)
{
    unsigned a, b, c, d = 0;
    if (!has_avx512_bf16() || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return false;
    if (!(d & CPUID_TILES) || !(d & CPUID_TILES_BF16))
        return false;
    return syscall(SYS_arch_prctl, ASK_PERMISSION, TILE_DATA) == 0;
}
#endif

/* The first that is there is the best; what stands behind `base` is there for tests. */
static const isa_row isas[] = {
#if defined(__x86_64__)
    {{"amx_bf16", &cpu_lanes_avx512, &cpu_brain_amx_bf16}, has_amx_bf16},
    {{"avx512_bf16", &cpu_lanes_avx512, &cpu_brain_avx512_bf16}, has_avx512_bf16},
    {{"avx512", &cpu_lanes_avx512, NULL}, has_avx512},
    {{"avx2", &cpu_lanes_avx2, NULL}, has_avx2},
#endif
    {{"base", &cpu_lanes_base, NULL}, always},
    {{"base_bf16", &cpu_lanes_base, &cpu_brain_base_bf16}, always},
    {{"base_amx", &cpu_lanes_base, &cpu_brain_base_amx}, always},
};

const cpu_device *cpu_device_find(const char *name)
{
    for (size_t i = 0; i < sizeof(isas) / sizeof(isas[0]); i++)
        if ((!name || !strcmp(name, isas[i].device.name)) && isas[i].available())
            return &isas[i].device;
    return NULL;
}

const cpu_lanes *cpu_lanes_find(const char *name)
{
    const cpu_device *device = cpu_device_find(name);
    return device ? device->lanes : NULL;
}

/* The processor's own name for itself, without the blanks that pad it. */
static void model_name(char text[64])
{
    memcpy(text, "CPU", 4);
#if defined(__x86_64__)
    unsigned words[12];
    if ((unsigned)__get_cpuid_max(0x80000000u, NULL) < 0x80000004u)
        return;
    for (unsigned i = 0; i < 3; i++) {
        unsigned *w = words + (size_t)i * 4;
        __get_cpuid(0x80000002u + i, &w[0], &w[1], &w[2], &w[3]);
    }
    memcpy(text, words, sizeof(words));
    text[sizeof(words)] = '\0';
    char *first = text + strspn(text, " ");
    memmove(text, first, strlen(first) + 1);
    for (size_t n = strlen(text); n && text[n - 1] == ' '; n--)
        text[n - 1] = '\0';
#endif
}

/* Cores that this process may use: affinity counts, the number of sockets does not. */
static long cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? online : 1;
}

void cpu_describe(char *text, size_t size)
{
    char name[64];
    model_name(name);
    long count = cores();
    snprintf(text, size, "%s, %ld core%s, %s", name, count, count == 1 ? "" : "s",
             cpu_device_find(NULL)->name);
}

/* ---- Tables of vector code ---------------------------------------------------------------- */

const cpu_map_row *cpu_map_find(const cpu_lanes *lanes, const char *op, heed_dtype in)
{
    for (const cpu_map_row *row = lanes->maps; row->op; row++)
        if (row->in == in && !strcmp(row->op, op))
            return row;
    return NULL;
}

const cpu_zip_row *cpu_zip_find(const cpu_lanes *lanes, const char *op, heed_dtype in)
{
    for (const cpu_zip_row *row = lanes->zips; row->op; row++)
        if (row->in == in && !strcmp(row->op, op))
            return row;
    return NULL;
}

cpu_map *cpu_convert_find(const cpu_lanes *lanes, heed_dtype from, heed_dtype to)
{
    for (const cpu_convert_row *row = lanes->converts; row->from; row++)
        if (row->from == from && row->to == to)
            return row->run;
    return NULL;
}

const cpu_fold_row *cpu_fold_find(const cpu_lanes *lanes, const char *op)
{
    for (const cpu_fold_row *row = lanes->folds; row->op; row++)
        if (!strcmp(row->op, op))
            return row;
    return NULL;
}
