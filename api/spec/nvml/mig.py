"""Multi-instance GPU."""

fn("nvmlReturn_t nvmlDeviceSetMigMode(nvmlDevice_t device, unsigned int mode, nvmlReturn_t *activationStatus)",
   forbidden())
fn("nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *currentMode, unsigned int *pendingMode)",
   snapshot("reading"), currentMode=out(), pendingMode=out())
fn("""nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfo(nvmlDevice_t device, unsigned int profile,
   nvmlGpuInstanceProfileInfo_t *info)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoV(nvmlDevice_t device, unsigned int profile,
   nvmlGpuInstanceProfileInfo_v2_t *info)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoByIdV(nvmlDevice_t device, unsigned int profileId,
   nvmlGpuInstanceProfileInfo_v2_t *info)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlDeviceGetGpuInstancePossiblePlacements_v2(nvmlDevice_t device, unsigned int profileId,
   nvmlGpuInstancePlacement_t *placements, unsigned int *count)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlDeviceGetGpuInstanceRemainingCapacity(nvmlDevice_t device, unsigned int profileId, unsigned
   int *count)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlDeviceCreateGpuInstance(nvmlDevice_t device, unsigned int profileId, nvmlGpuInstance_t
   *gpuInstance)""",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceCreateGpuInstanceWithPlacement(nvmlDevice_t device, unsigned int profileId, const
   nvmlGpuInstancePlacement_t *placement, nvmlGpuInstance_t *gpuInstance)""",
   forbidden())
fn("nvmlReturn_t nvmlGpuInstanceDestroy(nvmlGpuInstance_t gpuInstance)", forbidden())
fn("""nvmlReturn_t nvmlDeviceGetGpuInstances(nvmlDevice_t device, unsigned int profileId, nvmlGpuInstance_t
   *gpuInstances, unsigned int *count)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlDeviceGetGpuInstanceById(nvmlDevice_t device, unsigned int id, nvmlGpuInstance_t
   *gpuInstance)""",
   refused("a lease is not cut into MIG instances"))
fn("nvmlReturn_t nvmlGpuInstanceGetInfo(nvmlGpuInstance_t gpuInstance, nvmlGpuInstanceInfo_t *info)",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlGpuInstanceGetComputeInstanceProfileInfo(nvmlGpuInstance_t gpuInstance, unsigned int
   profile, unsigned int engProfile, nvmlComputeInstanceProfileInfo_t *info)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlGpuInstanceGetComputeInstanceProfileInfoV(nvmlGpuInstance_t gpuInstance, unsigned int
   profile, unsigned int engProfile, nvmlComputeInstanceProfileInfo_v2_t *info)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlGpuInstanceGetComputeInstanceRemainingCapacity(nvmlGpuInstance_t gpuInstance, unsigned int
   profileId, unsigned int *count)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlGpuInstanceGetComputeInstancePossiblePlacements(nvmlGpuInstance_t gpuInstance, unsigned int
   profileId, nvmlComputeInstancePlacement_t *placements, unsigned int *count)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlGpuInstanceCreateComputeInstance(nvmlGpuInstance_t gpuInstance, unsigned int profileId,
   nvmlComputeInstance_t *computeInstance)""",
   forbidden())
fn("""nvmlReturn_t nvmlGpuInstanceCreateComputeInstanceWithPlacement(nvmlGpuInstance_t gpuInstance, unsigned int
   profileId, const nvmlComputeInstancePlacement_t *placement, nvmlComputeInstance_t *computeInstance)""",
   forbidden())
fn("nvmlReturn_t nvmlComputeInstanceDestroy(nvmlComputeInstance_t computeInstance)", forbidden())
fn("""nvmlReturn_t nvmlGpuInstanceGetComputeInstances(nvmlGpuInstance_t gpuInstance, unsigned int profileId,
   nvmlComputeInstance_t *computeInstances, unsigned int *count)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlGpuInstanceGetComputeInstanceById(nvmlGpuInstance_t gpuInstance, unsigned int id,
   nvmlComputeInstance_t *computeInstance)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlComputeInstanceGetInfo_v2(nvmlComputeInstance_t computeInstance, nvmlComputeInstanceInfo_t
   *info)""",
   refused("a lease is not cut into MIG instances"))
fn("nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *isMigDevice)", local())
fn("nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id)",
   refused("a lease is not cut into MIG instances"))
fn("nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id)",
   refused("a lease is not cut into MIG instances"))
fn("nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)",
   snapshot("facts"), count=out())
fn("""nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t
   *migDevice)""",
   local())
fn("nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t migDevice, nvmlDevice_t *device)", local())
fn("""nvmlReturn_t nvmlComputeInstanceGetInfo(nvmlComputeInstance_t computeInstance, nvmlComputeInstanceInfo_t
   *info)""",
   refused("a lease is not cut into MIG instances"))
fn("""nvmlReturn_t nvmlDeviceGetGpuInstancePossiblePlacements(nvmlDevice_t device, unsigned int profileId,
   nvmlGpuInstancePlacement_t *placements, unsigned int *count)""",
   refused("a lease is not cut into MIG instances"))
