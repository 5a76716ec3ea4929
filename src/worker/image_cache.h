// ImageCache: code images of earlier sessions on this server's disk, so that a warm start sends their names
// instead of their bytes (image/digest.h).
//
// One folder, shared by all workers of the server, with the key of its names. A file is complete or absent,
// and is checked against its name whenever it is read: what is truncated, damaged or somebody else's is
// removed and not found. When the files are more than `most` together, those not used for longest go. A
// folder that cannot be used is a cache without anything in it; the log says so once. One thread; other
// processes at will.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "image/digest.h"

namespace bitfusion::worker {

class ImageCache {
  public:
    // Without a folder: nothing is found and nothing kept.
    ImageCache() = default;
    // Makes the folder and its key where they are missing.
    void open(const std::string& folder, uint64_t most);

    // What clients need to make names; nothing when there is no cache.
    const std::optional<image::DigestKey>& key() const { return key_; }
    std::optional<std::vector<uint8_t>> find(const image::Digest& name);
    void keep(std::span<const uint8_t> content);

  private:
    std::string path_of(const std::string& file) const { return folder_ + "/" + file; }
    bool read_key();
    bool make_key();
    void drop_oldest();
    void complain(const char* what);

    std::string folder_;
    uint64_t most_ = 0;
    std::optional<image::DigestKey> key_;
    bool complained_ = false;
};

}  // namespace bitfusion::worker
