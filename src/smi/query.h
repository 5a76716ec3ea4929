// --query-gpu and --query-compute-apps: chosen fields as comma-separated values, by the names and in the
// units of NVIDIA's program.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "base/result.h"
#include "smi/reading.h"

namespace bitfusion::smi {

struct CsvFormat {
    bool header = true;
    bool units = true;
};

// "csv", "csv,noheader", "csv,noheader,nounits".
Result<CsvFormat> parse_format(const std::string& text);

// Every name is checked before anything is printed; the error names the first that is no field.
Result<std::string> query_gpus(const Reading& reading, const std::vector<std::string>& fields,
                               CsvFormat format, std::time_t now);
Result<std::string> query_processes(const Reading& reading, const std::vector<std::string>& fields,
                                    CsvFormat format);

// One line for each field: "memory.total [MiB]".
std::string list_gpu_fields();

}  // namespace bitfusion::smi
