// The private tables that CUDA runtimes and libraries ask a driver for by id. What is known of them, and of
// who needs which slot, is public (docs/life-of-a-call.md, "private tables"); everything here is answered in
// this process. A slot that is not known says CUDA_ERROR_NOT_SUPPORTED and names its caller in the log, never
// success: a library that is told a lie breaks later and elsewhere.
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "client/compute_cache.h"
#include "client/context.h"
#include "client/device.h"
#include "client/function.h"
#include "client/integrity.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

using Word = uintptr_t;

const char* caller_of(void* address) {
    Dl_info info{};
    return dladdr(address, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "?";
}

// The library that called into this one. The exported function stands between it and us, so the stack is
// asked; only for a line of the log.
const char* calling_library() {
    Dl_info own{};
    dladdr(reinterpret_cast<void*>(&calling_library), &own);
    std::array<void*, 16> frames{};
    const int count = backtrace(frames.data(), static_cast<int>(frames.size()));
    for (int i = 0; i < count; ++i) {
        Dl_info info{};
        if (dladdr(frames[i], &info) != 0 && info.dli_fbase != own.dli_fbase) return caller_of(frames[i]);
    }
    return "?";
}

// One function per table and slot, so that the log can name both.
template <int Table, int Slot>
CUresult unknown_slot() {
    constexpr const char* kTables[] = {"runtime interface", "runtime hooks", "tools tls", "context checks",
                                       "context tools",     "module tools",  "cluster",   "compute cache"};
    BF_LOG("client", kWarn,
           "%s asks for slot %d of the private table '%s', which is not served; please report it",
           caller_of(__builtin_return_address(0)), Slot, kTables[Table]);
    return CUDA_ERROR_NOT_SUPPORTED;
}

template <int Table, size_t... Slots>
void fill_unknown(Word* table, std::index_sequence<Slots...>) {
    ((table[Slots + 1] = reinterpret_cast<Word>(&unknown_slot<Table, static_cast<int>(Slots) + 1>)), ...);
}

template <int Table, size_t Words>
std::array<Word, Words> sized_table() {
    std::array<Word, Words> table{};
    table[0] = Words * sizeof(Word);
    fill_unknown<Table>(table.data(), std::make_index_sequence<Words - 1>());
    return table;
}

template <typename F>
Word word(F* function) {
    return reinterpret_cast<Word>(function);
}

// ---- runtime interface
// -----------------------------------------------------------------------------------------

CUresult runtime_primary_context(CUcontext* out, CUdevice device) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (device_facts(device) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    *out = primary_context(device);
    return CUDA_SUCCESS;
}
CUresult runtime_load(CUmodule* out, const void* image) { return cuModuleLoadData(out, image); }
CUresult runtime_load_with(CUmodule* out, const void* image, void* a, void* b, unsigned c) {
    return a == nullptr && b == nullptr && c == 0 ? cuModuleLoadData(out, image) : CUDA_ERROR_NOT_SUPPORTED;
}
CUresult runtime_load_fatbin(const void* image, CUmodule* out, void* a, void* b, unsigned c) {
    return runtime_load_with(out, image, a, b, c);
}
CUresult runtime_unload(CUmodule module) { return cuModuleUnload(module); }
CUresult runtime_load_compilers() {
    return CUDA_SUCCESS;
}  // the server's driver loads its own when it needs them

const Word* runtime_interface() {
    static const auto table = [] {
        auto t = sized_table<0, 13>();
        t[1] = word(runtime_load);
        t[2] = word(runtime_primary_context);
        t[6] = word(runtime_load_with);
        t[7] = word(runtime_unload);
        t[8] = word(runtime_load_fatbin);
        t[12] = word(runtime_load_compilers);
        return t;
    }();
    return table.data();
}

// ---- runtime hooks: switches that tools could set; no tool is attached, so all stay zero
// ---------------------------

constexpr size_t kRuntimeCallbacks = 4096;
constexpr size_t kDomainEvents = 64;
std::array<uint32_t, kRuntimeCallbacks> g_callback_enabled{};
std::array<uint32_t, kDomainEvents> g_event_enabled{};

CUresult callback_switches(uint32_t** flags, size_t* count) {
    *flags = g_callback_enabled.data();
    *count = g_callback_enabled.size();
    return CUDA_SUCCESS;
}
CUresult event_switches(uint32_t** flags, size_t* count) {
    *flags = g_event_enabled.data();
    *count = g_event_enabled.size();
    return CUDA_SUCCESS;
}

const Word* runtime_hooks() {
    static const auto table = [] {
        auto t = sized_table<1, 7>();
        t[2] = word(callback_switches);
        t[6] = word(event_switches);
        return t;
    }();
    return table.data();
}

// ---- contexts
// ------------------------------------------------------------------------------------------------------

CUresult tls_current_context(CUcontext* out) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = current_context();
    return CUDA_SUCCESS;
}

