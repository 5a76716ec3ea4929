"""What libnvidia-ml.so.1 asks of its worker: whole groups of api/spec/nvml at once (src/nvml, src/worker/monitor.cpp)."""

message("MonitorOpen", "call", "", "i32 result, u32 devices",
        doc="First message of a session that only watches: starts the server's NVML and counts the lease's devices, which it orders by PCI "
            "address. `result` is an nvmlReturn_t.")
message("MonitorRead", "call", "u32 group, u32 device, u32 other", "i32 result, bytes rows",
        doc="All answers of one group (MonitorGroup) for a device, or for a pair of devices, as rows (wire/rows.h).")
message("MonitorMemory", "call", "u32 device", "i32 result, u64 total, u64 used, u64 reserved, bytes processes",
        doc="Memory of the partition in bytes, and which programs of the lease use it (wire/rows.h).")
message("MonitorFields", "call", "u32 device, bytes asked", "i32 result, bytes values",
        doc="nvmlDeviceGetFieldValues: an array of nvmlFieldValue_t with field and scope filled in; the same array with answers.")
message("MonitorClocks", "call", "u32 device, u32 memory_clock", "i32 result, bytes clocks",
        doc="nvmlDeviceGetSupportedGraphicsClocks: the graphics clocks that go with a memory clock, in MHz, one u32 each.")
