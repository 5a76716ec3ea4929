"""Green contexts and device resources."""

fn("CUresult cuCtxFromGreenCtx(CUcontext *pContext, CUgreenCtx hCtx)", later("green contexts"), since=12040)
fn("CUresult cuCtxGetDevResource(CUcontext hCtx, CUdevResource *resource, CUdevResourceType type)",
   later("green contexts"), since=12040)
fn("""CUresult cuDevResourceGenerateDesc(CUdevResourceDesc *phDesc, CUdevResource *resources, unsigned int
   nbResources)""",
   later("green contexts"), since=12040)
fn("""CUresult cuDevSmResourceSplitByCount(CUdevResource *result, unsigned int *nbGroups, const CUdevResource
   *input, CUdevResource *remaining, unsigned int useFlags, unsigned int minCount)""",
   later("green contexts"), since=12040)
fn("CUresult cuGreenCtxCreate(CUgreenCtx *phCtx, CUdevResourceDesc desc, CUdevice dev, unsigned int flags)",
   later("green contexts"), since=12040)
fn("CUresult cuGreenCtxDestroy(CUgreenCtx hCtx)", later("green contexts"), since=12040)
fn("CUresult cuGreenCtxGetDevResource(CUgreenCtx hCtx, CUdevResource *resource, CUdevResourceType type)",
   later("green contexts"), since=12040)
fn("CUresult cuGreenCtxGetId(CUgreenCtx greenCtx, unsigned long long *greenCtxId)",
   later("green contexts"), since=12090)
fn("CUresult cuGreenCtxRecordEvent(CUgreenCtx hCtx, CUevent hEvent)", later("green contexts"), since=12040)
fn("CUresult cuGreenCtxStreamCreate(CUstream *phStream, CUgreenCtx greenCtx, unsigned int flags, int priority)",
   later("green contexts"), since=12050)
fn("CUresult cuGreenCtxWaitEvent(CUgreenCtx hCtx, CUevent hEvent)", later("green contexts"), since=12040)
fn("CUresult cuStreamGetGreenCtx(CUstream hStream, CUgreenCtx *phCtx)", later("green contexts"), since=12040)
