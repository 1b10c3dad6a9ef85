/* Generators on the embedded model: its golden tokens; and a crowd of sequences that come, are
 * forked, cancelled, freed, and lose their pages to others, each of which must give what it gives
 * alone, to the last bit of its log-probabilities. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "draw.h"
#include "heed/heed.h"

enum { KINDS = 60, LONGEST = 32, MOST_PROMPT = 60, CROWD = 1000 };

static const int32_t prompt[] = {296, 303, 833};
static const int32_t golden[] = {259, 816, 345, 269, 259, 341, 12,  268, 259, 341, 368, 352, 629,
                                 648, 511, 332, 12,  268, 309, 388, 12,  443, 812, 12,  303, 394,
                                 539, 332, 260, 301, 440, 289, 301, 505, 591, 12,  268, 303, 393,
                                 344, 409, 591, 289, 259, 306, 866, 14,  199, 296, 259, 341, 388,
                                 320, 332, 12,  817, 279, 401, 335, 380, 12,  297, 309, 313};

static uint64_t seed = 1;

static uint32_t draw(uint32_t n) { return draw_below(&seed, n); }

static void ok(heed_status status)
{
    if (status)
        fail_msg("%s", heed_error_get()->message);
}

/* A program that is linked to the static core has the reference backend alone, unless told. */
static const heed_session_options on_cpu = {.size = sizeof(heed_session_options),
                                            .backends = "cpu"};

static heed_generator *open_verse(const heed_generator_options *given)
{
    char path[4096];
    heed_generator *g;
    heed_generator_options own = {.size = sizeof(own)}, *options = &own;
    if (given)
        own = *given;
    if (!own.session)
        own.session = &on_cpu;
    const char *source = getenv("HEED_SOURCE");
    snprintf(path, sizeof(path), "%s/examples/verse/verse.onnx", source ? source : ".");
    ok(heed_generator_open(path, options, &g));
    return g;
}

static heed_generator_stats stats_of(heed_generator *g)
{
    heed_generator_stats stats = {.size = sizeof(stats)};
    heed_generator_get_stats(g, &stats);
    return stats;
}

static void gives_golden_tokens(void **state)
{
    (void)state;
    heed_generator *g = open_verse(NULL);
    heed_sequence *s[20];
    heed_request ask = {.size = sizeof(ask), .tokens = prompt, .n_tokens = 3, .max_tokens = 64};
    for (int i = 0; i < 20; i++)
        ok(heed_generator_add(g, &ask, &s[i]));
    for (int i = 0; i < 20; i++) {
        heed_piece piece = {.size = sizeof(piece)};
        while (!piece.finish)
            ok(heed_sequence_next(s[i], &piece));
        size_t n;
        const int32_t *tokens = heed_sequence_get_tokens(s[i], &n);
        assert_int_equal(piece.finish, HEED_FINISH_LENGTH);
        assert_int_equal(n, 64);
        assert_memory_equal(tokens, golden, sizeof(golden));
        heed_sequence_free(s[i]);
    }
    assert_int_equal(stats_of(g).pages_held, 0);
    heed_generator_free(g);
}

/* ---- A crowd ----------------------------------------------------------------------------------
 */

/* A request, and what it gives alone. */
typedef struct kind {
    int32_t prompt[MOST_PROMPT], tokens[LONGEST];
    heed_logprob logprobs[LONGEST];
    uint32_t n_prompt;
    heed_sampling sampling;
} kind;

typedef struct member {
    heed_sequence *handle;
    const kind *of;
    uint32_t skip, most; /* tokens of the kind that it does not give, and how many it gives */
    uint32_t n;
    uint32_t finish;
    bool failed;
} member;

static kind kinds[KINDS];

static heed_request request_of(const kind *k, uint32_t most)
{
    return (heed_request){.size = sizeof(heed_request),
                          .flags = HEED_REQUEST_LOGPROBS | HEED_REQUEST_NO_END,
                          .tokens = k->prompt,
                          .n_tokens = k->n_prompt,
                          .sampling = &k->sampling,
                          .max_tokens = most};
}

