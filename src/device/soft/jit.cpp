#include "device/soft/jit.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/log.h"
#include "image/select.h"

namespace bitfusion::soft {
namespace {

// Marks a fat binary whose PTX entries belong together and are linked when it is loaded. No tool of NVIDIA's
// uses it.
constexpr uint16_t kLinkedSetKind = 0xBF01;
constexpr uint64_t kMostTextBytes = uint64_t{256} << 20;

image::Capability capability(const Gpu& gpu) { return {gpu.cc_major(), gpu.cc_minor()}; }

tl::unexpected<Error> refuse(CUresult code, const std::string& what) {
    return fail(what, static_cast<int>(code));
}

Result<std::string> text_of(const image::Entry& entry) {
    const auto plain = image::plain_bytes(entry, kMostTextBytes);
    if (!plain) return refuse(CUDA_ERROR_INVALID_IMAGE, plain.error().what);
    std::string text(reinterpret_cast<const char*>(plain->data()), plain->size());
    text.resize(std::min(text.size(), text.find('\0')));
    return text;
}

// The PTX of one fat binary; nothing when it has none for this GPU.
Result<std::vector<std::string>> texts_of_fatbin(image::Bytes fatbin, const Gpu& gpu,
                                                 std::string* architectures) {
    const auto entries = image::entries_of(fatbin);
    if (!entries) return refuse(CUDA_ERROR_INVALID_IMAGE, entries.error().what);
    *architectures += (architectures->empty() ? "" : ", ") + image::describe(*entries);
    std::vector<image::Entry> chosen = image::usable_entries(*entries, image::Kind::kPtx, capability(gpu));
    const bool linked = std::any_of(entries->begin(), entries->end(),
                                    [](const image::Entry& entry) { return entry.kind == kLinkedSetKind; });
    if (!linked && chosen.size() > 1) {
        // sm_90a and its like exist for instructions that this GPU does not have: plain PTX is the better
        // choice.
        const auto plain = std::find_if(chosen.begin(), chosen.end(), [](const image::Entry& entry) {
            return (entry.flags & (image::kFlagArchSpecific | image::kFlagFamilySpecific)) == 0;
        });
        if (plain != chosen.end()) chosen.assign(1, image::Entry(*plain));
        chosen.resize(1);
    }
    std::vector<std::string> texts;
    for (const image::Entry& entry : chosen) {
        auto text = text_of(entry);
        if (!text) return tl::unexpected(text.error());
        texts.push_back(std::move(*text));
    }
    return texts;
}

Result<std::vector<std::string>> texts_of_code(image::Bytes code, const Gpu& gpu,
                                               std::string* architectures) {
    switch (image::form_of(code)) {
        case image::Form::kFatbin:
            return texts_of_fatbin(code, gpu, architectures);
        case image::Form::kElf:
            *architectures += (architectures->empty() ? "" : ", ") + std::string("one ELF image");
            return std::vector<std::string>{};
        default: {
            std::string text(reinterpret_cast<const char*>(code.data()), code.size());
            text.resize(std::min(text.size(), text.find('\0')));
            if (text.find(".version") == std::string::npos)
                return refuse(CUDA_ERROR_INVALID_IMAGE,
                              "the image is neither a fat binary, nor ELF, nor PTX; pass a compiled module");
            return std::vector<std::string>{std::move(text)};
        }
    }
}

template <typename T>
void put(std::vector<std::byte>& bytes, size_t offset, T value) {
    memcpy(bytes.data() + offset, &value, sizeof value);
}

void append_entry(std::vector<std::byte>& fatbin, uint16_t kind, uint32_t arch, const std::string& payload) {
    const size_t start = fatbin.size();
    const size_t padded = (payload.size() + 8) / 8 * 8;
    fatbin.resize(start + image::kEntryHeaderBytes + padded);
    put(fatbin, start, kind);
    put(fatbin, start + 2, uint16_t{0x0101});
    put(fatbin, start + 4, static_cast<uint32_t>(image::kEntryHeaderBytes));
    put(fatbin, start + 8, uint64_t{padded});
    put(fatbin, start + 28, arch);
    put(fatbin, start + 40, uint64_t{0x11});
    memcpy(fatbin.data() + start + image::kEntryHeaderBytes, payload.data(), payload.size());
}

void put_log(const std::string& text, void** buffer, void** size) {
    if (size == nullptr) return;
    const auto capacity = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(*size));
    uint32_t written = 0;
    if (buffer != nullptr && *buffer != nullptr && capacity != 0) {
        written = static_cast<uint32_t>(std::min<size_t>(text.size(), capacity - 1));
        memcpy(*buffer, text.data(), written);
        static_cast<char*>(*buffer)[written] = '\0';
    }
    *size = reinterpret_cast<void*>(static_cast<uintptr_t>(written));
}

}  // namespace

