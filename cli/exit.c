/* SPDX-License-Identifier: Apache-2.0 */
#include "exit.h"

#include <dray/error.h>

#include <stddef.h>

static const struct {
    int code;
    int status;
    int opening;
} statuses[] = {
    {DRAY_OK, EXIT_DONE, EXIT_DONE},
    {DRAY_EXISTS, EXIT_DONE, EXIT_DONE},
    {DRAY_DUPLICATE, EXIT_CONFLICT, EXIT_CONFIG},
    {DRAY_CONFLICT, EXIT_CONFLICT, EXIT_CONFIG},
    {DRAY_STALE, EXIT_CONFLICT, EXIT_INTERNAL},
    {DRAY_NOTFOUND, EXIT_NOT_FOUND, EXIT_CONFIG},
    {DRAY_CANCELLED, EXIT_CONFLICT, EXIT_INTERNAL},
    {DRAY_FAILED, EXIT_FAILED, EXIT_FAILED},
    {DRAY_EMPTY, EXIT_NOTHING, EXIT_NOTHING},
    {DRAY_BUSY, EXIT_UNREACHABLE, EXIT_UNREACHABLE},
    {DRAY_FULL, EXIT_FAILED, EXIT_IO},
    {DRAY_LIMIT, EXIT_USAGE, EXIT_CONFIG},
    {DRAY_INVALID, EXIT_USAGE, EXIT_CONFIG},
    {DRAY_UNSUPPORTED, EXIT_FAILED, EXIT_CONFIG},
    {DRAY_CLOSED, EXIT_INTERNAL, EXIT_INTERNAL},
    {DRAY_FORKED, EXIT_INTERNAL, EXIT_INTERNAL},
    {DRAY_NOMEM, EXIT_INTERNAL, EXIT_INTERNAL},
    {DRAY_UNREACHABLE, EXIT_UNREACHABLE, EXIT_UNREACHABLE},
    {DRAY_DENIED, EXIT_DENIED, EXIT_DENIED},
    {DRAY_IO, EXIT_IO, EXIT_IO},
    {DRAY_CONFIG, EXIT_CONFIG, EXIT_CONFIG},
    {DRAY_UNKNOWN, EXIT_IO, EXIT_IO},
    {DRAY_POISONED, EXIT_IO, EXIT_IO},
    {DRAY_CORRUPT, EXIT_IO, EXIT_IO},
};

int exit_of(int code)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i].code == code)
            return statuses[i].status;
    }
    return EXIT_INTERNAL;
}

int exit_of_open(int code)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i].code == code)
            return statuses[i].opening;
    }
    return EXIT_INTERNAL;
}
