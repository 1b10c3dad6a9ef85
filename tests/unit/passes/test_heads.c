/* What a session says of heads: of queries, keys and values, and how many channels each has; where
 * they are repeated, folded, cut off by hand, or are no heads but windows and rows of an image. The
 * fused graph gives the numbers of the graph as it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "onnx_text.h"
#include "pass_check.h"

typedef struct row {
    const char *graph, *heads; /* "4 2 2 8 6": of queries, keys, values; channels of both */
    unsigned
        fused; /* heed.Attention after the pass, with one that it replaced; 0: more is needed */
} row;

static void say(char *text, size_t size, const heed_site *site)
{
    snprintf(text, size, "%lld %lld %lld %lld %lld", (long long)site->q_heads,
             (long long)site->k_heads, (long long)site->v_heads, (long long)site->head_dim,
             (long long)site->v_head_dim);
}

/* NULL, or what is wrong. */
static const char *judge(const row *r)
{
    static char wrong[120];
    const heed_session_options o = {.size = sizeof(o), .backends = "reference"};
    heed_site site = {.size = sizeof(site)};
    char heads[100] = "no session";
    onnx_message bytes;
    heed_session *s = onnx_text_session(r->graph, &o, &bytes);
    if (s && !heed_session_get_site(s, 0, &site))
        say(heads, sizeof(heads), &site);
    bool same = strcmp(heads, r->heads) == 0;
    snprintf(wrong, sizeof(wrong), "expected %s, found %s", r->heads, heads);
    heed_session_free(s);
    onnx_write_free(&bytes);
    if (!same)
        return wrong;
    return r->fused ? pass_check_fused("recognise", r->graph, "heed", "Attention", r->fused) : NULL;
}

static void check_rows(const row *rows, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *what = judge(&rows[i]);
        if (what)
            print_message("%s%s\n", rows[i].graph, what);
        failed += what != NULL;
    }
    assert_int_equal(failed, 0);
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(*(rows)))

/* ---- Operators whose keys and values are repeated before them -------------------------------- */

#define QKV                                                                                        \
    "in q float32 [b, 4, s, 8]\nin k float32 [b, 2, t, 8]\nin v float32 [b, 2, t, 6]\n"            \
    "out y float32\nconst two int64 [1] 2\nconst ones int64 [5] 1 1 2 1 1\n"                       \
    "const over int64 [5] 1 2 1 1 1\nconst one int64 [1] 1\n"                                      \
    "const kd int64 [4] 0 4 -1 8\nconst vd int64 [4] 0 4 -1 6\n"
/* each head twice */
#define EACH                                                                                       \
    "Unsqueeze(k, two) -> (k5)\nExpand(k5, ones) -> (ke)\nReshape(ke, kd) -> (kr)\n"               \
    "Unsqueeze(v, two) -> (v5)\nExpand(v5, ones) -> (ve)\nReshape(ve, vd) -> (vr)\n"
/* all of them twice */
#define OVER "const twice int64 [4] 1 2 1 1\nTile(k, twice) -> (kr)\nTile(v, twice) -> (vr)\n"

