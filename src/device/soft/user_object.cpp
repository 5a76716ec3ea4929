#include "device/soft/user_object.h"

#include <limits>

#include "device/soft/graph_entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {

UserObject::UserObject(CUuserObject number, void* object, CUhostFn destroy)
    : handle(number), object_(object), destroy_(destroy) {}

UserObject::~UserObject() { destroy_(object_); }

namespace {

using UserObjectPtr = std::shared_ptr<UserObject>;

constexpr unsigned kMostReferences = std::numeric_limits<int>::max();

bool good_count(unsigned count) { return count != 0 && count <= kMostReferences; }

CUresult cuUserObjectCreate(CUuserObject* out, void* object, CUhostFn destroy, unsigned int count,
                            unsigned int flags) {
    return entry_initialized([&] {
        if (out == nullptr || destroy == nullptr || !good_count(count)) return CUDA_ERROR_INVALID_VALUE;
        // The flag is mandatory: destructors are not synchronised with anything.
        if (flags != CU_USER_OBJECT_NO_DESTRUCTOR_SYNC) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(driver().graph_mutex);
        auto made = std::make_shared<UserObject>(driver().user_objects.issue(), object, destroy);
        made->held = count;
        driver().user_objects.add(made->handle, made);
        *out = made->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuUserObjectRetain(CUuserObject handle, unsigned int count) {
    return entry_initialized([&] {
        const std::lock_guard lock(driver().graph_mutex);
        const UserObjectPtr object = driver().user_objects.find(handle);
        if (object == nullptr || !good_count(count) || object->held > kMostReferences - count)
            return CUDA_ERROR_INVALID_VALUE;
        object->held += count;
        return CUDA_SUCCESS;
    });
}

CUresult drop(const UserObjectPtr& object, unsigned count) {
    if (object == nullptr || !good_count(count) || object->held < count) return CUDA_ERROR_INVALID_VALUE;
    object->held -= count;
    if (object->held == 0) driver().user_objects.remove(object->handle);
    return CUDA_SUCCESS;
}

CUresult cuUserObjectRelease(CUuserObject handle, unsigned int count) {
    return entry_initialized([&] {
        UserObjectPtr object;
        CUresult result = CUDA_SUCCESS;
        {
            const std::lock_guard lock(driver().graph_mutex);
            object = driver().user_objects.find(handle);
            result = drop(object, count);
        }
        // The destructor, if this was the last reference, runs without the lock.
        object = nullptr;
        return result;
    });
}

CUresult cuGraphRetainUserObject(CUgraph handle, CUuserObject object_handle, unsigned int count,
                                 unsigned int flags) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        const UserObjectPtr object = driver().user_objects.find(object_handle);
        if (object == nullptr || !good_count(count) ||
            (flags & ~static_cast<unsigned>(CU_GRAPH_USER_OBJECT_MOVE)) != 0)
            return CUDA_ERROR_INVALID_VALUE;
        if (flags == CU_GRAPH_USER_OBJECT_MOVE && object->held < count) return CUDA_ERROR_INVALID_VALUE;
        auto& [kept, references] = graph->user_objects[object_handle];
        kept = object;
        references += count;
        return flags == CU_GRAPH_USER_OBJECT_MOVE ? drop(object, count) : CUDA_SUCCESS;
    });
}

CUresult cuGraphReleaseUserObject(CUgraph handle, CUuserObject object, unsigned int count) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        const auto at = graph->user_objects.find(object);
        if (at == graph->user_objects.end() || !good_count(count) || at->second.second < count)
            return CUDA_ERROR_INVALID_VALUE;
        at->second.second -= count;
        if (at->second.second == 0) graph->user_objects.erase(at);
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_user_objects(DriverTable* table) {
    BF_SERVE(cuUserObjectCreate);
    BF_SERVE(cuUserObjectRetain);
    BF_SERVE(cuUserObjectRelease);
    BF_SERVE(cuGraphRetainUserObject);
    BF_SERVE(cuGraphReleaseUserObject);
}

}  // namespace bitfusion::soft
