"""Types of NVML: handles, structs that a served function reads or writes, and the names of those that none does."""

handle("nvmlDevice_t", "nvmlDevice_st")
handle("nvmlGpuInstance_t", "nvmlGpuInstance_st")
handle("nvmlUnit_t", "nvmlUnit_st")
handle("nvmlEventSet_t", "nvmlEventSet_st")
handle("nvmlSystemEventSet_t", "nvmlSystemEventSet_st")
handle("nvmlComputeInstance_t", "nvmlComputeInstance_st")
handle("nvmlGpmSample_t", "nvmlGpmSample_st")

struct("nvmlPciInfoExt_v1_t",
       """unsigned int version; unsigned int domain; unsigned int bus; unsigned int device; unsigned int
       pciDeviceId; unsigned int pciSubSystemId; unsigned int baseClass; unsigned int subClass; char busId[32];""", size=64, align=4)
alias("nvmlPciInfoExt_t", "nvmlPciInfoExt_v1_t")
struct("nvmlDeviceAddressingMode_v1_t", "unsigned int version; unsigned int value;", size=8, align=4)
alias("nvmlDeviceAddressingMode_t", "nvmlDeviceAddressingMode_v1_t")
struct("nvmlRepairStatus_v1_t",
       """unsigned int version; unsigned int bChannelRepairPending; unsigned int bTpcRepairPending;""", size=12, align=4)
alias("nvmlRepairStatus_t", "nvmlRepairStatus_v1_t")
struct("nvmlUUIDValue_t", "char str[41]; unsigned char bytes[16];", size=41, align=1, union=True)
struct("nvmlUUID_v1_t", "unsigned int version; unsigned int type; nvmlUUIDValue_t value;", size=52, align=4)
alias("nvmlUUID_t", "nvmlUUID_v1_t")
struct("nvmlMarginTemperature_v1_t", "unsigned int version; int marginTemperature;", size=8, align=4)
alias("nvmlMarginTemperature_t", "nvmlMarginTemperature_v1_t")
struct("nvmlEccSramErrorStatus_v1_t",
       """unsigned int version; unsigned long long aggregateUncParity; unsigned long long aggregateUncSecDed;
       unsigned long long aggregateCor; unsigned long long volatileUncParity; unsigned long long
       volatileUncSecDed; unsigned long long volatileCor; unsigned long long aggregateUncBucketL2; unsigned
       long long aggregateUncBucketSm; unsigned long long aggregateUncBucketPcie; unsigned long long
       aggregateUncBucketMcu; unsigned long long aggregateUncBucketOther; unsigned int bThresholdExceeded;""", size=104, align=8)
alias("nvmlEccSramErrorStatus_t", "nvmlEccSramErrorStatus_v1_t")
struct("nvmlPlatformInfo_v2_t",
       """unsigned int version; unsigned char ibGuid[16]; unsigned char chassisSerialNumber[16]; unsigned char
       slotNumber; unsigned char trayIndex; unsigned char hostId; unsigned char peerType; unsigned char
       moduleId;""", size=44, align=4)
alias("nvmlPlatformInfo_t", "nvmlPlatformInfo_v2_t")
alias("nvmlDeviceArchitecture_t", "unsigned int")
alias("nvmlBusType_t", "unsigned int")
alias("nvmlFanControlPolicy_t", "unsigned int")
alias("nvmlPowerSource_t", "unsigned int")
alias("nvmlPowerScopeType_t", "unsigned char")
alias("nvmlVgpuTypeId_t", "unsigned int")
alias("nvmlVgpuInstance_t", "unsigned int")
struct("nvmlSystemConfComputeSettings_v1_t",
       """unsigned int version; unsigned int environment; unsigned int ccFeature; unsigned int devToolsMode;
       unsigned int multiGpuMode;""", size=20, align=4)
alias("nvmlSystemConfComputeSettings_t", "nvmlSystemConfComputeSettings_v1_t")
alias("nvmlGpuFabricState_t", "unsigned char")
struct("nvmlGpuFabricInfo_v3_t",
       """unsigned int version; unsigned char clusterUuid[16]; nvmlReturn_t status; unsigned int cliqueId;
       nvmlGpuFabricState_t state; unsigned int healthMask; unsigned char healthSummary;""", size=40, align=4)
