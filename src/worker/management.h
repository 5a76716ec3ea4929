// Management: readings of the GPUs from NVIDIA's management library (NVML), opened by name at run time; its
// public functions are declared here by their documented C signatures. One thread.
#pragma once

#include <optional>
#include <string>

namespace bitfusion::worker {

class Management {
  public:
    struct Reading {
        std::optional<unsigned> memory_used_mib;
        std::optional<unsigned> temperature_c;
        std::optional<unsigned> fan_percent;
        std::optional<unsigned> power_w;
        std::optional<unsigned> power_limit_w;
        std::optional<unsigned> utilization_percent;
        std::optional<std::string> performance_state;
        std::optional<bool> persistence;
        std::optional<unsigned long long> ecc_errors;
        std::optional<std::string> compute_mode;
    };

    // Nothing when the library is not here or does not start.
    static std::optional<Management> open();

    std::string driver_version() const;
    std::optional<unsigned> count() const;    // GPUs that it sees
    std::optional<int> cuda_version() const;  // of the driver that it belongs to, 13000
    // The GPU at this PCI address ("00000000:65:00.0").
    Reading read(const std::string& pci) const;

  private:
    explicit Management(void* library) : library_(library) {}
    template <typename F>
    F* function(const char* name) const;

    void* library_;
};

}  // namespace bitfusion::worker
