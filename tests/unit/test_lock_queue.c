/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is next at the lock that the processes on a store share. The waiters are processes and the
 * locks the kernel's, but the clock is the test's, and so is each nap between two tries: a waiter
 * tries once when it is told to, and says what came of it.
 */
#include "common/gate.h"
#include "common/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG_MS 20   /* who has waited for so long takes a place in the queue, */
#define PLACE_MS 250 /* which counts for so long */
#define PATIENCE_MS 1000

#define NAPS 'n'
#define HAS_IT 'h'
#define BUSY 'b'
#define GONE 'g'

struct waiter {
    pid_t pid;
    int go, says; /* the test's ends */
};

static char path[] = "/tmp/dray-queue-XXXXXX";
static int64_t *now_ms; /* shared by all processes */
static struct waiter holder, first, second, newcomer;
static int go_fd = -1, says_fd = -1; /* a waiter's own ends */

/* ---- the clock and the naps of lock.c and gate.c, see CMakeLists.txt ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    int64_t ms = *now_ms + (clock == CLOCK_REALTIME ? 1000000000 : 0);
    *out = (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000 * 1000000)};
    return 0;
}

static void say(char what)
{
    if (write(says_fd, &what, 1) != 1)
        _exit(1);
}

static void be_told(void)
{
    char byte;
    if (read(go_fd, &byte, 1) != 1)
        _exit(1);
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)wanted;
    (void)left;
    say(NAPS);
    be_told();
    return 0;
}

/* ---- waiters ---- */

static void wait_once(void)
{
    struct lock lock = {.fd = -1};
    int sys = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    be_told();
    if (lock_open(&lock, path, &sys) != DRAY_OK)
        _exit(1);
    int32_t code = lock_take(&lock, gate_clock_ms() + PATIENCE_MS, &sys);
    say(code == DRAY_OK ? HAS_IT : code == DRAY_BUSY ? BUSY : '?');
    be_told();
    lock_close(&lock);
    say(GONE);
    _exit(0);
}

static void start(struct waiter *waiter)
{
    int go[2], says[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(says), 0);
    waiter->pid = fork();
    assert_true(waiter->pid >= 0);
    if (waiter->pid == 0) {
        close(go[1]);
        close(says[0]);
        go_fd = go[0];
        says_fd = says[1];
        wait_once();
    }
    close(go[0]);
    close(says[1]);
    waiter->go = go[1];
    waiter->says = says[0];
}

static void end(struct waiter *waiter)
{
    if (waiter->pid <= 0)
        return;
    kill(waiter->pid, SIGKILL);
    waitpid(waiter->pid, NULL, 0);
    close(waiter->go);
    close(waiter->says);
    waiter->pid = 0;
}

/* One try. */
static char try(const struct waiter *waiter)
{
    char said = '?';
    assert_int_equal(write(waiter->go, "", 1), 1);
    assert_int_equal(read(waiter->says, &said, 1), 1);
    return said;
}

/* A place of this very moment counts from the next one on. */
static void give(const struct waiter *waiter)
{
    assert_int_equal(try(waiter), GONE);
    *now_ms += 1;
}

/* Begins to wait behind the holder, and has a place when it has waited for long. */
static void wait_for_long(const struct waiter *waiter)
{
    assert_int_equal(try(waiter), NAPS);
    *now_ms += LONG_MS;
    assert_int_equal(try(waiter), NAPS);
}

static int begin(void **state)
{
    (void)state;
    *now_ms = 1000;
    start(&holder);
    start(&first);
    start(&second);
    start(&newcomer);
    assert_int_equal(try(&holder), HAS_IT);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    end(&newcomer);
    end(&second);
    end(&first);
    end(&holder);
    return 0;
}

/* ---- the queue ---- */