const Word* tools_tls() {
    static const auto table = [] {
        auto t = sized_table<2, 4>();
        t[2] = word(tls_current_context);
        return t;
    }();
    return table.data();
}

CUresult put_in_context(CUcontext context, void* key, void* value, StorageDestructor destructor) {
    return storage_put(context, key, value, destructor);
}
CUresult delete_from_context(CUcontext context, void* key) { return storage_delete(context, key); }
CUresult get_from_context(void** value, CUcontext context, void* key) {
    return storage_get(context, key, value);
}

const Word* context_storage() {
    // No size word: three functions and an end.
    static const std::array<Word, 4> table = {word(put_in_context), word(delete_from_context),
                                              word(get_from_context), 0};
    return table.data();
}

CUresult unwrap_context(CUcontext, uint32_t* kind, CUcontext*) {
    if (kind == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *kind = 0;  // an ordinary context: there is nothing underneath
    return CUDA_SUCCESS;
}
uint32_t checks_flag() { return 0; }

const Word* context_checks() {
    static const auto table = [] {
        auto t = sized_table<3, 15>();
        t[2] = word(unwrap_context);
        t[3] = word(checks_flag);
        return t;
    }();
    return table.data();
}

CUresult context_number(CUcontext context, uint64_t* id) {
    if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *id = context == nullptr ? 0 : id_of(context);
    return CUDA_SUCCESS;
}

// Two slots that cuBLAS asks for on behalf of cuSOLVER; what they mean is not documented, what callers accept
// is: no value for 39, and an object of 512 zero bytes for 51.
CUresult context_number_39(void*, void*, uint64_t* out) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = 0;
    return CUDA_SUCCESS;
}
CUresult context_object(void*, intptr_t which, void** out) {
    alignas(64) static std::array<uint8_t, 512> object{};
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (which == -1) return CUDA_ERROR_INVALID_HANDLE;
    *out = object.data();
    return CUDA_SUCCESS;
}

const Word* context_tools() {
    static const auto table = [] {
        auto t = sized_table<4, 95>();
        t[4] = word(context_number);
        t[39] = word(context_number_39);
        t[51] = word(context_object);
        return t;
    }();
    return table.data();
}

// ---- modules
// ---------------------------------------------------------------------------------------------------------

// 1 on success: its one caller takes everything else for an internal error.
int each_function(CUcontext, CUmodule module, void (*visit)(void*, CUfunction, void*), void* user) {
    unsigned count = 0;
    if (visit == nullptr) return 0;
    // The generated half asks the server for the number; the list brings every function's facts along.
    if (remote::cuModuleGetFunctionCount(&count, module) != CUDA_SUCCESS) return 0;
    std::vector<CUfunction> functions(count);
    if (count != 0 && cuModuleEnumerateFunctions(functions.data(), count, module) != CUDA_SUCCESS) return 0;
    for (CUfunction f : functions) visit(user, f, nullptr);
    return 1;
}

const Word* module_tools() {
    static const auto table = [] {
        auto t = sized_table<5, 99>();
        t[7] = word(each_function);
        return t;
    }();
    return table.data();
}

// ---- cluster: a map of the chip that only the server's driver has; an error is handled by its callers
// ------------------

CUresult chip_map(uint8_t**, void**) { return CUDA_ERROR_NOT_SUPPORTED; }
CUresult free_chip_map(void*, void*) { return CUDA_SUCCESS; }

const Word* cluster() {
    static const auto table = [] {
        auto t = sized_table<6, 17>();
        t[4] = word(chip_map);
        t[13] = word(free_chip_map);
        return t;
    }();
    return table.data();
}

