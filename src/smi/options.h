// The command line, as far as NVIDIA's program and this one have it in common.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "smi/query.h"

namespace bitfusion::smi {

enum class What { kTable, kList, kDetails, kQueryGpus, kQueryProcesses, kGpuFields, kHelp, kVersion };

struct Options {
    What what = What::kTable;
    std::vector<std::string> gpus;    // -i: indexes, UUIDs, bus ids; empty: all
    std::vector<std::string> fields;  // of a query
    CsvFormat format;
    unsigned repeat_ms = 0;  // -l, -lms; 0: once
    std::string help;        // with kHelp
};

Result<Options> parse_options(int argc, const char* const* argv);

}  // namespace bitfusion::smi
