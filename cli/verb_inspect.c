/* verb_inspect.c - heed inspect: what a model takes, gives and consists of. */
#include <string.h>

#include "inputs.h"
#include "json.h"
#include "print.h"
#include "session.h"

static const char *kind_name(const heed_value_info *info)
{
    static const char *const names[] = {"tensor", "sequence", "optional", "map"};
    return info->kind < 4 ? names[info->kind] : "?";
}

/* "batch x seq x 64"; symbols that are expressions stand as they are. */
static void print_shape(char out[PRINT_SIZE], const heed_value_info *info)
{
    char room[PRINT_SIZE];
    size_t n = 0;
    snprintf(out, PRINT_SIZE, info->ndim < 0 ? "any shape" : "scalar");
    for (int32_t d = 0; d < info->ndim && n < PRINT_SIZE; d++) {
        const char *mark = d ? " x " : "";
        if (info->dims[d] >= 0)
            n +=
                (size_t)snprintf(out + n, PRINT_SIZE - n, "%s%lld", mark, (long long)info->dims[d]);
        else
            n += (size_t)snprintf(out + n, PRINT_SIZE - n, "%s%s", mark,
                                  input_symbol(info, d, room, sizeof room));
    }
}

/* ---- Text ---- */

static void add_value(print_table *table, const char *what, const heed_value_info *info)
{
    char shape[PRINT_SIZE];
    print_shape(shape, info);
    const char *kind = info->kind == HEED_TENSOR ? "" : kind_name(info);
    if (info->kind == HEED_SEQUENCE && info->keys)
        kind = "sequence of maps";
    const char *optional = info->optional ? "has a default" : kind;
    table_add(
        table, 5,
        (const char *const[]){what, info->name, heed_dtype_name(info->dtype), shape, optional});
}

static void print_values(const heed_model *model)
{
    print_table table = {0};
    for (size_t i = 0; i < heed_model_get_input_count(model); i++)
        add_value(&table, "input", heed_model_get_input(model, i));
    for (size_t i = 0; i < heed_model_get_output_count(model); i++)
        add_value(&table, "output", heed_model_get_output(model, i));
    table_print(stdout, &table, "");
    table_free(&table);
}

static void print_facts(const heed_model *model)
{
    print_table table = {0};
    const char *name, *value;
    for (size_t i = 0; (name = heed_model_get_fact(model, i, &value)); i++)
        table_add(&table, 2, (const char *const[]){name, value});
    table_print(stdout, &table, "");
    table_free(&table);
}

static size_t count_nodes(const heed_op_count *ops, size_t n)
{
    size_t nodes = 0;
    for (size_t i = 0; i < n; i++)
        nodes += ops[i].nodes;
    return nodes;
}

static bool is_standard(const char *domain) { return !*domain || !strcmp(domain, "ai.onnx"); }

static void print_operators(const heed_model *model)
{
    const heed_op_count *ops;
    size_t n = heed_model_get_op_counts(model, &ops);
    print_table table = {0};
    for (size_t i = 0; i < n; i++) {
        char count[32];
        snprintf(count, sizeof count, "%zu", ops[i].nodes);
        table_add(&table, 3,
                  (const char *const[]){ops[i].op, count,
                                        is_standard(ops[i].domain) ? "" : ops[i].domain});
    }
    printf("\n%zu nodes, %zu operators\n", count_nodes(ops, n), n);
    table_print(stdout, &table, "  ");
    table_free(&table);
}

static void print_weights(const heed_model *model)
{
    const heed_weight_count *weights;
    size_t n = heed_model_get_weight_counts(model, &weights);
    print_table table = {0};
    puts(n ? "\nweights" : "\nno weights");
    for (size_t i = 0; i < n; i++) {
        char tensors[48], elements[PRINT_SIZE], bytes[PRINT_SIZE];
        snprintf(tensors, sizeof tensors, "%zu tensors", weights[i].tensors);
        print_count(elements, weights[i].elements);
        print_bytes(bytes, weights[i].bytes);
        table_add(
            &table, 4,
            (const char *const[]){heed_dtype_name(weights[i].dtype), tensors, elements, bytes});
    }
    table_print(stdout, &table, "  ");
    table_free(&table);
}