static void test_in_the_order_of_the_queue(void **state)
{
    (void)state;
    wait_for_long(&first);
    wait_for_long(&second);
    give(&holder);
    assert_int_equal(try(&newcomer), NAPS);
    assert_int_equal(try(&second), NAPS);
    assert_int_equal(try(&first), HAS_IT);
    give(&first);
    assert_int_equal(try(&newcomer), NAPS);
    assert_int_equal(try(&second), HAS_IT);
    give(&second);
    assert_int_equal(try(&newcomer), HAS_IT);
}

/* The lock is for whoever comes first until somebody starves. */
static void test_no_place_before_long(void **state)
{
    (void)state;
    assert_int_equal(try(&first), NAPS);
    *now_ms += LONG_MS - 1;
    assert_int_equal(try(&first), NAPS);
    give(&holder);
    assert_int_equal(try(&newcomer), HAS_IT);
    *now_ms += 1;
    assert_int_equal(try(&first), NAPS);
    give(&newcomer);
    assert_int_equal(try(&second), NAPS);
    assert_int_equal(try(&first), HAS_IT);
}

/* Both come to their places at one moment; who tries first keeps it. */
static void test_one_place_for_one(void **state)
{
    (void)state;
    assert_int_equal(try(&first), NAPS);
    assert_int_equal(try(&second), NAPS);
    *now_ms += LONG_MS;
    assert_int_equal(try(&second), NAPS);
    assert_int_equal(try(&first), NAPS);
    *now_ms += 1;
    assert_int_equal(try(&first), NAPS);
    give(&holder);
    assert_int_equal(try(&first), NAPS);
    assert_int_equal(try(&second), HAS_IT);
}

/* A veteran's new place is behind that of the second one, which it does not wait for. */
static void test_who_has_queued_in_vain_waits_behind_nobody(void **state)
{
    (void)state;
    wait_for_long(&first);
    *now_ms += PLACE_MS - LONG_MS;
    wait_for_long(&second);
    *now_ms += 1;
    assert_int_equal(try(&first), NAPS); /* its place has just become old */
    give(&holder);
    assert_int_equal(try(&newcomer), NAPS);
    assert_int_equal(try(&first), HAS_IT);
    give(&first);
    assert_int_equal(try(&newcomer), NAPS);
    assert_int_equal(try(&second), HAS_IT);
}

/* ---- who does not come for its turn ---- */

static void test_a_place_counts_for_a_while(void **state)
{
    (void)state;
    wait_for_long(&first);
    give(&holder);
    *now_ms += PLACE_MS - 1;
    assert_int_equal(try(&newcomer), NAPS);
    *now_ms += 1;
    assert_int_equal(try(&newcomer), HAS_IT);
}

static void test_the_dead_have_no_place(void **state)
{
    (void)state;
    wait_for_long(&first);
    give(&holder);
    assert_int_equal(try(&newcomer), NAPS);
    end(&first);
    assert_int_equal(try(&newcomer), HAS_IT);
}

static void test_who_gives_up_has_no_place(void **state)
{
    (void)state;
    wait_for_long(&first);
    *now_ms += PATIENCE_MS - PLACE_MS;
    assert_int_equal(try(&first), NAPS); /* a new place, old after the deadline */
    *now_ms += PLACE_MS - LONG_MS;
    assert_int_equal(try(&first), BUSY);
    give(&holder);
    assert_int_equal(try(&newcomer), HAS_IT);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    close(fd);
    void *page =
        mmap(NULL, sizeof(*now_ms), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    now_ms = page;
    return fd < 0 || page == MAP_FAILED;
}

static int remove_file(void **state)
{
    (void)state;
    munmap(now_ms, sizeof(*now_ms));
    return unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_in_the_order_of_the_queue),
        TEST(test_no_place_before_long),
        TEST(test_one_place_for_one),
        TEST(test_who_has_queued_in_vain_waits_behind_nobody),
        TEST(test_a_place_counts_for_a_while),
        TEST(test_the_dead_have_no_place),
        TEST(test_who_gives_up_has_no_place),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
