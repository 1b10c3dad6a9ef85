/* verb_plugin.c - heed plugin: what is there, what each offers, and what was refused and why. */
#include <string.h>

#include "json.h"
#include "print.h"
#include "session.h"

// clang-format off
static const cli_flag flags[] = {
    {"verbose", NULL, "list every kernel and file type too"},
    {NULL, NULL, NULL},
};
// clang-format on

static bool get(size_t i, heed_plugin_info *info)
{
    *info = (heed_plugin_info){.size = sizeof *info};
    return !heed_plugin_get(i, info);
}

/* What a plugin of each kind offers. */
static const char *const nouns[][2] = {
    {"importer", "file type"},
    {"service", "interface"},
    {"backend", "kernel"},
};

/* "142 kernels", "1 file type". */
static void print_offers(char out[PRINT_SIZE], const heed_plugin_info *info)
{
    size_t i = 0;
    while (i < sizeof nouns / sizeof *nouns - 1 && strcmp(nouns[i][0], info->kind) != 0)
        i++;
    const char *what = nouns[i][1];
    snprintf(out, PRINT_SIZE, "%zu %s%s", info->offers, what, info->offers == 1 ? "" : "s");
}

/* ---- Text ---- */

static void add_row(print_table *table, size_t i, const heed_plugin_info *info)
{
    char offers[PRINT_SIZE];
    const char *device = heed_plugin_get_device(i, 0);
    print_offers(offers, info);
    table_add(table, 6,
              (const char *const[]){info->name, info->version, info->kind, offers,
                                    *info->path ? info->path : "(built in)", device});
}

static void print_lists(size_t i)
{
    const char *text;
    for (size_t j = 0; (text = heed_plugin_get_device(i, j)); j++)
        printf("  device  %s\n", text);
    for (size_t j = 0; (text = heed_plugin_get_offer(i, j)); j++)
        printf("  offers  %s\n", text);
}

static void print_refused(size_t n)
{
    heed_plugin_info info;
    for (size_t i = 0; i < n; i++)
        if (get(i, &info) && *info.error)
            printf("refused  %s: %s\n", *info.path ? info.path : info.name, info.error);
}

static void print_all(size_t n, bool verbose)
{
    heed_plugin_info info;
    print_table table = {0};
    for (size_t i = 0; i < n; i++) {
        if (!get(i, &info) || *info.error)
            continue;
        if (!verbose) {
            add_row(&table, i, &info);
            continue;
        }
        printf("%s %s (%s) %s\n", info.name, info.version, info.kind, info.path);
        print_lists(i);
    }
    table_print(stdout, &table, "");
    table_free(&table);
    print_refused(n);
}

/* ---- JSON ---- */

static void json_list(json_out *out, const char *key, size_t i,
                      const char *(*at)(size_t i, size_t j))
{
    const char *text;
    json_open(out, key, '[');
    for (size_t j = 0; (text = at(i, j)); j++)
        json_text(out, NULL, text);
    json_close(out, ']');
}

static void json_plugin(json_out *out, size_t i, const heed_plugin_info *info, bool verbose)
{
    json_open(out, NULL, '{');
    json_text(out, "name", info->name);
    json_text(out, "version", info->version);
    json_text(out, "vendor", info->vendor);
    json_text(out, "kind", info->kind);
    json_text(out, "path", info->path);
    json_int(out, "abi", info->abi);
    json_text(out, "error", info->error);
    json_int(out, "offers", (int64_t)info->offers);
    json_list(out, "devices", i, heed_plugin_get_device);
    if (verbose)
        json_list(out, "offer_list", i, heed_plugin_get_offer);
    json_close(out, '}');
}

static void print_json(size_t n, bool verbose)
{
    heed_plugin_info info;
    json_out out = {.file = stdout};
    json_open(&out, NULL, '{');
    json_text(&out, "version", heed_version());
    json_open(&out, "plugins", '[');
    for (size_t i = 0; i < n; i++)
        if (get(i, &info))
            json_plugin(&out, i, &info, verbose);
    json_close(&out, ']');
    json_close(&out, '}');
    json_end(&out);
}

/* ---- Forms ---- */

static int list(const cli_args *args, size_t n, bool json)
{
    if (args->n_words > 1)
        return exit_with(EXIT_USAGE, "heed plugin list takes no words; heed plugin info %s?",
                         args->words[1]);
    if (json)
        print_json(n, args_is_on(args, "verbose"));
    else
        print_all(n, args_is_on(args, "verbose"));
    return EXIT_OK;
}

static const char *name_at(const void *unused, size_t i)
{
    heed_plugin_info info;
    (void)unused;
    return get(i, &info) ? info.name : NULL;
}

static void print_info(size_t i, const heed_plugin_info *info)
{
    char offers[PRINT_SIZE];
    print_offers(offers, info);
    printf("name     %s %s\nkind     %s\nvendor   %s\npath     %s\nABI      %u\noffers   %s\n",
           info->name, info->version, info->kind, info->vendor,
           *info->path ? info->path : "(built in)", info->abi, offers);
    if (*info->error)
        printf("refused  %s\n", info->error);
    print_lists(i);
}

/* One plugin by name or path; a refused one tells why, and is "not available". */
static int show(const cli_args *args, size_t n, bool json)
{
    heed_plugin_info info;
    if (args->n_words != 2)
        return exit_with(EXIT_USAGE, "heed plugin info needs a name or a path");
    const char *name = args->words[1];
    for (size_t i = 0; i < n; i++) {
        if (!get(i, &info) || (strcmp(info.name, name) && strcmp(info.path, name)))
            continue;
        json_out out = {.file = stdout};
        if (json) {
            json_plugin(&out, i, &info, true);
            json_end(&out);
        } else {
            print_info(i, &info);
        }
        return *info.error ? EXIT_DEVICE : EXIT_OK;
    }
    const char *near = help_nearest(name, name_at, NULL);
    return exit_with(EXIT_DEVICE, "no plugin '%s'%s%s; 'heed plugin list' shows all", name,
                     near ? "; did you mean " : "", near ? near : "");
}

static const struct {
    const char *name;
    int (*run)(const cli_args *args, size_t n, bool json);
} forms[] = {
    {"list", list},
    {"info", show},
};

static int run(const cli_args *args)
{
    size_t n = 0;
    bool ok;
    bool json = args_want_json(args, &ok);
    if (!ok)
        return EXIT_USAGE;
    const char *form = args->n_words ? args->words[0] : "list";
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(forms[i].name, form))
            continue;
        if (heed_plugin_scan(&n))
            return exit_error("plugins");
        return forms[i].run(args, n, json);
    }
    return exit_with(EXIT_USAGE, "heed plugin list, or heed plugin info NAME; not '%s'", form);
}

const cli_verb verb_plugin = {
    .name = "plugin",
    .usage = "list | info NAME",
    .summary =
        "lists backends, importers and services, what they offer, and refused ones with the reason",
    .flags = {flags, format_flags},
    .run = run,
};
