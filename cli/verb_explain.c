/* verb_explain.c - heed explain: which attention was found and fused, what was not, and why. */
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "files.h"
#include "json.h"
#include "print.h"
#include "session.h"

/* ---- Text: what was fused ---------------------------------------------------------------------
 */

static const char *print_number(char out[PRINT_SIZE], int64_t number)
{
    snprintf(out, PRINT_SIZE, "%lld", (long long)number);
    return number < 0 ? "?" : out;
}

/* "12", or "12/4" when keys and values have fewer, or "4/1/4" when they differ too. */
static void print_heads(char out[PRINT_SIZE], const heed_site *s)
{
    char q[PRINT_SIZE], k[PRINT_SIZE], v[PRINT_SIZE];
    print_number(q, s->q_heads);
    if (s->k_heads != s->v_heads)
        snprintf(out, PRINT_SIZE, "%.20s/%.20s/%.20s", print_number(q, s->q_heads),
                 print_number(k, s->k_heads), print_number(v, s->v_heads));
    else if (s->q_heads != s->k_heads)
        snprintf(out, PRINT_SIZE, "%.20s/%.20s", print_number(q, s->q_heads),
                 print_number(k, s->k_heads));
    else
        snprintf(out, PRINT_SIZE, "%.20s", print_number(q, s->q_heads));
}

static void print_channels(char out[PRINT_SIZE], const heed_site *s)
{
    char k[PRINT_SIZE], v[PRINT_SIZE];
    if (s->head_dim == s->v_head_dim)
        snprintf(out, PRINT_SIZE, "%.20s", print_number(k, s->head_dim));
    else
        snprintf(out, PRINT_SIZE, "%.20s/%.20s", print_number(k, s->head_dim),
                 print_number(v, s->v_head_dim));
}

static char *join(const char *const *names, size_t n, const char *mark)
{
    char *text = cli_copy("");
    for (size_t i = 0; i < n; i++) {
        char *longer = cli_format("%s%s%s", text, i ? mark : "", names[i]);
        free(text);
        text = longer;
    }
    return text;
}

static void add_fused(print_table *table, const heed_site *s)
{
    char heads[PRINT_SIZE], channels[PRINT_SIZE], nodes[PRINT_SIZE], op[PRINT_SIZE];
    char *features = join(s->features, s->n_features, ", ");
    print_heads(heads, s);
    print_channels(channels, s);
    snprintf(nodes, sizeof nodes, "%zu", s->n_nodes);
    snprintf(op, sizeof op, "%s.%s%s", s->domain, s->op,
             s->flags & HEED_SITE_DECOMPOSED ? ", decomposed" : "");
    table_add(table, 7,
              (const char *const[]){s->node, op, s->backend, heads, channels, nodes, features});
    free(features);
}

/* The first site whose mask is the same. */
static size_t first_alike(const explain_facts *f, size_t i)
{
    size_t k = 0;
    while (k < i && (!explain_is_fused(&f->sites[k]) || strcmp(f->sites[k].mask, f->sites[i].mask)))
        k++;
    return k;
}

/* Layers repeat: each mask is told once. */
static void print_masks(const explain_facts *f)
{
    for (size_t i = 0; i < f->n_sites; i++) {
        size_t alike = 0;
        if (!explain_is_fused(&f->sites[i]) || !*f->sites[i].mask || first_alike(f, i) != i)
            continue;
        for (size_t k = i; k < f->n_sites; k++)
            alike += explain_is_fused(&f->sites[k]) && first_alike(f, k) == i;
        printf("  who sees whom in %zu of them: %s\n", alike, f->sites[i].mask);
    }
}

static bool has_feature(const heed_site *s, const char *name)
{
    for (size_t i = 0; explain_is_fused(s) && i < s->n_features; i++)
        if (!strcmp(s->features[i], name))
            return true;
    return false;
}

/* Each feature is explained once, at the first site that has it. */
static void print_meanings(const explain_facts *f)
{
    for (size_t i = 0; i < f->n_sites; i++)
        for (size_t k = 0; explain_is_fused(&f->sites[i]) && k < f->sites[i].n_features; k++) {
            const char *name = f->sites[i].features[k], *meaning = explain_meaning(name);
            size_t before = 0;
            while (before < i && !has_feature(&f->sites[before], name))
                before++;
            if (meaning && before == i)
                printf("  %s: %s\n", name, meaning);
        }
}

static void print_fused(const explain_facts *f)
{
    print_table table = {0};
    bool decomposed = false;
    if (!explain_count_sites(f, explain_is_fused))
        return;
    table_add(&table, 7,
              (const char *const[]){"attention", "fused into", "backend", "heads", "head dim",
                                    "nodes", "features"});
    for (size_t i = 0; i < f->n_sites; i++)
        if (explain_is_fused(&f->sites[i])) {
            add_fused(&table, &f->sites[i]);
            decomposed |= (f->sites[i].flags & HEED_SITE_DECOMPOSED) != 0;
        }
    puts("");
    table_print(stdout, &table, "  ");
    table_free(&table);
    print_masks(f);
    print_meanings(f);
    puts("  heads: of queries, and of keys and values where they have fewer; head dim: of keys,\n"
         "  and of values where it differs; nodes: how many the operator took the place of");
    if (decomposed)
        puts("  decomposed: no backend in use computes the operator, so it runs as the products\n"
             "  and the softmax that define it");
}

