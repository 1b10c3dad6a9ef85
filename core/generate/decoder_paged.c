/* decoder_paged.c - a decoder whose earlier tokens lie in pages that sequences share. */
#include <stdio.h>
#include <string.h>

#include "generate/decoder.h"
#include "generate/paged_model.h"

typedef struct paged_seq paged_seq;
typedef struct paged_decoder {
    decoder base;
    paged_model *model;
    page_pool *pool;
    paged_seq *all;
    bool share;
    arena memory;              /* of names */
    const page_table **tables; /* of a step */
    uint32_t *rows;
    size_t tables_capacity, rows_capacity;
} paged_decoder;

struct paged_seq {
    decoder_seq base;
    paged_seq *next, *before; /* of all */
    page_table table;
    char *away; /* its pages, copied; the table is empty then */
};

static paged_decoder *decoder_of(decoder *d) { return (paged_decoder *)(void *)d; }
static paged_seq *seq_of(decoder_seq *s) { return (paged_seq *)(void *)s; }

/* ---- What sequences share ---------------------------------------------------------------------
 */

/* What steps do not read is dropped: an encoder's results are larger than they look. */
static heed_status paged_prepare(const decoder *d, size_t n, const char *const *names,
                                 heed_tensor *const *tensors, decoder_side **out)
{
    const paged_model *p = ((const paged_decoder *)(const void *)d)->model;
    const side_model *once = paged_model_side(p);
    size_t kept = side_model_count(once);
    arena memory = {0};
    heed_tensor **all = arena_array(&memory, n + kept, sizeof(*all));
    const char **all_names = arena_array(&memory, n + kept, sizeof(*all_names));
    heed_status status =
        all && all_names ? side_model_run(once, n, names, (const heed_tensor *const *)tensors, all)
                         : HEED_NOMEM;
    for (uint32_t i = 0; !status && i < kept; i++)
        all_names[i] = side_model_name(once, i);
    for (size_t i = 0; i < n; i++)
        if (!status && paged_model_reads(p, names[i])) {
            all_names[kept] = names[i];
            all[kept++] = tensors[i];
        } else {
            tensor_free(tensors[i]);
        }
    if (!status)
        status = decoder_side_new(kept, all_names, all, out);
    arena_free(&memory);
    return status;
}

/* ---- Sequences --------------------------------------------------------------------------------
 */

static heed_status seq_new(paged_decoder *p, decoder_side *side, paged_seq **out)
{
    *out = mem_zero(sizeof(**out));
    if (!*out)
        return HEED_NOMEM;
    (*out)->base.side = decoder_side_hold(side);
    (*out)->next = p->all;
    if (p->all)
        p->all->before = *out;
    p->all = *out;
    return HEED_OK;
}

static void paged_end(decoder *d, decoder_seq *seq)
{
    paged_seq *s = seq_of(seq);
    *(s->before ? &s->before->next : &decoder_of(d)->all) = s->next;
    if (s->next)
        s->next->before = s->before;
    page_table_free(&s->table, decoder_of(d)->pool);
    mem_free(s->away);
    decoder_side_drop(seq->side);
    mem_free(seq);
}

/* What an encoder gave is part of what a token knows, and pages are found by tokens alone. */
static heed_status paged_begin(decoder *d, decoder_side *side, const int32_t *tokens, size_t n,
                               decoder_seq **out)
{
    paged_decoder *p = decoder_of(d);
    paged_seq *s;
    TRY(seq_new(p, side, &s));
    heed_status status = HEED_OK;
    if (p->share && !side && n > 0)
        status = page_table_find(&s->table, p->pool, tokens, n - 1);
    s->base.length = s->table.n_tokens;
    if (status)
        paged_end(d, &s->base);
    else
        *out = &s->base;
    return status;
}

static heed_status paged_fork(decoder *d, const decoder_seq *seq, decoder_seq **out)
{
    paged_seq *s;
    TRY(seq_new(decoder_of(d), seq->side, &s));
    heed_status status = page_table_fork(&((const paged_seq *)(const void *)seq)->table,
                                         decoder_of(d)->pool, &s->table);
    s->base.length = s->table.n_tokens;
    if (status)
        paged_end(d, &s->base);
    else
        *out = &s->base;
    return status;
}

static void paged_cut(decoder *d, decoder_seq *seq, size_t n)
{
    page_table_cut(&seq_of(seq)->table, decoder_of(d)->pool, n);
    seq->length = seq_of(seq)->table.n_tokens;
}

