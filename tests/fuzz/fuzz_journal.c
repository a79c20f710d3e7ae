/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of queue files: whatever is in one, opening it gives a definite answer; refused, it is
 * as it was; opened, it holds the same jobs after a repair and the next opening, and works.
 *
 * The first byte says how to take the rest: even as it is; odd with the sums of all lines made
 * right, so that what they say gets past the sums.
 */
#include "file/disk.h"
#include "file/line.h"
#include "file/rig.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rig rig;

static void expect(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s; last error: %s\n", what, rig.error.text);
    abort();
}

static void seal_lines(char *text, size_t len)
{
    char *end = text + len;
    while (text < end) {
        char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop)
            return;
        if (stop - text > LINE_MIN && memcmp(text, LINE_START, LINE_START_LEN) == 0)
            line_seal(text, (size_t)(stop - text), 0);
        text = stop + 1;
    }
}

static uint64_t hash(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u; /* FNV-1a */
    return hash;
}

/* A sum over ids, states and payloads of all jobs, whatever their order: two queues may have a job
   of one id. */
static uint64_t all_jobs(void)
{
    uint64_t sum = 0;
    expect(rig_list(&rig) == DRAY_OK, "cannot be listed");
    for (size_t i = 0; i < rig.nseen; i++) {
        const struct seen *job = &rig.seen[i];
        uint64_t one = hash(14695981039346656037u, job->id);
        sum += hash(one ^ job->state ^ job->attempts << 4, job->payload);
    }
    return sum;
}

static void open_again(const char *when)
{
    rig_close(&rig);
    expect(rig.blocks == 0, "memory is lost");
    expect(rig_open(&rig) == DRAY_OK, when);
}

static void use(void)
{
    uint64_t jobs = all_jobs();

    open_again("does not open again");
    expect(all_jobs() == jobs, "holds other jobs when it is opened again");
    expect(rig_tend(&rig, DRAY_TEND_REPAIR) == DRAY_OK, "cannot be repaired");
    expect(rig_tend(&rig, DRAY_TEND_CHECK) == DRAY_OK && !rig.tend.damaged,
        "is damaged after the repair");
    expect(all_jobs() == jobs, "holds other jobs after the repair");
    open_again("does not open after the repair");
    expect(all_jobs() == jobs, "holds other jobs when it is opened after the repair");
    rig_stats(&rig);
    int32_t code = rig_push(&rig, "pushed-by-the-fuzzer", "1", 0, NULL);
    expect(code == DRAY_OK || code == DRAY_EXISTS || code == DRAY_CONFLICT, "takes no job");
    expect(rig_take(&rig, 4, 1000) == DRAY_OK, "hands out no job");
    struct seen job = rig.seen[0];
    /* An id with a zero byte in it is more than the rig can say. */
    if (rig.nseen && strlen(job.id) == job.id_len) {
        code = rig_settle(&rig, &job, DRAY_VERDICT_DONE, 0, NULL, 0);
        expect(code == DRAY_OK, "takes no outcome");
    }
    jobs = all_jobs();
    open_again("does not open after it was worked with");
    expect(all_jobs() == jobs, "holds other jobs after it was worked with");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[INPUT_MAX];
    size_t len;

    if (size < 1 || size > INPUT_MAX)
        return 0;
    memcpy(text, data + 1, size - 1);
    if (data[0] & 1)
        seal_lines(text, size - 1);
    disk_new();
    disk_forget();
    rig_init(&rig);
    disk_write(RIG_PATH, text, size - 1);
    int32_t code = rig_open(&rig);
    if (code == DRAY_OK) {
        use();
    } else {
        const char *after = disk_read(RIG_PATH, &len);
        expect(rig.error.text[0] && rig.error.code == code, "is refused without a word");
        expect(len == size - 1 && memcmp(after, text, len) == 0, "is refused and changed");
    }
    rig_close(&rig);
    expect(rig.blocks == 0, "memory is lost");
    disk_free();
    return 0;
}
