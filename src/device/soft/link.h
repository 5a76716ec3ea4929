// LinkState: modules being linked (cuLink*). The software GPU links PTX only.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/jit.h"

namespace bitfusion::soft {

class LinkState {
  public:
    CUlinkState handle = nullptr;
    JitOptions options;
    Gpu* gpu = nullptr;
    std::mutex mutex;  // guards what follows
    std::vector<std::string> texts;
    std::vector<std::byte> image;  // what cuLinkComplete handed out; lives until cuLinkDestroy
};

}  // namespace bitfusion::soft
