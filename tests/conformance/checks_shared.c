/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

const struct check_row checks_shared[] = {
    {0},
};
