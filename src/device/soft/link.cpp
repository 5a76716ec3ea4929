#include "device/soft/link.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/log.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

using LinkPtr = std::shared_ptr<LinkState>;

CUresult cuLinkCreate_v2(unsigned int count, CUjit_option* options, void** values, CUlinkState* out) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto link = std::make_shared<LinkState>();
        const CUresult result = JitOptions::read(count, options, values, &link->options);
        if (result != CUDA_SUCCESS) return result;
        link->gpu = &context->gpu;
        link->handle = driver().links.issue();
        *out = link->handle;
        driver().links.add(link->handle, link);
        return CUDA_SUCCESS;
    });
}

CUresult refuse(const LinkState& link, const Error& error) {
    BF_LOG("soft", kWarn, "link failed (CUDA error %d): %s", error.code, error.what.c_str());
    link.options.finish("", error.what + "\n", 0);
    return error.code != 0 ? static_cast<CUresult>(error.code) : CUDA_ERROR_INVALID_PTX;
}

CUresult add_bytes(LinkState& link, CUjitInputType type, const void* data, size_t size) {
    if (data == nullptr || size == 0) return CUDA_ERROR_INVALID_VALUE;
    const image::Bytes bytes(static_cast<const std::byte*>(data), size);
    if (type == CU_JIT_INPUT_PTX) {
        std::string text(static_cast<const char*>(data), size);
        text.resize(std::min(text.size(), text.find('\0')));
        // Assembled once here, so that a mistake is reported with the input that has it; unresolved externals
        // are the business of cuLinkComplete.
        const auto made = assemble_texts({text}, *link.gpu);
        const bool waits = !made && made.error().code == CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
        if (!made && !waits) return refuse(link, made.error());
        link.texts.push_back(std::move(text));
        return CUDA_SUCCESS;
    }
    if (type != CU_JIT_INPUT_FATBINARY && type != CU_JIT_INPUT_OBJECT)
        return refuse(link,
                      Error{"the software GPU links PTX only; compile to PTX instead of machine code or LTO",
                            CUDA_ERROR_NO_BINARY_FOR_GPU});
    const auto extent = image::extent_of(bytes);
    if (!extent) return refuse(link, Error{extent.error().what, CUDA_ERROR_INVALID_IMAGE});
    const auto texts = ptx_of(data, *link.gpu);
    if (!texts) return refuse(link, texts.error());
    link.texts.insert(link.texts.end(), texts->begin(), texts->end());
    return CUDA_SUCCESS;
}

template <typename Body>
CUresult entry_on_link(CUlinkState handle, Body&& body) noexcept {
    return entry_in_context([&](const ContextPtr&) -> CUresult {
        const LinkPtr link = driver().links.find(handle);
        if (link == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const std::lock_guard lock(link->mutex);
        return body(*link);
    });
}

CUresult check_options(unsigned count, CUjit_option* options, void** values) {
    JitOptions ignored;
    return JitOptions::read(count, options, values, &ignored);
}

CUresult cuLinkAddData_v2(CUlinkState handle, CUjitInputType type, void* data, size_t size, const char*,
                          unsigned int count, CUjit_option* options, void** values) {
    return entry_on_link(handle, [&](LinkState& link) {
        const CUresult result = check_options(count, options, values);
        return result != CUDA_SUCCESS ? result : add_bytes(link, type, data, size);
    });
}

CUresult cuLinkAddFile_v2(CUlinkState handle, CUjitInputType type, const char* path, unsigned int count,
                          CUjit_option* options, void** values) {
    return entry_on_link(handle, [&](LinkState& link) {
        const CUresult result = check_options(count, options, values);
        if (result != CUDA_SUCCESS) return result;
        if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
        std::ifstream file(path, std::ios::binary);
        if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
        const std::vector<char> bytes((std::istreambuf_iterator<char>(file)),
                                      std::istreambuf_iterator<char>());
        return add_bytes(link, type, bytes.data(), bytes.size());
    });
}

CUresult cuLinkComplete(CUlinkState handle, void** out, size_t* size) {
    return entry_on_link(handle, [&](LinkState& link) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (link.texts.empty()) return CUDA_ERROR_INVALID_VALUE;
        const auto made = assemble_texts(link.texts, *link.gpu);
        if (!made) return refuse(link, made.error());
        link.image = make_linked_set(link.texts, *link.gpu);
        link.options.finish("", "", 0);
        *out = link.image.data();
        if (size != nullptr) *size = link.image.size();
        return CUDA_SUCCESS;
    });
}

CUresult cuLinkDestroy(CUlinkState handle) {
    return entry_initialized(
        [&] { return driver().links.remove(handle) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS; });
}

}  // namespace

void serve_links(DriverTable* table) {
    BF_SERVE(cuLinkCreate_v2);
    BF_SERVE(cuLinkAddData_v2);
    BF_SERVE(cuLinkAddFile_v2);
    BF_SERVE(cuLinkComplete);
    BF_SERVE(cuLinkDestroy);
}

}  // namespace bitfusion::soft
