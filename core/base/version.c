/* version.c - what this library is: its version, how it was built, and the names of statuses. */
#include "heed/heed.h"
#include "heed/plugin.h"

_Static_assert(HEED_ABI == 1, "the text below names the ABI");

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

#if defined(HEED_DEBUG)
#define BUILD_KIND "debug"
#else
#define BUILD_KIND "release"
#endif
#if defined(__x86_64__)
#define BUILD_CPU "x86-64"
#elif defined(__aarch64__)
#define BUILD_CPU "aarch64"
#else
#define BUILD_CPU "other"
#endif
#if defined(__clang__)
#define BUILD_COMPILER __VERSION__
#else
#define BUILD_COMPILER "GCC " __VERSION__
#endif

const char *heed_version(void) { return HEED_VERSION; }

const char *heed_build_options(void)
{
    return "heed " HEED_VERSION ", " BUILD_KIND ", " BUILD_CPU ", " BUILD_COMPILER
           ", C " TEXT(__STDC_VERSION__) ", plugin ABI 1";
}

const char *heed_status_name(heed_status status)
{
    static const char *const names[] = {
        [HEED_OK] = "ok",
        [HEED_UNSUPPORTED] = "unsupported",
        [HEED_INVALID] = "invalid",
        [HEED_NOMEM] = "out of memory",
        [HEED_NOTFOUND] = "not found",
        [HEED_DEVICE] = "device",
        [HEED_INTERNAL] = "internal",
        [HEED_CANCELLED] = "cancelled",
        [HEED_DEADLINE] = "deadline",
        [HEED_IO] = "input/output",
        [HEED_USAGE] = "usage",
        [HEED_FORKED] = "forked",
    };
    return status < sizeof(names) / sizeof(names[0]) ? names[status] : "unknown";
}