static void repeated(void **state)
{
    (void)state;
    static const row rows[] = {
        {QKV EACH "Attention(q, kr, vr) -> (y) heed\n", "4 2 2 8 6", 2},
        {QKV OVER "Attention(q, kr, vr) -> (y) heed\n", "4 2 2 8 6", 2},
        {QKV EACH "Attention(q, k, v) -> (y) heed\n", "4 2 2 8 6", 1},
        {QKV EACH "Attention(q, kr, vr) -> (y) causal=1 softcap=3.0 scale=0.5 heed\n", "4 2 2 8 6",
         2},
        {QKV EACH "Attention(q, kr, vr) -> (y) causal=1 left_window=2 heed\n", "4 2 2 8 6", 2},
        /* an input has heads and channels in one axis: the batch beside the queries is none */
        {"in q float32 [b, 7, 24]\nin k float32 [b, 8, t]\nin v float32 [b, t, 8]\nout y\n"
         "const c int64 [4] 0 7 3 8\nReshape(q, c) -> (r)\nTranspose(r) -> (u) perm=[2,0,1,3]\n"
         "MatMul(u, k) -> (x)\nSoftmax(x) -> (p)\nMatMul(p, v) -> (y)\n",
         "3 1 1 8 8", 1},
        /* biases, masks and sinks of heads that change places */
        {QKV EACH "in m float32 [b, 4, s, t]\nAttention(q, kr, vr, m) -> (y) heed\n", "4 2 2 8 6",
         2},
        {QKV OVER "in m float32 [b, 4, s, t]\nAttention(q, kr, vr, m) -> (y) heed\n", "4 2 2 8 6",
         2},
        {QKV OVER "in m float32 [4, 1, t]\nin h float32 [4]\n"
                  "Attention(q, kr, vr, m, , , h) -> (y) heed\n",
         "4 2 2 8 6", 2},
        {QKV OVER "in m bool [s, t]\nAttention(q, kr, vr, m) -> (y) heed\n", "4 2 2 8 6", 2},
        {QKV OVER "in n int64 [b]\nAttention(q, kr, vr, , n) -> (y) heed\n", "4 2 2 8 6", 2},
        /* a bias shorter than the keys cannot move with the heads */
        {QKV OVER "in m float32 [4, 1, u]\nAttention(q, kr, vr, m) -> (y) heed\n", "4 4 4 8 6", 1},
        {QKV EACH "in m float32 [4, 1, u]\nAttention(q, kr, vr, m) -> (y) heed\n", "4 2 2 8 6", 2},
        /* scores that are read */
        {QKV "out p float32\n" EACH "Attention(q, kr, vr) -> (y, p) scores=3 heed\n", "4 2 2 8 6",
         2},
        {QKV "out p float32\n" OVER "Attention(q, kr, vr) -> (y, p) scores=0 heed\n", "4 2 2 8 6",
         2},
        /* factors, and a transpose of the result */
        {QKV EACH "const f float32 [] 0.5\nMul(q, f) -> (q2)\nDiv(kr, f) -> (k2)\n"
                  "Attention(q2, k2, vr) -> (a) heed\nTranspose(a) -> (y) perm=[0,2,1,3]\n",
         "4 2 2 8 6", 2},
        /* a factor of 0 is no scale of the operator's */
        {QKV EACH "const f float32 [] 0\nMul(q, f) -> (q2)\nAttention(q2, kr, vr) -> (y) heed\n",
         "4 4 4 8 6", 1},
        /* one head for all of them */
        {"in q float32 [b, 4, s, 8]\nin k float32 [b, 1, t, 8]\nout y float32\n"
         "const all int64 [4] 1 4 1 1\nExpand(k, all) -> (ke)\n"
         "Attention(q, ke, ke) -> (y) is_causal=1\n",
         "4 1 1 8 8", 2},
        {"in q float32 [b, s, 32]\nin k float32 [b, t, 16]\nout y float32\n"
         "const two int64 [1] 2\nconst heads int64 [4] 0 0 2 8\nconst ones int64 [5] 1 1 1 2 1\n"
         "const flat int64 [3] 0 0 32\nconst three int64 [1] 3\n"
         "Reshape(k, heads) -> (k4)\nUnsqueeze(k4, three) -> (k5)\nExpand(k5, ones) -> (ke)\n"
         "Reshape(ke, flat) -> (kr)\n"
         "Attention(q, kr, kr) -> (y) q_num_heads=4 kv_num_heads=4\n",
         "4 2 2 8 8", 2},
    };
    CHECK(rows);
}

/* ---- Axes that are heads, and others that are not -------------------------------------------- */

#define LAYERS                                                                                     \
    "out y float32\nconst wq float32 [16, 16] random\nconst wk float32 [16, 16] random\n"          \
    "const wv float32 [16, 16] random\nconst wo float32 [16, 16] random\n"                         \
    "MatMul(x, wq) -> (ql)\nMatMul(x, wk) -> (kl)\nMatMul(x, wv) -> (vl)\n"
#define APART(dims, perm, turned)                                                                  \
    "const d int64 " dims "\nReshape(ql, d) -> (q4)\nReshape(kl, d) -> (k4)\n"                     \
    "Reshape(vl, d) -> (v4)\nTranspose(q4) -> (q) perm=" perm "\n"                                 \
    "Transpose(k4) -> (k) perm=" turned "\nTranspose(v4) -> (v) perm=" perm "\n"
#define PRODUCTS "MatMul(q, k) -> (s1)\nSoftmax(s1) -> (p) axis=-1\nMatMul(p, v) -> (a)\n"

