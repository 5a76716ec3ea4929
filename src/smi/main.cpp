// nvidia-smi for machines that have none: 'bitfusion run' puts it at the end of the program's PATH. It reads
// what every program reads, NVML, and knows nothing of servers and sessions.
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "smi/details.h"
#include "smi/management_library.h"
#include "smi/options.h"
#include "smi/query.h"
#include "smi/reading.h"
#include "smi/table.h"

namespace bitfusion::smi {
namespace {

// NVIDIA's exit codes: 2 an invalid argument, 6 a query found nothing, 9 the driver is not there.
constexpr int kInvalid = 2;
constexpr int kNotFound = 6;
constexpr int kNoDriver = 9;

int say(const std::string& text, int code) {
    fputs(text.c_str(), stdout);
    return fflush(stdout) == 0 ? code : 1;
}

std::string list(const Reading& reading) {
    std::string out;
    for (const Gpu& gpu : reading.gpus)
        out += "GPU " + std::to_string(gpu.index) + ": " + gpu.name + " (UUID: " + gpu.uuid + ")\n";
    return out;
}

std::string versions(const ManagementLibrary& library, const Reading& reading) {
    char nvml[128] = "N/A";
    if (library.nvmlSystemGetNVMLVersion != nullptr) library.nvmlSystemGetNVMLVersion(nvml, sizeof nvml);
    return "NVIDIA-SMI version  : bitfusion's stand-in\nNVML version        : " + std::string(nvml) +
           "\nDRIVER version      : " + reading.driver_version +
           "\nCUDA Version        : " + cuda_text(reading.cuda_version) + "\n";
}

Result<std::string> output(const Options& options, const ManagementLibrary& library, const Reading& reading) {
    const std::time_t now = std::time(nullptr);
    switch (options.what) {
        case What::kList:
            return list(reading);
        case What::kDetails:
            return details(reading, now);
        case What::kQueryGpus:
            return query_gpus(reading, options.fields, options.format, now);
        case What::kQueryProcesses:
            return query_processes(reading, options.fields, options.format);
        case What::kVersion:
            return versions(library, reading);
        default:
            return table(reading, now);
    }
}

int run(int argc, char** argv) {
    auto options = parse_options(argc, argv);
    if (!options) return say(options.error().what + "\n", kInvalid);
    if (options->what == What::kHelp) return say(options->help, 0);
    if (options->what == What::kGpuFields) return say(list_gpu_fields(), 0);
    const auto library = open_management_library();
    if (!library) {
        return say("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver: " +
                       library.error().what + "\n",
                   kNoDriver);
    }
    for (;;) {
        const auto reading = read(*library, options->gpus);
        if (!reading) return say(reading.error().what + "\n", kNotFound);
        if (reading->gpus.empty()) return say("No devices were found\n", kNotFound);
        const auto text = output(*options, *library, *reading);
        if (!text) return say(text.error().what + "\n", kInvalid);
        if (const int failed = say(*text, 0); failed != 0) return failed;
        if (options->repeat_ms == 0) return 0;
        options->format.header = false;  // once is enough
        timespec pause = {options->repeat_ms / 1000, static_cast<long>(options->repeat_ms % 1000) * 1000000};
        while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
        }
    }
}

}  // namespace
}  // namespace bitfusion::smi

int main(int argc, char** argv) { return bitfusion::smi::run(argc, argv); }
