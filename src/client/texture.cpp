// Textures and surfaces. An object's number is the worker's, because it stands in kernel arguments; what it
// was made of is remembered here and told without a question.
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <unordered_map>

#include "client/array.h"
#include "client/context.h"
#include "client/device.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

struct Object {
    CUcontext context = nullptr;
    CUDA_RESOURCE_DESC resource{};
    CUDA_TEXTURE_DESC texture{};
    std::optional<CUDA_RESOURCE_VIEW_DESC> view;
};

struct Objects {
    std::shared_mutex lock;
    std::unordered_map<uint64_t, Object> textures;
    std::unordered_map<uint64_t, Object> surfaces;
};

Objects& objects() {
    static Objects* const made = std::make_unique<Objects>().release();  // outlives every exit handler
    return *made;
}

using Table = std::unordered_map<uint64_t, Object> Objects::*;

void remember(Table table, uint64_t number, Object object) {
    object.context = current_context();
    const std::unique_lock<std::shared_mutex> lock(objects().lock);
    (objects().*table)[number] = std::move(object);
}

bool forget(Table table, uint64_t number) {
    const std::unique_lock<std::shared_mutex> lock(objects().lock);
    return (objects().*table).erase(number) != 0;
}

// Writes what `part` finds of the object.
template <typename T, typename Part>
CUresult tell(T* out, Table table, uint64_t number, const Part& part) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const std::shared_lock<std::shared_mutex> lock(objects().lock);
    const auto found = (objects().*table).find(number);
    if (out == nullptr || found == (objects().*table).end()) return CUDA_ERROR_INVALID_VALUE;
    const std::optional<T> value = part(found->second);
    if (!value) return CUDA_ERROR_INVALID_VALUE;
    *out = *value;
    return CUDA_SUCCESS;
}

}  // namespace

void forget_textures_of(CUcontext context) {
    const std::unique_lock<std::shared_mutex> lock(objects().lock);
    for (const Table table : {&Objects::textures, &Objects::surfaces})
        std::erase_if(objects().*table, [&](const auto& entry) { return entry.second.context == context; });
}

CUresult cuTexObjectCreate(CUtexObject* pTexObject, const CUDA_RESOURCE_DESC* pResDesc,
                           const CUDA_TEXTURE_DESC* pTexDesc, const CUDA_RESOURCE_VIEW_DESC* pResViewDesc) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const CUresult result = remote::cuTexObjectCreate(pTexObject, pResDesc, pTexDesc, pResViewDesc);
    if (result != CUDA_SUCCESS) return result;
    Object object;
    object.resource = *pResDesc;
    object.texture = *pTexDesc;
    if (pResViewDesc != nullptr) object.view = *pResViewDesc;
    remember(&Objects::textures, *pTexObject, std::move(object));
    return CUDA_SUCCESS;
}

CUresult cuTexObjectDestroy(CUtexObject texObject) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return forget(&Objects::textures, texObject) ? remote::cuTexObjectDestroy(texObject)
                                                 : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuTexObjectGetResourceDesc(CUDA_RESOURCE_DESC* pResDesc, CUtexObject texObject) {
    return tell(pResDesc, &Objects::textures, texObject,
                [](const Object& object) { return std::optional(object.resource); });
}

CUresult cuTexObjectGetTextureDesc(CUDA_TEXTURE_DESC* pTexDesc, CUtexObject texObject) {
    return tell(pTexDesc, &Objects::textures, texObject,
                [](const Object& object) { return std::optional(object.texture); });
}

CUresult cuTexObjectGetResourceViewDesc(CUDA_RESOURCE_VIEW_DESC* pResViewDesc, CUtexObject texObject) {
    return tell(pResViewDesc, &Objects::textures, texObject,
                [](const Object& object) { return object.view; });
}

CUresult cuSurfObjectCreate(CUsurfObject* pSurfObject, const CUDA_RESOURCE_DESC* pResDesc) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const CUresult result = remote::cuSurfObjectCreate(pSurfObject, pResDesc);
    if (result != CUDA_SUCCESS) return result;
    Object object;
    object.resource = *pResDesc;
    remember(&Objects::surfaces, *pSurfObject, std::move(object));
    return CUDA_SUCCESS;
}

CUresult cuSurfObjectDestroy(CUsurfObject surfObject) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return forget(&Objects::surfaces, surfObject) ? remote::cuSurfObjectDestroy(surfObject)
                                                  : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuSurfObjectGetResourceDesc(CUDA_RESOURCE_DESC* pResDesc, CUsurfObject surfObject) {
    return tell(pResDesc, &Objects::surfaces, surfObject,
                [](const Object& object) { return std::optional(object.resource); });
}

CUresult cuTexRefSetAddress_v2(size_t* ByteOffset, CUtexref hTexRef, CUdeviceptr dptr, size_t bytes) {
    const int alignment = attribute_of(current_device(), CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT);
    // Without a place for the offset there must be none.
    if (ByteOffset == nullptr && alignment > 0 && dptr % static_cast<unsigned>(alignment) != 0)
        return CUDA_ERROR_INVALID_VALUE;
    size_t offset = 0;
    const CUresult result = remote::cuTexRefSetAddress_v2(&offset, hTexRef, dptr, bytes);
    if (result == CUDA_SUCCESS && ByteOffset != nullptr) *ByteOffset = offset;
    return result;
}

}  // namespace bitfusion::client
