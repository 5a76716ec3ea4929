"""Devices: which there are, and what they are."""

fn("nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *deviceCount)", local())
fn("nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)",
   snapshot("facts"), attributes=out())
fn("nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)", local())
fn("nvmlReturn_t nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device)", local())
fn("nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)", local())
fn("nvmlReturn_t nvmlDeviceGetHandleByUUIDV(const nvmlUUID_t *uuid, nvmlDevice_t *device)", local())
fn("nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *pciBusId, nvmlDevice_t *device)", local())
fn("nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length)",
   snapshot("facts"), name=out_string("length"))
fn("nvmlReturn_t nvmlDeviceGetBrand(nvmlDevice_t device, nvmlBrandType_t *type)", snapshot("facts"), type=out())
fn("nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)", local())
fn("nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *serial, unsigned int length)",
   snapshot("facts"), serial=out_string("length"))
fn("nvmlReturn_t nvmlDeviceGetModuleId(nvmlDevice_t device, unsigned int *moduleId)",
   snapshot("facts"), moduleId=out())
fn("nvmlReturn_t nvmlDeviceGetAddressingMode(nvmlDevice_t device, nvmlDeviceAddressingMode_t *mode)",
   snapshot("facts"), mode_=versioned("nvmlDeviceAddressingMode_v1_t:1"))
fn("nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length)",
   snapshot("facts"), uuid=out_string("length"))
fn("nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minorNumber)",
   snapshot("facts"), minorNumber=out())
fn("nvmlReturn_t nvmlDeviceGetBoardPartNumber(nvmlDevice_t device, char *partNumber, unsigned int length)",
   snapshot("facts"), partNumber=out_string("length"))
fn("nvmlReturn_t nvmlDeviceGetDisplayMode(nvmlDevice_t device, nvmlEnableState_t *display)",
   snapshot("facts"), display=out())
fn("nvmlReturn_t nvmlDeviceGetDisplayActive(nvmlDevice_t device, nvmlEnableState_t *isActive)",
   snapshot("facts"), isActive=out())
fn("nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, nvmlEnableState_t *mode)",
   snapshot("reading"), mode_=out())
fn("nvmlReturn_t nvmlDeviceGetPciInfoExt(nvmlDevice_t device, nvmlPciInfoExt_t *pci)",
   snapshot("facts"), pci=versioned("nvmlPciInfoExt_v1_t:1"))
fn("nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)", snapshot("facts"), pci=out())
fn("""nvmlReturn_t nvmlDeviceGetGpuOperationMode(nvmlDevice_t device, nvmlGpuOperationMode_t *current,
   nvmlGpuOperationMode_t *pending)""",
   snapshot("facts"), current=out(nullable=True), pending=out(nullable=True))
fn("nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, nvmlComputeMode_t *mode)",
   snapshot("reading"), mode_=out())
fn("nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)",
   snapshot("facts"), major=out(), minor=out())
fn("nvmlReturn_t nvmlDeviceGetBoardId(nvmlDevice_t device, unsigned int *boardId)", snapshot("facts"), boardId=out())
fn("nvmlReturn_t nvmlDeviceGetMultiGpuBoard(nvmlDevice_t device, unsigned int *multiGpuBool)",
   snapshot("facts"), multiGpuBool=out())
fn("""nvmlReturn_t nvmlDeviceGetDriverModel_v2(nvmlDevice_t device, nvmlDriverModel_t *current, nvmlDriverModel_t
   *pending)""",
   refused("a Windows driver has it alone"))
fn("nvmlReturn_t nvmlDeviceGetVbiosVersion(nvmlDevice_t device, char *version, unsigned int length)",
   snapshot("facts"), version=out_string("length"))
fn("nvmlReturn_t nvmlDeviceGetBridgeChipInfo(nvmlDevice_t device, nvmlBridgeChipHierarchy_t *bridgeHierarchy)",
   snapshot("facts"), bridgeHierarchy=out())
fn("""nvmlReturn_t nvmlDeviceGetAPIRestriction(nvmlDevice_t device, nvmlRestrictedAPI_t apiType, nvmlEnableState_t
   *isRestricted)""",
   snapshot("reading"), apiType=each(2), isRestricted=out())
fn("nvmlReturn_t nvmlDeviceGetIrqNum(nvmlDevice_t device, unsigned int *irqNum)", snapshot("facts"), irqNum=out())
fn("nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t device, unsigned int *numCores)",
   snapshot("facts"), numCores=out())
fn("nvmlReturn_t nvmlDeviceGetBusType(nvmlDevice_t device, nvmlBusType_t *type)", snapshot("facts"), type=out())
fn("nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char *version)",
   snapshot("facts"), version=out_string("64"))
fn("""nvmlReturn_t nvmlDeviceGetGspFirmwareMode(nvmlDevice_t device, unsigned int *isEnabled, unsigned int
   *defaultMode)""",
   snapshot("facts"), isEnabled=out(), defaultMode=out())
