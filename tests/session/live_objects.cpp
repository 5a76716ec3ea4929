#include "session/live_objects.h"

#include <gtest/gtest.h>

#include <cstring>

namespace bitfusion::session_test {
namespace {

using msg::FieldShape;
using msg::MessageShape;
using msg::Sort;
using wire::Kind;

constexpr std::string_view kCode = R"(.version 7.8
.target sm_80
.address_size 64
.global .texref texture;
.global .surfref surface;
.visible .global .align 4 .u32 g;
.visible .entry k(.param .u64 p) { ret; }
)";

CUDA_ARRAY3D_DESCRIPTOR small_array() {
    CUDA_ARRAY3D_DESCRIPTOR d{};
    d.Width = 16;
    d.Height = 8;
    d.Format = CU_AD_FORMAT_UNSIGNED_INT32;
    d.NumChannels = 1;
    return d;
}

Bytes with_length(std::string_view text) {
    Bytes body(sizeof(uint64_t) + text.size());
    wire::Writer(body.data(), body.size()).bytes(text.data(), text.size());
    return body;
}

Bytes with_text(uint64_t first, std::string_view text) { return joined({words(first), with_length(text)}); }

}  // namespace

LiveObjects::LiveObjects() {
    if (!client_.open()) return;
    keep(Kind::kContext, RawClient::kContext);
    keep(Kind::kStream, fresh(Kind::kStream));
    client_.send(msg::kId_cuStreamCreateWithPriority, words(1u, 0, of(Kind::kStream)));
    keep(Kind::kEvent, fresh(Kind::kEvent));
    client_.send(msg::kId_cuEventCreate, words(0u, of(Kind::kEvent)));
    const uint64_t size = kCode.size();
    const std::span<const uint8_t> sizes(reinterpret_cast<const uint8_t*>(&size), sizeof size);
    const std::span<const uint8_t> code(reinterpret_cast<const uint8_t*>(kCode.data()), kCode.size());
    for (const Kind kind : {Kind::kModule, Kind::kLibrary}) {
        keep(kind, fresh(kind));
        client_.send(msg::ModuleLoad{of(kind), kind == Kind::kLibrary ? 1u : 0u, 0, sizes, {}, {}}, code);
        if (client_.result() != CUDA_SUCCESS) return;
    }
    const uint64_t module = of(Kind::kModule);
    keep(Kind::kFunction, named(msg::kId_FunctionGet, with_text(module, "k")));
    keep(Kind::kKernel, named(msg::kId_KernelGet, with_text(of(Kind::kLibrary), "k")));
    keep(Kind::kTextureReference, named(msg::kId_cuModuleGetTexRef, with_text(module, "texture")));
    keep(Kind::kSurfaceReference, named(msg::kId_cuModuleGetSurfRef, with_text(module, "surface")));
    keep(Kind::kGraph, named(msg::kId_cuGraphCreate, words(0u)));
    keep(Kind::kGraphNode,
         named(msg::kId_cuGraphAddEmptyNode, words(of(Kind::kGraph), uint64_t{0}, uint8_t{0})));
    keep(Kind::kGraphExec,
         named(msg::kId_GraphInstantiate, words(of(Kind::kGraph), uint64_t{0}, uint64_t{0}, 0u)));
    CUmemPoolProps pool{};
    pool.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    pool.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    keep(Kind::kMemoryPool, named(msg::kId_cuMemPoolCreate, words(pool)));
    CUmemAllocationProp prop{};
    prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    prop.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    keep(Kind::kAllocation, named(msg::kId_cuMemCreate, words(uint64_t{2} << 20, uint64_t{0}, prop)));
    keep(Kind::kArray, named(msg::kId_cuArray3DCreate_v2, words(small_array())));
    keep(Kind::kMipmappedArray, named(msg::kId_cuMipmappedArrayCreate, words(2u, small_array())));
    keep(Kind::kUserObject, fresh(Kind::kUserObject));
    client_.send(msg::UserObjectCreate{of(Kind::kUserObject), 7, 1});
    keep(Kind::kOther, 9);
    client_.send(msg::LinkCreate{of(Kind::kOther), {}});
    open_ = client_.result() == CUDA_SUCCESS && client_.deferred() == CUDA_SUCCESS;
    for (const auto& [kind, name] : names_) {
        open_ = open_ && name != 0;
        EXPECT_NE(name, 0u) << "no object of kind " << static_cast<int>(kind);
    }
}

LiveObjects::~LiveObjects() {
    client_.server().abandon();
    client_.end();
    renew_soft_driver();
}

void LiveObjects::keep(Kind kind, uint64_t name) { names_[kind] = name; }

uint64_t LiveObjects::of(Kind kind) const {
    const auto found = names_.find(kind);
    return found == names_.end() ? 0 : found->second;
}

// The name that the worker gives: it stands first in the answers that have one, but for an instantiation's.
uint64_t LiveObjects::named(uint16_t id, const Bytes& body) {
    Bytes answer;
    if (!client_.send(id, body) || client_.result(&answer) != CUDA_SUCCESS) return 0;
    for (size_t at = 0; at + sizeof(uint64_t) <= answer.size(); at += 4) {
        uint64_t word = 0;
        memcpy(&word, answer.data() + at, sizeof word);
        if (wire::is_name(word) && wire::named_by_worker(word)) return word;
    }
    return 0;
}

std::vector<Bytes> LiveObjects::fields_of(const MessageShape& shape) {
    std::vector<Bytes> fields;
    std::vector<uint64_t> values;
    for (const FieldShape& field : shape.fields) {
        uint64_t value = 0;
        Bytes bytes;
        switch (field.sort) {
            case Sort::kNumber:
                value = 1;
                break;
            case Sort::kDevice:
                value = 0;
                break;
            case Sort::kHandle:
                value = of(field.kind);
                break;
            case Sort::kNewName:
                value = fresh(field.kind);
                break;
            case Sort::kAddress:
                value = client_.memory;
                break;
            case Sort::kStruct:
                bytes.resize(field.bytes);
                break;
            case Sort::kElements:
                for (uint64_t i = 0, count = field.count(values.data()); i < count; ++i)
                    bytes = joined(
                        {bytes, field.kind == Kind::kNone ? Bytes(field.bytes) : words(of(field.kind))});
                break;
            case Sort::kText:
                bytes = with_length("k");
                break;
            case Sort::kSized:
                bytes = words(uint64_t{0});
                break;
            case Sort::kBulk:
                bytes.resize(16);
                break;
        }
        if (field.bytes != 0 && bytes.empty() && field.sort != Sort::kElements) {
            bytes = words(value);
            bytes.resize(field.bytes);
        }
        values.push_back(value);
        fields.push_back(field.nullable ? joined({words(uint8_t{1}), bytes}) : std::move(bytes));
    }
    return fields;
}

CUresult LiveObjects::outcome(const MessageShape& shape, const Bytes& body) {
    if (!client_.send(shape.id, body)) return CUDA_ERROR_UNKNOWN;
    if (shape.answers) return client_.result();
    return client_.announced();
}

Bytes joined(const std::vector<Bytes>& fields) {
    size_t size = 0;
    for (const Bytes& field : fields) size += field.size();
    Bytes body(size);
    wire::Writer writer(body.data(), body.size());
    for (const Bytes& field : fields) writer.raw(field.data(), field.size());
    return body;
}

}  // namespace bitfusion::session_test