alias("nvmlGpuFabricInfoV_t", "nvmlGpuFabricInfo_v3_t")
alias("nvmlAffinityScope_t", "unsigned int")
struct("nvmlTemperature_v1_t",
       """unsigned int version; nvmlTemperatureSensors_t sensorType; int temperature;""", size=12, align=4)
alias("nvmlTemperature_t", "nvmlTemperature_v1_t")
struct("nvmlProcessInfo_v2_t",
       """unsigned int pid; unsigned long long usedGpuMemory; unsigned int gpuInstanceId; unsigned int
       computeInstanceId;""", size=24, align=8)
alias("nvmlProcessInfo_t", "nvmlProcessInfo_v2_t")
struct("nvmlPciInfo_t",
       """char busIdLegacy[16]; unsigned int domain; unsigned int bus; unsigned int device; unsigned int
       pciDeviceId; unsigned int pciSubSystemId; char busId[32];""", size=68, align=4)
struct("nvmlEccErrorCounts_t",
       """unsigned long long l1Cache; unsigned long long l2Cache; unsigned long long deviceMemory; unsigned long
       long registerFile;""", size=32, align=8)
struct("nvmlUtilization_t", "unsigned int gpu; unsigned int memory;", size=8, align=4)
struct("nvmlMemory_t",
       """unsigned long long total; unsigned long long free; unsigned long long used;""", size=24, align=8)
struct("nvmlMemory_v2_t",
       """unsigned int version; unsigned long long total; unsigned long long reserved; unsigned long long free;
       unsigned long long used;""", size=40, align=8)
struct("nvmlBAR1Memory_t",
       """unsigned long long bar1Total; unsigned long long bar1Free; unsigned long long bar1Used;""", size=24, align=8)
struct("nvmlProcessInfo_v1_t", "unsigned int pid; unsigned long long usedGpuMemory;", size=16, align=8)
struct("nvmlDeviceAttributes_t",
       """unsigned int multiprocessorCount; unsigned int sharedCopyEngineCount; unsigned int sharedDecoderCount;
       unsigned int sharedEncoderCount; unsigned int sharedJpegCount; unsigned int sharedOfaCount; unsigned int
       gpuInstanceSliceCount; unsigned int computeInstanceSliceCount; unsigned long long memorySizeMB;""", size=40, align=8)
struct("nvmlC2cModeInfo_v1_t", "unsigned int isC2cEnabled;", size=4, align=4)
struct("nvmlRowRemapperHistogramValues_t",
       """unsigned int max; unsigned int high; unsigned int partial; unsigned int low; unsigned int none;""", size=20, align=4)
struct("nvmlValue_t",
       """double dVal; int siVal; unsigned int uiVal; unsigned long ulVal; unsigned long long ullVal; signed long
       long sllVal; unsigned short usVal;""", size=8, align=8, union=True)
struct("nvmlViolationTime_t", "unsigned long long referenceTime; unsigned long long violationTime;", size=16, align=8)
struct("nvmlGpuThermalSettings_t",
       """unsigned int count; struct { nvmlThermalController_t controller; int defaultMinTemp; int defaultMaxTemp;
       int currentTemp; nvmlThermalTarget_t target; } sensor[3];""", size=64, align=4)
struct("nvmlPlatformInfo_v1_t",
       """unsigned int version; unsigned char ibGuid[16]; unsigned char rackGuid[16]; unsigned char
       chassisPhysicalSlotNumber; unsigned char computeSlotIndex; unsigned char nodeIndex; unsigned char
       peerType; unsigned char moduleId;""", size=44, align=4)
struct("nvmlGpuDynamicPstatesInfo_t",
       """unsigned int flags; struct { unsigned int bIsPresent; unsigned int percentage; unsigned int
       incThreshold; unsigned int decThreshold; } utilization[8];""", size=132, align=4)
struct("nvmlFieldValue_t",
       """unsigned int fieldId; unsigned int scopeId; long long timestamp; long long latencyUsec; nvmlValueType_t
       valueType; nvmlReturn_t nvmlReturn; nvmlValue_t value;""", size=40, align=8)