/* Beginnings are shared among some, so that pages are. */
static void make_kind(kind *k)
{
    k->n_prompt = 1 + draw(MOST_PROMPT);
    for (uint32_t i = 0; i < k->n_prompt; i++)
        k->prompt[i] = (int32_t)(i < 40 && k != kinds ? (kinds[draw(2) ? 0 : draw(8)].prompt[i])
                                                      : 1 + (int32_t)draw(1000));
    k->sampling = (heed_sampling){.size = sizeof(heed_sampling)};
    if (draw(2))
        k->sampling.temperature = 0.7f;
    if (draw(3) == 0)
        k->sampling.repetition_penalty = 1.2f;
    k->sampling.seed = draw(1000);
}

static void make_kinds(void)
{
    heed_generator_options options = {.size = sizeof(options), .flags = HEED_GENERATOR_NO_SHARING};
    heed_generator *g = open_verse(&options);
    for (int i = 0; i < KINDS; i++) {
        kind *k = &kinds[i];
        heed_sequence *s;
        heed_piece piece = {.size = sizeof(piece)};
        make_kind(k);
        heed_request ask = request_of(k, LONGEST);
        ok(heed_generator_add(g, &ask, &s));
        for (size_t n = 0; !piece.finish; n += piece.n_tokens) {
            ok(heed_sequence_next(s, &piece));
            memcpy(k->tokens + n, piece.tokens, piece.n_tokens * sizeof(*piece.tokens));
            memcpy(k->logprobs + n, piece.logprobs, piece.n_tokens * sizeof(*piece.logprobs));
        }
        heed_sequence_free(s);
    }
    assert_int_equal(stats_of(g).shared_tokens, 0);
    heed_generator_free(g);
}

/* Takes what there is of a member, and compares it with what the kind gives alone. */
static void take(member *m)
{
    heed_piece piece = {.size = sizeof(piece)};
    if (!m->handle || m->finish || m->failed)
        return;
    ok(heed_sequence_next(m->handle, &piece));
    assert_in_range(m->n + piece.n_tokens, 0, m->most);
    const kind *k = m->of;
    for (size_t i = 0; i < piece.n_tokens; i++) {
        assert_int_equal(piece.tokens[i], k->tokens[m->skip + m->n + i]);
        assert_memory_equal(&piece.logprobs[i], &k->logprobs[m->skip + m->n + i],
                            sizeof(*piece.logprobs));
    }
    m->n += (uint32_t)piece.n_tokens;
    m->finish = piece.finish;
    if (m->finish == HEED_FINISH_LENGTH)
        assert_int_equal(m->n, m->most);
}

static void add(heed_generator *g, member *m)
{
    m->of = &kinds[draw(KINDS)];
    m->most = 1 + draw(LONGEST);
    heed_request ask = request_of(m->of, m->most);
    if (draw(50) == 0)
        ask.deadline_ns = 1 + draw(2) * (uint64_t)time(NULL);
    ok(heed_generator_add(g, &ask, &m->handle));
}

/* What the second has yet to give, as far as the kind goes. */
static void fork_member(member *from, member *m)
{
    size_t n = 0;
    if (from->handle)
        heed_sequence_get_tokens(from->handle, &n);
    if (!from->handle || from->finish || from->skip + n + 1 >= LONGEST)
        return;
    *m = (member){.of = from->of, .skip = from->skip + (uint32_t)n};
    m->most = 1 + draw(LONGEST - m->skip);
    heed_request ask = request_of(m->of, m->most);
    ask.sampling = NULL;
    if (heed_sequence_fork(from->handle, &ask, &m->handle))
        assert_int_equal(heed_error_get()->status, HEED_USAGE);
}