fn("nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, nvmlDeviceArchitecture_t *arch)",
   snapshot("facts"), arch=out())
fn("nvmlReturn_t nvmlDeviceGetPlatformInfo(nvmlDevice_t device, nvmlPlatformInfo_t *platformInfo)",
   snapshot("facts"), platformInfo=versioned("nvmlPlatformInfo_v1_t:1,nvmlPlatformInfo_v2_t:2"))
fn("nvmlReturn_t nvmlDeviceGetPdi(nvmlDevice_t device, nvmlPdi_t *pdi)",
   snapshot("facts"), pdi=versioned("nvmlPdi_v1_t:1"))
fn("nvmlReturn_t nvmlDeviceSetHostname_v1(nvmlDevice_t device, nvmlHostname_v1_t *hostname)", forbidden())
fn("nvmlReturn_t nvmlDeviceGetHostname_v1(nvmlDevice_t device, nvmlHostname_v1_t *hostname)",
   refused("the rest of the server is not the client's to see"))
fn("nvmlReturn_t nvmlDeviceSetPersistenceMode(nvmlDevice_t device, nvmlEnableState_t mode)", forbidden())
fn("nvmlReturn_t nvmlDeviceSetComputeMode(nvmlDevice_t device, nvmlComputeMode_t mode)", forbidden())
fn("nvmlReturn_t nvmlDeviceSetDriverModel(nvmlDevice_t device, nvmlDriverModel_t driverModel, unsigned int flags)",
   forbidden())
fn("nvmlReturn_t nvmlDeviceSetGpuOperationMode(nvmlDevice_t device, nvmlGpuOperationMode_t mode)", forbidden())
fn("""nvmlReturn_t nvmlDeviceSetAPIRestriction(nvmlDevice_t device, nvmlRestrictedAPI_t apiType, nvmlEnableState_t
   isRestricted)""",
   forbidden())
fn("nvmlReturn_t nvmlDeviceModifyDrainState(nvmlPciInfo_t *pciInfo, nvmlEnableState_t newState)", forbidden())
fn("nvmlReturn_t nvmlDeviceQueryDrainState(nvmlPciInfo_t *pciInfo, nvmlEnableState_t *currentState)",
   refused("GPUs are drained on their server, by its administrator"))
fn("""nvmlReturn_t nvmlDeviceRemoveGpu_v2(nvmlPciInfo_t *pciInfo, nvmlDetachGpuState_t gpuState,
   nvmlPcieLinkState_t linkState)""",
   forbidden())
fn("nvmlReturn_t nvmlDeviceDiscoverGpus(nvmlPciInfo_t *pciInfo)", forbidden())
fn("nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int valuesCount, nvmlFieldValue_t *values)", local())
fn("nvmlReturn_t nvmlDeviceClearFieldValues(nvmlDevice_t device, int valuesCount, nvmlFieldValue_t *values)",
   forbidden())
fn("nvmlReturn_t nvmlDeviceGetVirtualizationMode(nvmlDevice_t device, nvmlGpuVirtualizationMode_t *pVirtualMode)",
   snapshot("facts"), pVirtualMode=out())
fn("nvmlReturn_t nvmlDeviceSetVirtualizationMode(nvmlDevice_t device, nvmlGpuVirtualizationMode_t virtualMode)",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceGetPgpuMetadataString(nvmlDevice_t device, char *pgpuMetadata, unsigned int
   *bufferSize)""",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceReadWritePRM_v1(nvmlDevice_t device, nvmlPRMTLV_v1_t *buffer)", forbidden())
fn("nvmlReturn_t nvmlDeviceReadPRMCounters_v1(nvmlDevice_t device, nvmlPRMCounterList_v1_t *counterList)",
   refused("the rest of the server is not the client's to see"))
fn("nvmlReturn_t nvmlDeviceGetCapabilities(nvmlDevice_t device, nvmlDeviceCapabilities_t *caps)",
   snapshot("facts"), caps=versioned("nvmlDeviceCapabilities_v1_t:1"))
fn("nvmlReturn_t nvmlDeviceSetRusdSettings_v1(nvmlDevice_t device, nvmlRusdSettings_v1_t *settings)", forbidden())
fn("nvmlReturn_t nvmlDeviceGetCount(unsigned int *deviceCount)", local())
fn("nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device)", local())
fn("nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *pciBusId, nvmlDevice_t *device)", local())
fn("nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t *pci)", local())
fn("nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t *pci)", local())
fn("nvmlReturn_t nvmlDeviceRemoveGpu(nvmlPciInfo_t *pciInfo)", forbidden())
fn("nvmlReturn_t nvmlDeviceGetAttributes(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)", local())
fn("""nvmlReturn_t nvmlDeviceGetDriverModel(nvmlDevice_t device, nvmlDriverModel_t *current, nvmlDriverModel_t
   *pending)""",
   refused("a Windows driver has it alone"))
