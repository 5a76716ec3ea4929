#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "image/container.h"
#include "image/digest.h"
#include "worker/function_facts.h"
#include "worker/jit_options.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

constexpr size_t kMostParts = 4096;

// The parts of an image, copied to aligned memory of our own, as the driver wants to see them.
struct Image {
    std::vector<std::vector<uint64_t>> parts;
    std::vector<const void*> prelink;
    struct {
        uint32_t magic;
        uint32_t version;
        const void* data;
        const void* extra;
    } wrapper{};
    const void* to_driver = nullptr;
};

// `m` describes the image, `content` is it.
template <typename Message>
bool rebuild(const Message& m, std::span<const uint8_t> content, Image* image) {
    const size_t count = m.sizes.size() / sizeof(uint64_t);
    if (count == 0 || count > kMostParts || m.sizes.size() % sizeof(uint64_t) != 0) return false;
    size_t at = 0;
    for (size_t i = 0; i < count; ++i) {
        uint64_t bytes = 0;
        memcpy(&bytes, m.sizes.data() + i * sizeof bytes, sizeof bytes);
        if (at > content.size() || bytes > content.size() - at || bytes == 0) return false;
        // One word of zeros behind each part: text is then terminated whatever the client sent.
        std::vector<uint64_t> part(bytes / 8 + 2);
        memcpy(part.data(), content.data() + at, bytes);
        const image::Bytes view(reinterpret_cast<const std::byte*>(part.data()), bytes);
        const auto extent = image::extent_of(view);
        if (!extent || *extent > bytes) return false;
        if (image::form_of(view) == image::Form::kWrapper) return false;  // pointers of another process
        if (image::form_of(view) == image::Form::kFatbin && !image::entries_of(view)) return false;
        image->parts.push_back(std::move(part));
        at += (bytes + 7) / 8 * 8;
    }
    image->to_driver = image->parts[0].data();
    if (m.wrapper_version != 0) {
        for (size_t i = 1; i < count; ++i) image->prelink.push_back(image->parts[i].data());
        image->prelink.push_back(nullptr);
        image->wrapper.magic = image::kWrapperMagic;
        image->wrapper.version = m.wrapper_version;
        image->wrapper.data = image->parts[0].data();
        image->wrapper.extra = m.wrapper_version == 2 ? image->prelink.data() : nullptr;
        image->to_driver = &image->wrapper;
    }
    return m.wrapper_version <= 2;
}

std::span<const uint8_t> bytes_of(const std::vector<uint8_t>& v) { return {v.data(), v.size()}; }

// Loads and answers. What the driver said; an error also where the message was wrong.
template <typename Message>
CUresult load(Session& s, const Frame& frame, const Message& m, std::span<const uint8_t> content) {
    Image image;
    auto options = std::make_shared<JitOptions>();
    const bool library = m.as_library != 0;
    if (library ? !s.handles.may_name<CUlibrary>(m.name) : !s.handles.may_name<CUmodule>(m.name)) {
        s.peer_is_wrong(frame, "name");
        return CUDA_ERROR_INVALID_VALUE;
    }
    if (!options->read(m.options, !library)) {
        s.peer_is_wrong(frame, "options");
        return CUDA_ERROR_INVALID_VALUE;
    }
    if (!rebuild(m, content, &image)) {
        // Not the bytes of any image: the program handed garbage over, as CUDA would find too.
        typename Message::Reply reply;
        reply.status = CUDA_ERROR_INVALID_IMAGE;
        s.reply_with(frame, CUDA_SUCCESS, reply);
        return CUDA_ERROR_INVALID_IMAGE;
    }
    CUresult result = s.enter(frame);
    const auto count = static_cast<unsigned>(options->names.size());
    if (result == CUDA_SUCCESS && library) {
        CUlibrary loaded = nullptr;
        result = s.driver.cuLibraryLoadData == nullptr
                     ? CUDA_ERROR_NOT_SUPPORTED
                     : s.driver.cuLibraryLoadData(&loaded, image.to_driver, options->names.data(),
                                                  options->values.data(), count, nullptr, nullptr, 0);
        if (result == CUDA_SUCCESS && !s.overhead.fits(s.current_device())) {
            s.driver.cuLibraryUnload(loaded);
            result = CUDA_ERROR_OUT_OF_MEMORY;
        }
        if (result == CUDA_SUCCESS) {
            s.handles.bind(m.name, loaded, 0);
            if (count != 0) s.jit_options.push_back(options);
        }
    } else if (result == CUDA_SUCCESS) {
        CUmodule loaded = nullptr;
        result = s.driver.cuModuleLoadDataEx(&loaded, image.to_driver, count, options->names.data(),
                                             options->values.data());
        if (result == CUDA_SUCCESS && !s.overhead.fits(s.current_device())) {
            s.driver.cuModuleUnload(loaded);
            result = CUDA_ERROR_OUT_OF_MEMORY;
        }
        if (result == CUDA_SUCCESS) s.handles.bind(m.name, loaded, s.context_name());
    }
    if (result != CUDA_SUCCESS) s.overhead.look(s.current_device());
    typename Message::Reply reply;
    reply.status = result;
    if (!library) reply.wall_ms = options->wall_ms();
    reply.info_log = options->info_log();
    reply.error_log = options->error_log();
    if (result != CUDA_SUCCESS)
        BF_LOG("worker", kInfo, "a module load failed with error %d: %.200s", result,
               std::string(options->error_log()).c_str());
    s.reply_with(frame, CUDA_SUCCESS, reply);
    return result;
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::ModuleLoad& m) {
    const CUresult result = load(s, frame, m, m.image);
    if (result != CUDA_SUCCESS || s.shares_memory() || m.image.size() < image::kLeastCached) return;
    s.flush();
    s.images.keep(m.image);
}

