/* See attention_node.h. */
#include "attention_node.h"

#include <string.h>
#include <unistd.h>

static bool read_layout(const heed_node *node, const char *name, int place[4])
{
    static const char letters[] = "bhsd";
    const heed_attribute *a = node->attr(node, name);
    heed_string text = a && a->type == HEED_ATTR_STRING ? a->s : (heed_string){letters, 4};
    for (int k = 0; k < 4 && text.size == 4; k++) {
        const char *at = memchr(text.data, letters[k], 4);
        if (!at)
            return false;
        place[k] = (int)(at - text.data);
    }
    return text.size == 4;
}

heed_status attention_places(const heed_node *node, int place[4][4])
{
    static const char *const names[4] = {"q_layout", "k_layout", "v_layout", "y_layout"};
    for (int i = 0; i < 4; i++)
        if (!read_layout(node, names[i], place[i]))
            return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s in a layout that is none", names[i]);
    return HEED_OK;
}

double attention_scale(const heed_node *node)
{
    const heed_attribute *scale = node->attr(node, "scale");
    return scale && scale->type == HEED_ATTR_FLOAT ? scale->f : 0;
}

size_t attention_slots(size_t most)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (size_t)n > most ? most : (size_t)n;
}

size_t attention_ready(size_t slots)
{
    size_t n = HEED_HAS(cpu_host, threads) ? cpu_host->threads() : slots;
    return n < 1 ? 1 : n > slots ? slots : n;
}
