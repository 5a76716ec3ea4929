// Images: the texture and surface objects of the process, and the table of them that a launch is given.
//
// A launch gets the objects that exist when it begins to run, with their storage kept alive until it ends; an
// object whose array is gone is left out, so that using it faults. Owner: the Driver. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/simt/image.h"
#include "device/soft/task.h"

namespace bitfusion::soft {

class ArrayStorage;
class Context;

// What a descriptor was made into. Storage is empty for linear memory.
struct BoundImage {
    std::shared_ptr<const Image> image;
    std::weak_ptr<const ArrayStorage> storage;
    bool owns_nothing = false;  // linear memory: checked when it is read
};

struct ImageObject {
    bool surface = false;
    BoundImage bound;
    uint64_t context_id = 0;
    CUDA_RESOURCE_DESC resource{};
    CUDA_TEXTURE_DESC texture{};
    CUDA_RESOURCE_VIEW_DESC view{};
    bool has_view = false;
};

class Images {
  public:
    // The object's number, which kernels use.
    uint64_t add(ImageObject object);
    // The description; null when there is no such texture, or surface.
    std::shared_ptr<const ImageObject> find(uint64_t number, bool surface) const;
    // Work that was submitted before may go on to use it: `users` are the tasks to wait for.
    bool remove(uint64_t number, bool surface, std::vector<TaskPtr> users);
    void remove_context(uint64_t context_id);
    // An array is gone: its storage must not be kept by the table that is remembered.
    void storage_changed();
    std::shared_ptr<const ImageTable> table();

  private:
    mutable std::mutex mutex_;
    std::unordered_map<uint64_t, std::shared_ptr<const ImageObject>> objects_;
    std::shared_ptr<const ImageTable> remembered_;
    struct Retired {
        uint64_t number;
        std::shared_ptr<const ImageObject> object;
        std::vector<TaskPtr> users;
    };
    std::vector<Retired> retired_;
    uint64_t last_ = 0;
};

}  // namespace bitfusion::soft