/* Bytes for the pages that may be taken. Where there are none, those that are kept must do. */
static void make_room(paged_decoder *p, const page_table *table, size_t n)
{
    page_store *store = paged_model_pages(p->model);
    page_counts c = page_pool_count(p->pool);
    uint32_t each = p->base.about.page_tokens, unused = c.used - c.held - c.kept;
    uint64_t more = (table->n_tokens + n + each - 1) / each - table->n_pages + 1;
    uint64_t used = c.used + (more > unused ? more - unused : 0);
    if (used > p->base.about.page_limit)
        used = p->base.about.page_limit;
    if (used > page_store_room(store) && page_store_reserve(store, (uint32_t)used))
        err_clear();
    page_pool_set_room(p->pool, page_store_room(store));
}

static heed_status paged_extend(decoder *d, decoder_seq *seq, size_t n)
{
    paged_decoder *p = decoder_of(d);
    page_copy copy;
    make_room(p, &seq_of(seq)->table, n);
    TRY(page_table_extend(&seq_of(seq)->table, p->pool, n, &copy));
    page_store_copy(paged_model_pages(p->model), &copy);
    d->about.copies += copy.to != PAGE_NONE;
    seq->length = seq_of(seq)->table.n_tokens;
    return HEED_OK;
}

static heed_status paged_publish(decoder *d, decoder_seq *seq, const int32_t *tokens)
{
    paged_decoder *p = decoder_of(d);
    if (!p->share || seq->side)
        return HEED_OK;
    return page_table_name(&seq_of(seq)->table, p->pool, tokens);
}

/* ---- Copied away ------------------------------------------------------------------------------
 */

static heed_status paged_swap_out(decoder *d, decoder_seq *seq)
{
    paged_decoder *p = decoder_of(d);
    paged_seq *s = seq_of(seq);
    const page_store *store = paged_model_pages(p->model);
    size_t bytes;
    if (!size_mul(s->table.n_pages, page_store_page_bytes(store), &bytes))
        return err_nomem(SIZE_MAX);
    char *away = mem_alloc(bytes);
    if (!away)
        return HEED_NOMEM;
    for (size_t i = 0; i < s->table.n_pages; i++)
        page_store_read(store, s->table.pages[i], away + i * page_store_page_bytes(store));
    page_table_free(&s->table, p->pool);
    s->away = away;
    return HEED_OK;
}

static heed_status paged_swap_in(decoder *d, decoder_seq *seq)
{
    paged_decoder *p = decoder_of(d);
    paged_seq *s = seq_of(seq);
    page_store *store = paged_model_pages(p->model);
    page_copy none; /* nothing is shared */
    make_room(p, &s->table, seq->length);
    TRY(page_table_extend(&s->table, p->pool, seq->length, &none));
    for (size_t i = 0; i < s->table.n_pages; i++)
        page_store_write(store, s->table.pages[i], s->away + i * page_store_page_bytes(store));
    mem_free(s->away);
    s->away = NULL;
    return HEED_OK;
}

/* What is free in the last page of a table, its share of it where others hold it too. */
static uint64_t places_free(const paged_decoder *p, const page_table *t)
{
    uint32_t each = p->base.about.page_tokens, last = (uint32_t)(t->n_tokens % each);
    return last ? (each - last) / page_holders(p->pool, t->pages[t->n_pages - 1]) : 0;
}

static page_counts paged_count(const decoder *d)
{
    const paged_decoder *p = (const paged_decoder *)(const void *)d;
    page_counts c = page_pool_count(p->pool);
    c.tokens = (uint64_t)c.held * d->about.page_tokens;
    for (const paged_seq *s = p->all; s; s = s->next)
        c.tokens -= places_free(p, &s->table);
    return c;
}

/* ---- Steps ------------------------------------------------------------------------------------
 */

static heed_status reserve_step(paged_decoder *p, const decoder_step *step)
{
    size_t n_rows = 0;
    for (uint32_t i = 0; i < step->n; i++)
        n_rows += step->wanted[i];
    while (p->tables_capacity < step->n)
        TRY(mem_grow(&p->tables, &p->tables_capacity, p->tables_capacity, sizeof(*p->tables)));
    while (p->rows_capacity < n_rows)
        TRY(mem_grow(&p->rows, &p->rows_capacity, p->rows_capacity, sizeof(*p->rows)));
    return HEED_OK;
}