// ---- integrity
// ---------------------------------------------------------------------------------------------------------

CUresult check_integrity(uint32_t version, uint64_t seconds, uint64_t* result);

const Word* integrity() {
    static const std::array<Word, 3> table = {3 * sizeof(Word), word(check_integrity), 0};
    return table.data();
}

CUresult check_integrity(uint32_t version, uint64_t seconds, uint64_t* result) {
    if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
    IntegrityQuestion q;
    q.driver_version = static_cast<uint32_t>(driver_version());
    q.version = version;
    q.process = static_cast<uint32_t>(getpid());
    q.thread = static_cast<uint32_t>(pthread_self());
    q.runtime_table = reinterpret_cast<uint64_t>(runtime_interface());
    q.integrity_table = reinterpret_cast<uint64_t>(integrity());
    q.integrity_function = integrity()[1];
    q.seconds = seconds;
    for (CUdevice d = 0; d < device_count(); ++d) {
        q.devices.push_back({device_facts(d)->uuid, attribute_of(d, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID),
                             attribute_of(d, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID),
                             attribute_of(d, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID)});
    }
    const Digest answer = integrity_answer(q);
    memcpy(result, answer.data(), answer.size());
    return CUDA_SUCCESS;
}

// ---- log sink
// ------------------------------------------------------------------------------------------------------------

void log_from_runtime(const char* component, int code, const char* format, va_list arguments) {
    if (format == nullptr) return;
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    BF_LOG("client", kInfo, "%s: %s (%d)", component != nullptr ? component : "?", text, code);
}

const Word* log_sink() {
    static const std::array<Word, 3> table = {3 * sizeof(Word), word(log_from_runtime), 0};
    return table.data();
}

// ---- compute cache: slots and arguments as NVRTC 13.0 was seen to use them against the driver 580
// ---------------------------------------------------------------------------------------------------------

struct CachedCompilation {
    ComputeCache::Key key;
};

