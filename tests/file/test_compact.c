/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the file anew while it is worked with: nothing is lost, doubled or moved by it, whatever
 * happens between its steps; no turn waits for all of it; and disk, memory and opening keep to what
 * is promised (drivers/file/compact.h) through a month of changes, also where the process that
 * began it does not go on.
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

#define NEW_PATH RIG_PATH ".new"
#define TWIN_PATH "/tmp/dray-rig-twin.jsonl"
#define HELD 32
#define LEASE 100000000000u

static struct rig rig, twin;
static uint64_t seed;

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t draw(uint64_t below)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static int begin(void **state)
{
    (void)state;
    disk_new();
    disk_forget();
    rig_init(&rig);
    rig_init(&twin);
    twin.path = TWIN_PATH;
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_close(&rig);
    rig_close(&twin);
    disk_free();
    return rig.blocks != 0 || twin.blocks != 0;
}

static size_t size_of(const char *path)
{
    size_t len = 0;
    disk_read(path, &len);
    return len;
}

/* ---- nothing is lost, doubled or moved ---- */

static struct seen held[HELD];
static size_t nheld;
static unsigned serial;

static void both_push(void)
{
    static const uint64_t delays[] = {0, 0, 0, 50, 500, 90000};
    char id[24], payload[64], key[16];
    uint64_t delay = delays[draw(6)];
    unsigned n = (unsigned)draw(4) + 1;
    /* Several that fall due at the same time must keep their order. */
    for (unsigned i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "j%u", serial++);
        snprintf(key, sizeof(key), "key%u", (unsigned)draw(20));
        snprintf(payload, sizeof(payload), draw(5) ? "{\"n\":%u}" : "{\"n\":\n\t%u}", serial);
        const char *unique = draw(4) ? NULL : key;
        int32_t code = rig_push(&rig, id, payload, delay, unique);
        assert_int_equal(rig_push(&twin, id, payload, delay, unique), code);
    }
}

static void both_take(uint32_t most, uint64_t lease)
{
    assert_int_equal(rig_take(&rig, most, lease), DRAY_OK);
    assert_int_equal(rig_take(&twin, most, lease), DRAY_OK);
    assert_int_equal(rig.nseen, twin.nseen);
    for (size_t i = 0; i < rig.nseen; i++) {
        assert_string_equal(rig.seen[i].id, twin.seen[i].id);
        assert_string_equal(rig.seen[i].payload, twin.seen[i].payload);
        assert_int_equal(rig.seen[i].attempts, twin.seen[i].attempts);
        held[nheld % HELD] = rig.seen[i];
        held[nheld++ % HELD].ref = 0;
    }
}

static void both_advance(int64_t ms)
{
    rig_advance(&rig, ms);
    rig_advance(&twin, ms);
}

/* One alone: in what order leases end that are found to have ended together is nobody's promise. */
static void both_expire(void)
{
    both_take(1, 20);
    both_advance(25);
    both_take(1, LEASE);
}

/* Also with leases that have ended long since. */
static void both_settle(void)
{
    static const uint32_t verdicts[] = {DRAY_VERDICT_DONE, DRAY_VERDICT_DONE, DRAY_VERDICT_DONE,
        DRAY_VERDICT_AGAIN, DRAY_VERDICT_BURY, DRAY_VERDICT_RELEASE, DRAY_VERDICT_REPEAT};
    if (!nheld)
        return;
    const struct seen *job = &held[draw(nheld < HELD ? nheld : HELD)];
    uint32_t verdict = verdicts[draw(sizeof(verdicts) / sizeof(verdicts[0]))];
    uint32_t flags = verdict == DRAY_VERDICT_DONE && !draw(3) ? DRAY_LEASE_KEEP : 0;
    uint64_t delay = draw(2) * 40;
    const char *error = verdict == DRAY_VERDICT_DONE ? NULL : "it \"failed\"";
    int32_t code = rig_settle(&rig, job, verdict, delay, error, flags);
    assert_int_equal(rig_settle(&twin, job, verdict, delay, error, flags), code);
}

