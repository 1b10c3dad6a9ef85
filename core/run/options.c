/* options.c - see options.h. */
#include "run/options.h"

#include <string.h>

/* The modes that there are. */
static heed_status read_attention(const char *mode, const char **out)
{
    static const char *const modes[] = {"auto", "off", "mha", "gqa", "flash"};
    if (!mode)
        return HEED_OK;
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (strcmp(mode, modes[i]) == 0) {
            *out = modes[i];
            return HEED_OK;
        }
    return err_fail(HEED_UNSUPPORTED,
                    "no attention mode \"%.32s\"; there are auto, off, mha, gqa and flash", mode);
}

static heed_status copy_text(const char *text, char **out)
{
    if (!text)
        return HEED_OK;
    size_t n = strlen(text) + 1;
    *out = mem_alloc(n);
    if (!*out)
        return HEED_NOMEM;
    memcpy(*out, text, n);
    return HEED_OK;
}

heed_status session_options_read(const heed_session_options *o, session_options *out)
{
    compile_options *c = &out->compile;
    *out = (session_options){.compile = {.optimize = true, .named_dims = true}};
#ifdef HEED_DEBUG
    c->check = true;
#endif
    if (!o)
        return HEED_OK;
    if (!HEED_HAS_FIELD(o, flags))
        return err_fail(HEED_USAGE, "heed_session_options.size is not set");
    c->optimize = !(o->flags & HEED_SESSION_NO_OPTIMIZE);
    c->check |= (o->flags & HEED_SESSION_CHECK) != 0;
    c->no_dropout = (o->flags & HEED_SESSION_NO_DROPOUT) != 0;
    if (HEED_HAS_FIELD(o, plan_limit))
        c->plan_limit = o->plan_limit;
    if (HEED_HAS_FIELD(o, backends))
        TRY(copy_text(o->backends, &out->backends));
    c->backends = out->backends;
    if (HEED_HAS_FIELD(o, without)) {
        TRY(pass_check_without(o->without));
        TRY(copy_text(o->without, &out->without));
    }
    c->without = out->without;
    return HEED_HAS_FIELD(o, attention) ? read_attention(o->attention, &c->attention) : HEED_OK;
}

void session_options_free(session_options *o)
{
    mem_free(o->backends);
    mem_free(o->without);
    *o = (session_options){0};
}
