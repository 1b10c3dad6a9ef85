/* Image files of all formats: the pixels of whole ones, and that broken ones (cut off anywhere, one
 * byte changed) are refused or decoded, but never crash, and leave no memory behind. The files are
 * the seeds of the fuzzer, tests/fuzz/corpus/image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format.h"
#include "service_host.h"

enum { MOST = 4096, PIXELS = 1 << 16 };

static int set_up(void **state)
{
    (void)state;
    image_host = &service_host;
    service_reset();
    return 0;
}

/* ---- Files --------------------------------------------------------------------------------- */

static size_t read_file(const char *name, uint8_t *bytes)
{
    char path[512];
    const char *source = getenv("HEED_SOURCE");
    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/image/%s", source ? source : ".", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, MOST, file);
    fclose(file);
    assert_in_range(n, 1, MOST - 1);
    return n;
}

/* Can this build read files with such a beginning? */
static int has_reader(const uint8_t *bytes, size_t n)
{
    const image_bytes in = {bytes, n};
    const image_format *format = image_find(&in);
    assert_non_null(format);
    return format->reader != NULL;
}

/* In an allocation of exactly this size, so that a sanitizer sees a byte too many. */
static heed_status decode(const uint8_t *bytes, size_t n, uint32_t pixels, uint8_t *out,
                          uint64_t n_out)
{
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, bytes, n);
    heed_status status = image_decode(exact, n, pixels, out, n_out);
    free(exact);
    return status;
}

/* ---- Whole files ---------------------------------------------------------------------------- */

#define COLOURS 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 10, 20, 30, 200, 100, 50

typedef struct whole {
    const char *name;
    uint64_t height, width;
    int slack;       /* of lossy formats */
    uint8_t rgb[18]; /* of the first pixels */
} whole;

static const whole files[] = {
    {"rgb.png", 2, 3, 0, {COLOURS}},
    {"rgba.png", 2, 3, 0, {COLOURS}},
    {"palette.png", 2, 3, 0, {COLOURS}},
    {"gray16.png", 2, 3, 0, {0, 0, 0, 1, 1, 1, 128, 128, 128, 255, 255, 255, 3, 3, 3}},
    {"rgb.bmp", 2, 3, 0, {COLOURS}},
    {"palette.bmp", 2, 3, 0, {COLOURS}},
    {"lossless.webp", 2, 3, 0, {COLOURS}},
    {"plain.tif", 2, 3, 0, {COLOURS}},
    {"lzw.tif", 2, 3, 0, {COLOURS}},
    {"deflate.tif", 8, 16, 0, {200, 100, 50, 200, 100, 50}},
    {"jpeg.tif", 8, 16, 3, {200, 100, 50, 200, 100, 50}},
    {"gray.tif", 2, 3, 0, {76, 76, 76, 150, 150, 150, 29, 29, 29, 255, 255, 255, 18, 18, 18}},
    {"lossless.jp2", 2, 3, 0, {COLOURS}},
    {"codestream.j2k", 2, 3, 0, {COLOURS}},
    {"flat.jpg", 8, 16, 3, {200, 100, 50, 200, 100, 50}},
    {"progressive.jpg", 8, 16, 3, {200, 100, 50, 200, 100, 50}},
    {"gray.jpg", 8, 16, 3, {124, 124, 124, 124, 124, 124}},
    {"cmyk.jpg", 8, 8, 4, {198, 161, 124, 198, 161, 124}},
    {"text.ppm", 2, 3, 0, {COLOURS}},
    {"binary.ppm", 2, 3, 0, {COLOURS}},
    {"text.pgm", 2, 3, 0, {0, 0, 0, 128, 128, 128, 255, 255, 255, 3, 3, 3, 5, 5, 5, 8, 8, 8}},
    {"wide.pgm", 2, 3, 0, {0, 0, 0, 1, 1, 1, 128, 128, 128, 255, 255, 255, 4, 4, 4}},
    {"text.pbm", 2, 3, 0, {0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255, 0, 0, 0}},
    {"binary.pbm", 2, 10, 0, {0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255}},
    {"bits.tif", 2, 3, 255, {0}},
    {"lossy.webp", 2, 3, 255, {0}},
};

enum { FILES = sizeof(files) / sizeof(files[0]) };

static size_t last_given(const whole *w)
{
    size_t n = 18;
    while (n > 0 && w->rgb[n - 1] == 0)
        n--;
    return n;
}

