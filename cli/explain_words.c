/* explain_words.c - what the features of a site mean, in the words of `heed explain`.
 *
 * One row for each name that a report may have; tests/style/test_reasons.py fails when one is
 * missing. Apart from the names themselves, which scripts read. */
#include <string.h>

#include "explain.h"

static const struct {
    const char *name, *meaning;
} rows[] = {
    {"additive", "scores are v^T tanh(q + k), not a product"},
    {"alibi", "the bias is a slope for each head, times the distance"},
    {"bias", "a tensor is added to the scores"},
    {"block-diagonal", "sequences are packed in one; each sees only itself"},
    {"bounded", "scores are clipped"},
    {"causal", "no query sees a key after its own position"},
    {"constant-bias", "the bias stands in the file"},
    {"constant-mask", "the mask stands in the file"},
    {"factor", "scores are multiplied with a tensor"},
    {"gqa", "some heads of queries share one of keys and values (grouped-query attention)"},
    {"guard", "rows that came out as NaN become 0"},
    {"input-bias", "the bias is an input of the model"},
    {"input-mask", "the mask is an input of the model"},
    {"k-v-heads-differ", "keys have another number of heads than values"},
    {"left-padding", "sequences are padded at their beginning"},
    {"lengths", "each sequence has a length; keys after it are hidden"},
    {"mask", "a tensor says which keys a query sees"},
    {"mqa", "all heads of queries share one of keys and values (multi-query attention)"},
    {"offset", "queries come after keys that were there before, as with a cache"},
    {"over-channels", "channels attend to each other instead of positions"},
    {"padding", "some keys of a sequence are hidden from all of its queries"},
    {"prefix-lm", "the first keys are seen by all, the others are causal"},
    {"relative-position-bias", "the bias depends on the distance of query and key"},
    {"sinks", "a logit for each head joins the softmax's sum, and nothing else"},
    {"softcap", "scores are capped with tanh"},
    {"upcast", "the softmax is computed in a wider type"},
    {"v-head-dim-differs", "values have another number of channels than keys"},
    {"weights-are-read", "the attention weights are a result, too"},
    {"window", "a query sees keys near its own position only"},
};

const char *explain_meaning(const char *feature)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(rows[i].name, feature) == 0)
            return rows[i].meaning;
    return NULL;
}
