/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record of the file: an event of the job table as a line of JSON, and back.
 * docs/file-format.md says what each field means.
 */
#ifndef FILE_LINE_H
#define FILE_LINE_H

#include "common/table_event.h"
#include "dray/driver.h"
#include "file/buffer.h"

#define LINE_VERSION 1

/* A line begins {"crc":"01234567", and the sum covers what follows, up to its last brace. */
#define LINE_START "{\"crc\":\""
#define LINE_START_LEN 8u
#define LINE_SUMMED 18u /* where the summed part begins */
#define LINE_MIN 24u

/* A line read. What strings there are point into the line, or into the scratch buffer. */
struct line {
    uint64_t seq;
    uint64_t turn; /* seq of the first record written together with this one */
    uint64_t more; /* another record of that turn follows */
    struct table_event event;
    struct dray_stats_row totals;
    uint64_t boot; /* of the machine: of what until_ms means */
};

/* The first line of a file. */
struct header {
    uint64_t version;
    uint64_t file;    /* id of this file */
    uint64_t after;   /* of the one that it was copied from, or 0 */
    uint64_t end;     /* where the copied part ends */
    uint64_t records; /* in the copied part */
};

#define HEADER_LEN 192u

/* Appends a record without its sum. 0 without memory. */
int line_write(struct buffer *out, const struct dray_host *host, uint64_t seq, uint64_t turn,
    uint32_t boot, const struct table_event *event);

/* Completes the line of `len` bytes (line break not counted): is it followed by another of its
   turn? And its sum. */
void line_seal(char *line, size_t len, int more);

/* Does the line (without its break) carry the right sum? */
int line_is_whole(const char *line, size_t len);

/* Reads a line whose sum is right. DRAY_OK; DRAY_INVALID if it is none of this version's records;
   DRAY_NOMEM. Explains nothing. */
int32_t line_read(struct line *line, const char *text, size_t len, struct buffer *scratch,
    const struct dray_host *host);

/* Exactly HEADER_LEN bytes, line break included. */
void header_write(char out[HEADER_LEN], const struct header *header);

/* 1 if it is a header whose sum is right; any version. */
int header_read(struct header *header, const char *text, size_t len, struct buffer *scratch,
    const struct dray_host *host);

/* What a text takes in a record beyond its own bytes; as table_weigh wants it. */
uint64_t line_extra(struct dray_str text, int payload);

/* The least that a file written anew from such a table takes: less than it really takes by what the
   numbers have in digits beyond the first, and by times and counts that only some jobs have. */
int64_t line_least(const struct table_size *size);

/* The machine's boot as records have it. */
uint32_t line_boot(const char *boot_id);

#endif
