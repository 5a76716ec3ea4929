// Jit: from a code image (text, fat binary, wrapper, linked set) to a Program, with the options and logs of
// the load calls.
//
// The software GPU runs PTX only. Of a fat binary it takes the PTX that the selection rule of image/select.h
// puts first; an image without usable PTX is CUDA_ERROR_NO_BINARY_FOR_GPU. Error texts reach the program
// through its error log buffer and the operator through the log.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/gpu.h"
#include "device/soft/ptx/program.h"
#include "image/container.h"

namespace bitfusion::soft {

// The options of one load call. The buffers belong to the program and are written once, by finish().
class JitOptions {
  public:
    // INVALID_VALUE for unknown options and missing arrays.
    static CUresult read(unsigned count, const CUjit_option* options, void** values, JitOptions* out);

    // Writes the logs, their sizes and the time taken back to the program.
    void finish(const std::string& info, const std::string& error, double milliseconds) const;

  private:
    void** slot_of(CUjit_option option) const;

    std::vector<CUjit_option> options_;
    void** values_ = nullptr;
};

// Error::code is the CUresult of the load call.
Result<std::shared_ptr<const Program>> assemble_image(const void* image, const Gpu& gpu);

// The PTX texts of one image for this GPU: one, or several that are to be linked.
Result<std::vector<std::string>> ptx_of(const void* image, const Gpu& gpu);
Result<std::shared_ptr<const Program>> assemble_texts(const std::vector<std::string>& texts, const Gpu& gpu);

// A fat binary that holds these texts to be linked; what cuLinkComplete hands out.
std::vector<std::byte> make_linked_set(const std::vector<std::string>& texts, const Gpu& gpu);

// Assembles, writes the logs, returns the CUresult.
CUresult load_program(const void* image, const Gpu& gpu, const JitOptions& options,
                      std::shared_ptr<const Program>* program);

}  // namespace bitfusion::soft
