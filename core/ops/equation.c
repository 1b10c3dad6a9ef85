/* equation.c - the subscripts of Einsum, read.
 *
 * Separate from einsum.c because it is text and no numbers: "...ij, jk -> ...ik" becomes a list of
 * labels for each operand, the ellipsis spread out over the axes that it stands for. */
#include "ops/equation.h"

#include <string.h>

enum { ELLIPSIS_FIRST = 52 };

static int32_t label_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    return letter >= 'a' && letter <= 'z' ? letter - 'a' + 26 : -1;
}

/* One term of the text: how many letters it has, and where the ellipsis stands (-1: none). */
typedef struct scan {
    int32_t letters;
    int32_t ellipsis;
    uint8_t labels[TENSOR_MAX_RANK];
} scan;

/* Reads up to ',', "->" or the end, and leaves *at there. */
static const char *scan_term(const char **at, scan *s)
{
    const char *p = *at;
    *s = (scan){.ellipsis = -1};
    for (; *p && *p != ',' && *p != '-'; p++) {
        if (*p == ' ')
            continue;
        if (*p == '.') {
            if (strncmp(p, "...", 3) != 0 || s->ellipsis >= 0)
                return "at most one \"...\" in a term of the equation";
            s->ellipsis = s->letters;
            p += 2;
            continue;
        }
        int32_t label = label_of(*p);
        if (label < 0)
            return "letters, \"...\", \",\" and \"->\" in the equation";
        if (s->letters == TENSOR_MAX_RANK)
            return "at most 16 letters in a term of the equation";
        s->labels[s->letters++] = (uint8_t)label;
    }
    *at = p;
    return NULL;
}

/* Spreads the ellipsis over `wide` axes, aligned at the last. */
static const char *spread(const scan *s, int32_t wide, equation_term *term)
{
    term->rank = 0;
    if (s->letters + wide > TENSOR_MAX_RANK)
        return "at most 16 axes in a term of the equation";
    for (int32_t i = 0; i <= s->letters; i++) {
        for (int32_t k = 0; i == s->ellipsis && k < wide; k++)
            term->labels[term->rank++] = (uint8_t)(ELLIPSIS_FIRST + TENSOR_MAX_RANK - wide + k);
        if (i < s->letters)
            term->labels[term->rank++] = s->labels[i];
    }
    return NULL;
}

/* Without "->": the ellipsis, then the letters that occur once, in ASCII order. */
static const char *implicit_output(const uint32_t *uses, int32_t wide, equation_term *out)
{
    scan s = {.ellipsis = 0};
    for (uint8_t label = 0; label < ELLIPSIS_FIRST; label++) {
        if (uses[label] != 1)
            continue;
        if (s.letters == TENSOR_MAX_RANK)
            return "at most 16 axes in the output of the equation";
        s.labels[s.letters++] = label;
    }
    return spread(&s, wide, out);
}

static const char *explicit_output(const char *at, const uint32_t *uses, int32_t wide,
                                   equation_term *out)
{
    scan s;
    bool seen[ELLIPSIS_FIRST] = {false};
    const char *problem = scan_term(&at, &s);
    if (problem)
        return problem;
    if (*at)
        return "one term after \"->\" in the equation";
    for (int32_t i = 0; i < s.letters; i++) {
        if (!uses[s.labels[i]] || seen[s.labels[i]])
            return "each output letter once, and in a term before \"->\"";
        seen[s.labels[i]] = true;
    }
    return spread(&s, s.ellipsis >= 0 ? wide : 0, out);
}

const char *equation_read(const char *text, uint32_t n, const int32_t *ranks, arena *memory,
                          equation *out)
{
    uint32_t uses[EQUATION_LABELS] = {0};
    int32_t widest = 0;
    *out = (equation){.n_terms = n, .terms = arena_array(memory, n, sizeof(equation_term))};
    if (!out->terms)
        return "";
    for (uint32_t i = 0; i < n; i++) {
        scan s;
        const char *problem = scan_term(&text, &s);
        if (problem)
            return problem;
        int32_t wide = ranks[i] - s.letters;
        if (wide < 0 || (s.ellipsis < 0 && wide != 0))
            return "as many letters in a term of the equation as the operand has axes";
        if ((problem = spread(&s, wide, &out->terms[i])) != NULL)
            return problem;
        for (int32_t k = 0; k < out->terms[i].rank; k++)
            uses[out->terms[i].labels[k]]++;
        widest = wide > widest ? wide : widest;
        if (i + 1 < n && *text++ != ',')
            return "a term of the equation for each operand";
    }
    if (*text == ',')
        return "an operand for each term of the equation";
    if (!*text)
        return implicit_output(uses, widest, &out->out);
    if (strncmp(text, "->", 2) != 0)
        return "\"->\" before the output of the equation";
    return explicit_output(text + 2, uses, widest, &out->out);
}
