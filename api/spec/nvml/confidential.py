"""Confidential computing."""

fn("""nvmlReturn_t nvmlDeviceGetDramEncryptionMode(nvmlDevice_t device, nvmlDramEncryptionInfo_t *current,
   nvmlDramEncryptionInfo_t *pending)""",
   refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceSetDramEncryptionMode(nvmlDevice_t device, const nvmlDramEncryptionInfo_t
   *dramEncryption)""",
   forbidden())
fn("nvmlReturn_t nvmlSystemGetConfComputeCapabilities(nvmlConfComputeSystemCaps_t *capabilities)",
   snapshot("system"), capabilities=out())
fn("nvmlReturn_t nvmlSystemGetConfComputeState(nvmlConfComputeSystemState_t *state)", snapshot("system"), state=out())
fn("nvmlReturn_t nvmlDeviceGetConfComputeMemSizeInfo(nvmlDevice_t device, nvmlConfComputeMemSizeInfo_t *memInfo)",
   snapshot("reading"), memInfo=out())
fn("nvmlReturn_t nvmlSystemGetConfComputeGpusReadyState(unsigned int *isAcceptingWork)",
   snapshot("system"), isAcceptingWork=out())
fn("nvmlReturn_t nvmlDeviceGetConfComputeProtectedMemoryUsage(nvmlDevice_t device, nvmlMemory_t *memory)",
   refused("confidential computing ends at the server"))
fn("""nvmlReturn_t nvmlDeviceGetConfComputeGpuCertificate(nvmlDevice_t device, nvmlConfComputeGpuCertificate_t
   *gpuCert)""",
   refused("confidential computing ends at the server"))
fn("""nvmlReturn_t nvmlDeviceGetConfComputeGpuAttestationReport(nvmlDevice_t device,
   nvmlConfComputeGpuAttestationReport_t *gpuAtstReport)""",
   refused("confidential computing ends at the server"))
fn("""nvmlReturn_t nvmlSystemGetConfComputeKeyRotationThresholdInfo(nvmlConfComputeGetKeyRotationThresholdInfo_t
   *pKeyRotationThrInfo)""",
   refused("confidential computing ends at the server"))
fn("nvmlReturn_t nvmlDeviceSetConfComputeUnprotectedMemSize(nvmlDevice_t device, unsigned long long sizeKiB)",
   forbidden())
fn("nvmlReturn_t nvmlSystemSetConfComputeGpusReadyState(unsigned int isAcceptingWork)", forbidden())
fn("""nvmlReturn_t nvmlSystemSetConfComputeKeyRotationThresholdInfo(nvmlConfComputeSetKeyRotationThresholdInfo_t
   *pKeyRotationThrInfo)""",
   forbidden())
fn("nvmlReturn_t nvmlSystemGetConfComputeSettings(nvmlSystemConfComputeSettings_t *settings)",
   snapshot("system"), settings=versioned("nvmlSystemConfComputeSettings_v1_t:1"))
