/* list.c - the public list of plugins: what heed plugin list shows.
 *
 * The list belongs to the last scan; its strings live until the next one. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ops/op.h"
#include "plugin/registry.h"
#include "plugin/scan.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    arena memory;
    plugin_report *first;
    size_t count;
} all;

/* ---- The reference backend, which is no plugin ---------------------------------------------- */

static size_t count_operators(void)
{
    size_t n = 0;
    for (const op_def *const *const *list = op_table; *list; list++)
        for (const op_def *const *op = *list; *op; op++)
            n++;
    return n;
}

static const char *operator_text(arena *memory, const op_def *op)
{
    return arena_printf(memory, "%s.%s %d+", op->domain[0] ? op->domain : "ai.onnx", op->name,
                        op->since);
}

static heed_status describe_reference(arena *memory, plugin_report *r)
{
    const char **offers = arena_array(memory, count_operators() + 1, sizeof(*offers));
    const char **devices = arena_array(memory, 2, sizeof(*devices));
    if (offers == NULL || devices == NULL)
        return HEED_NOMEM;
    for (const op_def *const *const *list = op_table; *list; list++) {
        for (const op_def *const *op = *list; *op; op++) {
            const char *text = operator_text(memory, *op);
            if (text == NULL)
                return HEED_NOMEM;
            offers[r->info.offers++] = text;
        }
    }
    devices[0] = "host memory, plain C";
    r->info.devices = 1;
    r->offers = offers;
    r->devices = devices;
    return HEED_OK;
}

static plugin_report *reference(arena *memory)
{
    plugin_report *r = plugin_report_new(memory, "");
    if (r == NULL)
        return NULL;
    r->info.abi = HEED_ABI;
    r->info.name = "reference";
    r->info.version = heed_version();
    r->info.vendor = "heed";
    r->info.kind = "backend";
    return describe_reference(memory, r) == HEED_OK ? r : NULL;
}

/* ---- Scanning ------------------------------------------------------------------------------- */

/* The paths to look at: what the folders hold, then what was loaded from elsewhere. */
typedef struct paths {
    arena *memory;
    const char **items;
    size_t count, room;
    heed_status status;
} paths;

static void add_path(paths *p, const char *path)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->items[i], path) == 0)
            return;
    }
    const char *copy = arena_string(p->memory, path);
    p->status = copy ? mem_grow(&p->items, &p->room, p->count, sizeof(*p->items)) : HEED_NOMEM;
    if (p->status == HEED_OK)
        p->items[p->count++] = copy;
}

static void add_paths(paths *p, const char *const *files)
{
    for (size_t i = 0; files[i] && p->status == HEED_OK; i++)
        add_path(p, files[i]);
}

static bool add_loaded(plugin_module *m, void *arg)
{
    paths *p = arg;
    add_path(p, m->path);
    return p->status == HEED_OK;
}

static heed_status find_paths(paths *p)
{
    const char *const *folders, *const *files;
    TRY(plugin_search_folders(p->memory, &folders));
    for (size_t i = 0; folders[i]; i++) {
        const char *services = arena_printf(p->memory, "%s/" PLUGIN_SERVICES, folders[i]);
        if (services == NULL)
            return HEED_NOMEM;
        TRY(plugin_search_files(p->memory, folders[i], &files));
        add_paths(p, files);
        TRY(plugin_search_files(p->memory, services, &files));
        add_paths(p, files);
    }
    plugin_lock();
    if (p->status == HEED_OK)
        plugin_visit_loaded(add_loaded, p);
    plugin_unlock();
    return p->status;
}

static void append(plugin_report *r)
{
    plugin_report **end = &all.first;
    while (*end)
        end = &(*end)->next;
    *end = r;
    for (; r; r = r->next)
        all.count++;
}

static heed_status scan_all(void)
{
    plugin_report *r = reference(&all.memory);
    if (r == NULL)
        return HEED_NOMEM;
    append(r);
    paths p = {.memory = &all.memory};
    heed_status status = find_paths(&p);
    for (size_t i = 0; i < p.count && status == HEED_OK; i++) {
        status = plugin_scan_file(&all.memory, p.items[i], &r);
        if (status == HEED_OK)
            append(r);
    }
    mem_free(p.items);
    return status;
}

static void clear(void)
{
    arena_free(&all.memory);
    memset(&all, 0, sizeof(all));
}

void plugin_list_clear(void)
{
    pthread_mutex_lock(&lock);
    clear();
    pthread_mutex_unlock(&lock);
}

/* ---- The public interface ------------------------------------------------------------------- */

heed_status heed_plugin_load(const char *path)
{
    plugin_module *module;
    if (path == NULL)
        return err_fail(HEED_USAGE, "a path is needed");
    plugin_lock();
    heed_status status = plugin_module_named(path, &module);
    plugin_unlock();
    return status;
}

heed_status heed_plugin_scan(size_t *count)
{
    pthread_mutex_lock(&lock);
    clear();
    heed_status status = scan_all();
    if (status != HEED_OK)
        clear();
    if (count)
        *count = all.count;
    pthread_mutex_unlock(&lock);
    return status;
}

static const plugin_report *report_at(size_t i)
{
    const plugin_report *r = all.first;
    while (r && i-- > 0)
        r = r->next;
    return r;
}

heed_status heed_plugin_get(size_t i, heed_plugin_info *out)
{
    if (out == NULL || out->size < sizeof(uint32_t))
        return err_fail(HEED_USAGE, "the info needs its size");
    pthread_mutex_lock(&lock);
    const plugin_report *r = report_at(i);
    uint32_t size = out->size;
    if (r) {
        memcpy(out, &r->info, size < sizeof(r->info) ? size : sizeof(r->info));
        out->size = size;
    }
    pthread_mutex_unlock(&lock);
    return r ? HEED_OK : err_fail(HEED_NOTFOUND, "there is no plugin %zu in the list", i);
}

const char *heed_plugin_get_offer(size_t i, size_t j)
{
    pthread_mutex_lock(&lock);
    const plugin_report *r = report_at(i);
    const char *text = r && j < r->info.offers ? r->offers[j] : NULL;
    pthread_mutex_unlock(&lock);
    return text;
}

const char *heed_plugin_get_device(size_t i, size_t j)
{
    pthread_mutex_lock(&lock);
    const plugin_report *r = report_at(i);
    const char *text = r && j < r->info.devices ? r->devices[j] : NULL;
    pthread_mutex_unlock(&lock);
    return text;
}
