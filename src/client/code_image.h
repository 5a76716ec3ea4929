// Code images on their way to the worker: measured, thinned out to what the server's GPU can use, sent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// Loads the image under a name that the client chose. `options` are JIT options as the driver takes them:
// values in, log texts, sizes and times written back. A library's image may be loaded late; then there are no
// options.
CUresult load_image(const void* image, uint64_t name, bool as_library, unsigned count, CUjit_option* options,
                    void** values);

// A file of the client as an image: its bytes and a NUL behind them. False when it cannot be read.
class ImageFile {
  public:
    explicit ImageFile(const char* path);
    ~ImageFile();
    ImageFile(const ImageFile&) = delete;
    ImageFile& operator=(const ImageFile&) = delete;
    const void* data() const { return data_; }
    size_t size() const { return file_bytes_; }

  private:
    void* data_ = nullptr;
    size_t bytes_ = 0;  // of the mapping
    size_t file_bytes_ = 0;
};

}  // namespace bitfusion::client