static void both_change(void)
{
    static const uint32_t whats[] = {
        DRAY_CHANGE_KICK, DRAY_CHANGE_CANCEL, DRAY_CHANGE_REMOVE, DRAY_CHANGE_REMOVE};
    char id[24];
    if (!draw(40)) {
        assert_int_equal(rig_change(&rig, DRAY_CHANGE_RESET, NULL, 0), DRAY_OK);
        assert_int_equal(rig_change(&twin, DRAY_CHANGE_RESET, NULL, 0), DRAY_OK);
        return;
    }
    snprintf(id, sizeof(id), "j%u", (unsigned)draw(serial + 1));
    uint32_t what = whats[draw(4)];
    int32_t code = rig_change(&rig, what, id, DRAY_CHANGE_FORCE);
    assert_int_equal(rig_change(&twin, what, id, DRAY_CHANGE_FORCE), code);
}

static void both_extend(void)
{
    if (!nheld)
        return;
    const struct seen *job = &held[draw(nheld < HELD ? nheld : HELD)];
    int32_t code = rig_extend(&rig, job, 2 * LEASE);
    assert_int_equal(rig_extend(&twin, job, 2 * LEASE), code);
}

static void both_step(void)
{
    uint64_t kind = draw(16);
    both_advance(draw(200) ? (int64_t)draw(30) : 100000);
    if (kind < 5)
        both_push();
    else if (kind < 8)
        both_take((uint32_t)draw(4) + 1, LEASE);
    else if (kind < 9)
        both_expire();
    else if (kind < 13)
        both_settle();
    else if (kind < 14)
        both_extend();
    else
        both_change();
}

static void compare_totals(void)
{
    assert_int_equal(rig_stats(&rig), DRAY_OK);
    assert_int_equal(rig_stats(&twin), DRAY_OK);
    assert_int_equal(rig.totals.pushed, twin.totals.pushed);
    assert_int_equal(rig.totals.completed, twin.totals.completed);
    assert_int_equal(rig.totals.failed, twin.totals.failed);
    assert_int_equal(rig.totals.retried, twin.totals.retried);
    assert_int_equal(rig.totals.died, twin.totals.died);
    assert_int_equal(rig.totals.runs, twin.totals.runs);
    assert_int_equal(rig.totals.run_ms, twin.totals.run_ms);
    assert_int_equal(rig.row.ready, twin.row.ready);
    assert_int_equal(rig.row.delayed, twin.row.delayed);
    assert_int_equal(rig.row.active, twin.row.active);
    assert_int_equal(rig.row.dead, twin.row.dead);
    assert_int_equal(rig.row.done, twin.row.done);
}

static void compare_both(void)
{
    assert_int_equal(rig_list(&rig), DRAY_OK);
    assert_int_equal(rig_list(&twin), DRAY_OK);
    assert_int_equal(rig.nseen, twin.nseen);
    for (size_t i = 0; i < rig.nseen; i++) {
        rig.seen[i].ref = twin.seen[i].ref;
        assert_memory_equal(&rig.seen[i], &twin.seen[i], sizeof(rig.seen[i]));
    }
    compare_totals();
}

static void open_again(struct rig *which)
{
    rig_close(which);
    assert_int_equal(rig_open(which), DRAY_OK);
}

/* One is written anew again and again, the other never; both are asked the same, and must answer
   the same, before and after both are read from their files. */
static void play_both(void)
{
    unsigned steps = 6000, midway = 0, placed = 0;
    size_t before = 0;
    rig.max_file_size = 4096;
    twin.max_file_size = (int64_t)1 << 40;
    nheld = serial = 0;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_open(&twin), DRAY_OK);
    for (unsigned step = 0; step < steps; step++) {
        both_step();
        size_t len = size_of(RIG_PATH);
        midway += size_of(NEW_PATH) > 0;
        placed += len < before;
        before = len;
        if (step % 500 == 499) {
            compare_both();
            open_again(&rig);
            open_again(&twin);
            compare_both();
        }
    }
    printf(
        "written anew %u times, begun and not done after %u of %u steps\n", placed, midway, steps);
    assert_true(placed > 10);
    assert_true(midway > 100);
    both_advance(1000000);
    do
        both_take(4, LEASE);
    while (rig.nseen);
}

