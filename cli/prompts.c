/* prompts.c - texts, files of text and lists of tokens from the command line, and the tokenizer
 * that reads them. Separate because generating and embedding take the same. */
#include "prompts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

/* ---- Lists of tokens ---- */

static const char between[] = ", \t\r\n";

/* The text without one pair of brackets around it, as programs print lists. */
static const char *inside(const char *text, size_t *n)
{
    text += strspn(text, between);
    *n = strlen(text);
    while (*n && strchr(between, text[*n - 1]))
        --*n;
    bool brackets = *n > 1 && text[0] == '[' && text[*n - 1] == ']';
    *n -= brackets ? 2 : 0;
    return text + brackets;
}

static bool read_token(const char *word, size_t n, int32_t *out)
{
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value = value * 10 + (word[i] - '0');
        if (word[i] < '0' || word[i] > '9' || value > INT32_MAX)
            return false;
    }
    *out = (int32_t)value;
    return n > 0;
}

int prompts_parse_tokens(const char *flag, const char *text, int32_t **out, size_t *n)
{
    size_t size, at = 0, length;
    text = inside(text, &size);
    int32_t *tokens = cli_alloc(size / 2 + 1, sizeof *tokens);
    *n = 0;
    for (; (at += strspn(text + at, between)) < size; at += length) {
        length = strcspn(text + at, between);
        if (length > size - at)
            length = size - at;
        if (!read_token(text + at, length, &tokens[(*n)++])) {
            free(tokens);
            return exit_with(EXIT_USAGE,
                             "--%s takes whole numbers from 0 on such as 1,2,3, not "
                             "'%.*s'",
                             flag, length < 40 ? (int)length : 40, text + at);
        }
    }
    if (*n == 0)
        return free(tokens), exit_with(EXIT_USAGE, "--%s: the list is empty", flag);
    *out = tokens;
    return EXIT_OK;
}

static prompt *add(prompt_list *list)
{
    list->items = cli_grow(list->items, list->n + 1, sizeof *list->items);
    list->items[list->n] = (prompt){0};
    return &list->items[list->n++];
}

static int add_tokens(prompt_list *list, const char *text)
{
    prompt *p = add(list);
    return prompts_parse_tokens("tokens", text, &p->tokens, &p->n_tokens);
}

/* ---- Texts ---- */

static void add_text(prompt_list *list, const char *text, size_t bytes)
{
    prompt *p = add(list);
    p->text = cli_alloc(bytes + 1, 1);
    memcpy(p->text, text, bytes);
    p->bytes = bytes;
}

/* The length of a line without its end. */
static size_t trim(const char *text, size_t n)
{
    n -= n && text[n - 1] == '\n';
    return n - (n && text[n - 1] == '\r');
}

static void add_lines(prompt_list *list, const char *text, size_t size)
{
    while (size) {
        const char *end = memchr(text, '\n', size);
        size_t n = end ? (size_t)(end - text) + 1 : size;
        if (trim(text, n))
            add_text(list, text, trim(text, n));
        text += n;
        size -= n;
    }
}

static int add_file(prompt_list *list, const char *path, bool each_line)
{
    file_bytes bytes;
    size_t before = list->n;
    bool input = !strcmp(path, "-");
    if (!(input ? files_read_all(stdin, &bytes) : files_read(path, &bytes)))
        return exit_with(EXIT_USAGE, "%s: %s", input ? "stdin" : path, strerror(errno));
    if (each_line)
        add_lines(list, (const char *)bytes.data, bytes.size);
    else
        add_text(list, (const char *)bytes.data, trim((const char *)bytes.data, bytes.size));
    files_free(&bytes);
    if (list->n == before)
        return exit_with(EXIT_USAGE, "%s: no line has a text", input ? "stdin" : path);
    return EXIT_OK;
}

int prompts_read(const cli_args *args, const char *text, const char *file, bool each_line,
                 bool may_be_none, prompt_list *out)
{
    const char *value;
    int code = EXIT_OK;
    for (size_t i = 0; (value = args_get_nth(args, text, i)); i++)
        add_text(out, value, strlen(value));
    for (size_t i = 0; !code && (value = args_get_nth(args, "tokens", i)); i++)
        code = add_tokens(out, value);
    for (size_t i = 0; !code && (value = args_get_nth(args, file, i)); i++)
        code = add_file(out, value, each_line);
    if (!code && !out->n && may_be_none)
        add(out);
    if (!code && !out->n)
        code = exit_with(EXIT_USAGE, "heed %s needs --%s TEXT, --%s FILE or --tokens 1,2,3",
                         args->verb->name, text, file);
    return code;
}

void prompts_free(prompt_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].text);
        free(list->items[i].tokens);
    }
    free(list->items);
    *list = (prompt_list){0};
}

static const char *excerpt_tokens(const prompt *p, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < p->n_tokens && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%d", i ? "," : "", (int)p->tokens[i]);
    if (at >= size && size > 4)
        memcpy(out + size - 4, "...", 4);
    return out;
}

/* Bytes of the character at the start of the text, which has n; 0: it is none. */
static size_t character_size(const char *text, size_t n)
{
    unsigned char lead = (unsigned char)text[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (size > n || lead > 0xF4)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

const char *prompts_excerpt(const prompt *p, char *out, size_t size)
{
    size_t from = 0, to = 0;
    if (!p->text)
        return excerpt_tokens(p, out, size);
    while (from < p->bytes) {
        size_t n = character_size(p->text + from, p->bytes - from);
        bool shown = n && (unsigned char)p->text[from] >= 0x20;
        if (to + (shown ? n : 1) + 4 > size) {
            memcpy(out + to, "...", 4);
            return out;
        }
        if (shown)
            memcpy(out + to, p->text + from, n);
        else
            out[to] = n ? ' ' : '?';
        to += shown ? n : 1;
        from += n ? n : 1;
    }
    out[to] = 0;
    return out;
}

/* ---- Tokenizers ---- */

char *prompts_folder(const char *model)
{
    const char *slash = strrchr(model, '/');
    if (files_is_folder(model))
        return cli_copy(model);
    if (!slash)
        return cli_copy(".");
    return cli_format("%.*s", (int)(slash == model ? 1 : slash - model), model);
}

int prompts_no_tokenizer(const char *model, const char *instead)
{
    char *folder = prompts_folder(model);
    heed_tokenizer *none = NULL;
    (void)heed_tokenizer_open(folder, &none); /* says what it looked for, and what is there */
    int code = exit_with(EXIT_USAGE,
                         "no tokenizer: %s, nor is there one in the folder above; say --tokenizer "
                         "FILE%s",
                         heed_error_get()->message, instead);
    heed_tokenizer_free(none);
    free(folder);
    return code;
}

char *prompts_find_tokenizer(const cli_args *args, const char *model)
{
    const char *said = args_get(args, "tokenizer");
    if (said)
        return cli_copy(said);
    char *folder = prompts_folder(model), *found = NULL;
    for (int above = 0; above < 2 && !found; above++) {
        char *path = cli_format("%s%s/tokenizer.json", folder, above ? "/.." : "");
        if (files_exists(path))
            found = path;
        else
            free(path);
    }
    free(folder);
    return found;
}
