/* import.c - which importer reads these bytes: every one is asked, the surest one wins.
 *
 * Plugins are loaded step by step, so that reading a model does not load backends: what is loaded
 * already, then the plugin that is called like the file's extension, then all others. */
#include <stdio.h>
#include <string.h>

#include "plugin/module.h"
#include "plugin/registry.h"

enum { SURE = 100, LONGEST_EXTENSION = 16 };

typedef struct question {
    const uint8_t *bytes;
    uint64_t n_bytes;
    const char *path; /* "" when there is none */
    const heed_importer *best;
    uint32_t best_score;
    char known[256]; /* extensions, for the message */
} question;

static bool has_extension(const char *path, const char *extension)
{
    size_t n = strlen(path), e = strlen(extension);
    return e > 0 && n > e && strcmp(path + n - e, extension) == 0;
}

static void note_extension(question *q, const char *extension)
{
    size_t used = strlen(q->known);
    if (strstr(q->known, extension) == NULL)
        snprintf(q->known + used, sizeof(q->known) - used, "%s%s", used ? ", " : "", extension);
}

/* An extension alone counts a little, so that a damaged file gets the message of the importer
 * that it was meant for. */
static uint32_t score(question *q, const heed_importer *importer)
{
    uint32_t sure = importer->probe(q->bytes, q->n_bytes);
    for (size_t i = 0; importer->extensions[i]; i++) {
        note_extension(q, importer->extensions[i]);
        if (sure == 0 && has_extension(q->path, importer->extensions[i]))
            sure = 1;
    }
    return sure;
}

static bool ask(plugin_module *m, void *arg)
{
    question *q = arg;
    if (m->importer == NULL)
        return true;
    uint32_t sure = score(q, m->importer);
    if (sure > q->best_score) {
        q->best_score = sure;
        q->best = m->importer;
    }
    return q->best_score < SURE;
}

/* FOLDER/onnx.so for model.onnx. Only letters and digits: the name comes from a path. */
static heed_status ask_namesake(arena *memory, const char *folder, question *q)
{
    const char *dot = strrchr(q->path, '.');
    size_t n = dot ? strspn(dot + 1, "abcdefghijklmnopqrstuvwxyz0123456789") : 0;
    if (n == 0 || n > LONGEST_EXTENSION || dot[1 + n] != '\0')
        return HEED_OK;
    const char *const *files;
    TRY(plugin_search_files(memory, folder, &files));
    const char *wanted = arena_printf(memory, "%s/%s.so", folder, dot + 1);
    for (size_t i = 0; wanted && files[i]; i++) {
        plugin_module *m = NULL;
        if (strcmp(files[i], wanted) == 0)
            TRY(plugin_module_found(wanted, &m));
        if (m)
            ask(m, q);
    }
    return wanted ? HEED_OK : HEED_NOMEM;
}

static heed_status ask_all(arena *memory, question *q)
{
    const char *const *folders;
    if (!plugin_visit_loaded(ask, q))
        return HEED_OK;
    TRY(plugin_search_folders(memory, &folders));
    for (size_t i = 0; folders[i] && q->best_score < SURE; i++)
        TRY(ask_namesake(memory, folders[i], q));
    for (size_t i = 0; folders[i] && q->best_score < SURE; i++)
        TRY(plugin_visit_folder(memory, folders[i], ask, q));
    return HEED_OK;
}

static heed_status nobody(const question *q)
{
    if (plugin_search_off())
        err_fail(HEED_UNSUPPORTED, "no importer is loaded: HEED_NO_PLUGINS turns plugins off");
    else if (q->known[0] == '\0')
        err_fail(HEED_UNSUPPORTED, "no importer was found: heed plugin list shows what is there");
    else
        err_expected(HEED_UNSUPPORTED, "a model in a known format", "none", NULL);
    if (q->known[0])
        err_hint("known extensions: %s", q->known);
    return q->path[0] ? err_at(ERR_NO_OFFSET, "%s", q->path) : HEED_UNSUPPORTED;
}

heed_status plugin_find_importer(const uint8_t *bytes, uint64_t n_bytes, const char *path,
                                 const heed_importer **out)
{
    question q = {.bytes = bytes, .n_bytes = n_bytes, .path = path ? path : ""};
    arena memory = {0};
    plugin_lock();
    heed_status status = ask_all(&memory, &q);
    plugin_unlock();
    arena_free(&memory);
    *out = q.best;
    if (status != HEED_OK)
        return status;
    return q.best ? HEED_OK : nobody(&q);
}
