/* Decoders that are made by hand, one part in another form each: which get pages, how long their
 * sequences may be, and that pages give the tokens that the file's own graph gives. Beside
 * tests/onnx/test_page_proofs.py, since what they ask is asked of generators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "made_decoder.h"

enum { PROMPT = 5, MOST = 4, ROOM = 40 };

/* `begin` makes x [b, s, 16] of e0, `end` makes z of h, which has attended. */
#define DECODER_OF(look_up, begin, end)                                                            \
    "in ids int64 [b, s]\nout y float32 [b, s, 23]\nconst e float32 [23, 16] random\n"             \
    "const wy float32 [16, 23] random\n" look_up begin                                             \
    "Attention(x, x, x) -> (a) is_causal=1 q_num_heads=2 kv_num_heads=2\nAdd(a, x) -> (h)\n" end   \
    "MatMul(z, wy) -> (y)\n"
#define DECODER(begin, end) DECODER_OF("Gather(e, ids) -> (e0)\n", begin, end)
#define AS_IT_IS            "Identity(e0) -> (x)\n"
#define NO_MORE             "Identity(h) -> (z)\n"

/* What an expert gets of each token: `wants` makes w [tokens, 3] of the router's r. */
#define EXPERTS(wants, node)                                                                       \
    "const wr float32 [16, 3] random\nconst rows int64 [2] -1 16\nShape(h) -> (like)\n"            \
    "Reshape(h, rows) -> (hr)\nMatMul(hr, wr) -> (r)\n" wants node                                 \
    "Reshape(m, like) -> (m3)\nAdd(h, m3) -> (z)\n"
#define OWN "Identity(r) -> (w)\n"
/* each row asks what the row before it wants */
#define OF_THE_ROW_BEFORE                                                                          \
    "const pads int64 [4] 1 0 0 0\nconst o int64 [1] 0\nconst l int64 [1] -1\n"                    \
    "Pad(r, pads) -> (r1)\nSlice(r1, o, l, o) -> (w)\n"
#define OF_ALL "ReduceMean(r, axis0) -> (mean) keepdims=1\nAdd(r, mean) -> (w)\n"
#define AXIS   "const axis0 int64 [1] 0\n"
#define MOE_OF(x)                                                                                  \
    "const w1 float32 [3, 8, 16] random\nconst b1 float32 [3, 8] random\n"                         \
    "const w2 float32 [3, 16, 8] random\nconst b2 float32 [3, 16] random\n"                        \
    "MoE(" x ", w, w1, b1, w2, b2) -> (m) com.microsoft k=2 activation_type='silu'\n"
#define MOE MOE_OF("hr")
/* one expert's bias comes out of the tokens */
#define MOE_OF_TOKENS                                                                              \
    "const w1 float32 [3, 8, 16] random\nconst b1 float32 [3, 8] random\n"                         \
    "const w2 float32 [3, 16, 8] random\nconst b2 float32 [3, 16] random\n"                        \
    "ReduceMean(hr) -> (all) keepdims=1\nAdd(b2, all) -> (b3)\n"                                   \
    "MoE(hr, w, w1, b1, w2, b3) -> (m) com.microsoft k=2 activation_type='silu'\n"
#define QMOE                                                                                       \
    "const q1 uint8 [3, 8, 16] 3 200 17 91 128 255 64\nconst s1 float32 [3, 8] 0.01 0.02 0.005\n"  \
    "const q2 uint8 [3, 16, 8] 40 128 7 230 99 180\nconst s2 float32 [3, 16] 0.03 0.01\n"          \
    "QMoE(hr, w, q1, s1, , q2, s2) -> (m) com.microsoft k=1 expert_weight_bits=8\n"

/* Places as the graph counts them, `off` behind, in a table of `n` rows. */
#define COUNTED                                                                                    \
    "const zero int64 0\nconst step int64 1\nconst one int64 [1] 1\nShape(ids) -> (all)\n"         \
    "Gather(all, step) -> (n)\nRange(zero, n, step) -> (places)\n"
