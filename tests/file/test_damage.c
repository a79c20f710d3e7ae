/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file in which every byte is hit in turn, cut off at every length, its lines doubled, swapped,
 * removed, holes torn into it: never a wrong payload, never more jobs touched than the damaged
 * records are about, always reported; and the store works on. J2, X1, X2, X5.
 */
#include "disk.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_JOBS 1000
#define MOST_LINES 4000

static struct rig rig;
static struct seen clean[MOST_JOBS]; /* what the undamaged file holds, by id */
static size_t nclean;
static char *text; /* the undamaged file */
static size_t len;
static size_t line_at[MOST_LINES + 1];
static char line_job[MOST_LINES][16]; /* the job that a line is about */
static size_t nlines;
static size_t last_turn; /* the line with which the last turn begins */

static void payload_of(char out[64], unsigned number)
{
    snprintf(out, 64, number % 5 ? "{\"job\":%u,\"n\":[1,2]}" : "{\"job\":\n%u}", number);
}

/* Jobs in every state, singly and in groups. */
static void fill_store(unsigned jobs)
{
    char id[16], payload[64];
    for (unsigned i = 0; i < jobs; i++) {
        snprintf(id, sizeof(id), "j%04u", i);
        payload_of(payload, i);
        assert_int_equal(rig_push(&rig, id, payload, i % 7 ? 0 : 500000, NULL), DRAY_OK);
    }
    assert_int_equal(rig_take(&rig, jobs / 3, 60000), DRAY_OK);
    static struct seen taken[MOST_JOBS];
    size_t n = rig.nseen;
    memcpy(taken, rig.seen, n * sizeof(taken[0]));
    for (size_t i = 0; i + 4 < n; i += 4) {
        rig_settle(&rig, &taken[i], DRAY_VERDICT_DONE, 0, NULL, 0);
        rig_settle(&rig, &taken[i + 1], DRAY_VERDICT_BURY, 0, "broken", 0);
        rig_settle(&rig, &taken[i + 2], DRAY_VERDICT_AGAIN, 9000, "once more", 0);
    }
    assert_int_equal(rig_push_group(&rig, "g", 4, "{\"g\":1}"), DRAY_OK);
}

static void find_lines(void)
{
    nlines = 0;
    for (size_t at = 0; at < len; nlines++) {
        const char *end = memchr(text + at, '\n', len - at);
        assert_non_null(end);
        line_at[nlines] = at;
        line_job[nlines][0] = 0;
        const char *id = memmem(text + at, (size_t)(end - text) - at, "\"id\":\"", 6);
        if (id)
            sscanf(id + 6, "%15[^\"]", line_job[nlines]);
        at = (size_t)(end - text) + 1;
    }
    line_at[nlines] = len;
    last_turn = nlines - 4; /* the group */
}

static void begin(unsigned jobs)
{
    disk_new();
    disk_forget();
    rig_init(&rig);
    rig.max_file_size = 64 << 20;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    fill_store(jobs);
    assert_int_equal(rig_list(&rig), DRAY_OK);
    nclean = rig.nseen;
    memcpy(clean, rig.seen, nclean * sizeof(clean[0]));
    rig_close(&rig);
    const char *bytes = disk_read(RIG_PATH, &len);
    text = malloc(len);
    assert_non_null(text);
    memcpy(text, bytes, len);
    find_lines();
}

static void end(void)
{
    free(text);
    text = NULL;
    disk_free();
}

static size_t line_of(size_t at)
{
    size_t line = 0;
    while (line_at[line + 1] <= at)
        line++;
    return line;
}

/* Which lines were touched: their jobs may be as they like, but for their payloads. */
struct touched {
    char jobs[256][16];
    size_t n;
    int last_turn; /* and the last turn may be gone */
    int tail;      /* damaged up to the last turn: as if it were cut off there */
};

static void touch(struct touched *touched, size_t line)
{
    if (line < nlines && touched->n < 256 && line_job[line][0])
        memcpy(touched->jobs[touched->n++], line_job[line], sizeof(line_job[0]));
}

static int is_touched(const struct touched *touched, const char *id)
{
    if (touched->tail || (touched->last_turn && id[0] == 'g'))
        return 1;
    for (size_t i = 0; i < touched->n; i++) {
        if (strcmp(touched->jobs[i], id) == 0)
            return 1;
    }
    return 0;
}

static void check_payload(const char *what, size_t at, const struct seen *job)
{
    char payload[64];
    if (job->id[0] == 'g')
        snprintf(payload, sizeof(payload), "{\"g\":1}");
    else
        payload_of(payload, (unsigned)strtoul(job->id + 1, NULL, 10));
    if (strcmp(job->payload, payload) != 0)
        fail_msg("%s at %zu: %s has the payload %s", what, at, job->id, job->payload);
}

