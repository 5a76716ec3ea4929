"""Green contexts and device resources."""

fn("CUresult cuCtxFromGreenCtx(CUcontext *pContext, CUgreenCtx hCtx)", refused("a lease divides a GPU's memory, not its processors"), since=12040)
fn("CUresult cuCtxGetDevResource(CUcontext hCtx, CUdevResource *resource, CUdevResourceType type)",
   refused("a lease divides a GPU's memory, not its processors"), since=12040)
fn("""CUresult cuDevResourceGenerateDesc(CUdevResourceDesc *phDesc, CUdevResource *resources, unsigned int
   nbResources)""",
   refused("a lease divides a GPU's memory, not its processors"), since=12040)
fn("""CUresult cuDevSmResourceSplitByCount(CUdevResource *result, unsigned int *nbGroups, const CUdevResource
   *input, CUdevResource *remaining, unsigned int useFlags, unsigned int minCount)""",
   refused("a lease divides a GPU's memory, not its processors"), since=12040)
fn("CUresult cuGreenCtxCreate(CUgreenCtx *phCtx, CUdevResourceDesc desc, CUdevice dev, unsigned int flags)",
   refused("a lease divides a GPU's memory, not its processors"), since=12040)
fn("CUresult cuGreenCtxDestroy(CUgreenCtx hCtx)", refused("a lease divides a GPU's memory, not its processors"), since=12040)
fn("CUresult cuGreenCtxGetDevResource(CUgreenCtx hCtx, CUdevResource *resource, CUdevResourceType type)",
   refused("a lease divides a GPU's memory, not its processors"), since=12040)
fn("CUresult cuGreenCtxGetId(CUgreenCtx greenCtx, unsigned long long *greenCtxId)",
   refused("a lease divides a GPU's memory, not its processors"), since=12090)
fn("CUresult cuGreenCtxRecordEvent(CUgreenCtx hCtx, CUevent hEvent)", refused("a lease divides a GPU's memory, not its processors"), since=12040)
fn("CUresult cuGreenCtxStreamCreate(CUstream *phStream, CUgreenCtx greenCtx, unsigned int flags, int priority)",
   refused("a lease divides a GPU's memory, not its processors"), since=12050)
fn("CUresult cuGreenCtxWaitEvent(CUgreenCtx hCtx, CUevent hEvent)", refused("a lease divides a GPU's memory, not its processors"), since=12040)
fn("CUresult cuStreamGetGreenCtx(CUstream hStream, CUgreenCtx *phCtx)", local(), since=12040)
