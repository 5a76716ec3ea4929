#include "worker/link.h"

#include <cstring>
#include <string>
#include <vector>

#include "base/log.h"
#include "image/container.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

constexpr size_t kMostLinks = 4096;  // no program has more at a time

Link* find(Session& s, uint64_t name) {
    const auto found = s.links.find(name);
    return found == s.links.end() ? nullptr : found->second.get();
}

// Whether the driver may be given these bytes as this kind: nothing that it would follow out of them.
bool may_link(CUjitInputType type, image::Bytes bytes) {
    switch (type) {
        case CU_JIT_INPUT_PTX:
            return !bytes.empty();
        case CU_JIT_INPUT_CUBIN:
        case CU_JIT_INPUT_FATBINARY: {
            const image::Form form = image::form_of(bytes);
            if (form == image::Form::kWrapper) return false;  // pointers of another process
            const auto extent = image::extent_of(bytes);
            if (!extent || *extent > bytes.size()) return false;
            return form != image::Form::kFatbin || image::entries_of(bytes.first(*extent)).has_value();
        }
        case CU_JIT_INPUT_OBJECT:
        case CU_JIT_INPUT_LIBRARY:
        case CU_JIT_INPUT_NVVM:
            return !bytes.empty() && image::form_of(bytes) != image::Form::kWrapper;
        default:
            return false;
    }
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::LinkCreate& m) {
    if (s.links.count(m.name) != 0) return s.peer_is_wrong(frame, "name");
    auto link = std::make_unique<Link>();
    if (!link->options.read(m.options, true)) return s.peer_is_wrong(frame, "options");
    CUresult result = s.links.size() < kMostLinks ? s.enter(frame) : CUDA_ERROR_OUT_OF_MEMORY;
    if (result == CUDA_SUCCESS && s.driver.cuLinkCreate_v2 == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    if (result == CUDA_SUCCESS)
        result =
            s.driver.cuLinkCreate_v2(static_cast<unsigned>(link->options.names.size()),
                                     link->options.names.data(), link->options.values.data(), &link->state);
    if (result == CUDA_SUCCESS) s.links[m.name] = std::move(link);
    s.reply_status(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::LinkAdd& m) {
    Link* link = find(s, m.link);
    if (link == nullptr) return s.reply_status(frame, CUDA_ERROR_INVALID_HANDLE);
    JitOptions options;
    if (!options.read(m.options, false)) return s.peer_is_wrong(frame, "options");
    const auto type = static_cast<CUjitInputType>(m.type);
    // One word of zeros behind: text is then terminated whatever the client sent, and everything is aligned.
    std::vector<uint64_t> data(m.data.size() / sizeof(uint64_t) + 2);
    if (!m.data.empty()) memcpy(data.data(), m.data.data(), m.data.size());
    msg::LinkAdd::Reply reply;
    CUresult result = s.enter(frame);
    if (result == CUDA_SUCCESS &&
        !may_link(type, {reinterpret_cast<const std::byte*>(data.data()), m.data.size()})) {
        result = type >= CU_JIT_INPUT_CUBIN && type < CU_JIT_NUM_INPUT_TYPES && !m.data.empty()
                     ? CUDA_ERROR_INVALID_IMAGE
                     : CUDA_ERROR_INVALID_VALUE;
    }
    if (result == CUDA_SUCCESS) {
        const std::string name(m.name);
        const size_t terminated = type == CU_JIT_INPUT_PTX ? m.data.size() + 1 : m.data.size();
        result = s.driver.cuLinkAddData_v2(
            link->state, type, data.data(), terminated, name.empty() ? nullptr : name.c_str(),
            static_cast<unsigned>(options.names.size()), options.names.data(), options.values.data());
    }
    reply.status = result;
    reply.info_log = link->options.info_log();
    reply.error_log = link->options.error_log();
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

void serve(Session& s, const Frame& frame, const msg::LinkComplete& m) {
    Link* link = find(s, m.link);
    if (link == nullptr) return s.reply_status(frame, CUDA_ERROR_INVALID_HANDLE);
    void* image = nullptr;
    size_t bytes = 0;
    CUresult result = s.enter(frame);
    if (result == CUDA_SUCCESS) result = s.driver.cuLinkComplete(link->state, &image, &bytes);
    if (result == CUDA_SUCCESS && bytes > wire::kMostBody / 2) {
        BF_LOG("worker", kWarn, "a linked image of %zu bytes is too large to travel", bytes);
        result = CUDA_ERROR_OUT_OF_MEMORY;
    }
    msg::LinkComplete::Reply reply;
    reply.status = result;
    reply.wall_ms = link->options.wall_ms();
    reply.info_log = link->options.info_log();
    reply.error_log = link->options.error_log();
    if (result == CUDA_SUCCESS) reply.image = {static_cast<const uint8_t*>(image), bytes};
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

void serve(Session& s, const Frame& frame, const msg::LinkDestroy& m) {
    const auto found = s.links.find(m.link);
    if (found == s.links.end()) return s.posted(frame, CUDA_ERROR_INVALID_HANDLE);
    CUresult result = s.enter(frame);
    if (result == CUDA_SUCCESS) result = s.driver.cuLinkDestroy(found->second->state);
    s.links.erase(found);
    s.posted(frame, result);
}

}  // namespace bitfusion::worker
