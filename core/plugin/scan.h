/* scan.h - what a plugin says of itself, asked in a child process. Internal to core/plugin. */
#ifndef HEED_PLUGIN_SCAN_H
#define HEED_PLUGIN_SCAN_H

#include "plugin/module.h"

/* One entry of the list: a plugin and one of its interfaces. */
typedef struct plugin_report {
    struct plugin_report *next;
    heed_plugin_info info; /* strings in arena memory, never NULL */
    const char *const *offers;
    const char *const *devices;
} plugin_report;

/* An entry with empty texts. */
plugin_report *plugin_report_new(arena *memory, const char *path);

/* Loads the file in a child that may crash, hang or exit: each becomes the entry's error. `out`
 * gets an entry for each interface, or one with the error. Fails only for want of memory. */
heed_status plugin_scan_file(arena *memory, const char *path, plugin_report **out);

/* describe.c, in the child: writes what the plugin says of itself, one fact a line (see there). */
void plugin_describe(int descriptor, const char *path);
/* describe.c, in the parent: reads it back. False: it is not complete. */
heed_status plugin_read_description(arena *memory, char *text, const char *path,
                                    plugin_report **out, bool *complete);

#endif
