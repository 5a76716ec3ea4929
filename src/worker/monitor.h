// Monitor: what a client that reads NVML is told (api/spec/nvml, src/nvml): the server's NVML for the GPUs of
// the lease, and for their memory and programs the lease's own numbers. It needs no context and uses no
// device memory. One thread: the dispatch thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/result.h"
#include "monitor_rows.gen.h"
#include "nvml_table.gen.h"

namespace bitfusion::worker {

class Census;
class Session;

class Monitor {
  public:
    using Open = std::function<Status(ManagementTable*)>;

    // How to start the server's NVML; asked once, when a client first wants to watch.
    void open_with(Open open) { open_ = std::move(open); }
    void watch(Census* census) { census_ = census; }

    // Finds the devices of the lease, in order of their PCI addresses as NVML has them.
    nvmlReturn_t start(const Session& s);
    size_t devices() const { return devices_.size(); }

    // The devices must be below devices(); `other` counts for pairs only.
    std::vector<uint8_t> read(MonitorGroup group, size_t device, size_t other) const;

    struct Memory {
        nvmlReturn_t result = NVML_SUCCESS;
        uint64_t total = 0;
        uint64_t used = 0;
        uint64_t reserved = 0;
        std::vector<uint8_t> processes;
    };
    Memory memory(Session& s, size_t device) const;
    // Bytes of a GPU of the lease that this process takes in all; nothing: NVML does not say.
    std::optional<uint64_t> taken(const Session& s, int gpu);
    // `clocks` has the room for the most there may be, and gets as many as there are.
    nvmlReturn_t graphics_clocks(size_t device, unsigned memory_clock, std::vector<unsigned>* clocks) const;
    nvmlReturn_t fields(size_t device, std::vector<nvmlFieldValue_t>* values) const;

  private:
    struct Device {
        nvmlDevice_t handle;
        int of_lease;  // index in the grant
    };

    // Of all processes, as far as they can be seen from here; by their pid.
    std::map<uint32_t, uint64_t> taken_by_processes(nvmlDevice_t device) const;

    Open open_;
    bool tried_ = false;
    nvmlReturn_t result_ = NVML_ERROR_UNINITIALIZED;
    ManagementTable table_;
    std::vector<Device> devices_;
    Census* census_ = nullptr;
    bool hidden_said_ = false;
};

}  // namespace bitfusion::worker
