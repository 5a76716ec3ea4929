#include "worker/kernel_arguments.h"

#include <cstring>

#include "worker/session.h"

namespace bitfusion::worker {

CUresult KernelArguments::unpack(Session& s, uint64_t function, std::span<const uint8_t> block) {
    const auto layout = s.layouts.find(function);
    if (layout == s.layouts.end()) return CUDA_ERROR_INVALID_HANDLE;
    uint8_t* data = small_.data();
    if (block.size() > small_.size()) {
        large_.resize(block.size() / 8 + 1);
        data = reinterpret_cast<uint8_t*>(large_.data());
    }
    if (!block.empty()) memcpy(data, block.data(), block.size());
    launched_ = &layout->second.launched;
    const auto& parameters = layout->second.parameters;
    count_ = parameters.size();
    pointers_ = few_.data();
    if (count_ > few_.size()) {
        many_.resize(count_);
        pointers_ = many_.data();
    }
    for (size_t i = 0; i < count_; ++i) {
        const auto [offset, size] = parameters[i];
        if (size_t{offset} + size > block.size()) return CUDA_ERROR_INVALID_VALUE;
        pointers_[i] = data + offset;
    }
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::worker
