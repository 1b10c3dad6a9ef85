/* A drawn operator as an ONNX model: signature and attribute texts of the registry are read here
 * once more, loosely, so that what is written follows them mostly and breaks them sometimes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op_draw.h"

enum { MAX_LETTERS = 8, TENSOR_TYPE = 1, SEQUENCE_TYPE = 4, MAP_TYPE = 5, OPTIONAL_TYPE = 9 };

/* What a letter of the signature stands for in this model. */
typedef struct letter {
    const char *name;
    size_t n;
    uint32_t kind;
    heed_dtype dtype;
} letter;

typedef struct writer {
    op_draw *d;
    op_model *m;
    onnx_message graph, node;
    letter letters[MAX_LETTERS];
    uint32_t n_letters;
    int64_t opset;
    bool failed;
} writer;

/* ---- Types and tensors ---------------------------------------------------------------------- */

static onnx_message wrapped(uint32_t field, onnx_message *inner)
{
    onnx_message element = {0}, type = {0};
    onnx_write_part(&element, 1, inner);
    onnx_write_part(&type, field, &element);
    return type;
}

/* How much the file says of a shape: all of it, a symbol for each extent, nothing. */
static onnx_message tensor_type(op_draw *d, const heed_tensor *t)
{
    onnx_message type = {0}, tensor = {0}, shape = {0};
    uint32_t how = op_draw_below(d, 4);
    onnx_write_int(&tensor, 1, heed_tensor_get_dtype(t));
    for (int32_t i = 0; i < heed_tensor_get_ndim(t); i++) {
        onnx_message dim = {0};
        char name[16];
        snprintf(name, sizeof(name), "n%lld", (long long)heed_tensor_get_dims(t)[i]);
        if (how < 2)
            onnx_write_int(&dim, 1, heed_tensor_get_dims(t)[i]);
        else
            onnx_write_text(&dim, 2, name);
        onnx_write_part(&shape, 1, &dim);
    }
    if (how < 3)
        onnx_write_part(&tensor, 2, &shape);
    onnx_write_free(&shape);
    onnx_write_part(&type, TENSOR_TYPE, &tensor);
    return type;
}

static onnx_message bare_type(heed_dtype dtype)
{
    onnx_message type = {0}, tensor = {0};
    onnx_write_int(&tensor, 1, dtype ? dtype : HEED_FLOAT32);
    onnx_write_part(&type, TENSOR_TYPE, &tensor);
    return type;
}

static onnx_message map_type(const heed_tensor *t)
{
    onnx_message type = {0}, map = {0}, value = bare_type(heed_tensor_get_dtype(t));
    onnx_write_int(&map, 1, heed_tensor_get_dtype(heed_tensor_get_item(t, 0)));
    onnx_write_part(&map, 2, &value);
    onnx_write_part(&type, MAP_TYPE, &map);
    return type;
}

static onnx_message type_of(op_draw *d, const heed_tensor *t)
{
    static const uint32_t fields[] = {TENSOR_TYPE, SEQUENCE_TYPE, OPTIONAL_TYPE, MAP_TYPE};
    uint32_t kind = heed_tensor_get_kind(t);
    if (kind == HEED_TENSOR)
        return tensor_type(d, t);
    if (kind == HEED_MAP)
        return map_type(t);
    onnx_message inner = bare_type(heed_tensor_get_dtype(t));
    return wrapped(fields[kind], &inner);
}

/* A TensorProto of a drawn tensor; with `name`, an initializer. */
static onnx_message tensor_proto(const char *name, const heed_tensor *t)
{
    onnx_message m = {0};
    for (int32_t i = 0; i < heed_tensor_get_ndim(t); i++)
        onnx_write_int(&m, 1, heed_tensor_get_dims(t)[i]);
    onnx_write_int(&m, 2, heed_tensor_get_dtype(t));
    if (name)
        onnx_write_text(&m, 8, name);
    const heed_string *strings = heed_tensor_get_data(t);
    if (heed_tensor_get_dtype(t) == HEED_STRING)
        for (int64_t i = 0; i < heed_tensor_get_count(t); i++)
            onnx_write_bytes(&m, 6, strings[i].data, strings[i].size);
    else
        onnx_write_bytes(&m, 9, heed_tensor_get_data(t), heed_tensor_get_bytes(t));
    return m;
}

/* ---- Nested graphs -------------------------------------------------------------------------- */

/* As many inputs and outputs as the node's operator wants of its body, or nearly; outputs are
 * inputs, values from outside, or constants. */
