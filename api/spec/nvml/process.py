"""Who uses a GPU, and accounting."""

fn("nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int length)", local())
fn("""nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *infoCount,
   nvmlProcessInfo_t *infos)""",
   local())
fn("""nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned int *infoCount,
   nvmlProcessInfo_t *infos)""",
   local())
fn("""nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *infoCount,
   nvmlProcessInfo_t *infos)""",
   local())
fn("nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device, nvmlProcessDetailList_t *plist)",
   refused("no history is kept for clients"))
fn("""nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, nvmlSamplingType_t type, unsigned long long
   lastSeenTimeStamp, nvmlValueType_t *sampleValType, unsigned int *sampleCount, nvmlSample_t *samples)""",
   refused("no history is kept for clients"))
fn("nvmlReturn_t nvmlDeviceGetAccountingMode(nvmlDevice_t device, nvmlEnableState_t *mode)",
   snapshot("reading"), mode_=out())
fn("nvmlReturn_t nvmlDeviceGetAccountingStats(nvmlDevice_t device, unsigned int pid, nvmlAccountingStats_t *stats)",
   refused("no history is kept for clients"))
fn("nvmlReturn_t nvmlDeviceGetAccountingPids(nvmlDevice_t device, unsigned int *count, unsigned int *pids)",
   refused("no history is kept for clients"))
fn("nvmlReturn_t nvmlDeviceGetAccountingBufferSize(nvmlDevice_t device, unsigned int *bufferSize)",
   snapshot("reading"), bufferSize=out())
fn("nvmlReturn_t nvmlDeviceGetAccountingStats_v2(nvmlDevice_t device, nvmlAccountingStats_v2_t *stats)",
   refused("no history is kept for clients"))
fn("""nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t
   *utilization, unsigned int *processSamplesCount, unsigned long long lastSeenTimeStamp)""",
   refused("no history is kept for clients"))
fn("""nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device, nvmlProcessesUtilizationInfo_t
   *procesesUtilInfo)""",
   refused("no history is kept for clients"))
fn("nvmlReturn_t nvmlDeviceSetAccountingMode(nvmlDevice_t device, nvmlEnableState_t mode)", forbidden())
fn("nvmlReturn_t nvmlDeviceClearAccountingPids(nvmlDevice_t device)", forbidden())
fn("""nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned int *infoCount,
   nvmlProcessInfo_v1_t *infos)""",
   local())
fn("""nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int *infoCount,
   nvmlProcessInfo_v2_t *infos)""",
   local())
fn("""nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses(nvmlDevice_t device, unsigned int *infoCount,
   nvmlProcessInfo_v1_t *infos)""",
   local())
fn("""nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t device, unsigned int *infoCount,
   nvmlProcessInfo_v2_t *infos)""",
   local())
fn("""nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses(nvmlDevice_t device, unsigned int *infoCount,
   nvmlProcessInfo_v1_t *infos)""",
   local())
fn("""nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int *infoCount,
   nvmlProcessInfo_v2_t *infos)""",
   local())
