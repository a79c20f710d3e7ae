/* SPDX-License-Identifier: Apache-2.0 */
/* app CONFIG: dispatches a job, works on it, and says which driver kept it. C and C++. */
#include <dray/dray.h>

#include <stdio.h>
#include <string.h>

static int hello(struct dray_attempt *attempt, void *user)
{
    strncat((char *)user, dray_attempt_payload(attempt, NULL), 32);
    return DRAY_OK;
}

int main(int argc, char **argv)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_options options;
    struct dray_work_report report;
    struct dray *dray;
    char heard[64] = "";

    memset(&options, 0, sizeof(options));
    memset(&report, 0, sizeof(report));
    options.config = argc == 2 ? argv[1] : "queue.yaml";
    if (dray_open(&dray, &options, &error) != DRAY_OK ||
        dray_on(dray, "hello", hello, heard, NULL, &error) != DRAY_OK ||
        dray_dispatch(dray, "hello", "[1]", NULL, NULL, &error) != DRAY_OK ||
        dray_work_one(dray, NULL, &report, &error) != DRAY_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    printf("%s %s %u %s\n", dray_get_info(dray)->driver, heard, (unsigned)report.succeeded,
        dray_get_info(dray)->driver_path);
    return dray_close(dray);
}
