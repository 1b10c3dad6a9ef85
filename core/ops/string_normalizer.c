/* string_normalizer.c - StringNormalizer: words without stop words, in one letter case.
 *
 * Letters beyond ASCII need the Unicode tables of the plugin text; it is asked for only when there
 * are such letters. No locale has a say: the standard leaves that to us, and a result that follows
 * the machine's settings would be no good to anyone. */
#include <string.h>

#include "base/map.h"
#include "base/service.h"
#include "heed/text.h"
#include "ops/strings.h"

enum { KEEP = 0 };

typedef struct normalizer {
    op_call *call;
    uint32_t to;         /* HEED_TEXT_*, or KEEP: how words are given back */
    uint32_t compare_as; /* and how they are compared with the stop words */
    map stops;
} normalizer;

/* ---- Letter case ---------------------------------------------------------------------------- */

static heed_status change_ascii(op_call *c, uint32_t to, heed_string *s)
{
    char first = to == HEED_TEXT_UPPER ? 'a' : 'A';
    char *text = call_scratch(c, s->size + 1);
    if (!text)
        return HEED_NOMEM;
    for (size_t i = 0; i < s->size; i++) {
        bool letter = s->data[i] >= first && s->data[i] < first + 26;
        text[i] = (char)(s->data[i] ^ (letter ? 0x20 : 0));
    }
    s->data = text;
    return HEED_OK;
}

static heed_status change_case(op_call *c, uint32_t to, heed_string *s)
{
    const void *found;
    uint64_t size;
    if (to == KEEP || s->size == 0)
        return HEED_OK;
    if (strings_ascii(*s))
        return change_ascii(c, to, s);
    TRY(service_find(HEED_TEXT_ID, &found));
    const heed_text *service = found;
    TRY(service->change_case(to, s->data, s->size, NULL, 0, &size));
    char *text = call_scratch(c, size + 1);
    if (!text)
        return HEED_NOMEM;
    TRY(service->change_case(to, s->data, s->size, text, size, &size));
    *s = (heed_string){text, size};
    return HEED_OK;
}

/* ---- Stop words ----------------------------------------------------------------------------- */

static heed_status read_stops(normalizer *n)
{
    const ir_attr *words = ir_node_attr(n->call->node, "stopwords");
    for (uint64_t i = 0; words && i < words->view.n; i++) {
        heed_string s = words->view.strings[i];
        TRY(change_case(n->call, n->compare_as, &s));
        TRY(map_put(&n->stops, s.size ? s.data : "", s.size, n));
    }
    return HEED_OK;
}

/* The words that stay, in their new case. */
static heed_status filter(normalizer *n, heed_string *kept, int64_t *count)
{
    const heed_tensor *x = n->call->in[0];
    *count = 0;
    for (int64_t i = 0, total = tensor_count(x); i < total; i++) {
        heed_string word = strings_get(x, i), compared = word;
        TRY(change_case(n->call, n->compare_as, &compared));
        if (map_get(&n->stops, compared.data, compared.size))
            continue;
        TRY(change_case(n->call, n->to, &word));
        kept[(*count)++] = word;
    }
    return HEED_OK;
}

/* Nothing left is one empty string. */
static heed_status give(normalizer *n, const heed_string *kept, int64_t count)
{
    op_call *c = n->call;
    int32_t rank = tensor_rank(c->in[0]);
    int64_t dims[2] = {1, 1};
    dims[rank - 1] = count > 0 ? count : 1;
    TRY(call_output(c, 0, 0, rank, dims));
    for (int64_t i = 0; call_out(c, 0) && i < count; i++)
        TRY(tensor_set_string(c->out[0], i, kept[i].data, kept[i].size));
    return HEED_OK;
}

static heed_status normalize(normalizer *n)
{
    size_t bytes = (size_t)tensor_count(n->call->in[0]) * sizeof(heed_string);
    heed_string *kept = call_scratch(n->call, bytes + 1);
    int64_t count;
    if (!kept)
        return HEED_NOMEM;
    TRY(read_stops(n));
    TRY(filter(n, kept, &count));
    return give(n, kept, count);
}

static heed_status run_normalizer(op_call *c)
{
    normalizer n = {.call = c};
    const char *action = ir_attr_string(c->node, "case_change_action", "NONE");
    int32_t rank = tensor_rank(c->in[0]);
    if (strcmp(action, "LOWER") == 0)
        n.to = HEED_TEXT_LOWER;
    else if (strcmp(action, "UPPER") == 0)
        n.to = HEED_TEXT_UPPER;
    else if (strcmp(action, "NONE") != 0)
        return call_error(c, HEED_INVALID, "the case_change_action is \"%.40s\"", action);
    if (rank < 1 || rank > 2 || (rank == 2 && c->in[0]->dims[0] != 1))
        return call_error(c, HEED_INVALID, "StringNormalizer takes [C] and [1, C], not rank %d",
                          rank);
    if (!ir_attr_int(c->node, "is_case_sensitive", 0))
        n.compare_as = n.to == KEEP ? HEED_TEXT_LOWER : n.to;
    heed_status status = normalize(&n);
    map_free(&n.stops);
    return status;
}

static heed_status infer_normalizer(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[2] = {1, DIM_UNKNOWN};
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < 1 || rank > 2)
        return infer_error(c, "words in the shape [C] or [1, C]", "rank %d", rank);
    return infer_set(c, 0, 0, rank, rank == 1 ? &dims[1] : dims);
}

// clang-format off
static const op_def normalizer_op = {
    .domain = "", .name = "StringNormalizer", .since = 10, .flags = OP_DATA_SHAPE,
    .signature = "X:string -> Y:string",
    .attrs = "case_change_action:string=NONE is_case_sensitive:int=0 locale:string "
             "stopwords:strings",
    .infer = infer_normalizer, .run = run_normalizer};
// clang-format on

const op_def *const ops_string_normalizer[] = {&normalizer_op, NULL};
