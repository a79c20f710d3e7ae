/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers on a shared store, killed with SIGKILL at random moments and stopped with SIGSTOP past
 * their leases. D2, D3, T6, T11, F2, L1; see crew.h.
 *
 * kill_workers DRIVER, one whose store is a file.
 */
#include "fault/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static const char *driver;

static void killed_workers_lose_nothing(void **state)
{
    struct crew crew;
    (void)state;
    crew_gather(&crew, driver, NULL, "1s");
    crew_campaign(&crew, crew_kill_one, NULL);
    crew_dismiss(&crew);
}

static void late_outcome_after_the_end_is_refused(void **state)
{
    struct crew crew;
    (void)state;
    crew_gather(&crew, driver, NULL, "2s");
    crew_stop_and_go_on(&crew, "0", "acked", 1);
    crew_dismiss(&crew);
}

static void late_outcome_beside_the_new_owner_is_refused(void **state)
{
    struct crew crew;
    (void)state;
    crew_gather(&crew, driver, NULL, "2s");
    crew_stop_and_go_on(&crew, "3000", "start", 2);
    crew_dismiss(&crew);
}

int main(int argc, char **argv)
{
    int status = crew_work(argc, argv);
    if (status >= 0)
        return status;
    if (argc != 2) {
        fputs("usage: kill_workers DRIVER\n", stderr);
        return 2;
    }
    driver = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_workers_lose_nothing),
        cmocka_unit_test(late_outcome_after_the_end_is_refused),
        cmocka_unit_test(late_outcome_beside_the_new_owner_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
