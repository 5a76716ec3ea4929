// -q: everything, one fact a line, indented by what it belongs to, as NVIDIA's program prints it.
#pragma once

#include <ctime>
#include <string>

#include "smi/reading.h"

namespace bitfusion::smi {

std::string details(const Reading& reading, std::time_t now);

}  // namespace bitfusion::smi
