#include "worker/monitor.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/log.h"
#include "worker/census.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

constexpr uint64_t kNotAvailable = ~uint64_t{0};  // NVML_VALUE_NOT_AVAILABLE
constexpr size_t kUsualProcesses = 64;
constexpr size_t kMostProcesses = 65536;
constexpr size_t kMostFields = 1024;  // NVML has about 300 field ids
constexpr size_t kMostClocks = 1024;  // a GPU has about 150 steps

}  // namespace

nvmlReturn_t Monitor::start(const Session& s) {
    if (tried_) return result_;
    tried_ = true;
    Status opened = open_ ? open_(&table_) : fail("this worker has no NVML; see 'bitfusion smi'");
    if (!opened) {
        BF_LOG("worker", kWarn, "%s", opened.error().what.c_str());
        return result_ = NVML_ERROR_LIBRARY_NOT_FOUND;
    }
    std::vector<std::pair<std::string, Device>> found;
    for (size_t i = 0; i < s.grant.devices.size(); ++i) {
        char pci[64] = "";
        nvmlDevice_t handle = nullptr;
        if (s.driver.cuDeviceGetPCIBusId(pci, sizeof pci, s.grant.devices[i]) != CUDA_SUCCESS ||
            table_.nvmlDeviceGetHandleByPciBusId_v2(pci, &handle) != NVML_SUCCESS) {
            BF_LOG("worker", kWarn, "NVML does not know GPU %d (%s); look at 'nvidia-smi' on the server",
                   s.grant.devices[i], pci);
            continue;
        }
        found.push_back({pci, {handle, static_cast<int>(i)}});
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [pci, device] : found) devices_.push_back(device);
    return result_ = NVML_SUCCESS;
}

std::vector<uint8_t> Monitor::read(MonitorGroup group, size_t device, size_t other) const {
    wire::RowWriter rows;
    const bool of_devices = group != MonitorGroup::kSystem;
    read_rows(table_, group, of_devices ? devices_[device].handle : nullptr,
              group == MonitorGroup::kPair ? devices_[other].handle : nullptr, &rows);
    return rows.bytes();
}

Monitor::Memory Monitor::memory(Session& s, size_t device) const {
    const int gpu = devices_[device].of_lease;
    s.overhead.look(gpu);
    Memory m;
    nvmlMemory_v2_t board{};
    board.version = sizeof board | 2u << 24;
    m.result = NVML_ERROR_NOT_SUPPORTED;
    if (table_.nvmlDeviceGetMemoryInfo_v2 != nullptr)
        m.result = table_.nvmlDeviceGetMemoryInfo_v2(devices_[device].handle, &board);
    if (m.result != NVML_SUCCESS && table_.nvmlDeviceGetMemoryInfo != nullptr) {
        nvmlMemory_t older{};
        m.result = table_.nvmlDeviceGetMemoryInfo(devices_[device].handle, &older);
        board.total = older.total;
        board.used = older.used;
    }
    if (m.result != NVML_SUCCESS) return m;
    m.total = board.total;
    m.used = board.used;
    m.reserved = board.reserved;
    // Of a shared GPU the program sees its partition alone. A software GPU lies in each worker by itself: the
    // lease's sum is what is used of it.
    if (s.memory.partition() != 0 || s.grant.backend == "soft") {
        if (s.memory.partition() != 0) m.total = std::min(m.total, s.memory.partition());
        m.used = std::min(s.memory.used(gpu), m.total);
        m.reserved = 0;
    }
    m.processes =
        wire::encode(census_ != nullptr ? census_->processes(gpu, taken_by_processes(devices_[device].handle))
                                        : std::vector<wire::ProcessFact>{});
    return m;
}

std::map<uint32_t, uint64_t> Monitor::taken_by_processes(nvmlDevice_t device) const {
    std::map<uint32_t, uint64_t> taken;
    if (table_.nvmlDeviceGetComputeRunningProcesses_v3 == nullptr) return taken;
    std::vector<nvmlProcessInfo_t> processes(kUsualProcesses);
    nvmlReturn_t result = NVML_ERROR_INSUFFICIENT_SIZE;
    while (result == NVML_ERROR_INSUFFICIENT_SIZE && processes.size() <= kMostProcesses) {
        auto count = static_cast<unsigned>(processes.size());
        result = table_.nvmlDeviceGetComputeRunningProcesses_v3(device, &count, processes.data());
        processes.resize(result == NVML_SUCCESS ? std::min<size_t>(count, processes.size())
                                                : processes.size() * 4);
    }
    if (result != NVML_SUCCESS) return taken;
    for (const nvmlProcessInfo_t& process : processes) {
        // Those of another pid namespace are listed without a number.
        if (process.usedGpuMemory != kNotAvailable) taken[process.pid] += process.usedGpuMemory;
    }
    return taken;
}

