/* stages.h - "pre_tokenizer": stages that a text flows through, each giving parts to the next. */
#ifndef TOKENIZER_STAGES_H
#define TOKENIZER_STAGES_H

#include "pattern.h"

enum { STAGES_MAX = 32 };

/* What becomes of a match (HF's SplitDelimiterBehavior). */
typedef enum stage_behavior {
    STAGE_REMOVED,
    STAGE_ISOLATED,
    STAGE_WITH_PREVIOUS,
    STAGE_WITH_NEXT,
    STAGE_CONTIGUOUS
} stage_behavior;

typedef struct stage stage;
typedef struct stage_flow stage_flow;

typedef heed_status stage_run(const stage *s, stage_flow *f, const char *text, size_t n,
                              bool first);

struct stage {
    stage_run *run;
    /* What it looks for: characters of a kind, one by one; runs of words or of what is neither word
     * nor space; or a pattern. */
    bool (*is)(uint32_t c);
    bool words;
    pattern *pattern;
    stage_behavior behavior;
    bool invert;
    tok_text mark; /* what stands for a space */
    int scheme;    /* where it comes before a text */
    size_t length;
};

typedef struct stages {
    stage items[STAGES_MAX];
    size_t n;
} stages;

/* A text on its way; each stage has a text to work in, kept from call to call. */
struct stage_flow {
    const stages *stages;
    tok_text room[STAGES_MAX];
    heed_status (*give)(void *to, const char *text, size_t n); /* at the end */
    void *to;
};

heed_status stages_read(stages *s, const tree *t, uint32_t node);
void stages_free(stages *s);
/* first: it begins where the whole text does. */
heed_status stages_run(stage_flow *f, const char *text, size_t n, bool first);
void stages_flow_free(stage_flow *f);

/* The next stage, for a part that is not empty. */
heed_status stage_next(const stage *s, stage_flow *f, const char *text, size_t n, bool first);
stage_run stage_split; /* by what the stage looks for */

#endif