static onnx_message body(writer *w, uint32_t n_in, uint32_t n_out, uint32_t shift)
{
    onnx_message graph = {0};
    char line[128];
    for (uint32_t i = 0; i < n_in; i++) {
        onnx_message value;
        snprintf(line, sizeof(line), "b%u", i);
        value = onnx_write_value(line, 0, -1);
        onnx_write_part(&graph, 11, &value);
    }
    for (uint32_t o = 0; o < n_out; o++) {
        uint32_t from = op_draw_chance(w->d, 8) ? op_draw_below(w->d, n_in + 1) : o + shift;
        if (from < n_in)
            snprintf(line, sizeof(line), "Identity(b%u) -> (r%u)", from, o);
        else
            snprintf(line, sizeof(line), "Identity(x%u) -> (r%u)", op_draw_below(w->d, 3), o);
        onnx_message node = onnx_write_node(line);
        onnx_write_part(&graph, 1, &node);
        snprintf(line, sizeof(line), "r%u", o);
        onnx_message value = onnx_write_value(line, 0, -1);
        onnx_write_part(&graph, 12, &value);
    }
    onnx_write_text(&graph, 2, "body");
    return graph;
}

static onnx_message graph_attribute(writer *w, uint32_t n_in, uint32_t n_out)
{
    bool loop = !strcmp(w->m->op->name, "Loop"), branch = !strcmp(w->m->op->name, "If");
    if (op_draw_chance(w->d, 4))
        n_in += op_draw_below(w->d, 3);
    return branch ? body(w, 0, n_out, 1) : body(w, n_in, n_out + loop, loop);
}

/* ---- Attributes ----------------------------------------------------------------------------- */

static bool type_is(const char *type, size_t n, const char *word)
{
    return strlen(word) == n && !memcmp(type, word, n);
}

static int64_t attribute_int(writer *w)
{
    return op_draw_chance(w->d, 48) ? op_draw_int(w->d) : 1 + (int64_t)op_draw_below(w->d, 26);
}

static void one_value(writer *w, onnx_message *a, const char *type, size_t n)
{
    if (type_is(type, n, "int")) {
        onnx_write_int(a, 3, attribute_int(w));
        onnx_write_int(a, 20, 2);
    } else if (type_is(type, n, "float")) {
        onnx_write_float(a, 2, op_draw_float(w->d));
        onnx_write_int(a, 20, 1);
    } else if (type_is(type, n, "string")) {
        onnx_write_text(a, 4, op_draw_word(w->d));
        onnx_write_int(a, 20, 3);
    } else if (type_is(type, n, "tensor")) {
        uint32_t kind;
        heed_dtype dtype = op_draw_dtype(w->d, "any", 3, &kind);
        heed_tensor *t = op_draw_value(w->d, HEED_KIND_TENSOR, dtype);
        onnx_message proto = {0};
        w->failed |= !t;
        if (t)
            proto = tensor_proto(NULL, t);
        onnx_write_part(a, 5, &proto);
        onnx_write_int(a, 20, 4);
        heed_tensor_free(t);
    }
}

static void list_values(writer *w, onnx_message *a, const char *type, size_t n)
{
    bool hard = op_draw_chance(w->d, 8);
    uint32_t count = op_draw_below(w->d, hard ? 9 : 5);
    for (uint32_t i = 0; i < count; i++) {
        if (type_is(type, n, "ints"))
            onnx_write_int(a, 8, op_draw_int(w->d));
        else if (type_is(type, n, "floats"))
            onnx_write_float(a, 7, op_draw_float(w->d));
        else
            onnx_write_text(a, 9, op_draw_word(w->d));
    }
    onnx_write_int(a, 20, type_is(type, n, "ints") ? 7 : type_is(type, n, "floats") ? 6 : 8);
}

static void default_value(onnx_message *a, const char *type, size_t n, const char *text,
                          size_t size)
{
    char value[128];
    snprintf(value, sizeof(value), "%.*s", (int)size, text);
    if (type_is(type, n, "int")) {
        onnx_write_int(a, 3, strtoll(value, NULL, 10));
        onnx_write_int(a, 20, 2);
    } else if (type_is(type, n, "float")) {
        onnx_write_float(a, 2, strtof(value, NULL));
        onnx_write_int(a, 20, 1);
    } else {
        onnx_write_text(a, 4, value);
        onnx_write_int(a, 20, 3);
    }
}

