/* Decoders whose places of tokens are an input: whatever they are used for, a sequence that is
 * generated token by token gets those that it gets when all of it runs at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "made_decoder.h"

enum { PROMPT = 5, MOST = 9 };

/* One layer of 2 heads of 8 channels; `use` makes qt and kt of x, q, k and the places. */
#define DECODER(use)                                                                               \
    "in ids int64 [b, s]\nin at int64 [b, s]\nout y float32 [b, s, 23]\n"                          \
    "const e float32 [23, 16] random\nconst wq float32 [16, 16] random\n"                          \
    "const wk float32 [16, 16] random\nconst wv float32 [16, 16] random\n"                         \
    "const wy float32 [16, 23] random\nconst c float32 [64, 4] random\n"                           \
    "const d float32 [64, 4] random\nGather(e, ids) -> (x)\n" use "MatMul(x, wv) -> (v)\n"         \
    "Attention(qt, kt, v) -> (a) is_causal=1 q_num_heads=2 kv_num_heads=2\n"                       \
    "Add(a, x) -> (h)\nMatMul(h, wy) -> (y)\n"
#define PROJECTED "MatMul(x, wq) -> (q)\nMatMul(x, wk) -> (k)\n"
#define SPLIT                                                                                      \
    "const heads int64 [4] 0 0 2 8\nReshape(q, heads) -> (qs)\nReshape(k, heads) -> (ks)\n"        \
    "Transpose(qs) -> (qh) perm=[0,2,1,3]\nTranspose(ks) -> (kh) perm=[0,2,1,3]\n"
#define MERGED                                                                                     \
    "const flat int64 [3] 0 0 16\nTranspose(qr) -> (qm) perm=[0,2,1,3]\n"                          \
    "Transpose(kr) -> (km) perm=[0,2,1,3]\nReshape(qm, flat) -> (qt)\nReshape(km, flat) -> (kt)\n"
/* by rows c4 and d4, [b, s, 4], of both halves of the channels */
#define TURNED                                                                                     \
    "const one int64 [1] 1\nUnsqueeze(c4, one) -> (c1)\nUnsqueeze(d4, one) -> (d1)\n"              \
    "Split(qh) -> (qa, qb) axis=3 num_outputs=2\nSplit(kh) -> (ka, kb) axis=3 num_outputs=2\n"     \
    "Mul(qa, c1) -> (q1)\nMul(qb, d1) -> (q2)\nSub(q1, q2) -> (q3)\nMul(qb, c1) -> (q4)\n"         \
    "Mul(qa, d1) -> (q5)\nAdd(q4, q5) -> (q6)\nConcat(q3, q6) -> (qr) axis=3\n"                    \
    "Mul(ka, c1) -> (k1)\nMul(kb, d1) -> (k2)\nSub(k1, k2) -> (k3)\nMul(kb, c1) -> (k4)\n"         \
    "Mul(ka, d1) -> (k5)\nAdd(k4, k5) -> (k6)\nConcat(k3, k6) -> (kr) axis=3\n"