#define LOOKED_UP(name, n, places, from, to)                                                       \
    "const " name " float32 [" n ", 16] random\nGather(" name ", " places ") -> (" name "r)\n"     \
    "Add(" from ", " name "r) -> (" to ")\n"
/* The first rows of a table, as many as there are tokens. */
#define CUT                                                                                        \
    "const t float32 [11, 16] random\nconst o int64 [1] 0\nUnsqueeze(n, o) -> (n1)\n"              \
    "Slice(t, o, n1, o) -> (tr)\nAdd(e0, tr) -> (x)\n"

/* Negative indices count from the end: chosen, or added up of products with 0 and 1. */
#define FROM_THE_END(name, i, n)                                                                   \
    "const " name "n int64 " n "\nconst " name "0 float32 0\nCast(" i ") -> (" name "f) to=1\n"    \
    "Less(" name "f, " name "0) -> (" name "l)\nAdd(" i ", " name "n) -> (" name "a)\n"
#define CHOSEN(name, i, n, to)                                                                     \
    FROM_THE_END(name, i, n) "Where(" name "l, " name "a, " i ") -> (" to ")\n"
#define ADDED_UP(name, i, n, to)                                                                   \
    FROM_THE_END(name, i, n)                                                                       \
    "Cast(" name "l) -> (" name "c) to=7\nNot(" name "l) -> (" name "m)\n"                         \
    "Cast(" name "m) -> (" name "d) to=7\nMul(" name "c, " name "a) -> (" name "x)\n"              \
    "Mul(" i ", " name "d) -> (" name "y)\nAdd(" name "x, " name "y) -> (" to ")\n"

static const struct {
    const char *name, *text;
    bool paged;
    int64_t positions; /* most tokens of a sequence; 0: any number */
} decoders[] = {
    {"plain", DECODER(AS_IT_IS, NO_MORE), true, 0},
    {"MoE", DECODER(AS_IT_IS, EXPERTS(OWN, MOE)), true, 0},
    {"QMoE", DECODER(AS_IT_IS, EXPERTS(OWN, QMOE)), true, 0},
    {"MoE of sequences", DECODER(AS_IT_IS, EXPERTS(OWN, MOE_OF("h"))), true, 0},
    {"MoE, as the row before wants", DECODER(AS_IT_IS, EXPERTS(OF_THE_ROW_BEFORE, MOE)), false, 0},
    {"QMoE, as the row before wants", DECODER(AS_IT_IS, EXPERTS(OF_THE_ROW_BEFORE, QMOE)), false,
     0},
    {"MoE, as all want", DECODER(AS_IT_IS, AXIS EXPERTS(OF_ALL, MOE)), false, 0},
    {"MoE, of which tokens are weights", DECODER(AS_IT_IS, EXPERTS(OWN, MOE_OF_TOKENS)), false, 0},
    {"a table of places", DECODER(COUNTED LOOKED_UP("t", "12", "places", "e0", "x"), NO_MORE), true,
     12},
    {"two tables of places",
     DECODER(COUNTED LOOKED_UP("t", "12", "places", "e0", "x0")
                 LOOKED_UP("u", "9", "places", "x0", "x"),
             NO_MORE),
     true, 9},
    {"a table of places behind two others",
     DECODER(COUNTED "const two int64 2\nAdd(places, two) -> (later)\n" LOOKED_UP(
                 "t", "12", "later", "e0", "x"),
             NO_MORE),
     true, 10},
    {"a table that is cut to the tokens", DECODER(COUNTED CUT, NO_MORE), true, 11},
    {"indices from the end, chosen",
     DECODER_OF(CHOSEN("t", "ids", "23", "own") "Gather(e, own) -> (e0)\n", AS_IT_IS, NO_MORE),
     true, 0},
    {"indices from the end, added up",
     DECODER_OF(ADDED_UP("t", "ids", "23", "own") "Gather(e, own) -> (e0)\n", AS_IT_IS, NO_MORE),
     true, 0},
    {"places from the end, chosen",
     DECODER(COUNTED CHOSEN("p", "places", "12", "own") LOOKED_UP("t", "12", "own", "e0", "x"),
             NO_MORE),
     true, 12},
    {"places from the end, added up",
     DECODER(COUNTED ADDED_UP("p", "places", "12", "own") LOOKED_UP("t", "12", "own", "e0", "x"),
             NO_MORE),
     true, 12},
};

