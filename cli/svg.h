/* svg.h - writes a self-contained SVG picture: lines, text, marks; and axes with ticks. */
#ifndef HEED_CLI_SVG_H
#define HEED_CLI_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { SVG_STYLES = 8 }; /* after that many, they come again */

void svg_open(FILE *file, double width, double height, const char *title);
void svg_close(FILE *file);
void svg_line(FILE *file, double x1, double y1, double x2, double y2, const char *colour);
/* anchor: "start", "middle", "end". A rotated text runs upwards. */
void svg_text(FILE *file, double x, double y, double size, const char *anchor, bool upwards,
              const char *text);
void svg_box(FILE *file, double x, double y, double width, double height, size_t style);
/* Colours that the colour-blind and black-and-white print keep apart: each with its own mark and
 * dashes. */
void svg_path(FILE *file, const double *x, const double *y, size_t n, size_t style);
void svg_mark(FILE *file, double x, double y, size_t style);
/* What a style's lines are drawn in. */
const char *svg_colour(size_t style);

/* An axis from values to places. Logarithmic when the values span enough and are positive. */
typedef struct svg_axis {
    double least, most; /* of the values; after svg_axis_fit of the axis */
    double from, to;    /* places */
    bool log;
} svg_axis;

svg_axis svg_axis_fit(double least, double most, double from, double to, bool log);
double svg_axis_place(const svg_axis *axis, double value);
/* The ticks of the axis, at most `room`. */
size_t svg_axis_ticks(const svg_axis *axis, double *ticks, size_t room);

#endif
