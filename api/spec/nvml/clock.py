"""Clocks."""

fn("nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock)",
   snapshot("reading"), type=each(4), clock=out())
fn("nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock)",
   snapshot("facts"), type=each(4), clock=out())
fn("nvmlReturn_t nvmlDeviceGetGpcClkVfOffset(nvmlDevice_t device, int *offset)",
   refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceGetApplicationsClock(nvmlDevice_t device, nvmlClockType_t clockType, unsigned int
   *clockMHz)""",
   snapshot("reading"), clockType=each(4), clockMHz=out())
fn("""nvmlReturn_t nvmlDeviceGetDefaultApplicationsClock(nvmlDevice_t device, nvmlClockType_t clockType, unsigned
   int *clockMHz)""",
   snapshot("facts"), clockType=each(4), clockMHz=out())
fn("""nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t clockType, nvmlClockId_t clockId,
   unsigned int *clockMHz)""",
   snapshot("reading"), clockType=each(4), clockId=each(4), clockMHz=out())
fn("""nvmlReturn_t nvmlDeviceGetMaxCustomerBoostClock(nvmlDevice_t device, nvmlClockType_t clockType, unsigned int
   *clockMHz)""",
   snapshot("facts"), clockType=each(4), clockMHz=out())
fn("""nvmlReturn_t nvmlDeviceGetSupportedMemoryClocks(nvmlDevice_t device, unsigned int *count, unsigned int
   *clocksMHz)""",
   snapshot("facts"), clocksMHz=out_list("count", 64))
fn("""nvmlReturn_t nvmlDeviceGetSupportedGraphicsClocks(nvmlDevice_t device, unsigned int memoryClockMHz, unsigned
   int *count, unsigned int *clocksMHz)""",
   local())
fn("""nvmlReturn_t nvmlDeviceGetAutoBoostedClocksEnabled(nvmlDevice_t device, nvmlEnableState_t *isEnabled,
   nvmlEnableState_t *defaultIsEnabled)""",
   snapshot("reading"), isEnabled=out(), defaultIsEnabled=out())
fn("""nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long
   *clocksThrottleReasons)""",
   snapshot("reading"), clocksThrottleReasons=out())
fn("""nvmlReturn_t nvmlDeviceGetSupportedClocksThrottleReasons(nvmlDevice_t device, unsigned long long
   *supportedClocksThrottleReasons)""",
   snapshot("facts"), supportedClocksThrottleReasons=out())
fn("nvmlReturn_t nvmlDeviceGetMemClkVfOffset(nvmlDevice_t device, int *offset)",
   refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceGetMinMaxClockOfPState(nvmlDevice_t device, nvmlClockType_t type, nvmlPstates_t
   pstate, unsigned int *minClockMHz, unsigned int *maxClockMHz)""",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetGpcClkMinMaxVfOffset(nvmlDevice_t device, int *minOffset, int *maxOffset)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetMemClkMinMaxVfOffset(nvmlDevice_t device, int *minOffset, int *maxOffset)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetClockOffsets(nvmlDevice_t device, nvmlClockOffset_t *info)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceSetClockOffsets(nvmlDevice_t device, nvmlClockOffset_t *info)", forbidden())
fn("""nvmlReturn_t nvmlDeviceGetCurrentClockFreqs(nvmlDevice_t device, nvmlDeviceCurrentClockFreqs_t
   *currentClockFreqs)""",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetAdaptiveClockInfoStatus(nvmlDevice_t device, unsigned int *adaptiveClockStatus)",
   snapshot("reading"), adaptiveClockStatus=out())
fn("nvmlReturn_t nvmlDeviceGetClkMonStatus(nvmlDevice_t device, nvmlClkMonStatus_t *status)",
   snapshot("health"), status=out())
fn("""nvmlReturn_t nvmlDeviceSetGpuLockedClocks(nvmlDevice_t device, unsigned int minGpuClockMHz, unsigned int
   maxGpuClockMHz)""",
   forbidden())
fn("nvmlReturn_t nvmlDeviceResetGpuLockedClocks(nvmlDevice_t device)", forbidden())
fn("""nvmlReturn_t nvmlDeviceSetMemoryLockedClocks(nvmlDevice_t device, unsigned int minMemClockMHz, unsigned int
   maxMemClockMHz)""",
   forbidden())
fn("nvmlReturn_t nvmlDeviceResetMemoryLockedClocks(nvmlDevice_t device)", forbidden())
fn("""nvmlReturn_t nvmlDeviceSetApplicationsClocks(nvmlDevice_t device, unsigned int memClockMHz, unsigned int
   graphicsClockMHz)""",
   forbidden())
fn("nvmlReturn_t nvmlDeviceResetApplicationsClocks(nvmlDevice_t device)", forbidden())
fn("nvmlReturn_t nvmlDeviceSetAutoBoostedClocksEnabled(nvmlDevice_t device, nvmlEnableState_t enabled)", forbidden())
fn("""nvmlReturn_t nvmlDeviceSetDefaultAutoBoostedClocksEnabled(nvmlDevice_t device, nvmlEnableState_t enabled,
   unsigned int flags)""",
   forbidden())
fn("nvmlReturn_t nvmlDeviceSetGpcClkVfOffset(nvmlDevice_t device, int offset)", forbidden())
fn("nvmlReturn_t nvmlDeviceSetMemClkVfOffset(nvmlDevice_t device, int offset)", forbidden())
