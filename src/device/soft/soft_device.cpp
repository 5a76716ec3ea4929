#include "device/soft/soft_device.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "device/soft/array.h"
#include "device/soft/driver.h"
#include "device/soft/entry.h"
#include "device/soft/graph.h"
#include "device/soft/image_reference.h"
#include "device/soft/link.h"
#include "device/soft/memory_pool.h"
#include "device/soft/module.h"
#include "device/soft/serve.h"
#include "device/soft/virtual_memory.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr int kMostGpus = 64;
constexpr uint64_t kMostMemory = uint64_t{1} << 41;
// Where device addresses are wished to lie: below the libraries and above the heap of common programs.
constexpr uint64_t kFirstHint = uint64_t{0x2000} << 32;
constexpr uint64_t kHintStep = uint64_t{0x400} << 32;
// Addresses are cheap and fragmentation is not: each device has several times its memory in addresses.
constexpr uint64_t kAddressesPerByte = 8;
constexpr uint64_t kFewestAddresses = uint64_t{16} << 30;
constexpr uint64_t kFewestHostAddresses = uint64_t{64} << 30;
// Programs reserve far more than they map (PyTorch: the whole memory once per segment).
constexpr uint64_t kVirtualPerByte = 64;
constexpr uint64_t kMostVirtualAddresses = uint64_t{4} << 40;

uint64_t host_addresses() {
    struct sysinfo host {};
    const uint64_t memory = sysinfo(&host) == 0 ? uint64_t{host.totalram} * host.mem_unit : 0;
    const uint64_t wanted = std::max(kFewestHostAddresses, memory * 2);
    return (wanted + 4095) & ~uint64_t{4095};
}

uint64_t virtual_addresses(const SoftOptions& options) {
    const uint64_t wanted = options.memory_bytes * kVirtualPerByte;
    return (std::min(wanted, kMostVirtualAddresses) + kVirtualGranule - 1) & ~(kVirtualGranule - 1);
}

std::mutex g_open;
Driver* g_driver = nullptr;

Status check(const SoftOptions& options) {
    if (options.gpus < 0 || options.gpus > kMostGpus)
        return fail("software GPU: " + std::to_string(options.gpus) + " devices; ask for 0 to 64");
    if (options.memory_bytes < (uint64_t{1} << 20) || options.memory_bytes > kMostMemory)
        return fail("software GPU: memory must lie between 1 MiB and 2 TiB; change its size");
    if (options.cc_major < 5 || options.cc_major > 12 || options.cc_minor < 0 || options.cc_minor > 9)
        return fail("software GPU: compute capability must lie between 5.0 and 12.9; change it");
    return {};
}

Result<Driver*> make_driver(const SoftOptions& options) {
    auto host = Arena::reserve(kFirstHint, host_addresses(), 12);
    if (!host) return tl::unexpected(host.error());
    auto virtual_range = Arena::reserve(kFirstHint + kHintStep, virtual_addresses(options), 21);
    if (!virtual_range) return tl::unexpected(virtual_range.error());
    auto made = std::make_unique<Driver>(options, std::move(*host), std::move(*virtual_range));
    const uint64_t addresses =
        (std::max(kFewestAddresses, options.memory_bytes * kAddressesPerByte) + 4095) & ~uint64_t{4095};
    for (int i = 0; i < options.gpus; ++i) {
        auto arena = Arena::reserve(kFirstHint + kHintStep * static_cast<uint64_t>(2 + i), addresses, 9,
                                    SharedFile::make(SharedFile::Use::kDevice, i, addresses));
        if (!arena) return tl::unexpected(arena.error());
        made->gpus.push_back(std::make_unique<Gpu>(i, options, std::move(*arena)));
        made->gpus.back()->primary().handle = made->contexts.issue();
    }
    return made.release();
}

}  // namespace

Driver::Driver(const SoftOptions& chosen, std::unique_ptr<Arena> host, std::unique_ptr<Arena> virtual_range)
    : options(chosen),
      host_arena(std::move(host)),
      virtual_arena(std::move(virtual_range)),
      blocks((chosen.threads != 0 ? chosen.threads : std::max(1u, std::thread::hardware_concurrency())) - 1) {
}

Driver::~Driver() {
    captures.clear();
    graph_execs.clear();
    nodes.clear();
    graphs.clear();
    user_objects.clear();
    links.clear();
    functions.clear();
    kernels.clear();
    modules.clear();
    libraries.clear();
    texture_references.clear();
    surface_references.clear();
    arrays.clear();
    mipmapped_arrays.clear();
    pools.clear();
    for (const auto& gpu : gpus) {
        gpu->primary().context = nullptr;
        gpu->pools().fallback = nullptr;
        gpu->pools().current = nullptr;
    }
    events.clear();
    streams.clear();
    contexts.clear();
    memory.clear();
    physical.clear();
}

Driver& driver() { return *g_driver; }

void abandon_soft_work() {
    if (g_driver == nullptr) return;
    for (const auto& context : g_driver->contexts.all()) context->set_fault(CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

void close_soft_device() {
    const std::lock_guard lock(g_open);
    if (g_driver == nullptr) return;
    abandon_soft_work();
    for (const auto& context : g_driver->contexts.all()) tear_down(context);
    g_driver->scheduler.end();
    context_stack().clear();
    // Objects look for the driver while they end, so it can be found until the last has.
    std::unique_ptr<Driver>(g_driver).reset();
    g_driver = nullptr;
}

Status open_soft_device(const SoftOptions& options, DriverTable* table) {
    const std::lock_guard lock(g_open);
    if (g_driver == nullptr) {
        if (auto good = check(options); !good) return good;
        try {
            auto made = make_driver(options);
            if (!made) return tl::unexpected(made.error());
            g_driver = *made;
        } catch (const std::exception& thrown) {
            return fail(std::string("software GPU: ") + thrown.what() +
                        "; free memory or threads and try again");
        }
        BF_LOG("soft", kInfo, "software GPU: %d devices of %llu MiB, compute capability %d.%d", options.gpus,
               static_cast<unsigned long long>(options.memory_bytes >> 20), options.cc_major,
               options.cc_minor);
    } else if (!(g_driver->options == options)) {
        return fail("software GPU: already open with other options; use one set of options per process");
    }
    serve_arrays(table);
    serve_captures(table);
    serve_contexts(table);
    serve_copies(table);
    serve_copy_batches(table);
    serve_devices(table);
    serve_errors(table);
    serve_events(table);
    serve_functions(table);
    serve_graph_execs(table);
    serve_graph_memory(table);
    serve_graph_nodes(table);
    serve_graphs(table);
    serve_host_memory(table);
    serve_ipc(table);
    serve_launches(table);
    serve_libraries(table);
    serve_links(table);
    serve_managed_memory(table);
    serve_memory(table);
    serve_memory_pools(table);
    serve_memsets(table);
    serve_modules(table);
    serve_occupancy(table);
    serve_pointers(table);
    serve_shareable_handles(table);
    serve_streams(table);
    serve_stream_values(table);
    serve_texture_references(table);
    serve_textures(table);
    serve_user_objects(table);
    serve_conditionals(table);
    serve_virtual_memory(table);
    serve_earlier_variants(table);
    return {};
}

}  // namespace bitfusion::soft
