#include "device/soft/image_reference.h"

#include "device/soft/array.h"
#include "device/soft/driver.h"
#include "device/soft/module.h"
#include "device/soft/texture.h"

namespace bitfusion::soft {

void add_references(Module& module) {
    const auto& variables = module.program().variables();
    for (size_t i = 0; i < variables.size(); ++i) {
        if (variables[i].image == ImageVariable::kNone) continue;
        const bool surface = variables[i].image == ImageVariable::kSurface;
        auto reference = std::make_shared<ImageReference>(module.addresses[i], surface);
        if (surface) {
            reference->surface_handle = driver().surface_references.issue();
            driver().surface_references.add(reference->surface_handle, reference);
        } else {
            reference->texture_handle = driver().texture_references.issue();
            driver().texture_references.add(reference->texture_handle, reference);
        }
        module.references.push_back(std::move(reference));
    }
}

void remove_references(const Module& module) {
    for (const auto& reference : module.references) {
        if (reference->is_surface)
            driver().surface_references.remove(reference->surface_handle);
        else
            driver().texture_references.remove(reference->texture_handle);
    }
}

BoundReferences bound_references(const Module& module) {
    BoundReferences all;
    for (const auto& reference : module.references) {
        const ImageReference::State state = reference->state();
        if (!state.bound) continue;
        BoundImage bound;
        const CUresult result = reference->is_surface
                                    ? make_surface(state.resource, &bound)
                                    : make_texture(state.resource, state.texture, nullptr, &bound);
        if (result == CUDA_SUCCESS) all.emplace_back(reference->address, std::move(bound));
    }
    return all;
}

std::shared_ptr<const ImageTable> images_of_launch(const BoundReferences& references) {
    std::shared_ptr<const ImageTable> objects = driver().images.table();
    if (references.empty()) return objects;
    auto all = std::make_shared<ImageTable>(*objects);
    for (const auto& [address, bound] : references) {
        std::shared_ptr<const ArrayStorage> storage = bound.storage.lock();
        if (storage != nullptr || bound.owns_nothing) all->add(address, bound.image, std::move(storage));
    }
    return all;
}

}  // namespace bitfusion::soft
