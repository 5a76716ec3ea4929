// Tensor maps: pure functions of their input that only the server's driver can compute; remembered, because
// programs encode the same ones before every launch.
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "client/memory_map.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

constexpr size_t kMostRemembered = 4096;

struct Maps {
    std::mutex lock;
    std::map<std::string, CUtensorMap> known;
};

Maps& maps() {
    static Maps* const made = std::make_unique<Maps>().release();  // outlives every exit handler
    return *made;
}

template <typename T>
void add(std::string* question, const T* values, size_t count) {
    question->append(reinterpret_cast<const char*>(values), values != nullptr ? count * sizeof(T) : 0);
}

template <typename Encode>
CUresult remembered(const std::string& question, CUtensorMap* map, const Encode& encode) {
    {
        const std::lock_guard<std::mutex> lock(maps().lock);
        if (const auto found = maps().known.find(question); found != maps().known.end()) {
            *map = found->second;
            return CUDA_SUCCESS;
        }
    }
    const CUresult result = encode();
    if (result != CUDA_SUCCESS) return result;
    const std::lock_guard<std::mutex> lock(maps().lock);
    if (maps().known.size() >= kMostRemembered) maps().known.clear();
    maps().known[question] = *map;
    return CUDA_SUCCESS;
}

}  // namespace

CUresult cuTensorMapEncodeTiled(CUtensorMap* tensorMap, CUtensorMapDataType tensorDataType,
                                cuuint32_t tensorRank, void* globalAddress, const cuuint64_t* globalDim,
                                const cuuint64_t* globalStrides, const cuuint32_t* boxDim,
                                const cuuint32_t* elementStrides, CUtensorMapInterleave interleave,
                                CUtensorMapSwizzle swizzle, CUtensorMapL2promotion l2Promotion,
                                CUtensorMapFloatOOBfill oobFill) {
    if (tensorMap == nullptr || globalDim == nullptr || boxDim == nullptr || elementStrides == nullptr ||
        tensorRank == 0 || tensorRank > 5 || (globalStrides == nullptr && tensorRank > 1)) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    std::string question = "tiled";
    const uint32_t numbers[] = {static_cast<uint32_t>(tensorDataType), tensorRank,
                                static_cast<uint32_t>(interleave),     static_cast<uint32_t>(swizzle),
                                static_cast<uint32_t>(l2Promotion),    static_cast<uint32_t>(oobFill)};
    add(&question, numbers, std::size(numbers));
    add(&question, &globalAddress, 1);
    add(&question, globalDim, tensorRank);
    add(&question, globalStrides, tensorRank - 1);
    add(&question, boxDim, tensorRank);
    add(&question, elementStrides, tensorRank);
    return remembered(question, tensorMap, [&] {
        const cuuint64_t none = 0;
        return remote::cuTensorMapEncodeTiled(tensorMap, tensorDataType, tensorRank, globalAddress, globalDim,
                                              globalStrides != nullptr ? globalStrides : &none, boxDim,
                                              elementStrides, interleave, swizzle, l2Promotion, oobFill);
    });
}

CUresult cuTensorMapEncodeIm2col(CUtensorMap* tensorMap, CUtensorMapDataType tensorDataType,
                                 cuuint32_t tensorRank, void* globalAddress, const cuuint64_t* globalDim,
                                 const cuuint64_t* globalStrides, const int* pixelBoxLowerCorner,
                                 const int* pixelBoxUpperCorner, cuuint32_t channelsPerPixel,
                                 cuuint32_t pixelsPerColumn, const cuuint32_t* elementStrides,
                                 CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                 CUtensorMapL2promotion l2Promotion, CUtensorMapFloatOOBfill oobFill) {
    if (tensorRank < 3 || tensorRank > 5) return CUDA_ERROR_INVALID_VALUE;
    return remote::cuTensorMapEncodeIm2col(tensorMap, tensorDataType, tensorRank, globalAddress, globalDim,
                                           globalStrides, pixelBoxLowerCorner, pixelBoxUpperCorner,
                                           channelsPerPixel, pixelsPerColumn, elementStrides, interleave,
                                           swizzle, l2Promotion, oobFill);
}

CUresult cuTensorMapEncodeIm2colWide(CUtensorMap* tensorMap, CUtensorMapDataType tensorDataType,
                                     cuuint32_t tensorRank, void* globalAddress, const cuuint64_t* globalDim,
                                     const cuuint64_t* globalStrides, int pixelBoxLowerCornerWidth,
                                     int pixelBoxUpperCornerWidth, cuuint32_t channelsPerPixel,
                                     cuuint32_t pixelsPerColumn, const cuuint32_t* elementStrides,
                                     CUtensorMapInterleave interleave, CUtensorMapIm2ColWideMode mode,
                                     CUtensorMapSwizzle swizzle, CUtensorMapL2promotion l2Promotion,
                                     CUtensorMapFloatOOBfill oobFill) {
    if (tensorRank < 3 || tensorRank > 5) return CUDA_ERROR_INVALID_VALUE;
    return remote::cuTensorMapEncodeIm2colWide(
        tensorMap, tensorDataType, tensorRank, globalAddress, globalDim, globalStrides,
        pixelBoxLowerCornerWidth, pixelBoxUpperCornerWidth, channelsPerPixel, pixelsPerColumn, elementStrides,
        interleave, mode, swizzle, l2Promotion, oobFill);
}

CUresult cuTensorMapReplaceAddress(CUtensorMap* tensorMap, void* globalAddress) {
    const auto address = reinterpret_cast<uint64_t>(globalAddress);
    if (tensorMap == nullptr || address % 16 != 0 || !is_device(address, 1)) return CUDA_ERROR_INVALID_VALUE;
    memcpy(tensorMap, &address,
           sizeof address);  // 64-bit word 0 is the address, and nothing else depends on it
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::client
