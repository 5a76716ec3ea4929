"""Initialisation, versions, what concerns no single device."""

fn("nvmlReturn_t nvmlInit_v2(void)", local())
fn("nvmlReturn_t nvmlInitWithFlags(unsigned int flags)", local())
fn("nvmlReturn_t nvmlShutdown(void)", local())
fn("const char *nvmlErrorString(nvmlReturn_t result)", local())
fn("nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)",
   snapshot("system"), version=out_string("length"))
fn("nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length)",
   snapshot("system"), version=out_string("length"))
fn("nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *cudaDriverVersion)", local())
fn("nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *cudaDriverVersion)",
   snapshot("system"), cudaDriverVersion=out())
fn("nvmlReturn_t nvmlSystemGetHicVersion(unsigned int *hwbcCount, nvmlHwbcEntry_t *hwbcEntries)", local())
fn("nvmlReturn_t nvmlSystemGetDriverBranch(nvmlSystemDriverBranchInfo_t *branchInfo, unsigned int length)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlSystemGetCPER_v1(nvmlGetCPER_v1_t *cper)",
   refused("the rest of the server is not the client's to see"))
fn("nvmlReturn_t nvmlGetExcludedDeviceCount(unsigned int *deviceCount)", local())
fn("nvmlReturn_t nvmlGetExcludedDeviceInfoByIndex(unsigned int index, nvmlExcludedDeviceInfo_t *info)",
   refused("the rest of the server is not the client's to see"))
fn("nvmlReturn_t nvmlInit(void)", local())
fn("nvmlReturn_t nvmlGetBlacklistDeviceCount(unsigned int *deviceCount)", local())
fn("nvmlReturn_t nvmlGetBlacklistDeviceInfoByIndex(unsigned int index, nvmlExcludedDeviceInfo_t *info)",
   refused("the rest of the server is not the client's to see"))
fn("nvmlReturn_t nvmlInternalGetExportTable(const void **table, const void *id)", local())