static void print_text(const heed_model *model)
{
    print_values(model);
    puts("");
    print_facts(model);
    print_operators(model);
    print_weights(model);
}

/* ---- JSON ---- */

static void json_value(json_out *out, const heed_value_info *info)
{
    char room[PRINT_SIZE];
    json_open(out, NULL, '{');
    json_text(out, "name", info->name);
    json_text(out, "kind", kind_name(info));
    if (info->keys)
        json_text(out, "keys", heed_dtype_name(info->keys));
    json_text(out, "dtype", heed_dtype_name(info->dtype));
    json_bool(out, "optional", info->optional);
    if (info->ndim < 0)
        json_null(out, "shape");
    else
        json_open(out, "shape", '[');
    for (int32_t d = 0; d < info->ndim; d++) {
        if (info->dims[d] >= 0)
            json_int(out, NULL, info->dims[d]);
        else
            json_text(out, NULL, input_symbol(info, d, room, sizeof room));
    }
    if (info->ndim >= 0)
        json_close(out, ']');
    json_close(out, '}');
}

static void json_values(json_out *out, const char *key, const heed_model *model, size_t n,
                        const heed_value_info *(*get)(const heed_model *model, size_t i))
{
    json_open(out, key, '[');
    for (size_t i = 0; i < n; i++)
        json_value(out, get(model, i));
    json_close(out, ']');
}

static void json_facts(json_out *out, const heed_model *model)
{
    const char *name, *value;
    json_open(out, "facts", '{');
    for (size_t i = 0; (name = heed_model_get_fact(model, i, &value)); i++)
        if (strncmp(name, "opset ", 6))
            json_text(out, name, value);
    json_close(out, '}');
    json_open(out, "opsets", '{');
    for (size_t i = 0; (name = heed_model_get_fact(model, i, &value)); i++)
        if (!strncmp(name, "opset ", 6))
            json_text(out, name + 6, value);
    json_close(out, '}');
}

static void json_operators(json_out *out, const heed_model *model)
{
    const heed_op_count *ops;
    size_t n = heed_model_get_op_counts(model, &ops);
    json_int(out, "nodes", (int64_t)count_nodes(ops, n));
    json_open(out, "operators", '[');
    for (size_t i = 0; i < n; i++) {
        json_open(out, NULL, '{');
        json_text(out, "domain", is_standard(ops[i].domain) ? "ai.onnx" : ops[i].domain);
        json_text(out, "op", ops[i].op);
        json_int(out, "nodes", (int64_t)ops[i].nodes);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void json_weights(json_out *out, const heed_model *model)
{
    const heed_weight_count *weights;
    size_t n = heed_model_get_weight_counts(model, &weights);
    json_open(out, "weights", '[');
    for (size_t i = 0; i < n; i++) {
        json_open(out, NULL, '{');
        json_text(out, "dtype", heed_dtype_name(weights[i].dtype));
        json_int(out, "tensors", (int64_t)weights[i].tensors);
        json_int(out, "elements", (int64_t)weights[i].elements);
        json_int(out, "bytes", (int64_t)weights[i].bytes);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void print_json(const cli_args *args, const heed_model *model)
{
    json_out out = {.file = stdout};
    json_open(&out, NULL, '{');
    session_json_row(&out, args, args->words[0]);
    json_values(&out, "inputs", model, heed_model_get_input_count(model), heed_model_get_input);
    json_values(&out, "outputs", model, heed_model_get_output_count(model), heed_model_get_output);
    json_facts(&out, model);
    json_operators(&out, model);
    json_weights(&out, model);
    json_close(&out, '}');
    json_end(&out);
}

static int run(const cli_args *args)
{
    heed_model *model = NULL;
    bool ok;
    bool json = args_want_json(args, &ok);
    if (!ok)
        return EXIT_USAGE;
    if (args->n_words != 1)
        return exit_with(EXIT_USAGE, "heed inspect needs one model");
    int code = session_load_model(args->words[0], &model);
    if (!code && json)
        print_json(args, model);
    else if (!code)
        print_text(model);
    heed_model_free(model);
    return code;
}

const cli_verb verb_inspect = {
    .name = "inspect",
    .usage = "MODEL",
    .summary = "shows a model's inputs, outputs, operators and weights",
    .flags = {format_flags},
    .run = run,
};
