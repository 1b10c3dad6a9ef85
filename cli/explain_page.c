/* explain_page.c - `heed explain --html`: the page of page/explain.html with its data put in. */
#include <errno.h>
#include <string.h>

#include "explain.h"

/* page/explain.html, made an array by the build. */
extern const unsigned char page_explain[];
extern const size_t page_explain_size;

static void write_node(json_out *out, const heed_graph_node *n)
{
    json_open(out, NULL, '{');
    json_text(out, "name", n->name);
    json_text(out, "domain", n->domain);
    json_text(out, "op", n->op);
    json_text(out, "attributes", n->attributes);
    json_text(out, "backend", n->backend);
    json_int(out, "graph", n->graph);
    json_int(out, "site", n->site);
    json_ints(out, "inputs", n->inputs, n->n_inputs);
    json_ints(out, "outputs", n->outputs, n->n_outputs);
    json_close(out, '}');
}

static void write_value(json_out *out, const heed_graph_value *v)
{
    json_open(out, NULL, '{');
    json_text(out, "name", v->name);
    json_text(out, "type", v->type);
    json_close(out, '}');
}

static void write_graph(json_out *out, const char *key, const heed_graph *g)
{
    const heed_graph_node *n;
    const heed_graph_value *v;
    json_open(out, key, '{');
    json_open(out, "nodes", '[');
    for (size_t i = 0; (n = heed_graph_get_node(g, i)); i++)
        write_node(out, n);
    json_close(out, ']');
    json_open(out, "values", '[');
    for (size_t i = 0; (v = heed_graph_get_value(g, i)); i++)
        write_value(out, v);
    json_close(out, ']');
    json_close(out, '}');
}

static void write_data(FILE *file, const explain_facts *f, const heed_graph *before,
                       const heed_graph *after)
{
    json_out out = {.file = file, .page = true};
    json_open(&out, NULL, '{');
    explain_write_members(&out, f);
    json_open(&out, "graphs", '{');
    write_graph(&out, "before", before);
    write_graph(&out, "after", after);
    json_close(&out, '}');
    json_close(&out, '}');
}

static int write_page(const explain_facts *f, const char *path, const heed_graph *before,
                      const heed_graph *after)
{
    static const char mark[] = "@DATA@";
    const size_t n_mark = sizeof mark - 1;
    size_t at = 0;
    while (at + n_mark < page_explain_size && memcmp(page_explain + at, mark, n_mark))
        at++;
    FILE *file = fopen(path, "w");
    if (!file)
        return exit_with(EXIT_USAGE, "%s: %s", path, strerror(errno));
    fwrite(page_explain, 1, at, file);
    write_data(file, f, before, after);
    fwrite(page_explain + at + n_mark, 1, page_explain_size - at - n_mark, file);
    bool failed = ferror(file);
    if (fclose(file) || failed)
        return exit_with(EXIT_USAGE, "%s: %s", path, strerror(errno));
    return EXIT_OK;
}

int explain_write_page(const explain_facts *f, const char *path)
{
    heed_graph *before = NULL, *after = NULL;
    int code = EXIT_OK;
    if (heed_model_get_graph(heed_session_get_model(f->session), &before) ||
        heed_session_get_graph(f->session, &after))
        code = exit_error(f->path);
    else
        code = write_page(f, path, before, after);
    heed_graph_free(before);
    heed_graph_free(after);
    return code;
}