void serve(Session& s, const Frame& frame, const msg::ImageLoad& m) {
    image::Digest digest{};
    if (m.digest.size() != digest.size()) return s.peer_is_wrong(frame, "digest");
    memcpy(digest.data(), m.digest.data(), digest.size());
    const auto content = s.images.find(digest);
    if (content) {
        load(s, frame, m, *content);
    } else {
        msg::ImageLoad::Reply reply;
        reply.missing = 1;
        s.reply_with(frame, CUDA_SUCCESS, reply);
    }
}

void serve(Session& s, const Frame& frame, const msg::FunctionGet& m) {
    CUresult result = CUDA_SUCCESS;
    const CUmodule module = s.handles.find<CUmodule>(m.module, &result);
    const std::string symbol(m.name);
    CUfunction function = nullptr;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS) result = s.driver.cuModuleGetFunction(&function, module, symbol.c_str());
    std::vector<uint8_t> facts;
    if (result == CUDA_SUCCESS)
        facts = wire::encode(std::vector{facts_of_function(s, function, symbol, m.module)});
    s.reply_with(frame, result, msg::FunctionGet::Reply{bytes_of(facts)});
}

void serve(Session& s, const Frame& frame, const msg::FunctionList& m) {
    CUresult result = CUDA_SUCCESS;
    const CUmodule module = s.handles.find<CUmodule>(m.module, &result);
    unsigned count = 0;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS &&
        (s.driver.cuModuleGetFunctionCount == nullptr || s.driver.cuModuleEnumerateFunctions == nullptr))
        result = CUDA_ERROR_NOT_SUPPORTED;
    if (result == CUDA_SUCCESS) result = s.driver.cuModuleGetFunctionCount(&count, module);
    count = std::min(count, m.most);
    std::vector<CUfunction> functions(count);
    if (result == CUDA_SUCCESS && count != 0)
        result = s.driver.cuModuleEnumerateFunctions(functions.data(), count, module);
    std::vector<wire::FunctionFacts> facts;
    for (size_t i = 0; result == CUDA_SUCCESS && i < functions.size(); ++i) {
        const char* symbol = "";
        if (s.driver.cuFuncGetName != nullptr) s.driver.cuFuncGetName(&symbol, functions[i]);
        facts.push_back(facts_of_function(s, functions[i], symbol, m.module));
    }
    const std::vector<uint8_t> encoded = wire::encode(facts);
    s.reply_with(frame, result, msg::FunctionList::Reply{bytes_of(encoded)});
}

void serve(Session& s, const Frame& frame, const msg::GlobalGet& m) {
    CUresult result = CUDA_SUCCESS;
    const std::string symbol(m.name);
    CUdeviceptr address = 0;
    size_t bytes = 0;
    if (m.of_library != 0) {
        const CUlibrary library = s.handles.find<CUlibrary>(m.owner, &result);
        if (result == CUDA_SUCCESS) result = s.enter(frame);
        if (result == CUDA_SUCCESS && m.managed != 0 && s.driver.cuLibraryGetManaged == nullptr)
            result = CUDA_ERROR_NOT_SUPPORTED;
        if (result == CUDA_SUCCESS)
            result = (m.managed != 0 ? s.driver.cuLibraryGetManaged : s.driver.cuLibraryGetGlobal)(
                &address, &bytes, library, symbol.c_str());
    } else {
        const CUmodule module = s.handles.find<CUmodule>(m.owner, &result);
        if (result == CUDA_SUCCESS) result = s.enter(frame);
        if (result == CUDA_SUCCESS)
            result = s.driver.cuModuleGetGlobal_v2(&address, &bytes, module, symbol.c_str());
    }
    unsigned is_managed = 0;
    if (result == CUDA_SUCCESS &&
        s.driver.cuPointerGetAttribute(&is_managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, address) != CUDA_SUCCESS)
        is_managed = 0;
    if (result == CUDA_SUCCESS && s.memory.range_at(address) == nullptr) {
        s.memory.add(address, {bytes, s.current_device(), 0, s.context_name(), false, m.owner});
    }
    s.reply_with(frame, result, msg::GlobalGet::Reply{address, bytes, is_managed & 0xFF});
}

