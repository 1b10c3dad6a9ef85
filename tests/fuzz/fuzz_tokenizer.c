/* Any bytes as a tokenizer.json, and text behind a NUL. What must hold is in the sanitizers, that
 * no token is out of range, and that what was encoded can be decoded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "heed/plugin.h"
#include "vocabulary.h"

enum { LIMIT = 64 << 20, TEXT_MAX = 400, TOKENS_MAX = 4096 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static heed_status host_fail(heed_status status, const char *format, ...)
{
    (void)format;
    return status;
}

static void *host_alloc(size_t bytes) { return bytes > LIMIT ? NULL : malloc(bytes); }

static void host_free(void *pointer, size_t bytes)
{
    (void)bytes;
    free(pointer);
}

static const heed_host host = {
    .size = sizeof(host),
    .abi = HEED_ABI,
    .fail = host_fail,
    .alloc = host_alloc,
    .free = host_free,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    tok_host = &host;
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
