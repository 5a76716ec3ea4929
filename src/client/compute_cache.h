// The compute cache: what compilers on the client (NVRTC, nvJitLink, and cuDNN through them) have compiled,
// by everything that went into it. NVIDIA's driver offers them one through a private table; without it cuDNN
// compiles the same kernels again and again within one process (training ResNet-50 with cuDNN's benchmark
// mode: 82 s instead of 35).
//
// Obeys CUDA's own variables (CUDA C++ Programming Guide, "CUDA Environment Variables"): CUDA_CACHE_DISABLE,
// CUDA_CACHE_PATH, CUDA_CACHE_MAXSIZE. The files are the user's own and private to the user; each names its
// content by SHA-256, so a damaged one is a miss. A folder that cannot be written leaves the cache in memory.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitfusion::client {

class ComputeCache {
  public:
    using Key = std::array<uint8_t, 32>;

    // An empty folder keeps everything in memory. Bytes at most; the oldest files go first.
    ComputeCache(std::string folder, uint64_t most_bytes);

    // Any thread.
    std::optional<std::vector<uint8_t>> find(const Key& key);
    void keep(const Key& key, std::span<const uint8_t> data);

    static Key key_of(std::span<const std::string_view> parts);

  private:
    std::string path_of(const Key& key) const;
    std::optional<std::vector<uint8_t>> read(const Key& key) const;
    bool write(const Key& key, std::span<const uint8_t> data) const;
    void make_room();

    const std::string folder_;
    const uint64_t most_bytes_;
    std::mutex lock_;
    std::map<Key, std::vector<uint8_t>> memory_;  // what no file could take
    uint64_t memory_bytes_ = 0;
    uint64_t written_bytes_ = 0;  // since the folder was last looked at
    bool looked_ = false;
};

// The process's own, where the environment says; nullptr where CUDA_CACHE_DISABLE is set.
ComputeCache* compute_cache();

}  // namespace bitfusion::client
