// Texture and surface objects: the functions of the driver.
#include "device/soft/driver.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "device/soft/texture.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

CUresult cuTexObjectCreate(CUtexObject* out, const CUDA_RESOURCE_DESC* resource,
                           const CUDA_TEXTURE_DESC* texture, const CUDA_RESOURCE_VIEW_DESC* view) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || resource == nullptr || texture == nullptr) return CUDA_ERROR_INVALID_VALUE;
        ImageObject object;
        const CUresult result = make_texture(*resource, *texture, view, &object.bound);
        if (result != CUDA_SUCCESS) return result;
        object.context_id = context->id;
        object.resource = *resource;
        object.texture = *texture;
        object.has_view = view != nullptr;
        if (view != nullptr) object.view = *view;
        *out = driver().images.add(std::move(object));
        return CUDA_SUCCESS;
    });
}

CUresult destroy(const ContextPtr& context, uint64_t number, bool surface) {
    std::vector<TaskPtr> users;
    {
        const std::lock_guard lock(driver().scheduler.mutex());
        users = all_tails_locked(*context);
    }
    return driver().images.remove(number, surface, std::move(users)) ? CUDA_SUCCESS
                                                                     : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuTexObjectDestroy(CUtexObject number) {
    return entry_in_context([&](const ContextPtr& context) { return destroy(context, number, false); });
}

// Copies a part of the object's description out.
template <typename T, typename Part>
CUresult describe(T* out, uint64_t number, bool surface, const Part& part) {
    return entry_in_context([&](const ContextPtr&) -> CUresult {
        const auto object = driver().images.find(number, surface);
        if (out == nullptr || object == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = part(*object);
        return CUDA_SUCCESS;
    });
}

CUresult cuTexObjectGetResourceDesc(CUDA_RESOURCE_DESC* out, CUtexObject number) {
    return describe(out, number, false, [](const ImageObject& object) { return object.resource; });
}
CUresult cuTexObjectGetTextureDesc(CUDA_TEXTURE_DESC* out, CUtexObject number) {
    return describe(out, number, false, [](const ImageObject& object) { return object.texture; });
}
// INVALID_VALUE without a view.
CUresult cuTexObjectGetResourceViewDesc(CUDA_RESOURCE_VIEW_DESC* out, CUtexObject number) {
    return entry_in_context([&](const ContextPtr&) -> CUresult {
        const auto object = driver().images.find(number, false);
        if (out == nullptr || object == nullptr || !object->has_view) return CUDA_ERROR_INVALID_VALUE;
        *out = object->view;
        return CUDA_SUCCESS;
    });
}

CUresult cuSurfObjectCreate(CUsurfObject* out, const CUDA_RESOURCE_DESC* resource) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || resource == nullptr) return CUDA_ERROR_INVALID_VALUE;
        ImageObject object;
        const CUresult result = make_surface(*resource, &object.bound);
        if (result != CUDA_SUCCESS) return result;
        object.surface = true;
        object.context_id = context->id;
        object.resource = *resource;
        *out = driver().images.add(std::move(object));
        return CUDA_SUCCESS;
    });
}

CUresult cuSurfObjectDestroy(CUsurfObject number) {
    return entry_in_context([&](const ContextPtr& context) { return destroy(context, number, true); });
}

CUresult cuSurfObjectGetResourceDesc(CUDA_RESOURCE_DESC* out, CUsurfObject number) {
    return describe(out, number, true, [](const ImageObject& object) { return object.resource; });
}

}  // namespace

void serve_textures(DriverTable* table) {
    BF_SERVE(cuTexObjectCreate);
    BF_SERVE(cuTexObjectDestroy);
    BF_SERVE(cuTexObjectGetResourceDesc);
    BF_SERVE(cuTexObjectGetTextureDesc);
    BF_SERVE(cuTexObjectGetResourceViewDesc);
    BF_SERVE(cuSurfObjectCreate);
    BF_SERVE(cuSurfObjectDestroy);
    BF_SERVE(cuSurfObjectGetResourceDesc);
}

}  // namespace bitfusion::soft
