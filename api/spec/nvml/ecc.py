"""Errors of the memory and what the board remembers of itself."""

fn("nvmlReturn_t nvmlDeviceGetRepairStatus(nvmlDevice_t device, nvmlRepairStatus_t *repairStatus)",
   snapshot("reading"), repairStatus=versioned("nvmlRepairStatus_v1_t:1"))
fn("""nvmlReturn_t nvmlDeviceGetUnrepairableMemoryFlag_v1(nvmlDevice_t device, nvmlUnrepairableMemoryStatus_v1_t
   *unrepairableMemoryStatus)""",
   refused("no program is known to read it"))
fn("""nvmlReturn_t nvmlDeviceGetInforomVersion(nvmlDevice_t device, nvmlInforomObject_t object, char *version,
   unsigned int length)""",
   snapshot("facts"), object=each(4), version=out_string("length"))
fn("nvmlReturn_t nvmlDeviceGetInforomImageVersion(nvmlDevice_t device, char *version, unsigned int length)",
   snapshot("facts"), version=out_string("length"))
fn("nvmlReturn_t nvmlDeviceGetInforomConfigurationChecksum(nvmlDevice_t device, unsigned int *checksum)",
   snapshot("facts"), checksum=out())
fn("nvmlReturn_t nvmlDeviceValidateInforom(nvmlDevice_t device)", refused("the infoROM is verified on the server"))
fn("""nvmlReturn_t nvmlDeviceGetLastBBXFlushTime(nvmlDevice_t device, unsigned long long *timestamp, unsigned long
   *durationUs)""",
   snapshot("health"), timestamp=out(), durationUs=out())
fn("nvmlReturn_t nvmlDeviceGetBBXTimeData_v1(nvmlDevice_t device, nvmlBBXTimeData_v1_t *timeData)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending)",
   snapshot("reading"), current=out(), pending=out())
fn("nvmlReturn_t nvmlDeviceGetDefaultEccMode(nvmlDevice_t device, nvmlEnableState_t *defaultMode)",
   snapshot("facts"), defaultMode=out())
fn("""nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t errorType,
   nvmlEccCounterType_t counterType, unsigned long long *eccCounts)""",
   snapshot("reading"), errorType=each(2), counterType=each(2), eccCounts=out())
fn("""nvmlReturn_t nvmlDeviceGetDetailedEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t errorType,
   nvmlEccCounterType_t counterType, nvmlEccErrorCounts_t *eccCounts)""",
   snapshot("reading"), errorType=each(2), counterType=each(2), eccCounts=out())
fn("""nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t errorType,
   nvmlEccCounterType_t counterType, nvmlMemoryLocation_t locationType, unsigned long long *count)""",
   snapshot("reading"), errorType=each(2), counterType=each(2), locationType=each(8), count=out())
fn("nvmlReturn_t nvmlDeviceGetSramEccErrorStatus(nvmlDevice_t device, nvmlEccSramErrorStatus_t *status)",
   snapshot("reading"), status=versioned("nvmlEccSramErrorStatus_v1_t:1"))
fn("""nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int
   *pageCount, unsigned long long *addresses)""",
   snapshot("health"), cause=each(2), addresses=out_list("pageCount", 1024))
fn("""nvmlReturn_t nvmlDeviceGetRetiredPages_v2(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int
   *pageCount, unsigned long long *addresses, unsigned long long *timestamps)""",
   snapshot("health"), cause=each(2), addresses=out_list("pageCount", 1024), timestamps=out_list("pageCount", 1024))
fn("nvmlReturn_t nvmlDeviceGetRetiredPagesPendingStatus(nvmlDevice_t device, nvmlEnableState_t *isPending)",
   snapshot("reading"), isPending=out())
fn("""nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrRows, unsigned int *uncRows,
   unsigned int *isPending, unsigned int *failureOccurred)""",
   snapshot("reading"), corrRows=out(), uncRows=out(), isPending=out(), failureOccurred=out())
fn("nvmlReturn_t nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device, nvmlRowRemapperHistogramValues_t *values)",
   snapshot("reading"), values=out())
fn("nvmlReturn_t nvmlDeviceSetEccMode(nvmlDevice_t device, nvmlEnableState_t ecc)", forbidden())
fn("nvmlReturn_t nvmlDeviceClearEccErrorCounts(nvmlDevice_t device, nvmlEccCounterType_t counterType)", forbidden())
fn("""nvmlReturn_t nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts(nvmlDevice_t device,
   nvmlEccSramUniqueUncorrectedErrorCounts_t *errorCounts)""",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetRemappedRows_v2(nvmlDevice_t device, nvmlRemappedRowsInfo_v2_t *info)",
   snapshot("health"), info=out())