/* Sequences first to last - 1, which have one side. */
static heed_status run_part(paged_decoder *p, const decoder_step *step, uint32_t first,
                            uint32_t last, float *logits, size_t *n_rows)
{
    uint32_t n_tokens = 0;
    *n_rows = 0;
    for (uint32_t i = first; i < last; i++) {
        p->tables[i - first] = &seq_of(step->seqs[i])->table;
        n_tokens += step->counts[i];
        for (uint32_t k = step->wanted[i]; k > 0; k--)
            p->rows[(*n_rows)++] = n_tokens - k;
    }
    paged_step part = {.n_sequences = last - first,
                       .tables = p->tables,
                       .counts = step->counts + first,
                       .tokens = step->tokens + first,
                       .side = step->seqs[first]->side,
                       .n_rows = (uint32_t)*n_rows,
                       .rows = p->rows,
                       .deadline_ns = step->deadline_ns,
                       .cancel = step->cancel};
    return paged_model_logits(p->model, &part, logits);
}

static heed_status paged_run(decoder *d, const decoder_step *step, float *logits)
{
    paged_decoder *p = decoder_of(d);
    TRY(reserve_step(p, step));
    for (uint32_t first = 0, last; first < step->n; first = last) {
        size_t n_rows;
        for (last = first + 1; last < step->n; last++)
            if (step->seqs[last]->side != step->seqs[first]->side)
                break;
        TRY(run_part(p, step, first, last, logits, &n_rows));
        logits += n_rows * (size_t)d->about.vocabulary;
    }
    return HEED_OK;
}

/* ---- Life -------------------------------------------------------------------------------------
 */

static void paged_free(decoder *d)
{
    paged_decoder *p = decoder_of(d);
    paged_model_free(p->model);
    page_pool_free(p->pool);
    arena_free(&p->memory);
    mem_free(p->tables);
    mem_free(p->rows);
    mem_free(p);
}

static const decoder_kind paged_kind = {
    .prepare = paged_prepare,
    .begin = paged_begin,
    .fork = paged_fork,
    .end = paged_end,
    .extend = paged_extend,
    .cut = paged_cut,
    .publish = paged_publish,
    .swap_out = paged_swap_out,
    .swap_in = paged_swap_in,
    .run = paged_run,
    .count = paged_count,
    .free = paged_free,
};

static const char *form_of(const pass_paging *about)
{
    for (uint32_t i = 0; i < about->n_inputs; i++)
        if (about->inputs[i].role == PAGING_PAST)
            return "concat";
    return "none";
}

static heed_status open_paged(paged_decoder *p, heed_model *m, const decoder_options *o)
{
    decoder_about *about = &p->base.about;
    TRY(paged_model_new(m, &o->compile, o->page_tokens, o->kv_dtype, &p->model));
    about->page_bytes = page_store_page_bytes(paged_model_pages(p->model));
    uint64_t limit = o->page_limit ? o->page_limit : o->kv_bytes / about->page_bytes;
    if (limit == 0)
        return err_fail(HEED_NOMEM,
                        "keys and values may take %llu bytes (kv_memory), and a page of %u "
                        "tokens takes %llu",
                        (unsigned long long)o->kv_bytes, o->page_tokens,
                        (unsigned long long)about->page_bytes);
    about->page_limit = limit < INT32_MAX ? (uint32_t)limit : INT32_MAX;
    about->page_tokens = o->page_tokens;
    about->paged = about->exact = true;
    about->reason = "";
    about->form = form_of(paged_model_about(p->model));
    about->positions = paged_model_positions(p->model);
    about->ids = paged_model_ids(p->model);
    p->share = about->shares = o->share;
    TRY(paged_model_vocabulary(p->model, &about->vocabulary));
    TRY(paged_model_side_names(p->model, &p->memory, &about->side, &about->n_side));
    /* attention over an encoder's keys may add up in another order for other numbers of queries */
    about->exact = about->exact && about->n_side == 0;
    TRY(paged_model_limit(p->model, about->page_limit));
    return page_pool_new(o->page_tokens, about->page_limit, &p->pool);
}

heed_status decoder_paged_new(heed_model *m, const decoder_options *options, decoder **out)
{
    paged_decoder *p = mem_zero(sizeof(*p));
    *out = NULL;
    if (!p)
        return HEED_NOMEM;
    p->base.kind = &paged_kind;
    heed_status status = open_paged(p, m, options);
    if (status)
        paged_free(&p->base);
    else
        *out = &p->base;
    return status;
}
