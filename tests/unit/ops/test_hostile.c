/* Operators of the registry on drawn inputs, a few thousand of them, the same in each run: what the
 * fuzzer fuzz_ops does for as long as one likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/service.h"
#include "heed/heed.h"
#include "op_check.h"

enum { DRAWS = 3000 };

static uint64_t used(void)
{
    heed_memory_use use = {.size = sizeof(use)};
    heed_memory_get(&use, 0);
    return use.bytes;
}

/* Plugins that operators load by themselves stay, and would look like a leak. */
static void load_services(void)
{
    const void *unused;
    service_find("heed.text/1", &unused);
    service_find("heed.image/1", &unused);
}

static void drawn_operators(void **state)
{
    (void)state;
    uint64_t bytes = 1, before = 0;
    for (int i = 0; i < DRAWS; i++) {
        uint8_t text[8];
        bytes = bytes * 6364136223846793005u + 1442695040888963407u;
        uint64_t mixed = bytes ^ bytes >> 31;
        memcpy(text, &mixed, sizeof(text));
        if (op_check_bytes(text, sizeof(text)))
            fail_msg("draw %d", i);
        if (i == DRAWS / 2) {
            load_services();
            before = used();
        }
    }
    assert_int_equal(used(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(drawn_operators)};
    op_check_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
