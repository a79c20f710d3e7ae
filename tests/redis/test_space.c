/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a waiting job takes of the server's memory, as docs/deployment.md says it: at most 300 bytes
 * with a payload of 100, however many there are: with DRAY_LONG=1 up to a million.
 */
#include "redis/redis_server.h"
#include "redis/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1000u
#define PAYLOAD 100u
#define BYTES_MOST 300

static struct server server;
static redisContext *own;
static struct rig rig;

static long long used_bytes(void)
{
    redisReply *reply = redisCommand(own, "INFO memory");
    assert_non_null(reply);
    const char *line = strstr(reply->str, "used_memory_dataset:");
    assert_non_null(line);
    long long bytes = strtoll(strchr(line, ':') + 1, NULL, 10);
    freeReplyObject(reply);
    return bytes;
}

/* Jobs of the usual kind of id, of which the core makes one each. */
static void push_batch(unsigned first)
{
    static char ids[BATCH][40], payload[PAYLOAD + 1];
    static struct dray_job jobs[BATCH];
    static const struct dray_job *list[BATCH];
    static int32_t answers[BATCH];
    memset(payload, '7', PAYLOAD);
    for (unsigned i = 0; i < BATCH; i++) {
        snprintf(
            ids[i], sizeof(ids[i]), "01a20320-4676-7619-88c2-%012x", (first + i) * 2654435761u);
        jobs[i] = (struct dray_job){.size = sizeof(jobs[i]),
            .priority = DRAY_PRIORITY_NORMAL,
            .id = {ids[i], 36},
            .queue = {"q", 1},
            .type = {"send-welcome", 12},
            .payload = {payload, PAYLOAD}};
        list[i] = &jobs[i];
    }
    struct dray_push group = {
        .size = sizeof(group), .queue = {"q", 1}, .jobs = list, .answers = answers, .njobs = BATCH};
    if (rig.driver->push(rig.self, rig_call(&rig), &group) != DRAY_OK)
        fail_msg("%s", rig.error.text);
}

static void test_waiting_jobs(void **state)
{
    /* Where the server does not just enlarge a table, which takes some 20 bytes more. */
    static const unsigned sizes[] = {20000, 30000, 60000, 120000, 500000, 1000000};
    size_t nsizes = getenv("DRAY_LONG") ? 6 : 3;
    unsigned n = 0;
    (void)state;
    server_start(&server, 0);
    own = server_talk(&server);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    rig.budget_ms = 10000;
    push_batch(n); /* all that there is but once */
    long long before = used_bytes();
    for (size_t i = 0; i < nsizes; i++) {
        for (; n < sizes[i]; n += BATCH)
            push_batch(n + BATCH);
        long long each = (used_bytes() - before) / n;
        print_message("%lld bytes a job with %u jobs\n", each, n);
        assert_in_range(each, PAYLOAD, BYTES_MOST);
    }
    redisFree(own);
    rig_close(&rig);
    server_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_jobs),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
