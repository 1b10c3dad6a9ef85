/* describe.c - a plugin's description as text, between the child process that loads the plugin and
 * the parent that lists it. One fact a line, "key value":
 *
 *     abi 1 | name cpu | version 0.1 | vendor x     of the plugin
 *     kind backend | kind importer | kind service   begins an interface
 *     offer ai.onnx.MatMul 1+ | device host memory  of the interface
 *     error why it was refused
 *     end                                           everything was said
 *
 * Values come from the plugin, so line ends in them are replaced. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/registry.h"
#include "plugin/scan.h"

enum { LINE_SIZE = 1200, MOST_DEVICES = 64 };

/* ---- Writing, in the child ------------------------------------------------------------------ */

static void write_all(int descriptor, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(descriptor, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* the parent gave up */
        bytes += done;
        n -= (size_t)done;
    }
}

static void say(int descriptor, const char *format, ...) HEED_PRINTF(2, 3);

static void say(int descriptor, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t size = (size_t)n < sizeof(line) - 2 ? (size_t)n : sizeof(line) - 2;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 0x20 || c == 0x7F)
            line[i] = '?';
    }
    line[size] = '\n';
    write_all(descriptor, line, size + 1);
}

static void say_kernel(int descriptor, const heed_kernel *k)
{
    const char *domain = k->domain && k->domain[0] ? k->domain : "ai.onnx";
    if (k->until != 0)
        say(descriptor, "offer %s.%s %lld-%lld", domain, k->op, (long long)k->since,
            (long long)k->until);
    else
        say(descriptor, "offer %s.%s %lld+", domain, k->op, (long long)k->since);
}

static void say_devices(int descriptor, const heed_backend *b)
{
    if (b->describe == NULL)
        say(descriptor, "device host memory");
    for (uint32_t i = 0; b->describe && i < MOST_DEVICES; i++) {
        heed_device_info info = {.size = sizeof(info)};
        err_clear();
        heed_status status = b->describe(i, &info);
        info.description[sizeof(info.description) - 1] = '\0';
        if (status == HEED_NOTFOUND)
            return;
        if (status != HEED_OK) {
            plugin_blame(status, b->name, "describe");
            say(descriptor, "error %s", err_get()->message);
            return;
        }
        say(descriptor, "device %s", info.description);
    }
}

static void say_backend(int descriptor, const heed_backend *b)
{
    say(descriptor, "kind backend");
    for (const heed_kernel *const *k = b->kernels; *k; k++)
        say_kernel(descriptor, *k);
    say_devices(descriptor, b);
}

static void say_importer(int descriptor, const heed_importer *importer)
{
    say(descriptor, "kind importer");
    for (const char *const *e = importer->extensions; *e; e++)
        say(descriptor, "offer %s", *e);
}

static void say_service(int descriptor, const heed_plugin *p)
{
    say(descriptor, "kind service");
    say(descriptor, "offer heed.%s/1", p->name);
}

static const char *text_or_empty(const char *text) { return text ? text : ""; }

static void say_plugin(int descriptor, const plugin_module *m)
{
    const heed_plugin *p = m->entry;
    say(descriptor, "abi %u", (unsigned)p->abi);
    say(descriptor, "name %s", p->name);
    say(descriptor, "version %s", text_or_empty(p->version));
    say(descriptor, "vendor %s", text_or_empty(p->vendor));
    if (m->backend)
        say_backend(descriptor, m->backend);
    if (m->importer)
        say_importer(descriptor, m->importer);
    if (m->service)
        say_service(descriptor, p);
    plugin_module_stop((plugin_module *)(uintptr_t)m);
}

/* The message without the path of the plugin, which the list shows anyway. */
static const char *without_path(const char *message, const char *path)
{
    size_t n = strlen(path);
    return n > 0 && strncmp(message, path, n) == 0 && strncmp(message + n, ": ", 2) == 0
               ? message + n + 2
               : message;
}

void plugin_describe(int descriptor, const char *path)
{
    static plugin_module module; /* large, and the child has one */
    if (plugin_module_load(path, &module) == HEED_OK)
        say_plugin(descriptor, &module);
    else
        say(descriptor, "error %s", without_path(err_get()->message, module.path));
    say(descriptor, "end");
}

/* ---- Reading, in the parent ----------------------------------------------------------------- */

/* Facts of the plugin, then of the interface that is being read. */
typedef struct reader {
    arena *memory;
    plugin_report *first, *last;
    plugin_report plugin; /* what every entry begins with */
    const char **lists[2];
    size_t counts[2], rooms[2];
    heed_status status;
    bool complete;
} reader;

