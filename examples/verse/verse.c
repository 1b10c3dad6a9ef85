/* verse.c - the embedded default model writes verse.
 *
 * Shows what was loaded and where its nodes run, then generates greedily, running the whole text
 * again for each token, and says how long that took.
 *
 *     verse [--tokens N] [--backends LIST] [--folder DIR] [PROMPT]
 *     verse --check GOLDEN.json      exit 1 unless the tokens equal those of the file
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bpe.h"
#include "heed/heed.h"
#include "json.h"

typedef struct arguments {
    const char *folder, *prompt, *backends, *check;
    size_t tokens;
} arguments;

typedef struct writer {
    heed_session *session;
    heed_model *model;
    bpe *tokenizer;
    char model_path[512];
} writer;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int fail(const char *subject, const char *message)
{
    fprintf(stderr, "verse: %s: %s\n", subject, message);
    return 1;
}

/* ---- What is loaded, and where it runs ------------------------------------------------------ */

static void print_model(const writer *w, double load_seconds)
{
    const heed_weight_count *weights;
    const heed_op_count *ops;
    uint64_t parameters = 0, bytes = 0;
    size_t nodes = 0, n_weights = heed_model_get_weight_counts(w->model, &weights);
    size_t n_ops = heed_model_get_op_counts(w->model, &ops);
    for (size_t i = 0; i < n_weights; i++) {
        parameters += weights[i].elements;
        bytes += weights[i].bytes;
    }
    for (size_t i = 0; i < n_ops; i++)
        nodes += ops[i].nodes;
    printf("heed       %s, %" PRIu32 " threads\n", heed_version(), heed_get_threads());
    printf("model      %s: %.2f M parameters (%.1f MB), %zu nodes of %zu operators\n",
           w->model_path, (double)parameters / 1e6, (double)bytes / 1e6, nodes, n_ops);
    printf("tokenizer  %zu tokens\n", bpe_get_size(w->tokenizer));
    printf("loaded in  %.0f ms\n", load_seconds * 1e3);
}

static bool placed_at(const writer *w, size_t i, heed_placement *place)
{
    *place = (heed_placement){.size = sizeof *place};
    return !heed_session_get_placement(w->session, i, place);
}

/* "MatMul 31 Add 20": how often each operator runs on the backend of node `first`. */
static void print_operators(const writer *w, const char *backend, size_t n)
{
    heed_placement place, other;
    size_t column = SIZE_MAX / 2; /* a new line comes first */
    for (size_t i = 0; i < n; i++) {
        size_t count = 0, before = 0;
        if (!placed_at(w, i, &place) || strcmp(place.backend, backend))
            continue;
        for (size_t k = 0; k < n; k++) {
            bool same = placed_at(w, k, &other) && !strcmp(other.backend, backend) &&
                        !strcmp(other.op, place.op);
            count += same;
            before += same && k < i;
        }
        if (before)
            continue;
        if (column > 72)
            column = (size_t)printf("\n          ");
        column += (size_t)printf(" %s %zu", place.op, count);
    }
    puts("");
}

static void print_placement(const writer *w)
{
    heed_placement place, other;
    size_t n = heed_session_get_placement_count(w->session);
    for (size_t i = 0; i < n; i++) {
        size_t count = 0, before = 0;
        if (!placed_at(w, i, &place))
            continue;
        for (size_t k = 0; k < n; k++) {
            bool same = placed_at(w, k, &other) && !strcmp(other.backend, place.backend);
            count += same;
            before += same && k < i;
        }
        if (before)
            continue;
        printf("%-10s %zu nodes", place.backend, count);
        print_operators(w, place.backend, n);
    }
}

/* ---- Generating
 * ---------------------------------------------------------------------------------- */