/* Stacked, cut, repeated one by one. */
static void by_hand(void **state)
{
    (void)state;
    static const row rows[] = {
        {"in x float32 [b, s, 16]\n" LAYERS
         "Split(ql) -> (q0, q1) axis=2 num_outputs=2\nConcat(q0, q1) -> (q) axis=0\n"
         "Split(kl) -> (k0, k1) axis=2 num_outputs=2\nConcat(k0, k1) -> (kc) axis=0\n"
         "Split(vl) -> (v0, v1) axis=2 num_outputs=2\nConcat(v0, v1) -> (v) axis=0\n"
         "Transpose(kc) -> (k) perm=[0,2,1]\n" PRODUCTS
         "Split(a) -> (a0, a1) axis=0 num_outputs=2\nConcat(a0, a1) -> (r) axis=2\n"
         "MatMul(r, wo) -> (y)\n",
         "2 2 2 8 8", 0},
        {QKV "const i0 int64 [] 0\nconst i1 int64 [] 1\n"
             "Gather(k, i0) -> (k0) axis=1\nGather(k, i1) -> (k1) axis=1\n"
             "Unsqueeze(k0, one) -> (k2)\nUnsqueeze(k1, one) -> (k3)\n"
             "Concat(k2, k2, k3, k3) -> (kr) axis=1\n"
             "Split(v) -> (v0, v1) axis=1 num_outputs=2\nConcat(v0, v0, v1, v1) -> (vr) axis=1\n"
             "Attention(q, kr, vr) -> (y)\n",
         "4 2 2 8 6", 0},
        {"in q float32 [b, 4, s, 8]\nin k float32 [b, 2, t, 8]\nout y float32\n"
         "Concat(k, k) -> (kr) axis=1\nAttention(q, kr, kr) -> (y)\n",
         "4 2 2 8 8", 0},
    };
    CHECK(rows);
}

#define PAIRS                                                                                      \
    "in q float32 [b, 4, 5, 8]\nin k float32 [b, 4, 8, 6]\nin v float32 [b, 2, 6, 7]\n"            \
    "in l float32 []\nin m float32 [6]\nout y float32\nMatMul(q, k) -> (s1)\n"                     \
    "Softmax(s1) -> (p) axis=-1\nconst d int64 [5] 0 2 2 5 6\nReshape(p, d) -> (p5)\n"             \
    "const i0 int64 [] 0\nconst i1 int64 [] 1\nGather(p5, i0) -> (p0) axis=2\n"                    \
    "Gather(p5, i1) -> (p1) axis=2\n"

/* Two softmaxes are subtracted before they meet the values. */
static void differential(void **state)
{
    (void)state;
    static const row rows[] = {
        {PAIRS "Mul(l, p1) -> (pl)\nSub(p0, pl) -> (w)\nMatMul(w, v) -> (y)\n", "4 4 2 8 7", 0},
        {PAIRS "Add(p1, p0) -> (w)\nMatMul(w, v) -> (y)\n", "4 4 2 8 7", 0},
        /* another factor for each key */
        {PAIRS "Mul(m, p1) -> (pl)\nSub(p0, pl) -> (w)\nMatMul(w, v) -> (y)\n", "-1 -1 -1 -1 -1",
         0},
        /* what is no softmax is subtracted */
        {PAIRS "Mul(l, p1) -> (pl)\nSub(pl, l) -> (w)\nMatMul(w, v) -> (y)\n", "-1 -1 -1 -1 -1", 0},
    };
    CHECK(rows);
}

