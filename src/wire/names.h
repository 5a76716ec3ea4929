// Names: how objects of the driver are called on the wire and in the program.
//
// A name is 64 bits: kind (8 bits) | who named it (1 bit) | counter (31 bits). The low 32 bits are what a
// frame's context field holds. Names are never reused within a session, so a stale one is unknown, not
// another object. To the program a name is the handle itself, an opaque pointer that nobody follows; 0, 1 and
// 2 are CUDA's own pseudo handles and are never names.
#pragma once

#include <cstdint>

namespace bitfusion::wire {

enum class Kind : uint8_t {
    kNone = 0,
    kContext = 1,
    kModule,
    kLibrary,
    kFunction,
    kKernel,
    kStream,
    kEvent,
    kGraph,
    kGraphExec,
    kGraphNode,
    kMemoryPool,
    kAllocation,  // CUmemGenericAllocationHandle
    kArray,
    kOther,
    kMipmappedArray,
    kTextureReference,
    kSurfaceReference,
    kUserObject,
};

constexpr uint64_t kWorkerNamed = 1ull << 31;
constexpr int kKindShift = 40;

constexpr uint64_t make_name(Kind kind, bool by_worker, uint32_t counter) {
    return static_cast<uint64_t>(kind) << kKindShift | (by_worker ? kWorkerNamed : 0) |
           (counter & 0x7fffffffu);
}
constexpr Kind kind_of(uint64_t name) { return static_cast<Kind>(name >> kKindShift & 0xff); }
constexpr bool named_by_worker(uint64_t name) { return (name & kWorkerNamed) != 0; }
constexpr bool is_name(uint64_t value) { return value >> 48 == 0 && kind_of(value) != Kind::kNone; }

}  // namespace bitfusion::wire