/* The most likely token after the n ids; -1 after a message. */
static int64_t next_token(const writer *w, int64_t *ids, size_t n)
{
    const char *name = heed_model_get_input(w->model, 0)->name;
    heed_tensor *in = heed_tensor_wrap(HEED_INT64, 2, (const int64_t[]){1, (int64_t)n}, ids);
    heed_tensor *logits = NULL;
    int64_t best = -1;
    if (!in || heed_session_run(w->session, NULL, 1, &name, &in, 1, NULL, &logits)) {
        fail(w->model_path, heed_error_get()->message);
    } else {
        int64_t vocabulary = heed_tensor_get_dims(logits)[heed_tensor_get_ndim(logits) - 1];
        const float *last = heed_tensor_get_data(logits);
        last += heed_tensor_get_count(logits) - vocabulary;
        best = 0;
        for (int64_t i = 1; i < vocabulary; i++)
            best = last[i] > last[best] ? i : best;
    }
    heed_tensor_free(logits);
    heed_tensor_free(in);
    return best;
}

static void print_token(const writer *w, int64_t id)
{
    size_t size;
    const char *bytes = bpe_get_bytes(w->tokenizer, id, &size);
    if (bytes)
        fwrite(bytes, 1, size, stdout);
    fflush(stdout);
}

static void print_costs(size_t tokens, double first, double total)
{
    struct rusage use;
    heed_memory_use memory = {.size = sizeof memory};
    heed_memory_get(&memory, 0);
    getrusage(RUSAGE_SELF, &use);
    printf("time       %.2f s for %zu tokens: %.1f tokens/s, the first after %.1f ms\n", total,
           tokens, (double)tokens / total, first * 1e3);
    printf("memory     %.1f MB allocated at most, %.1f MB resident\n",
           (double)memory.peak_bytes / 1e6, (double)use.ru_maxrss * 1024 / 1e6);
}

/* Streams the prompt and up to `count` tokens after it; ends early at a special token. */
static int generate(const writer *w, const char *prompt, size_t count)
{
    size_t n, made = 0;
    int64_t *ids = bpe_encode(w->tokenizer, prompt, &n);
    int64_t *longer = ids ? realloc(ids, (n + count + 1) * sizeof *ids) : NULL;
    if (!longer || n == 0) {
        free(longer ? longer : ids);
        return fail("prompt", "it is empty, or memory ran out");
    }
    ids = longer;
    double start = seconds(), first = 0;
    int64_t id = 0;
    printf("\n%s", prompt);
    fflush(stdout);
    while (made < count && (id = next_token(w, ids, n)) >= 0) {
        first = made++ ? first : seconds() - start;
        if (bpe_is_special(w->tokenizer, id))
            break;
        print_token(w, id);
        ids[n++] = id;
    }
    puts("\n");
    if (id >= 0 && made)
        print_costs(made, first, seconds() - start);
    free(ids);
    return id < 0;
}

/* ---- Checking
 * ------------------------------------------------------------------------------------- */