static int is_same(const struct seen *a, const struct seen *b)
{
    return a->state == b->state && a->attempts == b->attempts &&
           a->token.counter == b->token.counter && strcmp(a->error, b->error) == 0;
}

static void compare(const char *what, size_t at, const struct touched *touched)
{
    for (size_t i = 0; i < nclean; i++) {
        const struct seen *job = rig_find(&rig, clean[i].id);
        if (is_touched(touched, clean[i].id))
            continue;
        if (!job || !is_same(job, &clean[i]))
            fail_msg("%s at %zu: %s is %s", what, at, clean[i].id, job ? "changed" : "lost");
    }
    for (size_t i = 0; i < rig.nseen; i++) {
        check_payload(what, at, &rig.seen[i]);
        int known = 0;
        for (size_t k = 0; k < nclean && !known; k++)
            known = strcmp(clean[k].id, rig.seen[i].id) == 0;
        /* One that had ended, and whose end was hit, may be back. */
        if (!known && !is_touched(touched, rig.seen[i].id))
            fail_msg("%s at %zu: %s has come from nowhere", what, at, rig.seen[i].id);
    }
}

/* Opens the damaged file and looks at all of it. */
static void look(const char *what, size_t at, const char *bytes, size_t size,
    const struct touched *touched, int reported)
{
    disk_write(RIG_PATH, bytes, size);
    rig.warnings = 0;
    if (rig_open(&rig) != DRAY_OK)
        fail_msg("%s at %zu: %s", what, at, rig.error.text);
    if (reported && !rig.warnings)
        fail_msg("%s at %zu: not a word", what, at);
    assert_int_equal(rig_list(&rig), DRAY_OK);
    compare(what, at, touched);
}

static void every_byte_is_hit(void **state)
{
    (void)state;
    static const unsigned char masks[] = {1, 0x80, 0x20, 0xff};
    begin(rig_amount(25, 60, 400));
    char *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t at = 0; at < len; at++) {
        size_t line = line_of(at);
        struct touched touched = {.n = 0};
        touch(&touched, line);
        memcpy(bytes, text, len);
        bytes[at] = (char)((unsigned char)bytes[at] ^ masks[at % 4]);
        look("a flipped byte", at, bytes, len, &touched, 0);
        /* A line break that was hit costs nothing, and is mended in silence. */
        assert_int_equal(rig_tend(&rig, DRAY_TEND_CHECK), DRAY_OK);
        if (text[at] != '\n' && (!rig.tend.damaged || !rig.notes))
            fail_msg("a flipped byte at %zu: not reported", at);
        rig_close(&rig);
    }
    free(bytes);
    end();
}

static void every_length(void **state)
{
    (void)state;
    struct touched touched = {.last_turn = 1};
    begin(rig_amount(25, 60, 200));
    /* Shorter than the last turn, it is a file from another time: all that is in it counts. */
    for (size_t size = line_at[last_turn]; size < len; size++) {
        look("cut off", size, text, size, &touched, size != line_at[last_turn]);
        assert_null(rig_find(&rig, "g0"));
        assert_null(rig_find(&rig, "g3"));
        rig_close(&rig);
    }
    for (size_t size = 0; size < line_at[last_turn]; size++) {
        disk_write(RIG_PATH, text, size);
        int32_t code = rig_open(&rig);
        if (size && size < line_at[1] - 1) /* not even a header */
            assert_true(code == DRAY_CORRUPT || code == DRAY_CONFIG);
        else if (size != line_at[1] - 1)
            assert_int_equal(code, DRAY_OK);
        if (code == DRAY_OK && size) {
            assert_int_equal(rig_list(&rig), DRAY_OK);
            for (size_t i = 0; i < rig.nseen; i++)
                check_payload("cut off", size, &rig.seen[i]);
        }
        rig_close(&rig);
    }
    end();
}

static char *paste(char *to, size_t line)
{
    size_t n = line_at[line + 1] - line_at[line];
    memcpy(to, text + line_at[line], n);
    return to + n;
}

/* The lines in another order: `order` of `n`. */
static void look_at_order(
    const char *what, size_t at, const size_t *order, size_t n, const struct touched *touched)
{
    char *bytes = malloc(2 * len), *to = bytes;
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        to = paste(to, order[i]);
    look(what, at, bytes, (size_t)(to - bytes), touched, 1);
    rig_close(&rig);
    free(bytes);
}

