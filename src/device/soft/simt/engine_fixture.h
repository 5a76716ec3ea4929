// EngineFixture: what the tests of the software GPU share: device memory with guard gaps, loading, launching,
// and one-instruction kernels whose result is compared bit by bit.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "device/soft/ptx/program.h"
#include "device/soft/simt/grid.h"

namespace bitfusion::soft {

// Kernel arguments in order, each aligned to its size.
class Arguments {
  public:
    template <class T>
    Arguments& add(T value) {
        const size_t at = (bytes_.size() + sizeof(T) - 1) / sizeof(T) * sizeof(T);
        bytes_.resize(at + sizeof(T));
        std::memcpy(bytes_.data() + at, &value, sizeof(T));
        return *this;
    }
    const std::vector<std::byte>& bytes() const { return bytes_; }

  private:
    std::vector<std::byte> bytes_;
};

class EngineFixture : public ::testing::Test {
  protected:
    static constexpr size_t kMemory = 1 << 22;
    static constexpr unsigned kGranuleShift = 8;

    EngineFixture();

    // Memory of a device, zeroed, followed by at least one granule that is not allocated.
    uint64_t allocate(size_t bytes);
    void release(uint64_t address, size_t bytes);
    template <class T>
    T* array(size_t count) {
        return reinterpret_cast<T*>(allocate(count * sizeof(T)));
    }

    // Assembles and loads; a failure fails the test.
    std::shared_ptr<const LoadedProgram> load(std::string_view ptx);
    // `body` in a module with version, target and address size.
    static std::string module(const std::string& body, const char* target = "sm_90");
    // The request for a kernel by name; change it and run() it.
    LaunchRequest request(const std::shared_ptr<const LoadedProgram>& program, std::string_view kernel,
                          Dim3 grid, Dim3 block, const Arguments& arguments);
    Outcome launch(const std::shared_ptr<const LoadedProgram>& program, std::string_view kernel, Dim3 grid,
                   Dim3 block, const Arguments& arguments);

    // The result of `instructions`, which compute %d from %a, %b, %c and %e. `types` names their types,
    // result first: h 16, r 32, l 64 bits, p predicate. All lanes of a warp and a lonely lane must agree.
    uint64_t evaluate(const std::string& instructions, std::string_view types, std::vector<uint64_t> inputs);

    std::vector<uint64_t> memory_;
    std::vector<uint8_t> granules_;
    size_t used_ = 0;
    Window window_;
    std::string printed_;
};

inline uint64_t bits(float value) {
    uint32_t out = 0;
    std::memcpy(&out, &value, sizeof value);
    return out;
}
inline uint64_t bits(double value) {
    uint64_t out = 0;
    std::memcpy(&out, &value, sizeof value);
    return out;
}

}  // namespace bitfusion::soft
