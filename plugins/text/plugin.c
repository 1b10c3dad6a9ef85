/* plugin.c - the plugin's table: what the runtime sees of the text services. */
#include <string.h>

#include "alloc.h"
#include "letters.h"
#include "regex.h"

#ifndef HEED_VERSION
#define HEED_VERSION "0"
#endif

static const heed_text services = {
    .size = sizeof services,
    .regex_compile = regex_compile,
    .regex_full_match = regex_full_match,
    .regex_free = regex_free,
    .change_case = letters_change_case,
};

static heed_status init(const heed_host *given)
{
    if (given->abi != HEED_ABI || !HEED_HAS(given, fail))
        return HEED_UNSUPPORTED;
    if (!HEED_HAS(given, alloc) || !HEED_HAS(given, free))
        return given->fail(HEED_UNSUPPORTED, "the plugin text needs alloc and free of the host");
    text_host = given;
    return HEED_OK;
}

static const void *get(const char *id) { return strcmp(id, HEED_TEXT_ID) == 0 ? &services : NULL; }

HEED_PLUGIN(text, .version = HEED_VERSION, .vendor = "heed", .init = init, .get = get);
