/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that goes away and comes back: restarted by the machine, or hanging for a while. L3, D2,
 * U1.
 */
#include "redis/load.h"
#include "worker/watch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AWAY_MS 1500
#define HANGS_MS 1500
#define TIMEOUT_MS 1000

/* Pushes come every few milliseconds; pauses that grow keep connections much rarer. */
#define TRIES_MOST 60

/* In the place of the server: takes connections and ends them. Returns how many there were. */
static int refuse_for(int port, int64_t ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, n = 0;
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 64), 0);
    for (int64_t end = fleet_ms() + ms; fleet_ms() < end;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        int client = poll(&one, 1, 20) > 0 ? accept(fd, NULL, NULL) : -1;
        if (client >= 0) {
            n++;
            close(client);
        }
    }
    close(fd);
    return n;
}

/* Not known to be done is one thing; here nothing has left, and the caller hears so at once. */
static void expect_unreachable(struct dray *dray)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct watch begun = watch_start();
    assert_int_equal(dray_dispatch(dray, "work", "0", NULL, NULL, &error), DRAY_UNREACHABLE);
    assert_true(watch_ms(&begun) < TIMEOUT_MS);
    if (!strstr(error.text, "Connection refused; is the server running"))
        fail_msg("%s", error.text);
}

static void test_reconnect(void **state)
{
    struct node server;
    struct dray_error error;
    struct dray *bystander = NULL;
    char connection[100];
    (void)state;
    node_start(&server, 0, "appendonly yes\nappendfsync always\n");
    snprintf(connection, sizeof(connection), "url: 'redis://127.0.0.1:%d', timeout: %dms",
        server.port, TIMEOUT_MS);
    assert_int_equal(load_open(&bystander, connection, &error), DRAY_OK);
    load_begin(connection);
    load_run(LOAD_BUSY_MS);
    WAIT_FOR(load_has_run(1));

    int64_t begun = fleet_ms();
    node_kill(&server);
    expect_unreachable(bystander);
    int tries = refuse_for(server.port, AWAY_MS);
    node_restart(&server);
    int64_t outage = fleet_ms() - begun; /* a start takes as long as it does */
    load_expect_work(&server);
    print_message("%d connections in %d ms of absence\n", tries, AWAY_MS);
    assert_in_range(tries, 2, TRIES_MOST);

    begun = fleet_ms();
    kill(server.pid, SIGSTOP);
    load_run(HANGS_MS);
    kill(server.pid, SIGCONT);
    if (fleet_ms() - begun > outage)
        outage = fleet_ms() - begun;
    load_expect_work(&server);

    load_stop(1); /* nothing that was answered OK is lost */
    load_check_refusals();
    load_end();
    dray_close(bystander);
    print_message("%d pushes, the slowest took %d ms, beside an absence of %d ms\n", load_pushed(),
        (int)load_slowest(), (int)outage);
    assert_true(load_slowest() < outage + LOAD_BACK_MS);
    node_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reconnect),
    };
    if (!redis_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
