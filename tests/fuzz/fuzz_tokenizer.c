/* Any bytes as a tokenizer.json, and text behind a NUL. What must hold is in the sanitizers, that
 * no token is out of range, and that what was encoded can be decoded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service_host.h"
#include "vocabulary.h"

enum { LIMIT = 64 << 20, TEXT_MAX = 400, TOKENS_MAX = 4096 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    tok_host = &service_host;
    service.limit = LIMIT;
    return 0;
}

static void use(const heed_vocabulary *v, const char *text, size_t n)
{
    static int32_t tokens[TOKENS_MAX];
    static char decoded[TOKENS_MAX];
    uint64_t needed, bytes;
    if (vocabulary_encode(v, text, n, 0, tokens, TOKENS_MAX, &needed) || needed > TOKENS_MAX)
        return;
    for (size_t i = 0; i < needed; i++)
        if (tokens[i] < 0)
            __builtin_trap();
    vocabulary_decode(v, tokens, needed, HEED_DECODE_SPECIAL, decoded, TOKENS_MAX, &bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_vocabulary *v;
    const uint8_t *end = size ? memchr(bytes, 0, size) : NULL;
    size_t n = end ? (size_t)(end - bytes) : size, rest = end ? size - n - 1 : 0;
    if (rest > TEXT_MAX || vocabulary_open_memory((const char *)bytes, n, &v) != HEED_OK)
        return 0;
    use(v, end ? (const char *)end + 1 : "", rest);
    vocabulary_close(v);
    return 0;
}
