/* SPDX-License-Identifier: CC0-1.0 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_SIZE 26 /* "dray-job ", 16 digits, a line's end */
#define LINE_SIZE 64 /* enough for a field's name, its number and punctuation */

enum { TEXT, NUMBER32, NUMBER64 };
#define FIELD(kind, member)                                                                        \
    {                                                                                              \
#member, kind, offsetof(struct dray_job, member)                                           \
    }

/* In this order. Another field means another format: see the marker in spool.c. */
static const struct field {
    const char *name;
    int kind;
    size_t offset;
} fields[] = {
    FIELD(TEXT, type),
    FIELD(TEXT, name),
    FIELD(TEXT, unique),
    FIELD(TEXT, group),
    FIELD(NUMBER64, timeout_ms),
    FIELD(NUMBER32, max_attempts),
    FIELD(NUMBER64, created_ms),
    FIELD(NUMBER64, run_at_ms),
    FIELD(NUMBER64, ended_ms),
    FIELD(NUMBER32, attempts),
    FIELD(NUMBER32, releases),
    FIELD(NUMBER64, token.counter),
    FIELD(NUMBER64, token.nonce),
    FIELD(TEXT, owner),
    FIELD(TEXT, error),
    FIELD(TEXT, progress),
    FIELD(TEXT, result),
    FIELD(TEXT, payload),
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static struct dray_str text_of(const struct dray_job *job, const struct field *field)
{
    struct dray_str text;
    memcpy(&text, (const char *)job + field->offset, sizeof(text));
    return text;
}

static uint64_t number_of(const struct dray_job *job, const struct field *field)
{
    uint32_t small;
    uint64_t large;
    memcpy(&small, (const char *)job + field->offset, sizeof(small));
    if (field->kind == NUMBER32)
        return small;
    memcpy(&large, (const char *)job + field->offset, sizeof(large));
    return large;
}

/* FNV-1a (Fowler, Noll and Vo), 64 bits: tells damage, not malice. */
static uint64_t checksum(const char *bytes, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

/* The whole file into the block; its length, or 0 if it does not fit. */
static size_t compose(char *block, const struct dray_job *job)
{
    size_t len = HEAD_SIZE;
    char head[HEAD_SIZE + 1];
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *field = &fields[i];
        struct dray_str text = field->kind == TEXT ? text_of(job, field) : (struct dray_str){0};
        uint64_t number = field->kind == TEXT ? text.len : number_of(job, field);
        if (text.len + LINE_SIZE > RECORD_MAX - len)
            return 0;
        len += (size_t)snprintf(block + len, LINE_SIZE, "%s %" PRIu64 "%s", field->name, number,
            field->kind == TEXT ? ":" : "");
        if (text.len)
            memcpy(block + len, text.data, (size_t)text.len);
        len += (size_t)text.len;
        block[len++] = '\n';
    }
    snprintf(head, sizeof(head), "dray-job %016" PRIx64 "\n",
        checksum(block + HEAD_SIZE, len - HEAD_SIZE));
    memcpy(block, head, HEAD_SIZE);
    return len;
}

/* NULL, and errno says why. */
static FILE *open_file(int root, const char *path, int flags, const char *mode)
{
    int fd = openat(root, path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, mode);
    int error = errno;
    if (!file && fd >= 0)
        close(fd);
    errno = error;
    return file;
}

int record_write(char *block, int root, const char *path, const struct dray_job *job)
{
    size_t len = compose(block, job);
    if (!len)
        return EMSGSIZE;
    FILE *file = open_file(root, ".new", O_WRONLY | O_CREAT | O_TRUNC, "w");
    if (!file)
        return errno;
    errno = 0;
    int written = fwrite(block, 1, len, file) == len;
    if (fclose(file) != 0 || !written || renameat(root, ".new", root, path) != 0)
        return errno ? errno : EIO;
    return 0;
}

/* One field at *at; returns 0 if it is not there as it should be. */
static int read_field(
    const struct field *field, struct dray_job *job, const char **at, const char *end)
{
    size_t name = strlen(field->name);
    char *stop;
    if ((size_t)(end - *at) < name + 2 || memcmp(*at, field->name, name) != 0)
        return 0;
    uint64_t number = strtoull(*at + name + 1, &stop, 10);
    uint32_t small = (uint32_t)number;
    if (field->kind == TEXT) {
        struct dray_str text = {stop + 1, number};
        if (*stop != ':' || number >= (uint64_t)(end - stop - 1))
            return 0;
        memcpy((char *)job + field->offset, &text, sizeof(text));
        stop += 1 + number;
    } else if (field->kind == NUMBER32) {
        memcpy((char *)job + field->offset, &small, sizeof(small));
    } else {
        memcpy((char *)job + field->offset, &number, sizeof(number));
    }
    *at = stop + 1;
    return stop < end && *stop == '\n';
}

static int parse(const char *bytes, size_t len, struct dray_job *job)
{
    const char *at = bytes + HEAD_SIZE, *end = bytes + len;
    if (len < HEAD_SIZE || memcmp(bytes, "dray-job ", 9) != 0 ||
        strtoull(bytes + 9, NULL, 16) != checksum(at, len - HEAD_SIZE))
        return EBADMSG;
    for (size_t i = 0; i < FIELDS; i++) {
        if (!read_field(&fields[i], job, &at, end))
            return EBADMSG;
    }
    return at == end ? 0 : EBADMSG;
}

int record_read(char *block, int root, const char *path, struct dray_job *job)
{
    *job = (struct dray_job){.size = sizeof(*job)};
    FILE *file = open_file(root, path, O_RDONLY, "r");
    if (!file)
        return errno;
    size_t len = fread(block, 1, RECORD_MAX - 1, file);
    int error = ferror(file) ? EIO : 0;
    fclose(file);
    block[len] = 0;
    return error ? error : parse(block, len, job);
}
