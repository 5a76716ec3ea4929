"""NVLink, NVSwitch fabric, C2C."""

fn("nvmlReturn_t nvmlDeviceGetC2cModeInfoV(nvmlDevice_t device, nvmlC2cModeInfo_v1_t *c2cModeInfo)",
   snapshot("facts"), c2cModeInfo=out())
fn("nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *gpuFabricInfo)",
   snapshot("links"), gpuFabricInfo=out())
fn("nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfoV_t *gpuFabricInfo)",
   snapshot("links"), gpuFabricInfo=versioned("nvmlGpuFabricInfo_v2_t:2,nvmlGpuFabricInfo_v3_t:3"))
fn("nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *isActive)",
   snapshot("links"), link=each(18), isActive=out())
fn("nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link, unsigned int *version)",
   snapshot("links"), link=each(18), version=out())
fn("""nvmlReturn_t nvmlDeviceGetNvLinkCapability(nvmlDevice_t device, unsigned int link, nvmlNvLinkCapability_t
   capability, unsigned int *capResult)""",
   snapshot("links"), link=each(18), capability=each(6), capResult=out())
fn("nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)",
   snapshot("links"), link=each(18), pci=out())
fn("""nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link,
   nvmlNvLinkErrorCounter_t counter, unsigned long long *counterValue)""",
   snapshot("links"), link=each(18), counter=each(5), counterValue=out())
fn("nvmlReturn_t nvmlDeviceResetNvLinkErrorCounters(nvmlDevice_t device, unsigned int link)", forbidden())
fn("""nvmlReturn_t nvmlDeviceSetNvLinkUtilizationControl(nvmlDevice_t device, unsigned int link, unsigned int
   counter, nvmlNvLinkUtilizationControl_t *control, unsigned int reset)""",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceGetNvLinkUtilizationControl(nvmlDevice_t device, unsigned int link, unsigned int
   counter, nvmlNvLinkUtilizationControl_t *control)""",
   refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceGetNvLinkUtilizationCounter(nvmlDevice_t device, unsigned int link, unsigned int
   counter, unsigned long long *rxcounter, unsigned long long *txcounter)""",
   refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceFreezeNvLinkUtilizationCounter(nvmlDevice_t device, unsigned int link, unsigned int
   counter, nvmlEnableState_t freeze)""",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceResetNvLinkUtilizationCounter(nvmlDevice_t device, unsigned int link, unsigned int
   counter)""",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link,
   nvmlIntNvLinkDeviceType_t *pNvLinkDeviceType)""",
   snapshot("links"), link=each(18), pNvLinkDeviceType=out())
fn("nvmlReturn_t nvmlDeviceSetNvLinkDeviceLowPowerThreshold(nvmlDevice_t device, nvmlNvLinkPowerThres_t *info)",
   forbidden())
fn("nvmlReturn_t nvmlSystemSetNvlinkBwMode(unsigned int nvlinkBwMode)", forbidden())
fn("nvmlReturn_t nvmlSystemGetNvlinkBwMode(unsigned int *nvlinkBwMode)", refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceGetNvlinkSupportedBwModes(nvmlDevice_t device, nvmlNvlinkSupportedBwModes_t
   *supportedBwMode)""",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetNvlinkBwMode(nvmlDevice_t device, nvmlNvlinkGetBwMode_t *getBwMode)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceSetNvlinkBwMode(nvmlDevice_t device, nvmlNvlinkSetBwMode_t *setBwMode)", forbidden())
fn("nvmlReturn_t nvmlDeviceGetNvLinkInfo(nvmlDevice_t device, nvmlNvLinkInfo_t *info)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)",
   local())