void serve(Session& s, const Frame& frame, const msg::ModuleUnload& m) {
    CUresult result = CUDA_SUCCESS;
    const CUmodule module = s.handles.find<CUmodule>(m.module, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS) result = s.driver.cuModuleUnload(module);
    if (result == CUDA_SUCCESS) {
        s.overhead.look(s.current_device());
        s.handles.forget_owned(m.module);
        s.memory.remove_variables(m.module);
        s.handles.forget(m.module);
    }
    s.posted(frame, result);
}

// ---- libraries
// -------------------------------------------------------------------------------------------------------

void serve(Session& s, const Frame& frame, const msg::KernelGet& m) {
    CUresult result = CUDA_SUCCESS;
    const CUlibrary library = s.handles.find<CUlibrary>(m.library, &result);
    const std::string symbol(m.name);
    CUkernel kernel = nullptr;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS) result = s.driver.cuLibraryGetKernel(&kernel, library, symbol.c_str());
    std::vector<uint8_t> facts;
    if (result == CUDA_SUCCESS)
        facts = wire::encode(std::vector{facts_of_kernel(s, kernel, symbol, m.library)});
    s.reply_with(frame, result, msg::KernelGet::Reply{bytes_of(facts)});
}

void serve(Session& s, const Frame& frame, const msg::KernelList& m) {
    CUresult result = CUDA_SUCCESS;
    const CUlibrary library = s.handles.find<CUlibrary>(m.library, &result);
    unsigned count = 0;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS &&
        (s.driver.cuLibraryGetKernelCount == nullptr || s.driver.cuLibraryEnumerateKernels == nullptr))
        result = CUDA_ERROR_NOT_SUPPORTED;
    if (result == CUDA_SUCCESS) result = s.driver.cuLibraryGetKernelCount(&count, library);
    count = std::min(count, m.most);
    std::vector<CUkernel> kernels(count);
    if (result == CUDA_SUCCESS && count != 0)
        result = s.driver.cuLibraryEnumerateKernels(kernels.data(), count, library);
    std::vector<wire::FunctionFacts> facts;
    for (size_t i = 0; result == CUDA_SUCCESS && i < kernels.size(); ++i) {
        const char* symbol = "";
        if (s.driver.cuKernelGetName != nullptr) s.driver.cuKernelGetName(&symbol, kernels[i]);
        facts.push_back(facts_of_kernel(s, kernels[i], symbol, m.library));
    }
    const std::vector<uint8_t> encoded = wire::encode(facts);
    s.reply_with(frame, result, msg::KernelList::Reply{bytes_of(encoded)});
}

void serve(Session& s, const Frame& frame, const msg::KernelFunction& m) {
    CUresult result = CUDA_SUCCESS;
    const CUkernel kernel = s.handles.find<CUkernel>(m.kernel, &result);
    CUfunction function = nullptr;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS) result = s.driver.cuKernelGetFunction(&function, kernel);
    std::vector<uint8_t> facts;
    if (result == CUDA_SUCCESS) {
        const char* symbol = "";
        if (s.driver.cuFuncGetName != nullptr) s.driver.cuFuncGetName(&symbol, function);
        facts =
            wire::encode(std::vector{facts_of_function(s, function, symbol, s.handles.owner_of(m.kernel))});
    }
    s.reply_with(frame, result, msg::KernelFunction::Reply{bytes_of(facts)});
}

void serve(Session& s, const Frame& frame, const msg::LibraryModule& m) {
    CUresult result = CUDA_SUCCESS;
    const CUlibrary library = s.handles.find<CUlibrary>(m.library, &result);
    CUmodule module = nullptr;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS) result = s.driver.cuLibraryGetModule(&module, library);
    s.reply_with(
        frame, result,
        msg::LibraryModule::Reply{result == CUDA_SUCCESS ? s.handles.name_of(module, m.library) : 0});
}

void serve(Session& s, const Frame& frame, const msg::LibraryUnload& m) {
    CUresult result = CUDA_SUCCESS;
    const CUlibrary library = s.handles.find<CUlibrary>(m.library, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS) result = s.driver.cuLibraryUnload(library);
    if (result == CUDA_SUCCESS) {
        s.overhead.look(s.current_device());
        s.handles.forget_owned(m.library);
        s.memory.remove_variables(m.library);
        s.handles.forget(m.library);
    }
    s.posted(frame, result);
}

}  // namespace bitfusion::worker