/* ---- Text: what was not ------------------------------------------------------------------------
 */

/* Sites that say the same are told once: layers repeat. */
static bool same_story(const heed_site *a, const heed_site *b)
{
    return !explain_is_fused(a) && !explain_is_fused(b) &&
           explain_is_attention(a) == explain_is_attention(b) && !strcmp(a->reason, b->reason) &&
           !strcmp(a->at_op, b->at_op);
}

static bool told_before(const explain_facts *f, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (same_story(&f->sites[k], &f->sites[i]))
            return true;
    return false;
}

static void print_story(const explain_facts *f, size_t first)
{
    const heed_site *s = &f->sites[first];
    puts("");
    for (size_t i = first; i < f->n_sites; i++) {
        const heed_site *other = &f->sites[i];
        if (!same_story(s, other))
            continue;
        printf("  %s", other->node);
        if (*other->at && strcmp(other->at, other->node))
            printf("  (at %s %s)", other->at_op, other->at);
        puts("");
    }
    printf("    why: %s\n", s->reason);
    if (*s->help)
        printf("    what would help: %s\n", s->help);
}

static void print_others(const explain_facts *f, bool attention, const char *title)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_sites; i++)
        n += !explain_is_fused(&f->sites[i]) && explain_is_attention(&f->sites[i]) == attention;
    if (!n)
        return;
    printf("\n%s (%zu)\n", title, n);
    for (size_t i = 0; i < f->n_sites; i++)
        if (!explain_is_fused(&f->sites[i]) && explain_is_attention(&f->sites[i]) == attention &&
            !told_before(f, i))
            print_story(f, i);
}

/* ---- Text: the rest ----------------------------------------------------------------------------
 */

static void print_counts(const char *title, const explain_count *counts, size_t n)
{
    if (!n)
        return;
    printf("%s: ", title);
    bool any = false;
    for (size_t i = 0; i < n; i++)
        if (counts[i].n) {
            printf("%s%s %zu", any ? ", " : "", counts[i].name, counts[i].n);
            any = true;
        }
    puts(any ? "" : "none");
}

static void print_summary(const explain_facts *f)
{
    size_t sites = explain_count_sites(f, explain_is_attention),
           fused = explain_count_sites(f, explain_is_fused);
    printf("%s: %zu nodes, %zu after optimisation\n", f->path, f->nodes_before, f->nodes_after);
    if (!sites)
        puts("attention: none found");
    else
        printf("attention: %zu found, %zu fused, %zu not fused\n", sites, fused, sites - fused);
}

static void print_text(const explain_facts *f)
{
    print_summary(f);
    print_fused(f);
    print_others(f, true, "not fused");
    print_others(f, false, "softmax that is no attention");
    explain_print_caches(f);
    puts("");
    print_counts("fusions, and how often each was found", f->fusions, f->n_fusions);
    printf("placement: ");
    session_print_placement(stdout, f->session);
    puts("");
    print_counts("passes, and how much each changed", f->passes, f->n_passes);
}

/* ---- The verb ----------------------------------------------------------------------------------
 */

static void print_json(const explain_facts *f)
{
    json_out out = {.file = stdout};
    json_open(&out, NULL, '{');
    explain_write_members(&out, f);
    json_close(&out, '}');
    json_end(&out);
}

static int explain(const cli_args *args, heed_model *model, bool json)
{
    heed_session *session = NULL;
    explain_facts facts;
    int code = session_make(args, model, args->words[0], &session);
    if (code)
        return code;
    explain_read(&facts, args->words[0], session);
    if (args_get(args, "html"))
        code = explain_write_page(&facts, args_get(args, "html"));
    else if (json)
        print_json(&facts);
    else
        print_text(&facts);
    explain_free(&facts);
    heed_session_free(session);
    return code;
}

static int run(const cli_args *args)
{
    heed_model *model = NULL;
    bool ok;
    bool json = args_want_json(args, &ok);
    if (!ok)
        return EXIT_USAGE;
    if (args->n_words != 1)
        return exit_with(EXIT_USAGE, "heed explain needs one model");
    int code = session_prepare(args);
    if (!code)
        code = files_check_output(args, "html");
    if (!code)
        code = session_load_model(args->words[0], &model);
    if (!code)
        code = explain(args, model, json);
    heed_model_free(model);
    return code;
}

// clang-format off
static const cli_flag explain_flags[] = {
    {"html", "FILE", "write a page for the browser instead of text"},
    {NULL, NULL, NULL},
};
// clang-format on

const cli_verb verb_explain = {
    .name = "explain",
    .usage = "MODEL",
    .summary = "says which attention was fused into what, and why the rest was not",
    .notes =
        "Each softmax of the model is listed: fused, with the operator that a run with the same\n"
        "flags executes; not fused, with the node that stood in the way and what would help;\n"
        "or no attention at all, such as a router's or a classifier's.\n"
        "\n"
        "--html writes a page with the graph before and after: one file, no network. A click on a\n"
        "site marks its nodes; page.html#site-2 opens with site 2 marked.\n",
    .flags = {explain_flags, format_flags, session_flags},
    .run = run,
};