struct("nvmlHwbcEntry_t", "unsigned int hwbcId; char firmwareVersion[32];", size=36, align=4)
struct("nvmlFBCStats_t",
       """unsigned int sessionsCount; unsigned int averageFPS; unsigned int averageLatency;""", size=12, align=4)
struct("nvmlConfComputeSystemCaps_t", "unsigned int cpuCaps; unsigned int gpusCaps;", size=8, align=4)
struct("nvmlConfComputeSystemState_t",
       """unsigned int environment; unsigned int ccFeature; unsigned int devToolsMode;""", size=12, align=4)
struct("nvmlConfComputeMemSizeInfo_t",
       """unsigned long long protectedMemSizeKib; unsigned long long unprotectedMemSizeKib;""", size=16, align=8)
struct("nvmlGpuFabricInfo_t",
       """unsigned char clusterUuid[16]; nvmlReturn_t status; unsigned int cliqueId; nvmlGpuFabricState_t state;""", size=28, align=4)
struct("nvmlGpuFabricInfo_v2_t",
       """unsigned int version; unsigned char clusterUuid[16]; nvmlReturn_t status; unsigned int cliqueId;
       nvmlGpuFabricState_t state; unsigned int healthMask;""", size=36, align=4)

struct("nvmlEventData_t",
       """nvmlDevice_t device; unsigned long long eventType; unsigned long long eventData; unsigned int
       gpuInstanceId; unsigned int computeInstanceId;""", size=32, align=8)
struct("nvmlBridgeChipInfo_t", "nvmlBridgeChipType_t type; unsigned int fwVersion;", size=8, align=4)
struct("nvmlBridgeChipHierarchy_t", "unsigned char bridgeCount; nvmlBridgeChipInfo_t bridgeChipInfo[128];", size=1028, align=4)
struct("nvmlClkMonFaultInfo_t", "unsigned int clkApiDomain; unsigned int clkDomainFaultMask;", size=8, align=4)
struct("nvmlClkMonStatus_t",
       "unsigned int bGlobalStatus; unsigned int clkMonListSize; nvmlClkMonFaultInfo_t clkMonList[32];", size=264, align=4)
struct("nvmlPdi_v1_t", "unsigned int version; unsigned long long value;", size=16, align=8)
alias("nvmlPdi_t", "nvmlPdi_v1_t")
struct("nvmlDeviceCapabilities_v1_t", "unsigned int version; unsigned int capMask;", size=8, align=4)
alias("nvmlDeviceCapabilities_t", "nvmlDeviceCapabilities_v1_t")
struct("nvmlRemappedRowsInfo_v2_t",
       """unsigned int corrActiveRemaps; unsigned int corrInactiveRemaps; unsigned int uncActiveRemaps; unsigned int
       uncInactiveRemaps; unsigned int bPending; unsigned int bFailureOccurred;""", size=24, align=4)
