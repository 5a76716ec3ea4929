// User objects of the program: the driver counts, the client runs the destructor. The driver forbids to give
// back references that nobody has, so they are counted here as well.
#include "worker/kept.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

Kept* kept_of(Session& s, CUuserObject object) {
    const uint64_t name = s.handles.known_name(object);
    return name == 0 ? nullptr : s.kept.find(s.user_objects[name], Kept::Kind::kUserObject);
}

// Whether anybody that we know of still holds it: what the driver has destroyed must not be named.
bool alive(const Kept* kept) { return kept != nullptr && (kept->held != 0 || !kept->held_by.empty()); }

}  // namespace

void serve(Session& s, const Frame& frame, const msg::UserObjectCreate& m) {
    if (!s.handles.may_name<CUuserObject>(m.object) || m.ticket == 0 || m.ticket >= KeptTable::kOwnTickets)
        return s.peer_is_wrong(frame, "object");
    CUresult result = CUDA_SUCCESS;
    Kept* kept = s.kept.make(Kept::Kind::kUserObject, m.ticket, m.count, &result);
    if (kept == nullptr && result == CUDA_SUCCESS) return s.peer_is_wrong(frame, "ticket");
    if (kept != nullptr) {
        kept->name = m.object;
        kept->held = m.count;
        s.handles.bind(m.object, kept->object, 0);
        s.user_objects[m.object] = m.ticket;
    }
    s.posted(frame, result);
}

CUresult cuUserObjectRetain(Session& s, CUuserObject object, unsigned int count) {
    Kept* kept = kept_of(s, object);
    if (!alive(kept)) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = s.driver.cuUserObjectRetain(object, count);
    if (result == CUDA_SUCCESS) kept->held += count;
    return result;
}

CUresult cuUserObjectRelease(Session& s, CUuserObject object, unsigned int count) {
    Kept* kept = kept_of(s, object);
    if (!alive(kept) || kept->held < count) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = s.driver.cuUserObjectRelease(object, count);
    if (result == CUDA_SUCCESS) kept->held -= count;
    return result;
}

CUresult cuGraphRetainUserObject(Session& s, CUgraph graph, CUuserObject object, unsigned int count,
                                 unsigned int flags) {
    Kept* kept = kept_of(s, object);
    if (!alive(kept) || graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const bool move = (flags & CU_GRAPH_USER_OBJECT_MOVE) != 0;
    if (move && kept->held < count) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = s.driver.cuGraphRetainUserObject(graph, object, count, flags);
    if (result != CUDA_SUCCESS) return result;
    if (move) kept->held -= count;
    kept->held_by[s.handles.known_name(graph)] += count;
    return CUDA_SUCCESS;
}

CUresult cuGraphReleaseUserObject(Session& s, CUgraph graph, CUuserObject object, unsigned int count) {
    Kept* kept = kept_of(s, object);
    if (!alive(kept) || graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto holder = kept->held_by.find(s.handles.known_name(graph));
    if (holder == kept->held_by.end() || holder->second < count) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = s.driver.cuGraphReleaseUserObject(graph, object, count);
    if (result != CUDA_SUCCESS) return result;
    holder->second -= count;
    if (holder->second == 0) kept->held_by.erase(holder);
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::worker
