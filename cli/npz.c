/* npz.c - archives of arrays: ZIP files (APPNOTE 6.3) whose members are stored, not compressed.
 *
 * Reading goes by the central directory, and believes no offset or size before it has checked it.
 * ZIP64 sizes are read, since NumPy writes them; members and archives below 4 GB are written. */
#include <stdlib.h>
#include <string.h>

#include "npy.h"

enum { END_SIZE = 22, ENTRY_SIZE = 46, LOCAL_SIZE = 30 };

static uint32_t get16(const unsigned char *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8; }

static uint32_t get32(const unsigned char *at) { return get16(at) | get16(at + 2) << 16; }

static uint64_t get64(const unsigned char *at) { return get32(at) | (uint64_t)get32(at + 4) << 32; }

/* CRC-32 of IEEE 802.3, a nibble at a time. */
static uint32_t crc32_of(const unsigned char *data, size_t size)
{
    // clang-format off
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    // clang-format on
    uint32_t crc = ~UINT32_C(0);
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* ---- Reading -------------------------------------------------------------------------- */

typedef struct entry {
    const unsigned char *name;
    size_t name_size;
    uint32_t method, crc;
    uint64_t packed, size, offset;
} entry;

/* The end record, searched from the back since a comment may follow it. */
static const unsigned char *find_end(const file_bytes *archive)
{
    for (size_t back = END_SIZE; back <= archive->size && back < 0x10000 + END_SIZE; back++) {
        const unsigned char *at = archive->data + archive->size - back;
        if (get32(at) == 0x06054b50)
            return at;
    }
    return NULL;
}

/* ZIP64: the fields that are all ones stand in extra field 1, in this order. */
static void read_zip64(entry *e, const unsigned char *extra, size_t size)
{
    uint64_t *fields[] = {&e->size, &e->packed, &e->offset};
    for (size_t at = 0; at + 4 <= size;) {
        size_t length = get16(extra + at + 2), used = 0;
        if (length > size - at - 4)
            return;
        for (size_t i = 0; i < 3 && get16(extra + at) == 1; i++)
            if (*fields[i] == UINT32_MAX && used + 8 <= length) {
                *fields[i] = get64(extra + at + 4 + used);
                used += 8;
            }
        at += 4 + length;
    }
}

/* The entry at *offset of the directory, which is moved past it. */
static bool read_entry(const file_bytes *archive, size_t *offset, entry *out)
{
    const unsigned char *at = archive->data + *offset;
    if (archive->size - *offset < ENTRY_SIZE || get32(at) != 0x02014b50)
        return false;
    size_t name = get16(at + 28), extra = get16(at + 30), comment = get16(at + 32);
    if (archive->size - *offset - ENTRY_SIZE < name + extra + comment)
        return false;
    *out = (entry){.name = at + ENTRY_SIZE,
                   .name_size = name,
                   .method = get16(at + 10),
                   .crc = get32(at + 16),
                   .packed = get32(at + 20),
                   .size = get32(at + 24),
                   .offset = get32(at + 42)};
    read_zip64(out, at + ENTRY_SIZE + name, extra);
    *offset += ENTRY_SIZE + name + extra + comment;
    return true;
}

/* Does the entry bear this name, with or without ".npy"? */
static bool is_named(const entry *e, const char *name)
{
    size_t n = strlen(name);
    if (e->name_size < n || memcmp(e->name, name, n))
        return false;
    return e->name_size == n || (e->name_size == n + 4 && !memcmp(e->name + n, ".npy", 4));
}

static bool open_entry(const file_bytes *archive, const entry *e, const unsigned char **data,
                       char why[NPY_WHY])
{
    snprintf(why, NPY_WHY, "a member is compressed; write it with numpy.savez");
    if (e->method != 0)
        return false;
    snprintf(why, NPY_WHY, "the archive is cut off or damaged");
    if (e->offset > archive->size || archive->size - e->offset < LOCAL_SIZE)
        return false;
    const unsigned char *local = archive->data + e->offset;
    uint64_t start = e->offset + LOCAL_SIZE + get16(local + 26) + get16(local + 28);
    if (get32(local) != 0x04034b50 || start > archive->size || archive->size - start < e->size)
        return false;
    *data = archive->data + start;
    snprintf(why, NPY_WHY, "the archive is damaged: a checksum does not agree");
    return crc32_of(*data, e->size) == e->crc;
}

bool npz_find(const file_bytes *archive, const char *name, const unsigned char **data, size_t *size,
              char why[NPY_WHY])
{
    const unsigned char *end = find_end(archive);
    snprintf(why, NPY_WHY, "not a .npz file");
    if (!end)
        return false;
    size_t offset = get32(end + 16);
    entry e;
    snprintf(why, NPY_WHY, "it has no member '%.100s'", name);
    for (uint32_t left = get16(end + 10); left > 0 && offset < archive->size; left--) {
        if (!read_entry(archive, &offset, &e))
            break;
        if (!is_named(&e, name))
            continue;
        *size = e.size;
        return open_entry(archive, &e, data, why);
    }
    return false;
}

/* ---- Writing -------------------------------------------------------------------------- */

static void put(file_bytes *out, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)(value >> 8 * i);
        files_append(out, &byte, 1);
    }
}