/* "axis:int=0" or "body:graph!". */
static void attribute(writer *w, const char *word, size_t size, uint32_t n_in, uint32_t n_out)
{
    const char *colon = memchr(word, ':', size);
    if (!colon)
        return;
    const char *type = colon + 1;
    size_t n = strcspn(type, "!= "), left = size - (size_t)(type - word);
    n = n < left ? n : left;
    bool required = n < left && type[n] == '!', fallback = n < left && type[n] == '=';
    if (!op_draw_chance(w->d, required ? 62 : 24))
        return;
    onnx_message a = {0};
    onnx_write_bytes(&a, 1, word, (size_t)(colon - word));
    if (type_is(type, n, "graph")) {
        onnx_message g = graph_attribute(w, n_in, n_out);
        onnx_write_part(&a, 6, &g);
        onnx_write_int(&a, 20, 5);
    } else if (n > 0 && type[n - 1] == 's') {
        list_values(w, &a, type, n);
    } else if (fallback && op_draw_chance(w->d, 16)) {
        default_value(&a, type, n, type + n + 1, left - n - 1);
    } else {
        one_value(w, &a, type, n);
    }
    onnx_write_part(&w->node, 5, &a);
}

/* Attributes that were inputs later, or have gone. */
static void old_attribute(writer *w)
{
    static const char *const old[] = {
        "axes:ints",    "pads:ints",     "starts:ints",   "ends:ints",   "split:ints",
        "repeats:ints", "shape:ints",    "k:int",         "min:float",   "max:float",
        "ratio:float",  "value:float",   "scales:floats", "spatial:int", "is_test:int",
        "axis:int",     "broadcast:int", "to:int",        "mode:string", "keepdims:int"};
    const char *word = old[op_draw_below(w->d, sizeof(old) / sizeof(*old))];
    attribute(w, word, strlen(word), 0, 0);
}

static void attributes(writer *w, uint32_t n_in, uint32_t n_out)
{
    const char *at = w->m->op->attrs ? w->m->op->attrs : "";
    for (size_t n; *(at += strspn(at, " ")); at += n) {
        n = strcspn(at, " ");
        attribute(w, at, n, n_in, n_out);
    }
    if (op_draw_chance(w->d, 6))
        old_attribute(w);
}

/* ---- Inputs and outputs --------------------------------------------------------------------- */

/* The set of letter `name` in "T=any I=int32|int64", or the name itself. */
static const char *set_of(const char *types, const char *name, size_t n, size_t *size)
{
    for (const char *at = types ? types : ""; *at; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word > n && at[n] == '=' && !memcmp(at, name, n)) {
            *size = word - n - 1;
            return at + n + 1;
        }
        at += word;
    }
    *size = n;
    return name;
}

static letter type_for(writer *w, const char *name, size_t n)
{
    size_t size;
    for (uint32_t i = 0; i < w->n_letters; i++)
        if (w->letters[i].n == n && !memcmp(w->letters[i].name, name, n))
            return w->letters[i];
    letter l = {.name = name, .n = n};
    const char *set = set_of(w->m->op->types, name, n, &size);
    l.dtype = op_draw_dtype(w->d, set, size, &l.kind);
    if (!l.dtype || op_draw_chance(w->d, 1))
        l.dtype = HEED_FLOAT32;
    if (w->n_letters < MAX_LETTERS)
        w->letters[w->n_letters++] = l;
    return l;
}

static void add_input(writer *w, uint32_t i, letter l)
{
    char name[8];
    onnx_message part;
    heed_tensor *t = op_draw_value(w->d, l.kind, l.dtype);
    snprintf(name, sizeof(name), "x%u", i);
    onnx_write_text(&w->node, 1, name);
    if (!t) {
        w->failed = true;
    } else if (l.kind == HEED_KIND_TENSOR && op_draw_chance(w->d, 12)) {
        part = tensor_proto(name, t);
        onnx_write_part(&w->graph, 5, &part);
        heed_tensor_free(t);
    } else {
        onnx_message value = {0};
        onnx_write_text(&value, 1, name);
        part = type_of(w->d, t);
        onnx_write_part(&value, 2, &part);
        onnx_write_part(&w->graph, 11, &value);
        snprintf(w->m->names[w->m->n_in], sizeof(*w->m->names), "%s", name);
        w->m->in[w->m->n_in++] = t;
    }
}

