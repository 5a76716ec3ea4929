// Linking: the linker is the worker's; files are read here, and the linked image is kept here until the
// linker ends, as the program expects of a pointer that the driver gives out.
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/log.h"
#include "client/code_image.h"
#include "client/context.h"
#include "client/jit_options.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "image/container.h"

namespace bitfusion::client {
namespace {

// An input must fit into one message.
constexpr size_t kMostInput = wire::kMostBody - (1u << 20);

struct Link {
    Link(unsigned count, CUjit_option* options, void** values) : options(count, options, values) {}
    std::mutex lock;
    JitOptions options;
    std::vector<uint8_t> image;
};

struct Links {
    std::mutex lock;
    std::map<CUlinkState, std::shared_ptr<Link>> known;
};

Links& links() {
    static Links* const made = std::make_unique<Links>().release();  // outlives every exit handler
    return *made;
}

std::shared_ptr<Link> find(CUlinkState state) {
    const std::lock_guard<std::mutex> lock(links().lock);
    const auto found = links().known.find(state);
    return found == links().known.end() ? nullptr : found->second;
}

CUresult add(CUlinkState state, CUjitInputType type, const void* data, size_t size, const char* name,
             unsigned count, CUjit_option* options, void** values) {
    const auto link = find(state);
    if (link == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (data == nullptr || size == 0 || type < CU_JIT_INPUT_CUBIN || type >= CU_JIT_NUM_INPUT_TYPES ||
        (count != 0 && (options == nullptr || values == nullptr)))
        return CUDA_ERROR_INVALID_VALUE;
    const JitOptions own(count, options, values);
    if (!own.good()) return CUDA_ERROR_NOT_SUPPORTED;
    image::Bytes bytes(static_cast<const std::byte*>(data), size);
    if (type == CU_JIT_INPUT_FATBINARY && image::form_of(bytes) == image::Form::kWrapper) {
        const auto measured = image::measure(data);
        if (!measured) return CUDA_ERROR_INVALID_IMAGE;
        bytes = measured->code;
    }
    if (bytes.size() > kMostInput) {
        BF_LOG("client", kWarn, "an input of %zu bytes is too large for the linker; link it into the program",
               bytes.size());
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    const std::lock_guard<std::mutex> lock(link->lock);
    msg::LinkAdd m;
    m.link = wire_name(state);
    m.type = static_cast<uint32_t>(type);
    m.name = name != nullptr ? name : "";
    m.options = own.bytes();
    CUresult status = CUDA_ERROR_UNKNOWN;
    const CUresult result = session()->call_bulk(
        msg::LinkAdd::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, bytes.data(), bytes.size(),
        [&](wire::Reader& r) {
            msg::LinkAdd::Reply reply;
            reply.decode(r);
            status = static_cast<CUresult>(reply.status);
            link->options.give_logs(reply.info_log, reply.error_log);
        });
    return result == CUDA_SUCCESS ? status : result;
}

}  // namespace

CUresult cuLinkCreate_v2(unsigned int numOptions, CUjit_option* options, void** optionValues,
                         CUlinkState* stateOut) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (stateOut == nullptr || (numOptions != 0 && (options == nullptr || optionValues == nullptr)))
        return CUDA_ERROR_INVALID_VALUE;
    auto link = std::make_shared<Link>(numOptions, options, optionValues);
    if (!link->options.good()) return CUDA_ERROR_NOT_SUPPORTED;
    const uint64_t name = name_handle(wire::Kind::kOther);
    const CUresult result = call(msg::LinkCreate{name, link->options.bytes()}, [](const auto&) {});
    if (result != CUDA_SUCCESS) return result;
    *stateOut = from_wire_name<CUlinkState>(name);
    const std::lock_guard<std::mutex> lock(links().lock);
    links().known[*stateOut] = std::move(link);
    return CUDA_SUCCESS;
}

CUresult cuLinkAddData_v2(CUlinkState state, CUjitInputType type, void* data, size_t size, const char* name,
                          unsigned int numOptions, CUjit_option* options, void** optionValues) {
    return add(state, type, data, size, name, numOptions, options, optionValues);
}

CUresult cuLinkAddFile_v2(CUlinkState state, CUjitInputType type, const char* path, unsigned int numOptions,
                          CUjit_option* options, void** optionValues) {
    if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const ImageFile file(path);
    if (file.data() == nullptr) return CUDA_ERROR_FILE_NOT_FOUND;
    return add(state, type, file.data(), file.size(), path, numOptions, options, optionValues);
}

CUresult cuLinkComplete(CUlinkState state, void** cubinOut, size_t* sizeOut) {
    const auto link = find(state);
    if (link == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (cubinOut == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const std::lock_guard<std::mutex> lock(link->lock);
    CUresult status = CUDA_ERROR_UNKNOWN;
    const CUresult result =
        call(msg::LinkComplete{wire_name(state)}, [&](const msg::LinkComplete::Reply& reply) {
            status = static_cast<CUresult>(reply.status);
            link->options.give_logs(reply.info_log, reply.error_log);
            link->options.give_wall_time(reply.wall_ms);
            link->image.assign(reply.image.begin(), reply.image.end());
        });
    if (result != CUDA_SUCCESS) return result;
    if (status != CUDA_SUCCESS) return status;
    *cubinOut = link->image.data();
    if (sizeOut != nullptr) *sizeOut = link->image.size();
    return CUDA_SUCCESS;
}

CUresult cuLinkDestroy(CUlinkState state) {
    {
        const std::lock_guard<std::mutex> lock(links().lock);
        if (links().known.erase(state) == 0) return CUDA_ERROR_INVALID_HANDLE;
    }
    return post(msg::LinkDestroy{wire_name(state)});
}

}  // namespace bitfusion::client
