/* svg.c - see svg.h. */
#include "svg.h"

#include <math.h>

#define GREY "#444444"

/* Okabe and Ito's palette. */
static const char *const colours[SVG_STYLES] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                "#000000", "#e69f00", "#56b4e9", "#7f7f7f"};
static const char *const dashes[SVG_STYLES] = {"none", "7 3", "2 3", "9 3 2 3",
                                               "none", "7 3", "2 3", "9 3 2 3"};

const char *svg_colour(size_t style) { return colours[style % SVG_STYLES]; }

static void write_escaped(FILE *file, const char *text)
{
    for (; *text; text++)
        if (*text == '<')
            fputs("&lt;", file);
        else if (*text == '&')
            fputs("&amp;", file);
        else if ((unsigned char)*text >= 0x20)
            fputc(*text, file);
}

void svg_open(FILE *file, double width, double height, const char *title)
{
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" "
            "viewBox=\"0 0 %g %g\" font-family=\"Helvetica, Arial, sans-serif\" role=\"img\">\n"
            "<title>",
            width, height, width, height);
    write_escaped(file, title);
    fprintf(file, "</title>\n<rect width=\"%g\" height=\"%g\" fill=\"#ffffff\"/>\n", width, height);
}

void svg_close(FILE *file) { fputs("</svg>\n", file); }

void svg_line(FILE *file, double x1, double y1, double x2, double y2, const char *colour)
{
    fprintf(file,
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
            "stroke-width=\"1\"/>\n",
            x1, y1, x2, y2, colour);
}

void svg_text(FILE *file, double x, double y, double size, const char *anchor, bool upwards,
              const char *text)
{
    fprintf(file,
            "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" text-anchor=\"%s\" fill=\"#000000\"", x,
            y, size, anchor);
    if (upwards)
        fprintf(file, " transform=\"rotate(-90 %.1f %.1f)\"", x, y);
    fputc('>', file);
    write_escaped(file, text);
    fputs("</text>\n", file);
}

void svg_box(FILE *file, double x, double y, double width, double height, size_t style)
{
    fprintf(file,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
            "fill-opacity=\"0.75\"/>\n",
            x, y, width, height, svg_colour(style));
}

void svg_path(FILE *file, const double *x, const double *y, size_t n, size_t style)
{
    fprintf(file,
            "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" "
            "stroke-dasharray=\"%s\" points=\"",
            svg_colour(style), dashes[style % SVG_STYLES]);
    for (size_t i = 0; i < n; i++)
        fprintf(file, "%s%.1f,%.1f", i ? " " : "", x[i], y[i]);
    fputs("\"/>\n", file);
}

void svg_mark(FILE *file, double x, double y, size_t style)
{
    static const char *const marks[] = {
        "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", /* circle */
        "M-4 -4h8v8h-8z",                      /* square */
        "M0 -5L5 4H-5z",                       /* triangle */
        "M0 -5L5 0L0 5L-5 0z",                 /* diamond */
    };
    fprintf(file, "<path transform=\"translate(%.1f %.1f)\" d=\"%s\" fill=\"%s\"/>\n", x, y,
            marks[style % 4], svg_colour(style));
}

/* ---- Axes ---- */

/* 1, 2 or 5 times a power of ten, not below `step`. */
static double round_step(double step)
{
    double power = pow(10, floor(log10(step)));
    for (int factor = 1; factor <= 5; factor += factor == 1 ? 1 : 3)
        if (factor * power >= step * 0.999)
            return factor * power;
    return 10 * power;
}

svg_axis svg_axis_fit(double least, double most, double from, double to, bool log)
{
    svg_axis axis = {.from = from, .to = to, .log = log && least > 0};
    if (axis.log) { /* some air at both ends */
        axis.least = least / 1.25;
        axis.most = most * 1.25;
    } else {
        double step = round_step(most > 0 ? most / 5 : 1);
        axis.most = ceil(most / step + 0.05) * step;
    }
    return axis;
}

double svg_axis_place(const svg_axis *axis, double value)
{
    double share = axis->log ? log(value / axis->least) / log(axis->most / axis->least)
                             : (value - axis->least) / (axis->most - axis->least);
    return axis->from + share * (axis->to - axis->from);
}

static size_t log_ticks(const svg_axis *axis, double *ticks, size_t room)
{
    bool wide = axis->most / axis->least > 300; /* powers of ten alone */
    size_t n = 0;
    for (double power = pow(10, floor(log10(axis->least))); power <= axis->most; power *= 10)
        for (int factor = 1; factor <= 5; factor += factor == 1 ? 1 : 3) {
            double tick = power * factor;
            if (tick >= axis->least && tick <= axis->most && n < room && (factor == 1 || !wide))
                ticks[n++] = tick;
        }
    return n;
}

size_t svg_axis_ticks(const svg_axis *axis, double *ticks, size_t room)
{
    if (axis->log)
        return log_ticks(axis, ticks, room);
    double step = round_step((axis->most - axis->least) / 6);
    size_t n = 0;
    for (double tick = axis->least; tick <= axis->most * 1.0001 && n < room; tick += step)
        ticks[n++] = tick;
    return n;
}