static void as_if_never_written_anew(void **state)
{
    for (seed = 0; seed < rig_amount(1, 1, 40); seed++) {
        uint64_t first = seed;
        play_both();
        assert_int_equal(end(state), 0);
        begin(state);
        seed = first;
    }
}

/* ---- the bound ---- */

#define MAX_FILE_SIZE ((int64_t)2 << 20)
#define BACKUPS 2
#define PAYLOAD 300

struct month {
    char payload[PAYLOAD + 1], large[200001];
    unsigned serial;
    uint64_t most_jobs, large_bytes;
    double worst; /* of the bound, what was taken */
    unsigned checks, exact;
};

static struct month month;

static void fill(char *text, size_t len)
{
    memset(text, 'x', len);
    text[0] = text[len - 1] = '"';
    text[len] = 0;
}

/* Exactly what a file takes that holds what lives and no more. */
static uint64_t exact_live(void)
{
    size_t len;
    const char *bytes = disk_read(RIG_PATH, &len);
    twin.max_file_size = (int64_t)1 << 40;
    twin.max_backups = 0;
    twin.wall_ms = rig.wall_ms;
    twin.mono_ms = rig.mono_ms;
    disk_write(TWIN_PATH, bytes, len);
    assert_int_equal(rig_open(&twin), DRAY_OK);
    assert_int_equal(rig_tend(&twin, DRAY_TEND_COMPACT), DRAY_OK);
    rig_close(&twin);
    len = size_of(TWIN_PATH);
    os->unlink(TWIN_PATH);
    os->unlink(TWIN_PATH ".lock");
    return len;
}

/* Less than that, without looking: for each job a line with the shortest of everything. */
static uint64_t least_live(struct rig *any)
{
    assert_int_equal(rig_stats(any), DRAY_OK);
    uint64_t jobs =
        any->row.ready + any->row.delayed + any->row.active + any->row.dead + any->row.done;
    month.most_jobs = jobs > month.most_jobs ? jobs : month.most_jobs;
    return jobs * (130 + PAYLOAD) + month.large_bytes;
}

static void check_bound(uint64_t live)
{
    unsigned times = size_of(NEW_PATH) ? 3 : 2;
    uint64_t allowed = times * live + MAX_FILE_SIZE;
    uint64_t used = disk_used_by(RIG_PATH) + disk_used_by(NEW_PATH);
    /* Too close for a guess. */
    if (used > allowed && !twin.self) {
        month.exact++;
        allowed = times * exact_live() + MAX_FILE_SIZE;
    }
    assert_true(disk_used() - used <= BACKUPS * MAX_FILE_SIZE + 64); /* and the lock */
    double part = (double)used / (double)allowed;
    month.worst = part > month.worst ? part : month.worst;
    month.checks++;
    if (used > allowed)
        fail_msg("%llu bytes on the disk, %u of %llu live and so %llu allowed",
            (unsigned long long)used, times, (unsigned long long)live, (unsigned long long)allowed);
}

static void push_next(const char *payload, uint64_t delay_ms)
{
    char id[24];
    snprintf(id, sizeof(id), "m%u", month.serial++);
    assert_int_equal(rig_push(&rig, id, payload, delay_ms, NULL), DRAY_OK);
    month.large_bytes += strlen(payload) - PAYLOAD;
    check_bound(least_live(&rig));
}

