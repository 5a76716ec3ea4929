"""Where devices lie to each other."""

fn("""nvmlReturn_t nvmlSystemGetTopologyGpuSet(unsigned int cpuNumber, unsigned int *count, nvmlDevice_t
   *deviceArray)""",
   refused("the rest of the server is not the client's to see"))
fn("""nvmlReturn_t nvmlDeviceGetMemoryAffinity(nvmlDevice_t device, unsigned int nodeSetSize, unsigned long
   *nodeSet, nvmlAffinityScope_t scope)""",
   refused("the server's processors are not the client's"))
fn("""nvmlReturn_t nvmlDeviceGetCpuAffinityWithinScope(nvmlDevice_t device, unsigned int cpuSetSize, unsigned long
   *cpuSet, nvmlAffinityScope_t scope)""",
   refused("the server's processors are not the client's"))
fn("nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t device, unsigned int cpuSetSize, unsigned long *cpuSet)",
   refused("the server's processors are not the client's"))
fn("nvmlReturn_t nvmlDeviceSetCpuAffinity(nvmlDevice_t device)", forbidden())
fn("nvmlReturn_t nvmlDeviceClearCpuAffinity(nvmlDevice_t device)", forbidden())
fn("nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned int *node)",
   refused("the server's processors are not the client's"))
fn("""nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t device1, nvmlDevice_t device2,
   nvmlGpuTopologyLevel_t *pathInfo)""",
   snapshot("pair"), pathInfo=out())
fn("""nvmlReturn_t nvmlDeviceGetTopologyNearestGpus(nvmlDevice_t device, nvmlGpuTopologyLevel_t level, unsigned
   int *count, nvmlDevice_t *deviceArray)""",
   local())
fn("""nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t device1, nvmlDevice_t device2, nvmlGpuP2PCapsIndex_t
   p2pIndex,nvmlGpuP2PStatus_t *p2pStatus)""",
   snapshot("pair"), p2pIndex=each(6), p2pStatus=out())
fn("nvmlReturn_t nvmlDeviceOnSameBoard(nvmlDevice_t device1, nvmlDevice_t device2, int *onSameBoard)",
   snapshot("pair"), onSameBoard=out())
