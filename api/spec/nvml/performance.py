"""GPM: sampled performance counters."""

fn("nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *metricsGet)",
   refused("performance counters are not sampled for clients"))
fn("nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t gpmSample)",
   refused("performance counters are not sampled for clients"))
fn("nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *gpmSample)",
   refused("performance counters are not sampled for clients"))
fn("nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t gpmSample)",
   refused("performance counters are not sampled for clients"))
fn("nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int gpuInstanceId, nvmlGpmSample_t gpmSample)",
   refused("performance counters are not sampled for clients"))
fn("nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *gpmSupport)",
   refused("performance counters are not sampled for clients"))
fn("nvmlReturn_t nvmlGpmQueryIfStreamingEnabled(nvmlDevice_t device, unsigned int *state)",
   refused("performance counters are not sampled for clients"))
fn("nvmlReturn_t nvmlGpmSetStreamingEnabled(nvmlDevice_t device, unsigned int state)", forbidden())
