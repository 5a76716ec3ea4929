"""Virtual GPUs."""

fn("nvmlReturn_t nvmlDeviceGetHostVgpuMode(nvmlDevice_t device, nvmlHostVgpuMode_t *pHostVgpuMode)",
   snapshot("facts"), pHostVgpuMode=out())
fn("""nvmlReturn_t nvmlDeviceGetVgpuHeterogeneousMode(nvmlDevice_t device, nvmlVgpuHeterogeneousMode_t
   *pHeterogeneousMode)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceSetVgpuHeterogeneousMode(nvmlDevice_t device, const nvmlVgpuHeterogeneousMode_t
   *pHeterogeneousMode)""",
   forbidden())
fn("""nvmlReturn_t nvmlVgpuInstanceGetPlacementId(nvmlVgpuInstance_t vgpuInstance, nvmlVgpuPlacementId_t
   *pPlacement)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetVgpuTypeSupportedPlacements(nvmlDevice_t device, nvmlVgpuTypeId_t vgpuTypeId,
   nvmlVgpuPlacementList_t *pPlacementList)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetVgpuTypeCreatablePlacements(nvmlDevice_t device, nvmlVgpuTypeId_t vgpuTypeId,
   nvmlVgpuPlacementList_t *pPlacementList)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuTypeGetGspHeapSize(nvmlVgpuTypeId_t vgpuTypeId, unsigned long long *gspHeapSize)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuTypeGetFbReservation(nvmlVgpuTypeId_t vgpuTypeId, unsigned long long *fbReservation)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetRuntimeStateSize(nvmlVgpuInstance_t vgpuInstance, nvmlVgpuRuntimeState_t
   *pState)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceSetVgpuCapabilities(nvmlDevice_t device, nvmlDeviceVgpuCapability_t capability,
   nvmlEnableState_t state)""",
   forbidden())
