/* The public interface, what a session tells of attention: sites, sizes, ends of lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "onnx_text.h"

static const char grouped[] = "in q float32 [b, 4, s, 8]\nin k float32 [b, 2, t, 8]\n"
                              "in v float32 [b, 2, t, 6]\nout y float32\n"
                              "const shape int64 [5] 0 0 2 0 0\nconst all int64 [4] 0 4 -1 8\n"
                              "const two int64 [1] 2\nconst ones int64 [5] 1 1 2 1 1\n"
                              "const allv int64 [4] 0 4 -1 6\n"
                              "Unsqueeze(k, two) -> (k5)\nExpand(k5, ones) -> (ke)\n"
                              "Reshape(ke, all) -> (kr)\n"
                              "Unsqueeze(v, two) -> (v5)\nExpand(v5, ones) -> (ve)\n"
                              "Reshape(ve, allv) -> (vr)\n"
                              "Transpose(kr) -> (kt) perm=[0,1,3,2]\nMatMul(q, kt) -> (s1)\n"
                              "Softmax(s1) -> (p) axis=-1\nMatMul(p, vr) -> (y)\n";

static onnx_message bytes;

static heed_session *open(const char *text, const heed_session_options *options)
{
    heed_session *s = onnx_text_session(text, options, &bytes);
    assert_non_null(s);
    return s;
}

static void close_session(heed_session *s)
{
    heed_session_free(s);
    onnx_write_free(&bytes);
}

static int has_feature(const heed_site *site, const char *name)
{
    for (size_t i = 0; i < site->n_features; i++)
        if (strcmp(site->features[i], name) == 0)
            return 1;
    return 0;
}

/* Without plugins no backend computes the fused operator: it is found, and written out again. */
static void grouped_heads(void **state)
{
    (void)state;
    heed_session_options o = {.size = sizeof(o), .backends = "reference"};
    heed_session *s = open(grouped, &o);
    heed_site site = {.size = sizeof(site)};
    assert_int_equal(heed_session_get_site_count(s), 1);
    assert_int_equal(heed_session_get_site(s, 0, &site), HEED_OK);
    assert_int_equal(site.flags, HEED_SITE_ATTENTION | HEED_SITE_FUSED | HEED_SITE_DECOMPOSED);
    assert_string_equal(site.op, "Attention");
    assert_string_equal(site.backend, "reference");
    assert_string_equal(site.reason, "");
    assert_int_equal(site.q_heads, 4);
    assert_int_equal(site.k_heads, 2);
    assert_int_equal(site.v_heads, 2);
    assert_int_equal(site.head_dim, 8);
    assert_int_equal(site.v_head_dim, 6);
    assert_true(has_feature(&site, "gqa") && has_feature(&site, "v-head-dim-differs"));
    assert_int_equal(site.n_nodes, 10); /* all that the text has */
    close_session(s);
}

static void ends_and_sizes(void **state)
{
    (void)state;
    heed_session *s = open(grouped, NULL);
    heed_site site = {.size = offsetof(heed_site, domain), .domain = "untouched"};
    assert_int_equal(heed_session_get_site(s, 0, &site), HEED_OK);
    assert_string_equal(site.domain, "untouched");
    assert_int_equal(site.size, offsetof(heed_site, domain));
    assert_non_null(site.node);
    assert_int_equal(heed_session_get_site(s, 1, &site), HEED_NOTFOUND);
    site.size = 0;
    assert_int_equal(heed_session_get_site(s, 0, &site), HEED_USAGE);
    close_session(s);
}

static void nothing_to_tell(void **state)
{
    (void)state;
    heed_session_options o = {.size = sizeof(o), .flags = HEED_SESSION_NO_OPTIMIZE};
    heed_session *s = open(grouped, &o);
    assert_int_equal(heed_session_get_site_count(s), 0);
    close_session(s);
    s = open("in x float32 [2]\nout y float32\nTanh(x) -> (y)\n", NULL);
    assert_int_equal(heed_session_get_site_count(s), 0);
    close_session(s);
}

static void no_attention(void **state)
{
    (void)state;
    heed_session *s = open("in x float32 [n, 4]\nout y float32\nconst w float32 [4, 3] random\n"
                           "MatMul(x, w) -> (z)\nSoftmax(z) -> (y)\n",
                           NULL);
    heed_site site = {.size = sizeof(site)};
    assert_int_equal(heed_session_get_site(s, 0, &site), HEED_OK);
    assert_int_equal(site.flags, 0);
    assert_string_equal(site.op, "Softmax");
    assert_string_equal(site.at_op, "MatMul");
    assert_string_equal(site.help, "");
    assert_int_equal(site.q_heads, -1);
    assert_int_equal(site.n_nodes, 0);
    close_session(s);
}

/* An operator of the file's that is attention by name is a site too. */
static void named(void **state)
{
    (void)state;
    static const char text[] = "in x float32 [1, s, 8]\nout y float32\n"
                               "const w float32 [8, 24] random\nconst b float32 [24] random\n"
                               "Attention(x, w, b) -> (y) num_heads=2 com.microsoft\n";
    heed_session_options o = {.size = sizeof(o), .backends = "reference"};
    heed_site site = {.size = sizeof(site)};
    heed_session *s = open(text, &o);
    assert_int_equal(heed_session_get_site_count(s), 1);
    assert_int_equal(heed_session_get_site(s, 0, &site), HEED_OK);
    assert_int_equal(site.flags, HEED_SITE_ATTENTION | HEED_SITE_FUSED | HEED_SITE_DECOMPOSED);
    assert_int_equal(site.q_heads, 2);
    assert_int_equal(site.head_dim, 4);
    close_session(s);
    o.attention = "off";
    s = open(text, &o);
    assert_int_equal(heed_session_get_site(s, 0, &site), HEED_OK);
    assert_int_equal(site.flags, HEED_SITE_ATTENTION);
    assert_string_not_equal(site.help, "");
    close_session(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grouped_heads),   cmocka_unit_test(ends_and_sizes),
        cmocka_unit_test(nothing_to_tell), cmocka_unit_test(no_attention),
        cmocka_unit_test(named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
