/* SPDX-License-Identifier: Apache-2.0 */
#include "common/volatile.h"

VOLATILE_DRIVER(
    "isolate", "runs jobs in the background of the dispatching process", DRAY_IS_AUTOSTART)