/* What local and central headers share: version, flags (UTF-8 names), method, time, sizes. */
static void put_common(file_bytes *out, uint32_t crc, size_t size, size_t name_size)
{
    put(out, 2, 20);
    put(out, 2, 0x800);
    put(out, 2, 0);
    put(out, 2, 0);
    put(out, 2, 0x21); /* 1980-01-01: the same outputs give the same bytes */
    put(out, 4, crc);
    put(out, 4, size);
    put(out, 4, size);
    put(out, 2, name_size);
    put(out, 2, 0);
}

static void put_member(npz_writer *w, const char *name, const file_bytes *member)
{
    uint32_t crc = crc32_of(member->data, member->size);
    size_t offset = w->body.size, n = strlen(name);
    put(&w->body, 4, 0x04034b50);
    put_common(&w->body, crc, member->size, n);
    files_append(&w->body, name, n);
    files_append(&w->body, member->data, member->size);
    put(&w->directory, 4, 0x02014b50);
    put(&w->directory, 2, 20);
    put_common(&w->directory, crc, member->size, n);
    put(&w->directory, 8, 0); /* comment, disk, attributes */
    put(&w->directory, 2, 0);
    put(&w->directory, 4, offset);
    files_append(&w->directory, name, n);
    w->n++;
}

bool npz_add(npz_writer *w, const char *name, const heed_tensor *tensor, char why[NPY_WHY])
{
    file_bytes member = {0};
    bool good = npy_encode(tensor, &member, why);
    if (good && (member.size >= UINT32_MAX - w->body.size || w->n == UINT16_MAX)) {
        snprintf(why, NPY_WHY, "the archive would be larger than 4 GB");
        good = false;
    }
    if (good) {
        char *file_name = cli_format("%s.npy", name);
        put_member(w, file_name, &member);
        free(file_name);
    }
    files_free(&member);
    return good;
}

bool npz_save(npz_writer *w, const char *path)
{
    size_t offset = w->body.size;
    files_append(&w->body, w->directory.data, w->directory.size);
    put(&w->body, 4, 0x06054b50);
    put(&w->body, 4, 0);
    put(&w->body, 2, w->n);
    put(&w->body, 2, w->n);
    put(&w->body, 4, w->directory.size);
    put(&w->body, 4, offset);
    put(&w->body, 2, 0);
    return files_write(path, &w->body);
}

void npz_free(npz_writer *w)
{
    files_free(&w->body);
    files_free(&w->directory);
    *w = (npz_writer){0};
}
