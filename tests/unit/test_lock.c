/* SPDX-License-Identifier: Apache-2.0 */
/* The lock that the processes on a store share: nobody is kept out by a process that is always at
   it, nor by one that was stopped while it waited. */
#include "common/gate.h"
#include "common/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOLD_MS 2
#define TAKES 20
#define PATIENCE_MS 5000

static char path[] = "/tmp/dray-lock-XXXXXX";

static void open_lock(struct lock *lock)
{
    int sys = 0;
    memset(lock, 0, sizeof(*lock));
    if (lock_open(lock, path, &sys) != DRAY_OK)
        abort();
}

static int32_t take(struct lock *lock)
{
    int sys = 0;
    return lock_take(lock, gate_clock_ms() + PATIENCE_MS, &sys);
}

/* Holds the lock all the time, but for the moment between one turn and the next. */
static void hog(int told)
{
    struct lock lock;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    open_lock(&lock);
    for (int turns = 0;; turns++) {
        if (take(&lock) != DRAY_OK)
            abort();
        if (turns == 0 && write(told, "", 1) != 1)
            abort();
        int64_t until = gate_clock_ms() + HOLD_MS;
        while (gate_clock_ms() < until)
            continue;
        lock_give(&lock);
    }
}

/* Waits for the lock, and is stopped while it does. */
static void wait_behind(int told)
{
    struct lock lock;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    open_lock(&lock);
    if (write(told, "", 1) != 1)
        abort();
    for (;;) {
        take(&lock);
        lock_give(&lock);
    }
}

static pid_t start(void (*run)(int told))
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        run(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* Until another process has the lock. */
static void wait_taken(const struct lock *lock)
{
    while (flock(lock->fd, LOCK_EX | LOCK_NB) == 0) {
        flock(lock->fd, LOCK_UN);
        gate_nap(&(long){1000000});
    }
}

/* Each of the hog's turns leaves the lock free for some microseconds, which a try every few
   milliseconds finds once in a thousand. */
static void test_a_hog_keeps_nobody_out(void **state)
{
    struct lock lock;
    (void)state;
    pid_t one = start(hog), other = start(wait_behind);
    open_lock(&lock);
    int64_t begin = gate_clock_ms();
    for (int i = 0; i < TAKES; i++) {
        wait_taken(&lock);
        assert_int_equal(take(&lock), DRAY_OK);
        lock_give(&lock);
    }
    print_message("%d turns beside a hog took %d ms\n", TAKES, (int)(gate_clock_ms() - begin));
    end(one);
    end(other);
    lock_close(&lock);
}

/* Whether anybody has a place is seen as the lock itself sees it: from without one. */
static int somebody_waits(const struct lock *lock)
{
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1024};
    assert_int_equal(fcntl(lock->fd, F_OFD_GETLK, &range), 0);
    return range.l_type != F_UNLCK;
}

static void test_who_is_stopped_in_the_queue_keeps_nobody_out(void **state)
{
    struct lock lock;
    (void)state;
    pid_t stopped = start(wait_behind);
    open_lock(&lock);
    assert_int_equal(take(&lock), DRAY_OK);
    int64_t until = gate_clock_ms() + PATIENCE_MS;
    while (!somebody_waits(&lock) && gate_clock_ms() < until)
        gate_nap(&(long){1000000});
    kill(stopped, SIGSTOP);
    assert_int_equal(waitpid(stopped, NULL, WUNTRACED), stopped);
    assert_true(somebody_waits(&lock));
    lock_give(&lock);
    assert_int_equal(take(&lock), DRAY_OK);
    lock_give(&lock);
    end(stopped);
    assert_false(somebody_waits(&lock));
    lock_close(&lock);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    close(fd);
    return fd < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hog_keeps_nobody_out),
        cmocka_unit_test(test_who_is_stopped_in_the_queue_keeps_nobody_out),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