static const char *const decoders[] = {
    DECODER(PROJECTED "RotaryEmbedding(q, c, d, at) -> (qt) num_heads=2\n"
                      "RotaryEmbedding(k, c, d, at) -> (kt) num_heads=2\n"),
    DECODER(PROJECTED SPLIT "RotaryEmbedding(qh, c, d, at) -> (qr)\n"
                            "RotaryEmbedding(kh, c, d, at) -> (kr)\n" MERGED),
    DECODER(PROJECTED "RotaryEmbedding(q, at, c, d) -> (qt) com.microsoft num_heads=2\n"
                      "RotaryEmbedding(k, at, c, d) -> (kt) com.microsoft num_heads=2\n"),
    /* rows of tables of angles, and angles computed */
    DECODER(PROJECTED SPLIT "Gather(c, at) -> (c4)\nGather(d, at) -> (d4)\n" TURNED MERGED),
    DECODER(PROJECTED SPLIT
            "const two int64 [1] 2\nUnsqueeze(at, two) -> (p)\nCast(p) -> (f) to=1\n"
            "const w float32 [4] 1 0.3 0.1 0.03\nMul(f, w) -> (angles)\nCos(angles) -> (c4)\n"
            "Sin(angles) -> (d4)\n" TURNED MERGED),
    /* a learned table, and one behind an offset */
    DECODER("const t float32 [64, 16] random\nGather(t, at) -> (p)\nAdd(x, p) -> (xp)\n"
            "MatMul(xp, wq) -> (qt)\nMatMul(xp, wk) -> (kt)\n"),
    DECODER("const t float32 [64, 16] random\nconst two int64 2\nAdd(at, two) -> (at2)\n"
            "Gather(t, at2) -> (p)\nAdd(x, p) -> (xp)\nMatMul(xp, wq) -> (qt)\n"
            "MatMul(xp, wk) -> (kt)\n"),
    /* a table with a row for each class, that no row of the result is made of but by attention */
    DECODER("const t float32 [23, 16] random\nGather(t, at) -> (p)\nAdd(x, p) -> (xp)\n"
            "MatMul(xp, wq) -> (qt)\nMatMul(xp, wk) -> (kt)\n"),
};

static void ok(heed_status status)
{
    if (status)
        fail_msg("%s", heed_error_get()->message);
}

static const heed_session_options on_cpu = {.size = sizeof(heed_session_options),
                                            .backends = "cpu"};

static void generate(const char *path, uint32_t flags, const int32_t *wanted)
{
    heed_generator *g;
    int32_t found[MOST];
    heed_generator_options options = {.size = sizeof(options), .flags = flags, .session = &on_cpu};
    heed_generator_stats stats = {.size = sizeof(stats)};
    ok(heed_generator_open(path, &options, &g));
    heed_generator_get_stats(g, &stats);
    assert_true(flags == HEED_GENERATOR_CONTIGUOUS || stats.page_tokens > 0);
    ok(made_decoder_generate(g, wanted, PROMPT, PROMPT + MOST, found));
    assert_memory_equal(found, wanted + PROMPT, sizeof(found));
    heed_generator_free(g);
}

static void every_use_of_positions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(decoders) / sizeof(*decoders); i++) {
        char path[] = "/tmp/heed-positions-XXXXXX.onnx";
        int32_t wanted[PROMPT + MOST];
        print_message("decoder %zu\n", i);
        for (int32_t k = 0; k < PROMPT; k++)
            wanted[k] = (k * 7 + 3) % MADE_DECODER_WORDS;
        ok(made_decoder_run(decoders[i], 2, PROMPT, PROMPT + MOST, wanted));
        ok(made_decoder_save(decoders[i], path));
        generate(path, 0, wanted);
        generate(path, HEED_GENERATOR_CONTIGUOUS, wanted);
        unlink(path);
    }
}

/* Both tables have a row for each class, and rows of both are in the stream that becomes the
 * result: either input could have the tokens. */
static void nobody_guesses(void **state)
{
    static const char both[] =
        "in ids int64 [b, s]\nin at int64 [b, s]\nout y float32 [b, s, 23]\n"
        "const e float32 [23, 16] random\nconst t float32 [23, 16] random\n"
        "const wy float32 [16, 23] random\nGather(e, ids) -> (x)\nGather(t, at) -> (p)\n"
        "Add(x, p) -> (h)\nAttention(h, h, h) -> (a) is_causal=1 q_num_heads=2 kv_num_heads=2\n"
        "Add(a, h) -> (z)\nMatMul(z, wy) -> (y)\n";
    char path[] = "/tmp/heed-positions-XXXXXX.onnx";
    heed_generator *g = NULL;
    heed_generator_options options = {.size = sizeof(options), .session = &on_cpu};
    (void)state;
    ok(made_decoder_save(both, path));
    assert_int_equal(heed_generator_open(path, &options, &g), HEED_UNSUPPORTED);
    assert_non_null(strstr(heed_error_get()->message, "\"ids\" and \"at\""));
    assert_null(g);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_use_of_positions),
                                       cmocka_unit_test(nobody_guesses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
