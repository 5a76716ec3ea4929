"""Power, energy, performance states and profiles."""

fn("nvmlReturn_t nvmlDeviceGetPerformanceState(nvmlDevice_t device, nvmlPstates_t *pState)",
   snapshot("reading"), pState=out())
fn("nvmlReturn_t nvmlDeviceGetPowerState(nvmlDevice_t device, nvmlPstates_t *pState)",
   snapshot("reading"), pState=out())
fn("""nvmlReturn_t nvmlDeviceGetDynamicPstatesInfo(nvmlDevice_t device, nvmlGpuDynamicPstatesInfo_t
   *pDynamicPstatesInfo)""",
   snapshot("reading"), pDynamicPstatesInfo=out())
fn("""nvmlReturn_t nvmlDeviceGetSupportedPerformanceStates(nvmlDevice_t device, nvmlPstates_t *pstates, unsigned
   int size)""",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetPerformanceModes(nvmlDevice_t device, nvmlDevicePerfModes_t *perfModes)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetPowerManagementMode(nvmlDevice_t device, nvmlEnableState_t *mode)",
   snapshot("reading"), mode_=out())
fn("nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned int *limit)",
   snapshot("reading"), limit=out())
fn("""nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *minLimit,
   unsigned int *maxLimit)""",
   snapshot("facts"), minLimit=out(), maxLimit=out())
fn("nvmlReturn_t nvmlDeviceGetPowerManagementDefaultLimit(nvmlDevice_t device, unsigned int *defaultLimit)",
   snapshot("facts"), defaultLimit=out())
fn("nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *power)", snapshot("reading"), power=out())
fn("""nvmlReturn_t nvmlDeviceGetPowerMizerMode_v1(nvmlDevice_t device, nvmlDevicePowerMizerModes_v1_t
   *powerMizerMode)""",
   refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceSetPowerMizerMode_v1(nvmlDevice_t device, nvmlDevicePowerMizerModes_v1_t
   *powerMizerMode)""",
   forbidden())
fn("nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *energy)",
   snapshot("reading"), energy=out())
fn("nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned int *limit)",
   snapshot("reading"), limit=out())
fn("""nvmlReturn_t nvmlDeviceGetViolationStatus(nvmlDevice_t device, nvmlPerfPolicyType_t perfPolicyType,
   nvmlViolationTime_t *violTime)""",
   snapshot("reading"), perfPolicyType=each(11), violTime=out())
fn("nvmlReturn_t nvmlDeviceGetPowerSource(nvmlDevice_t device, nvmlPowerSource_t *powerSource)",
   snapshot("reading"), powerSource=out())
fn("nvmlReturn_t nvmlDeviceSetPowerManagementLimit_v2(nvmlDevice_t device, nvmlPowerValue_v2_t *powerValue)",
   forbidden())
fn("nvmlReturn_t nvmlDeviceSetPowerManagementLimit(nvmlDevice_t device, unsigned int limit)", forbidden())
fn("""nvmlReturn_t nvmlDeviceWorkloadPowerProfileGetProfilesInfo(nvmlDevice_t device,
   nvmlWorkloadPowerProfileProfilesInfo_t *profilesInfo)""",
   refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(nvmlDevice_t device,
   nvmlWorkloadPowerProfileCurrentProfiles_t *currentProfiles)""",
   refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceWorkloadPowerProfileSetRequestedProfiles(nvmlDevice_t device,
   nvmlWorkloadPowerProfileRequestedProfiles_t *requestedProfiles)""",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceWorkloadPowerProfileClearRequestedProfiles(nvmlDevice_t device,
   nvmlWorkloadPowerProfileRequestedProfiles_t *requestedProfiles)""",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceWorkloadPowerProfileUpdateProfiles_v1(nvmlDevice_t device,
   nvmlWorkloadPowerProfileUpdateProfiles_v1_t *updateProfiles)""",
   forbidden())
fn("""nvmlReturn_t nvmlDevicePowerSmoothingActivatePresetProfile(nvmlDevice_t device, nvmlPowerSmoothingProfile_t
   *profile)""",
   forbidden())
fn("""nvmlReturn_t nvmlDevicePowerSmoothingUpdatePresetProfileParam(nvmlDevice_t device,
   nvmlPowerSmoothingProfile_t *profile)""",
   forbidden())
fn("nvmlReturn_t nvmlDevicePowerSmoothingSetState(nvmlDevice_t device, nvmlPowerSmoothingState_t *state)",
   forbidden())