static void work(uint32_t most)
{
    struct seen jobs[8];
    assert_int_equal(rig_take(&rig, most, 60000), DRAY_OK);
    size_t n = rig.nseen;
    memcpy(jobs, rig.seen, n * sizeof(jobs[0]));
    check_bound(least_live(&rig));
    for (size_t i = 0; i < n; i++) {
        unsigned kind = (unsigned)draw(100);
        uint32_t verdict = kind < 3 && jobs[i].attempts < 2 ? DRAY_VERDICT_AGAIN
                           : kind == 3                      ? DRAY_VERDICT_BURY
                                                            : DRAY_VERDICT_DONE;
        assert_int_equal(
            rig_settle(&rig, &jobs[i], verdict, 500, NULL, kind > 95 ? DRAY_LEASE_KEEP : 0),
            DRAY_OK);
        if (verdict != DRAY_VERDICT_AGAIN) /* what is kept is not counted either */
            month.large_bytes -= jobs[i].payload_len - PAYLOAD;
        check_bound(least_live(&rig));
    }
}

/* What a day is like: a backlog grows for five days and is worked off in five; some large jobs come
   and go at once; else as much goes as comes. */
static void one_step(unsigned day, unsigned step)
{
    push_next(month.payload, step % 9 * 100);
    if (day >= 10 && day < 15)
        work(step % 3 == 0);
    else
        work(day >= 15 && day < 20 ? 3 : 2);
    if (day == 25 && step < 30)
        push_next(month.large, 0);
}

static void end_of_day(unsigned day)
{
    uint64_t live = exact_live();
    check_bound(live);
    rig_close(&rig);
    assert_int_equal(rig.blocks, 0);
    disk_bytes_read();
    assert_int_equal(rig_open(&rig), DRAY_OK);
    uint64_t bytes = disk_bytes_read();
    if (bytes > 2 * live + MAX_FILE_SIZE + 65536)
        fail_msg("day %u: %llu bytes read to open", day, (unsigned long long)bytes);
    uint64_t memory = (uint64_t)rig.bytes;
    if (memory > month.most_jobs * (300 + PAYLOAD) + (4 << 20))
        fail_msg("day %u: %llu bytes of memory", day, (unsigned long long)memory);
}

static void a_month(void **state)
{
    (void)state;
    unsigned a_day = rig_amount(500, 2500, 20000);
    month = (struct month){.serial = 0};
    fill(month.payload, PAYLOAD);
    fill(month.large, sizeof(month.large) - 1);
    seed = 1;
    rig.max_file_size = MAX_FILE_SIZE;
    rig.max_backups = BACKUPS;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    push_next(month.payload, 60ull * 86400000); /* one that falls due after it all */
    for (unsigned day = 0; day < 30; day++) {
        for (unsigned step = 0; step < a_day; step++) {
            rig_advance(&rig, 86400000 / a_day);
            one_step(day, step);
        }
        end_of_day(day);
    }
    printf("%u checks, %u of them exact, the worst at %.3f of the bound; up to %llu jobs\n",
        month.checks, month.exact, month.worst, (unsigned long long)month.most_jobs);
    size_t len;
    assert_non_null(disk_read(RIG_PATH ".2", &len));
    assert_null(disk_read(RIG_PATH ".3", &len));
    assert_int_equal(rig_stats(&rig), DRAY_OK);
    assert_int_equal(rig.totals.pushed, month.serial);
    assert_true(month.most_jobs > a_day * 3);
}

/* ---- no turn waits for all of it ---- */

/* Work of a turn, in bytes written to the new file, beside all of it. */
static void turns_are_short(void **state)
{
    (void)state;
    size_t most = 0, before = 0, whole = 0;
    char prefix[24];
    fill(month.payload, PAYLOAD);
    rig.max_file_size = 1 << 20;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(prefix, sizeof(prefix), "p%u.", i);
        assert_int_equal(rig_push_group(&rig, prefix, 1000, month.payload), DRAY_OK);
    }
    for (size_t last = 0; size_of(RIG_PATH) >= last;) {
        last = size_of(RIG_PATH);
        assert_int_equal(rig_take(&rig, 1, 60000), DRAY_OK);
        assert_int_equal(rig_settle(&rig, &rig.seen[0], DRAY_VERDICT_RELEASE, 0, NULL, 0), DRAY_OK);
        size_t now = size_of(NEW_PATH);
        most = now > before && now - before > most ? now - before : most;
        whole = now > whole ? now : whole;
        before = now;
    }
    printf("a file of %zu bytes was written anew, at most %zu in a turn\n", whole, most);
    assert_true(whole > 10 << 20);
    assert_true(most < 100000);
}

