// PTX text of any content: it is assembled, loaded and every kernel of it is run for a moment. Nothing may be
// touched that does not belong to the program (AddressSanitizer), nothing may be undefined, memory stays
// bounded (-rss_limit_mb).
#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "device/soft/ptx/program.h"
#include "device/soft/simt/grid.h"

namespace {

using namespace bitfusion::soft;

constexpr uint64_t kMostVariableBytes = 1 << 20;
constexpr size_t kMostKernels = 4;

void run_kernels(const std::shared_ptr<const LoadedProgram>& program, const Window& window) {
    const auto& kernels = program->program()->kernels();
    for (uint32_t k = 0; k < std::min(kernels.size(), kMostKernels); ++k) {
        // every parameter is the address of the memory, as far as it goes
        std::vector<std::byte> parameters(kernels[k].parameter_bytes);
        for (size_t at = 0; at + 8 <= parameters.size(); at += 8)
            std::copy_n(reinterpret_cast<const std::byte*>(&window.base), 8, parameters.data() + at);
        LaunchRequest request;
        request.program = program;
        request.kernel = k;
        request.grid = {2};
        request.block = {std::min(33u, kernels[k].max_threads_per_block)};
        if (kernels[k].required_block[0] != 0)
            request.block = {kernels[k].required_block[0], kernels[k].required_block[1],
                             kernels[k].required_block[2]};
        request.parameters = parameters;
        request.windows = {&window, 1};
        request.time_limit = std::chrono::milliseconds(20);
        request.print = [](std::string_view) {};
        static_cast<void>(run(request));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto program = assemble(text);
    if (!program) return 0;
    uint64_t bytes = 0;
    for (const Variable& variable : (*program)->variables()) {
        if (variable.size > kMostVariableBytes) return 0;
        bytes += variable.size + variable.alignment;
        if (bytes > kMostVariableBytes) return 0;
    }
    std::vector<uint64_t> memory((bytes + 65536) / 8);
    const Window window{reinterpret_cast<uint64_t>(memory.data()), memory.size() * 8};
    std::vector<uint64_t> addresses;
    uint64_t at = window.base + 4096;
    for (const Variable& variable : (*program)->variables()) {
        at = (at + variable.alignment - 1) / variable.alignment * variable.alignment;
        addresses.push_back(at);
        at += variable.size;
    }
    const auto loaded = LoadedProgram::load(*program, addresses);
    if (loaded) run_kernels(*loaded, window);
    return 0;
}