static void axes(void **state)
{
    (void)state;
    static const row rows[] = {
        {"in x float32 [b, s, 16]\n" LAYERS APART("[4] 0 0 2 8", "[0,2,1,3]", "[0,2,3,1]") PRODUCTS
         "const f int64 [3] 0 0 16\nTranspose(a) -> (o) perm=[0,2,1,3]\nReshape(o, f) -> (r)\n"
         "MatMul(r, wo) -> (y)\n",
         "2 2 2 8 8", 1},
        /* windows of 4 in one sequence, in an axis of their own: no heads */
        {"in x float32 [b, 3, 4, 16]\n" LAYERS
         "Identity(ql) -> (q)\nTranspose(kl) -> (k) perm=[0,1,3,2]\nIdentity(vl) -> (v)\n" PRODUCTS
         "MatMul(a, wo) -> (y)\n",
         "1 1 1 16 16", 1},
        /* the same, where nothing follows that would tell: as [b, heads, s, d] */
        {"in q float32 [b, 3, 4, 16]\nin k float32 [b, 3, 16, 4]\nin v float32 [b, 3, 4, 16]\n"
         "out a float32\n" PRODUCTS,
         "3 3 3 16 16", 1},
        /* windows and heads */
        {"in x float32 [b, 3, 4, 16]\n" LAYERS APART("[5] 0 0 0 2 8", "[0,1,3,2,4]", "[0,1,3,4,2]")
             PRODUCTS
         "const f int64 [4] 0 0 0 16\nTranspose(a) -> (o) perm=[0,1,3,2,4]\nReshape(o, f) -> (r)\n"
         "MatMul(r, wo) -> (y)\n",
         "2 2 2 8 8", 1},
        /* rows and columns of an image are queries */
        {"in x float32 [b, 3, 4, 16]\n" LAYERS
         "const s int64 [3] 0 12 16\nReshape(ql, s) -> (q)\nReshape(kl, s) -> (k3)\n"
         "Reshape(vl, s) -> (v)\nTranspose(k3) -> (k) perm=[0,2,1]\n" PRODUCTS
         "const i int64 [4] 0 3 4 16\nReshape(a, i) -> (r)\nMatMul(r, wo) -> (y)\n",
         "1 1 1 16 16", 1},
        /* one key head for all, folded into the queries' rows */
        {"in x float32 [b, s, 16]\nout y float32\nconst wq float32 [16, 16] random\n"
         "const wk float32 [16, 8] random\nconst wo float32 [16, 16] random\n"
         "MatMul(x, wq) -> (ql)\nMatMul(x, wk) -> (v)\nTranspose(v) -> (k) perm=[0,2,1]\n"
         "const d int64 [4] 0 0 2 8\nReshape(ql, d) -> (q4)\n"
         "Transpose(q4) -> (qh) perm=[0,2,1,3]\nconst r int64 [3] 0 -1 8\nReshape(qh, r) -> "
         "(q)\n" PRODUCTS
         "const h int64 [4] 0 2 -1 8\nReshape(a, h) -> (a4)\nTranspose(a4) -> (o) perm=[0,2,1,3]\n"
         "const f int64 [3] 0 0 16\nReshape(o, f) -> (m)\nMatMul(m, wo) -> (y)\n",
         "2 1 1 8 8", 1},
        /* channels attend to each other */
        {"in x float32 [b, s, 16]\n" LAYERS APART("[4] 0 0 2 8", "[0,2,3,1]", "[0,2,1,3]") PRODUCTS
         "const f int64 [3] 0 0 16\nTranspose(a) -> (o) perm=[0,3,1,2]\nReshape(o, f) -> (r)\n"
         "MatMul(r, wo) -> (y)\n",
         "2 2 2 8 8", 1},
        /* one key head, two of values (Cordonnier 2020) */
        {"in q float32 [b, 2, s, 8]\nin k float32 [b, 1, 8, t]\nin v float32 [b, 2, t, 6]\n"
         "out a float32\n" PRODUCTS,
         "2 1 2 8 6", 1},
    };
    CHECK(rows);
}

/* ---- Heads that are cut off and joined by hand ----------------------------------------------- */

static void cut_and_joined(void **state)
{
    (void)state;
#define X "in x float32 [b, s, 8]\nout y float32\n"
    static const struct {
        const char *before, *after;
    } rows[] = {
        {X "Split(x) -> (h0, h1) axis=2 num_outputs=2\nConcat(h0, h1) -> (y) axis=0\n",
         "Split(x)->h0,h1 Shape(x)->#* Shape(x)->#* Concat(#*,#*,=2,=4)->#* Reshape(x,#*)->#* "
         "Transpose(#*)->#* Shape(x)->#* Mul(=2,#*)->#* Shape(x)->#* Concat(#*,#*,=4)->#* "
         "Reshape(#*,#*)->#* | #*"},
        /* in another order, or not all of them */
        {X "Split(x) -> (h0, h1) axis=2 num_outputs=2\nConcat(h1, h0) -> (y) axis=0\n",
         "Split(x)->h0,h1 Concat(h1,h0)->y | y"},
        {X "Split(x) -> (h0, h1, h2, h3) axis=2 num_outputs=4\nConcat(h0, h1, h2) -> (y) axis=0\n",
         "Split(x)->h0,h1,h2,h3 Concat(h0,h1,h2)->y | y"},
        /* of two sizes */
        {X "const n int64 [2] 2 6\nSplit(x, n) -> (h0, h1) axis=2\nConcat(h0, h1) -> (y) axis=2\n",
         "Split(x,n)->h0,h1 Concat(h0,h1)->y | y"},
        /* moved in two ways */
        {"in x float32 [3, 3, 8]\nout y float32\n"
         "Split(x) -> (h0, h1) axis=2 num_outputs=2\nTranspose(h0) -> (a) perm=[0,1,2]\n"
         "Transpose(h1) -> (c) perm=[1,0,2]\nConcat(a, c) -> (y) axis=2\n",
         "Split(x)->h0,h1 Transpose(h0)->a Transpose(h1)->c Concat(a,c)->y | y"},
        /* halves of channels, as rotary embeddings have them */
        {X "Concat(x, x) -> (y) axis=-1\n", "Concat(x,x)->y | y"},
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *what = pass_check("split-concat", rows[i].before, rows[i].after);
        if (what)
            print_message("%s%s\n", rows[i].before, what);
        failed += what != NULL;
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated),     cmocka_unit_test(cut_and_joined), cmocka_unit_test(by_hand),
        cmocka_unit_test(differential), cmocka_unit_test(axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