static bool same_tokens(const json *list, const int64_t *ids, size_t n)
{
    if (!list || list->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((int64_t)list->items[i].number != ids[i])
            return false;
    return true;
}

/* One entry of the file: the prompt's tokens, then each token that follows. */
static bool check_case(const writer *w, const json *entry)
{
    const json *prompt = json_get(entry, "prompt"), *tokens = json_get(entry, "tokens");
    size_t n, agreed = 0;
    if (!prompt || !prompt->text || !tokens || !tokens->n)
        return fail("golden file", "an entry has no prompt or no tokens"), false;
    int64_t *ids = bpe_encode(w->tokenizer, prompt->text, &n);
    int64_t *all = calloc(n + tokens->n + 1, sizeof *all);
    bool good = ids && all && same_tokens(json_get(entry, "prompt_tokens"), ids, n);
    if (good)
        memcpy(all, ids, n * sizeof *all);
    for (; good && agreed < tokens->n; agreed++) {
        all[n + agreed] = next_token(w, all, n + agreed);
        if (all[n + agreed] != (int64_t)tokens->items[agreed].number)
            break;
    }
    printf("%s  \"%s\": %s, %zu of %zu tokens agree\n", agreed == tokens->n ? "ok    " : "FAILED",
           prompt->text, good ? "prompt agrees" : "its tokens differ", agreed, tokens->n);
    free(ids);
    free(all);
    return agreed == tokens->n;
}

static int check(const writer *w, const char *path)
{
    json *file = json_load(path);
    const json *cases = json_get(file, "cases");
    size_t good = 0, n = cases ? cases->n : 0;
    for (size_t i = 0; i < n; i++)
        good += check_case(w, &cases->items[i]);
    printf("%zu of %zu prompts give the golden tokens\n", good, n);
    json_free(file);
    return n == 0 ? fail(path, "no cases in it") : good != n;
}

/* ---- All of it
 * ------------------------------------------------------------------------------------- */

static int open_all(writer *w, const arguments *a)
{
    char path[512];
    heed_session_options options = {.size = sizeof options, .backends = a->backends};
    snprintf(w->model_path, sizeof w->model_path, "%s/verse.onnx", a->folder);
    snprintf(path, sizeof path, "%s/tokenizer.json", a->folder);
    w->tokenizer = bpe_load(path);
    if (!w->tokenizer)
        return 1;
    if (heed_session_open(w->model_path, &options, &w->session))
        return fail(w->model_path, heed_error_get()->message);
    w->model = heed_session_get_model(w->session);
    return 0;
}

/* The folder of the model: as said, below the current one, or beside the build. */
static const char *find_folder(const char *program, char *room, size_t size)
{
    FILE *file = fopen("examples/verse/verse.onnx", "rb");
    const char *slash = strrchr(program, '/');
    if (file)
        fclose(file);
    if (file || !slash)
        return "examples/verse";
    snprintf(room, size, "%.*s/../../examples/verse", (int)(slash - program), program);
    return room;
}

/* Without a prompt: the first of golden.json, whose continuation is known. */
static int generate_default(const writer *w, const arguments *a)
{
    char path[512];
    snprintf(path, sizeof path, "%s/golden.json", a->folder);
    json *file = json_load(path);
    const json *cases = json_get(file, "cases");
    const json *prompt = cases && cases->n ? json_get(&cases->items[0], "prompt") : NULL;
    const char *text = prompt && prompt->text ? prompt->text : "In the beginning";
    int code = generate(w, text, a->tokens);
    json_free(file);
    return code;
}

static int parse(int argc, char **argv, arguments *a)
{
    const struct {
        const char *name;
        const char **value;
    } flags[] = {{"--folder", &a->folder}, {"--backends", &a->backends}, {"--check", &a->check}};
    for (int i = 1; i < argc; i++) {
        bool taken = false;
        for (size_t k = 0; k < 3 && !taken && i + 1 < argc; k++)
            if (!strcmp(argv[i], flags[k].name)) {
                *flags[k].value = argv[++i];
                taken = true;
            }
        if (taken)
            continue;
        if (!strcmp(argv[i], "--tokens") && i + 1 < argc)
            a->tokens = strtoul(argv[++i], NULL, 10);
        else if (!strncmp(argv[i], "--", 2))
            return fail(argv[i], "unknown, or without its value; see the head of verse.c");
        else
            a->prompt = argv[i];
    }
    return 0;
}

int main(int argc, char **argv)
{
    char room[512];
    arguments a = {.tokens = 120};
    writer w = {0};
    a.folder = find_folder(argv[0], room, sizeof room);
    if (parse(argc, argv, &a))
        return 2;
    double start = seconds();
    int code = open_all(&w, &a);
    if (!code) {
        print_model(&w, seconds() - start);
        print_placement(&w);
        if (a.check)
            code = check(&w, a.check);
        else
            code = a.prompt ? generate(&w, a.prompt, a.tokens) : generate_default(&w, &a);
    }
    heed_session_free(w.session);
    bpe_free(w.tokenizer);
    return code;
}
