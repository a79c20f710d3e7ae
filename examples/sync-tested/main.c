/* SPDX-License-Identifier: CC0-1.0 */
/*
 * Shows, with test_signup.c: an application and its test. The application dispatches to whatever
 * its configuration names and works in the background; the test runs the very same code with
 * QUEUE_DRIVER=sync, where a job has run when dispatch returns.
 *
 *     ./signup Ada Grace        (in this folder, where queue.yaml is)
 */
#include "signup.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray *dray = dray_default(&error);
    if (!dray || signup_handlers(dray, "outbox.txt", &error) != DRAY_OK)
        return fprintf(stderr, "signup: %s\n", error.text), 1;
    for (int i = 1; i < argc; i++) {
        if (signup(argv[i], &error) != DRAY_OK)
            return fprintf(stderr, "signup: %s\n", error.text), 1;
    }
    struct dray_work_report report;
    int code = dray_work(
        dray, &(struct dray_worker_options){.flags = DRAY_WORK_UNTIL_EMPTY}, &report, &error);
    if (code != DRAY_OK)
        return fprintf(stderr, "signup: %s\n", error.text), 1;
    printf("%llu welcomed\n", (unsigned long long)report.succeeded);
    dray_default_close();
    return 0;
}