fn("nvmlReturn_t nvmlDeviceVgpuForceGspUnload(nvmlDevice_t device)", forbidden())
fn("""nvmlReturn_t nvmlDeviceGetGridLicensableFeatures_v4(nvmlDevice_t device, nvmlGridLicensableFeatures_t
   *pGridLicensableFeatures)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlGetVgpuDriverCapabilities(nvmlVgpuDriverCapability_t capability, unsigned int *capResult)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetVgpuCapabilities(nvmlDevice_t device, nvmlDeviceVgpuCapability_t capability,
   unsigned int *capResult)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetSupportedVgpus(nvmlDevice_t device, unsigned int *vgpuCount, nvmlVgpuTypeId_t
   *vgpuTypeIds)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetCreatableVgpus(nvmlDevice_t device, unsigned int *vgpuCount, nvmlVgpuTypeId_t
   *vgpuTypeIds)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuTypeGetClass(nvmlVgpuTypeId_t vgpuTypeId, char *vgpuTypeClass, unsigned int *size)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuTypeGetName(nvmlVgpuTypeId_t vgpuTypeId, char *vgpuTypeName, unsigned int *size)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuTypeGetGpuInstanceProfileId(nvmlVgpuTypeId_t vgpuTypeId, unsigned int
   *gpuInstanceProfileId)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuTypeGetDeviceID(nvmlVgpuTypeId_t vgpuTypeId, unsigned long long *deviceID, unsigned
   long long *subsystemID)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuTypeGetFramebufferSize(nvmlVgpuTypeId_t vgpuTypeId, unsigned long long *fbSize)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuTypeGetNumDisplayHeads(nvmlVgpuTypeId_t vgpuTypeId, unsigned int *numDisplayHeads)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuTypeGetResolution(nvmlVgpuTypeId_t vgpuTypeId, unsigned int displayIndex, unsigned int
   *xdim, unsigned int *ydim)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuTypeGetLicense(nvmlVgpuTypeId_t vgpuTypeId, char *vgpuTypeLicenseString, unsigned int
   size)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuTypeGetFrameRateLimit(nvmlVgpuTypeId_t vgpuTypeId, unsigned int *frameRateLimit)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuTypeGetMaxInstances(nvmlDevice_t device, nvmlVgpuTypeId_t vgpuTypeId, unsigned int
   *vgpuInstanceCount)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuTypeGetMaxInstancesPerVm(nvmlVgpuTypeId_t vgpuTypeId, unsigned int
   *vgpuInstanceCountPerVm)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuTypeGetBAR1Info(nvmlVgpuTypeId_t vgpuTypeId, nvmlVgpuTypeBar1Info_t *bar1Info)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetActiveVgpus(nvmlDevice_t device, unsigned int *vgpuCount, nvmlVgpuInstance_t
   *vgpuInstances)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetVmID(nvmlVgpuInstance_t vgpuInstance, char *vmId, unsigned int size,
   nvmlVgpuVmIdType_t *vmIdType)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetUUID(nvmlVgpuInstance_t vgpuInstance, char *uuid, unsigned int size)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetVmDriverVersion(nvmlVgpuInstance_t vgpuInstance, char *version, unsigned int
   length)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetFbUsage(nvmlVgpuInstance_t vgpuInstance, unsigned long long *fbUsage)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetLicenseStatus(nvmlVgpuInstance_t vgpuInstance, unsigned int *licensed)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetType(nvmlVgpuInstance_t vgpuInstance, nvmlVgpuTypeId_t *vgpuTypeId)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetFrameRateLimit(nvmlVgpuInstance_t vgpuInstance, unsigned int *frameRateLimit)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetEccMode(nvmlVgpuInstance_t vgpuInstance, nvmlEnableState_t *eccMode)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetEncoderCapacity(nvmlVgpuInstance_t vgpuInstance, unsigned int
   *encoderCapacity)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceSetEncoderCapacity(nvmlVgpuInstance_t vgpuInstance, unsigned int encoderCapacity)",
   forbidden())
fn("""nvmlReturn_t nvmlVgpuInstanceGetEncoderStats(nvmlVgpuInstance_t vgpuInstance, unsigned int *sessionCount,
   unsigned int *averageFps, unsigned int *averageLatency)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetEncoderSessions(nvmlVgpuInstance_t vgpuInstance, unsigned int *sessionCount,
   nvmlEncoderSessionInfo_t *sessionInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetFBCStats(nvmlVgpuInstance_t vgpuInstance, nvmlFBCStats_t *fbcStats)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetFBCSessions(nvmlVgpuInstance_t vgpuInstance, unsigned int *sessionCount,
   nvmlFBCSessionInfo_t *sessionInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetGpuInstanceId(nvmlVgpuInstance_t vgpuInstance, unsigned int *gpuInstanceId)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetGpuPciId(nvmlVgpuInstance_t vgpuInstance, char *vgpuPciId, unsigned int
   *length)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuTypeGetCapabilities(nvmlVgpuTypeId_t vgpuTypeId, nvmlVgpuCapability_t capability,
   unsigned int *capResult)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetMdevUUID(nvmlVgpuInstance_t vgpuInstance, char *mdevUuid, unsigned int size)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlGpuInstanceGetCreatableVgpus(nvmlGpuInstance_t gpuInstance, nvmlVgpuTypeIdInfo_t *pVgpus)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuTypeGetMaxInstancesPerGpuInstance(nvmlVgpuTypeMaxInstance_t *pMaxInstance)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlGpuInstanceGetActiveVgpus(nvmlGpuInstance_t gpuInstance, nvmlActiveVgpuInstanceInfo_t
   *pVgpuInstanceInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlGpuInstanceSetVgpuSchedulerState(nvmlGpuInstance_t gpuInstance, nvmlVgpuSchedulerState_t
   *pScheduler)""",
   forbidden())
fn("""nvmlReturn_t nvmlGpuInstanceGetVgpuSchedulerState(nvmlGpuInstance_t gpuInstance,
   nvmlVgpuSchedulerStateInfo_t *pSchedulerStateInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlGpuInstanceGetVgpuSchedulerLog(nvmlGpuInstance_t gpuInstance, nvmlVgpuSchedulerLogInfo_t
   *pSchedulerLogInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlGpuInstanceGetVgpuTypeCreatablePlacements(nvmlGpuInstance_t gpuInstance,
   nvmlVgpuCreatablePlacementInfo_t *pCreatablePlacementInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlGpuInstanceGetVgpuHeterogeneousMode(nvmlGpuInstance_t gpuInstance,
   nvmlVgpuHeterogeneousMode_t *pHeterogeneousMode)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlGpuInstanceSetVgpuHeterogeneousMode(nvmlGpuInstance_t gpuInstance, const
   nvmlVgpuHeterogeneousMode_t *pHeterogeneousMode)""",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceGetVgpuSchedulerState_v2(nvmlDevice_t device, nvmlVgpuSchedulerStateInfo_v2_t
   *pSchedulerStateInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlGpuInstanceGetVgpuSchedulerState_v2(nvmlGpuInstance_t gpuInstance,
   nvmlVgpuSchedulerStateInfo_v2_t *pSchedulerStateInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetVgpuSchedulerLog_v2(nvmlDevice_t device, nvmlVgpuSchedulerLogInfo_v2_t
   *pSchedulerLogInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlGpuInstanceGetVgpuSchedulerLog_v2(nvmlGpuInstance_t gpuInstance,
   nvmlVgpuSchedulerLogInfo_v2_t *pSchedulerLogInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceSetVgpuSchedulerState_v2(nvmlDevice_t device, nvmlVgpuSchedulerState_v2_t
   *pSchedulerState)""",
   forbidden())
fn("""nvmlReturn_t nvmlGpuInstanceSetVgpuSchedulerState_v2(nvmlGpuInstance_t gpuInstance,
   nvmlVgpuSchedulerState_v2_t *pSchedulerState)""",
   forbidden())
fn("""nvmlReturn_t nvmlVgpuInstanceGetMetadata(nvmlVgpuInstance_t vgpuInstance, nvmlVgpuMetadata_t *vgpuMetadata,
   unsigned int *bufferSize)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetVgpuMetadata(nvmlDevice_t device, nvmlVgpuPgpuMetadata_t *pgpuMetadata, unsigned
   int *bufferSize)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlGetVgpuCompatibility(nvmlVgpuMetadata_t *vgpuMetadata, nvmlVgpuPgpuMetadata_t
   *pgpuMetadata, nvmlVgpuPgpuCompatibility_t *compatibilityInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlDeviceGetVgpuSchedulerLog(nvmlDevice_t device, nvmlVgpuSchedulerLog_t *pSchedulerLog)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetVgpuSchedulerState(nvmlDevice_t device, nvmlVgpuSchedulerGetState_t
   *pSchedulerState)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceSetVgpuSchedulerState(nvmlDevice_t device, nvmlVgpuSchedulerSetState_t
   *pSchedulerState)""",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceGetVgpuSchedulerCapabilities(nvmlDevice_t device, nvmlVgpuSchedulerCapabilities_t
   *pCapabilities)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlGetVgpuVersion(nvmlVgpuVersion_t *supported, nvmlVgpuVersion_t *current)",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlSetVgpuVersion(nvmlVgpuVersion_t *vgpuVersion)", forbidden())
fn("""nvmlReturn_t nvmlDeviceGetVgpuUtilization(nvmlDevice_t device, unsigned long long lastSeenTimeStamp,
   nvmlValueType_t *sampleValType, unsigned int *vgpuInstanceSamplesCount, nvmlVgpuInstanceUtilizationSample_t
   *utilizationSamples)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetVgpuInstancesUtilizationInfo(nvmlDevice_t device,
   nvmlVgpuInstancesUtilizationInfo_t *vgpuUtilInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetVgpuProcessUtilization(nvmlDevice_t device, unsigned long long lastSeenTimeStamp,
   unsigned int *vgpuProcessSamplesCount, nvmlVgpuProcessUtilizationSample_t *utilizationSamples)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetVgpuProcessesUtilizationInfo(nvmlDevice_t device,
   nvmlVgpuProcessesUtilizationInfo_t *vgpuProcUtilInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceGetAccountingMode(nvmlVgpuInstance_t vgpuInstance, nvmlEnableState_t *mode)",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetAccountingPids(nvmlVgpuInstance_t vgpuInstance, unsigned int *count,
   unsigned int *pids)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetAccountingStats(nvmlVgpuInstance_t vgpuInstance, unsigned int pid,
   nvmlAccountingStats_t *stats)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("nvmlReturn_t nvmlVgpuInstanceClearAccountingPids(nvmlVgpuInstance_t vgpuInstance)", forbidden())
fn("""nvmlReturn_t nvmlVgpuInstanceGetLicenseInfo_v2(nvmlVgpuInstance_t vgpuInstance, nvmlVgpuLicenseInfo_t
   *licenseInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetGridLicensableFeatures(nvmlDevice_t device, nvmlGridLicensableFeatures_t
   *pGridLicensableFeatures)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetGridLicensableFeatures_v2(nvmlDevice_t device, nvmlGridLicensableFeatures_t
   *pGridLicensableFeatures)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetGridLicensableFeatures_v3(nvmlDevice_t device, nvmlGridLicensableFeatures_t
   *pGridLicensableFeatures)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlVgpuInstanceGetLicenseInfo(nvmlVgpuInstance_t vgpuInstance, nvmlVgpuLicenseInfo_t
   *licenseInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
