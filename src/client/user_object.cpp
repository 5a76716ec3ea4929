// User objects: the worker's driver counts who refers to them, the destructor runs here. The program's own
// references are counted here as well, so that giving back too many is an error at once.
#include <climits>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "client/host_function.h"
#include "client/kept.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

struct UserObjects {
    std::mutex lock;
    std::unordered_map<CUuserObject, unsigned> held;  // references of the program itself
};

UserObjects& objects() {
    static UserObjects* const made =
        std::make_unique<UserObjects>().release();  // outlives every exit handler
    return *made;
}

bool good(unsigned count) { return count != 0 && count <= INT_MAX; }

}  // namespace

CUresult cuUserObjectCreate(CUuserObject* object_out, void* ptr, CUhostFn destroy,
                            unsigned int initialRefcount, unsigned int flags) {
    if (object_out == nullptr || destroy == nullptr || !good(initialRefcount) ||
        flags != CU_USER_OBJECT_NO_DESTRUCTOR_SYNC)
        return CUDA_ERROR_INVALID_VALUE;
    const uint64_t ticket = new_ticket();
    keep_destructor(ticket, destroy, ptr);
    start_host_thread();
    *object_out = from_wire_name<CUuserObject>(name_handle(wire::Kind::kUserObject));
    const CUresult result = post(msg::UserObjectCreate{wire_name(*object_out), ticket, initialRefcount});
    if (result != CUDA_SUCCESS) {
        release_kept(ticket, true);
        return result;
    }
    const std::lock_guard<std::mutex> lock(objects().lock);
    objects().held[*object_out] = initialRefcount;
    return CUDA_SUCCESS;
}

CUresult cuUserObjectRetain(CUuserObject object, unsigned int count) {
    if (!good(count)) return CUDA_ERROR_INVALID_VALUE;
    {
        const std::lock_guard<std::mutex> lock(objects().lock);
        const auto found = objects().held.find(object);
        if (found == objects().held.end() || found->second > INT_MAX - count) return CUDA_ERROR_INVALID_VALUE;
        found->second += count;
    }
    return remote::cuUserObjectRetain(object, count);
}

CUresult cuUserObjectRelease(CUuserObject object, unsigned int count) {
    if (!good(count)) return CUDA_ERROR_INVALID_VALUE;
    {
        const std::lock_guard<std::mutex> lock(objects().lock);
        const auto found = objects().held.find(object);
        if (found == objects().held.end() || found->second < count) return CUDA_ERROR_INVALID_VALUE;
        found->second -= count;
        if (found->second == 0) objects().held.erase(found);
    }
    return remote::cuUserObjectRelease(object, count);
}

CUresult cuGraphRetainUserObject(CUgraph graph, CUuserObject object, unsigned int count, unsigned int flags) {
    if (graph == nullptr || !good(count) || (flags & ~static_cast<unsigned>(CU_GRAPH_USER_OBJECT_MOVE)) != 0)
        return CUDA_ERROR_INVALID_VALUE;
    {
        const std::lock_guard<std::mutex> lock(objects().lock);
        const auto found = objects().held.find(object);
        if (found == objects().held.end()) return CUDA_ERROR_INVALID_VALUE;
        if (flags == CU_GRAPH_USER_OBJECT_MOVE) {
            if (found->second < count) return CUDA_ERROR_INVALID_VALUE;
            found->second -= count;
            if (found->second == 0) objects().held.erase(found);
        }
    }
    return remote::cuGraphRetainUserObject(graph, object, count, flags);
}

CUresult cuGraphReleaseUserObject(CUgraph graph, CUuserObject object, unsigned int count) {
    if (graph == nullptr || object == nullptr || !good(count)) return CUDA_ERROR_INVALID_VALUE;
    return remote::cuGraphReleaseUserObject(graph, object, count);
}

}  // namespace bitfusion::client