std::optional<uint64_t> Monitor::taken(const Session& s, int gpu) {
    if (start(s) != NVML_SUCCESS) return std::nullopt;
    const auto device =
        std::find_if(devices_.begin(), devices_.end(), [&](const Device& d) { return d.of_lease == gpu; });
    if (device == devices_.end()) return std::nullopt;
    const auto taken = taken_by_processes(device->handle);
    if (const auto own = taken.find(static_cast<uint32_t>(getpid())); own != taken.end()) return own->second;
    if (!s.has_context_on(gpu)) return 0;
    if (!std::exchange(hidden_said_, true)) {
        BF_LOG(
            "worker", kWarn,
            "NVML does not list this process, so contexts and code are not counted against the partition; a "
            "server in a container needs the host's pid namespace");
    }
    return std::nullopt;
}

nvmlReturn_t Monitor::fields(size_t device, std::vector<nvmlFieldValue_t>* values) const {
    if (table_.nvmlDeviceGetFieldValues == nullptr) return NVML_ERROR_NOT_SUPPORTED;
    return table_.nvmlDeviceGetFieldValues(devices_[device].handle, static_cast<int>(values->size()),
                                           values->data());
}

nvmlReturn_t Monitor::graphics_clocks(size_t device, unsigned memory_clock,
                                      std::vector<unsigned>* clocks) const {
    if (table_.nvmlDeviceGetSupportedGraphicsClocks == nullptr) return NVML_ERROR_NOT_SUPPORTED;
    auto count = static_cast<unsigned>(clocks->size());
    const nvmlReturn_t result = table_.nvmlDeviceGetSupportedGraphicsClocks(
        devices_[device].handle, memory_clock, &count, clocks->data());
    clocks->resize(std::min<size_t>(count, clocks->size()));
    return result;
}

void serve(Session& s, const Frame& frame, const msg::MonitorOpen&) {
    msg::MonitorOpen::Reply reply;
    reply.result = s.monitor.start(s);
    reply.devices = static_cast<uint32_t>(s.monitor.devices());
    BF_LOG("worker", kInfo, "program %s (pid %u on the client) watches %u devices", s.grant.program.c_str(),
           s.grant.process, reply.devices);
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

void serve(Session& s, const Frame& frame, const msg::MonitorRead& m) {
    if (m.group >= kMonitorGroups) return s.peer_is_wrong(frame, "group");
    const auto group = static_cast<MonitorGroup>(m.group);
    msg::MonitorRead::Reply reply;
    reply.result = s.monitor.start(s);
    std::vector<uint8_t> rows;
    if (reply.result == NVML_SUCCESS) {
        if (group != MonitorGroup::kSystem && m.device >= s.monitor.devices())
            return s.peer_is_wrong(frame, "device");
        if (group == MonitorGroup::kPair && m.other >= s.monitor.devices())
            return s.peer_is_wrong(frame, "other");
        rows = s.monitor.read(group, m.device, m.other);
    }
    reply.rows = rows;
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

void serve(Session& s, const Frame& frame, const msg::MonitorMemory& m) {
    msg::MonitorMemory::Reply reply;
    reply.result = s.monitor.start(s);
    Monitor::Memory memory;
    if (reply.result == NVML_SUCCESS) {
        if (m.device >= s.monitor.devices()) return s.peer_is_wrong(frame, "device");
        memory = s.monitor.memory(s, m.device);
        reply.result = memory.result;
        reply.total = memory.total;
        reply.used = memory.used;
        reply.reserved = memory.reserved;
    }
    reply.processes = memory.processes;
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

void serve(Session& s, const Frame& frame, const msg::MonitorFields& m) {
    const size_t count = m.asked.size() / sizeof(nvmlFieldValue_t);
    if (m.asked.size() % sizeof(nvmlFieldValue_t) != 0 || count == 0 || count > kMostFields)
        return s.peer_is_wrong(frame, "asked");
    msg::MonitorFields::Reply reply;
    reply.result = s.monitor.start(s);
    std::vector<nvmlFieldValue_t> values(count);
    if (reply.result == NVML_SUCCESS) {
        if (m.device >= s.monitor.devices()) return s.peer_is_wrong(frame, "device");
        memcpy(values.data(), m.asked.data(), m.asked.size());
        reply.result = s.monitor.fields(m.device, &values);
    }
    reply.values = {reinterpret_cast<const uint8_t*>(values.data()), count * sizeof values[0]};
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

void serve(Session& s, const Frame& frame, const msg::MonitorClocks& m) {
    msg::MonitorClocks::Reply reply;
    reply.result = s.monitor.start(s);
    std::vector<unsigned> clocks(kMostClocks);
    if (reply.result == NVML_SUCCESS) {
        if (m.device >= s.monitor.devices()) return s.peer_is_wrong(frame, "device");
        reply.result = s.monitor.graphics_clocks(m.device, m.memory_clock, &clocks);
    }
    if (reply.result == NVML_SUCCESS)
        reply.clocks = {reinterpret_cast<const uint8_t*>(clocks.data()), clocks.size() * sizeof clocks[0]};
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

}  // namespace bitfusion::worker