static void ok(heed_status status)
{
    if (status)
        fail_msg("%s", heed_error_get()->message);
}

static const heed_session_options on_cpu = {.size = sizeof(heed_session_options),
                                            .backends = "cpu"};

/* A prompt of as many tokens as there are places runs, and one token more is refused. */
static void fill(heed_generator *g, const int32_t *tokens, int64_t positions)
{
    heed_sequence *s = NULL;
    heed_piece piece = {.size = sizeof(piece)};
    int64_t n = positions ? positions : ROOM;
    heed_request ask = {
        .size = sizeof(ask), .tokens = tokens, .n_tokens = (size_t)n, .max_tokens = 1};
    ok(heed_generator_add(g, &ask, &s));
    ok(heed_sequence_next(s, &piece));
    heed_sequence_free(s);
    if (!positions)
        return;
    ask.n_tokens++;
    assert_int_equal(heed_generator_add(g, &ask, &s), HEED_INVALID);
    assert_non_null(strstr(heed_error_get()->message, "positions"));
}

static void every_decoder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(decoders) / sizeof(*decoders); i++) {
        char path[] = "/tmp/heed-made-XXXXXX.onnx";
        int32_t wanted[ROOM], found[MOST];
        heed_generator *g;
        heed_generator_options options = {.size = sizeof(options), .session = &on_cpu};
        heed_generator_stats stats = {.size = sizeof(stats)};
        for (int32_t k = 0; k < ROOM; k++)
            wanted[k] = (k * 7 + 3) % MADE_DECODER_WORDS;
        ok(made_decoder_run(decoders[i].text, 1, PROMPT, PROMPT + MOST, wanted));
        ok(made_decoder_save(decoders[i].text, path));
        ok(heed_generator_open(path, &options, &g));
        heed_generator_get_stats(g, &stats);
        print_message("%s: pages of %u, %s\n", decoders[i].name, stats.page_tokens, stats.reason);
        assert_int_equal(stats.page_tokens > 0, decoders[i].paged);
        ok(made_decoder_generate(g, wanted, PROMPT, PROMPT + MOST, found));
        assert_memory_equal(found, wanted + PROMPT, sizeof(found));
        fill(g, wanted, decoders[i].positions);
        heed_generator_free(g);
        unlink(path);
    }
}

/* Its paged form is no valid graph, for one sequence: that is no fault of the file, which has two.
 * So it opens without pages, and says why. */
static void a_form_that_fails_alone(void **state)
{
    static const char two[] =
        DECODER("const parts int64 [2] 1 1\nSplit(e0, parts) -> (p0, p1) axis=0\n"
                "Concat(p0, p1) -> (x) axis=0\n",
                NO_MORE);
    char path[] = "/tmp/heed-made-XXXXXX.onnx";
    heed_generator *g;
    heed_generator_options options = {.size = sizeof(options), .session = &on_cpu};
    heed_generator_stats stats = {.size = sizeof(stats)};
    (void)state;
    ok(made_decoder_save(two, path));
    ok(heed_generator_open(path, &options, &g));
    heed_generator_get_stats(g, &stats);
    assert_int_equal(stats.page_tokens, 0);
    assert_non_null(strstr(stats.reason, "no pages: "));
    assert_non_null(strstr(stats.reason, "Split"));
    heed_generator_free(g);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_decoder),
                                       cmocka_unit_test(a_form_that_fails_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
