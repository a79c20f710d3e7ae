/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of `export` and `import`, JSON lines:
 *
 *     {"dray_export": 1, "dray": VERSION, "driver": NAME, "exported_at": TIME}
 *     {"dray_export_paused": QUEUE}
 *     {"id": ..., "queue": ..., ...}
 *     {"dray_export_end": JOBS}
 *
 * A line a queue that was paused; before the jobs, so that it is paused before they come. A line a
 * job, with the keys of `list`, what does not apply left out, and "fence"; in the last
 * line how many there were: a file without it is cut off.
 *
 * Payload and result stand there byte for byte. Those that could not - for a line break, a control
 * character, a space around them - are strings instead, "payload_text" and "result_text".
 */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include <dray/dray.h>

#include <stdio.h>

#define TRANSFER_FORMAT 1

struct cli;
struct json_t;

void transfer_print_head(FILE *file, const char *driver);
void transfer_print_paused(FILE *file, const char *queue);
void transfer_print_job(FILE *file, const struct dray_job_info *job);
void transfer_print_end(FILE *file, uint64_t jobs);

enum transfer_kind { TRANSFER_HEAD, TRANSFER_PAUSED, TRANSFER_JOB, TRANSFER_END };

/* One line that was read. */
struct transfer_line {
    const char *name; /* of the file, for messages */
    unsigned number;  /* from 1 */
    enum transfer_kind kind;
    struct dray_job_info job; /* points into text and root; TRANSFER_PAUSED: the queue alone */
    uint64_t jobs;            /* TRANSFER_END */
    char *text;
    size_t len;
    struct json_t *root;
};

/* Reads the line `number` of the file `name`, copying `text`. EXIT_DONE, and `line` is for
   transfer_free; or the exit status, reported with the place. What a store would refuse is for
   dray_restore to find. */
int transfer_read(const struct cli *cli, const char *name, unsigned number, const char *text,
    size_t len, struct transfer_line *line);

void transfer_free(struct transfer_line *line);

#endif