/* ---- others ---- */

static void cycle(struct rig *one)
{
    char id[24];
    snprintf(id, sizeof(id), "m%u", month.serial++);
    assert_int_equal(rig_push(one, id, month.payload, 0, NULL), DRAY_OK);
    assert_int_equal(rig_take(one, 1, 60000), DRAY_OK);
    struct seen job = one->seen[0];
    assert_int_equal(rig_settle(one, &job, DRAY_VERDICT_DONE, 0, NULL, 0), DRAY_OK);
}

static void fill_both(unsigned jobs)
{
    month = (struct month){.serial = 0};
    fill(month.payload, PAYLOAD);
    twin.path = RIG_PATH;
    rig.max_file_size = twin.max_file_size = MAX_FILE_SIZE;
    rig.max_backups = twin.max_backups = 0;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_open(&twin), DRAY_OK);
    for (unsigned i = 0; i < jobs; i++)
        push_next(month.payload, 0);
}

/* The one that began does nothing more; the other takes over, keeps to the bound, and what the
   first finds when it comes back is right. */
static void the_other_goes_on(void **state)
{
    (void)state;
    fill_both(8000);
    while (!size_of(NEW_PATH))
        cycle(&rig);
    size_t large = size_of(RIG_PATH);
    while (size_of(RIG_PATH) >= large) {
        cycle(&twin);
        check_bound(least_live(&twin));
    }
    cycle(&rig);
    assert_int_equal(rig_stats(&rig), DRAY_OK);
    assert_int_equal(rig.row.ready, 8000);
    assert_int_equal(rig.totals.pushed, month.serial);
}

/* Both work in turn: the second leaves it to the first. */
static void one_of_both_does_it(void **state)
{
    (void)state;
    unsigned begun = 0;
    size_t before = 0;
    fill_both(8000);
    size_t large = 0;
    while (size_of(RIG_PATH) >= large) {
        large = size_of(RIG_PATH);
        cycle(&rig);
        cycle(&twin);
        size_t now = size_of(NEW_PATH);
        begun += now && now < before ? 1 : 0;
        before = now;
    }
    assert_int_equal(begun, 0);
    assert_int_equal(rig_stats(&twin), DRAY_OK);
    assert_int_equal(twin.row.ready, 8000);
}

/* Everything goes at once: the file follows in the same turn. */
static void all_goes_at_once(void **state)
{
    (void)state;
    static struct seen jobs[30];
    month = (struct month){.serial = 0};
    fill(month.large, sizeof(month.large) - 1);
    rig.max_file_size = MAX_FILE_SIZE;
    rig.max_backups = BACKUPS;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    for (unsigned i = 0; i < 30; i++)
        push_next(month.large, 0);
    assert_int_equal(rig_take(&rig, 30, 60000), DRAY_OK);
    memcpy(jobs, rig.seen, sizeof(jobs));
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(rig_settle(&rig, &jobs[i], DRAY_VERDICT_DONE, 0, NULL, 0), DRAY_OK);
        check_bound((uint64_t)(29 - i) * (sizeof(month.large) - 1));
    }
    assert_true(size_of(RIG_PATH) < MAX_FILE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_if_never_written_anew, begin, end),
        cmocka_unit_test_setup_teardown(a_month, begin, end),
        cmocka_unit_test_setup_teardown(turns_are_short, begin, end),
        cmocka_unit_test_setup_teardown(the_other_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(one_of_both_does_it, begin, end),
        cmocka_unit_test_setup_teardown(all_goes_at_once, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