static void crowd(uint32_t flags, uint64_t pages, size_t most)
{
    static member all[CROWD];
    heed_generator_options options = {
        .size = sizeof(options), .flags = flags, .step_tokens = 64, .max_sequences = 48};
    heed_generator *probe = open_verse(NULL);
    options.kv_memory = pages * stats_of(probe).page_bytes;
    heed_generator_free(probe);
    heed_generator *g = open_verse(&options);
    size_t n = 0, active = 1;
    memset(all, 0, sizeof(all));
    while (n < most || active > 0) {
        for (uint32_t burst = draw(30); burst > 0 && n < most; burst--, n++) {
            if (n > 0 && draw(10) == 0)
                fork_member(&all[draw((uint32_t)n)], &all[n]);
            else
                add(g, &all[n]);
        }
        ok(heed_generator_step(g, &active));
        member *m = &all[draw((uint32_t)n)];
        if (draw(4) == 0 && m->handle)
            heed_sequence_cancel(m->handle);
        if (draw(20) == 0) {
            heed_sequence_free(m->handle);
            m->handle = NULL;
        }
        if (draw(10) == 0)
            take(&all[draw((uint32_t)n)]);
    }
    size_t whole = 0;
    for (size_t i = 0; i < most; i++) {
        while (all[i].handle && !all[i].finish)
            take(&all[i]);
        whole += all[i].finish == HEED_FINISH_LENGTH;
        heed_sequence_free(all[i].handle);
    }
    heed_generator_stats stats = stats_of(g);
    assert_int_equal(stats.pages_held, 0);
    assert_int_equal(stats.running + stats.waiting, 0);
    assert_true(whole > most / 2);
    print_message("%zu of %zu to their end, %llu steps, %llu preempted, %llu copied, %llu shared\n",
                  whole, most, (unsigned long long)stats.steps,
                  (unsigned long long)stats.preemptions, (unsigned long long)stats.copies,
                  (unsigned long long)stats.shared_tokens);
    assert_true(pages > 1000 || stats.preemptions > 10);
    assert_true(pages < 1000 || stats.copies > 0);
    heed_generator_free(g);
}

static void a_crowd_with_room(void **state)
{
    (void)state;
    crowd(0, 4000, CROWD);
}

static void a_crowd_that_computes_again(void **state)
{
    (void)state;
    crowd(0, 30, CROWD);
}

static void a_crowd_that_swaps(void **state)
{
    (void)state;
    crowd(HEED_GENERATOR_SWAP, 30, CROWD / 2);
}

static void a_crowd_that_shares_nothing(void **state)
{
    (void)state;
    crowd(HEED_GENERATOR_NO_SHARING, 30, CROWD / 4);
}

/* Narrower pages: smaller, and other tokens only where two were close. */
static void narrow_pages(void **state)
{
    (void)state;
    static const struct {
        heed_dtype dtype;
        uint64_t bytes;
        size_t least; /* first tokens that are the same */
    } cases[] = {{HEED_FLOAT32, 20480, 64},
                 {HEED_BFLOAT16, 10240, 8},
                 {HEED_FLOAT16, 10240, 16},
                 {HEED_INT8, 5120 + 5 * 2 * 2 * 16 * 4, 8}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        heed_generator_options options = {.size = sizeof(options), .kv_dtype = cases[i].dtype};
        heed_generator *g = open_verse(&options);
        heed_request ask = {.size = sizeof(ask), .tokens = prompt, .n_tokens = 3, .max_tokens = 64};
        heed_piece piece = {.size = sizeof(piece)};
        heed_sequence *s;
        size_t n, same = 0;
        assert_int_equal(stats_of(g).page_bytes, cases[i].bytes);
        ok(heed_generator_add(g, &ask, &s));
        while (!piece.finish)
            ok(heed_sequence_next(s, &piece));
        const int32_t *tokens = heed_sequence_get_tokens(s, &n);
        assert_int_equal(n, 64);
        while (same < 64 && tokens[same] == golden[same])
            same++;
        print_message("%s: the first %zu of 64 tokens\n", heed_dtype_name(cases[i].dtype), same);
        assert_true(same >= cases[i].least);
        heed_generator_free(g);
    }
    heed_generator_options wrong = {.size = sizeof(wrong), .kv_dtype = HEED_INT64};
    heed_generator *g;
    assert_int_equal(heed_generator_open("none", &wrong, &g), HEED_INVALID);
    assert_null(g);
}

static int prepare(void **state)
{
    (void)state;
    make_kinds();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_golden_tokens), cmocka_unit_test(narrow_pages),
        cmocka_unit_test(a_crowd_with_room),   cmocka_unit_test(a_crowd_that_computes_again),
        cmocka_unit_test(a_crowd_that_swaps),  cmocka_unit_test(a_crowd_that_shares_nothing),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
