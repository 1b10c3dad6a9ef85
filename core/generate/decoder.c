/* decoder.c - chooses what keeps a decoder's earlier tokens, and passes its steps on. */
#include "generate/decoder.h"

#include <stdio.h>
#include <string.h>

/* Pages where the model can have them. */
heed_status decoder_new(heed_model *m, const decoder_options *options, decoder **out)
{
    char why[sizeof((*out)->why)] = "no pages were asked for";
    *out = NULL;
    if (!options->contiguous) {
        heed_status status = decoder_paged_new(m, options, out);
        if (status != HEED_UNSUPPORTED)
            return status;
        snprintf(why, sizeof(why), "%s", err_get()->message);
        err_clear();
    }
    TRY(decoder_contiguous_new(m, options, out));
    memcpy((*out)->why, why, sizeof(why));
    (*out)->about.reason = (*out)->why;
    return HEED_OK;
}

void decoder_free(decoder *d)
{
    if (d)
        d->kind->free(d);
}

const decoder_about *decoder_get_about(const decoder *d) { return &d->about; }

page_counts decoder_count(const decoder *d)
{
    return d->kind->count ? d->kind->count(d) : (page_counts){0};
}

heed_status decoder_prepare(const decoder *d, size_t n, const char *const *names,
                            heed_tensor *const *tensors, decoder_side **out)
{
    *out = NULL;
    return d->kind->prepare ? d->kind->prepare(d, n, names, tensors, out)
                            : decoder_side_new(n, names, tensors, out);
}

heed_status decoder_begin(decoder *d, decoder_side *side, const int32_t *tokens, size_t n,
                          decoder_seq **out)
{
    *out = NULL;
    return d->kind->begin(d, side, tokens, n, out);
}

heed_status decoder_fork(decoder *d, const decoder_seq *seq, decoder_seq **out)
{
    *out = NULL;
    return d->kind->fork(d, seq, out);
}

void decoder_end(decoder *d, decoder_seq *seq)
{
    if (seq)
        d->kind->end(d, seq);
}

size_t decoder_length(const decoder_seq *seq) { return seq->length; }

heed_status decoder_extend(decoder *d, decoder_seq *seq, size_t n)
{
    return d->kind->extend(d, seq, n);
}

void decoder_cut(decoder *d, decoder_seq *seq, size_t n)
{
    if (n < seq->length)
        d->kind->cut(d, seq, n);
}

heed_status decoder_publish(decoder *d, decoder_seq *seq, const int32_t *tokens)
{
    return d->kind->publish ? d->kind->publish(d, seq, tokens) : HEED_OK;
}

static heed_status no_swap(void)
{
    return err_fail(HEED_UNSUPPORTED, "this decoder does not copy its memory away");
}

heed_status decoder_swap_out(decoder *d, decoder_seq *seq)
{
    return d->kind->swap_out ? d->kind->swap_out(d, seq) : no_swap();
}

heed_status decoder_swap_in(decoder *d, decoder_seq *seq)
{
    return d->kind->swap_in ? d->kind->swap_in(d, seq) : no_swap();
}

heed_status decoder_run(decoder *d, const decoder_step *step, float *logits)
{
    return d->kind->run(d, step, logits);
}
