/* explain_caches.c - what `heed explain` tells of a decoder's cache, as text. Layers repeat: what
 * is the same for several is told once, with the tensors of the first. */
#include <string.h>

#include "explain.h"

static const struct {
    const char *form, *meaning;
} meanings[] = {
    {"concat", "a past comes in, and comes out with the new tokens joined to it"},
    {"buffer",
     "a past comes in, and an operator of com.microsoft gives it back with the new tokens"},
    {"static", "a cache of one size comes in, and the new tokens are written into it"},
    {"tensor_scatter", "a cache of one size comes in, and TensorScatter writes the new tokens"},
    {"merged", "one file with two graphs, with a past and without, and a switch"},
    {"state", "a state of one size comes in, and comes out changed"},
    {"rolling", "a window of the newest tokens comes in: new ones push the oldest out"},
    {"cross", "keys and values of an encoder"},
    {"none", "the file has no cache"},
};

const char *explain_form_meaning(const char *form)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
        if (!strcmp(meanings[i].form, form))
            return meanings[i].meaning;
    return "";
}

static bool is_alike(const heed_cache *a, const heed_cache *b)
{
    return a->flags == b->flags && !strcmp(a->form, b->form) && !strcmp(a->reason, b->reason) &&
           !strcmp(a->at, b->at);
}

static size_t first_alike(const explain_facts *f, size_t i)
{
    size_t k = 0;
    while (!is_alike(&f->caches[k], &f->caches[i]))
        k++;
    return k;
}

/* "past.0.key -> present.0.key", or the one that there is. */
static void print_pair(const char *what, const char *past, const char *present)
{
    if (*past)
        printf("    %s: %s%s%s\n", what, past, *present ? " -> " : "", present);
}

static void print_tensors(const heed_cache *c, size_t n)
{
    bool both = !strcmp(c->past_key, c->past_value), state = !*c->past_value;
    print_pair(both ? "keys and values" : state ? "tensor" : "keys", c->past_key, c->present_key);
    if (!both)
        print_pair("values", c->past_value, c->present_value);
    if (n > 1 && *c->past_key)
        printf("    and so on for %zu more\n", n - 1);
}

static void print_verdict(const heed_cache *c)
{
    if (c->flags & HEED_CACHE_PAGED) {
        printf("    in pages; proved: %s\n", c->proof);
        return;
    }
    printf("    no pages: %s", c->reason);
    if (*c->at)
        printf(" (at %s %s)", c->at_op, c->at);
    puts("");
    if (*c->help)
        printf("    what would help: %s\n", c->help);
    if (!strcmp(c->form, "none"))
        puts("    heed generate computes the whole sequence again for each token");
    else if (*c->help)
        puts("    heed generate keeps the model's own tensors, one sequence at a time");
}

void explain_print_caches(const explain_facts *f)
{
    if (f->n_caches)
        puts("\ncache of earlier tokens");
    for (size_t i = 0; i < f->n_caches; i++) {
        const heed_cache *c = &f->caches[i];
        size_t n = 0;
        if (first_alike(f, i) != i)
            continue;
        for (size_t k = i; k < f->n_caches; k++)
            n += first_alike(f, k) == i;
        printf("  %s, %zu layer%s: %s\n", c->form, n, n > 1 ? "s" : "",
               explain_form_meaning(c->form));
        print_tensors(c, n);
        print_verdict(c);
    }
}
