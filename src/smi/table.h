// The overview table, in the layout of NVIDIA's program (release 580): people and scripts know its columns.
#pragma once

#include <ctime>
#include <string>

#include "smi/reading.h"

namespace bitfusion::smi {

std::string table(const Reading& reading, std::time_t now);

// "Sun Nov 22 00:55:36 2026", in local time.
std::string time_text(std::time_t now);

// "13.0" of 13000; "N/A" of nothing.
std::string cuda_text(const std::optional<int>& version);

}  // namespace bitfusion::smi