opaque("nvmlAccountingStats_t")
opaque("nvmlAccountingStats_v2_t")
opaque("nvmlActiveVgpuInstanceInfo_t")
opaque("nvmlBBXTimeData_v1_t")
opaque("nvmlClockOffset_t")
opaque("nvmlComputeInstanceInfo_t")
opaque("nvmlComputeInstancePlacement_t")
opaque("nvmlComputeInstanceProfileInfo_t")
opaque("nvmlComputeInstanceProfileInfo_v2_t")
opaque("nvmlConfComputeGetKeyRotationThresholdInfo_t")
opaque("nvmlConfComputeGpuAttestationReport_t")
opaque("nvmlConfComputeGpuCertificate_t")
opaque("nvmlConfComputeSetKeyRotationThresholdInfo_t")
opaque("nvmlCoolerInfo_t")
opaque("nvmlDeviceCurrentClockFreqs_t")
opaque("nvmlDevicePerfModes_t")
opaque("nvmlDevicePowerMizerModes_v1_t")
opaque("nvmlDramEncryptionInfo_t")
opaque("nvmlEccSramUniqueUncorrectedErrorCounts_t")
opaque("nvmlEncoderSessionInfo_t")
opaque("nvmlExcludedDeviceInfo_t")
opaque("nvmlFBCSessionInfo_t")
opaque("nvmlFanSpeedInfo_t")
opaque("nvmlGetCPER_v1_t")
opaque("nvmlGpmMetricsGet_t")
opaque("nvmlGpmSupport_t")
opaque("nvmlGpuInstanceInfo_t")
opaque("nvmlGpuInstancePlacement_t")
opaque("nvmlGpuInstanceProfileInfo_t")
opaque("nvmlGpuInstanceProfileInfo_v2_t")
opaque("nvmlGridLicensableFeatures_t")
opaque("nvmlHostname_v1_t")
opaque("nvmlLedState_t")
opaque("nvmlNvLinkInfo_t")
opaque("nvmlNvLinkPowerThres_t")
opaque("nvmlNvLinkUtilizationControl_t")
opaque("nvmlNvlinkGetBwMode_t")
opaque("nvmlNvlinkSetBwMode_t")
opaque("nvmlNvlinkSupportedBwModes_t")
opaque("nvmlPRMCounterList_v1_t")
opaque("nvmlPRMTLV_v1_t")
opaque("nvmlPSUInfo_t")
opaque("nvmlPowerSmoothingProfile_t")
opaque("nvmlPowerSmoothingState_t")
opaque("nvmlPowerValue_v2_t")
opaque("nvmlProcessDetailList_t")
opaque("nvmlProcessUtilizationSample_t")
opaque("nvmlProcessesUtilizationInfo_t")
opaque("nvmlRusdSettings_v1_t")
opaque("nvmlSample_t")
opaque("nvmlSystemDriverBranchInfo_t")
opaque("nvmlSystemEventSetCreateRequest_t")
opaque("nvmlSystemEventSetFreeRequest_t")
opaque("nvmlSystemEventSetWaitRequest_t")
opaque("nvmlSystemRegisterEventRequest_t")
opaque("nvmlUnitFanSpeeds_t")
opaque("nvmlUnitInfo_t")
opaque("nvmlUnrepairableMemoryStatus_v1_t")
opaque("nvmlVgpuCreatablePlacementInfo_t")
opaque("nvmlVgpuHeterogeneousMode_t")
opaque("nvmlVgpuInstanceUtilizationSample_t")
opaque("nvmlVgpuInstancesUtilizationInfo_t")
opaque("nvmlVgpuLicenseInfo_t")
opaque("nvmlVgpuMetadata_t")
opaque("nvmlVgpuPgpuCompatibility_t")
opaque("nvmlVgpuPgpuMetadata_t")
opaque("nvmlVgpuPlacementId_t")
opaque("nvmlVgpuPlacementList_t")
opaque("nvmlVgpuProcessUtilizationSample_t")
opaque("nvmlVgpuProcessesUtilizationInfo_t")
opaque("nvmlVgpuRuntimeState_t")
opaque("nvmlVgpuSchedulerCapabilities_t")
opaque("nvmlVgpuSchedulerGetState_t")
opaque("nvmlVgpuSchedulerLogInfo_t")
opaque("nvmlVgpuSchedulerLogInfo_v2_t")
opaque("nvmlVgpuSchedulerLog_t")
opaque("nvmlVgpuSchedulerSetState_t")
opaque("nvmlVgpuSchedulerStateInfo_t")
opaque("nvmlVgpuSchedulerStateInfo_v2_t")
opaque("nvmlVgpuSchedulerState_t")
opaque("nvmlVgpuSchedulerState_v2_t")
opaque("nvmlVgpuTypeBar1Info_t")
opaque("nvmlVgpuTypeIdInfo_t")
opaque("nvmlVgpuTypeMaxInstance_t")
opaque("nvmlVgpuVersion_t")
opaque("nvmlWorkloadPowerProfileCurrentProfiles_t")
opaque("nvmlWorkloadPowerProfileProfilesInfo_t")
opaque("nvmlWorkloadPowerProfileRequestedProfiles_t")
opaque("nvmlWorkloadPowerProfileUpdateProfiles_v1_t")