static void lines_are_moved(void **state)
{
    (void)state;
    struct touched nothing = {.n = 0};
    static size_t order[2 * MOST_LINES];
    begin(rig_amount(50, 100, 400));
    const size_t lines = nlines;
    for (size_t line = 0; line < lines; line++) {
        size_t n = 0;
        for (size_t i = 0; i < lines; i++) {
            order[n++] = i;
            if (i == line)
                order[n++] = i;
        }
        look_at_order("a doubled line", line, order, n, &nothing);
        for (size_t i = 0; i < lines; i++)
            order[i] = i;
        size_t with = (line * 7 + 1) % lines;
        order[line] = with;
        order[with] = line;
        if (with != line)
            look_at_order("a swapped line", line, order, lines, &nothing);
        struct touched touched = {.n = 0};
        touch(&touched, line);
        touched.last_turn = line + 1 == lines; /* that is a turn cut short */
        n = 0;
        for (size_t i = 0; i < lines; i++) {
            if (i != line)
                order[n++] = i;
        }
        look_at_order("a missing line", line, order, n, &touched);
    }
    for (size_t i = 0; i < lines; i++)
        order[i] = order[i + lines] = i;
    look_at_order("all lines twice", 0, order, 2 * lines, &nothing);
    for (size_t i = 0; i < lines; i++)
        order[i] = lines - 1 - i;
    look_at_order("backwards", 0, order, lines, &nothing);
    end();
}

/* Lines out of order, one that is damaged long before the end, and a write that was cut short: only
   that is cut off. */
static void moved_and_cut_short(void **state)
{
    (void)state;
    begin(40);
    struct touched touched = {.n = 0};
    char *bytes = malloc(2 * len), *to = bytes;
    assert_non_null(bytes);
    for (size_t i = 0; i < nlines; i++)
        to = paste(to, i == 6 ? 8 : i == 8 ? 6 : i);
    bytes[line_at[4] + 30] ^= 1;
    touch(&touched, 4);
    memcpy(to, text + line_at[3], 50);
    to += 50;
    look("lines moved, and a write cut short", 4, bytes, (size_t)(to - bytes), &touched, 1);
    size_t after;
    disk_read(RIG_PATH, &after);
    assert_int_equal(after, len);
    rig_close(&rig);
    free(bytes);
    end();
}

static void holes(void **state)
{
    (void)state;
    begin(150);
    char *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t at = 0, size = 512; size <= 8192; at += 512) {
        size_t stop = at + size < len ? at + size : len;
        struct touched touched = {
            .last_turn = stop > line_at[last_turn], .tail = stop > line_at[last_turn]};
        for (size_t line = line_of(at); line < nlines && line_at[line] < stop; line++)
            touch(&touched, line);
        memcpy(bytes, text, len);
        memset(bytes + at, 0, stop - at);
        look("a hole", at, bytes, len, &touched, 1);
        rig_close(&rig);
        if (stop == len) { /* once more, with larger ones */
            at = (size_t)-512;
            size *= 4;
        }
    }
    free(bytes);
    end();
}

/* What was damaged is gone from the new file, and the old one is kept to be looked at. */
static void repair(void **state)
{
    (void)state;
    begin(50);
    text[line_at[10] + 30] ^= 4;
    text[line_at[20] + 30] ^= 4;
    struct touched touched = {.n = 0};
    touch(&touched, 10);
    touch(&touched, 20);
    look("two flipped bytes", 0, text, len, &touched, 1);
    assert_int_equal(rig_tend(&rig, DRAY_TEND_REPAIR), DRAY_OK);
    assert_int_equal(rig.tend.damaged, 2);
    assert_int_equal(rig.tend.repaired, 2);
    assert_int_equal(rig.notes, 2);
    assert_int_equal(rig_tend(&rig, DRAY_TEND_CHECK), DRAY_OK);
    assert_int_equal(rig.tend.damaged, 0);
    assert_int_equal(rig_list(&rig), DRAY_OK);
    compare("repaired", 0, &touched);
    size_t kept;
    const char *old = disk_read(RIG_PATH ".damaged", &kept);
    assert_non_null(old);
    assert_int_equal(kept, len);
    assert_memory_equal(old, text, len);
    rig_close(&rig);
    rig.warnings = 0;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig.warnings, 0);
    rig_close(&rig);
    end();
}

/* After any damage new jobs are kept as before. */
static void goes_on_behind_damage(void **state)
{
    (void)state;
    begin(20);
    char *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t at = 0; at < len; at += 3) {
        memcpy(bytes, text, len);
        bytes[at] ^= 1;
        disk_write(RIG_PATH, bytes, len);
        assert_int_equal(rig_open(&rig), DRAY_OK);
        assert_int_equal(rig_push(&rig, "new", "{\"new\":1}", 0, NULL), DRAY_OK);
        rig_close(&rig);
        assert_int_equal(rig_open(&rig), DRAY_OK);
        assert_int_equal(rig_list(&rig), DRAY_OK);
        assert_non_null(rig_find(&rig, "new"));
        rig_close(&rig);
        assert_int_equal(rig.blocks, 0);
    }
    free(bytes);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_hit),
        cmocka_unit_test(every_length),
        cmocka_unit_test(lines_are_moved),
        cmocka_unit_test(moved_and_cut_short),
        cmocka_unit_test(holes),
        cmocka_unit_test(repair),
        cmocka_unit_test(goes_on_behind_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
