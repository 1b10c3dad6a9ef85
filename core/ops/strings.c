/* strings.c - text by the element: StringConcat, StringSplit, RegexFullMatch. */
#include "ops/strings.h"

#include <string.h>

#include "base/service.h"
#include "heed/text.h"
#include "ops/layout.h"

heed_string strings_get(const heed_tensor *t, int64_t i)
{
    heed_string s = ((const heed_string *)tensor_data(t))[i];
    return s.data && s.size ? s : (heed_string){"", 0};
}

bool strings_equal(heed_string a, heed_string b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

bool strings_ascii(heed_string s)
{
    unsigned char all = 0;
    for (size_t i = 0; i < s.size; i++)
        all |= (unsigned char)s.data[i];
    return all < 0x80;
}

void strings_infer_made(op_infer *c) { c->late = c->late || !c->dims; }

/* ---- StringConcat --------------------------------------------------------------------------- */

static heed_status infer_concat(op_infer *c)
{
    strings_infer_made(c);
    return infer_broadcast(c);
}

static heed_status join(op_call *c, int64_t i, heed_string a, heed_string b)
{
    size_t size;
    if (!size_add(a.size, b.size, &size))
        return call_error(c, HEED_INVALID, "the joined text is too long");
    char *text = call_scratch(c, size + 1);
    if (!text)
        return HEED_NOMEM;
    memcpy(text, a.data, a.size);
    memcpy(text + a.size, b.data, b.size);
    return tensor_set_string(c->out[0], i, text, size);
}

static heed_status run_concat(op_call *c)
{
    const heed_tensor *x = c->in[0], *y = c->in[1];
    int32_t rank = tensor_rank(c->out[0]);
    int64_t index[TENSOR_MAX_RANK] = {0}, of_x[TENSOR_MAX_RANK], of_y[TENSOR_MAX_RANK];
    layout_broadcast(x, rank, of_x);
    layout_broadcast(y, rank, of_y);
    for (int64_t i = 0, n = tensor_count(c->out[0]); i < n; i++) {
        int64_t a = 0, b = 0;
        for (int32_t k = 0; k < rank; k++) {
            a += index[k] * of_x[k];
            b += index[k] * of_y[k];
        }
        TRY(join(c, i, strings_get(x, a), strings_get(y, b)));
        layout_next(rank, c->out[0]->dims, index);
    }
    return HEED_OK;
}

/* ---- StringSplit ---------------------------------------------------------------------------- */

/* A text that is being cut; delimiter of size 0: runs of white space. */
typedef struct cutter {
    const char *at, *end;
    heed_string delimiter;
    int64_t cuts; /* that are still allowed */
} cutter;

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip_space(cutter *k)
{
    while (k->at < k->end && is_space(*k->at))
        k->at++;
}

static bool next_word(cutter *k, heed_string *part)
{
    skip_space(k);
    const char *first = k->at;
    if (first == k->end)
        return false;
    if (k->cuts-- > 0) {
        while (k->at < k->end && !is_space(*k->at))
            k->at++;
    } else {
        k->at = k->end;
        while (is_space(k->at[-1])) /* there is a letter before */
            k->at--;
        *part = (heed_string){first, (size_t)(k->at - first)};
        k->at = k->end;
        return true;
    }
    *part = (heed_string){first, (size_t)(k->at - first)};
    return true;
}

/* `at` behind `end` means that the last part has been given. */
static bool next_field(cutter *k, heed_string *part)
{
    if (!k->at)
        return false;
    const char *first = k->at, *found = NULL;
    if (k->cuts-- > 0)
        found = memmem(first, (size_t)(k->end - first), k->delimiter.data, k->delimiter.size);
    *part = (heed_string){first, (size_t)((found ? found : k->end) - first)};
    k->at = found ? found + k->delimiter.size : NULL;
    return true;
}

static cutter cutter_of(const op_call *c, int64_t i)
{
    heed_string s = strings_get(c->in[0], i);
    const ir_attr *delimiter = ir_node_attr(c->node, "delimiter");
    int64_t most = ir_attr_int(c->node, "maxsplit", INT64_MAX);
    cutter k = {.at = s.data, .end = s.data + s.size, .cuts = most < 0 ? INT64_MAX : most};
    k.delimiter = delimiter ? delimiter->view.s : (heed_string){"", 0};
    return k;
}

static bool next_part(cutter *k, heed_string *part)
{
    return k->delimiter.size ? next_field(k, part) : next_word(k, part);
}

static heed_status infer_split(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    if (rank < 0) {
        TRY(infer_set_unknown(c, 0, 0, -1));
        return infer_set_unknown(c, 1, 0, -1);
    }
    if (rank >= TENSOR_MAX_RANK)
        return infer_error(c, "a rank below 16", "%d", rank);
    ir_dim dims[TENSOR_MAX_RANK];
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    dims[rank] = DIM_UNKNOWN;
    TRY(infer_set(c, 0, 0, rank + 1, dims));
    return infer_set(c, 1, 0, rank, dims);
}

static heed_status run_split(op_call *c)
{
    const heed_tensor *x = c->in[0];
    int32_t rank = tensor_rank(x);
    int64_t total = tensor_count(x), dims[TENSOR_MAX_RANK], most = 0;
    int64_t *counts = call_scratch(c, (size_t)total * sizeof *counts + 1);
    heed_string part;
    if (!counts)
        return HEED_NOMEM;
    for (int64_t i = 0; i < total; i++) {
        for (cutter k = cutter_of(c, i); next_part(&k, &part);)
            counts[i]++;
        most = counts[i] > most ? counts[i] : most;
    }
    for (int32_t i = 0; i < rank; i++)
        dims[i] = x->dims[i];
    dims[rank] = most;
    TRY(call_output(c, 0, 0, rank + 1, dims));
    TRY(call_output(c, 1, 0, rank, dims));
    for (int64_t i = 0; call_out(c, 0) && i < total; i++) {
        int64_t to = i * most;
        for (cutter k = cutter_of(c, i); next_part(&k, &part); to++)
            TRY(tensor_set_string(c->out[0], to, part.data, part.size));
    }
    if (call_out(c, 1) && total)
        memcpy(tensor_data(c->out[1]), counts, (size_t)total * sizeof *counts);
    return HEED_OK;
}

/* ---- RegexFullMatch ------------------------------------------------------------------------- */

static heed_status match_all(const op_call *c, const heed_text *service, const heed_regex *regex)
{
    uint8_t *out = tensor_data(c->out[0]);
    for (int64_t i = 0, n = tensor_count(c->in[0]); i < n; i++) {
        int32_t matches;
        heed_string s = strings_get(c->in[0], i);
        TRY(service->regex_full_match(regex, s.data, s.size, &matches));
        out[i] = matches != 0;
    }
    return HEED_OK;
}

static heed_status run_regex(op_call *c)
{
    const void *found;
    heed_regex *regex;
    const ir_attr *pattern = ir_node_attr(c->node, "pattern");
    if (!call_out(c, 0))
        return HEED_OK;
    TRY(service_find(HEED_TEXT_ID, &found));
    const heed_text *service = found;
    heed_string text = pattern ? pattern->view.s : (heed_string){"", 0};
    TRY(service->regex_compile(text.data ? text.data : "", text.size, &regex));
    heed_status status = match_all(c, service, regex);
    service->regex_free(regex);
    return status;
}

// clang-format off
static const op_def concat = {
    .domain = "", .name = "StringConcat", .since = 20,
    .signature = "X:T, Y:T -> Z:T", .types = "T=string",
    .infer = infer_concat, .run = run_concat};
static const op_def split = {
    .domain = "", .name = "StringSplit", .since = 20, .flags = OP_DATA_SHAPE,
    .signature = "X:string -> Y:string, Z:int64", .attrs = "delimiter:string maxsplit:int",
    .infer = infer_split, .run = run_split};
static const op_def regex = {
    .domain = "", .name = "RegexFullMatch", .since = 20,
    .signature = "X:string -> Y:bool", .attrs = "pattern:string",
    .infer = infer_same, .run = run_regex};

const op_def *const ops_strings[] = {&concat, &split, &regex, NULL};
// clang-format on