CUresult cache_open(CachedCompilation** out, uint32_t kind, const void* source, size_t bytes,
                    const char* options, const char* compiler, const char* built, uint32_t architecture) {
    if (out == nullptr || (source == nullptr && bytes != 0)) return CUDA_ERROR_INVALID_VALUE;
    *out = nullptr;
    if (compute_cache() == nullptr)
        return CUDA_ERROR_NOT_INITIALIZED;  // the driver's answer when it is disabled
    const auto text = [](const char* t) { return t != nullptr ? std::string_view(t) : std::string_view(); };
    const std::string numbers = std::to_string(kind) + " " + std::to_string(architecture);
    const std::array<std::string_view, 5> parts{
        numbers, {static_cast<const char*>(source), bytes}, text(options), text(compiler), text(built)};
    *out = std::make_unique<CachedCompilation>(CachedCompilation{ComputeCache::key_of(parts)}).release();
    return CUDA_SUCCESS;
}
CUresult cache_close(CachedCompilation* one) {
    if (one == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const std::unique_ptr<CachedCompilation> owned(one);
    return CUDA_SUCCESS;
}
ComputeCache::Key key_of_output(const CachedCompilation& one, uint32_t index) {
    const std::array<std::string_view, 2> parts{
        std::string_view(reinterpret_cast<const char*>(one.key.data()), one.key.size()),
        std::string_view(reinterpret_cast<const char*>(&index), sizeof index)};
    return ComputeCache::key_of(parts);
}
CUresult cache_find(CachedCompilation* one, uint32_t index, void** data, uint32_t* bytes) {
    if (one == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (data == nullptr || bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto found = compute_cache()->find(key_of_output(*one, index));
    if (!found) return CUDA_ERROR_NOT_FOUND;
    std::unique_ptr<void, decltype(&free)> copy(malloc(std::max<size_t>(found->size(), 1)), &free);
    if (copy == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    memcpy(copy.get(), found->data(), found->size());
    *bytes = static_cast<uint32_t>(found->size());
    *data = copy.release();  // the caller's, until it calls cache_release
    return CUDA_SUCCESS;
}
CUresult cache_keep(CachedCompilation* one, uint32_t index, const void* data, uint32_t bytes) {
    if (one == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (data == nullptr) return CUDA_ERROR_INVALID_VALUE;
    compute_cache()->keep(key_of_output(*one, index), {static_cast<const uint8_t*>(data), bytes});
    return CUDA_SUCCESS;
}
CUresult cache_release(void* data) {
    free(data);
    return CUDA_SUCCESS;
}

const Word* compute_cache_table() {
    static const auto table = [] {
        auto t = sized_table<7, 7>();
        t[1] = word(cache_open);
        t[2] = word(cache_close);
        t[3] = word(cache_find);
        t[4] = word(cache_keep);
        t[6] = word(cache_release);
        return t;
    }();
    return table.data();
}

struct Known {
    std::array<uint8_t, 16> id;
    const Word* (*table)();
};

constexpr Known kKnown[] = {
    {{0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9},
     runtime_interface},
    {{0xa0, 0x94, 0x79, 0x8c, 0x2e, 0x74, 0x2e, 0x74, 0x93, 0xf2, 0x08, 0x00, 0x20, 0x0c, 0x0a, 0x66},
     runtime_hooks},
    {{0x42, 0xd8, 0x5a, 0x81, 0x23, 0xf6, 0xcb, 0x47, 0x82, 0x98, 0xf6, 0xe7, 0x8a, 0x3a, 0xec, 0xdc},
     tools_tls},
    {{0xc6, 0x93, 0x33, 0x6e, 0x11, 0x21, 0xdf, 0x11, 0xa8, 0xc3, 0x68, 0xf3, 0x55, 0xd8, 0x95, 0x93},
     context_storage},
    {{0x26, 0x3e, 0x88, 0x60, 0x7c, 0xd2, 0x61, 0x43, 0x92, 0xf6, 0xbb, 0xd5, 0x00, 0x6d, 0xfa, 0x7e},
     context_checks},
    {{0xd4, 0x08, 0x20, 0x55, 0xbd, 0xe6, 0x70, 0x4b, 0x8d, 0x34, 0xba, 0x12, 0x3c, 0x66, 0xe1, 0xf2},
     integrity},
    {{0xf8, 0xcf, 0xf9, 0x51, 0x21, 0x46, 0x8b, 0x4e, 0xb9, 0xe2, 0xfb, 0x46, 0x9e, 0x7c, 0x0d, 0xd9},
     log_sink},
    {{0x21, 0x31, 0x8c, 0x60, 0x97, 0x14, 0x32, 0x48, 0x8c, 0xa6, 0x41, 0xff, 0x73, 0x24, 0xc8, 0xf2},
     context_tools},
    {{0x6e, 0x16, 0x3f, 0xbe, 0xb9, 0x58, 0x44, 0x4d, 0x83, 0x5c, 0xe1, 0x82, 0xaf, 0xf1, 0x99, 0x1e},
     module_tools},
    {{0x17, 0x34, 0xdc, 0x26, 0x80, 0x0d, 0x47, 0x45, 0x87, 0x26, 0xc0, 0xf1, 0xe7, 0xdd, 0x8b, 0xca},
     cluster},
    {{0xda, 0x91, 0x51, 0xd3, 0x3a, 0xe6, 0xcc, 0x41, 0xa5, 0xc0, 0x4f, 0x26, 0xd5, 0x33, 0xe3, 0x28},
     compute_cache_table},
};

}  // namespace

CUresult cuGetExportTable(const void** ppExportTable, const CUuuid* pExportTableId) {
    if (ppExportTable == nullptr || pExportTableId == nullptr) return CUDA_ERROR_INVALID_VALUE;
    for (const Known& known : kKnown) {
        if (memcmp(known.id.data(), pExportTableId->bytes, known.id.size()) == 0) {
            *ppExportTable = known.table();
            return CUDA_SUCCESS;
        }
    }
    *ppExportTable = nullptr;
    const auto* b = reinterpret_cast<const uint8_t*>(pExportTableId->bytes);
    BF_LOG("client", kInfo, "%s asks for the private table %02x%02x%02x%02x-..., which is not served",
           calling_library(), b[0], b[1], b[2], b[3]);
    return CUDA_ERROR_INVALID_VALUE;
}

}  // namespace bitfusion::client
