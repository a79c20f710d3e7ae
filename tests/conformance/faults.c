/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#define FAULT_STEPS 250

uint64_t faults_run(const struct history_plan *plan, uint32_t most, char *failure, size_t size)
{
    struct history_plan faulty = *plan;
    uint64_t tried = 0;

    faulty.instances = 1;
    faulty.steps = FAULT_STEPS;
    faulty.fail_from = 0;
    uint64_t all = history_run(&faulty, failure, size);
    uint64_t stride = all > most ? all / most + 1 : 1;
    for (uint64_t k = 1; k <= all && !failure[0]; k += stride) {
        for (int on = 0; on < 2 && !failure[0]; on++, tried++) {
            faulty.fail_from = k;
            faulty.fail_on = on;
            history_run(&faulty, failure, size);
        }
    }
    return tried;
}
