/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole workers on a real server with appendfsync always: killed and stopped themselves; with the
 * server killed and started again under them; with scripts forgotten and connections ended all the
 * time. D2, D3, T6, T11, F2, L1, L3, U1, U2; see fault/crew.h.
 */
#include "fault/crew.h"
#include "redis/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static struct server server;
static struct crew crew;

static void gather(void)
{
    server_start(&server, 1);
    crew_gather(&crew, "redis", server.socket, "1s");
}

static void dismiss(void)
{
    crew_dismiss(&crew);
    server_remove(&server);
}

static void killed_workers_lose_nothing(void **state)
{
    (void)state;
    gather();
    crew_campaign(&crew, crew_kill_one, NULL);
    dismiss();
}

/* Poisoned jobs end workers; nothing else may. */
static void replace_poisoned(struct crew *members)
{
    for (int i = 0; i < CREW_WORKERS; i++) {
        int status = 0;
        if (waitpid(members->worker[i], &status, WNOHANG) != members->worker[i])
            continue;
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            fail_msg("a worker ended by itself: status %d", status);
        members->worker[i] = crew_start(members);
    }
}

static void kill_server(struct crew *members, void *user)
{
    (void)user;
    /* One that finds no server when it starts ends at once, and rightly so. */
    for (int i = 0; i < CREW_WORKERS; i++)
        crew_wait_open(members, members->worker[i]);
    server_kill(&server);
    server_restart(&server);
    replace_poisoned(members);
}

static void killed_server_loses_nothing(void **state)
{
    (void)state;
    gather();
    crew_campaign(&crew, kill_server, NULL);
    dismiss();
}

static void flush_and_drop(struct crew *members, void *user)
{
    static const char *const commands[] = {
        "SCRIPT FLUSH", "CLIENT KILL TYPE normal", "SCRIPT FLUSH", "CLIENT KILL TYPE pubsub"};
    for (int i = 0; i < CREW_WORKERS; i++)
        crew_wait_open(members, members->worker[i]);
    for (unsigned i = 0; i < 12; i++) {
        redisReply *reply = redisCommand(user, commands[i % 4]);
        assert_non_null(reply);
        freeReplyObject(reply);
        crew_nap_ms(random() % 10);
    }
    replace_poisoned(members);
}

static void forgetful_server_loses_nothing(void **state)
{
    (void)state;
    gather();
    redisContext *own = server_talk(&server);
    assert_non_null(own);
    crew_campaign(&crew, flush_and_drop, own);
    redisFree(own);
    dismiss();
}

static void late_outcome_after_the_end_is_refused(void **state)
{
    (void)state;
    gather();
    crew_stop_and_go_on(&crew, "0", "acked", 1);
    dismiss();
}

static void late_outcome_beside_the_new_owner_is_refused(void **state)
{
    (void)state;
    gather();
    crew_stop_and_go_on(&crew, "3000", "start", 2);
    dismiss();
}

int main(int argc, char **argv)
{
    int status = crew_work(argc, argv);
    if (status >= 0)
        return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_workers_lose_nothing),
        cmocka_unit_test(killed_server_loses_nothing),
        cmocka_unit_test(forgetful_server_loses_nothing),
        cmocka_unit_test(late_outcome_after_the_end_is_refused),
        cmocka_unit_test(late_outcome_beside_the_new_owner_is_refused),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