static void check_file(const whole *w)
{
    static uint8_t bytes[MOST], rgb[PIXELS], bgr[PIXELS], gray[PIXELS];
    heed_image_size size;
    size_t n = read_file(w->name, bytes);
    if (!has_reader(bytes, n)) {
        assert_int_equal(image_measure(bytes, n, &size), HEED_UNSUPPORTED);
        assert_non_null(strstr(service.reason, "built without"));
        return;
    }
    assert_int_equal(image_measure(bytes, n, &size), HEED_OK);
    assert_true(size.height == w->height && size.width == w->width);
    uint64_t pixels = size.height * size.width;
    assert_int_equal(decode(bytes, n, HEED_PIXELS_RGB, rgb, 3 * pixels), HEED_OK);
    assert_int_equal(decode(bytes, n, HEED_PIXELS_BGR, bgr, 3 * pixels), HEED_OK);
    assert_int_equal(decode(bytes, n, HEED_PIXELS_GRAY, gray, pixels), HEED_OK);
    for (size_t i = 0; i < last_given(w); i++)
        assert_in_range(rgb[i] + 255, 255 + w->rgb[i] - w->slack, 255 + w->rgb[i] + w->slack);
    for (uint64_t i = 0; i < pixels; i++) {
        double luma = 0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2];
        assert_true(bgr[3 * i] == rgb[3 * i + 2] && bgr[3 * i + 2] == rgb[3 * i]);
        assert_true(gray[i] >= luma - 0.51 && gray[i] <= luma + 0.51);
    }
    assert_int_equal(decode(bytes, n, HEED_PIXELS_RGB, rgb, 3 * pixels - 1), HEED_INVALID);
    assert_int_equal(decode(bytes, n, 0, rgb, 3 * pixels), HEED_INVALID);
}

static void whole_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        check_file(&files[i]);
        assert_int_equal(service.live, 0);
    }
}

/* ---- Broken files --------------------------------------------------------------------------- */

/* Whatever it gives: no crash, nothing left, and a reason for a refusal. */
static heed_status try_bytes(const uint8_t *bytes, size_t n)
{
    static uint8_t out[PIXELS];
    heed_image_size size;
    service.reason[0] = '\0';
    heed_status status = image_measure(bytes, n, &size);
    if (status == HEED_OK && 3 * size.height * size.width <= PIXELS)
        status = decode(bytes, n, HEED_PIXELS_RGB, out, 3 * size.height * size.width);
    assert_int_equal(service.live, 0);
    assert_true(status == HEED_OK || service.reason[0]);
    return status;
}

static void cut_files(void **state)
{
    static uint8_t bytes[MOST];
    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        size_t n = read_file(files[i].name, bytes);
        for (size_t cut = 0; cut < n; cut++)
            try_bytes(bytes, cut);
        if (try_bytes(bytes, n / 3) == HEED_OK)
            fail_msg("a third of %s is an image", files[i].name);
    }
}

static void changed_files(void **state)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    static uint8_t bytes[MOST];
    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        size_t n = read_file(files[i].name, bytes);
        for (size_t at = 0; at < n; at++)
            for (size_t k = 0; k < sizeof(masks); k++) {
                bytes[at] ^= masks[k];
                try_bytes(bytes, n);
                bytes[at] ^= masks[k];
            }
    }
}

/* A header may claim anything; nothing is taken for it. */
static void large_claims(void **state)
{
    static const char *const claims[] = {
        "P5 16777217 1 255\n",
        "P6 1000000 1000000 255\n",
        "P4 99999999999999999999 1\n",
        "P5 12000 12000 255\n",
    };
    static uint8_t bytes[MOST];
    heed_image_size size;
    (void)state;
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        assert_int_not_equal(image_measure(claims[i], strlen(claims[i]), &size), HEED_OK);
    assert_int_equal(image_measure("P5 0 4 255\n", 11, &size), HEED_INVALID);
    size_t n = read_file("small_tiles.j2k", bytes); /* 42,630 of them: seconds for the library */
    assert_int_equal(image_measure(bytes, n, &size), HEED_UNSUPPORTED);
    assert_int_equal(image_measure("", 0, &size), HEED_INVALID);
    assert_int_equal(image_measure("GIF89a", 6, &size), HEED_INVALID);
    assert_non_null(strstr(service.reason, "no image of a known format"));
}

/* With no memory to be had, that is what every format says. */
static void no_memory(void **state)
{
    static uint8_t bytes[MOST], gray[PIXELS];
    heed_image_size size;
    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        size_t n = read_file(files[i].name, bytes);
        if (!has_reader(bytes, n) || image_measure(bytes, n, &size))
            continue;
        service.limit = 0;
        assert_int_equal(decode(bytes, n, HEED_PIXELS_GRAY, gray, size.height * size.width),
                         HEED_NOMEM);
        service.limit = (uint64_t)1 << 30;
        assert_int_equal(service.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files),   cmocka_unit_test(cut_files),
        cmocka_unit_test(changed_files), cmocka_unit_test(large_claims),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