enum { OFFERS, DEVICES };

/* "cpu" of "/x/cpu.so". */
static const char *file_name(arena *memory, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash ? slash + 1 : path;
    size_t n = strlen(file);
    return arena_copy(memory, file, n > 3 && strcmp(file + n - 3, ".so") == 0 ? n - 3 : n);
}

plugin_report *plugin_report_new(arena *memory, const char *path)
{
    plugin_report *r = arena_alloc(memory, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->info = (heed_plugin_info){
        .size = sizeof(r->info), .name = "", .version = "", .vendor = "", .kind = "", .error = ""};
    r->info.path = arena_string(memory, path);
    r->info.name = file_name(memory, path); /* until it says its name itself */
    return r->info.path && r->info.name ? r : NULL;
}

/* Moves a list into the arena. */
static const char *const *keep_list(reader *r, int list)
{
    const char **kept = arena_array(r->memory, r->counts[list] + 1, sizeof(*kept));
    if (kept == NULL)
        r->status = HEED_NOMEM;
    else if (r->counts[list] > 0)
        memcpy(kept, r->lists[list], r->counts[list] * sizeof(*kept));
    return kept;
}

static void end_interface(reader *r)
{
    if (r->last == NULL)
        return;
    r->last->offers = keep_list(r, OFFERS);
    r->last->devices = keep_list(r, DEVICES);
    r->last->info.offers = r->counts[OFFERS];
    r->last->info.devices = r->counts[DEVICES];
    r->counts[OFFERS] = r->counts[DEVICES] = 0;
}

static void begin_interface(reader *r, const char *kind)
{
    plugin_report *next = arena_alloc(r->memory, sizeof(*next));
    end_interface(r);
    if (next == NULL) {
        r->status = HEED_NOMEM;
        return;
    }
    *next = r->plugin;
    next->info.kind = kind;
    if (r->last)
        r->last->next = next;
    else
        r->first = next;
    r->last = next;
}

static void add_to_list(reader *r, int list, const char *text)
{
    r->status =
        mem_grow(&r->lists[list], &r->rooms[list], r->counts[list], sizeof(*r->lists[list]));
    if (r->status == HEED_OK)
        r->lists[list][r->counts[list]++] = text;
}

/* ---- The keys ------------------------------------------------------------------------------- */

static void read_abi(reader *r, const char *value)
{
    r->plugin.info.abi = (uint32_t)strtoul(value, NULL, 10);
}

static void read_name(reader *r, const char *value) { r->plugin.info.name = value; }

static void read_version(reader *r, const char *value) { r->plugin.info.version = value; }

static void read_vendor(reader *r, const char *value) { r->plugin.info.vendor = value; }

static void read_offer(reader *r, const char *value) { add_to_list(r, OFFERS, value); }

static void read_device(reader *r, const char *value) { add_to_list(r, DEVICES, value); }

static void read_error(reader *r, const char *value)
{
    if (r->last == NULL)
        begin_interface(r, "");
    if (r->last)
        r->last->info.error = value;
}

static void read_end(reader *r, const char *value)
{
    (void)value;
    end_interface(r);
    r->complete = true;
}

static const struct {
    const char *key;
    void (*read)(reader *r, const char *value);
} keys[] = {
    {"abi", read_abi},         {"name", read_name},   {"version", read_version},
    {"vendor", read_vendor},   {"offer", read_offer}, {"device", read_device},
    {"kind", begin_interface}, {"error", read_error}, {"end", read_end},
};

static void read_line(reader *r, char *line)
{
    char *value = line + strcspn(line, " ");
    if (*value)
        *value++ = '\0';
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].key, line) == 0)
            keys[i].read(r, value);
    }
}

heed_status plugin_read_description(arena *memory, char *text, const char *path,
                                    plugin_report **out, bool *complete)
{
    reader r = {.memory = memory};
    plugin_report *plain = plugin_report_new(memory, path);
    if (plain == NULL)
        return HEED_NOMEM;
    r.plugin = *plain;
    for (char *line = strsep(&text, "\n"); line && r.status == HEED_OK; line = strsep(&text, "\n"))
        read_line(&r, line);
    mem_free(r.lists[OFFERS]);
    mem_free(r.lists[DEVICES]);
    *out = r.first ? r.first : plain;
    *complete = r.complete && r.first != NULL;
    return r.status;
}