/* "data:T, indices:I?, inputs:T*" up to "->" or the end; returns how many are written. */
static uint32_t side(writer *w, const char *at, bool inputs)
{
    uint32_t n = 0, most = inputs ? OP_DRAW_INPUTS - 1 : OP_DRAW_OUTPUTS;
    bool end = false; /* no more optional ones */
    for (at += strspn(at, " ,"); *at && *at != '-'; at += strspn(at, " ,")) {
        const char *type = strchr(at, ':') + 1;
        size_t name = strcspn(type, "?*, ");
        bool optional = type[name] == '?', variadic = type[name] == '*';
        uint32_t times = variadic ? op_draw_below(w->d, 4) : !end;
        for (uint32_t k = 0; k < times && n < most; k++, n++) {
            char text[8];
            snprintf(text, sizeof(text), "y%u", n);
            end |= optional && op_draw_chance(w->d, 8);
            if ((optional && (end || op_draw_chance(w->d, 16))) || op_draw_chance(w->d, 0))
                onnx_write_text(&w->node, inputs ? 1 : 2, "");
            else if (inputs)
                add_input(w, n, type_for(w, type, name));
            else
                onnx_write_text(&w->node, 2, text);
        }
        at = type + strcspn(type, ",-");
    }
    return n;
}

static void outputs(writer *w, const char *signature)
{
    const char *arrow = strstr(signature, "->");
    onnx_message before = w->node; /* written apart, to see which are left out */
    w->node = (onnx_message){0};
    w->m->n_out = 0;
    uint32_t n = side(w, arrow ? arrow + 2 : "", false);
    size_t at = 0;
    for (uint32_t o = 0; o < n; o++) {
        size_t length = w->node.bytes[at + 1];
        char name[8];
        snprintf(name, sizeof(name), "y%u", o);
        if (length > 0) {
            onnx_message value = onnx_write_value(name, 0, -1);
            onnx_write_part(&w->graph, 12, &value);
            w->m->n_out++;
        }
        at += 2 + length;
    }
    onnx_write_raw(&before, w->node.bytes, w->node.size);
    onnx_write_free(&w->node);
    w->node = before;
}

/* ---- Models --------------------------------------------------------------------------------- */

static const op_def *pick_op(op_draw *d)
{
    uint32_t n = 0;
    for (uint32_t pass = 0; pass < 2; pass++) {
        uint32_t at = pass ? op_draw_below(d, n) : 0;
        for (const op_def *const *const *family = op_table; *family; family++)
            for (const op_def *const *op = *family; *op; op++)
                if (!pass)
                    n++;
                else if (at-- == 0)
                    return *op;
    }
    return NULL;
}

static void import(onnx_message *model, const char *domain, int64_t version)
{
    onnx_message m = {0};
    onnx_write_text(&m, 1, domain);
    onnx_write_int(&m, 2, version);
    onnx_write_part(model, 8, &m);
}

static void finish(writer *w)
{
    const op_def *op = w->m->op;
    bool standard = op->domain[0] == 0;
    onnx_write_text(&w->node, 4, op->name);
    onnx_write_text(&w->node, 7, op->domain);
    onnx_write_part(&w->graph, 1, &w->node);
    onnx_write_text(&w->graph, 2, "drawn");
    onnx_write_int(&w->m->bytes, 1, 10);
    import(&w->m->bytes, "", w->opset);
    if (!standard)
        import(&w->m->bytes, op->domain, op->since);
    onnx_write_part(&w->m->bytes, 7, &w->graph);
}

bool op_draw_model(op_draw *d, op_model *m)
{
    static const uint32_t hostile[] = {0, 0, 0, 2, 2, 8, 24, 0};
    static const uint8_t extents[] = {1, 2, 3, 4, 2, 1, 0, 5, 2, 4, 8, 1, 16, 3, 2, 32};
    *m = (op_model){.op = pick_op(d)};
    writer w = {.d = d, .m = m, .opset = 28};
    d->hostile = hostile[op_draw_below(d, 8)];
    for (int i = 0; i < 4; i++)
        d->pool[i] = extents[op_draw_below(d, 16)];
    if (op_draw_chance(d, 12))
        w.opset = 7 + (int64_t)op_draw_below(d, 21);
    uint32_t n_in = side(&w, m->op->signature, true);
    outputs(&w, m->op->signature);
    attributes(&w, n_in, m->n_out);
    finish(&w);
    return !w.failed;
}

void op_draw_free(op_model *m)
{
    onnx_write_free(&m->bytes);
    for (uint32_t i = 0; i < m->n_in; i++)
        heed_tensor_free(m->in[i]);
    *m = (op_model){0};
}
