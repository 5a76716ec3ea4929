// Image reference: a .texref or .surfref variable of a module and what the program has bound to it; the
// texture and surface references that CUDA had before objects.
//
// A launch uses what is bound when it is submitted. Owner: its module, or the handles (cuTexRefCreate).
// Threads: any; the state has its own lock. Source document: cuda.h, "Texture Reference Management".
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/images.h"

namespace bitfusion::soft {

class Module;

class ImageReference {
  public:
    // What a program sets. A reference without a resource is bound to nothing.
    struct State {
        bool bound = false;
        CUDA_RESOURCE_DESC resource{};
        CUDA_TEXTURE_DESC texture{};
        CUarray_format format = CU_AD_FORMAT_FLOAT;
        int channels = 1;
    };

    ImageReference(uint64_t variable, bool surface) : address(variable), is_surface(surface) {
        for (CUaddress_mode& mode : state_.texture.addressMode) mode = CU_TR_ADDRESS_MODE_CLAMP;
    }

    const uint64_t address;  // of the variable; 0: made by cuTexRefCreate
    const bool is_surface;
    CUtexref texture_handle = nullptr;
    CUsurfref surface_handle = nullptr;

    State state() const {
        const std::lock_guard lock(mutex_);
        return state_;
    }
    template <typename Change>
    void change(const Change& change) {
        const std::lock_guard lock(mutex_);
        change(state_);
    }

  private:
    mutable std::mutex mutex_;
    State state_;
};

// Makes the references of a loaded module and enters them into the handles; takes them out again.
void add_references(Module& module);
void remove_references(const Module& module);

// What a launch of this module reads through its references, by the address of the variable. What has been
// freed meanwhile is bound to nothing.
using BoundReferences = std::vector<std::pair<uint64_t, BoundImage>>;
BoundReferences bound_references(const Module& module);

// The table of a launch: the process's objects and these references.
std::shared_ptr<const ImageTable> images_of_launch(const BoundReferences& references);

}  // namespace bitfusion::soft