CUresult JitOptions::read(unsigned count, const CUjit_option* options, void** values, JitOptions* out) {
    if (count == 0) return CUDA_SUCCESS;
    if (options == nullptr || values == nullptr) return CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; i < count; ++i) {
        if (options[i] < 0 || options[i] >= CU_JIT_NUM_OPTIONS) return CUDA_ERROR_INVALID_VALUE;
    }
    out->options_.assign(options, options + count);
    out->values_ = values;
    return CUDA_SUCCESS;
}

void** JitOptions::slot_of(CUjit_option option) const {
    const auto at = std::find(options_.begin(), options_.end(), option);
    return at == options_.end() ? nullptr : &values_[at - options_.begin()];
}

void JitOptions::finish(const std::string& info, const std::string& error, double milliseconds) const {
    put_log(info, slot_of(CU_JIT_INFO_LOG_BUFFER), slot_of(CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES));
    put_log(error, slot_of(CU_JIT_ERROR_LOG_BUFFER), slot_of(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES));
    if (void** slot = slot_of(CU_JIT_WALL_TIME)) {
        const auto time = static_cast<float>(milliseconds);
        memcpy(slot, &time, sizeof time);
    }
}

Result<std::vector<std::string>> ptx_of(const void* image, const Gpu& gpu) {
    const auto measured = image::measure(image);
    if (!measured) return refuse(CUDA_ERROR_INVALID_IMAGE, measured.error().what);
    std::string architectures;
    auto texts = texts_of_code(measured->code, gpu, &architectures);
    if (!texts) return texts;
    if (texts->empty()) {
        // The linked ELF is of no use here, but the objects before linking may have PTX.
        for (const image::Bytes part : measured->prelink) {
            const auto more = texts_of_code(part, gpu, &architectures);
            if (!more) return more;
            texts->insert(texts->end(), more->begin(), more->end());
        }
    }
    if (texts->empty())
        return refuse(
            CUDA_ERROR_NO_BINARY_FOR_GPU,
            "the image has code for " + architectures +
                "; the software GPU runs PTX only: compile the program with PTX (-gencode arch=compute_" +
                std::to_string(capability(gpu).arch()) + ",code=compute_" +
                std::to_string(capability(gpu).arch()) + ")");
    return texts;
}

Result<std::shared_ptr<const Program>> assemble_texts(const std::vector<std::string>& texts, const Gpu& gpu) {
    AssembleOptions options;
    options.device_sm = static_cast<uint32_t>(capability(gpu).arch());
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    return views.size() == 1 ? assemble(views.front(), options) : assemble(views, options);
}

Result<std::shared_ptr<const Program>> assemble_image(const void* image, const Gpu& gpu) {
    const auto texts = ptx_of(image, gpu);
    if (!texts) return tl::unexpected(texts.error());
    return assemble_texts(*texts, gpu);
}

std::vector<std::byte> make_linked_set(const std::vector<std::string>& texts, const Gpu& gpu) {
    std::vector<std::byte> fatbin(image::kFatbinHeaderBytes);
    const auto arch = static_cast<uint32_t>(capability(gpu).arch());
    append_entry(fatbin, kLinkedSetKind, arch, "linked");
    for (const std::string& text : texts)
        append_entry(fatbin, static_cast<uint16_t>(image::Kind::kPtx), arch, text);
    put(fatbin, 0, image::kFatbinMagic);
    put(fatbin, 4, uint16_t{1});
    put(fatbin, 6, static_cast<uint16_t>(image::kFatbinHeaderBytes));
    put(fatbin, 8, uint64_t{fatbin.size() - image::kFatbinHeaderBytes});
    return fatbin;
}

CUresult load_program(const void* image, const Gpu& gpu, const JitOptions& options,
                      std::shared_ptr<const Program>* program) {
    const auto start = std::chrono::steady_clock::now();
    auto made = assemble_image(image, gpu);
    const double milliseconds =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    if (made) {
        *program = std::move(*made);
        options.finish("", "", milliseconds);
        return CUDA_SUCCESS;
    }
    const Error& error = made.error();
    BF_LOG("soft", kWarn, "module not loaded (CUDA error %d): %s", error.code, error.what.c_str());
    const CUresult result = error.code != 0 ? static_cast<CUresult>(error.code) : CUDA_ERROR_INVALID_PTX;
    const bool assembled = result != CUDA_ERROR_INVALID_IMAGE && result != CUDA_ERROR_NO_BINARY_FOR_GPU;
    options.finish("",
                   assembled ? "ptxas application ptx input, " + error.what +
                                   "\nptxas fatal   : Ptx assembly aborted due to errors\n"
                             : error.what + "\n",
                   milliseconds);
    return result;
}

}  // namespace bitfusion::soft
