// Owners and words for the tests of arrays, textures and surfaces.
#pragma once

#include <cstring>
#include <vector>

#include "conformance/image_kernels.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

inline CUDA_ARRAY3D_DESCRIPTOR array_description(size_t width, size_t height, size_t depth,
                                                 CUarray_format format, unsigned channels,
                                                 unsigned flags = 0) {
    CUDA_ARRAY3D_DESCRIPTOR d{};
    d.Width = width;
    d.Height = height;
    d.Depth = depth;
    d.Format = format;
    d.NumChannels = channels;
    d.Flags = flags;
    return d;
}

// The whole of an array from or to host memory without gaps.
inline CUDA_MEMCPY3D whole_array(CUarray array, size_t row_bytes, size_t rows, size_t planes) {
    CUDA_MEMCPY3D copy{};
    copy.WidthInBytes = row_bytes;
    copy.Height = rows;
    copy.Depth = planes;
    copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcPitch = copy.dstPitch = row_bytes;
    copy.srcHeight = copy.dstHeight = rows;
    copy.srcArray = copy.dstArray = array;
    return copy;
}

template <typename T>
CUresult write_array(CUarray array, const std::vector<T>& texels, size_t row_bytes, size_t rows,
                     size_t planes = 1) {
    CUDA_MEMCPY3D copy = whole_array(array, row_bytes, rows, planes);
    copy.srcHost = texels.data();
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    return CU_CALL(cuMemcpy3D_v2, &copy);
}

template <typename T>
CUresult read_array(CUarray array, std::vector<T>* texels, size_t row_bytes, size_t rows, size_t planes = 1) {
    CUDA_MEMCPY3D copy = whole_array(array, row_bytes, rows, planes);
    copy.dstHost = texels->data();
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    return CU_CALL(cuMemcpy3D_v2, &copy);
}

class Array {
  public:
    explicit Array(const CUDA_ARRAY3D_DESCRIPTOR& description) {
        code_ = CU_CALL(cuArray3DCreate_v2, &handle_, &description);
    }
    ~Array() {
        if (handle_ != nullptr) CU_CALL(cuArrayDestroy, handle_);
    }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;

    CUresult code() const { return code_; }
    operator CUarray() const { return handle_; }

  private:
    CUarray handle_ = nullptr;
    CUresult code_ = CUDA_SUCCESS;
};

struct Point {
    float x, y, z;
};
struct Read {
    uint32_t word[4];
    float number(int i) const {
        float value = 0;
        std::memcpy(&value, &word[i], sizeof value);
        return value;
    }
};

// The kernels of kImageKernels on device 0.
class WithImages : public OnDevice {
  protected:
    void SetUp() override {
        OnDevice::SetUp();
        module_ = std::make_unique<Module>(kImageKernels);
    }
    void TearDown() override {
        module_.reset();
        OnDevice::TearDown();
    }

    CUtexObject texture(const CUDA_RESOURCE_DESC& resource, const CUDA_TEXTURE_DESC& how,
                        const CUDA_RESOURCE_VIEW_DESC* view = nullptr) {
        CUtexObject object = 0;
        code_ = CU_CALL(cuTexObjectCreate, &object, &resource, &how, view);
        return object;
    }

    // One kernel of the sampling kind at these points.
    std::vector<Read> sample(const char* kernel, CUtexObject object, const std::vector<Point>& points) {
        const Memory in(points.size() * sizeof(Point));
        const Memory out(points.size() * sizeof(Read));
        std::vector<Read> read(points.size());
        if (!in.ok() || !out.ok()) return read;
        in.write(points.data(), points.size() * sizeof(Point));
        Shape shape;
        shape.block_x = static_cast<unsigned>(points.size());
        EXPECT_EQ(launch(module_->function(kernel), shape, nullptr, object, in.at(), out.at()), CUDA_SUCCESS);
        const std::vector<uint8_t> bytes = out.content();
        if (bytes.size() == read.size() * sizeof(Read)) std::memcpy(read.data(), bytes.data(), bytes.size());
        return read;
    }

    std::unique_ptr<Module> module_;
    CUresult code_ = CUDA_SUCCESS;  // of the last texture()
};

inline CUDA_RESOURCE_DESC resource_of(CUarray array) {
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_ARRAY;
    resource.res.array.hArray = array;
    return resource;
}

inline CUDA_TEXTURE_DESC sampled(CUaddress_mode mode, CUfilter_mode filter, unsigned flags) {
    CUDA_TEXTURE_DESC how{};
    for (CUaddress_mode& one : how.addressMode) one = mode;
    how.filterMode = filter;
    how.flags = flags;
    return how;
}

}  // namespace bitfusion::conformance

// Skips where the target has no arrays or textures, fails on any other error.
#define CODE_OK(code)                                                                    \
    do {                                                                                 \
        const CUresult cu_code = (code);                                                 \
        if (cu_code == CUDA_ERROR_NOT_SUPPORTED && ::bitfusion::conformance::may_skip()) \
            GTEST_SKIP() << #code " is not supported by this target";                    \
        ASSERT_EQ(cu_code, CUDA_SUCCESS) << #code;                                       \
    } while (false)
