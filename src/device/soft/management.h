// The NVML of the software GPU: what it is, how busy it is (load.h), and temperatures that follow that. What
// it has nothing of (power, clocks, fans, ECC) stays null in the table: not supported.
#pragma once

#include "base/result.h"
#include "nvml_table.gen.h"

namespace bitfusion::soft {

// After open_soft_device(). The functions of the table may be called by one thread at a time.
Status open_soft_management(ManagementTable* table);

}  // namespace bitfusion::soft
