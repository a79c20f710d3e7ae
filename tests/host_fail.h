/* SPDX-License-Identifier: Apache-2.0 */
/* `fail` of the hosts that tests play for a driver: the words are kept in the call's error. */
#ifndef TESTS_HOST_FAIL_H
#define TESTS_HOST_FAIL_H

#include "dray/driver.h"

#include <stdarg.h>
#include <stdio.h>

DRAY_PRINTF(4, 5)
static int32_t host_fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
{
    va_list args;
    call->error->code = code;
    call->error->sys = sys;
    va_start(args, fmt);
    vsnprintf(call->error->text, sizeof(call->error->text), fmt, args);
    va_end(args);
    return code;
}

#endif
